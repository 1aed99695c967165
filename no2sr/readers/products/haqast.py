"""NASA HAQAST level 3 TROPOMI NO2, and older files of the George Washington University.

The former is recognised by ``Tropospheric_NO2(lat, lon)``; it has no time, its month is in the
global attributes ``RangeBeginningDate`` and ``RangeEndingDate``. The latter hold one variable,
``NO2``, and no axes at all: these are in ``LatLonGrid.ncf`` (``LAT``, ``LON``), looked for beside
the file. Both are made from pixels with quality above 0.75 where their names say QA75. Source:
HAQAST TROPOMI level 3 readme (NASA GES DISC).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.columns import choose
from no2sr.core.errors import DimensionError, MissingVariableError
from no2sr.readers.kit.cf import list_gridded, open_cf, select_variable
from no2sr.readers.kit.netcdf import is_netcdf, open_netcdf, read_floats

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "Haqast"]

COLUMN = "Tropospheric_NO2"
OLD_COLUMN = "NO2"
COMPANION = "LatLonGrid.ncf"


class Haqast:
    """Reader of HAQAST files, new and old."""

    name = "haqast"
    product = "NASA HAQAST TROPOMI level 3 NO2 grid"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has the variable of HAQAST, or only NO2."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            column = file.variables.get(COLUMN)
            return _is_old(set(file.variables)) or (column is not None and column.ndim == 2)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the column on its grid.

        Raises
        ------
        MissingVariableError
            If the axes are in another file, which does not exist.
        DimensionError
            If the axes in that file do not fit the grid.
        """
        with open_netcdf(path) as file:
            old = _is_old(set(file.variables))
        default = OLD_COLUMN if old else COLUMN
        field = choose(list_gridded(path), variable=options.variable or default, source=path.name)
        dataset = open_cf(path, options.chunks)
        grid = select_variable(dataset, field.name)
        placed = _place(grid, field.name, path) if old else grid
        if "QA75" in path.name:
            placed.attrs |= {
                "screening": "cells of pixels with qa_value above 0.75, by the product",
                "quality_threshold": 0.75,
            }
        placed.set_close(dataset.close)
        return placed


def _is_old(names: set[str]) -> bool:
    return names == {OLD_COLUMN}


def _place(grid: xr.Dataset, name: str, path: Path) -> xr.Dataset:
    """Give the grid the axes of the companion file."""
    latitude, longitude = _companion_axes(path)
    shape = grid[name].shape
    if shape not in ((latitude.size, longitude.size), (longitude.size, latitude.size)):
        raise DimensionError(
            f"{path.name} has {shape} cells, but {COMPANION} has {latitude.size} latitudes and "
            f"{longitude.size} longitudes; download the axes of this grid"
        )
    y, x = grid[name].dims if shape == (latitude.size, longitude.size) else grid[name].dims[::-1]
    return grid.assign_coords(
        {
            y: (y, latitude, {"standard_name": "latitude", "units": "degrees_north"}),
            x: (x, longitude, {"standard_name": "longitude", "units": "degrees_east"}),
        }
    )


def _companion_axes(path: Path) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Read latitudes and longitudes from the companion file."""
    companion = path.with_name(COMPANION)
    if not companion.exists():
        raise MissingVariableError(
            f"{path.name} has no axes, and {COMPANION}, which holds them, does not exist; download "
            "it into the same folder"
        )
    with open_netcdf(companion) as file:
        absent = [axis for axis in ("LAT", "LON") if axis not in file.variables]
        if absent:
            raise MissingVariableError(
                f"{companion.name} has no {' and no '.join(absent)}; download it again"
            )
        return _axis(read_floats(file["LAT"]), "LAT"), _axis(read_floats(file["LON"]), "LON")


def _axis(values: NDArray[np.floating[Any]], name: str) -> NDArray[np.floating[Any]]:
    """Return a 1-D axis, also if a 2-D field repeats it."""
    if values.ndim == 1:
        return values
    for line, whole in ((values[0], values), (values[:, 0], values.T)):
        if values.ndim == 2 and (whole == line).all():
            return np.asarray(line)
    raise DimensionError(
        f"{name} of {COMPANION} has the shape {values.shape} and is not the axis of a regular "
        "grid; give a regular grid"
    )


READER = Haqast()
