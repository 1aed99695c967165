"""Times: decode those of CF and CDO, and select steps."""

from __future__ import annotations

import logging
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from no2sr.core.errors import SettingsError
from no2sr.core.spans import covered, parse_span
from no2sr.core.times import BOUNDS, EDGES, TIME, bounds_name, date_scene, keep_bounds

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from no2sr.core.columns import Field

__all__ = [
    "Moment",
    "attach_scanline_times",
    "decode_times",
    "in_utc",
    "layers_of",
    "select_time",
    "settle_time",
    "spell_out_chunks",
]

log = logging.getLogger("no2sr")

Moment: TypeAlias = "str | datetime | np.datetime64"

_NAMES = ("time", "valid_time", "t")  # CAMS says valid_time since 2024-09, openEO t
_STEPS = {*_NAMES, "forecast_period", "forecast_reference_time"}


def layers_of(field: Field) -> tuple[int, int]:
    """Return the cells of a field at one time, and the number of times."""
    sizes = list(zip(field.dims, field.shape, strict=True))
    plane = [size for dim, size in sizes if dim not in _STEPS][-2:]
    return prod(plane), prod(size for dim, size in sizes if dim in _STEPS)


def spell_out_chunks(chunks: Any, field: Field) -> Any:
    """Spell out automatic chunks of a field with times: whole images, or parts of one image.

    The times are processed one after the other. A chunk with parts of several images would be read
    once for each of them.
    """
    if chunks != "auto" or not _STEPS.intersection(field.dims):
        return chunks
    import dask

    room = dask.utils.parse_bytes(dask.config.get("array.chunk-size"))
    whole = layers_of(field)[0] * np.dtype("float64").itemsize <= room
    along, across = ("auto", -1) if whole else (1, "auto")
    return {dim: along if dim in _STEPS else across for dim in field.dims}


def settle_time(dataset: xr.Dataset) -> xr.Dataset:
    """Name the time coordinate ``time`` and its bounds ``time_bnds``, and decode both.

    Where that fails the numbers stay as they are, said in the log: not all tools write CF units.
    Without a time, the one interval that the attributes of the dataset state is taken.
    """
    found = [name for name in _NAMES if name in dataset.coords or name in dataset.dims]
    if not found:
        return date_scene(dataset, covered(dataset.attrs))
    dataset = dataset if found[0] == TIME else dataset.rename({found[0]: TIME})
    if TIME not in dataset.variables or dataset[TIME].dims not in ((), (TIME,)):
        return dataset
    time, edges = dataset[TIME], _find_edges(dataset)
    try:
        decoded = decode_times(time)
        bounds = None if edges is None else decode_times(edges.assign_attrs(time.attrs))
    except (ValueError, OverflowError, TypeError) as problem:
        log.warning("the times stay undecoded: %s", problem)
        return dataset
    if bounds is None:
        return _attach_coverage(dataset.assign_coords({TIME: decoded}))
    decoded = decoded.assign_attrs(bounds=BOUNDS)
    bare = dataset.drop_vars(bounds_name(time))
    dated = bare.assign_coords({TIME: decoded, BOUNDS: (bounds.dims, bounds.values)})
    return keep_bounds(dated, dated)


