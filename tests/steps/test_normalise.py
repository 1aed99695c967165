"""Local normalisation: hand-derived windows, its inverse, and indifference to unit and offset."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from no2sr.steps.normalise import Normaliser, denormalise, local_statistics, normalise

FIELDS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.floats(-1, 1, width=32) | st.just(np.nan),
)


def _by_hand(values, window):
    """Compute mean and spread of every window with numpy's NaN-aware functions."""
    half = window // 2
    mean, spread = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    for y, x in np.ndindex(values.shape):
        part = values[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
        part = part[np.isfinite(part)].astype(np.float64)
        if part.size:
            mean[y, x], spread[y, x] = part.mean(), part.std()
    return mean, spread


@given(FIELDS, st.sampled_from([1, 3, 5, 9]))
def test_statistics_are_those_of_the_observed_window(values, window):
    mean, spread = _by_hand(values, window)
    found = local_statistics(values, window)
    np.testing.assert_allclose(found.mean, mean, atol=1e-6)
    # The difference of squares is good to sqrt(1e-16) of the values, 1e-8; float32 rounds to 1e-7.
    np.testing.assert_allclose(found.spread, spread, atol=1e-6)


@given(FIELDS)
def test_denormalise_undoes_normalise(values):
    by = local_statistics(values, 3)
    here = np.isfinite(values) & (by.spread > 1e-3)
    back = denormalise(normalise(values, by), by)
    np.testing.assert_allclose(back[here], values[here], atol=1e-6)


@given(st.floats(-1e3, 1e3, width=32), st.integers(2, 9))
def test_a_constant_image_has_no_spread_at_all(value, side):
    by = local_statistics(np.full((side, side), value, dtype=np.float32), 9)
    assert (by.spread == 0).all()
    np.testing.assert_allclose(by.mean, value, rtol=1e-6)


def test_a_spread_below_the_resolution_of_float32_is_none():
    # Real composites hold constant stretches that differ in the last bit only: 8.98701e-07 +-
    # 6e-14.
    values = np.full((9, 9), 8.9870099e-07, dtype=np.float32)
    values[4, 4] = np.nextafter(values[4, 4], np.float32(1))
    assert (local_statistics(values, 9).spread == 0).all()


def test_no_spread_normalises_to_zero():
    by = Normaliser(mean=np.zeros((1, 2), np.float32), spread=np.array([[0, 2]], np.float32))
    np.testing.assert_array_equal(normalise(np.array([[5, 5]], np.float32), by), [[0, 2.5]])


def test_unit_and_offset_do_not_matter():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 20)).astype(np.float32)
    plain = normalise(values, local_statistics(values, 9))
    moved = (6e4 * values + 1e5).astype(np.float32)
    # float32 keeps 1e5 to 4e-3, which is 7e-8 of the slope 6e4; the spread is about 1.
    np.testing.assert_allclose(
        normalise(moved, local_statistics(moved, 9)), plain, rtol=1e-5, atol=1e-5
    )
