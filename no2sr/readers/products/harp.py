"""Files of the HARP toolbox: grids from ``bin_spatial``, and imported swaths.

Recognised by the root attribute ``Conventions`` with ``HARP`` in it, in netCDF-3, netCDF-4 or HDF5.
A grid may have cell bounds without coordinates; its centres are then the means of the bounds.
Pixels are screened by ``<variable>_validity`` (0..100) like those of Sentinel-5P by their quality:
a pixel is used if ``validity > round(100 * qa_min)``. Binning drops the validity, so no threshold
can be applied to a grid; ``history`` says what was applied. Uncertainties are
``<variable>_uncertainty_random``, ``_uncertainty_systematic`` and ``_uncertainty``, the total.
Source: HARP data format documentation, and files of HARP 1.30.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.columns import Field, choose, mentions_no2
from no2sr.core.errors import MissingVariableError, SettingsError
from no2sr.core.layers import TOTAL, UNCERTAINTIES
from no2sr.core.times import BOUNDS, EDGES
from no2sr.readers.kit.cf import open_unread, select_variable
from no2sr.readers.kit.column import convert_companion
from no2sr.readers.kit.fills import read_column
from no2sr.readers.kit.netcdf import attribute, fields_in, is_netcdf, open_netcdf
from no2sr.readers.kit.time import attach_scanline_times
from no2sr.readers.kit.uncertainty import Stated, add_uncertainties, find_companions

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "Harp"]

PIXEL = ("scanline", "ground_pixel")


class Harp:
    """Reader of HARP level 2 and level 3 files."""

    name = "harp"
    product = "HARP level 2 swath or level 3 grid"
    has_quality = True  # if the file has a validity

    def recognises(self, path: Path) -> bool:
        """Tell whether the file follows the HARP conventions."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            return "HARP" in attribute(file, "Conventions")

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the grid, or the swath if the pixels lie along one ``time`` dimension."""
        with open_netcdf(path) as file:
            fields = fields_in(file)
        field = choose(fields, variable=options.variable, source=path.name)
        dataset = open_unread(path, options.chunks, field, engine="netcdf4")
        if "latitude" not in field.dims:
            with dataset:
                return _swath(dataset.load(), field, options, path)
        _check_no_quality(options, path, field)
        grid = select_variable(_place(dataset), field.name)
        grid.set_close(dataset.close)
        return grid


def _place(dataset: xr.Dataset) -> xr.Dataset:
    """Give the grid its time, and centres if it has only bounds."""
    for axis in ("latitude", "longitude"):
        bounds = dataset.get(f"{axis}_bounds")
        if axis not in dataset.variables and bounds is not None:
            units = {"units": "degrees_north" if axis == "latitude" else "degrees_east"}
            dataset = dataset.assign_coords({axis: (axis, bounds.data.mean(axis=-1), units)})
    return _dated(dataset)


def _dated(dataset: xr.Dataset) -> xr.Dataset:
    """Give the grid the times of HARP, and their bounds where it has both."""
    times = {
        name: dataset[name].drop_vars(name, errors="ignore")
        for name in ("datetime", "datetime_start", "datetime_stop")
        if name in dataset and dataset[name].dims == ("time",)
    }
    first = times.get("datetime", times.get("datetime_start"))
    if first is None:
        return dataset
    dataset = dataset.assign_coords(time=first)
    if len({str(moment.attrs.get("units")) for moment in times.values()}) == 1 and len(times) == 3:
        edges = np.stack([times[f"datetime_{end}"].values for end in ("start", "stop")], axis=-1)
        dataset = dataset.assign_coords({BOUNDS: (("time", EDGES), edges)})
    return dataset


def _swath(dataset: xr.Dataset, field: Field, options: ReadOptions, path: Path) -> xr.Dataset:
    """Read the pixels as a swath that is one pixel wide."""
    if "latitude_bounds" not in dataset or field.dims != ("time",):
        raise MissingVariableError(
            f"{field.path} {field.dims} lacks the corners of its pixels (latitude_bounds and "
            "longitude_bounds); convert the product again and keep them"
        )
    valid, screening = _screen(dataset, field, options, path)
    label, no2 = f"{path.name}: {field.name}", mentions_no2(field.name)
    found, column = read_column(dataset[field.name], label=label, options=options, no2=no2)
    swath = xr.Dataset(
        {"column": (PIXEL, np.where(valid, column.values, np.nan)[:, None], column.attrs)},
        coords={name: (PIXEL, dataset[name].values[:, None]) for name in ("latitude", "longitude")},
        attrs={**dataset.attrs, **screening, "variable": field.name},
    )
    for name in ("datetime", "datetime_start"):
        if name in dataset and dataset[name].dims == ("time",):
            swath = attach_scanline_times(swath, dataset[name])
            break
    for name in ("latitude_bounds", "longitude_bounds"):
        swath[name] = ((*PIXEL, "corner"), dataset[name].values[:, None, :])
    return add_uncertainties(swath, _read_stated(dataset, field, found), label=path.name)


def _read_stated(dataset: xr.Dataset, field: Field, found: str) -> Stated:
    """Read the uncertainties that the file states, in the unit found for the column."""
    parts: dict[str, Any] = {}
    for layer, name in find_companions(field.name, dataset.data_vars).items():
        if layer not in UNCERTAINTIES or dataset[name].dims != ("time",):
            continue
        error = convert_companion(dataset[name], stated=field.unit, found=found, label=name)
        if error is not None:
            kind = "total" if layer == TOTAL else layer.rpartition("_")[2]
            parts[kind] = xr.DataArray(error.values[:, None], dims=PIXEL)
    return Stated(**parts)


def _screen(
    dataset: xr.Dataset, field: Field, options: ReadOptions, path: Path
) -> tuple[Any, dict[str, Any]]:
    """Find the valid pixels, and describe the condition; all are valid if the file rates none."""
    validity = dataset.get(f"{field.name}_validity")
    if validity is None or validity.dims != field.dims:
        _check_no_quality(options, path, field)
        return True, {}
    valid = validity.values > round(100 * options.quality)
    told = f"pixels with {field.name}_validity above {100 * options.quality:g}"
    return valid, {"screening": told, "quality_threshold": options.quality}


def _check_no_quality(options: ReadOptions, path: Path, field: Field) -> None:
    """Refuse a threshold if the file has no validity."""
    if options.qa_min is not None:
        raise SettingsError(
            f"a quality threshold of {options.qa_min:g} was given, but {path.name} has no "
            f"{field.name}_validity; leave it out, or convert the product again and keep it"
        )


READER = Harp()
