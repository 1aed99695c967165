"""The classical methods are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.baselines import BASELINES, interpolate
from no2sr.conserve import closure
from no2sr.grid import cell_areas, georeference


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


@pytest.mark.parametrize("method", ["bicubic + correction", "pycnophylactic"])
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
