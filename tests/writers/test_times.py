"""Files say when their scene was observed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr

from no2sr.core.grid import regular_grid
from no2sr.core.image import COLUMN_ATTRS
from no2sr.core.layers import COUNT, TOTAL, assemble_scene
from no2sr.core.spans import parse_span
from no2sr.core.times import date_scene
from no2sr.writers.dispatch import write


@pytest.fixture
def scene() -> xr.Dataset:
    grid = regular_grid((76, 29.3, 76.25, 29.5), 0.0125)
    column = grid.copy(data=np.full(grid.shape, 3e-5, np.float32)).rename("no2")
    layers = {TOTAL: column.copy(), COUNT: column.copy(data=np.ones(grid.shape, np.float32))}
    return assemble_scene(column.assign_attrs(COLUMN_ATTRS), layers)


def check(path: Path) -> str:
    program = Path(sys.executable).with_name("compliance-checker")
    line = [program, "-t", "cf:1.11", "-c", "strict", path]
    return subprocess.run(line, check=False, capture_output=True, text=True).stdout


def stacked(scene: xr.Dataset) -> xr.Dataset:
    parts = [date_scene(scene, parse_span(month)) for month in ("2020-01", "2020-02")]
    return xr.concat(
        parts,
        "time",
        data_vars="all",
        coords=["time_bnds"],
        compat="override",
        join="override",
        combine_attrs="override",
    )


def test_a_dated_scene_complies_with_cf(scene, tmp_path):
    one = write(date_scene(scene, parse_span("2020-01")), tmp_path / "one.nc")
    assert "All tests passed!" in check(one), check(one)
    two = write(stacked(scene), tmp_path / "two.nc")
    assert "All tests passed!" in check(two), check(two)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_any_user_of_xarray_selects_by_time(scene, tmp_path, suffix):
    parts = [
        write(date_scene(scene, parse_span(month)), tmp_path / f"{month}{suffix}")
        for month in ("2020-01", "2020-02")
    ]
    engine = "netcdf4" if suffix == ".nc" else "zarr"
    with xr.open_mfdataset(parts, engine=engine, decode_coords="all") as files:
        assert set(scene.data_vars) <= set(files.data_vars)
        assert files["no2"].sel(time="2020-02").sizes["time"] == 1
        expected = [list(parse_span(month)) for month in ("2020-01", "2020-02")]
        np.testing.assert_array_equal(files["time_bnds"], expected)


def test_bounds_are_stored_like_their_times(scene, tmp_path):
    path = write(
        date_scene(scene, parse_span("2020-01-05T10:00/2020-01-05T10:30")), tmp_path / "a.nc"
    )
    with netCDF4.Dataset(path) as file:
        assert file["time"].bounds == "time_bnds"
        assert file["time_bnds"].dimensions == ("time", "nv")
        assert file["time_bnds"].ncattrs() == []
        assert file["time_bnds"].dtype == file["time"].dtype
        np.testing.assert_array_equal(file["time_bnds"][0], file["time"][0] + np.array([0, 1800]))
        assert file["no2"].dimensions == ("time", "latitude", "longitude")


def test_a_geotiff_says_when(scene, tmp_path):
    path = write(date_scene(scene, parse_span("2020-01")), tmp_path / "a.tif")
    for file in (path, tmp_path / "a_uncertainty.tif", tmp_path / "a_count.tif"):
        with rasterio.open(file) as raster:
            tags = raster.tags()
        assert tags["TIFFTAG_DATETIME"] == "2020:01:01 00:00:00"
        assert tags["time"] == "2020-01-01T00:00:00.000000000"
        assert tags["time_bnds"] == "2020-01-01T00:00:00Z/2020-02-01T00:00:00Z"


def test_a_moment_has_no_interval(scene, tmp_path):
    moment = date_scene(scene, parse_span("2020-01-05T10:15")).drop_vars("time_bnds")
    with rasterio.open(write(moment, tmp_path / "a.tif")) as raster:
        assert raster.tags()["TIFFTAG_DATETIME"] == "2020:01:05 10:15:00"
        assert "time_bnds" not in raster.tags()
    with netCDF4.Dataset(write(moment, tmp_path / "a.nc")) as file:
        assert file["time"].dimensions == ()
        assert "time_bnds" not in file.variables


def test_gdal_opens_a_dated_file_by_its_path(scene, tmp_path):
    alone = scene[["no2"]].assign(no2=scene["no2"].drop_attrs())
    alone["no2"].attrs = {"units": "mol m-2"}
    path = write(date_scene(alone, parse_span("2020-01")), tmp_path / "a.nc")
    line = ["gdalinfo", "-json", path]
    told = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    assert (len(told["bands"]), told["size"]) == (1, [20, 16])
    assert 'ID["EPSG",4326]' in told["coordinateSystem"]["wkt"]


def test_an_undated_scene_stays_undated(scene, tmp_path):
    with netCDF4.Dataset(write(scene, tmp_path / "a.nc")) as file:
        assert not {"time", "time_bnds"} & set(file.variables)
        assert file["no2"].dimensions == ("latitude", "longitude")
    with rasterio.open(write(scene, tmp_path / "a.tif")) as raster:
        assert not {"time", "time_bnds", "TIFFTAG_DATETIME"} & set(raster.tags())
