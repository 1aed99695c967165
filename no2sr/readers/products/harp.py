"""Files of the HARP toolbox: grids made by ``bin_spatial`` and imported swaths.

Recognised by the root attribute ``Conventions`` with ``HARP`` in it, in netCDF-3, netCDF-4 or HDF5.
A grid may have cell bounds only, with no coordinate variable at all: centres are then the means of
the bounds. Quality flags do not survive the binning, so no threshold can be applied; what was
applied is in ``history``. Source: HARP data format documentation and files that HARP 1.30 wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from no2sr.core.columns import Field, choose, mentions_no2
from no2sr.core.errors import MissingVariableError
from no2sr.readers.kit.cf import unread
from no2sr.readers.kit.column import in_mol
from no2sr.readers.kit.netcdf import attribute, fields_in, is_netcdf, opened

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "Harp"]


class Harp:
    """Reader of HARP level 2 and level 3 files."""

    name = "harp"
    product = "HARP level 2 swath or level 3 grid"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file follows the HARP conventions."""
        if not is_netcdf(path):
            return False
        with opened(path) as file:
            return "HARP" in attribute(file, "Conventions")

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Return the grid, or the swath where the pixels lie in one long ``time`` dimension."""
        with opened(path) as file:
            fields = fields_in(file)
        field = choose(fields, variable=options.variable, source=path.name)
        dataset = unread(path, options.chunks, field, engine="netcdf4")
        if "latitude" not in field.dims:
            with dataset:
                return _swath(dataset.load(), field, options, path)
        placed = _placed(dataset)
        grid = placed.drop_vars([name for name in placed.data_vars if name != field.name])
        grid.set_close(dataset.close)
        return grid


def _placed(dataset: xr.Dataset) -> xr.Dataset:
    """Give the grid centres where it has bounds only, and its time."""
    for axis in ("latitude", "longitude"):
        bounds = dataset.get(f"{axis}_bounds")
        if axis not in dataset.variables and bounds is not None:
            units = {"units": "degrees_north" if axis == "latitude" else "degrees_east"}
            dataset = dataset.assign_coords({axis: (axis, bounds.data.mean(axis=-1), units)})
    if "datetime" in dataset and dataset["datetime"].dims == ("time",):
        dataset = dataset.assign_coords(
            time=dataset["datetime"].drop_vars("datetime", errors="ignore")
        )
    return dataset


def _swath(dataset: xr.Dataset, field: Field, options: ReadOptions, path: Path) -> xr.Dataset:
    """Return the pixels as a swath one pixel wide: their corners say where they are."""
    if "latitude_bounds" not in dataset or field.dims != ("time",):
        raise MissingVariableError(
            f"{field.path} {field.dims} comes without the corners of its pixels, expected "
            "latitude_bounds and longitude_bounds; convert the product again and keep them"
        )
    column = in_mol(
        dataset[field.name],
        label=f"{path.name}: {field.name}",
        unit=options.unit,
        named=options.variable is not None,
        no2=mentions_no2(field.name),
    )
    pixels = ("scanline", "ground_pixel")
    swath = xr.Dataset(
        {"column": (pixels, column.values[:, None], column.attrs)},
        coords={
            name: (pixels, dataset[name].values[:, None]) for name in ("latitude", "longitude")
        },
        attrs={**dataset.attrs, "variable": field.name},
    )
    for name in ("latitude_bounds", "longitude_bounds"):
        swath[name] = ((*pixels, "corner"), dataset[name].values[:, None, :])
    precision = dataset.get(f"{field.name}_uncertainty")
    if precision is not None and options.unit is None:
        swath["precision"] = (pixels, in_mol(precision, label=path.name, no2=False).values[:, None])
    return swath


READER = Harp()
