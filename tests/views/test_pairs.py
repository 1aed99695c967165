"""A coarse image and the fine one made of it are brought to the same cells, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.errors import DimensionError, IrregularGridError
from no2sr.core.grid import bounds_of, crop, georeference, refine, shave, transform_of
from no2sr.views.pairs import match_grids, single_time


def _image(*, crs="EPSG:4326", step=(0.1, -0.1), unit="mol m-2"):
    values = np.arange(6 * 8, dtype=np.float32).reshape(6, 8)
    image = xr.DataArray(values, dims=("y", "x"), attrs={"units": unit})
    return georeference(image, Affine(step[0], 0, 76, 0, step[1], 29.5), crs)


@pytest.mark.parametrize("step", [(0.1, -0.1), (0.25, -0.1)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_whole_image_comes_back_as_it_is(step, scale):
    coarse = _image(step=step)
    matched, found = match_grids(coarse, refine(coarse, scale))
    assert found == scale
    xr.testing.assert_identical(matched, coarse)


def test_coarse_image_is_cropped_to_the_fine_one():
    coarse = _image()
    fine = shave(refine(coarse, 4), 8)
    matched, scale = match_grids(coarse, fine)
    assert (matched.shape, scale) == ((2, 4), 4)
    np.testing.assert_allclose(bounds_of(matched), bounds_of(fine), atol=1e-9)
    np.testing.assert_array_equal(matched.values, coarse.values[2:4, 2:6])


def _shifted(image):
    transform = transform_of(image)
    return georeference(image, Affine.translation(0.02, 0) @ transform, "EPSG:4326")


@pytest.mark.parametrize(
    "fine",
    [
        pytest.param(lambda coarse: _shifted(refine(coarse, 2)), id="shifted"),
        pytest.param(lambda _: refine(_image(step=(0.15, -0.15)), 2), id="other cells"),
        pytest.param(lambda coarse: crop(refine(coarse, 4), slice(1, 9), slice(0, 8)), id="split"),
        pytest.param(lambda _: refine(_image(step=(0.1, -0.2)), 2), id="other shape"),
    ],
)
def test_what_was_not_made_of_it_is_refused(fine):
    coarse = _image()
    with pytest.raises(IrregularGridError, match="give its own input"):
        match_grids(coarse, fine(coarse))


def test_a_larger_fine_image_is_refused():
    coarse = _image()
    with pytest.raises(IrregularGridError, match="do not divide"):
        match_grids(crop(coarse, slice(1, 6), slice(0, 8)), refine(coarse, 2))


@pytest.mark.parametrize("other", [{"crs": "EPSG:32643"}, {"unit": "DU"}])
def test_other_places_and_units_are_refused(other):
    with pytest.raises(DimensionError, match=r"give the input|convert one"):
        match_grids(_image(), refine(_image(**other), 2))


def test_one_time_is_taken_and_several_are_refused():
    image = _image()
    xr.testing.assert_identical(single_time(image), image)
    assert single_time(image.expand_dims("time")).dims == ("y", "x")
    with pytest.raises(DimensionError, match=r"2 times.*time="):
        single_time(xr.concat([image, image], "time"))
