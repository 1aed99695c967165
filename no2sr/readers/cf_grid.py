"""Any CF grid in NetCDF-3, NetCDF-4 or HDF5, for which no other reader is responsible.

The NO2 column is found by its name, ``standard_name``, ``long_name`` or ``title``; anything else is
reached with ``variable=``. Axes, directions, longitudes 0..360, bounds and ``grid_mapping`` mean
what the CF conventions say (https://cfconventions.org). Levels are never averaged or chosen; times
are kept unless one is asked for. Degrees without a ``grid_mapping`` are taken as EPSG:4326, said
in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from pyproj import CRS

from no2sr.errors import MissingVariableError, NoValidPixelsError
from no2sr.readers._fields import Field, choose, listing
from no2sr.readers._netcdf import fields_in, is_netcdf, opened

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from no2sr.readers import ReadOptions

__all__ = ["READER", "CFGrid"]


class CFGrid:
    """Reader of CF grids; asked last, so that it can say what any other NetCDF file holds."""

    name = "cf_grid"
    product = "CF grid in NetCDF or HDF5"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file is NetCDF or HDF5 at all."""
        return is_netcdf(path)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Return the column on its grid, its values unread.

        Raises
        ------
        NoValidPixelsError
            If the file holds no variables.
        MissingVariableError, AmbiguousVariableError
            If there is no NO2 column, or more than one; the message names what there is.
        """
        with opened(path) as file:
            fields = fields_in(file)
        gridded = _gridded(fields, path)
        field = choose(gridded, variable=options.variable, source=path.name)
        dataset = xr.open_dataset(
            path,
            engine="netcdf4",
            decode_times=False,
            decode_coords="all",
            chunks=options.chunks,
        )
        others = [name for name in dataset.data_vars if name != field.name]
        grid = _with_bounds(_with_proj4(dataset.drop_vars(others)))
        grid.set_close(dataset.close)
        return grid


def _gridded(fields: list[Field], path: Path) -> list[Field]:
    """Return the fields that may lie on a grid: of two dimensions or more, in no group."""
    if not fields:
        raise NoValidPixelsError(
            f"{path.name} is empty: it holds no variables, expected an NO2 column; "
            "fetch it again or leave it out"
        )
    flat = [field for field in fields if len(field.dims) > 1 and "/" not in field.path]
    if not flat:
        raise MissingVariableError(
            f"{path.name} has no tropospheric NO2 column on a regular grid, expected one with "
            f"latitude and longitude axes; it has {listing(fields)}; give another product"
        )
    return flat


def _with_proj4(dataset: xr.Dataset) -> xr.Dataset:
    """Spell out a projection that is only a PROJ string, as R's raster package writes it."""
    for name, mapping in dataset.coords.items():
        text = mapping.attrs.get("proj4")
        if mapping.ndim or not text or {"crs_wkt", "spatial_ref"} & set(mapping.attrs):
            continue
        crs = CRS.from_user_input(text)
        if crs.is_projected:
            return dataset.assign_coords({name: mapping.assign_attrs(crs_wkt=crs.to_wkt())})
    return dataset


def _with_bounds(dataset: xr.Dataset) -> xr.Dataset:
    """Put the link to the cell bounds back on the axes, from where decoding took it.

    Bounds with uneven middles stay out: a grid with centres on the poles has them cut off there.
    """
    linked = {}
    for name, axis in dataset.coords.items():
        link = axis.encoding.get("bounds")
        if axis.ndim == 1 and link in dataset.coords and _is_even(dataset[link].values):
            linked[name] = axis.assign_attrs(bounds=link)
    return dataset.assign_coords(linked)


def _is_even(bounds: NDArray[Any]) -> bool:
    steps = np.diff(bounds.astype("float64").mean(axis=-1))
    return bool(np.allclose(steps, steps.mean(), rtol=1e-2)) if steps.size else False


READER = CFGrid()
