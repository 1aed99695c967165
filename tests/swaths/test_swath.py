from __future__ import annotations

import itertools
import weakref

import netCDF4
import numba
import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from no2sr.core.errors import (
    DimensionError,
    MissingVariableError,
    NoValidPixelsError,
    SettingsError,
    UnitsError,
)
from no2sr.core.grid import bounds_of, regular_grid, transform_of
from no2sr.core.image import COLUMN_ATTRS, check_image
from no2sr.swaths import overlap
from no2sr.swaths.corners import corners_from_centres
from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.sums import LEAST_COVERAGE, make_empty_sums

DIMS = ("scanline", "ground_pixel")
RANDOM, SYSTEMATIC = "column_uncertainty_random", "column_uncertainty_systematic"
TOTAL = "column_uncertainty"


def make_swath(latitude, longitude, column, random=None, systematic=None):
    """Build a swath of corners (scanline, ground_pixel, 4) and values that broadcast to it."""
    latitude = np.asarray(latitude)
    shape, kind = latitude.shape[:-1], np.result_type(latitude, np.float32)
    swath = xr.Dataset(
        {
            "column": (DIMS, np.array(np.broadcast_to(column, shape), dtype=kind)),
            "latitude_bounds": ((*DIMS, "corner"), latitude),
            "longitude_bounds": ((*DIMS, "corner"), np.asarray(longitude)),
        },
        attrs={"source": "a test"},
    )
    for name, error in (("random", random), ("systematic", systematic)):
        if error is not None:
            swath[f"uncertainty_{name}"] = (DIMS, np.array(np.broadcast_to(error, shape)))
    return swath


def rectangles(*boxes, column=1.0, **errors):
    """Build a swath of one scanline of (west, south, east, north) pixels."""
    latitude = [[[s, s, n, n] for _, s, _, n in boxes]]
    longitude = [[[w, e, e, w] for w, _, e, _ in boxes]]
    return make_swath(latitude, longitude, np.atleast_2d(column), **errors)


def four(vertices):
    """Gather the corners of the pixels between vertices."""
    first, second = vertices[:-1], vertices[1:]
    return np.stack([first[:, :-1], first[:, 1:], second[:, 1:], second[:, :-1]], axis=-1)


def sheared(west=10.0, south=40.0, shape=(40, 30), step=(0.08, 0.06)):
    """Build the corners of a swath that leans like an orbit: parallelograms without gaps."""
    i, j = np.mgrid[: shape[0] + 1, : shape[1] + 1]
    return four(south + step[1] * i + 0.01 * j), four(west + step[0] * j - 0.015 * i)


def weights_of(swath, bounds, resolution):
    """Return the overlaps, summed over pixels, in float64."""
    sums = make_empty_sums(bounds, resolution)
    flat = (swath[n].values for n in ("column", "latitude_bounds", "longitude_bounds"))
    column, latitude, longitude = (np.asarray(a, dtype=np.float64) for a in flat)
    corners = latitude.reshape(-1, 4), longitude.reshape(-1, 4)
    overlap.accumulate(overlap.Pixels(column.ravel(), np.empty(0), np.empty(0), *corners), sums)
    return sums


def shares_by_shapely(latitude, longitude, bounds, resolution):
    """Return the overlap of one quadrilateral with every cell, as a share of a cell."""
    grid = regular_grid(bounds, resolution)
    west, north = grid.rio.transform().c, grid.rio.transform().f
    ny, nx = grid.shape
    j, i = np.meshgrid(np.arange(nx), np.arange(ny))
    cells = shapely.box(j, i, j + 1, i + 1)
    x, y = (np.asarray(longitude) - west) / resolution, (north - np.asarray(latitude)) / resolution
    return shapely.area(shapely.intersection(shapely.Polygon(np.c_[x, y]), cells))


# --------------------------------------------------------------------------- areas of overlap


@st.composite
def quadrilaterals(draw):
    """Draw a quadrilateral around (11.5, 41.5): any orientation, first corner and dents."""
    quarters = np.arange(4) + np.array(
        draw(st.lists(st.floats(0.05, 0.95), min_size=4, max_size=4))
    )
    radii = np.array(draw(st.lists(st.floats(0.01, 1.2), min_size=4, max_size=4)))
    angles = quarters * np.pi / 2 + draw(st.floats(0, 7))
    x, y = 11.5 + radii * np.cos(angles), 41.5 + radii * np.sin(angles)
    turn = np.roll(np.arange(4), draw(st.integers(0, 3)))[:: draw(st.sampled_from([1, -1]))]
    return y[turn], x[turn]


@settings(deadline=None, max_examples=100)
@given(quadrilaterals(), st.sampled_from([0.05, 0.1, 0.25, 1.0, 3.0]))
def test_overlaps_are_those_of_shapely(quadrilateral, resolution):
    bounds = (10, 40, 13, 43)
    latitude, longitude = quadrilateral
    found = weights_of(make_swath([[latitude]], [[longitude]], 1), bounds, resolution).weight
    wanted = shares_by_shapely(latitude, longitude, bounds, resolution)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


@settings(deadline=None, max_examples=100)
@given(quadrilaterals(), st.floats(-1e3, 1e3), st.sampled_from([0.05, 0.25, 3.0]))
def test_nothing_is_lost_or_made(quadrilateral, column, resolution):
    # Inside the grid, the sum over cells of overlap area * column is pixel area * column. The area
    # of a quadrilateral is half the cross product of its diagonals.
    latitude, longitude = quadrilateral
    across, up = longitude[2:] - longitude[:2], latitude[2:] - latitude[:2]
    area = abs(across[0] * up[1] - across[1] * up[0]) / 2
    sums = weights_of(make_swath([[latitude]], [[longitude]], column), (10, 40, 13, 43), resolution)
    assert sums.weight.sum() * resolution**2 == pytest.approx(area, rel=1e-12, abs=1e-14)
    mass = sums.weighted.sum() * resolution**2
    # Below 1e-300 float64 runs out of digits, not the method.
    assert mass == pytest.approx(area * column, rel=1e-12, abs=1e-14 * abs(column) + 1e-300)


