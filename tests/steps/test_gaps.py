"""Gaps are filled for the network only, and come back exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from no2sr.steps.gaps import fill_gaps, restore_gaps

FIELDS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.floats(-1, 1, width=32) | st.just(np.nan),
)


@given(FIELDS, st.integers(1, 6))
def test_restoring_undoes_filling(values, radius):
    filled = fill_gaps(values, radius)
    np.testing.assert_array_equal(restore_gaps(filled, np.isfinite(values)), values)
    assert np.isfinite(filled).all()


@given(FIELDS, st.integers(1, 6))
def test_a_filled_cell_lies_between_its_neighbours(values, radius):
    if not np.isfinite(values).any():
        return
    filled = fill_gaps(values, radius)
    reached = filled[np.isnan(values) & (filled != 0)]
    assert (reached >= np.nanmin(values) - 1e-6).all()
    assert (reached <= np.nanmax(values) + 1e-6).all()


def test_weights_are_gaussian_in_the_distance():
    # One row: cells 0 and 3 observed (1 and 4), gaps at 1 and 2. For cell 1 the distances are 1
    # and 2, the weights exp(-1/2) and exp(-4/2), so the mean is (1 e^-.5 + 4 e^-2) / (e^-.5 +
    # e^-2).
    row = np.array([[1, np.nan, np.nan, 4]])
    near, far = np.exp(-0.5), np.exp(-2)
    expected = [1, (near + 4 * far) / (near + far), (4 * near + far) / (near + far), 4]
    np.testing.assert_allclose(fill_gaps(row, 3)[0], expected, rtol=1e-12)


def test_nothing_beyond_the_radius_is_used():
    row = np.array([[1.0, np.nan, np.nan, np.nan, 9.0]])
    filled = fill_gaps(row, 1)[0]
    np.testing.assert_array_equal(filled, [1, 1, 0, 9, 9])


def test_restored_gaps_cover_whole_blocks():
    valid = np.array([[True, False]])
    fine = restore_gaps(np.ones((3, 6), dtype=np.float32), valid, scale=3)
    assert np.isfinite(fine[:, :3]).all()
    assert np.isnan(fine[:, 3:]).all()
    assert fine.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_input_is_left_alone(dtype):
    values = np.array([[1, np.nan], [3, 4]], dtype=dtype)
    before = values.copy()
    assert fill_gaps(values, 2).dtype == dtype
    np.testing.assert_array_equal(values, before)
