"""Times: decode what CF and CDO write, and take the steps that were asked for."""

from __future__ import annotations

import logging
import re
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from no2sr.core.columns import Field

__all__ = [
    "TIME_COVERAGE",
    "Moment",
    "coverage_of",
    "decode_times",
    "layers_of",
    "moment_in",
    "month_in",
    "select_time",
    "settle_time",
    "spell_out_chunks",
]

log = logging.getLogger("no2sr")

Moment: TypeAlias = "str | datetime | np.datetime64"

# Attributes of a swath, as the Attribute Convention for Data Discovery names them.
TIME_COVERAGE = ("time_coverage_start", "time_coverage_end")

_NAMES = ("time", "valid_time", "t")  # CAMS says valid_time since 2024-09, openEO t
_STEPS = {*_NAMES, "forecast_period", "forecast_reference_time"}
_YEAR = r"(?<!\d)((?:19|20)\d\d)"
_DAY = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<between>[-_.]?)(?P<month>0[1-9]|1[0-2])(?P=between)"
    r"(?P<day>[0-2]\d|3[01])(?:[T_ -]?(?P<hour>[01]\d|2[0-3])[:-]?(?P<minute>[0-5]\d)"
    r"(?:[:-]?[0-5]\d)?Z?)?(?!\d)"
)
_DAY_OF_YEAR = re.compile(_YEAR + r"[-_m]?([0-2]\d\d|3[0-5]\d|36[0-6])(?!\d)")
_DATED_MONTH = re.compile(_YEAR + r"[-_.]?(0[1-9]|1[0-2])(?![\d-])")
_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])(?!\d)")


def layers_of(field: Field) -> tuple[int, int]:
    """Return the cells of a field at one time, and the number of times."""
    sizes = list(zip(field.dims, field.shape, strict=True))
    plane = [size for dim, size in sizes if dim not in _STEPS][-2:]
    return prod(plane), prod(size for dim, size in sizes if dim in _STEPS)


def spell_out_chunks(chunks: Any, field: Field) -> Any:
    """Spell out automatic chunks of a field with times: whole images, or parts of one image.

    It is worked on one time after the other. Of chunks that hold parts of several images, each
    would be read for every one of them.
    """
    if chunks != "auto" or not _STEPS.intersection(field.dims):
        return chunks
    import dask

    room = dask.utils.parse_bytes(dask.config.get("array.chunk-size"))
    whole = layers_of(field)[0] * np.dtype("float64").itemsize <= room
    along, across = ("auto", -1) if whole else (1, "auto")
    return {dim: along if dim in _STEPS else across for dim in field.dims}


def month_in(name: str) -> np.datetime64 | None:
    """Return the first day of a month that the name of a file says as ``YYYYMM``."""
    month = _MONTH.search(name)
    return np.datetime64(f"{month[1]}-{month[2]}-01", "ns") if month else None


def moment_in(name: str) -> np.datetime64 | None:
    """Return the one moment, day or month that the name of a file says; None where it says several.

    Parameters
    ----------
    name : str
        Such as ``no2_2020-06-01.tif``, ``NO2_20200601T0415.nc``, ``A2020153.nc`` (the day of the
        year) or ``no2_202006.nc``.
    """
    moments = {_moment(match) for match in _DAY.finditer(name)} - {None}
    days = {str(moment)[:10] for moment in moments}
    if len(days) > 1:
        return None
    if len(moments) == 1:
        return moments.pop()
    if days:  # from one time of a day to another
        return np.datetime64(days.pop(), "ns")
    of_year = {(match[1], match[2]) for match in _DAY_OF_YEAR.finditer(name)}
    if len(of_year) == 1:
        year, day = of_year.pop()
        return np.datetime64(f"{year}-01-01", "ns") + np.timedelta64(int(day) - 1, "D")
    months = {(match[1], match[2]) for match in _DATED_MONTH.finditer(name)}
    year, month = months.pop() if len(months) == 1 else ("", "")
    return np.datetime64(f"{year}-{month}-01", "ns") if year else None