def test_a_swath_without_holes_covers_every_inner_cell_once():
    dataset = grid_swaths([make_swath(*sheared(), 1.0)], bounds=(10.5, 40.5, 11.5, 41.5))
    np.testing.assert_allclose(dataset["coverage"], 1, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(dataset["column"], 1)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_pixel_that_is_a_cell_fills_this_cell_alone(kind):
    # 0.1 + 0.2 is not 0.3: the edges miss the grid lines by some 1e-16 degree; in float32 by up to
    # half its spacing of 3e-8 degree, which is 3e-7 of a cell: less than LEAST_OVERLAP.
    pixel = rectangles((0.1 + 0.2, 0.1, 0.35, 0.15)).astype(kind)
    dataset = grid_swaths([pixel], bounds=(0, 0, 1, 1))
    row, column = np.argwhere(dataset["count"].values == 1).T
    # Row 0 is 0.95..1.00 degrees north, so 0.10..0.15 is row 17; 0.30..0.35 is column 6.
    assert (row, column) == (17, 6)
    assert np.isfinite(dataset["column"].values).sum() == 1
    assert dataset["coverage"].values[17, 6] == pytest.approx(1, abs=1e-6)


def test_a_sliver_makes_no_value():
    # The second pixel enters the cell 0..1 by 1e-7 of its width: less than LEAST_OVERLAP.
    swath = rectangles((1 - 1e-7, 0, 2, 1), (2, 0, 3, 1), column=[5.0, 7.0])
    dataset = grid_swaths([swath], bounds=(0, 0, 3, 2), resolution=1)
    np.testing.assert_array_equal(dataset["column"].values[1], [np.nan, 5, 7])
    np.testing.assert_array_equal(dataset["coverage"].values[1], [0, 1, 1])
    np.testing.assert_array_equal(dataset["count"].values[1], [0, 1, 1])


# ------------------------------------------------------------------------------ the means


def test_means_and_uncertainties_by_hand():
    # The left pixel covers a quarter of the cell 0..1, the right one half.
    # column: (1/4 * 8 + 1/2 * 2) / (3/4) = 4. Systematic: (1/4 * 6 + 1/2 * 4) / (3/4) = 14/3.
    # Random: sqrt((1/4 * 6)**2 + (1/2 * 4)**2) / (3/4) = 2.5 / 0.75 = 10/3.
    swath = rectangles(
        (0, 0, 0.25, 1), (0.5, 0, 1, 1), column=[8.0, 2.0], random=[6.0, 4.0], systematic=[6.0, 4.0]
    )
    cell = grid_swaths([swath], bounds=(0, 0, 2, 2), resolution=1).isel(y=1, x=0)
    assert cell["column"].item() == 4
    assert cell["coverage"].item() == 0.75
    assert cell["count"].item() == 2
    assert cell[SYSTEMATIC].item() == pytest.approx(14 / 3, rel=1e-6)
    assert cell[RANDOM].item() == pytest.approx(10 / 3, rel=1e-6)
    assert cell[TOTAL].item() == pytest.approx(np.hypot(14, 10) / 3, rel=1e-6)


def test_a_missing_uncertainty_is_missing_in_its_cells_alone():
    swath = rectangles((0, 0, 1, 1), (1, 0, 2, 1), random=[np.nan, 2.0], systematic=[np.nan, 0.0])
    dataset = grid_swaths([swath], bounds=(0, 0, 3, 2), resolution=1)
    for name in (RANDOM, TOTAL):
        np.testing.assert_array_equal(dataset[name].values[1], [np.nan, 2, np.nan])
    np.testing.assert_array_equal(dataset[SYSTEMATIC].values[1], [np.nan, 0, np.nan])


@pytest.mark.parametrize("kind", ["random", "systematic"])
def test_a_swath_without_uncertainty_leaves_that_of_its_cells_unknown(kind):
    swaths = [rectangles((0, 0, 1, 1), **{kind: [2.0]}), rectangles((1, 0, 2, 1))]
    dataset = grid_swaths(swaths, bounds=(0, 0, 3, 2), resolution=1)
    assert set(dataset) == {"column", "coverage", "count", TOTAL, f"column_uncertainty_{kind}"}
    np.testing.assert_array_equal(dataset[TOTAL].values[1], [2, np.nan, np.nan])
    assert TOTAL not in grid_swaths(swaths[::-1], bounds=(0, 0, 3, 2), resolution=1)


@pytest.mark.parametrize("correlation", [0, 0.3, 1])
def test_what_overpasses_share_falls_only_as_far_as_they_differ(correlation):
    # Nine overpasses of equal weight: the variance is s^2 (rho + (1 - rho) / 9); noise falls by 3.
    swaths = [rectangles((0, 0, 1, 1), random=[3.0], systematic=[2.0]) for _ in range(9)]
    box = {"bounds": (0, 0, 2, 2), "resolution": 1}
    cell = grid_swaths(swaths, correlation=correlation, **box).isel(y=1, x=0)
    assert cell[RANDOM].item() == pytest.approx(1, rel=1e-6)
    shared = 2 * np.sqrt(correlation + (1 - correlation) / 9)
    assert cell[SYSTEMATIC].item() == pytest.approx(shared, rel=1e-6)
    if correlation == 0.3:
        assert grid_swaths(swaths, **box).isel(y=1, x=0).equals(cell)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_uncertainties_of_the_mean_are_those_of_its_weights(seed, correlation):
    # The law itself, from the operator: mean = A x, so that random noise is
    # sqrt(sum A^2 r^2), and the shared part sqrt(v' C v) with the sums v of each overpass.
    draw = np.random.default_rng(seed)
    boxes = [[(w, 0, w + draw.uniform(0.2, 1), 1) for w in (0, 1)] for _ in range(4)]
    r, s = draw.uniform(0, 3, (2, 4, 2))
    swaths = [rectangles(*four, random=r[n], systematic=s[n]) for n, four in enumerate(boxes)]
    scene = grid_swaths(swaths, bounds=(0, 0, 2, 2), resolution=2, correlation=correlation)
    share = np.array([[(e - w) / 4 for w, _, e, _ in four] for four in boxes])
    share /= share.sum()
    parts = (share * s).sum(axis=1)
    matrix = correlation + (1 - correlation) * np.eye(4)
    assert scene[RANDOM].item() == pytest.approx(np.sqrt((share**2 * r**2).sum()), rel=1e-5)
    assert scene[SYSTEMATIC].item() == pytest.approx(np.sqrt(parts @ matrix @ parts), rel=1e-5)


def test_more_overpasses_never_raise_what_is_stated():
    latitude, longitude = sheared(shape=(12, 9))
    swaths = [make_swath(latitude, longitude, 1.0, 2.0, 1.0) for _ in range(4)]
    few, many = grid_swaths(swaths[:2]), grid_swaths(swaths)
    np.testing.assert_allclose(many[RANDOM], few[RANDOM] / np.sqrt(2), rtol=1e-6)
    assert (many[SYSTEMATIC] <= few[SYSTEMATIC] + 1e-7).where(few["coverage"] > 0, True).all()


@pytest.mark.parametrize("correlation", [-0.1, 1.1, float("nan"), "a", None])
def test_a_correlation_out_of_range_is_refused(correlation):
    with pytest.raises(SettingsError, match="from 0 to 1"):
        grid_swaths([rectangles((0, 0, 1, 1))], correlation=correlation)


def test_a_cell_that_was_hardly_seen_is_a_gap():
    # float32 corners on the edges of cells reach over them by some 1e-5 of a cell (issue 16).
    swath = rectangles((0, 0, 1 + 7.6e-6, 1), (2, 0, 3, 1), column=[5.0, 7.0], random=2.0)
    dataset = grid_swaths([swath], bounds=(0, 0, 3, 2), resolution=1)
    for name, values in (("column", [5, np.nan, 7]), (RANDOM, [2, np.nan, 2])):
        np.testing.assert_allclose(dataset[name].values[1], values, rtol=1e-5)
    np.testing.assert_allclose(dataset["coverage"].values[1], [1, 7.6e-6, 1], rtol=1e-5)
    alone = grid_swaths([swath.isel(ground_pixel=[0])], resolution=0.5)
    assert bounds_of(alone["column"]) == (0, 0, 1, 1)  # no column of gaps beside it
    with pytest.raises(NoValidPixelsError):
        grid_swaths([rectangles((0, 0, 5e-4, 1))], bounds=(0, 0, 2, 2), resolution=1)


def test_a_column_lends_its_name_to_its_layers():
    swath = rectangles((0, 0, 1, 1), random=1.0).assign_attrs(variable="no2")
    swath["uncertainty_random"].attrs["comment"] = "guessed"
    scene = grid_swaths([swath], resolution=0.5)
    assert set(scene) == {"no2", "no2_uncertainty_random", "no2_uncertainty", "coverage", "count"}
    assert scene["no2_uncertainty_random"].attrs["comment"] == "guessed"
    assert scene["no2"].attrs["ancillary_variables"].split()[0] == "no2_uncertainty_random"
    assert scene["no2_uncertainty"].attrs["units"] == "mol m-2"


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_means_stay_within_the_pixels_and_errors_in_order(seed):
    random = np.random.default_rng(seed)
    latitude, longitude = sheared(shape=(12, 9))
    column, error = random.normal(0, 1, (12, 9)), random.uniform(0, 1, (12, 9))
    dataset = grid_swaths([make_swath(latitude, longitude, column, error, error)])
    image = dataset["column"].values[dataset["coverage"].values >= LEAST_COVERAGE]
    assert column.min() - 1e-6 <= image.min() <= image.max() <= column.max() + 1e-6
    assert image.min() < 0  # negative columns are noise, and stay
    upper, lower = dataset[SYSTEMATIC].values, dataset[RANDOM].values
    assert np.nanmax(lower - upper) <= 1e-6
    gaps = dataset["coverage"].values < LEAST_COVERAGE
    np.testing.assert_array_equal(np.isnan(upper), gaps)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_self_locating_swath(axis):
    """Each pixel holds its own longitude or latitude; each cell must find its own."""
    # Over a covered cell, mean - centre is the mean of c - p over its points p, c the centroid of
    # the pixel that holds p. A pixel wholly inside adds 0 (c is its centroid); one on the rim
    # at most half its extent. Pixels on the rim lie in a frame as wide as a pixel: with extents
    # w = 0.095 east and v = 0.07 north in a cell of 0.5 degree, its share is at most
    # 1 - (1 - 2 w / 0.5) * (1 - 2 v / 0.5) = 0.5536.
    latitude, longitude = sheared(shape=(60, 60))
    own, half = (longitude, 0.095 / 2) if axis == "x" else (latitude, 0.07 / 2)
    dataset = grid_swaths([make_swath(latitude, longitude, own.mean(axis=-1))], resolution=0.5)
    full = dataset["coverage"] > 1 - 1e-6
    assert full.sum() > 20
    error = (dataset["column"] - dataset[axis]).where(full)
    assert abs(error).max() <= 0.5536 * half


def test_the_image_satisfies_the_contract_on_the_regular_grid():
    dataset = grid_swaths([make_swath(*sheared(), 1.0, 1.0)], bounds=(10.02, 40, 11.98, 41.01))
    image = check_image(dataset["column"])
    reference = regular_grid((10.02, 40, 11.98, 41.01), 0.05)
    xr.testing.assert_identical(image.coords.to_dataset(), reference.coords.to_dataset())
    assert image.rio.transform() == transform_of(image) == reference.rio.transform()
    assert dict(COLUMN_ATTRS) == {name: image.attrs[name] for name in COLUMN_ATTRS}
    assert image.attrs["source"] == "a test"
    assert image.attrs["history"].startswith("no2sr: gridded 1 swath(s) at 0.05 degree")
    assert dataset["count"].dtype == np.int32
    for field in dataset.values():
        assert {"long_name", "units", "cell_methods"} <= set(field.attrs)


# ---------------------------------------------------------------------- pixels that are left out


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("column", np.nan),
        ("column", -np.inf),
        ("latitude_bounds", np.nan),
        ("latitude_bounds", 90.1),
        ("longitude_bounds", np.nan),
        ("longitude_bounds", 9.96921e36),
    ],
)
def test_bad_pixels_leave_no_trace(name, bad):
    latitude, longitude = sheared(shape=(5, 6))
    column = np.arange(30.0).reshape(5, 6)
    spoilt = make_swath(latitude, longitude, column, 1.0)
    spoilt[name].values[(2, 3) if name == "column" else (2, 3, 1)] = bad
    without = np.arange(30) != 2 * 6 + 3
    flat = (a.reshape(1, 30, -1)[:, without] for a in (latitude, longitude, column))
    latitude, longitude, column = flat
    clean = make_swath(latitude, longitude, column[..., 0], 1.0)
    xr.testing.assert_identical(grid_swaths([spoilt]), grid_swaths([clean]))


