"""OMI OMNO2d daily grids in HDF-EOS5, which has attributes instead of axes.

Recognised by the group ``HDFEOS/GRIDS/ColumnAmountNO2``. The default of its four columns is the
cloud-screened tropospheric one (cloud fraction below 0.3). Rows go from south to north, over the
span and with the spacing that the group states. The fill is -2^100; other negative values are
measurements. The date follows from the TAI of the granule. NetCDF forms of the product (Giovanni,
OPeNDAP) are CF grids. Source: OMNO2 readme and product specification (NASA GES DISC).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.columns import choose
from no2sr.core.errors import DimensionError, MissingVariableError
from no2sr.core.spans import calendar_span
from no2sr.core.times import date_scene
from no2sr.core.units import FILL_LIMIT
from no2sr.readers.kit.netcdf import (
    attribute,
    check_values,
    fields_in,
    group_at,
    is_netcdf,
    open_netcdf,
)

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from no2sr.core.spans import Span
    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "OMNO2d"]

GRID = "HDFEOS/GRIDS/ColumnAmountNO2"
COLUMN = "ColumnAmountNO2TropCloudScreened"
ABOUT = "HDFEOS/ADDITIONAL/FILE_ATTRIBUTES"


class OMNO2d:
    """Reader of OMNO2d files."""

    name = "omno2d"
    product = "OMI OMNO2d daily NO2 grid (HDF-EOS5)"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has the grid group of OMNO2d."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            return group_at(file, GRID) is not None

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the column on the axes that the group states.

        Raises
        ------
        MissingVariableError
            If the file lacks the variable.
        DimensionError
            If spacing and number of cells contradict the span.
        """
        with open_netcdf(path) as file:
            group = group_at(file, f"{GRID}/Data Fields")
            if group is None:
                raise MissingVariableError(
                    f"{path.name} has no group {GRID}/Data Fields, so its columns are missing; "
                    "download it again"
                )
            fields = fields_in(group)
            field = choose(fields, variable=options.variable or COLUMN, source=path.name)
            variable = group[field.name]
            check_values(variable)
            latitude, longitude = _axes(file[GRID], variable.shape, path)
            values = _scale(variable)
            day = _date(file)
        attrs = {"units": field.unit, "long_name": field.text}
        column = xr.DataArray(
            values,
            dims=("latitude", "longitude"),
            coords={
                "latitude": ("latitude", latitude, {"units": "degrees_north"}),
                "longitude": ("longitude", longitude, {"units": "degrees_east"}),
            },
            attrs={key: text for key, text in attrs.items() if text},
            name=field.name,
        )
        grid = column.to_dataset().assign_attrs(source=f"OMI OMNO2d ({path.name})")
        if field.name.endswith("CloudScreened"):
            grid.attrs["screening"] = "cells of pixels with cloud fraction < 0.3, by the product"
        return date_scene(grid, day)


def _axes(
    group: netCDF4.Group, shape: tuple[int, ...], path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the centres of rows and columns, south and west first."""
    dx, dy = _numbers(group, "GridSpacing") or (360 / shape[1], 180 / shape[0])
    west, east, south, north = _numbers(group, "GridSpan") or (-180, 180, -90, 90)
    if not np.allclose([west + dx * shape[1], south + dy * shape[0]], [east, north]):
        raise DimensionError(
            f"{path.name} has {shape[0]} x {shape[1]} cells of {dy:g} x {dx:g} degrees, which do "
            f"not span {south:g} to {north:g} N and {west:g} to {east:g} E; download it again"
        )
    rows, columns = (np.arange(count, dtype=np.float64) + 0.5 for count in shape)
    return south + dy * rows, west + dx * columns


def _numbers(group: netCDF4.Group, key: str) -> list[float]:
    """Parse an attribute such as ``(0.25,0.25)``."""
    return [float(n) for n in re.findall(r"[-+.\deE]+", attribute(group, key))]


def _scale(variable: netCDF4.Variable[Any]) -> NDArray[np.floating[Any]]:
    """Read the values, with scale and offset under their names in HDF-EOS."""
    variable.set_auto_maskandscale(False)
    values = np.asarray(variable[...])
    values = np.where(np.abs(values) > FILL_LIMIT, np.float32(np.nan), values)
    scale, offset = (attribute(variable, key).strip("[]") for key in ("ScaleFactor", "Offset"))
    scale_by, add = float(scale or 1), float(offset or 0)
    return values if (scale_by, add) == (1, 0) else values * scale_by + add


def _date(file: netCDF4.Dataset) -> Span | None:
    """Return the day of the granule; its TAI runs ahead by leap seconds, never by a day."""
    about = group_at(file, ABOUT)
    seconds = attribute(about, "TAI93At0zOfGranule").strip("[]") if about is not None else ""
    if not seconds:
        return None
    day = np.datetime64("1993-01-01") + int(float(seconds) // 86400)
    return calendar_span(str(day))


READER = OMNO2d()
