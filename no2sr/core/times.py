"""When a scene was observed: its times, their bounds, and both in words.

A scene that knows when it was observed has the coordinate ``time``, in UTC, and as a rule the
bounds of every time, ``time_bnds`` (CF 7.1). A time that this package sets is the beginning of its
interval, as in pandas; one that a file states stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from no2sr.core.spans import Span, describe_span

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BOUNDS",
    "EDGES",
    "ENCODING",
    "TIME",
    "bounds_name",
    "date_scene",
    "describe_times",
    "keep_bounds",
    "spans_in",
    "time_bounds",
]

TIME: Final = "time"
BOUNDS: Final = "time_bnds"
EDGES: Final = "nv"  # the dimension of the two bounds
# Times and their bounds must be stored alike, which xarray sees to only if it is told how.
ENCODING: Final = {
    "units": "seconds since 1970-01-01 00:00:00",
    "calendar": "proleptic_gregorian",
    "dtype": "float64",
}


def date_scene(scene: xr.Dataset, span: Span | None) -> xr.Dataset:
    """Give a scene of one time that time and its bounds.

    Parameters
    ----------
    scene : Dataset, (y, x)
    span : Span or None
        None leaves the scene as it is.
    """
    if span is None:
        return scene
    start, end = (edge.astype("datetime64[ns]") for edge in span)
    dated = scene.assign_coords({TIME: start})
    return _attach_bounds(dated, xr.Variable(EDGES, np.array([start, end])))


def bounds_name(time: xr.DataArray) -> str:
    """Return the name of the variable that holds the bounds of times, if there is one."""
    return str(time.attrs.get("bounds") or time.encoding.get("bounds") or BOUNDS)


def time_bounds(scene: xr.Dataset | xr.DataArray) -> xr.Variable | None:
    """Return the bounds of the times of a scene.

    Parameters
    ----------
    scene : Dataset or DataArray
        A DataArray has none: they lie on no dimension of it.

    Returns
    -------
    Variable, (nv,) or (time, nv), or None
        Dates; None if there are none, or they do not fit the times.
    """
    if isinstance(scene, xr.DataArray) or not _has_dates(scene):
        return None
    time = scene[TIME]
    found = scene.variables.get(bounds_name(time))
    if found is None or found.dtype.kind != "M" or found.shape[-1:] != (2,):
        return None
    edges = found.values.astype("datetime64[ns]")
    if edges.size != 2 * time.size or np.isnat(edges).any():
        return None
    return xr.Variable((*time.dims, EDGES), edges.reshape(*time.shape, 2))


def keep_bounds(scene: xr.Dataset, source: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """Give a scene the bounds of another one with the same times.

    Functions that work on the layers of a scene lose what lies on no dimension of a layer.

    Parameters
    ----------
    scene : Dataset
    source : Dataset or DataArray
        What the scene was made from.
    """
    bounds = time_bounds(source)
    if bounds is None or TIME not in scene.coords or scene[TIME].shape != source[TIME].shape:
        return scene
    return _attach_bounds(scene, bounds)


def spans_in(scene: xr.Dataset | xr.DataArray) -> list[Span]:
    """Return the interval of every time of a scene; none if it has no dates.

    A time without bounds is a moment.
    """
    if not _has_dates(scene):
        return []
    times = np.atleast_1d(scene[TIME].values).astype("datetime64[ns]")
    bounds = time_bounds(scene)
    edges: NDArray[Any] = (
        np.stack([times, times], axis=1) if bounds is None else bounds.values.reshape(-1, 2)
    )
    return [Span(start, end) for start, end in edges]


def describe_times(scene: xr.Dataset | xr.DataArray) -> str:
    """Say when a scene was observed, such as "August 2019"; empty if it has no dates."""
    spans = spans_in(scene)
    if not spans:
        return ""
    if len(spans) == 1:
        return describe_span(spans[0])
    first, last = describe_span(spans[0]), describe_span(spans[-1])
    return f"{len(spans)} times, {first} to {last}"


def _has_dates(scene: xr.Dataset | xr.DataArray) -> bool:
    """Tell whether a scene has times that are dates, one or along a dimension of their own."""
    if TIME not in scene.coords:
        return False
    return scene[TIME].dtype.kind == "M" and scene[TIME].dims in ((), (TIME,))


def _attach_bounds(scene: xr.Dataset, bounds: xr.Variable) -> xr.Dataset:
    time = scene[TIME]
    linked = time.assign_attrs(bounds=BOUNDS)
    linked.encoding = ENCODING | {k: v for k, v in time.encoding.items() if k != "bounds"}
    return scene.assign_coords({TIME: linked, BOUNDS: bounds})