def test_a_pixel_that_holds_the_pole_is_left_out():
    pole = make_swath([[[89.9] * 4]], [[[0.0, 90, 180, 270]]], 1e9)
    beside = rectangles((0, 89.8, 0.5, 89.9), column=1.0)
    dataset = grid_swaths([pole, beside], bounds=(-180, 85, 180, 90), resolution=0.1)
    assert np.nanmax(dataset["column"]) == 1
    with pytest.raises(NoValidPixelsError, match="choose another region"):
        grid_swaths([pole])


@pytest.mark.parametrize("bounds", [None, (50.0, 0.0, 60.0, 10.0)])
def test_no_valid_pixel_is_refused(bounds):
    swath = rectangles((0, 0, 1, 1), column=np.nan if bounds is None else 1.0)
    with pytest.raises(
        NoValidPixelsError, match=r"in 1 swath.*lower the quality thresh"
    ) as refused:
        grid_swaths([swath], bounds=bounds)
    where = "corners within west, south, east, north (50.0, 0.0, 60.0, 10.0);"
    where = where if bounds else "corners;"
    assert where in str(refused.value)
    with pytest.raises(NoValidPixelsError, match=r"in 0 swath"):
        grid_swaths([], bounds=bounds)


# --------------------------------------------------------------------- around the Earth


