"""How large the grids in files are, without reading their values."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from no2sr.core.errors import FileUnreadableError
from no2sr.readers.formats.zarr_store import READER as STORES
from no2sr.readers.kit.bands import is_tiff
from no2sr.readers.kit.bands import open_raster as opened_raster
from no2sr.readers.kit.netcdf import fields_in, is_netcdf
from no2sr.readers.kit.netcdf import open_netcdf as opened_netcdf
from no2sr.readers.kit.time import layers_of
from no2sr.readers.opening.paths import find_files

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.readers.port import Paths

__all__ = ["cells_in"]

MOST_CELLS = 1 << 33  # ten times the globe in cells of 1 km, finer than any NO2 map of it
MOST_IN_ALL = 1 << 40  # more than the hours of ten years, of the globe in cells of 0.1 degree


def cells_in(path_or_paths: Paths) -> int:
    """Return the cells of the largest variable of each file, added up, all times counted.

    Rasters, NetCDF files and Zarr stores are looked at; others count as none.

    Parameters
    ----------
    path_or_paths : str, Path, or iterable of them
        As for `no2sr.open_no2`.

    Raises
    ------
    FileUnreadableError
        If there are more than any instrument has: a few bytes can declare any number of them.
    """
    return sum(_cells_in(path) for path in find_files(path_or_paths))


def _cells_in(path: Path) -> int:
    planes, times = zip((0, 0), *_layers_in(path), strict=True)
    cells = max(map(prod, zip(planes, times, strict=True)))
    if max(planes) > MOST_CELLS or cells > MOST_IN_ALL:
        raise FileUnreadableError(
            f"{path.name} declares {cells:.3g} cells, which no NO2 product has, "
            f"expected {MOST_CELLS:.3g} at most; cut out the region that you need first"
        )
    return cells


def _layers_in(path: Path) -> list[tuple[int, int]]:
    """Return the cells of each variable at one time, and the number of times."""
    if is_tiff(path):
        with opened_raster(path) as raster:
            return [(raster.width * raster.height, 1)]
    if is_netcdf(path):
        with opened_netcdf(path) as file:
            fields = fields_in(file)
    elif STORES.recognises(path):
        fields = STORES.fields_in(path)
    else:
        return []
    return [layers_of(field) for field in fields]
