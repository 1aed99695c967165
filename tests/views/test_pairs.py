"""A coarse image and the fine one made of it are brought to the same cells, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.averaging import average_blocks
from no2sr.core.errors import DimensionError, IrregularGridError
from no2sr.core.grid import bounds_of, crop, georeference, refine, shave, transform_of
from no2sr.views.pairs import enter_pair, match_grids, single_time


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


def _file(rows=15, columns=20):
    values = np.random.default_rng(3).random((rows, columns), dtype=np.float32)
    image = xr.DataArray(values, dims=("y", "x"), name="no2", attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.1, 0, 76, 0, -0.1, 29.5), "EPSG:4326")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_file_is_averaged_as_the_fine_image_says(scale):
    file = _file()
    averaged = average_blocks(file, 3)
    before, _, found = enter_pair(file, refine(averaged, scale))
    assert found == scale
    np.testing.assert_array_equal(before.values, averaged.values)
    again, _, _ = enter_pair(averaged, refine(averaged, scale))
    np.testing.assert_array_equal(again.values, averaged.values)


def test_the_averages_begin_where_those_of_the_fine_image_did():
    file = _file()
    averaged = average_blocks(crop(file, slice(2, 14), slice(2, 17)), 3)
    fine = shave(refine(averaged, 4), 4)
    before, after, scale = enter_pair(file, fine)
    assert (before.shape, scale) == ((2, 3), 4)
    np.testing.assert_allclose(bounds_of(before), bounds_of(after), atol=1e-9)
    np.testing.assert_array_equal(before.values, averaged.values[1:3, 1:4])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda file: crop(file, slice(0, 2), slice(0, 20)), id="less than a block"),
        pytest.param(lambda file: crop(file, slice(0, 9), slice(0, 20)), id="a part"),
        pytest.param(lambda file: average_blocks(file, 2), id="averaged otherwise"),
        pytest.param(_shifted, id="shifted"),
    ],
)
def test_another_file_is_not_averaged_into_the_right_one(other):
    file = _file()
    with pytest.raises(IrregularGridError, match="give its own input"):
        enter_pair(other(file), refine(average_blocks(file, 3), 4))