@pytest.mark.parametrize("wrap", [-180.0, 0.0, 180.0])  # longitudes from wrap - 180 to wrap + 180
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_antimeridian_changes_nothing(wrap, kind):
    latitude, longitude = sheared(west=-1.01, south=40.01, shape=(20, 20))
    column = np.random.default_rng(0).normal(size=(20, 20))
    plain = grid_swaths([make_swath(latitude, longitude, column)])
    across = (longitude + 180 - wrap + 180) % 360 - 180 + wrap
    moved = grid_swaths([make_swath(latitude, across, column).astype(kind)])
    west, east = (moved["x"].values[n] for n in (0, -1))
    assert (west, east) == pytest.approx((plain["x"].values[0] + 180, plain["x"].values[-1] + 180))
    # Float32 has steps of 1.5e-5 degree at 180: 3e-4 of a cell on either side of a pixel, of
    # values that differ by a few.
    close = {"rtol": 0, "atol": 1e-5 if kind is np.float64 else 1e-2}
    np.testing.assert_allclose(moved["column"].values, plain["column"].values, **close)


def test_the_globe_closes():
    latitude, longitude = sheared(west=179.0, shape=(20, 20))
    column = np.random.default_rng(0).normal(size=(20, 20))
    swath = make_swath(latitude, longitude, column)
    region = grid_swaths([swath], resolution=0.1)
    for west in (-180, 0):
        globe = grid_swaths([swath], bounds=(west, -90, west + 360, 90), resolution=0.1)
        assert globe.sizes == {"y": 1800, "x": 3600}
        turned = globe.assign_coords(x=(globe["x"] + 1e-9) % 360 - 1e-9).sortby("x")
        part = turned.sel(y=region["y"], x=region["x"], method="nearest")
        np.testing.assert_allclose(part["column"], region["column"], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(part["count"], region["count"])
        assert globe["count"].sum() == region["count"].sum()


def test_pixels_all_around_make_a_global_grid():
    belt = rectangles(*((w, 0, w + 10, 5) for w in range(-180, 180, 10)))
    dataset = grid_swaths([belt], resolution=1)
    assert bounds_of(dataset["column"]) == (-180, 0, 180, 5)
    np.testing.assert_array_equal(dataset["column"], 1)
    np.testing.assert_array_equal(dataset["count"], 1)


def test_a_resolution_that_does_not_divide_the_globe():
    # 180 / 0.07 = 2571.4: the grid reaches from -180.04 to 180.04, so its first and last cells both
    # lie at the antimeridian, and the pixel across it fills both.
    pixel = rectangles((179.9, 0, 180.1, 0.7))
    dataset = grid_swaths([pixel], bounds=(-180, 0, 180, 0.7), resolution=0.07)
    np.testing.assert_array_equal(dataset["column"].values[:, [0, -1]], 1)
    assert dataset["coverage"].values[0, [0, -1]] == pytest.approx([1, 1])
    # -180.03 lies in the first cell, and is 179.97, where the last one begins.
    pixel = rectangles((-180.03, 0, -179.99, 0.7))
    dataset = grid_swaths([pixel], bounds=(-180, 0, 180, 0.7), resolution=0.07)
    assert dataset["coverage"].values[0, [0, -1]] == pytest.approx([4 / 7, 4 / 7])
    assert dataset["count"].values.sum() == 2 * 10


def test_a_region_is_cut_out_of_the_whole():
    swath = make_swath(*sheared(), np.random.default_rng(0).normal(size=(40, 30)))
    whole = grid_swaths([swath])
    part = grid_swaths([swath], bounds=(10.5, 40.5, 11, 41))
    inside = whole.sel(x=slice(10.5, 11), y=slice(41, 40.5))
    for name in whole:
        np.testing.assert_allclose(part[name], inside[name], rtol=0, atol=1e-6)


def test_a_lone_pixel_smaller_than_a_cell_has_an_image():
    dataset = grid_swaths([rectangles((10.01, 40.01, 10.02, 40.02))])
    check_image(dataset["column"])
    assert np.isfinite(dataset["column"].values).sum() == 1


@pytest.mark.parametrize(
    ("south", "rows"),
    [(40.3, (38, 41)), (-40.4, (-42, -40)), (89.9, (88, 90)), (0.0, (-2, 1)), (-90.0, (-90, -88))],
)
def test_around_a_lone_pixel_there_are_two_cells_each_way(south, rows):
    # A pixel of 0.1 degree gets 1.5 degrees: eastwards and, where the pole lets it, southwards; in
    # whole cells of 1 degree 10.3..11.8 is 10..12, and 40.4 down to 38.9 is 38..41.
    dataset = grid_swaths([rectangles((10.3, south, 10.4, south + 0.1))], resolution=1)
    assert bounds_of(dataset["column"]) == (10, rows[0], 12, rows[1])
    assert dataset["coverage"].sum() == pytest.approx(0.1 * 0.1)


# ----------------------------------------------------------------------------- several swaths


def test_several_swaths_equal_one():
    latitude, longitude = sheared(shape=(30, 10))
    column = np.random.default_rng(0).normal(size=(30, 10))
    whole = make_swath(latitude, longitude, column, 1.0)
    parts = [whole.isel(scanline=slice(n, n + 10)) for n in (0, 10, 20)]
    at_once = grid_swaths([whole]).drop_attrs()
    xr.testing.assert_identical(grid_swaths(parts).drop_attrs(), at_once)
    xr.testing.assert_identical(grid_swaths(iter(parts)).drop_attrs(), at_once)
    xr.testing.assert_allclose(grid_swaths(parts[::-1]).drop_attrs(), at_once, atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(-180, 179), st.integers(-80, 79)), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_the_order_of_swaths_does_not_matter(corners, random):
    swaths = [rectangles((w, s, w + 1.5, s + 1), column=n) for n, (w, s) in enumerate(corners)]
    together = grid_swaths([xr.concat(swaths, "scanline")], resolution=0.5)
    random.shuffle(swaths)
    apart = grid_swaths(swaths, resolution=0.5)
    # Which way around the Earth a range of longitudes runs may depend on the order; what the cells
    # hold may not.
    for dataset in (apart, together):
        dataset["x"] = (dataset["x"] + 180) % 360 - 180
    apart, together = (d.sortby("x").where(d["count"] > 0) for d in (apart, together))
    apart, together = (d.to_dataframe().dropna().sort_index() for d in (apart, together))
    np.testing.assert_allclose(np.stack(apart.index), np.stack(together.index))
    np.testing.assert_allclose(apart["column"], together["column"], atol=1e-6)
    np.testing.assert_array_equal(apart["count"], together["count"])


@pytest.mark.parametrize(
    ("ranges", "west", "east"),
    [
        ([(-175, -170), (170, 175)], 170, 190),
        ([(170, 175), (-175, -170)], 170, 190),
        ([(-175, -170), (-160, -150), (170, 175)], 170, 210),
        ([(-10, 5), (20, 30)], -10, 30),
        ([(-100, 80), (70, 200)], -100, 200),
        ([(-100, 80), (70, 200), (190, 265)], -180, 180),
        # With less than two cells free, the grid closes: a swath in them would meet both ends.
        ([(-100, 80), (80, 255), (78, 258)], -100, 258),
        ([(-100, 80), (80, 255), (79, 259)], -180, 180),
    ],
)
def test_the_grid_grows_the_shorter_way_around(ranges, west, east):
    swaths = [
        rectangles(*((w, 0, w + 5, 5) for w in range(first, last, 5)), systematic=2.0)
        for first, last in ranges
    ]
    dataset = grid_swaths(swaths, resolution=1, correlation=1)
    assert bounds_of(dataset["column"])[::2] == (west, east)
    longitudes = {w % 360 for first, last in ranges for w in range(first, last)}
    seen = dataset["x"].values[dataset["count"].values[0] > 0] - 0.5
    assert {int(x) % 360 for x in seen} == longitudes
    number = sum(last - first for first, last in ranges)  # of the cells in every row
    assert dataset["count"].sum() == 5 * number
    assert dataset[SYSTEMATIC].max() == dataset[SYSTEMATIC].min() == 2


@pytest.mark.parametrize("longitude", [-100, -8, 5, 100])
@pytest.mark.parametrize("latitude", [-60, -7, 6, 60])
def test_a_grid_grows_to_every_side_of_wherever_it_is(longitude, latitude):
    def square(east, north, column):
        west, south = longitude + east, latitude + north
        return rectangles((west, south, west + 2, south + 2), column=column)

    for east, north in itertools.product((-3, 0, 3), repeat=2):
        both = grid_swaths([square(0, 0, 1.0), square(east, north, 5.0)], resolution=1)
        west, south = longitude + min(east, 0), latitude + min(north, 0)
        bounds = west, south, west + 2 + abs(east), south + 2 + abs(north)
        assert bounds_of(both["column"]) == bounds
        assert both["count"].sum() == 8
        assert set(both) == {"column", "count", "coverage"}
        for i, j, column in ((0, 0, 1), (east, north, 5)):
            x, y = longitude + i + np.array([0.5, 1.5]), latitude + j + np.array([0.5, 1.5])
            wanted = 3 if east == north == 0 else column  # of 1 and 5, in the same place
            np.testing.assert_array_equal(both["column"].sel(x=x, y=y), wanted)


def test_swaths_that_see_the_same_cover_no_more_than_all():
    first = rectangles((0, 0, 1, 1), (1, 0, 1.75, 1), column=[1.0, 5.0])
    second = rectangles((0, 0, 1, 1), (1, 0, 1.5, 1), column=[3.0, 5.0])
    dataset = grid_swaths([first, second], bounds=(0, 0, 2, 2), resolution=1)
    np.testing.assert_array_equal(dataset["column"].values[1], [2, 5])
    np.testing.assert_array_equal(dataset["coverage"].values[1], [1, 1])  # 2 and 1.25 pixels' worth
    np.testing.assert_array_equal(dataset["count"].values[1], [2, 2])


def test_swaths_are_let_go_one_by_one():
    alive: list[weakref.ref] = []
    most = 0

    def orbits():
        nonlocal most
        for n in range(5):
            swath = rectangles((n, 0, n + 1, 1))
            alive.append(weakref.ref(swath))
            most = max(most, sum(ref() is not None for ref in alive))
            yield swath
            del swath

    dataset = grid_swaths(orbits(), resolution=1)
    assert dataset["count"].sum() == 5
    assert most == 1


def test_sources_are_named_once():
    swaths = [rectangles((0, 0, 1, 1)).assign_attrs(source=s) for s in ("b", "a", "b", "")]
    assert grid_swaths(swaths)["column"].attrs["source"] == "b; a"
    assert "source" not in grid_swaths([swaths[-1]])["column"].attrs


def test_a_grid_grows_at_any_resolution_where_it_meets_no_antimeridian():
    swaths = [rectangles((7, 0, 14, 7)), rectangles((0, 0, 7, 7)), rectangles((14, 0, 21, 14))]
    dataset = grid_swaths(swaths, resolution=0.7)
    assert bounds_of(dataset["column"]) == pytest.approx((0, 0, 21, 14))
    assert dataset["coverage"].sum().item() == pytest.approx(10 * 10 * 4)


def test_a_pixel_is_at_most_a_quarter_of_a_turn_wide():
    wide = rectangles((0, 0, 90, 1), (0, 0, 90.1, 1), column=[1.0, 1e9])
    dataset = grid_swaths([wide], bounds=(0, 0, 100, 2), resolution=1)
    np.testing.assert_array_equal(dataset["column"].values[1], [1] * 90 + [np.nan] * 10)


def test_swaths_that_meet_across_the_antimeridian_need_a_resolution_that_divides():
    swaths = [rectangles((-175, 0, -170, 1)), rectangles((175, 0, 176, 1))]
    with pytest.raises(SettingsError, match="give the bounds"):
        grid_swaths(swaths, resolution=0.7)


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "bounds",
    [
        (10, 0, 5, 1),
        (0, 1, 1, 0),
        (0, 0, 361, 1),
        (0, 0, 1, 91),
        (0, -91, 1, 0),
        (0, 0, 0, 1),
        (0, 1, 1, 1),
    ],
)
def test_bounds_that_are_no_box_are_refused(bounds):
    with pytest.raises(SettingsError, match=r"bounds are \(.*give \(west, south, east"):
        grid_swaths([rectangles((0, 0, 1, 1))], bounds=bounds)


