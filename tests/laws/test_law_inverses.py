"""Sixth law: every distortion has its undo, and nothing that was given is ever modified."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scenes import LAW, SCALES, as_held, forms, images, values_of

from no2sr import downscale
from no2sr.core.door import enter, leave
from no2sr.core.grid import bounds_of, coarsen, modcrop, refine, shave
from no2sr.steps.gaps import fill_gaps, restore_gaps
from no2sr.steps.normalise import denormalise, local_statistics, normalise


@LAW
@given(images(), st.sampled_from([3, 5, 9]))
def test_denormalising_undoes_normalising(image, window):
    values = image.values
    by = local_statistics(values, window)
    back = denormalise(normalise(values, by), by)
    there = np.isfinite(values) & (by.spread > 0)
    size = np.nanmax(np.abs(values))
    np.testing.assert_allclose(back[there], values[there], atol=1e-6 * size)


@LAW
@given(images(), SCALES, st.integers(0, 6))
def test_restoring_gaps_undoes_filling(image, scale, radius):
    valid = np.isfinite(image.values)
    filled = fill_gaps(image.values, radius)
    np.testing.assert_array_equal(restore_gaps(filled, valid), image.values)
    fine = refine(image, scale).values
    np.testing.assert_array_equal(restore_gaps(np.nan_to_num(fine), valid, scale=scale), fine)


@LAW
@given(images(times=True), st.integers(1, 7))
def test_coarsening_undoes_refining(image, scale):
    back = coarsen(refine(image, scale), scale)
    np.testing.assert_allclose(back.values, image.values, rtol=2**-23)
    assert back.dims == image.dims
    assert bounds_of(back) == pytest.approx(bounds_of(image), rel=1e-12)
    for axis in ("y", "x"):
        np.testing.assert_allclose(back[axis].values, image[axis].values, rtol=1e-12, atol=1e-9)


@LAW
@given(images(least=12), st.integers(2, 5))
def test_cutting_moves_the_corner_by_whole_cells(image, cells):
    kept = modcrop(image, cells)
    ny, nx = (size - size % cells for size in image.shape)
    assert kept.shape == (ny, nx)
    inner = shave(image, cells)
    for part, rows, columns in (
        (kept, slice(ny), slice(nx)),
        (inner, slice(cells, -cells), slice(cells, -cells)),
    ):
        np.testing.assert_array_equal(part.values, image.values[rows, columns])
        np.testing.assert_allclose(part["y"].values, image["y"].values[rows], rtol=1e-12)
        np.testing.assert_allclose(part["x"].values, image["x"].values[columns], rtol=1e-12)


@LAW
@given(images(times=True), forms)
def test_leaving_undoes_entering(image, form):
    held = as_held(image, form)
    back = leave(enter(held), held)
    assert type(back) is type(held)
    before, after = values_of(held), values_of(back)
    np.testing.assert_array_equal(after.values, before.values)
    assert after.dims == before.dims
    for axis in set(before.dims) - {"time"}:
        np.testing.assert_allclose(after[axis].values, before[axis].values, rtol=1e-9)


@LAW
@given(images(), forms, SCALES, st.booleans())
def test_the_input_is_left_alone(image, form, scale, lazy):
    held = as_held(image, form)
    before = held.copy(deep=True)
    handed = held.chunk() if lazy else held
    downscale(handed, scale=scale)
    xr.testing.assert_identical(handed.compute(), before)
