"""Sizes of the grids in files, without reading their values."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from no2sr.core.errors import FileUnreadableError
from no2sr.readers.formats.zarr_store import READER as STORES
from no2sr.readers.kit.bands import is_tiff, open_raster
from no2sr.readers.kit.netcdf import fields_in, is_netcdf, open_netcdf
from no2sr.readers.kit.time import layers_of
from no2sr.readers.opening.paths import find_files

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.readers.port import Paths

__all__ = ["cells_in"]

MOST_CELLS = 1 << 33  # ten times the globe in cells of 1 km; no NO2 map is as fine
MOST_IN_ALL = 1 << 40  # more than the globe in cells of 0.1 degree, every hour of ten years


def cells_in(path_or_paths: Paths) -> int:
    """Count the cells of the largest variable of each file, over all times, and add them up.

    Only rasters, NetCDF files and Zarr stores count.

    Parameters
    ----------
    path_or_paths : str, Path, or iterable of them
        As for `no2sr.open_no2`.

    Raises
    ------
    FileUnreadableError
        If a file declares more cells than any instrument has; a small file can declare any number.
    """
    return sum(_cells_in(path) for path in find_files(path_or_paths))


def _cells_in(path: Path) -> int:
    planes, times = zip((0, 0), *_layers_in(path), strict=True)
    cells = max(map(prod, zip(planes, times, strict=True)))
    if max(planes) > MOST_CELLS or cells > MOST_IN_ALL:
        raise FileUnreadableError(
            f"{path.name} declares {cells:.3g} cells, more than any NO2 product has; cut out the "
            "region that you need first"
        )
    return cells


def _layers_in(path: Path) -> list[tuple[int, int]]:
    """Return the cells of each variable at one time, and the number of times."""
    if is_tiff(path):
        with open_raster(path) as raster:
            return [(raster.width * raster.height, 1)]
    if is_netcdf(path):
        with open_netcdf(path) as file:
            fields = fields_in(file)
    elif STORES.recognises(path):
        fields = STORES.fields_in(path)
    else:
        return []
    return [layers_of(field) for field in fields]
