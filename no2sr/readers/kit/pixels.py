"""Level 2 files whose pixels lie in groups of NetCDF-4 or HDF5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.columns import choose, list_fields, mentions_no2
from no2sr.core.errors import DimensionError, MissingVariableError
from no2sr.core.units import FILL_LIMIT
from no2sr.readers.kit.column import convert_companion
from no2sr.readers.kit.fills import read_column
from no2sr.readers.kit.netcdf import attribute, field_of, find, walk
from no2sr.readers.kit.screens import Criterion, apply_limits, find_failing
from no2sr.readers.kit.time import attach_scanline_times
from no2sr.readers.kit.uncertainty import SLANT, Stated, add_uncertainties

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from no2sr.readers.port import ReadOptions

__all__ = ["Layout", "array_of", "swath_of", "values_of"]

PIXEL = ("scanline", "ground_pixel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Paths of the variables of a product.

    Attributes
    ----------
    column : str
        Path of the tropospheric column.
    latitude, longitude : str
        Paths of the pixel centres. Corners have the same paths with ``_bounds`` appended.
    error : str
        Suffix that turns the name of a column into that of its standard error; empty if there is
        none.
    criteria : tuple of Criterion
    slant_error, air_mass_factor : str
        Paths of the precision of the slant column and of the tropospheric air-mass factor, whose
        quotient is the random uncertainty of the tropospheric column; empty if there is none.
    time : str
        Path of the time of a scanline; empty if there is none.
    """

    column: str
    latitude: str
    longitude: str
    error: str
    criteria: tuple[Criterion, ...]
    slant_error: str = ""
    air_mass_factor: str = ""
    time: str = ""


def swath_of(
    file: netCDF4.Dataset, layout: Layout, *, options: ReadOptions, path: Path
) -> xr.Dataset:
    """Read the pixels of an open file as a swath, in the form of the port.

    Raises
    ------
    MissingVariableError
        If there is no tropospheric column and no other variable was named, or if the coordinates
        are missing.
    DimensionError
        If the column does not lie on the pixels.
    """
    places = {axis: find(file, getattr(layout, axis)) for axis in ("latitude", "longitude")}
    if places["latitude"] is None or places["longitude"] is None:
        raise MissingVariableError(
            f"{path.name} lacks the centres of its pixels, {layout.latitude} and "
            f"{layout.longitude}; make the subset again and keep them"
        )
    column = _column(file, layout, options=options, path=path)
    if column.dimensions != places["latitude"].dimensions:
        raise DimensionError(
            f"{column.name} of {path.name} lies on {column.dimensions} and not on the pixels, "
            f"{places['latitude'].dimensions}; name a variable with one value per pixel"
        )
    criteria = apply_limits(layout.criteria, options.limits)
    bad, screening = find_failing(criteria, lambda name: _screen(file, name))
    field = field_of(column)
    found, read = read_column(
        array_of(column),
        label=f"{path.name}: {column.name}",
        options=options,
        no2=mentions_no2(field.path, field.text),
    )
    swath = xr.Dataset({"column": (read if bad is None else read.where(~bad)).rename("column")})
    swath.attrs = {"variable": column.name, "screening": screening}
    for axis, centres in places.items():
        if centres is not None:
            swath = swath.assign_coords({axis: (PIXEL, values_of(centres))})
            corners = find(file, f"{getattr(layout, axis)}_bounds")
            if corners is not None and corners.shape[2:] == (4,):
                swath[f"{axis}_bounds"] = ((*PIXEL, "corner"), values_of(corners))
    times = find(file, layout.time) if layout.time else None
    if times is not None:
        swath = attach_scanline_times(swath, array_of(times))
    return add_uncertainties(swath, _read_stated(file, layout, column, found), label=path.name)


def _read_stated(
    file: netCDF4.Dataset, layout: Layout, column: netCDF4.Variable[Any], found: str
) -> Stated:
    """Read the uncertainties that the file states, in the unit found for the column."""
    stated = field_of(column).unit

    def convert_error(path: str) -> xr.DataArray | None:
        error = find(file, path)
        if error is None or error.dimensions != column.dimensions:
            return None
        return convert_companion(array_of(error), stated=stated, found=found, label=path)

    total = convert_error(f"{field_of(column).path}{layout.error}") if layout.error else None
    factor = find(file, layout.air_mass_factor) if layout.air_mass_factor else None
    if factor is None or field_of(column).path != layout.column:
        return Stated(total=total)
    slant = convert_error(layout.slant_error)
    if slant is None or factor.dimensions != column.dimensions:
        return Stated(total=total)
    air_mass = array_of(factor)
    return Stated(random=slant / air_mass.where(air_mass > 0), total=total, source=SLANT)


def _column(
    file: netCDF4.Dataset, layout: Layout, *, options: ReadOptions, path: Path
) -> netCDF4.Variable[Any]:
    """Find the tropospheric column, or the variable that was named."""
    variables = {field_of(v).path: v for v in walk(file) if v.ndim > 1}
    fields = [field_of(v) for v in variables.values()]
    if options.variable is None and find(file, layout.column) is None:
        raise MissingVariableError(
            f"{path.name} has no tropospheric NO2 column ({layout.column}), only "
            f"{list_fields(fields)}; to use one of these, name it with variable="
        )
    name = options.variable or layout.column
    return variables[choose(fields, variable=name, source=path.name).path]


def values_of(variable: netCDF4.Variable[Any]) -> NDArray[np.floating[Any]]:
    """Read decoded values, NaN where they are missing or fills.

    A stated valid range is not applied: one that begins at 0 would remove negative columns.
    """
    variable.set_auto_maskandscale(False)
    raw = np.asarray(variable[...])
    values = raw.astype(raw.dtype if raw.dtype.kind == "f" else "float64")
    missing = np.abs(values) > FILL_LIMIT
    for key in ("_FillValue", "missing_value", "MissingValue"):  # the last one is that of HDF-EOS
        if key in variable.ncattrs():
            missing |= np.isin(raw, variable.getncattr(key))
    values[missing] = np.nan
    scale, offset = _packing(variable)
    return values if (scale, offset) == (1, 0) else values * scale + offset


def _packing(variable: netCDF4.Variable[Any]) -> tuple[float, float]:
    """Return the scale and the offset of stored numbers, under their names in CF or HDF-EOS."""
    found = []
    for keys, neutral in ((("scale_factor", "ScaleFactor"), 1), (("add_offset", "Offset"), 0)):
        said = [attribute(variable, key) for key in keys if attribute(variable, key)]
        found.append(float(said[0]) if said else float(neutral))
    return found[0], found[1]


def _screen(file: netCDF4.Dataset, name: str) -> NDArray[np.floating[Any]] | None:
    variable = find(file, name)
    return None if variable is None else values_of(variable)


def array_of(variable: netCDF4.Variable[Any]) -> xr.DataArray:
    """Read a variable with its name and unit."""
    field = field_of(variable)
    attrs = {
        "units": field.unit,
        "long_name": attribute(variable, "long_name") or field.text,
        "standard_name": attribute(variable, "standard_name"),
    }
    told = {key: text for key, text in attrs.items() if text}
    values = values_of(variable)
    dims = PIXEL if values.ndim == len(PIXEL) else None
    array = xr.DataArray(values, dims=dims, name=field.name, attrs=told)
    array.encoding = dict(zip(("scale_factor", "add_offset"), _packing(variable), strict=True))
    return array
