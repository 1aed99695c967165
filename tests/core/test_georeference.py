"""The self-locating image: every pixel holds its own coordinate, so a shift cannot hide.

An image travels enter -> refine -> write -> read back, or -> leave. Whatever a fine pixel says,
it must be the centre of the coarse cell that the pixel lies in, computed here from west, north and
step alone.
"""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr.core.door import enter, leave
from no2sr.core.grid import bounds_of, refine, shave, transform_of
from no2sr.writers.dispatch import write

# name: (west, north, columns, rows, cell width, cell height, CRS)
GRIDS = {
    "india": (76.0, 29.5, 20, 16, 0.125, 0.125, None),
    "not_square": (-71.5, -16.5, 12, 9, 0.25, 0.1, None),
    "west_as_0_360": (200.0, 10.0, 12, 10, 0.5, 0.5, None),
    "antimeridian_0_360": (177.0, -15.0, 12, 10, 0.5, 0.5, None),
    "greenwich_0_360": (357.0, 52.0, 12, 10, 0.5, 0.5, None),
    "globe": (-180.0, 90.0, 36, 18, 10.0, 10.0, None),
    "globe_0_360": (0.0, 90.0, 36, 18, 10.0, 10.0, None),
    "utm": (232153.3523, 3856746.1228, 14, 11, 3218.37, 3218.19, "EPSG:32611"),
}


def self_locating(
    name: str, which: str, *, south_first=False, east_first=False, wrapped=False, x_major=False
) -> xr.DataArray:
    """Make a friendly image whose values are its x or y labels."""
    west, north, nx, ny, dx, dy, crs = GRIDS[name]
    x = west + dx * (np.arange(nx) + 0.5)
    y = north - dy * (np.arange(ny) + 0.5)
    if wrapped:
        x = (x + 180) % 360 - 180  # stored with a jump: 179.75, -179.75
    y = y[::-1] if south_first else y
    x = x[::-1] if east_first else x
    values = np.broadcast_to(x if which == "x" else y[:, None], (ny, nx)).astype(np.float32)
    names = ("y", "x") if crs else ("lat", "lon")
    image = xr.DataArray(
        values,
        dims=names,
        coords={names[0]: y, names[1]: x},
        name="no2",
        attrs={"units": "mol m-2", "long_name": "own coordinate"},
    )
    image = image.transpose() if x_major else image
    return image.rio.write_crs(crs) if crs else image


def parents(centres: np.ndarray, first_edge: float, cell: float) -> np.ndarray:
    """Return the centre of the coarse cell that holds each fine centre."""
    return first_edge + cell * (np.floor((centres - first_edge) / cell) + 0.5)


def check_pixels(
    values: np.ndarray, y: np.ndarray, x: np.ndarray, *, name: str, which: str
) -> None:
    """Assert that each pixel says where its coarse cell is."""
    west, north, _, _, dx, dy, crs = GRIDS[name]
    if which == "y":
        expected = np.broadcast_to(parents(y, north, -dy)[:, None], values.shape)
        off = values - expected
    else:
        off = values - np.broadcast_to(parents(x, west, dx), values.shape)
        off = off if crs else (off + 180) % 360 - 180
    # float32 holds a UTM northing to 0.25 m, a longitude to 2e-5 degrees.
    assert np.abs(off).max() <= (0.5 if crs else 2e-5)


@pytest.mark.parametrize("which", ["x", "y"])
@pytest.mark.parametrize("south_first", [False, True])
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("suffix", [".tif", ".nc"])
def test_pixels_say_where_they_are_in_the_file(*, name, south_first, which, suffix, tmp_path):
    given_image = self_locating(name, which, south_first=south_first)
    coarse = enter(given_image)
    fine = refine(coarse, 3)
    path = write(fine, tmp_path / f"fine{suffix}")
    if suffix == ".tif":
        with rasterio.open(path) as file:
            values, t, bounds, crs = file.read(1), file.transform, file.bounds, file.crs
        assert t.e < 0 < t.a, "north up"
        y = t.f + t.e * (np.arange(values.shape[0]) + 0.5)
        x = t.c + t.a * (np.arange(values.shape[1]) + 0.5)
    else:
        with xr.open_dataset(path, decode_coords="all") as file:
            values, crs = file["no2"].values, file["no2"].rio.crs
            y, x = (file["no2"][dim].values for dim in file["no2"].dims)
            bounds = file.rio.set_spatial_dims(*file["no2"].dims[::-1]).rio.bounds(recalc=True)
    check_pixels(values, y, x, name=name, which=which)
    west, north, nx, ny, dx, dy, stated = GRIDS[name]
    turn = 360 * round((bounds[0] - west) / 360) if not stated and nx * dx < 360 else 0
    west = -180 if nx * dx == 360 and not stated else west + turn
    expected = (west, north - ny * dy, west + nx * dx, north)
    np.testing.assert_allclose(tuple(bounds), expected, rtol=1e-12, atol=1e-9)
    assert crs.to_epsg() == int((stated or "EPSG:4326")[5:])
    if not stated:
        assert -180 <= bounds[0] < 180


