"""First law: the area-weighted mean of every block is the cell that was observed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import INDIA, KINDS, LAW, NETWORKS, SCALES, images, make_image, spread_of

from no2sr import downscale
from no2sr.core.grid import cell_areas
from no2sr.steps.conserve import block_mean, closure, conserve


@LAW
@given(images(), SCALES, KINDS, NETWORKS)
def test_block_means_are_what_was_observed(image, scale, kind, network):
    fine = downscale(image, scale=scale, model=network, conserve=kind)
    residual = np.abs(closure(fine.values, image.values, cell_areas(image, refined=scale)))
    spread = spread_of(image)
    if spread > 0:
        assert np.nanmax(residual) <= 1e-6 * spread
        assert fine.attrs["no2sr_closure_max"] == pytest.approx(
            np.nanmax(residual) / spread, rel=1e-3, abs=1e-9
        )


@LAW
@given(images(times=True), SCALES)
def test_every_time_is_conserved_by_itself(image, scale):
    fine = downscale(image, scale=scale)
    areas = cell_areas(image, refined=scale)
    for layer, refined in zip(image.values, fine.values, strict=True):
        residual = np.abs(closure(refined, layer, areas))[np.isfinite(layer)]
        assert residual.max(initial=0) <= 1e-6 * spread_of(image)


@LAW
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    KINDS,
    st.sampled_from([1e-12, 1, 1e12, 1e25]),
    st.floats(-1e4, 1e4),
)
def test_any_estimate_is_made_to_agree(seed, scale, kind, size, offset):
    # Wilder than any network: estimates that have nothing to do with the cells, and any offset.
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 9, 2))
    coarse = (size * (rng.normal(0, 1, shape) + offset)).astype(np.float32)
    coarse[rng.random(shape) < 0.3] = np.nan
    fine = (size * rng.normal(0, 3, [n * scale for n in shape])).astype(np.float32)
    areas = rng.uniform(0.1, 1, shape[0] * scale)
    before = fine.copy(), coarse.copy()
    result = conserve(fine, coarse, areas, kind=kind)
    np.testing.assert_array_equal(fine, before[0])
    np.testing.assert_array_equal(coarse, before[1])
    assert result.dtype == np.float32
    # One cell takes what rounding left: half a last digit of the largest value there can be.
    reach = np.abs(result.astype(float)).max()
    miss = np.abs(block_mean(result, scale, areas) - coarse)[np.isfinite(coarse)]
    assert miss.max(initial=0) <= 2**-23 * reach


@LAW
@given(images(), SCALES, KINDS)
def test_conserving_again_changes_nothing(image, scale, kind):
    once = downscale(image, scale=scale, conserve=kind).values
    areas = cell_areas(image, refined=scale)
    whole = np.where(np.isnan(once), 0, once)
    twice = conserve(whole, image.values, areas, kind=kind)
    # Rounding is amplified by a factor where the values of a block nearly cancel in its mean.
    blocks = np.abs(whole).reshape(image.shape[0], scale, -1, scale).max(axis=(1, 3))
    cancelled = blocks / np.where(image.values > 0, image.values, np.inf)
    amplified = np.maximum(1, cancelled) if kind == "multiplicative" else 1
    room = (2**-21 * blocks * amplified).repeat(scale, axis=0).repeat(scale, axis=1)
    assert (np.abs(twice - whole) <= room).all()


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_a_factor_keeps_the_sign_and_the_contrast(seed, scale):
    rng = np.random.default_rng(seed)
    coarse = rng.gamma(2, 3e-5, (5, 4)).astype(np.float32)
    fine = rng.gamma(2, 3e-5, (5 * scale, 4 * scale)).astype(np.float32)
    result = conserve(fine, coarse, np.ones(5 * scale), kind="multiplicative")
    assert (result > 0).all()
    gain = (result / fine).reshape(5, scale, 4, scale)
    np.testing.assert_allclose(gain, np.broadcast_to(gain[:, :1, :, :1], gain.shape), rtol=1e-5)


def test_a_row_beyond_the_pole_takes_nothing():
    # Centres on the pole: the upper half of the first row has no area.
    place = INDIA._replace(north=90.125, dy=0.25, dx=0.25)
    rng = np.random.default_rng(3)
    fine = downscale(make_image(rng.gamma(1, 3e-5, (8, 8)), place), scale=4)
    assert np.isfinite(fine.values).all()
    assert fine.attrs["no2sr_closure_max"] <= 1e-6
