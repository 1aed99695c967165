"""The colour scale that styles, maps, figures and reports share."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from no2sr.core import colours
from no2sr.core.errors import NoValidPixelsError, SettingsError
from no2sr.core.units import factor


@pytest.mark.parametrize("name", colours.RAMPS)
def test_ramps_are_those_of_matplotlib(name):
    found = colours.ramp(name, 256).astype(int)
    wanted = np.rint(mpl.colormaps[name](np.arange(256))[:, :3] * 255)
    assert np.abs(found - wanted).max() <= 5  # 2 % of 255


def test_default_ramp_darkens_all_the_way():
    # Relative luminance (Rec. 709): what a reader without colours sees.
    shade = colours.ramp() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(shade) < 1).all()  # channels are whole numbers
    assert shade[0] - shade[-1] > 200


def test_unknown_ramp_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match=r"'jet'; choose one of .*viridis_r"):
        colours.ramp("jet")


def test_hot_pixel_and_gaps_do_not_move_the_limits():
    values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    values[0, 0], values[50, 50] = 1e9, np.nan
    low, high = colours.robust_limits(values)
    # The 0.5th and 99.5th percentile of 0..9999 are 50 and 9949; two cells are odd.
    assert low == pytest.approx(50, abs=2)
    assert high == pytest.approx(9950, abs=2)


def test_large_images_are_sampled(monkeypatch):
    values = np.random.default_rng(0).normal(size=(600, 700))
    exact = colours.robust_limits(values)
    monkeypatch.setattr(colours, "ENOUGH", 100_000)
    assert colours.robust_limits(values) == pytest.approx(exact, abs=0.1)
    lonely = np.full(1000, np.nan)
    lonely[7] = 3
    monkeypatch.setattr(colours, "ENOUGH", 10)
    assert colours.robust_limits(lonely) == (1.5, 4.5)


def test_constant_image_gets_a_scale_and_an_empty_one_is_refused():
    low, high = colours.robust_limits([5.0, 5.0, np.nan])
    assert low < 5 < high
    assert colours.robust_limits([0.0]) == (-0.5, 0.5)
    with pytest.raises(NoValidPixelsError, match="all 2 cells are gaps"):
        colours.robust_limits([np.nan, np.nan])


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (np.nan, 1), (0, np.inf), (1,), (1, 2, 3)])
def test_bad_limits_are_refused(limits):
    with pytest.raises(SettingsError, match="the lower one first"):
        colours.check_limits(limits)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_are_round_and_within(low, share, count):
    width = share * max(1, abs(low))
    high = low + width
    found = colours.ticks(low, high, count)
    assert len(found) <= count + 1
    slack = 1e-6 * width
    assert all(low - slack <= tick <= high + slack for tick in found)
    steps = np.diff(found)
    if steps.size:
        assert np.allclose(steps, steps[0], rtol=1e-6)
        assert round(float(f"{steps[0]:.3e}".split("e")[0])) in {1, 2, 5, 10}


@pytest.mark.parametrize(
    ("unit", "name", "column"),
    [
        ("mol m-2", "µmol m⁻²", 1e-4),
        ("mmol m-2", "µmol m⁻²", 0.1),
        ("umol m-2", "µmol m⁻²", 100),
        ("molecules cm-2", "10¹⁵ molecules cm⁻²", 6e15),
        ("Pmolec cm-2", "10¹⁵ molecules cm⁻²", 6),
    ],
)
def test_people_read_small_numbers(unit, name, column):
    by, shown = colours.shown_unit(unit)
    assert shown == name
    assert 1 < by * column < 1000
    assert by == pytest.approx(factor(unit, colours.ascii_unit(name)), rel=1e-9)
    assert by == float(f"{by:.1g}")


def test_a_value_is_followed_by_its_unit():
    assert colours.value_text(3, "µmol m⁻²") == "3 µmol m⁻²"
    assert colours.value_text(1 / 3, "", ".2g") == "0.33"
    times = "\N{MULTIPLICATION SIGN}"
    assert colours.value_text(6, "10¹⁵ molecules cm⁻²") == f"6 {times} 10¹⁵ molecules cm⁻²"


@pytest.mark.parametrize("unit", ["ug m-3", "DU", "kg m-2"])
def test_other_units_are_shown_as_they_are(unit):
    assert colours.shown_unit(unit) == (1, unit)
