"""Grids of the Models-3 I/O API, which CMAQ and its tools write.

Recognised by the attributes ``GDTYP`` and ``XCELL`` of the file. The grid is regular in the
projection that the attributes state, on a sphere of 6370 km as in WRF and CMAQ, so no grid file is
needed. The first row is the southernmost. Layers are never averaged or chosen, and the times are in
``TFLAG``. Source: I/O API documentation, gridded data (CMAS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from pyproj import CRS

from no2sr.core.columns import Field, choose
from no2sr.core.errors import DimensionError, MissingCRSError
from no2sr.readers.kit.netcdf import (
    check_values,
    field_of,
    is_netcdf,
    open_netcdf,
    read_floats,
    walk,
)

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "IoApi"]

DIMS = ("TSTEP", "LAY", "ROW", "COL")
SPHERE = "+R=6370000 +units=m +no_defs"
LAT_LON = 1
# PROJ strings of the projection attributes, by grid type.
_PROJECTIONS = {
    2: "+proj=lcc +lat_1={P_ALP} +lat_2={P_BET} +lon_0={P_GAM} +lat_0={YCENT}",
    5: "+proj=utm +zone={P_ALP:.0f}",
    6: "+proj=stere +lat_0={pole} +lat_ts={P_BET} +lon_0={P_GAM}",
    7: "+proj=merc +lat_ts={P_ALP} +lon_0={P_GAM}",
}


class IoApi:
    """Reader of gridded I/O API files."""

    name = "ioapi"
    product = "I/O API grid (CMAQ)"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has the grid attributes of the I/O API."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            return {"GDTYP", "XORIG", "YORIG", "XCELL", "YCELL"} <= set(file.ncattrs())

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the column on its grid.

        Raises
        ------
        MissingVariableError, AmbiguousVariableError
            If there is no NO2 column, or more than one.
        MissingCRSError
            If the type of the grid is unknown.
        DimensionError
            If the column has several layers.
        """
        with open_netcdf(path) as file:
            there = {v.name: v for v in walk(file) if v.dimensions == DIMS}
            fields = [_strip(field_of(variable)) for variable in there.values()]
            field = choose(fields, variable=options.variable, source=path.name)
            column = there[field.name]
            if column.shape[1] != 1:
                raise DimensionError(
                    f"{field.name} of {path.name} has {column.shape[1]} layers, of which no2sr "
                    "chooses none; give a vertical column, or one layer, for example from ncks "
                    f"-d LAY,0 {path.name} layer.nc"
                )
            check_values(column)
            grid = xr.Dataset(
                {
                    field.name: (
                        ("time", "y", "x"),
                        read_floats(column)[:, 0],
                        {"units": field.unit},
                    )
                },
                coords={"time": _times(file, column.shape[0]), **_axes(file, column.shape)},
            )
            grid[field.name].attrs["long_name"] = field.text
            return grid.assign_coords(spatial_ref=((), 0, {"crs_wkt": _crs(file, path).to_wkt()}))


def _strip(field: Field) -> Field:
    """Strip the blanks that pad the texts of the I/O API."""
    return Field(
        name=field.name,
        path=field.path,
        unit=field.unit.strip(),
        dims=field.dims,
        shape=field.shape,
        text=field.text.strip(),
    )


def _number(file: netCDF4.Dataset, key: str) -> float:
    return float(file.getncattr(key)) if key in file.ncattrs() else 0.0


def _crs(file: netCDF4.Dataset, path: Path) -> CRS:
    kind = int(_number(file, "GDTYP"))
    if kind == LAT_LON:
        return CRS.from_epsg(4326)
    if kind not in _PROJECTIONS:
        raise MissingCRSError(
            f"{path.name} has an I/O API grid of type {kind}, which is not supported; warp it to "
            "type 1 (degrees), 2 (Lambert), 5 (UTM), 6 (polar stereographic) or 7 (Mercator)"
        )
    keys = ("P_ALP", "P_BET", "P_GAM", "XCENT", "YCENT")
    stated: dict[str, float] = {key: _number(file, key) for key in keys}
    text = _PROJECTIONS[kind].format(**stated, pole=90 * stated["P_ALP"])
    return CRS.from_user_input(f"{text} {SPHERE}")


def _axes(file: netCDF4.Dataset, shape: tuple[int, ...]) -> dict[str, Any]:
    """Compute the centres of rows and columns, south and west first."""
    degrees = int(_number(file, "GDTYP")) == LAT_LON
    units = ("degrees_north", "degrees_east") if degrees else ("m", "m")
    axes = {}
    for name, letter, size, unit in zip("yx", "YX", shape[2:], units, strict=True):
        centres = _number(file, f"{letter}ORIG") + _number(file, f"{letter}CELL") * (
            np.arange(size) + 0.5
        )
        axes[name] = (name, centres, {"units": unit, "axis": letter})
    return axes


def _times(file: netCDF4.Dataset, steps: int) -> tuple[str, NDArray[Any]]:
    """Decode the times: numbers such as 2019003 (year and day of the year) and 123000 (12:30)."""
    flags = file.variables.get("TFLAG")
    if flags is None or flags.shape[0] != steps:
        return "time", np.arange(steps)
    days, clocks = (np.asarray(flags[:, 0, part]).astype("int64") for part in (0, 1))
    years = (days // 1000 - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    seconds = clocks // 10000 * 3600 + clocks // 100 % 100 * 60 + clocks % 100
    moments = years + (days % 1000 - 1)
    return "time", moments.astype("datetime64[s]").astype("datetime64[ns]") + seconds.astype(
        "timedelta64[s]"
    )


READER = IoApi()
