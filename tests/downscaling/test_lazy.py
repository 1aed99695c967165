"""Dask-backed images: nothing is computed, and what is promised is what memory would give."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr import downscale
from no2sr.core.grid import georeference

GLOBE = (Affine(2, 0, -180, 0, -0.5, 40), "EPSG:4326")
REGION = (Affine(0.05, 0, 76, 0, -0.05, 62), "EPSG:4326")


def make_image(shape, place=REGION, seed=1):
    rng = np.random.default_rng(seed)
    values = rng.normal(3e-5, 1e-5, shape).astype(np.float32)
    values[rng.random(shape) < 0.1] = np.nan
    dims = ("time", "y", "x")[-len(shape) :]
    image = xr.DataArray(values, dims=dims, name="no2", attrs={"units": "mol m-2"})
    return georeference(image, *place)


def test_nothing_is_computed():
    image = make_image((200, 150)).chunk(y=64, x=64)

    def refuse(*_, **__):
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=refuse):
        fine = downscale(image, scale=2, edges="shave")
    assert fine.chunks is not None
    assert "no2sr_closure_max" not in fine.attrs


@settings(max_examples=10, deadline=None)
@given(
    st.tuples(st.integers(5, 80), st.integers(5, 80)),
    st.integers(3, 90),
    st.sampled_from(["espcn", "srcnn"]),
    st.booleans(),
)
def test_dask_equals_numpy(shape, chunk, model, shaved):
    image = make_image(shape)
    edges = "shave" if shaved and min(shape) > 21 else "pad"
    whole = downscale(image, model=model, edges=edges)
    lazy = downscale(image.chunk(y=chunk, x=chunk), model=model, edges=edges)
    np.testing.assert_array_equal(lazy.values, whole.values)
    np.testing.assert_array_equal(lazy["x"], whole["x"])


@pytest.mark.parametrize("chunk", [70, 300])
def test_several_blocks_and_the_seam_of_the_globe(chunk):
    # 180 columns of 2 degrees: chunks of more than one block, those at the seam with a halo from
    # the other side.
    image = make_image((2, 150, 180), GLOBE)
    lazy = downscale(image.chunk(time=1, y=chunk, x=chunk), scale=4, model="espcn")
    np.testing.assert_array_equal(lazy.values, downscale(image, scale=4, model="espcn").values)


def test_a_dataset_stays_lazy_too():
    image = make_image((40, 30)).drop_vars("spatial_ref").to_dataset().chunk()
    fine = downscale(image, scale=2)
    assert fine["no2"].chunks is not None
    np.testing.assert_array_equal(fine["no2"], downscale(image.compute(), scale=2)["no2"])
