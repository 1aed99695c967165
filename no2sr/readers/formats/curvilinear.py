"""Swaths and curvilinear grids of any origin, with latitude and longitude beside the column.

Recognised by coordinates with one value per pixel: two-dimensional ones under any usual name, also
in the groups of HDF-EOS (OMI), in model grids (WRF, COSMO, NEMO) and in files of satpy; the axes of
a grid with a rotated pole; or a list of pixels. Corners are used if the file has them, and built
from the centres otherwise. A list of points without corners is refused, because the size of its
pixels is unknown. A leading time of length 1 is dropped. Values are screened by a ``qa_value`` like
that of Sentinel-5P, and by the flags of OMI, if a file has them. Projected and geographic grids
with regular axes are left to the readers of grids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from pyproj import Transformer

from no2sr.core.columns import choose, list_fields, mentions_no2
from no2sr.core.errors import DimensionError, MissingVariableError
from no2sr.readers.kit.column import convert_companion
from no2sr.readers.kit.fills import read_column
from no2sr.readers.kit.mapping import crs_in
from no2sr.readers.kit.netcdf import (
    attribute,
    check_values,
    field_of,
    find,
    is_netcdf,
    open_netcdf,
    walk,
)
from no2sr.readers.kit.pixels import array_of, values_of
from no2sr.readers.kit.places import (
    centres_in,
    corners_of,
    place_of,
    shape_of,
    true_degrees,
    usual_resolution,
)
from no2sr.readers.kit.quality import screen_by_quality
from no2sr.readers.kit.time import attach_scanline_times
from no2sr.readers.kit.uncertainty import Stated, add_uncertainties, find_companions

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from no2sr.readers.port import ReadOptions

    Variable = netCDF4.Variable[Any]
    Floats = NDArray[np.floating[Any]]

__all__ = ["READER", "Curvilinear"]

PIXEL = ("scanline", "ground_pixel")
_PROJECTED = {"projection_y_coordinate", "projection_x_coordinate"}
_DEGREES = ("degrees_", "degree_")
_METRES = {"m", "km", "metre", "metres", "meter", "meters"}


class Curvilinear:
    """Reader of swaths and curvilinear grids that no reader of a product recognises."""

    name = "curvilinear"
    product = "swath or curvilinear grid in NetCDF or HDF5"
    has_quality = True  # if the file has quality values

    def recognises(self, path: Path) -> bool:
        """Tell whether a variable of the file has coordinates for every pixel."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            return bool(_candidates(file))

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the file as a swath.

        Raises
        ------
        MissingVariableError, AmbiguousVariableError
            If there is no NO2 column, or more than one, or if a list of points has no corners.
        DimensionError
            If the column has levels or several times.
        """
        with open_netcdf(path) as file:
            column = _column(file, options, path)
            _check_flat(column, path)
            check_values(column)
            centres, corners = _geolocate(column, file, path)
            field = field_of(column)
            no2 = options.variable is None or mentions_no2(field.path, field.text)
            label = f"{path.name}: {column.name}"
            found, read = read_column(array_of(column), label=label, options=options, no2=no2)
            shape = centres[0].shape
            bad, told = screen_by_quality(file, column, options=options, path=path)
            values = _match_shape(read.values, shape)
            kept = values if bad is None else np.where(_match_shape(bad, shape), np.nan, values)
            swath = _swath(kept, read.attrs, centres, corners)
            swath.attrs = {"variable": column.name, **_origin(file, path), **told}
            step = usual_resolution(centres, corners)
            swath.attrs |= {"resolution": step} if step else {}
            swath = _attach_times(swath, column, file)
            return add_uncertainties(swath, _read_stated(column, found, shape), label=path.name)


def _candidates(file: netCDF4.Dataset) -> dict[str, Variable]:
    """Find the variables that have coordinates for every pixel, by path."""
    found = {}
    centres = centres_in(file)
    for variable in walk(file):
        if variable.dtype is str or variable.ndim == 0 or _is_on_axes(variable):
            continue
        place = place_of(variable, centres)
        lone = len(shape_of(variable)) == 1
        if lone and not mentions_no2(variable.name, field_of(variable).text):
            continue
        if (place is None and _rotated_crs(variable) is None) or (
            place is not None and variable.name in {v.name for v in place}
        ):
            continue
        found[field_of(variable).path] = variable
    return found


def _is_on_axes(variable: Variable) -> bool:
    """Tell whether a variable lies on regular axes with a known CRS."""
    group, regular = variable.group(), 0
    dims = variable.dimensions[-2:]
    for dim in dims:
        axis = group.variables.get(dim)
        if axis is None or axis.dimensions != (dim,):
            continue
        unit, said = attribute(axis, "units").lower(), attribute(axis, "standard_name")
        placed = said in _PROJECTED or unit in _METRES
        mapped = placed and any(
            crs_in({key: other.getncattr(key) for key in other.ncattrs()}) is not None
            for other in group.variables.values()
            if other.ndim == 0 and other.ncattrs()
        )
        degrees = unit.startswith(_DEGREES) and not said.startswith("grid_")
        regular += bool(mapped or degrees or said in ("latitude", "longitude"))
    return regular == len(dims) == 2


def _column(file: netCDF4.Dataset, options: ReadOptions, path: Path) -> Variable:
    there = _candidates(file)
    if not there:
        everything = list_fields([field_of(v) for v in walk(file)])
        raise MissingVariableError(
            f"{path.name} has no pixels with coordinates, only {everything}; give another product"
        )
    fields = [field_of(variable) for variable in there.values()]
    return there[choose(fields, variable=options.variable, source=path.name).path]


def _check_flat(column: Variable, path: Path) -> None:
    """Refuse levels and several times, because none of them is chosen."""
    shape = shape_of(column)
    if len(shape) > 2:
        lead = dict(zip(column.dimensions, map(int, column.shape), strict=True))
        first = next(dim for dim in column.dimensions if lead[dim] == shape[0])
        raise DimensionError(
            f"{column.name} of {path.name} lies on {lead}, with {shape[0]} values of {first} for "
            f"every pixel; give a file with one of them, for example from ncks -d {first},0 "
            f"{path.name} one.nc, or a vertical column instead of levels"
        )


def _geolocate(
    column: Variable, file: netCDF4.Dataset, path: Path
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats] | None]:
    """Read the centres of all pixels, and their corners if the file has them."""
    place = place_of(column, centres_in(file))
    if place is None:
        return _unrotate(column), None
    centres = tuple(
        true_degrees(values_of(variable).reshape(shape_of(variable)), variable, axis)
        for axis, variable in zip(("latitude", "longitude"), place, strict=True)
    )
    corners = corners_of(place, file)
    if centres[0].ndim == 1 or 1 in centres[0].shape:
        if corners is None:
            raise MissingVariableError(
                f"{path.name} is a list of {centres[0].size} points without the corners of their "
                "pixels, so the size of the pixels is unknown; get the product with corners "
                "(latitude_bounds and longitude_bounds), or as a swath of scanlines and ground "
                "pixels"
            )
        if centres[0].ndim == 1:
            latitude, longitude = (axis[:, None] for axis in centres)
            return (latitude, longitude), (corners[0][:, None, :], corners[1][:, None, :])
    return (centres[0], centres[1]), corners


def _unrotate(column: Variable) -> tuple[Floats, Floats]:
    """Compute the centres of a grid with a rotated pole from its axes."""
    crs = _rotated_crs(column)
    y, x = (values_of(column.group().variables[dim]) for dim in column.dimensions[-2:])
    away = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = away.transform(*np.meshgrid(x, y))
    return latitude, longitude


def _rotated_crs(column: Variable) -> Any:
    """Return the CRS of a grid with a rotated pole; None for any other grid."""
    group = column.group()
    axes = [group.variables.get(dim) for dim in column.dimensions[-2:]]
    said = [attribute(axis, "standard_name") for axis in axes if axis is not None]
    if said != ["grid_latitude", "grid_longitude"]:
        return None
    link = attribute(column, "grid_mapping").split(":")[0].strip()
    mapping = group.variables.get(link)
    attrs = {} if mapping is None else {key: mapping.getncattr(key) for key in mapping.ncattrs()}
    return crs_in(attrs)


def _match_shape(values: Any, shape: tuple[int, ...]) -> Any:
    """Reshape the values of pixels like their centres."""
    flat = np.asarray(values)
    flat = flat.reshape([size for size in flat.shape if size != 1] or [1])
    sizes = tuple(size for size in shape if size != 1)
    swapped = len(sizes) == 2 and flat.shape == sizes[::-1] and flat.shape != sizes
    return (flat.T if swapped else flat).reshape(shape)


def _swath(
    values: Floats,
    attrs: dict[Any, Any],
    centres: tuple[Floats, Floats],
    corners: tuple[Floats, Floats] | None,
) -> xr.Dataset:
    """Assemble a swath from values, centres and corners, with longitudes in -180..180."""
    latitude, longitude = (axis.astype(np.float64) for axis in centres)
    with np.errstate(invalid="ignore"):
        turn = 360 * np.floor((longitude + 180) / 360)
    swath = xr.Dataset(
        {"column": (PIXEL, values, attrs)},
        coords={"latitude": (PIXEL, latitude), "longitude": (PIXEL, longitude - turn)},
    )
    if corners is not None:
        swath["latitude_bounds"] = ((*PIXEL, "corner"), corners[0])
        swath["longitude_bounds"] = ((*PIXEL, "corner"), corners[1] - turn[..., None])
    return swath


def _read_stated(column: Variable, found: str, shape: tuple[int, ...]) -> Stated:
    """Read the uncertainties that the file states, in the unit found for the column."""
    parts: dict[str, Any] = {}
    group, unit = column.group(), field_of(column).unit
    for layer, name in find_companions(column.name, group.variables).items():
        error = group.variables[name]
        if error.shape != column.shape or "uncertainty" not in layer:
            continue
        read = convert_companion(array_of(error), stated=unit, found=found, label=name)
        if read is not None:
            kind = layer.rpartition("_")[2] if layer != "uncertainty" else "total"
            parts[kind] = xr.DataArray(
                _match_shape(read.values, shape), dims=PIXEL, attrs=read.attrs
            )
    return Stated(**parts)


def _attach_times(swath: xr.Dataset, column: Variable, file: netCDF4.Dataset) -> xr.Dataset:
    """Give a swath the time of its scanlines, or the one time of all."""
    for times in (find(column.group(), "time"), find(file, "time")):
        if times is None or attribute(times, "units").count(" since ") != 1:
            continue
        values = values_of(times).ravel()
        if values.size == 1:
            values = np.repeat(values, swath.sizes["scanline"])
        numbers = xr.DataArray(values, attrs={"units": attribute(times, "units")})
        return attach_scanline_times(swath, numbers)
    return swath


def _origin(file: netCDF4.Dataset, path: Path) -> dict[str, str]:
    """Return the source and the time coverage of the pixels, as the file states them."""
    told = {key: attribute(file, key) for key in ("time_coverage_start", "time_coverage_end")}
    told["source"] = attribute(file, "title") or attribute(file, "source") or path.name
    return {key: text for key, text in told.items() if text}


READER = Curvilinear()
