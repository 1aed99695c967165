"""Grids: coordinates, areas, and the pairs refine/coarsen and crop/shave."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr.core.errors import IrregularGridError, SettingsError, TooSmallError
from no2sr.core.grid import (
    bounds_of,
    cell_areas,
    check_scale,
    coarsen,
    crop,
    georeference,
    modcrop,
    refine,
    regular_grid,
    shave,
    spans_globe,
    transform_of,
)
from no2sr.core.image import check_image, is_geographic

EXAMPLES = settings(max_examples=25, deadline=None)  # a busy machine is no failure

UTM = (Affine(3218.37, 0, 232153.3523, 0, -3218.19, 3856746.1228), "EPSG:32611")
PLACES = {
    "degrees": (Affine(0.25, 0, 10, 0, -0.25, 51), "EPSG:4326"),
    "twelfths": (Affine(1 / 12, 0, -0.5, 0, -1 / 12, 60), "EPSG:4326"),
    "beyond_180": (Affine(0.5, 0, 177, 0, -0.25, -10), "EPSG:4326"),
    "to_the_pole": (Affine(1, 0, -180, 0, -1, 90.5), "EPSG:4326"),  # a centre at 90 degrees
    "utm": UTM,
}


def make(values, place="degrees") -> xr.DataArray:
    values = np.asarray(values, dtype=np.float32)
    dims = ("time", "y", "x")[-values.ndim :]
    image = xr.DataArray(values, dims=dims, name="no2", attrs={"units": "mol m-2", "a": 1})
    return georeference(image, *(PLACES[place] if isinstance(place, str) else place))


@st.composite
def images(draw, *, gaps=False) -> xr.DataArray:
    shape = draw(st.integers(4, 12)), draw(st.integers(4, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.normal(0, 1, shape)
    if gaps:
        values[rng.random(shape) < draw(st.floats(0, 1))] = np.nan
    return make(values, draw(st.sampled_from(sorted(PLACES))))


@pytest.mark.parametrize("place", PLACES)
def test_coordinates_are_those_of_the_transform(place):
    transform, crs = PLACES[place]
    image = check_image(make(np.zeros((6, 5)), place))
    west, north = transform.c, transform.f
    np.testing.assert_array_equal(
        image["x"], west + transform.a * np.array([0.5, 1.5, 2.5, 3.5, 4.5])
    )
    np.testing.assert_array_equal(image["y"], north + transform.e * (np.arange(6) + 0.5))
    assert tuple(image.rio.transform()) == pytest.approx(tuple(transform), rel=1e-15)
    assert tuple(transform_of(image)) == pytest.approx(tuple(transform), rel=1e-15)
    expected = (west, north + 6 * transform.e, west + 5 * transform.a, north)
    assert bounds_of(image) == pytest.approx(expected, rel=1e-15)
    assert image.rio.crs == crs


def test_axes_say_what_they_are():
    degrees, metres = make(np.zeros((2, 2))), make(np.zeros((2, 2)), "utm")
    assert degrees["y"].attrs == {
        "standard_name": "latitude", "long_name": "latitude", "units": "degrees_north", "axis": "Y",
    }  # fmt: skip
    assert degrees["x"].attrs["units"] == "degrees_east"
    assert metres["x"].attrs["standard_name"] == "projection_x_coordinate"
    assert metres["y"].attrs["units"] == "m"
    # EPSG:2263 is New York in US survey feet.
    feet = georeference(xr.DataArray(np.zeros((2, 2)), dims=("y", "x")), UTM[0], "EPSG:2263")
    assert feet["x"].attrs["units"] == "US survey foot"


def test_old_coordinates_and_mappings_are_replaced():
    image = make(np.zeros((2, 3)))
    image.attrs["grid_mapping"] = "crs"
    moved = georeference(image, *UTM)
    assert image.attrs["grid_mapping"] == "crs"
    assert "grid_mapping" not in moved.attrs
    assert tuple(moved.rio.transform()) == tuple(UTM[0])
    assert not is_geographic(moved)


def test_a_stale_transform_is_not_believed():
    image = make(np.zeros((6, 6)))
    cut = image.isel(y=slice(1, 4), x=slice(2, 6))  # keeps the GeoTransform of the whole
    assert tuple(transform_of(cut))[:6] == (0.25, 0, 10.5, 0, -0.25, 50.75)
    assert bounds_of(cut) == (10.5, 50.0, 11.5, 50.75)
    thinned = image.isel(y=slice(None, None, 2), x=slice(None, None, 2))
    assert transform_of(thinned).a == 0.5


def test_the_globe_is_known_where_it_closes():
    assert spans_globe(make(np.zeros((2, 4)), (Affine(90, 0, -180, 0, -45, 90), "EPSG:4326")))
    assert not spans_globe(make(np.zeros((2, 3)), (Affine(90, 0, -180, 0, -45, 90), "EPSG:4326")))
    # 360 km are not 360 degrees.
    assert not spans_globe(make(np.zeros((2, 4)), (Affine(90, 0, 0, 0, -45, 90), "EPSG:3035")))


def test_areas_are_those_of_the_sphere():
    # Rows 90..60, 60..30, 30..0 N: sin 90 - sin 60 = 1 - sqrt(3)/2, then (sqrt(3) - 1)/2, then 1/2;
    # together 1, so the mean is 1/3.
    image = make(np.zeros((3, 2)), (Affine(30, 0, 0, 0, -30, 90), "EPSG:4326"))
    root = np.sqrt(3)
    expected = 3 * np.array([1 - root / 2, (root - 1) / 2, 1 / 2])
    np.testing.assert_allclose(cell_areas(image), expected, rtol=1e-14)


def test_rows_beyond_a_pole_are_cut_at_it():
    # A centre at 90 N with rows of 60 degrees: 120..60 counts as 90..60.
    image = make(np.zeros((2, 2)), (Affine(60, 0, 0, 0, -60, 120), "EPSG:4326"))
    halves = np.array([1 - np.sqrt(3) / 2, np.sqrt(3) / 2])
    np.testing.assert_allclose(cell_areas(image), 2 * halves, rtol=1e-14)


def test_projected_cells_are_alike():
    np.testing.assert_array_equal(cell_areas(make(np.zeros((5, 2)), "utm")), np.ones(5))


@EXAMPLES
@given(images(), st.integers(1, 5))
def test_areas_of_fine_rows_add_up_to_their_coarse_row(image, scale):
    fine = cell_areas(refine(image, scale))
    np.testing.assert_allclose(fine, cell_areas(image, refined=scale), rtol=1e-9, atol=1e-12)
    blocks = fine.reshape(-1, scale).mean(axis=1)
    np.testing.assert_allclose(blocks, cell_areas(image), rtol=1e-9, atol=1e-12)


def test_refining_repeats_cells_within_the_same_bounds():
    image = make([[1, 2], [3, np.nan]])
    fine = refine(image, 2)
    n = np.nan
    np.testing.assert_array_equal(fine, [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, n, n], [3, 3, n, n]])
    np.testing.assert_array_equal(fine["x"], [10.0625, 10.1875, 10.3125, 10.4375])
    np.testing.assert_array_equal(fine["y"], [50.9375, 50.8125, 50.6875, 50.5625])
    assert fine.attrs == image.attrs
    assert fine.name == "no2"
    assert fine.dtype == np.float32


def test_refining_takes_other_values_and_keeps_other_coordinates():
    image = make(np.zeros((2, 2, 2))).assign_coords(time=[1, 2], orbit=("time", [7, 8]))
    image = image.assign_coords(zone=("y", ["n", "s"]))
    fine = refine(image, 3, np.ones((2, 6, 6), np.float32))
    assert fine.dims == ("time", "y", "x")
    assert set(fine.coords) == {"time", "orbit", "y", "x", "spatial_ref"}
    assert fine.mean() == 1


def test_coarsening_weighs_by_area():
    # Two rows, 60..30 and 30..0 N: areas (sqrt(3) - 1)/2 and 1/2, values 0 and 1.
    image = make([[0, 0], [1, 1]], (Affine(30, 0, 0, 0, -30, 60), "EPSG:4326"))
    expected = 0.5 / (0.5 + (np.sqrt(3) - 1) / 2)
    coarse = coarsen(image, 2)
    np.testing.assert_allclose(coarse, [[expected]], rtol=1e-7)
    assert coarse.sizes == {"y": 1, "x": 1}
    np.testing.assert_allclose(coarsen(make([[0, 0], [1, 1]], "utm"), 2), [[0.5]])


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (1.0, [[2.5, np.nan, np.nan]]),
        (0.75, [[2.5, 2, np.nan]]),
        (0.5, [[2.5, 2, 1]]),
        (0.0, [[2.5, 2, 1]]),
    ],
)
def test_coarsening_needs_enough_observed_cells(least, expected):
    # Blocks with 4, 3 and 2 of 4 cells observed, on equal areas.
    n = np.nan
    image = make([[1, 2, 1, 2, n, n], [3, 4, 3, n, 1, 1]], "utm")
    np.testing.assert_array_equal(coarsen(image, 2, least_valid=least), expected)


def test_a_block_of_gaps_stays_a_gap():
    assert np.isnan(coarsen(make(np.full((2, 2), np.nan), "utm"), 2, least_valid=0)).all()


def test_coarsening_refuses_ragged_edges():
    with pytest.raises(SettingsError, match=r"5 x 4 cells.*modcrop\(image, 2\)"):
        coarsen(make(np.zeros((5, 4))), 2)


@EXAMPLES
@given(images(gaps=True), st.integers(1, 5))
def test_coarsening_undoes_refining(image, scale):
    back = coarsen(refine(image, scale), scale)
    # A mean of equal float32 values in float64 rounds back to the value.
    np.testing.assert_array_equal(back, image)
    assert tuple(transform_of(back)) == pytest.approx(tuple(transform_of(image)), rel=1e-12)
    assert back.attrs == image.attrs


@EXAMPLES
@given(images(), st.integers(1, 5))
def test_bounds_do_not_move(image, scale):
    fine = refine(image, scale)
    assert bounds_of(fine) == pytest.approx(bounds_of(image), rel=1e-13, abs=1e-9)
    stored, found = fine.rio.transform(), fine.rio.transform(recalc=True)
    assert tuple(stored) == pytest.approx(tuple(found), rel=1e-9)
    check_image(fine)


@EXAMPLES
@given(images(), st.integers(1, 3), st.integers(1, 3))
def test_refining_twice_is_refining_once(image, first, second):
    twice, once = refine(refine(image, first), second), refine(image, first * second)
    np.testing.assert_array_equal(twice, once)
    np.testing.assert_allclose(twice["x"], once["x"], rtol=1e-13)


@EXAMPLES
@given(images(gaps=True), st.integers(2, 4))
def test_inputs_are_not_modified(image, scale):
    before = image.copy(deep=True)
    refine(image, scale)
    coarsen(modcrop(image, scale), scale)
    shave(image, 1)
    xr.testing.assert_identical(image, before)


@EXAMPLES
@given(images(), st.data())
def test_a_crop_holds_the_same_pixels_at_the_same_places(image, data):
    ny, nx = image.shape
    top, left = data.draw(st.integers(0, ny - 2)), data.draw(st.integers(0, nx - 2))
    bottom, right = data.draw(st.integers(top + 2, ny)), data.draw(st.integers(left + 2, nx))
    cut = crop(image, slice(top, bottom), slice(left, right))
    np.testing.assert_array_equal(cut, image[top:bottom, left:right])
    np.testing.assert_allclose(cut["y"], image["y"][top:bottom], rtol=1e-13)
    np.testing.assert_allclose(cut["x"], image["x"][left:right], rtol=1e-13, atol=1e-12)
    stored, found = cut.rio.transform(), cut.rio.transform(recalc=True)
    assert tuple(stored) == pytest.approx(tuple(found), rel=1e-9, abs=1e-9)


def test_a_crop_counts_from_the_ends_as_slices_do():
    image = make(np.arange(30).reshape(5, 6))
    np.testing.assert_array_equal(crop(image, slice(1, -1), slice(None, 2)), image[1:-1, :2])
    assert bounds_of(crop(image, slice(1, -1), slice(-3, None))) == (10.75, 50.0, 11.5, 50.75)


@pytest.mark.parametrize("rows", [slice(3, 3), slice(4, 2), slice(9, 12)])
def test_an_empty_window_is_refused(rows):
    with pytest.raises(TooSmallError, match=r"leaves 0 x 6 cells of 5 x 6; choose a larger region"):
        crop(make(np.zeros((5, 6))), rows, slice(None))


def test_a_modcrop_trims_south_and_east():
    image = make(np.arange(35).reshape(5, 7))
    cut = modcrop(image, 3)
    np.testing.assert_array_equal(cut, image[:3, :6])
    assert bounds_of(cut) == (10, 50.25, 11.5, 51)
    assert modcrop(image, 1).equals(image)
    with pytest.raises(TooSmallError):
        modcrop(image, 6)


def test_a_shave_cuts_every_side():
    image = make(np.arange(42).reshape(6, 7))
    np.testing.assert_array_equal(shave(image, 2), image[2:4, 2:5])
    assert bounds_of(shave(image, 2)) == (10.5, 50.0, 11.25, 50.5)
    assert shave(image, 0).equals(image)
    for pixels in (3, 4, 100):
        with pytest.raises(TooSmallError):
            shave(image, pixels)


def test_a_regular_grid_lies_on_multiples_of_its_step():
    grid = regular_grid((76.01, 27.5, 78.5, 29.49), 0.05)
    assert bounds_of(grid) == (76.0, 27.5, 78.5, 29.5)
    assert grid.shape == (40, 50)
    assert np.isnan(grid).all()
    assert (grid["x"][0], grid["y"][0]) == (76.025, 29.475)


@pytest.mark.parametrize(
    ("bounds", "resolution", "shape"),
    [
        ((-180, -90, 180, 90), 0.05, (3600, 7200)),
        ((0, 0, 1, 1), 1 / 3, (3, 3)),
        ((27.500000001, 0, 28.499999999, 1), 0.1, (10, 10)),  # noise in a bound adds no column
        ((0, 0, 10, 20), 5, (4, 2)),
        ((-0.3, -0.3, 0.3, 0.3), 0.1, (6, 6)),  # -0.3 / 0.1 is -2.9999999999999996
        ((170, -10, 190, 10), 2.5, (8, 8)),
    ],
)
def test_sizes_of_regular_grids(bounds, resolution, shape):
    grid = regular_grid(bounds, resolution)
    assert grid.shape == shape
    np.testing.assert_allclose(bounds_of(grid), bounds, atol=1e-8)


def test_neighbouring_grids_share_their_lines():
    a, b = regular_grid((76.03, 20, 77, 21), 0.05), regular_grid((77, 20, 78.02, 21), 0.05)
    together = np.concatenate([a["x"], b["x"]])
    np.testing.assert_allclose(np.diff(together), 0.05, rtol=1e-9)


@pytest.mark.parametrize(
    ("bounds", "resolution"),
    [
        ((1, 0, 0, 1), 0.1),
        ((0, 1, 1, 0), 0.1),
        ((0, 0, 1, 1), 0),
        ((0, 0, 1, 1), -1),
        ((0, 0, 0, 0), 1),
    ],
)
def test_a_box_inside_out_is_refused(bounds, resolution):
    with pytest.raises(SettingsError, match="west < east, south < north"):
        regular_grid(bounds, resolution)


@pytest.mark.parametrize("scale", [1, 4, np.int64(3), 2.0])
def test_whole_numbers_are_scales(scale):
    assert check_scale(scale) == scale
    assert type(check_scale(scale)) is int


@pytest.mark.parametrize("scale", [0, -2, 1.5, True, np.nan, np.inf, "4", None, [2]])
def test_other_scales_are_refused(scale):
    with pytest.raises(SettingsError, match="give a whole number of at least 1, the number"):
        check_scale(scale)
    with pytest.raises(SettingsError, match="at least 2"):
        check_scale(1, least=2)


def test_an_image_of_one_row_has_no_transform():
    with pytest.raises(IrregularGridError, match="at least 2 cells"):
        bounds_of(make(np.zeros((1, 4))))