@pytest.mark.parametrize("which", ["x", "y"])
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"south_first": True},
        {"east_first": True},
        {"x_major": True},
        {"south_first": True, "east_first": True, "x_major": True},
    ],
    ids=lambda form: "+".join(form) or "plain",
)
@pytest.mark.parametrize("as_dataset", [False, True])
def test_pixels_say_where_they_are_after_leaving(name, form, which, as_dataset):
    image = self_locating(name, which, **form)
    dataset = image.to_dataset() if as_dataset else image
    out = leave(refine(enter(dataset), 2), dataset)
    assert type(out) is type(dataset)
    fine = out["no2"] if as_dataset else out
    assert fine.dims == image.dims
    y_name, x_name = ("y", "x") if name == "utm" else ("lat", "lon")
    flat = fine.transpose(y_name, x_name)
    y, x = flat[y_name].values, flat[x_name].values
    check_pixels(flat.values, y, x, name=name, which=which)
    # Direction and longitude convention are those it came with: all labels within the old extent.
    for new, old in ((y, image[y_name].values), (x, image[x_name].values)):
        assert np.sign(new[1] - new[0]) == np.sign(old[1] - old[0])
        half = abs(old[1] - old[0]) / 2
        assert new.min() > old.min() - half
        assert new.max() < old.max() + half


@pytest.mark.parametrize("name", ["antimeridian_0_360", "greenwich_0_360"])
@pytest.mark.parametrize("which", ["x", "y"])
def test_an_axis_stored_with_a_jump_is_joined_and_split_again(name, which):
    image = self_locating(name, which, wrapped=True)
    coarse = enter(image)
    west = GRIDS[name][0]
    assert bounds_of(coarse)[0] == (west if west < 180 else west - 360)
    assert np.all(np.diff(coarse["x"].values) > 0)
    out = leave(refine(coarse, 2), image)
    assert np.abs(out["lon"].values).max() < 180
    x = (out["lon"].values - west) % 360 + west
    check_pixels(out.values, out["lat"].values, x, name=name, which=which)


@pytest.mark.parametrize("name", GRIDS)
def test_shaving_cuts_the_bounds_by_exactly_the_pixels_shaved(name):
    image = self_locating(name, "x", south_first=True)
    coarse = enter(image)
    west, south, east, north = bounds_of(coarse)
    fine = shave(refine(coarse, 4), 6)
    dx, dy = (GRIDS[name][k] / 4 for k in (4, 5))
    expected = (west + 6 * dx, south + 6 * dy, east - 6 * dx, north - 6 * dy)
    np.testing.assert_allclose(bounds_of(fine), expected, rtol=1e-12, atol=1e-9)
    out = leave(fine, image)
    y_name, x_name = image.dims
    check_pixels(out.values, out[y_name].values, out[x_name].values, name=name, which="x")


@pytest.mark.parametrize("south_first", [False, True])
@pytest.mark.parametrize("name", GRIDS)
def test_the_stored_transform_never_drifts_from_the_labels(name, south_first):
    image = self_locating(name, "x", south_first=south_first)
    fine = refine(enter(image), 4)
    stored, found = fine.rio.transform(), fine.rio.transform(recalc=True)
    np.testing.assert_allclose(np.asarray(stored), np.asarray(found), rtol=1e-9, atol=1e-9)
    if name == "utm":  # the friendly side keeps a transform only where it came with one
        dataset = enter(image)
        flipped = dataset.isel(y=slice(None, None, -1)).rio.write_transform()
        out = leave(fine, flipped)
        stored, found = out.rio.transform(), out.rio.transform(recalc=True)
        np.testing.assert_allclose(np.asarray(stored), np.asarray(found), rtol=1e-9, atol=1e-9)
        assert stored.e > 0


def test_a_transform_with_all_its_digits_survives_the_whole_way(tmp_path):
    # A UTM raster as a warp leaves it. Its centres, less half a cell, lose the last digits.
    t = Affine(3218.3708287128707, 0, 232153.3523, 0, -3218.1930260869567, 3856746.1228)
    path = tmp_path / "in.tif"
    values = np.ones((69, 101), np.float32)
    profile = {"driver": "GTiff", "width": 101, "height": 69, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, crs="EPSG:32611", transform=t) as file:
        file.write(values, 1)
    with xr.open_dataarray(path, engine="rasterio") as read:
        image = read.load().assign_attrs(units="mol m-2")
    coarse = enter(image)
    assert tuple(transform_of(coarse)) == tuple(t)
    with rasterio.open(write(coarse, tmp_path / "out.tif")) as file:
        assert tuple(file.transform) == tuple(t)


@settings(deadline=None, max_examples=40)
@given(
    column=st.integers(-720, 1439),
    width=st.integers(2, 60),
    top=st.integers(-80, 88),
    height=st.integers(2, 40),
    scale=st.integers(1, 5),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_any_quarter_degree_grid_is_entered_and_left_in_place(
    *, column, width, top, height, scale, flips
):
    # Longitudes from -180 to 360 and beyond, either direction, as one unbroken axis.
    x = 0.25 * (column + np.arange(width)) + 0.125
    y = top - 0.25 * np.arange(height) - 0.125
    x, y = (x[::-1] if flips[0] else x), (y[::-1] if flips[1] else y)
    values = np.broadcast_to(x, (y.size, width)).astype(np.float32)
    image = xr.DataArray(values, {"lat": y, "lon": x}, ("lat", "lon"), attrs={"units": "DU"})
    image = image.transpose() if flips[2] else image
    coarse = enter(image)
    assert -180 <= bounds_of(coarse)[0] < 180
    off = coarse.values - coarse["x"].values
    assert np.abs((off + 180) % 360 - 180).max() < 2e-5
    xr.testing.assert_identical(leave(coarse, image), image)
    fine = leave(refine(coarse, scale), image)
    assert fine.sizes["lon"] == width * scale
    assert np.abs(fine - fine["lon"]).max() <= 0.125 * (1 - 1 / scale) + 4e-5