def _find_edges(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the bounds of the times as they are stored, and none that do not fit."""
    time = dataset[TIME]
    edges = dataset.variables.get(bounds_name(time))
    if edges is None or edges.shape != (*time.shape, 2):
        return None
    return xr.DataArray(edges.values, dims=(*time.dims, EDGES))


def _attach_coverage(dataset: xr.Dataset) -> xr.Dataset:
    """Give a single time the interval that the attributes state, if it lies in there."""
    span = covered(dataset.attrs)
    if span is None or dataset[TIME].size != 1 or dataset[TIME].dtype.kind != "M":
        return dataset
    (moment,) = dataset[TIME].values.ravel()
    if not span.start <= moment <= span.end:
        return dataset
    stated = dataset.assign_coords({BOUNDS: (EDGES, np.array(span))})
    return keep_bounds(stated, stated)


def decode_times(time: xr.DataArray) -> xr.DataArray:
    """Return times as dates, from numbers in the units of CF or CDO.

    Raises
    ------
    ValueError, OverflowError, TypeError
        If the units are none of time, or the numbers are no dates.
    """
    units = str(time.attrs.get("units", ""))
    if units.startswith(
        "day as %Y%m%d"
    ):  # absolute time of CDO, a fraction of the day behind the dot
        numbers = np.atleast_1d(time.data)
        days = np.floor(numbers).astype("int64")
        dates = pd.to_datetime(days.ravel().astype(str), format="%Y%m%d")
        moments = dates + pd.to_timedelta((numbers - days).ravel(), unit="D")
        attrs = {
            key: value for key, value in time.attrs.items() if key not in ("units", "calendar")
        }
        return time.copy(data=moments.to_numpy().reshape(time.shape)).assign_attrs(attrs)
    bare = time.variable.copy(deep=False)
    bare.attrs = {key: text for key, text in bare.attrs.items() if key != "bounds"}
    decoded = xr.decode_cf(xr.Dataset({"moments": bare}))["moments"]
    return time.copy(data=decoded.data).assign_attrs(decoded.attrs)


def attach_scanline_times(swath: xr.Dataset, times: xr.DataArray) -> xr.Dataset:
    """Give a swath the time of every scanline, as the coordinate ``time``.

    Parameters
    ----------
    swath : Dataset, (scanline, ground_pixel)
    times : DataArray, (scanline,) under any name
        Dates, or numbers in units of CF; what cannot be decoded is left out, said in the log.
    """
    if times.shape != (swath.sizes["scanline"],):
        return swath
    try:
        dates = decode_times(times).values.astype("datetime64[ns]")
    except (ValueError, OverflowError, TypeError) as problem:
        log.info("the times of the scanlines stay undecoded: %s", problem)
        return swath
    return swath.assign_coords({TIME: ("scanline", dates)})


def select_time(dataset: xr.Dataset, time: Moment | None, *, source: str) -> xr.Dataset:
    """Select the steps that a moment or a part of a date names; a single one loses its dimension.

    If the dataset has no time, the moment or the interval that is named is its time.

    Raises
    ------
    SettingsError
        If there is no such step; the message lists those there are. If the dataset has no time
        and `time` is none.
    """
    if time is not None and TIME not in dataset.coords:
        if TIME in dataset.dims:
            raise SettingsError(
                f"{source} has {dataset.sizes[TIME]} steps but no times; leave time= out, and "
                "choose one in Python with isel(time=...)"
            )
        return date_scene(dataset, parse_span(in_utc(time)))
    if time is not None:
        dataset = _take(dataset, time, source)
    return dataset.squeeze(TIME) if dataset.sizes.get(TIME) == 1 else dataset


def in_utc(time: Moment) -> str:
    """Return a moment or a part of a date as text; a moment with an offset becomes UTC."""
    text = str(time) if isinstance(time, str | np.datetime64) else time.isoformat()
    try:
        moment = pd.Timestamp(text)
    except (ValueError, OverflowError):
        return text
    return text if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None).isoformat()


def _take(dataset: xr.Dataset, time: Moment, source: str) -> xr.Dataset:
    wanted = in_utc(time)
    steps = dataset if TIME in dataset.dims else dataset.expand_dims(TIME)
    try:
        place = steps.indexes[TIME].get_loc(wanted)
    except (KeyError, ValueError, TypeError) as absent:
        raise SettingsError(
            f"{source} has no time {wanted}, only {_list(steps[TIME].values)}; "
            "set time= to one of these, or to a part such as 2023-10"
        ) from absent
    return steps.isel(time=[place] if isinstance(place, int | np.integer) else place)


def _list(times: NDArray[Any]) -> str:
    words = [
        str(np.datetime_as_string(t, unit="s")) if t.dtype.kind == "M" else str(t) for t in times
    ]
    return ", ".join(words if len(words) <= 12 else [*words[:6], "...", *words[-3:]])
