"""Rasters placed by control points or polynomials: regular grids are read, others get a command."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from catalogue import Case, Map, Refused, named, try_case
from makers import column
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC

from no2sr.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from no2sr.core.earth import Box

BOUNDS = (76.0, 26.0, 81.0, 30.0)


def _points(
    box: Box = BOUNDS, *, many: int = 2, bend: float = 0.0, turn: float = 0.0
) -> list[GroundControlPoint]:
    """Return points on rows and columns of a raster of 8 by 10 cells."""
    west, south, east, north = box
    points = []
    for row in np.linspace(0, 8, many):
        for col in np.linspace(0, 10, many):
            x, y = west + (east - west) * col / 10, north - (north - south) * row / 8
            points.append(
                GroundControlPoint(row, col, x + turn * row + bend * row**2, y - turn * col)
            )
    return points


def _file(points: Any = None, crs: str | None = "EPSG:4326", **more: Any) -> Callable[[Path], Path]:
    def make(d: Path) -> Path:
        path = d / "placed.tif"
        shape = {"width": 10, "height": 8, "count": 1, "dtype": "float32"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            opened = rasterio.open(path, "w", driver="GTiff", **shape)
        with opened as file:
            file.write(column().astype("f4"), 1)
            file.update_tags(1, units="umol m-2")
            if points:
                file.gcps = (points, CRS.from_string(crs) if crs else CRS())
            if "rpcs" in more:
                file.rpcs = more["rpcs"]
        return path

    return make


UTM = (300000.0, 5000000.0, 400000.0, 5080000.0)
POLYNOMIALS = RPC(
    err_bias=1.0,
    err_rand=1.0,
    height_off=0.0,
    height_scale=100.0,
    lat_off=28.0,
    lat_scale=2.0,
    line_den_coeff=[1.0] + [0.0] * 19,
    line_num_coeff=[0.0, 0.0, -1.0] + [0.0] * 17,
    line_off=4.0,
    line_scale=4.0,
    long_off=78.5,
    long_scale=2.5,
    samp_den_coeff=[1.0] + [0.0] * 19,
    samp_num_coeff=[0.0, 1.0] + [0.0] * 18,
    samp_off=5.0,
    samp_scale=5.0,
)
CASES = [
    Case(name="four corners", make=_file(_points()), outcome=Map()),
    Case(name="three corners", make=_file(_points()[:3]), outcome=Map()),
    Case(name="many points", make=_file(_points(many=5)), outcome=Map()),
    Case(
        name="points in metres",
        make=_file(_points(UTM), "EPSG:32632"),
        outcome=Map(bounds=UTM, crs="EPSG:32632", values=column()),
    ),
    Case(
        name="bent points",
        make=_file(_points(many=4, bend=0.02)),
        outcome=Refused(
            error=errors.IrregularGridError, says="gdalwarp -tps placed.tif rectified.tif"
        ),
    ),
    Case(
        name="turned points",
        make=_file(_points(turn=0.1)),
        outcome=Refused(
            error=errors.IrregularGridError, says="do not form a regular grid; rectify"
        ),
    ),
    Case(
        name="two points",
        make=_file(_points()[:2]),
        outcome=Refused(error=errors.IrregularGridError, says="gdalwarp placed.tif rectified.tif"),
    ),
    Case(
        name="polynomials",
        make=_file(rpcs=POLYNOMIALS),
        outcome=Refused(error=errors.IrregularGridError, says="gdalwarp -rpc"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_control_points(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)