@pytest.mark.parametrize("name", ["column", "latitude_bounds"])
def test_a_swath_without_the_variables_is_refused(name):
    with pytest.raises(MissingVariableError, match="open it with a swath reader"):
        grid_swaths([rectangles((0, 0, 1, 1)).drop_vars(name)])


def test_a_swath_in_another_unit_is_refused():
    swath = rectangles((0, 0, 1, 1))
    swath["column"].attrs["units"] = "umol m-2"
    with pytest.raises(UnitsError, match="multiply it"):
        grid_swaths([swath])


@pytest.mark.parametrize(
    "names", [["uncertainty_random"], ["longitude_bounds"], ["longitude_bounds", "latitude_bounds"]]
)
@pytest.mark.parametrize("error", [None, 1.0])
def test_a_swath_of_unequal_shapes_is_refused(names, error):
    swath = rectangles((0, 0, 1, 1), (1, 0, 2, 1), random=1.0)
    for name in names:
        swath[name] = swath[name].isel(ground_pixel=[0]).rename(ground_pixel="other")
    if error is None and names != ["uncertainty_random"]:
        swath = swath.drop_vars("uncertainty_random")
    with pytest.raises(DimensionError, match="the same scanlines and ground"):
        grid_swaths([swath])


def test_swaths_are_not_changed():
    swath = make_swath(*sheared(), 1.0, 1.0)
    before = swath.copy(deep=True)
    grid_swaths([swath])
    xr.testing.assert_identical(swath, before)


