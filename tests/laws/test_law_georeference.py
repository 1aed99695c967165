"""Second law: the output lies where the input lies, in every form, projection and format."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opening import open_column
from scenes import (
    FEW,
    LAW,
    SCALES,
    as_held,
    forms,
    images,
    make_image,
    places,
    values_of,
)

import no2sr
from no2sr import downscale
from no2sr.core.door import enter
from no2sr.core.errors import No2srWarning
from no2sr.core.grid import bounds_of, coarsen, crop
from no2sr.networks.store import load_model


@LAW
@given(images(), SCALES)
def test_bounds_are_kept_with_pad(image, scale):
    fine = downscale(image, scale=scale)
    assert bounds_of(fine) == pytest.approx(bounds_of(image), rel=1e-12)
    assert fine.rio.crs == image.rio.crs
    assert fine.rio.transform() == pytest.approx(fine.rio.transform(recalc=True), rel=1e-9)


@LAW
@given(images(least=26, most=32), SCALES)
def test_bounds_move_with_shave(image, scale):
    cells = load_model("srcnn", scale=scale).card.halo
    padded = downscale(image, scale=scale)
    fine = downscale(image, scale=scale, edges="shave")
    inner = slice(cells, -cells)
    assert bounds_of(fine) == pytest.approx(bounds_of(crop(image, inner, inner)), rel=1e-12)
    inner = slice(cells * scale, -cells * scale)
    np.testing.assert_array_equal(fine.values, padded.values[inner, inner])


@FEW
@given(
    places,
    st.tuples(st.integers(6, 12), st.integers(6, 12)),
    forms,
    SCALES,
    st.sampled_from([".tif", ".nc", ".zarr"]),
    st.sampled_from("yx"),
)
def test_an_image_of_its_own_coordinates_is_found_there_again(
    place, shape, form, scale, suffix, axis
):
    # Every cell holds its own coordinate, made as small as a column; so do the blocks of what was
    # made of it, written, and read again.
    empty = make_image(np.zeros(shape), place)
    tiny = 1e-4 / np.abs(empty[axis].values).max()
    image = empty.copy(data=(empty + tiny * empty[axis]).values.astype("float32"))
    fine = enter(downscale(as_held(image, form), scale=scale))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)  # such columns are odd, and it is refined
        path = no2sr.write(fine, Path(folder) / f"own{suffix}")
        back = open_column(path).load()
    assert back.rio.crs == image.rio.crs
    assert bounds_of(back) == pytest.approx(bounds_of(image), rel=1e-9, abs=1e-9)
    blocks = coarsen(back, scale)
    own = tiny * blocks[axis].broadcast_like(blocks).transpose("y", "x").values
    np.testing.assert_allclose(blocks.values, own, atol=1e-6 * 1e-4)


@LAW
@given(images(), forms, SCALES)
def test_what_goes_out_has_the_form_of_what_came_in(image, form, scale):
    held = as_held(image, form)
    fine = downscale(held, scale=scale)
    assert type(fine) is type(held)
    before, after = values_of(held), values_of(fine)
    assert after.dims == before.dims
    assert after.attrs["units"] == "mol m-2"
    for axis in before.dims:
        first, last = before[axis].values[[0, -1]]
        step = (last - first) / (before.sizes[axis] - 1)
        out = (1 - 1 / scale) / 2 * step  # the outer fine centres lie that much farther out
        ends = after[axis].values[[0, -1]]
        np.testing.assert_allclose(ends, [first - out, last + out], rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(enter(fine).values, downscale(image, scale=scale).values)


@pytest.mark.parametrize("suffix", [".tif", ".nc"])
def test_across_the_antimeridian_in_0_to_360(tmp_path, suffix):
    # 178.5 E to 178.5 W, as one stretch of longitudes that the strict image begins at -180..180.
    place = places.elements[4]._replace(west=178.5)
    values = np.random.default_rng(1).gamma(2, 3e-5, (12, 24))
    longitude = 178.5 + 0.125 * (np.arange(24) + 0.5)
    image = make_image(values, place).drop_vars("spatial_ref")
    held = image.assign_coords(x=("x", longitude, image["x"].attrs))
    fine = downscale(held, scale=2)
    np.testing.assert_allclose(fine["x"].values, 178.5 + 0.0625 * (np.arange(48) + 0.5))
    path = no2sr.write(fine, tmp_path / f"fine{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)
        back = open_column(path)
    west, _, east, _ = bounds_of(back)
    assert (west % 360, east - west) == pytest.approx((178.5, 3), abs=1e-9)
    np.testing.assert_allclose(coarsen(back, 2).values, image.values, rtol=1e-5)
