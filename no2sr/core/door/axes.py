"""The axes of a friendly grid: found as CF says, described, and restored.

A longitude axis is unwrapped. A global grid is then rolled to centres in -180..180; a regional one
is shifted by whole turns until its west edge lies there, and may continue beyond 180.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.errors import DimensionError, IrregularGridError, UnitsError
from no2sr.core.image import regular_axis

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray
    from pyproj import CRS

__all__ = [
    "Axis",
    "attach_axes",
    "axis_name",
    "describe_x",
    "describe_y",
    "indexer",
    "is_in_degrees",
    "is_swath",
    "label_outward",
    "name_of",
    "time_dim",
]

_NORTH = {"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"}
_EAST = {"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"}
# CF decides by standard_name, then units, then axis; names come last.
_RULES: dict[str, tuple[tuple[str, set[str]], ...]] = {
    "y": (
        ("standard_name", {"latitude", "projection_y_coordinate", "grid_latitude"}),
        ("units", _NORTH),
        ("axis", {"y"}),
        ("name", {"lat", "latitude", "nav_lat", "xlat", "lats", "y", "yc", "ydim"}),
    ),
    "x": (
        ("standard_name", {"longitude", "projection_x_coordinate", "grid_longitude"}),
        ("units", _EAST),
        ("axis", {"x"}),
        ("name", {"lon", "longitude", "nav_lon", "xlong", "lons", "long", "x", "xc", "xdim"}),
    ),
}
_GEOGRAPHIC = {"latitude", "lat", "nav_lat", "xlat", "lats"}
_GEOGRAPHIC |= {"longitude", "lon", "nav_lon", "xlong", "lons", "long"}
_METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "km": 1e3, "kilometre": 1e3, "kilometer": 1e3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One spatial axis of a dataset, and where its cells lie in the image."""

    name: Hashable
    dim: Hashable
    first: float  # centre of the first cell of the image, CRS units
    step: float  # negative for y
    order: NDArray[np.intp]  # index in the dataset of each cell of the image
    turn: NDArray[np.float64]  # degrees to add to a label of the image for that of the dataset
    flipped: bool  # whether the dataset runs the other way
    rolled: bool = False  # whether the dataset begins at another longitude of the globe
    unit: float = 1.0  # CRS units in one unit of the dataset's axis


def name_of(column: xr.DataArray) -> str:
    """Return the name of a variable for a message."""
    return "the image" if column.name is None else str(column.name)


def attach_axes(column: xr.DataArray, dataset: xr.Dataset | xr.DataArray) -> xr.DataArray:
    """Attach latitude and longitude that a Dataset holds as plain variables."""
    if isinstance(dataset, xr.DataArray):
        return column
    axes = [
        key
        for key, other in dataset.data_vars.items()
        if key != column.name
        and 0 < other.ndim < 3
        and set(other.dims) <= set(column.dims)
        and any(_matches(other, which, rule) for which in "yx" for rule in (0, 1))
    ]
    return column.assign_coords({key: dataset[key].variable for key in axes})


def axis_name(column: xr.DataArray, which: str) -> Hashable | None:
    """Find the 1-D coordinate that is the y or x axis."""
    flat = [c for c in column.coords.values() if c.ndim == 1 and c.dims[0] in column.dims]
    for rule in range(len(_RULES[which])):
        found = [c for c in flat if _matches(c, which, rule)]
        found = [c for c in found if c.name == c.dims[0]] or found
        if len(found) == 1:
            name: Hashable = found[0].name
            return name
    return None


def is_swath(column: xr.DataArray) -> bool:
    """Tell whether latitude is a 2-D coordinate."""
    deep = [c for c in column.coords.values() if c.ndim > 1]
    return any(_matches(c, "y", rule) for c in deep for rule in (0, 1, 3))