def test_compiled_anew_where_no_cache_can_be_written(monkeypatch):
    real = numba.njit

    def no_locator(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba, "njit", no_locator)
    assert overlap._jit(lambda x: x + 1)(1) == 2


# --------------------------------------------------------------------------- corners from centres


def spherical(place, shape, step):
    """Return points on the sphere, `step` degrees apart, in rows 60 degrees off east."""
    y, x = (step * (np.arange(n) - (n - 1) / 2) for n in shape)
    level = positions(*np.meshgrid(y, x, indexing="ij"))
    turn = Rotation.from_euler("xyz", [60, -place[0], place[1]], degrees=True)
    return turn.apply(level.reshape(-1, 3)).reshape(level.shape)


def angles(points):
    x, y, z = np.moveaxis(points, -1, 0)
    return np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.rad2deg(np.arctan2(y, x))


def positions(latitude, longitude):
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


@pytest.mark.parametrize("track", [(0, 0), (50, 180), (-70, 10), (90, 0)])
@pytest.mark.parametrize("shape", [(3, 2), (4, 3), (9, 12)])
def test_corners_of_a_known_swath(track, shape):
    # Vertices at odd, centres at even places of a grid of half steps (0.05 degree = 9e-4 rad).
    # Averages and linear extrapolation miss the sphere in second order, by (9e-4)**2 = 8e-7 rad and
    # what a row's shortening makes of it; half a pixel is 4.4e-4 rad, and 1 % of that bounds them.
    fine = spherical(track, (2 * shape[0] + 1, 2 * shape[1] + 1), 0.025)
    found = positions(*corners_from_centres(*angles(fine[1::2, 1::2])))
    vertices = np.moveaxis(fine[::2, ::2], -1, 0)
    wanted = np.stack([four(axis) for axis in vertices], axis=-1)
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    assert np.linalg.norm(found - wanted, axis=-1).max() < 0.01 * np.deg2rad(0.025)


