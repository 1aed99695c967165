"""The classical methods are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.grid import cell_areas, coarsen, georeference
from no2sr.downscaling.baselines import BASELINES, Baseline, interpolate
from no2sr.downscaling.method import Block
from no2sr.steps.conserve import closure


@pytest.fixture
def coarse():
    values = np.random.default_rng(3).gamma(2, 1e-5, (12, 10)).astype(np.float32)
    values[3:5, 4:6] = np.nan
    image = xr.DataArray(values, dims=("y", "x"), attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.5, 0, 10, 0, -0.5, 60), "EPSG:4326")


@pytest.mark.parametrize("method", BASELINES)
def test_gaps_stay_and_only_they(coarse, method):
    fine = interpolate(coarse, 3, method=method)
    expected = np.isnan(coarse.values).repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(np.isnan(fine.values), expected)


@pytest.mark.parametrize(
    "method", ["bicubic + correction", "lanczos + correction", "pycnophylactic"]
)
def test_corrected_methods_conserve(coarse, method):
    fine = interpolate(coarse, 3, method=method)
    residual = closure(fine.values, coarse.values, cell_areas(fine))
    assert np.nanmax(np.abs(residual)) < 1e-6 * np.nanstd(coarse.values)


@pytest.mark.parametrize("method", BASELINES)
def test_a_constant_stays_constant(coarse, method):
    flat = coarse.copy(data=np.full(coarse.shape, 2.5, dtype=np.float32))
    np.testing.assert_allclose(interpolate(flat, 4, method=method), 2.5, rtol=1e-6)


def test_pycnophylactic_is_the_smoothest_that_conserves(coarse):
    whole = coarse.fillna(1e-5)

    def roughness(method):
        values = interpolate(whole, 4, method=method).values.astype(np.float64)
        return (np.diff(values, axis=0) ** 2).sum() + (np.diff(values, axis=1) ** 2).sum()

    assert roughness("pycnophylactic") < roughness("bicubic + correction")
    assert roughness("pycnophylactic") < roughness("nearest")


def test_back_projection_conserves_nearly_and_adds_no_steps(coarse):
    whole = coarse.fillna(1e-5)
    fine = interpolate(whole, 4, method="iterated back-projection")
    residual = closure(fine.values, whole.values, cell_areas(fine))
    # 20 rounds leave 0.6^21 = 2e-5 of a checkerboard, the slowest, and less of anything else.
    assert np.abs(residual).max() < 2e-4 * whole.values.std()
    corrected = interpolate(whole, 4, method="bicubic + correction")

    def steps(image):
        return np.abs(np.diff(image.values, axis=1))[:, 3::4].mean()

    assert steps(fine) < steps(corrected)


def test_back_projection_finds_a_smooth_wave():
    # Block means of a cosine are lower than the cosine: sin(u) / u with u = pi / 8 for 8 blocks a
    # period, 0.975. Interpolation keeps that; back-projection undoes it.
    x = np.arange(64 * 4) + 0.5
    wave = np.tile(np.cos(2 * np.pi * x / 32), (32, 1)).astype(np.float32)
    image = xr.DataArray(wave, dims=("y", "x"), attrs={"units": "mol m-2"})
    truth = georeference(image, Affine(1, 0, 0, 0, -1, 32), "EPSG:32611")
    coarse = coarsen(truth, 4)
    inner = np.s_[8:24, 32:-32]

    def error(method):
        return np.abs(interpolate(coarse, 4, method=method).values - wave)[inner].max()

    assert error("iterated back-projection") < 0.3 * error("bicubic")


def test_arrays_and_images_give_the_same(coarse):
    block = Block(values=coarse.values, areas=cell_areas(coarse, refined=3))
    plain = Baseline(name="lanczos + correction", scale=3)(block).values
    image = interpolate(coarse, 3, method="lanczos + correction")
    np.testing.assert_array_equal(plain, image.values)
