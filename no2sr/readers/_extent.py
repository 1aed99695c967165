"""How large the grids in a file are, without reading their values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from no2sr.errors import FileUnreadableError
from no2sr.readers._bands import is_tiff
from no2sr.readers._bands import opened as opened_raster
from no2sr.readers._netcdf import fields_in, is_netcdf
from no2sr.readers._netcdf import opened as opened_netcdf

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cells_in"]

MOST_CELLS = 1 << 33  # ten times the globe in cells of 1 km, finer than any NO2 map of it


def cells_in(path: Path) -> int:
    """Return the cells of the largest plane of a raster or NetCDF file; 0 for any other.

    Raises
    ------
    FileUnreadableError
        If there are more than any instrument has: a few bytes can declare any number of them.
    """
    cells = _cells_in(path)
    if cells > MOST_CELLS:
        raise FileUnreadableError(
            f"{path.name} declares {cells:.3g} cells, which no NO2 product has, "
            f"expected {MOST_CELLS:.3g} at most; cut out the region that you need first"
        )
    return cells


def _cells_in(path: Path) -> int:
    if not path.is_file():
        return 0
    if is_tiff(path):
        with opened_raster(path) as raster:
            return int(raster.width * raster.height)
    if is_netcdf(path):
        with opened_netcdf(path) as file:
            return max((math.prod(field.shape[-2:]) for field in fields_in(file)), default=0)
    return 0
