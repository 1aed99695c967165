"""Swaths and curvilinear grids of any program: other names, corners, groups, orders and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from catalogue import Case, Map, Refused, named, try_case
from makers import LATITUDE, LONGITUDE, MOLECULES, column, column_at
from opening import open_column
from pyproj import CRS, Transformer

import no2sr
from no2sr.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO2 = column()
LON, LAT = np.meshgrid(LONGITUDE, LATITUDE)
AROUND = np.array([-0.25, -0.25, 0.25, 0.25]), np.array([-0.25, 0.25, 0.25, -0.25])
LAT4, LON4 = LAT[..., None] + AROUND[0], LON[..., None] + AROUND[1]
NORTH, EAST = {"units": "degrees_north"}, {"units": "degrees_east"}
GRID = {"resolution": 0.5, "bbox": (76, 26, 81, 30)}
NAME = "tropospheric_no2_column"
Fields = dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]


def _file(fields: Fields) -> Callable[[Path], Path]:
    """Return a writer of a file with variables: dims, values and attributes by path."""

    def make(d: Path) -> Path:
        path = d / "pixels.nc"
        with netCDF4.Dataset(path, "w") as file:
            for where, (dims, values, attrs) in fields.items():
                array = np.asarray(values)
                for dim, size in zip(dims, array.shape, strict=True):
                    if dim not in file.dimensions:
                        file.createDimension(dim, size)
                kind = "f8" if array.dtype.kind == "f" else array.dtype
                variable = file.createVariable(where, kind, dims)
                variable.setncatts(attrs)
                variable[:] = array
        return path

    return make


def _swath(
    lat: str = "latitude",
    lon: str = "longitude",
    *,
    attrs: tuple[dict[str, Any], dict[str, Any]] = (NORTH, EAST),
    no2: dict[str, Any] | None = None,
    more: Fields | None = None,
    **changed: Any,
) -> Callable[[Path], Path]:
    places = changed.get("places", (LAT, LON))
    dims = changed.get("dims", ("rows", "columns"))
    return _file(
        {
            lat: (changed.get("place_dims", dims), places[0], attrs[0]),
            lon: (changed.get("place_dims", dims), places[1], attrs[1]),
            changed.get("name", NAME): (
                dims,
                changed.get("values", NO2),
                {"units": "umol m-2", **(no2 or {})},
            ),
            **(more or {}),
        }
    )


def _gridded(name: str, make: Callable[[Path], Path], values: Any = NO2, **how: Any) -> Case:
    outcome = Map(values=values, tolerance=how.pop("tolerance", 2e-3), **how.pop("expected", {}))
    return Case(name=name, make=make, outcome=outcome, settings={**GRID, **how})


def _corners(lat: str, lon: str, values: Any = (LAT4, LON4), **how: Any) -> Callable[[Path], Path]:
    """Return a writer of a swath with corners, whose centres alone would not do."""
    dims = how.pop("corner_dims", ("rows", "columns", "corner"))
    more = {lat: (dims, values[0], {}), lon: (dims, values[1], {})}
    return _swath(places=(LAT + 0.1, LON - 0.07), more=more, **how)


def _edges() -> tuple[Any, Any]:
    y, x = np.append(LATITUDE + 0.25, 26.0), np.append(LONGITUDE - 0.25, 81.0)
    lon, lat = np.meshgrid(x, y)
    return lat, lon


def _flat(a: Any) -> Any:
    return a.reshape(80, *a.shape[2:])


def _omi(d: Path) -> Path:
    """Write the groups of HDF-EOS, whose dimensions have no names in common."""
    import h5py

    path = d / "omno2.he5"
    swath = "HDFEOS/SWATHS/ColumnAmountNO2"
    molecules = 1e-6 * NO2 * MOLECULES
    flags = np.zeros((8, 10), "u2")
    flags[3, 4] = 1
    molecules[3, 4] = 9e17
    with h5py.File(path, "w") as file:
        fields = {
            "Data Fields/ColumnAmountNO2Trop": molecules.astype("f4"),
            "Data Fields/ColumnAmountNO2TropStd": (0.1 * molecules).astype("f4"),
            "Data Fields/VcdQualityFlags": flags,
            "Data Fields/XTrackQualityFlags": np.zeros((8, 10), "u1"),
            "Geolocation Fields/Latitude": (LAT + 0.1).astype("f4"),
            "Geolocation Fields/Longitude": LON.astype("f4"),
            "Geolocation Fields/SpacecraftLatitude": LATITUDE.astype("f4"),
            "Geolocation Fields/FoV75CornerLatitude": np.moveaxis(LAT4, -1, 0).astype("f4"),
            "Geolocation Fields/FoV75CornerLongitude": np.moveaxis(LON4, -1, 0).astype("f4"),
        }
        for name, values in fields.items():
            file[f"{swath}/{name}"] = values
        for name in ("ColumnAmountNO2Trop", "ColumnAmountNO2TropStd"):
            file[f"{swath}/Data Fields/{name}"].attrs["Units"] = np.bytes_("molec/cm2")
            file[f"{swath}/Data Fields/{name}"].attrs["MissingValue"] = np.float32(-1.2676506e30)
    return path


POLE = CRS.from_cf(
    {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
    }
)


def _rotated(*, with_degrees: bool) -> Callable[[Path], Path]:
    y, x = -1.0 + 0.1 * np.arange(20), -2.0 + 0.1 * np.arange(24)
    lon, lat = Transformer.from_crs(POLE, "EPSG:4326", always_xy=True).transform(*np.meshgrid(x, y))
    axis = {"units": "degrees"}
    fields: Fields = {
        "rlat": (("rlat",), y, {**axis, "standard_name": "grid_latitude"}),
        "rlon": (("rlon",), x, {**axis, "standard_name": "grid_longitude"}),
        "rotated_pole": (
            (),
            np.int32(0),
            {
                "grid_mapping_name": "rotated_latitude_longitude",
                "grid_north_pole_latitude": 39.25,
                "grid_north_pole_longitude": -162.0,
            },
        ),
        NAME: (
            ("rlat", "rlon"),
            column_at(lon, lat),
            {"units": "umol m-2", "grid_mapping": "rotated_pole"},
        ),
    }
    if with_degrees:
        fields |= {"lat": (("rlat", "rlon"), lat, NORTH), "lon": (("rlat", "rlon"), lon, EAST)}
        fields[NAME][2]["coordinates"] = "lon lat"
    return _file(fields)


UNSTATED: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
SAID = ({"standard_name": "latitude"}, {"standard_name": "longitude"})
NAMES = [
    ("lat", "lon"),
    ("XLAT", "XLONG"),
    ("nav_lat", "nav_lon"),
    ("Latitude", "Longitude"),
    ("lats", "lons"),
    ("TLAT", "TLONG"),
    ("lat_rho", "lon_rho"),
    ("xlat", "xlong"),
    ("gphit", "glamt"),
    ("LATITUDE", "LONGITUDE"),
    ("lat2d", "lon2d"),
]
CASES = [
    *(_gridded(f"called {n[0]}", _swath(*n, attrs=UNSTATED)) for n in NAMES),
    _gridded("known by standard names", _swath("a", "b", attrs=SAID)),
    _gridded("known by units", _swath("a", "b")),
    _gridded("corners beside", _corners("latitude_bounds", "longitude_bounds")),
    _gridded(
        "corners that are linked",
        _corners(
            "edges_y",
            "edges_x",
            attrs=(NORTH | {"bounds": "edges_y"}, EAST | {"bounds": "edges_x"}),
        ),
    ),
    _gridded("corners called latc", _corners("latc", "lonc")),
    _gridded(
        "corners in front",
        _corners(
            "lat_corners",
            "lon_corners",
            tuple(np.moveaxis(c, -1, 0) for c in (LAT4, LON4)),
            corner_dims=("corner", "rows", "columns"),
        ),
    ),
    _gridded(
        "corners from row to row",
        _corners("lat_bnds", "lon_bnds", tuple(c[..., [0, 1, 3, 2]] for c in (LAT4, LON4))),
    ),
    _gridded(
        "vertices",
        _corners("lat_vertices", "lon_vertices", _edges(), corner_dims=("rows_1", "columns_1")),
    ),
    _gridded(
        "a leading time of 1",
        _swath(
            values=NO2[None],
            dims=("time", "rows", "columns"),
            places=(LAT[None], LON[None]),
        ),
    ),
    _gridded(
        "a leading time of 1 of the column alone",
        _swath(values=NO2[None], dims=("time", "rows", "columns"), place_dims=("rows", "columns")),
    ),
    _gridded("places turned", _swath(places=(LAT.T, LON.T), place_dims=("columns", "rows"))),
    _gridded("longitudes from 0 to 360", _swath(places=(LAT, LON % 360))),
    _gridded(
        "radians",
        _swath(
            "clat",
            "clon",
            places=(np.deg2rad(LAT), np.deg2rad(LON)),
            attrs=({"units": "radian"}, {"units": "radian"}),
        ),
    ),
    _gridded(
        "a group",
        _swath("geo/lat", "geo/lon", name=f"data/{NAME}", dims=("rows", "columns")),
    ),
    _gridded(
        "a list of pixels with corners",
        _swath(
            places=(_flat(LAT), _flat(LON)),
            values=_flat(NO2),
            dims=("time",),
            more={
                "latitude_bounds": (("time", "corner"), _flat(LAT4), {}),
                "longitude_bounds": (("time", "corner"), _flat(LON4), {}),
            },
        ),
    ),
    _gridded(
        "quality beside",
        _swath(more={"qa_value": (("rows", "columns"), np.where(LON > 80, 0.4, 0.9), {})}),
        values=np.where(LON > 80, np.nan, NO2),
    ),
    _gridded(
        "quality beside, and a threshold",
        _swath(more={"qa_value": (("rows", "columns"), np.where(LON > 80, 0.4, 0.9), {})}),
        qa_min=0.3,
    ),
    _gridded(
        "fills for places",
        _swath(places=(np.where(LON > 80.5, -999, LAT), np.where(LON > 80.5, -999, LON))),
        values=np.where(LON > 80.5, np.nan, NO2),
    ),
    _gridded(
        "OMI in HDF-EOS",
        _omi,
        values=np.where((LATITUDE[3] == LAT) & (LONGITUDE[4] == LON), np.nan, NO2),
        tolerance=0.02,
    ),
    Case(
        name="points without corners",
        make=_swath(places=(_flat(LAT), _flat(LON)), values=_flat(NO2), dims=("time",)),
        outcome=Refused(
            error=errors.MissingVariableError, says="list of 80 points without the corners"
        ),
    ),
    Case(
        name="levels",
        make=_swath(
            values=np.stack([NO2] * 3),
            dims=("level", "rows", "columns"),
            place_dims=("rows", "columns"),
        ),
        outcome=Refused(error=errors.DimensionError, says="3 values of level for every pixel"),
    ),
    Case(
        name="several times",
        make=_swath(
            values=np.stack([NO2] * 2),
            dims=("Time", "rows", "columns"),
            place_dims=("rows", "columns"),
        ),
        outcome=Refused(error=errors.DimensionError, says="ncks -d Time,0"),
    ),
    Case(
        name="a threshold without quality",
        make=_swath(),
        outcome=Refused(error=errors.SettingsError, says="has no qa_value"),
        settings={"qa_min": 0.5},
    ),
    Case(
        name="another gas",
        make=_swath(name="hcho_column"),
        outcome=Refused(error=errors.MissingVariableError, says="no tropospheric NO2 column"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_curvilinear(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)


@pytest.mark.parametrize("with_degrees", [True, False])
def test_a_rotated_pole(with_degrees, tmp_path):
    path = _rotated(with_degrees=with_degrees)(tmp_path)
    image = open_column(path, resolution=0.1)
    inside = image[4:-4, 4:-4]
    assert np.isfinite(inside.values).mean() > 0.8
    wanted = 1e-6 * column_at(*np.meshgrid(inside["x"], inside["y"]))
    np.testing.assert_allclose(
        inside.values, np.where(np.isfinite(inside), wanted, np.nan), atol=2e-7
    )


def test_a_slanted_swath_of_one_value_is_that_value(tmp_path):
    places = (LAT + 0.1 * (LON - 76), LON - 0.15 * (LAT - 26))
    image = open_column(_swath(places=places, values=np.full((8, 10), 50.0))(tmp_path))
    seen = image.values[np.isfinite(image.values)]
    np.testing.assert_allclose(seen, 5e-5, rtol=1e-6)
    assert seen.size > 50


def test_a_swath_in_a_zarr_store_gets_a_way(tmp_path, no2sr_command):
    with xr.open_dataset(_swath()(tmp_path)) as swath:
        placed = swath.set_coords(["latitude", "longitude"])
        placed.to_zarr(tmp_path / "swath.zarr", zarr_format=2, consolidated=True)
    refused = no2sr_command("downscale", tmp_path / "swath.zarr", tmp_path / "fine.tif")
    assert (refused.code, len(refused.errors)) == (1, 1)
    assert "to_netcdf('swath.nc')" in refused.err


def test_every_command_takes_a_swath(tmp_path, no2sr_command):
    path = _swath()(tmp_path)
    for words in (["info", path], ["grid", path, tmp_path / "l3.nc"]):
        told = no2sr_command(*words)
        assert (told.code, told.errors) == (0, []), told.err
    assert "swath or curvilinear grid" in no2sr_command("info", path).out
    assert isinstance(no2sr.open_no2(path), object)