def _matches(coordinate: xr.DataArray, which: str, rule: int) -> bool:
    """Tell whether a coordinate satisfies a rule of the table."""
    key, accepted = _RULES[which][rule]
    word = coordinate.name if key == "name" else coordinate.attrs.get(key)
    return str(word or "").strip().lower() in accepted


def is_in_degrees(axis: xr.DataArray) -> bool:
    """Tell whether an axis says that it is latitude or longitude."""
    units = _unit_of(axis)
    words = {str(axis.attrs.get("standard_name", "")).lower(), str(axis.name).lower()}
    return units in _NORTH | _EAST or (units not in _METRES and bool(words & _GEOGRAPHIC))


def time_dim(column: xr.DataArray, spatial: set[Hashable]) -> Hashable | None:
    """Find the time dimension."""
    for dim in (dim for dim in column.dims if dim not in spatial):
        attrs = column[dim].attrs if dim in column.coords else {}
        named = str(dim).lower() in ("time", "valid_time")
        if named or attrs.get("standard_name") == "time" or attrs.get("axis") == "T":
            return dim
    return None


def describe_y(axis: xr.DataArray, dataset: xr.Dataset | xr.DataArray, crs: CRS) -> Axis:
    """Describe a y axis, north first.

    Raises
    ------
    IrregularGridError
        If it is uneven, or a latitude lies beyond a pole.
    UnitsError
        If its unit contradicts the CRS.
    """
    unit = _crs_units(axis, crs)
    up = _sort_axis(axis, _centres(axis, dataset) * unit)
    top = round(up.first + up.step * (up.order.size - 1), 11)
    far = max(top, up.first, key=abs)
    if crs.is_geographic and abs(far) > 90 + 1e-6:
        raise IrregularGridError(
            f"{axis.name} reaches {far:g} degrees, which is not a latitude; if the axes are "
            "projected, set the CRS with image.rio.write_crs('EPSG:...')"
        )
    order, flipped = up.order[::-1], not up.flipped
    return replace(up, first=top, step=-up.step, order=order, flipped=flipped, unit=unit)


def describe_x(axis: xr.DataArray, dataset: xr.Dataset | xr.DataArray, crs: CRS) -> Axis:
    """Describe an x axis, west first; see the module for longitudes.

    Raises
    ------
    IrregularGridError
        If it is uneven, or goes more than once around the globe.
    UnitsError
        If its unit contradicts the CRS.
    """
    unit = _crs_units(axis, crs)
    centres = _centres(axis, dataset) * unit
    found = _unwrap_axis(axis, centres) if crs.is_geographic else _sort_axis(axis, centres)
    return replace(found, unit=unit)


def _unit_of(axis: xr.DataArray) -> str:
    """Return the unit in lower case and in the singular."""
    units = str(axis.attrs.get("units", "")).strip().lower()
    return units.removesuffix("s") if units.removesuffix("s") in _METRES else units


def _crs_units(axis: xr.DataArray, crs: CRS) -> float:
    """Return how many CRS units one unit of the axis is."""
    units = _unit_of(axis)
    if crs.is_geographic:
        if units in _METRES or units.startswith("rad"):
            raise UnitsError(
                f"axis {axis.name} is in {units} but the CRS {crs.name} is in degrees; "
                "set the projection with image.rio.write_crs('EPSG:...')"
            )
        return 1.0
    first = crs.axis_info[0] if crs.axis_info else None
    if units in _METRES:
        return _METRES[units] / (first.unit_conversion_factor if first else 1.0)
    if not units or (first is not None and units == first.unit_name.lower()):
        return 1.0
    raise UnitsError(
        f"axis {axis.name} is in {units!r}, not in m or km; convert it to the unit of {crs.name} "
        "(warp a geostationary grid in scan angles first)"
    )


