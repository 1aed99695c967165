"""Fifth law: what is done to the input before may be done to the output after."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scenes import ANGELES, LAW, SCALES, images, make_image, places

from no2sr import downscale
from no2sr.core.grid import crop
from no2sr.networks.store import load_model


@LAW
@given(st.floats(-1e-3, 1e-3).map(np.float32), places, SCALES)
def test_a_constant_stays_constant(value, place, scale):
    fine = downscale(make_image(np.full((8, 9), value), place), scale=scale)
    np.testing.assert_allclose(fine.values, np.float32(value), rtol=1e-6)


@LAW
@given(images(), SCALES, st.floats(0.1, 1e5), st.floats(-5, 5))
def test_unit_and_offset_pass_through(image, scale, gain, shift):
    spread = float(np.nanstd(image.values))
    offset = gain * shift * spread
    moved = image.copy(data=(gain * image.values.astype(float) + offset).astype(np.float32))
    direct = gain * downscale(image, scale=scale).values.astype(float) + offset
    # float32 holds the largest value to 6e-8; local spreads are at least a hundredth of it here.
    tolerance = 2e-5 * max(np.nanmax(np.abs(moved.values)), 1e-30)
    np.testing.assert_allclose(downscale(moved, scale=scale).values, direct, atol=tolerance)


@LAW
@given(images(gaps=False, least=30, most=36), SCALES)
def test_a_shift_by_one_cell_shifts_the_result(image, scale):
    # The interior of both sees the same cells, in a projected grid with the same areas.
    flat = make_image(image.values, ANGELES)
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
@given(images(least=30, most=40), SCALES, st.data())
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
@given(images(gaps=False, least=30, most=36), SCALES, st.data())
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
