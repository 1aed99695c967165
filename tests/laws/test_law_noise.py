"""Noise: without it nothing changes, with it block means stay within its bounds, everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from scenes import FEW, LAW, SCALES

from no2sr import downscale
from no2sr.core.grid import georeference
from no2sr.core.layers import RANDOM, SYSTEMATIC, TOTAL, assemble_scene, layer_name

NAME = "no2"
UNCERTAINTY = layer_name(NAME, TOTAL)


def make_scene(seed, *, shape=(44, 50), noise=0.4, systematic=None, gaps=0.1):
    """Return a smooth field of spread 1 around 3 with noise, seen with that noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / 9
    values = 3 + np.sin(x + rng.uniform(0, 6)) * np.cos(y + rng.uniform(0, 6))
    values = values + noise * rng.normal(size=shape)
    values[rng.random(shape) < gaps] = np.nan
    attrs = {"units": "mol m-2", "long_name": "tropospheric NO2 column"}
    image = xr.DataArray(values.astype("float32"), dims=("y", "x"), name=NAME, attrs=attrs)
    image = georeference(image, Affine(0.05, 0, 76, 0, -0.05, 30), "EPSG:4326")
    layers = {RANDOM: image.copy(data=np.full(shape, noise, "float32"))}
    if systematic is not None:
        layers[SYSTEMATIC] = image.copy(data=np.full(shape, systematic, "float32"))
    return assemble_scene(image, {k: v.drop_attrs(deep=False) for k, v in layers.items()})


def block_means(fine, scale):
    # Between 27 and 30 degrees north the rows of a block differ in area by 1e-4.
    ny, nx = (size // scale for size in fine.shape)
    return fine.values.reshape(ny, scale, nx, scale).astype(np.float64).mean(axis=(1, 3))


@LAW
@given(seed=st.integers(0, 999), scale=SCALES)
def test_no_noise_no_change(seed, scale):
    scene = make_scene(seed)
    silent = scene.assign({layer_name(NAME, RANDOM): 0 * scene[layer_name(NAME, RANDOM)]})
    silent[layer_name(NAME, RANDOM)].attrs["units"] = "mol m-2"
    without = downscale(scene, scale=scale, noise=None)
    with_zero = downscale(silent, scale=scale)
    np.testing.assert_array_equal(with_zero[NAME].values, without[NAME].values)
    alone = downscale(scene[NAME], scale=scale)
    np.testing.assert_array_equal(alone.values, without[NAME].values)


@FEW
@given(seed=st.integers(0, 999), scale=SCALES, noise=st.floats(0.02, 3))
def test_block_means_stay_within_the_noise(seed, scale, noise):
    scene = make_scene(seed, noise=noise)
    fine = downscale(scene, scale=scale)[NAME]
    departure = (block_means(fine, scale) - scene[NAME].values) / noise
    known = departure[np.isfinite(departure)]
    assert np.abs(known).max() <= 3 + 1e-2
    assert np.sqrt((known**2).mean()) <= 1
    assert fine.attrs["no2sr_departure_max"] == pytest.approx(np.abs(known).max(), abs=0.01)
    assert fine.attrs["no2sr_departure_rms"] == pytest.approx(np.sqrt((known**2).mean()), abs=0.01)
    assert fine.attrs["no2sr_conserve"] == "noise"


@FEW
@given(seed=st.integers(0, 999), factor=st.floats(1.01, 20))
def test_more_noise_never_makes_the_uncertainty_smaller(seed, factor):
    scene = make_scene(seed)
    less = downscale(scene, scale=4)[UNCERTAINTY]
    more = downscale(scene, scale=4, noise=0.4 * factor)[UNCERTAINTY]
    none = downscale(scene, scale=4, noise=0.0)[UNCERTAINTY]
    assert float((more - less).min()) >= -1e-6
    assert float((less - none).min()) >= -1e-6


@FEW
@given(seed=st.integers(0, 999), a=st.floats(1e-6, 1e3), b=st.floats(-5, 5))
def test_scaling_the_scene_and_its_noise_scales_the_result(seed, a, b):
    scene = make_scene(seed, systematic=0.2)
    scaled = scene.map(lambda layer: (a * layer).assign_attrs(layer.attrs))
    scaled[NAME] = (scaled[NAME] + a * b).astype("float32").assign_attrs(scene[NAME].attrs)
    fine, other = downscale(scene, scale=2), downscale(scaled, scale=2)
    np.testing.assert_allclose(
        other[NAME].values / a, fine[NAME].values + b, atol=2e-3, rtol=0, equal_nan=True
    )
    np.testing.assert_allclose(
        other[UNCERTAINTY].values / a, fine[UNCERTAINTY].values, rtol=1e-2, equal_nan=True
    )


def test_random_is_not_systematic():
    scene = make_scene(1, noise=0.5, systematic=0.05)
    swapped = make_scene(1, noise=0.5)
    names = [layer_name(NAME, layer) for layer in (RANDOM, SYSTEMATIC)]
    swapped = scene.assign(
        {
            names[0]: scene[names[1]].assign_attrs(scene[names[0]].attrs),
            names[1]: scene[names[0]].assign_attrs(scene[names[1]].attrs),
        }
    )
    fine, other = downscale(scene, scale=4), downscale(swapped, scale=4)
    assert float(np.abs(fine[NAME] - other[NAME]).max()) > 0.1
    # What pixels share is not averaged away.
    assert float(other[UNCERTAINTY].min()) >= 0.5 * 0.99


@FEW
@given(seed=st.integers(0, 999), chunk=st.integers(7, 40))
def test_dask_equals_numpy_for_every_layer(seed, chunk):
    scene = make_scene(seed, systematic=0.1)
    whole = downscale(scene, scale=4, model="espcn")
    lazy = downscale(scene.chunk(y=chunk, x=chunk), scale=4, model="espcn")
    assert set(lazy.data_vars) == set(whole.data_vars)
    for name in (NAME, UNCERTAINTY):
        assert lazy[name].chunks is not None
        np.testing.assert_array_equal(lazy[name].values, whole[name].values)


def test_gaps_are_gaps_in_every_layer_and_reach_no_farther_than_stated():
    scene = make_scene(3, shape=(90, 90), gaps=0)
    holed = scene.copy(deep=True)
    holed[NAME][45, 45] = np.nan
    fine, other = (downscale(each, scale=2, model="espcn") for each in (scene, holed))
    for name in (NAME, UNCERTAINTY):
        lost = np.isnan(other[name].values)
        assert lost.sum() == 4
        assert lost[90:92, 90:92].all()
        changed = np.argwhere((fine[name].values != other[name].values) & ~lost)
        assert np.abs(changed - 90.5).max() <= 2 * (20 + 8 + 1)


def test_a_cell_whose_noise_is_unknown_takes_that_of_its_neighbours():
    scene = make_scene(4, gaps=0)
    unknown = scene.copy(deep=True)
    unknown[layer_name(NAME, RANDOM)][20, 20] = np.nan
    fine, other = downscale(scene, scale=4), downscale(unknown, scale=4)
    assert np.isfinite(other[NAME].values).all()
    np.testing.assert_allclose(other[NAME].values, fine[NAME].values, atol=1e-5)