@pytest.mark.parametrize("shape", [(3, 1), (1, 5), (2, 1)])
def test_pixels_of_a_single_line_are_square(shape):
    # Centres 0.1 degree apart on the equator: squares of 0.1 degree. A row of cos(0.1 degree) is
    # shorter by 1.5e-6.
    line = 0.1 * np.arange(max(shape)).reshape(shape)
    level = np.zeros(shape)
    latitude, longitude = (line, level) if shape[1] == 1 else (level, line)
    south, west = np.array([-0.05, -0.05, 0.05, 0.05]), np.array([-0.05, 0.05, 0.05, -0.05])
    bounds = corners_from_centres(latitude, longitude)
    np.testing.assert_allclose(bounds[0], latitude[..., None] + south, atol=1e-6)
    np.testing.assert_allclose(bounds[1], longitude[..., None] + west, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.booleans(), min_size=12, max_size=12), st.sampled_from([np.nan, 9.96921e36]))
def test_missing_centres_cost_no_neighbour_its_corners(missing, fill):
    # On a plane lattice every rule is exact or, for lack of neighbours, gives the pixel its own
    # spacing: a corner is never farther from its centre than the diagonal of a whole step.
    missing = np.reshape(missing, (4, 3))
    i, j = np.mgrid[:4, :3]
    latitude, longitude = 0.05 * i + 0.01 * j, 0.06 * j - 0.01 * i
    bounds = corners_from_centres(*(np.where(missing, fill, a) for a in (latitude, longitude)))
    finite = np.isfinite(bounds[0]).all(axis=-1)
    assert not finite[missing].any()
    valid = ~np.pad(missing, 1, constant_values=True)
    beside = valid[:-2, 1:-1] | valid[2:, 1:-1] | valid[1:-1, :-2] | valid[1:-1, 2:]
    assert finite[~missing & beside].all()
    for corner, centre in zip(bounds, (latitude, longitude), strict=True):
        assert np.abs(corner - centre[..., None])[finite].max(initial=0) < 0.08


@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (5, 2)])
@pytest.mark.parametrize("lean", [-2e-3, 2e-3])
def test_corners_of_a_leaning_lattice(shape, lean):
    # Pixels are parallelograms between half steps. What the sphere does to a step of 5e-3 degree
    # (9e-5 rad) is of second order: 8e-9 rad, or 5e-7 degree.
    i, j = np.mgrid[: shape[0], : shape[1]]
    latitude, longitude = 4e-3 * i + lean * j, 5e-3 * j - lean * i
    bounds = corners_from_centres(latitude, longitude)
    down, right = np.array([-0.5, -0.5, 0.5, 0.5]), np.array([-0.5, 0.5, 0.5, -0.5])
    for corner, centre, step in zip(
        bounds, (latitude, longitude), ((4e-3, lean), (-lean, 5e-3)), strict=True
    ):
        wanted = centre[..., None] + step[0] * down + step[1] * right
        np.testing.assert_allclose(corner, wanted, rtol=0, atol=1e-6)


def test_a_pixel_without_neighbours_has_no_size():
    assert np.isnan(corners_from_centres([[1.0]], [[2.0]])).all()


def test_a_hole_is_bridged_exactly_on_a_plane_lattice():
    i, j = np.mgrid[:5, :6]
    latitude, longitude = 1e-3 * (5 * i + j), 1e-3 * (6 * j - i)
    whole = corners_from_centres(latitude, longitude)
    latitude[2, 3] = np.nan
    holed = corners_from_centres(latitude, longitude)
    for with_hole, without in zip(holed, whole, strict=True):
        assert np.isnan(with_hole[2, 3]).all()
        others = np.isfinite(with_hole)
        assert others.sum() == 4 * 29
        np.testing.assert_allclose(with_hole[others], without[others], atol=1e-9)


@pytest.mark.parametrize("shapes", [[(1, 3, 4)] * 2, [(3,)] * 2, [(3, 4), (4, 3)], [(3, 4), (3,)]])
def test_centres_of_other_shapes_are_refused(shapes):
    with pytest.raises(DimensionError, match="on the same"):
        corners_from_centres(*map(np.zeros, shapes))


