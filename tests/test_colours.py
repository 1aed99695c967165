"""Colours: the ramp is uniform, limits are round and robust, units read well."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr.colours import RAMP, ramp, robust_limits, shown_unit
from no2sr.units import known_units

EXAMPLES = settings(max_examples=100, deadline=None)


def test_the_ramp_is_magma_turned_around():
    theirs = mpl.colormaps["magma_r"](np.linspace(0, 1, 256))[:, :3] * 255
    assert np.abs(ramp(256) - theirs).max() <= 4


def test_the_ramp_only_darkens():
    # Rec. 709 luma: a printed or colour-blind reader still sees the order.
    luma = ramp(256) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luma) < 0).all()
    assert [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in ramp(len(RAMP))] == list(RAMP)


def test_a_hot_pixel_does_not_move_the_limits():
    values = np.linspace(0, 100, 10_000)
    hot = values.copy()
    hot[7] = 1e9
    assert robust_limits(hot) == robust_limits(values) == (0, 100)


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([np.nan, np.nan], (0, 1)),
        ([2.0, 2.0, np.nan], (1, 3)),
        ([0.0, 0.0], (-0.5, 0.5)),
        ([-4.0, -4.0], (-6, -2)),
    ],
)
def test_limits_of_what_has_no_spread(values, limits):
    assert robust_limits(np.array(values)) == limits


@EXAMPLES
@given(
    st.floats(-1e3, 1e3),
    st.floats(1e-18, 1e18),
    st.integers(2, 300),
)
def test_limits_hold_nearly_all_and_little_more(centre, spread, count):
    values = spread * (centre + np.random.default_rng(count).normal(size=count))
    low, high = robust_limits(values)
    first, last = np.percentile(values, [0.2, 99.8])
    slack = 1e-6 * (last - first) + 1e-9 * abs(centre) * spread
    assert low <= first + slack
    assert high >= last - slack
    # Rounding outwards adds at most a step at either end, and a step is at most 5 / 100 of it:
    # the next 1, 2 or 5 is up to 2.5 times the fiftieth.
    assert high - low <= 1.1 * (last - first) + 2 * slack


@pytest.mark.parametrize("unit", known_units())
def test_shown_values_are_the_same_amount(unit):
    _, name = shown_unit(unit)
    assert ("µmol" in name) is (unit.endswith("mol m-2"))
    assert ("molec" in name) is ("molecules" in unit)


def test_people_read_micromoles_and_petamolecules():
    assert shown_unit("mol m-2") == (1e6, "µmol m⁻²")
    assert shown_unit("molec/cm2") == (1e-15, "10¹⁵ molec cm⁻²")
    assert shown_unit("ug m-3") == (1, "ug m-3")
