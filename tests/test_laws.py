"""The laws that every downscaled image obeys, whatever the scene, the gaps and the grid."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr import downscale
from no2sr.conserve import closure
from no2sr.grid import bounds_of, cell_areas, crop, georeference
from no2sr.networks import load_model

GEOGRAPHIC = (Affine(0.05, 0, 76, 0, -0.05, 62), "EPSG:4326")
PROJECTED = (Affine(4000, 0, 5e5, 0, -7000, 5e6), "EPSG:32611")  # cells that are not square
LAW = settings(max_examples=15, deadline=None)


def make_image(values, place=GEOGRAPHIC):
    image = xr.DataArray(
        np.asarray(values, dtype=np.float32),
        dims=("y", "x"),
        name="no2",
        attrs={"units": "mol m-2", "long_name": "tropospheric column"},
    )
    return georeference(image, *place)


@st.composite
def images(draw, *, gaps=True, least=4, most=24):
    """Draw columns as they come: plumes on a background, noise that makes negatives, clouds."""
    shape = (draw(st.integers(least, most)), draw(st.integers(least, most)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.gamma(1, 3e-5, shape) + rng.normal(0, 1e-5, shape)
    if gaps:
        values[rng.random(shape) < draw(st.floats(0, 0.7))] = np.nan
        values[rng.integers(shape[0]), rng.integers(shape[1])] = -1e-5
    return make_image(values, draw(st.sampled_from([GEOGRAPHIC, PROJECTED])))


scales = st.sampled_from([2, 3, 4])


@LAW
@given(images(), scales, st.sampled_from(["additive", "multiplicative"]))
def test_conservation(image, scale, kind):
    fine = downscale(image, scale=scale, conserve=kind)
    residual = closure(fine.values, image.values, cell_areas(fine))
    spread = np.nanstd(image.values)
    if spread > 0:
        assert np.nanmax(np.abs(residual)) <= 1e-6 * spread
        assert fine.attrs["no2sr_closure_max"] == pytest.approx(
            np.nanmax(np.abs(residual)) / spread, rel=1e-3, abs=1e-9
        )


@LAW
@given(images(), scales)
def test_georeference_is_kept_with_pad(image, scale):
    fine = downscale(image, scale=scale)
    assert bounds_of(fine) == pytest.approx(bounds_of(image), rel=1e-12)
    assert fine.rio.crs == image.rio.crs
    assert fine.rio.transform() == pytest.approx(fine.rio.transform(recalc=True), rel=1e-9)


@LAW
@given(images(least=26, most=32), scales)
def test_georeference_moves_with_shave(image, scale):
    cells = load_model("srcnn", scale=scale).card.halo
    fine = downscale(image, scale=scale, edges="shave")
    inner = slice(cells, -cells)
    assert bounds_of(fine) == pytest.approx(bounds_of(crop(image, inner, inner)), rel=1e-12)
    padded = downscale(image, scale=scale)
    inner = slice(cells * scale, -cells * scale)
    np.testing.assert_array_equal(fine.values, padded.values[inner, inner])


@LAW
@given(images(), scales)
def test_gaps_are_gaps_exactly_there(image, scale):
    expected = np.isnan(image.values).repeat(scale, axis=0).repeat(scale, axis=1)
    np.testing.assert_array_equal(np.isnan(downscale(image, scale=scale).values), expected)


@LAW
@given(images(gaps=False, least=30, most=40), scales, st.data())
def test_a_gap_is_not_felt_beyond_the_halo(image, scale, data):
    halo = load_model("srcnn", scale=scale).card.halo
    row = data.draw(st.integers(0, image.sizes["y"] - 1))
    column = data.draw(st.integers(0, image.sizes["x"] - 1))
    gappy = image.copy(deep=True)
    gappy.values[row, column] = np.nan
    before, after = (downscale(each, scale=scale).values for each in (image, gappy))
    distance = np.maximum(
        np.abs(np.arange(image.sizes["y"]) - row)[:, None],
        np.abs(np.arange(image.sizes["x"]) - column),
    )
    far = (distance > halo).repeat(scale, axis=0).repeat(scale, axis=1)
    np.testing.assert_array_equal(after[far], before[far])


@LAW
@given(st.floats(-1e-3, 1e-3).map(np.float32), scales)
def test_a_constant_stays_constant(value, scale):
    fine = downscale(make_image(np.full((8, 9), value)), scale=scale)
    np.testing.assert_allclose(fine.values, np.float32(value), rtol=1e-6)


@LAW
@given(images(), scales, st.floats(0.1, 1e5), st.floats(-5, 5))
def test_unit_and_offset_pass_through(image, scale, gain, shift):
    spread = float(np.nanstd(image.values))
    offset = gain * shift * spread
    moved = image.copy(data=(gain * image.values.astype(float) + offset).astype(np.float32))
    direct = gain * downscale(image, scale=scale).values.astype(float) + offset
    # float32 holds the largest value to 6e-8; local spreads are at least a hundredth of it here.
    tolerance = 2e-5 * max(np.nanmax(np.abs(moved.values)), 1e-30)
    np.testing.assert_allclose(downscale(moved, scale=scale).values, direct, atol=tolerance)


@LAW
@given(images(gaps=False, least=30, most=36), scales)
def test_a_shift_by_one_cell_shifts_the_result(image, scale):
    # The interior of both sees the same cells, in a projected grid with the same areas.
    flat = make_image(image.values, PROJECTED)
    halo = load_model("srcnn", scale=scale).card.halo
    first = downscale(crop(flat, slice(0, -1), slice(0, -1)), scale=scale, edges="shave")
    second = downscale(crop(flat, slice(1, None), slice(1, None)), scale=scale, edges="shave")
    assert min(image.shape) > 2 * halo + 2
    np.testing.assert_allclose(
        first.values[scale:, scale:],
        second.values[:-scale, :-scale],
        atol=2e-6 * float(np.abs(flat.values).max()),
    )


@LAW
@given(images(least=30, most=40), scales, st.data())
def test_cropping_before_or_after_gives_the_same_interior(image, scale, data):
    halo = load_model("srcnn", scale=scale).card.halo
    top = data.draw(st.integers(0, image.sizes["y"] - 2 * halo - 1))
    part = crop(image, slice(top, None), slice(None))
    if not np.isfinite(part.values).any():
        return
    early = downscale(part, scale=scale, edges="shave")
    late = downscale(image, scale=scale).values[
        (top + halo) * scale : -halo * scale, halo * scale : -halo * scale
    ]
    np.testing.assert_allclose(
        early.values, late, atol=2e-6 * float(np.nanmax(np.abs(image.values)))
    )


@LAW
@given(images(), scales)
def test_the_input_is_left_alone_and_the_result_repeats(image, scale):
    before = image.copy(deep=True)
    first, second = (downscale(image, scale=scale) for _ in range(2))
    xr.testing.assert_identical(image, before)
    assert first.values.tobytes() == second.values.tobytes()
    xr.testing.assert_identical(first, second)


@LAW
@given(images(gaps=False, least=30, most=36), scales, st.data())
def test_the_result_stays_within_reach_of_the_input(image, scale, data):
    # Stretches that are constant but for the last bit of float32, beside gaps, as in real
    # composites: dividing by their spread must not blow anything up.
    row = data.draw(st.integers(8, 20))
    values = image.values.copy()
    values[:row] = np.nan
    values[row : row + 2] = np.float32(8.987e-7)
    values[row, ::3] = np.nextafter(np.float32(8.987e-7), np.float32(1))
    values[row + 2 : row + 7, 4:] = np.nan
    fine = downscale(make_image(values), scale=scale).values
    low, high = np.nanmin(values), np.nanmax(values)
    assert np.nanmin(fine) > low - (high - low)
    assert np.nanmax(fine) < high + (high - low)
