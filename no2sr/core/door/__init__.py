"""The door: turn a friendly dataset into a strict image, and a fine image back into its form.

`enter` makes the image of `no2sr.core.image` from a ``Dataset`` or ``DataArray`` with ``lat/lon``,
``latitude/longitude`` or ``y/x``, in any axis order and direction, with longitudes -180..180 or
0..360. `leave` is its inverse on a finer (or shaved) grid. Both survey the dataset in the same way,
so nothing is passed from one to the other. Values are never converted: the method does not depend
on their unit.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import xarray as xr

from no2sr.core.door.axes import (
    Axis,
    attach_axes,
    axis_name,
    describe_x,
    describe_y,
    indexer,
    is_swath,
    label_outward,
    name_of,
    time_dim,
)
from no2sr.core.door.reference import (
    WGS84,
    attach_mapping,
    check_upright,
    find_crs,
    inner_transform,
    outer_transform,
    restore_mapping,
)
from no2sr.core.door.values import check_no_picture, check_values, clean
from no2sr.core.door.variables import choose_variable
from no2sr.core.errors import DimensionError
from no2sr.core.grid import georeference, spans_globe
from no2sr.core.times import TIME, bounds_name

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pyproj import CRS

__all__ = ["choose_variable", "enter", "leave"]

log = logging.getLogger("no2sr")

Friendly = TypeVar("Friendly", xr.Dataset, xr.DataArray)

# How the coarse values were stored or distributed, and which variables went with them. None of it
# holds for the image. (A reader would even mask fine values beyond the coarse valid_max.)
_STALE = re.compile(
    r"_FillValue|missing_value|scale_factor|add_offset|_Unsigned|STATISTICS_.*|actual_range"
    r"|valid_(min|max|range)|nodatavals|scales|offsets|transform|res|crs"
    r"|grid_mapping|coordinates|ancillary_variables|cell_measures"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """What `enter` finds in a dataset, and `leave` finds again."""

    column: xr.DataArray
    y: Axis
    x: Axis
    time: Hashable | None
    lone: tuple[Hashable, ...]  # dims of length 1
    mapping: Hashable | None  # name of the grid mapping variable
    crs: CRS | None  # None: degrees, nothing stated


def enter(dataset: xr.Dataset | xr.DataArray, *, variable: str | None = None) -> xr.DataArray:
    """Make the strict image of a friendly dataset.

    Parameters
    ----------
    dataset : Dataset or DataArray
        It is never modified. Axes are found as CF says: by ``standard_name``, then ``units``, then
        ``axis``, then name. Dimensions of length 1 are squeezed; ``time`` is kept.
    variable : str, optional
        Which variable of a Dataset; by default the only one on a grid, or the only one that is an
        NO2 column by its name and unit.

    Returns
    -------
    DataArray, (y, x) or (time, y, x), float32
        The image of `no2sr.core.image.check_image`, in the unit of the dataset. A dask-backed
        dataset stays lazy: its values are cleaned block by block when they are computed, and it is
        not checked whether all of them are gaps.

    Raises
    ------
    MissingVariableError, AmbiguousVariableError
        The message lists the variables that exist.
    DimensionError
        If axes are missing or 2-D (a swath), another dimension is longer than 1, or values are
        packed.
    IrregularGridError
        If the grid is uneven, rotated, or goes more than once around the globe.
    MissingCRSError
        If projected axes have no CRS. Degrees without one are taken as EPSG:4326, which is logged.
    UnitsError
        If there is no unit, or the unit of an axis contradicts the CRS.
    NoValidPixelsError
        If every pixel is a gap.

    Warns
    -----
    RepairWarning
        If infinite or impossible values (beyond 1e29), or numbers that mark gaps in other programs,
        such as -999, were set to missing; the message counts them.

    See Also
    --------
    leave : the inverse.
    """
    check_no_picture(dataset)
    way = _survey(dataset, variable)
    check_values(way.column)
    if way.crs is None:
        log.info("%s states no CRS; its degrees are taken as EPSG:4326", name_of(way.column))
    image = clean(_arrange(way), way.column)
    transform = inner_transform(way.column, way.mapping, y=way.y, x=way.x)
    return georeference(image, transform, way.crs or WGS84)


def leave(fine: xr.DataArray, dataset: Friendly, *, variable: str | None = None) -> Friendly:
    """Give a fine image the form of the dataset that it was made from.

    Parameters
    ----------
    fine : DataArray, (y, x) or (time, y, x)
        An image on a grid that is finer than ``enter(dataset)``, of the same or smaller extent.
    dataset : Dataset or DataArray
        The argument of `enter`.
    variable : str, optional
        As for `enter`.

    Returns
    -------
    Dataset or DataArray
        Of the dataset's type, with its dimension names and order, axis directions, longitude
        convention, axis attributes, grid mapping and other coordinates. Values and attributes are
        those of `fine`. A Dataset keeps only the downscaled variable: the others belong to the
        coarse grid, as do cell bounds and 2-D coordinates. A global grid that was shaved cannot be
        rolled back, and keeps longitudes in -180..180.

    See Also
    --------
    enter : the inverse.

    Notes
    -----
    ``leave(enter(x), x)`` equals ``x``, except for float32 values, NaN in every gap, axes without
    float32 rounding, and the points above.
    """
    way = _survey(dataset, variable)
    rows, y = label_outward(fine["y"].values, way.y, whole=True)
    columns, x = label_outward(fine["x"].values, way.x, whole=not way.x.rolled or spans_globe(fine))
    out = fine.isel(y=indexer(rows), x=indexer(columns)).drop_vars(["y", "x", "spatial_ref"])
    names = {"y": way.y.dim, "x": way.x.dim, "time": way.time}
    out = out.rename({k: v for k, v in names.items() if k in out.dims and k != v})
    for axis, labels in ((way.y, y), (way.x, x)):
        attrs = {k: v for k, v in way.column[axis.name].attrs.items() if k != "bounds"}
        out = out.assign_coords({axis.name: (axis.dim, labels, attrs)})
    out = _restore_bystanders(out, way).expand_dims(list(way.lone)).transpose(*way.column.dims)
    out = restore_mapping(out, way.column, way.mapping, outer_transform(fine, y, x))
    out.name = way.column.name
    if isinstance(dataset, xr.DataArray):
        return out
    whole = _restore_time_bounds(out.to_dataset().assign_attrs(dataset.attrs), dataset)
    return whole.reset_coords([name for name in [way.mapping] if name in dataset.data_vars])


def _restore_time_bounds(whole: xr.Dataset, dataset: xr.Dataset) -> xr.Dataset:
    """Restore the bounds of the times, which lie on a dimension of their own."""
    if TIME not in whole.coords:
        return whole
    link = bounds_name(whole[TIME])
    if link not in dataset.variables or link in whole.variables:
        return whole
    bounds = dataset[link].variable
    held = whole.assign({link: bounds})
    return held.set_coords(link) if link in dataset.coords else held


def _survey(dataset: xr.Dataset | xr.DataArray, variable: str | None) -> _Way:
    """Find the variable, its axes, time, dimensions of length 1 and CRS, without its values."""
    column = attach_axes(choose_variable(dataset, variable), dataset)
    column, mapping = attach_mapping(column, dataset)
    check_upright(column, mapping)
    names = {which: axis_name(column, which) for which in ("y", "x")}
    if names["y"] is None or names["x"] is None:
        raise DimensionError(_explain_missing_axis(column, names))
    y, x = column[names["y"]], column[names["x"]]
    time = time_dim(column, {*y.dims, *x.dims})
    lone = _lone_dims(column, {*y.dims, *x.dims, time})
    if y.dims == x.dims:
        raise DimensionError(
            f"{y.name} and {x.name} both run along {y.dims[0]}: a list of points, not a grid; "
            "for a swath use no2sr.open_no2"
        )
    crs = find_crs(column, (y, x), mapping)
    assumed = crs or WGS84
    return _Way(
        column=column,
        y=describe_y(y, dataset, assumed),
        x=describe_x(x, dataset, assumed),
        time=time,
        lone=lone,
        mapping=mapping,
        crs=crs,
    )


def _lone_dims(column: xr.DataArray, known: set[Hashable]) -> tuple[Hashable, ...]:
    """Return the dimensions to squeeze."""
    rest = tuple(dim for dim in column.dims if dim not in known)
    for dim in rest:
        if column.sizes[dim] != 1:
            raise DimensionError(
                f"{name_of(column)} has the dimension {dim!r} of length {column.sizes[dim]} "
                f"besides time and the two axes; choose one entry with isel({dim}=0)"
            )
    return rest


def _explain_missing_axis(column: xr.DataArray, names: dict[str, Hashable | None]) -> str:
    """Compose the message about an axis that is missing."""
    if is_swath(column):
        return (
            f"{name_of(column)} has 2-D latitude and longitude: it is a swath or a curvilinear "
            "grid; open the file with no2sr.open_no2, which grids swaths"
        )
    words = {"y": "latitude or y", "x": "longitude or x"}
    missing = " and no ".join(words[which] for which, name in names.items() if name is None)
    there = ", ".join(str(name) for name in column.coords) or "none"
    return (
        f"{name_of(column)} {column.dims} has no {missing} axis (its coordinates: {there}); "
        "assign 1-D cell centres, with units such as degrees_north"
    )


def _arrange(way: _Way) -> xr.DataArray:
    """Return the variable with the dims of an image, north and west first, without its axes."""
    lead = [] if way.time is None else [way.time]
    ordered = way.column.squeeze(way.lone, drop=True).transpose(*lead, way.y.dim, way.x.dim)
    ordered = ordered.isel({axis.dim: indexer(axis.order) for axis in (way.y, way.x)})
    return xr.DataArray(
        ordered.data,
        dims=("time", "y", "x") if lead else ("y", "x"),
        coords=_bystanders(way),
        name=way.column.name,
        attrs={k: v for k, v in way.column.attrs.items() if not _STALE.fullmatch(str(k))},
    )


def _bystanders(way: _Way) -> dict[Hashable, xr.Variable]:
    """Return the coordinates that lie on neither axis, under names that an image may have."""
    kept: dict[Hashable, xr.Variable] = {}
    reserved = {"y", "x", "spatial_ref", way.mapping} | ({"time"} if way.time else set())
    for name, variable in _find_off_grid(way).items():
        if name == way.time or name not in reserved:
            inside = "time" if name == way.time else name
            kept[inside] = xr.Variable(["time"] * variable.ndim, variable.data, variable.attrs)
    return kept


def _restore_bystanders(out: xr.DataArray, way: _Way) -> xr.DataArray:
    """Restore the coordinates that lie on neither axis and that the image did not carry."""
    off_grid = _find_off_grid(way).items()
    missing = {n: v for n, v in off_grid if n not in out.coords and n != way.mapping}
    return out.assign_coords(missing)


def _find_off_grid(way: _Way) -> dict[Hashable, xr.Variable]:
    """Return the coordinates that lie on neither axis, without dims of length 1."""
    spatial = {way.y.dim, way.x.dim}
    return {
        name: coord.variable.squeeze([dim for dim in way.lone if dim in coord.dims])
        for name, coord in way.column.coords.items()
        if not spatial & set(coord.dims)
    }
