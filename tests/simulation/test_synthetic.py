"""Simulated images: sizes, seeds, exact cell means, noise."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr.core.errors import SettingsError
from no2sr.core.grid import bounds_of, coarsen
from no2sr.core.image import check_image
from no2sr.simulation.scenes import add_noise, northern_india, random_landscape, scene, truth

DELHI = (76.0, 27.5, 78.5, 29.5)


@pytest.fixture(scope="module")
def delhi() -> xr.DataArray:
    return truth(DELHI, 0.05, landscape=northern_india())


def test_the_truth_is_an_image_that_says_it_is_simulated(delhi):
    assert check_image(delhi) is delhi
    assert delhi.sizes == {"y": 40, "x": 50}
    assert bounds_of(delhi) == pytest.approx(DELHI)
    assert delhi.attrs["units"] == "mol m-2"
    assert "SIMULATED" in delhi.attrs["source"]
    assert delhi.attrs["history"].startswith("no2sr: truth")


def test_columns_have_the_size_of_real_ones(delhi):
    # FORMATS of the field: 1e-5..4e-5 mol m-2 over the countryside, up to 3e-4 over cities.
    assert 5e-6 < delhi.min() < 3e-5
    assert 1.5e-4 < delhi.max() < 4e-4
    wide = northern_india()(np.linspace(70, 90, 100), np.linspace(20, 33, 80)[:, None])
    assert 1e-5 < np.median(wide) < 4e-5


def test_the_highest_column_lies_over_delhi_and_its_plume_downwind(delhi):
    top = delhi.where(delhi == delhi.max(), drop=True)
    assert float(top.x[0]) == pytest.approx(77.4, abs=0.3)
    assert float(top.y[0]) == pytest.approx(28.6, abs=0.2)
    # The wind blows towards the south-east: half a degree there is more than half a degree
    # towards the north-west.
    downwind, upwind = (
        float(delhi.sel(x=77.4 + d, y=28.6 - d / 2, method="nearest")) for d in (0.6, -0.6)
    )
    assert downwind > 1.3 * upwind


def test_cell_means_are_the_means_of_cells_16_times_finer():
    # Around the narrowest and strongest source: a power plant of 3.5 km.
    bounds = (82.6, 23.9, 83.0, 24.3)
    coarse = truth(bounds, 0.05, landscape=northern_india())
    fine = truth(bounds, 0.05 / 16, landscape=northern_india())
    assert fine.shape == (128, 128)
    difference = np.abs(coarsen(fine, 16) - coarse).max()
    assert difference < 2e-5 * coarse.max()
    # One sample in the middle of a cell would not do: it misses the mean by a good deal.
    middle = northern_india()(coarse.x.values, coarse.y.values[:, None])
    assert np.abs(middle - coarse.values).max() > 1e-3 * coarse.max()


def test_cell_means_are_weighted_by_area():
    # Two degrees at 60 N: the southern edge of a cell is 6 % longer than the northern one. Without
    # weights the means below would differ by some 1e-3.
    waves = np.array([[0.5, 0.0, 0.01, 0.3]])
    smooth = dataclasses.replace(northern_india(), waves=waves, sources=np.zeros((0, 4)))
    bounds = (10.0, 60.0, 14.0, 64.0)
    coarse, fine = (truth(bounds, step, landscape=smooth) for step in (2.0, 0.125))
    assert np.abs(coarsen(fine, 16) / coarse - 1).max() < 1e-6


def test_a_random_truth_is_that_of_its_seed():
    bounds = (10.0, 50.0, 12.0, 51.0)
    first, again, other = (truth(bounds, 0.1, seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    assert np.abs(first.values - other.values).max() > 1e-6
    drawn = truth(bounds, 0.1, landscape=random_landscape(bounds, seed=1))
    np.testing.assert_array_equal(first.values, drawn.values)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(2, 24), st.integers(2, 24)),
    spacing=st.sampled_from([0.0125, 0.05, 0.07, 0.25]),
    scale=st.integers(1, 4),
)
def test_any_scene_is_an_image_of_positive_columns(seed, shape, spacing, scale):
    image = scene(shape, spacing=spacing, scale=scale, seed=seed)
    assert check_image(image) is image
    assert image.shape == (shape[0] * scale, shape[1] * scale)
    west, south, east, north = bounds_of(image)
    assert (east - west, north - south) == pytest.approx((shape[1] * spacing, shape[0] * spacing))
    assert np.isfinite(image.values).all()
    assert image.min() > 1e-7
    assert image.max() < 1e-2


def test_scenes_differ_as_seasons_and_places_do():
    scenes = [scene((64, 64), seed=seed) for seed in range(60)]
    peaks = np.array([float(image.max()) for image in scenes])
    means = np.array([float(image.mean()) for image in scenes])
    assert 1e-5 < np.median(means) < 5e-5
    assert peaks.min() < 8e-5
    assert 1e-4 < np.median(peaks) < 4e-4
    assert means.max() > 3 * means.min()
    assert len(set(peaks.tolist())) == 60


def test_a_scene_never_shares_its_memory_with_the_next():
    first = scene((16, 16), seed=1)
    kept = first.values.copy()
    first.values[:] = 0
    first.attrs["source"] = "changed"
    again = scene((16, 16), seed=1)
    np.testing.assert_array_equal(again.values, kept)
    assert "SIMULATED" in again.attrs["source"]


def test_the_quick_cell_means_of_a_scene_are_near_the_exact_ones():
    for seed in range(6):
        image = scene((32, 32), seed=seed)
        bounds = bounds_of(image)
        x, y = image.x.values, image.y.values
        exact = truth(
            bounds, 0.05, landscape=random_landscape((x[0], y[-1], x[-1], y[0]), seed=seed)
        )
        assert exact.shape == image.shape
        assert np.abs(image.values - exact.values).max() < 0.06 * float(exact.max())
        assert float(image.mean()) == pytest.approx(float(exact.mean()), rel=2e-3)


def test_noise_has_the_spread_it_is_given(delhi):
    sigma = 2e-6 + 0.05 * delhi.values
    noisy = add_noise(delhi, sigma, 3)
    z = (noisy.values.astype(float) - delhi.values) / sigma
    # The sum of z^2 is chi-square of n degrees: mean n, variance 2 n; 5 standard deviations.
    n = z.size
    assert abs((z**2).sum() - n) < 5 * math.sqrt(2 * n)
    assert abs(z.sum()) < 5 * math.sqrt(n)
    assert noisy.dtype == np.float32
    assert noisy.attrs["history"].startswith("no2sr: add_noise seed=3")


def test_noise_is_that_of_its_seed_and_leaves_the_input_alone(delhi):
    before = delhi.values.copy()
    first, again, other = (add_noise(delhi, 1e-5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.values, again.values)
    assert not np.array_equal(first.values, other.values)
    np.testing.assert_array_equal(delhi.values, before)
    np.testing.assert_array_equal(add_noise(delhi, 0.0, 1).values, before)
    assert float(first.min()) < 0, "negative columns are noise and stay"


@pytest.mark.parametrize("sigma", [-1e-6, math.nan, [[1e-6, -1e-6]]])
def test_a_spread_that_is_none_is_refused(sigma):
    with pytest.raises(SettingsError, match="give a standard deviation for every cell"):
        add_noise(scene((1, 2)), sigma, 0)


def test_a_scale_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="whole number"):
        scene((4, 4), scale=0)