def test_swaths_without_corners_are_gridded_from_centres():
    latitude, longitude = sheared()
    known = make_swath(latitude, longitude, np.random.default_rng(0).normal(size=(40, 30)))
    bare = known.drop_vars(["latitude_bounds", "longitude_bounds"]).assign(
        latitude=(DIMS, latitude.mean(axis=-1)), longitude=(DIMS, longitude.mean(axis=-1))
    )
    bounds = (10.5, 40.5, 11.5, 41.5)
    found, wanted = (grid_swaths([s], bounds=bounds)["column"].values for s in (bare, known))
    # The lattice is flat in degrees, not on the sphere: corners differ by a parallel's bend over
    # a pixel, 0.08**2 / 8 * sin(80 degrees) / 2 * pi / 180 = 7e-6 degree: 1.4e-4 of a cell on each
    # side, for values that differ by a few.
    np.testing.assert_allclose(found, wanted, atol=5e-3)


# -------------------------------------------------------------------------------- real files


def harp_swath(folder):
    with netCDF4.Dataset(folder / "harp" / "harp_l2_region.nc") as file:
        column = file["tropospheric_NO2_column_number_density"][:].filled(np.nan)
        bounds = (file[n][:].filled(np.nan)[None] for n in ("latitude_bounds", "longitude_bounds"))
        return make_swath(*bounds, column[None])


@pytest.mark.real_data
def test_values_and_gaps_are_those_of_harp(real_data):
    with netCDF4.Dataset(real_data / "harp" / "harp_l3_bounds_only.nc") as file:
        column = file["tropospheric_NO2_column_number_density"][0].filled(np.nan)[::-1]
        south, north = file["latitude_bounds"][0, 0], file["latitude_bounds"][-1, 1]
        west, east = file["longitude_bounds"][0, 0], file["longitude_bounds"][-1, 1]
    image = grid_swaths([harp_swath(real_data)], bounds=(west, south, east, north))["column"].values
    np.testing.assert_array_equal(np.isnan(image), np.isnan(column))
    np.testing.assert_allclose(image, column, rtol=0, atol=1e-5 * np.nanstd(column))


@pytest.mark.real_data
def test_overlaps_of_real_pixels_are_those_of_shapely(real_data):
    swath = harp_swath(real_data)
    for k in range(0, swath.sizes["ground_pixel"], 250):
        pixel = swath.isel(ground_pixel=[k])
        latitude, longitude = (pixel[f"{n}_bounds"].values[0, 0] for n in ("latitude", "longitude"))
        bounds = longitude.min(), latitude.min(), longitude.max(), latitude.max()
        found = weights_of(pixel, bounds, 0.05).weight
        wanted = shares_by_shapely(latitude, longitude, bounds, 0.05)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


@pytest.mark.real_data
def test_real_subsets_without_corners_can_be_gridded(real_data):
    seen = 0
    for path in sorted((real_data / "s5p_l2").glob("*.nc4")):
        with netCDF4.Dataset(path) as file:
            if "PRODUCT" not in file.groups:
                continue
            names = ("latitude", "longitude")
            latitude, longitude = (file["PRODUCT"][n][0].filled(np.nan) for n in names)
        swath = xr.Dataset(
            {
                "column": (DIMS, np.ones(latitude.shape, dtype=np.float32)),
                "latitude": (DIMS, latitude),
                "longitude": (DIMS, longitude),
            }
        )
        dataset = grid_swaths([swath], resolution=0.01)
        valid = np.isfinite(latitude)
        # Pixels are 3.5 to 14 km across and 5.5 or 7 km along, cells 1.11 x 0.98 km at 28 degrees
        # north: 17 to 90 cells each.
        cells = dataset["coverage"].values.sum() / valid.sum()
        assert 17 < cells < 90
        assert dataset["coverage"].max() <= 1
        seen += 1
    assert seen == 19


@pytest.mark.parametrize(
    "resolution", [0, -1, float("nan"), float("inf"), 9.9e-6, 10.1, 10**400, 1j, [1], "a", None]
)
def test_a_resolution_out_of_range_is_refused_before_any_pixel_is_read(resolution):
    with pytest.raises(SettingsError, match="give degrees from 1e-05 to 10,"):
        grid_swaths(iter(()), resolution=resolution)


@pytest.mark.parametrize("resolution", [1e-5, 10])
def test_the_outermost_resolutions_are_taken(resolution):
    box = (0, 0, 2 * resolution, 2 * resolution)
    dataset = grid_swaths([rectangles(box)], bounds=box, resolution=resolution)
    np.testing.assert_allclose(dataset["coverage"], np.ones((2, 2)), rtol=1e-6)


@pytest.mark.parametrize("bounds", [(0, 0, 90, 90), (-90, 0, 0, 90), (0, -90, 90, 0)])
def test_a_grid_too_large_to_hold_is_refused(bounds):
    with pytest.raises(SettingsError, match=r"has 8\.1e\+11 cells.*or a smaller region"):
        grid_swaths([rectangles((0, 0, 1, 1))], bounds=bounds, resolution=1e-4)


def test_where_a_grid_lies_makes_it_no_larger():
    for bounds in ((178, 88, 179, 89), (-179, -89, -178, -88)):
        assert make_empty_sums(bounds, 1 / 2000).weight.shape == (2000, 2000)


def test_lazy_means_are_the_same_and_nothing_is_computed():
    swath = make_swath(*sheared(), 1.0, 0.5)
    eager, lazy = grid_swaths([swath]), grid_swaths([swath], lazy=True)
    assert all(field.chunks is not None for field in lazy.data_vars.values())
    xr.testing.assert_identical(lazy.compute(), eager)
