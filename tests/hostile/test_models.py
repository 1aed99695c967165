"""Grids of models: CMAQ's I/O API, GRIB, and days that only the name of a file says."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
from catalogue import Case, Map, Refused, named, try_case
from makers import cf_grid, column, tiff
from opening import open_column

import no2sr
from no2sr.core import errors
from no2sr.readers.kit.coverage import span_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO2 = column()
LAMBERT = {
    "GDTYP": np.int32(2),
    "P_ALP": 33.0,
    "P_BET": 45.0,
    "P_GAM": -97.0,
    "XCENT": -97.0,
    "YCENT": 40.0,
    "XORIG": -24000.0,
    "YORIG": -36000.0,
    "XCELL": 12000.0,
    "YCELL": 12000.0,
}
DEGREES = {
    "GDTYP": np.int32(1),
    "XORIG": 76.0,
    "YORIG": 26.0,
    "XCELL": 0.5,
    "YCELL": 0.5,
}
PROJ = "+proj=lcc +lat_1=33 +lat_2=45 +lon_0=-97 +lat_0=40 +R=6370000 +units=m +no_defs"


def _cmaq(attrs: dict[str, Any], *, layers: int = 1, steps: int = 1) -> Callable[[Path], Path]:
    def make(d: Path) -> Path:
        path = d / "CCTM.nc"
        with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
            sizes = {"TSTEP": steps, "DATE-TIME": 2, "LAY": layers, "VAR": 1, "ROW": 8, "COL": 10}
            for name, size in sizes.items():
                file.createDimension(name, size)
            file.setncatts({"IOAPI_VERSION": "3.2".ljust(80), "FTYPE": np.int32(1), **attrs})
            flags = file.createVariable("TFLAG", "i4", ("TSTEP", "VAR", "DATE-TIME"))
            flags[:] = np.stack([np.full(steps, 2020153), 10000 * np.arange(steps)], 1)[:, None]
            no2 = file.createVariable("NO2_COLUMN", "f4", ("TSTEP", "LAY", "ROW", "COL"))
            no2.setncatts({"units": "umol m-2".ljust(16), "long_name": "NO2_COLUMN".ljust(16)})
            no2[:] = NO2[::-1]
        return path

    return make


def _grib(d: Path) -> Path:
    path = d / "model.grib"
    path.write_bytes(b"GRIB" + bytes([0, 0, 0, 2]) + bytes(200))
    return path


CASES = [
    Case(
        name="CMAQ in Lambert",
        make=_cmaq(LAMBERT),
        outcome=Map(values=NO2, bounds=(-24000, -36000, 96000, 60000), crs=PROJ),
    ),
    Case(name="CMAQ in degrees", make=_cmaq(DEGREES), outcome=Map()),
    Case(
        name="CMAQ with layers",
        make=_cmaq(LAMBERT, layers=3),
        outcome=Refused(
            error=errors.DimensionError, says="has 3 layers, of which no2sr chooses none"
        ),
    ),
    Case(
        name="CMAQ on a grid of another type",
        make=_cmaq({**LAMBERT, "GDTYP": np.int32(8)}),
        outcome=Refused(error=errors.MissingCRSError, says="grid of type 8"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_models(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)


def test_the_times_of_cmaq(tmp_path):
    image = open_column(_cmaq(LAMBERT, steps=3)(tmp_path))
    assert str(image["time"].values[1])[:19] == "2020-06-01T01:00:00"


@pytest.mark.skipif(find_spec("cfgrib") is not None, reason="cfgrib is there")
def test_grib_without_its_package(tmp_path, no2sr_command):
    path = _grib(tmp_path)
    with pytest.raises(errors.MissingDependencyError, match=r"no2sr\[grib\]"):
        no2sr.open_no2(path)
    refused = no2sr_command("downscale", path, tmp_path / "fine.tif")
    assert (refused.code, len(refused.errors)) == (1, 1)
    assert "cdo -f nc4" in refused.err


NAMES = {
    "openEO_2020-06-01Z.tif": "2020-06-01T00:00",
    "no2_20200601.nc": "2020-06-01T00:00",
    "NO2_2020_06_01_v1.nc": "2020-06-01T00:00",
    "S5P_20200601T0415_L3.nc": "2020-06-01T04:15",
    "scan_20200601T041500Z.nc": "2020-06-01T04:15",
    "OMI_2020m0601.nc": None,
    "A2020153.L3.nc": "2020-06-01T00:00",
    "2020.06.01.tif": "2020-06-01T00:00",
    "no2_202006.nc": "2020-06-01T00:00",
    "20200601T000000_20200601T235959.nc": "2020-06-01T00:00",
    "20200601_20200602.nc": None,  # from day to day
    "2020-06-31.nc": None,
    "tile_12345678901.nc": None,
    "no2.nc": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_name_says_of_the_time(name):
    span = span_in(name)
    assert (None if span is None else str(span.start)[:16]) == NAMES[name]


def test_days_in_the_names_of_files(tmp_path, no2sr_command):
    days = [tiff(tmp_path / f"no2_2020-06-0{d}.tif", values=NO2 + 10 * d) for d in (2, 1)]
    image = open_column(days)
    assert [str(t)[:10] for t in image["time"].values] == ["2020-06-01", "2020-06-02"]
    np.testing.assert_allclose(1e6 * image[1], NO2 + 20, rtol=1e-6)
    assert "took the time 2020-06-0" in image.attrs["history"]
    assert no2sr_command("downscale", *days, tmp_path / "out.nc", "-q").code == 0


def test_names_without_a_day_get_a_way(tmp_path, no2sr_command):
    grids = [cf_grid(tmp_path / f"{name}.nc") for name in ("first", "second")]
    refused = no2sr_command("downscale", *grids, tmp_path / "out.nc", "-q")
    assert (refused.code, len(refused.errors)) == (1, 1)
    assert "give a folder as OUT" in refused.err


def test_a_grid_is_not_gridded_again(tmp_path, no2sr_command):
    refused = no2sr_command("grid", cf_grid(tmp_path / "grid.nc"), tmp_path / "out.nc")
    assert refused.code == 1
    assert "no2sr downscale" in refused.err
