"""Where noise comes from, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

import no2sr
from no2sr.core.errors import NoiseError, SettingsError
from no2sr.core.grid import georeference, refine
from no2sr.core.layers import RANDOM, TOTAL, assemble_scene
from no2sr.downscaling.noise import choose_noise, estimate_noise


@pytest.fixture
def image():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:60, :70] / 20
    values = 5e-5 + 2e-5 * np.sin(x) * np.cos(y) + 4e-6 * rng.normal(size=x.shape)
    image = xr.DataArray(values.astype("float32"), dims=("y", "x"), name="no2")
    image = image.assign_attrs(units="mol m-2", long_name="tropospheric NO2 column")
    return georeference(image, Affine(0.05, 0, 76, 0, -0.05, 30), "EPSG:4326")


def test_white_noise_on_a_smooth_field_is_found_again(image):
    assert estimate_noise(image) == pytest.approx(4e-6, rel=0.1)


def test_the_layer_is_taken_by_default_and_nothing_is_guessed(image):
    layer = (0 * image + 3e-6).rename("no2_uncertainty_random")
    assert choose_noise("auto", image, {RANDOM: layer}) is layer
    assert choose_noise("auto", image, {TOTAL: layer}) is None
    assert choose_noise(None, image, {RANDOM: layer}) is None


def test_a_number_and_a_layer_give_the_same(image):
    layer = xr.full_like(image, 3e-6)
    fine = no2sr.downscale(image, scale=2, noise=3e-6)
    np.testing.assert_array_equal(no2sr.downscale(image, scale=2, noise=layer), fine)
    in_umol = (layer * 1e6).assign_attrs(units="umol m-2")
    np.testing.assert_allclose(
        no2sr.downscale(image, scale=2, noise=in_umol).values, fine.values, rtol=1e-5
    )


@pytest.mark.parametrize("noise", [-1, np.nan, np.inf, True, "much", [1, 2]])
def test_other_noises_are_refused(image, noise):
    with pytest.raises(SettingsError, match="noise is"):
        no2sr.downscale(image, noise=noise)


def test_the_noise_of_an_oversampled_grid_is_not_estimated(image):
    with pytest.raises(SettingsError, match="coarsen_to_native"):
        no2sr.downscale(refine(image, 4), noise="estimate")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda layer: layer[:-1],
            "on a grid of 59 x 70 cells and the column on another of 60 x 70",
        ),
        (lambda layer: -layer, "negative values"),
        (lambda layer: layer * np.float32(np.nan), "has no value"),
        (lambda layer: layer.assign_attrs(units="ug m-3"), "'ug m-3' and the column in 'mol m-2'"),
        (lambda layer: layer * 0 + 9999, "fill values"),
    ],
)
def test_a_layer_that_does_not_fit_is_one_line(image, change, words):
    layer = change((0 * image + 3e-6).assign_attrs(image.attrs))
    layer = layer.assign_attrs(units=layer.attrs.get("units", "mol m-2")).rename("noise")
    with pytest.raises(NoiseError, match=words) as refused:
        no2sr.downscale(image, noise=layer)
    assert "\n" not in str(refused.value)
    if layer.shape == image.shape:
        scene = assemble_scene(image, {RANDOM: layer})
        with pytest.raises(NoiseError, match=words):
            no2sr.downscale(scene)


def test_without_noise_the_uncertainty_is_of_the_detail_and_can_be_left_out(image):
    fine = no2sr.downscale(image.to_dataset(), scale=4)
    assert list(fine.data_vars)[:2] == ["no2", "no2_uncertainty"]
    assert fine["no2"].attrs["ancillary_variables"] == "no2_uncertainty"
    assert float(fine["no2_uncertainty"].min()) > 0
    left = no2sr.downscale(image.to_dataset(), scale=4, uncertainty=False)
    assert "no2_uncertainty" not in left
    np.testing.assert_array_equal(left["no2"], fine["no2"])