def coverage_of(attrs: Mapping[Any, Any], name: str) -> tuple[str, str] | None:
    """Return the first and the last moment of a swath: ISO 8601, UTC, as 2019-01-03T11:08:28Z.

    Parameters
    ----------
    attrs : mapping
        Of the swath. Its `TIME_COVERAGE` counts first, if both are dates.
    name : str
        Of the file. It counts otherwise, as `moment_in` reads it; both moments are then the same.

    Returns
    -------
    (str, str) or None
        None if neither says it.
    """
    told = [str(attrs.get(key)) for key in TIME_COVERAGE]
    stated: list[Any] = [pd.to_datetime(text, errors="coerce", utc=True) for text in told]
    if any(pd.isna(moment) for moment in stated):
        found = moment_in(name)
        if found is None:
            return None
        stated = [pd.Timestamp(found, tz="UTC")] * 2
    first, last = (str(moment.tz_localize(None).isoformat(timespec="seconds")) for moment in stated)
    return f"{first}Z", f"{last}Z"


def _moment(match: re.Match[str]) -> np.datetime64 | None:
    """Return the moment that digits say, None where there is no such day."""
    clock = f"T{match['hour']}:{match['minute']}" if match["hour"] else ""
    try:
        return np.datetime64(f"{match['year']}-{match['month']}-{match['day']}{clock}", "ns")
    except ValueError:
        return None


def settle_time(dataset: xr.Dataset) -> xr.Dataset:
    """Name the time coordinate ``time`` and decode it.

    Where that fails the numbers stay as they are, said in the log: not all tools write CF units.
    """
    found = [name for name in _NAMES if name in dataset.coords or name in dataset.dims]
    if not found:
        return dataset
    dataset = dataset if found[0] == "time" else dataset.rename({found[0]: "time"})
    if "time" not in dataset.variables or dataset["time"].dims not in ((), ("time",)):
        return dataset
    try:
        return dataset.assign_coords(time=decode_times(dataset["time"]))
    except (ValueError, OverflowError, TypeError) as problem:
        log.warning("the times stay undecoded: %s", problem)
        return dataset


def decode_times(time: xr.DataArray) -> xr.DataArray:
    """Decode numbers of CF units, or days that CDO writes as numbers.

    Raises
    ------
    ValueError, OverflowError, TypeError
        If they cannot be decoded.
    """
    units = str(time.attrs.get("units", ""))
    if units.startswith(
        "day as %Y%m%d"
    ):  # absolute time of CDO, a fraction of the day behind the dot
        numbers = np.atleast_1d(time.data)
        days = np.floor(numbers).astype("int64")
        dates = pd.to_datetime(days.astype(str), format="%Y%m%d")
        moments = dates + pd.to_timedelta(numbers - days, unit="D")
        attrs = {
            key: value for key, value in time.attrs.items() if key not in ("units", "calendar")
        }
        return time.copy(data=moments.to_numpy().reshape(time.shape)).assign_attrs(attrs)
    return xr.decode_cf(xr.Dataset(coords={"time": time}))["time"]


def select_time(dataset: xr.Dataset, time: Moment | None, *, source: str) -> xr.Dataset:
    """Take the steps that a moment or a part of a date names; a single step loses its dimension.

    Raises
    ------
    SettingsError
        If there is no such step; the message lists those there are.
    """
    if time is not None:
        dataset = _take(dataset, time, source)
    return dataset.squeeze("time") if dataset.sizes.get("time") == 1 else dataset


def _take(dataset: xr.Dataset, time: Moment, source: str) -> xr.Dataset:
    if "time" not in dataset.coords:
        raise SettingsError(
            f"{source} has no times, expected none to be asked for; leave time= out"
        )
    wanted = str(time) if isinstance(time, str | np.datetime64) else time.isoformat()
    steps = dataset if "time" in dataset.dims else dataset.expand_dims("time")
    try:
        place = steps.indexes["time"].get_loc(wanted)
    except (KeyError, ValueError, TypeError) as absent:
        raise SettingsError(
            f"{source} has no time {wanted}, expected one of {_list(steps['time'].values)}; "
            "give time= one of these, or a part such as 2023-10"
        ) from absent
    return steps.isel(time=[place] if isinstance(place, int | np.integer) else place)


def _list(times: NDArray[Any]) -> str:
    words = [
        str(np.datetime_as_string(t, unit="s")) if t.dtype.kind == "M" else str(t) for t in times
    ]
    return ", ".join(words if len(words) <= 12 else [*words[:6], "...", *words[-3:]])
