"""History: only its pattern counts, and where it is missing nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from scenes import FEW, SCALES
from scipy.ndimage import gaussian_filter

import no2sr
from no2sr import downscale
from no2sr.core.grid import georeference
from no2sr.core.layers import RANDOM, TOTAL, assemble_scene, layer_name

NAME = "no2"
UNCERTAINTY = layer_name(NAME, TOTAL)
STEP, CELLS = 0.05, (34, 38)


def make_place(seed, scale, *, noise=0.3, gaps=0.05):
    """Return a noisy coarse scene, and a history of the same fine pattern."""
    rng = np.random.default_rng(seed)
    fine = gaussian_filter(rng.normal(size=[n * scale for n in CELLS]), 1.3)
    fine = 3 + fine / fine.std()
    coarse = fine.reshape(CELLS[0], scale, CELLS[1], scale).mean(axis=(1, 3))
    values = coarse + noise * rng.normal(size=CELLS)
    values[rng.random(CELLS) < gaps] = np.nan
    image = as_image(values, STEP)
    layers = {RANDOM: image.copy(data=np.full(CELLS, noise, "float32")).drop_attrs(deep=False)}
    other = fine + 0.3 * gaussian_filter(rng.normal(size=fine.shape), 2) * 5
    return assemble_scene(image, layers), as_image(other, STEP / scale).rename("history")


def as_image(values, step):
    attrs = {"units": "mol m-2", "long_name": "tropospheric NO2 column"}
    image = xr.DataArray(values.astype("float32"), dims=("y", "x"), name=NAME, attrs=attrs)
    return georeference(image, Affine(step, 0, 76, 0, -step, 5), "EPSG:4326")


def assert_close(a, b, tolerance=2e-5):
    np.testing.assert_allclose(a.values, b.values, atol=tolerance * float(np.nanstd(b.values)))


@FEW
@given(seed=st.integers(0, 999), scale=SCALES, gain=st.floats(1e-6, 1e6), level=st.floats(-9, 9))
def test_unit_gain_and_level_of_a_history_change_nothing(seed, scale, gain, level):
    scene, history = make_place(seed, scale)
    other = (history.astype("float64") + level) * gain
    other.attrs = history.attrs
    a = downscale(scene, scale=scale, history=history)
    b = downscale(scene, scale=scale, history=other.assign_attrs(units="K"))
    for layer in (NAME, UNCERTAINTY):
        assert_close(a[layer], b[layer], 1e-3)


@FEW
@given(seed=st.integers(0, 999), scale=SCALES, cut=st.integers(6, 30))
def test_where_a_history_is_missing_the_result_is_that_without(seed, scale, cut):
    scene, history = make_place(seed, scale)
    half = history.where(xr.DataArray(np.arange(history.sizes["x"]) < cut * scale, dims="x"))
    plain = downscale(scene, scale=scale)
    told = downscale(scene, scale=scale, history=half)
    away = slice(cut * scale, None)
    np.testing.assert_array_equal(told[NAME].values[:, away], plain[NAME].values[:, away])
    assert np.nanmax(np.abs(told[NAME].values - plain[NAME].values)[:, : cut * scale]) > 0


@FEW
@given(seed=st.integers(0, 999), scale=SCALES)
def test_a_constant_history_is_none(seed, scale):
    scene, history = make_place(seed, scale)
    plain = downscale(scene, scale=scale)
    with pytest.warns(no2sr.No2srWarning, match="constant"):
        told = downscale(scene, scale=scale, history=history * 0 + 4.2)
    for layer in (NAME, UNCERTAINTY):
        np.testing.assert_array_equal(told[layer].values, plain[layer].values)


@FEW
@given(seed=st.integers(0, 999), scale=SCALES, conserve=st.sampled_from(["noise", "additive"]))
def test_block_means_are_conserved_with_a_history(seed, scale, conserve):
    scene, history = make_place(seed, scale, noise=0.4)
    fine = downscale(scene, scale=scale, history=history, conserve=conserve)[NAME]
    assert fine.attrs["no2sr_closure_max"] < 1e-6
    blocks = fine.values.reshape(CELLS[0], scale, CELLS[1], scale).astype("float64")
    departure = blocks.mean(axis=(1, 3)) - scene[NAME].values
    assert np.nanmax(np.abs(departure)) <= (3 * 0.4 + 1e-2 if conserve == "noise" else 1e-3)


@FEW
@given(seed=st.integers(0, 999), scale=SCALES, chunk=st.integers(9, 40))
def test_dask_and_a_cut_scene_give_the_same(seed, scale, chunk):
    scene, history = make_place(seed, scale)
    whole = downscale(scene, scale=scale, history=history)
    lazy = downscale(scene.chunk({"y": chunk, "x": chunk}), scale=scale, history=history)
    for layer in (NAME, UNCERTAINTY):
        assert_close(lazy[layer], whole[layer], 1e-6)


@FEW
@given(seed=st.integers(0, 999), factor=st.floats(1.01, 20))
def test_more_noise_never_makes_the_uncertainty_smaller(seed, factor):
    scene, history = make_place(seed, 4)
    less = downscale(scene, history=history)[UNCERTAINTY]
    more = downscale(scene, history=history, noise=0.3 * factor)[UNCERTAINTY]
    assert float((more - less).min()) >= -1e-6


@FEW
@given(seed=st.integers(0, 999), scale=SCALES)
def test_a_gap_changes_nothing_beyond_the_reach(seed, scale):
    scene, history = make_place(seed, scale, gaps=0)
    holed = scene.copy(deep=True)
    holed[NAME].values[2, 3] = np.nan
    a, b = (downscale(each, scale=scale, history=history)[NAME].values for each in (scene, holed))
    from no2sr.downscaling.choosing import choose_method
    from no2sr.downscaling.settings import Refining

    reach = choose_method(Refining(scale=scale, history=history), noisy=True).reach
    far = (2 + reach + 1) * scale, (3 + reach + 1) * scale
    if far[0] < a.shape[0]:
        np.testing.assert_array_equal(a[far[0] :], b[far[0] :])
    if far[1] < a.shape[1]:
        np.testing.assert_array_equal(a[:, far[1] :], b[:, far[1] :])
    assert np.isnan(b[2 * scale : 3 * scale, 3 * scale : 4 * scale]).all()