def _centres(axis: xr.DataArray, dataset: xr.Dataset | xr.DataArray) -> NDArray[np.float64]:
    """Return the cell centres: the middle of the cell bounds if these contradict the axis."""
    if axis.dtype.kind not in "fiu":
        raise DimensionError(
            f"axis {axis.name} holds {axis.dtype} values, which are not numbers; give the cell "
            "centres in degrees, or in the unit of the CRS"
        )
    values = np.asarray(axis.values, dtype=np.float64)
    bounds = axis.attrs.get("bounds")
    if not isinstance(dataset, xr.Dataset) or bounds not in dataset.variables:
        return values
    edges = np.asarray(dataset[bounds].values, dtype=np.float64)
    if edges.shape != (values.size, 2) or values.size < 2:
        return values
    middle = edges.mean(axis=1)
    return middle if np.abs(middle - values).max() > 0.01 * abs(np.diff(edges[0])[0]) else values


def _sort_axis(axis: xr.DataArray, centres: NDArray[np.float64]) -> Axis:
    """Describe an axis in ascending order."""
    # The stored precision tells how much of the unevenness is rounding.
    stored = centres.astype(np.result_type(axis.dtype, np.float32))
    first, step = regular_axis(stored, str(axis.name))
    order = np.arange(centres.size)
    flipped = step < 0
    if flipped:
        first, step, order = first + step * (centres.size - 1), -step, order[::-1]
    return Axis(
        name=axis.name,
        dim=axis.dims[0],
        first=round(first, 11),
        step=step,
        order=order,
        turn=np.zeros(centres.size),
        flipped=flipped,
    )


def _unwrap_axis(axis: xr.DataArray, centres: NDArray[np.float64]) -> Axis:
    """Describe a longitude axis: unwrapped, then rolled or shifted."""
    finite = np.where(
        np.isfinite(centres), centres, np.nan
    )  # an infinite value cannot be unwrapped
    found = _sort_axis(axis, np.unwrap(finite, period=360))
    n, step, before = centres.size, found.step, 0
    if n * step > 360.01 + 0.01 * step:
        raise IrregularGridError(
            f"{axis.name} covers {n * step:g} degrees, more than the globe; drop repeated columns"
        )
    if abs(n * step - 360) <= 0.01 * step:
        step = 360 / n
        past = (found.first + 180) % 360
        before = int(np.floor(past / step + 1e-3))
        first = past - 180 - before * step
    else:
        west = found.first - step / 2
        first = found.first - 360 * np.floor((west + 180 + 1e-3 * step) / 360)
    first, order = round(float(first), 11), np.roll(found.order, before)
    turn = 360 * np.round((centres[order] - first - step * np.arange(n)) / 360)
    rolled = before % n > 0
    return replace(found, first=first, step=step, order=order, turn=turn, rolled=rolled)


def indexer(order: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Return a slice if the order allows it, because gathering single cells from a file is slow."""
    plain = np.arange(order.size)
    if np.array_equal(order, plain):
        return slice(None)
    return slice(None, None, -1) if np.array_equal(order, plain[::-1]) else order


def label_outward(
    centres: NDArray[np.float64], axis: Axis, *, whole: bool
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the order and the labels of fine cells in the form of the dataset.

    Parameters
    ----------
    centres : array, (n,)
        Centres of the fine cells in the image.
    axis : Axis
        The coarse one.
    whole : bool
        Whether a rolled axis can be rolled back, which needs a fine axis that spans the globe.

    Returns
    -------
    order, labels : array, (n,)
        Fine cells in the dataset's order, and their labels in that order.
    """
    inner = np.arange(centres.size) * (-1 if axis.flipped else 1)
    if axis.rolled and not whole:
        order = np.argsort(inner)
        return order, centres[order]
    place = (centres - (axis.first - axis.step / 2)) / axis.step
    cell = np.clip(np.floor(place), 0, axis.order.size - 1).astype(np.intp)
    order = np.lexsort((inner, axis.order[cell]))
    return order, ((centres + axis.turn[cell]) / axis.unit)[order]
