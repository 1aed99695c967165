"""Averages by time: the pixels of swaths on one grid for each period of the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from no2sr.core.errors import MissingVariableError, NoValidPixelsError, SettingsError
from no2sr.core.grid import georeference, transform_of
from no2sr.core.image import crs_of
from no2sr.core.layers import assemble_scene, companions_of
from no2sr.core.spans import Span
from no2sr.core.times import BOUNDS, EDGES, TIME, keep_bounds
from no2sr.swaths.moments import find_rows, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pandas.tseries.offsets import BaseOffset

    from no2sr.core.earth import Box

__all__ = ["PERIODS", "check_frequency", "split_by_period", "stack_periods"]

# Words of the command line, and the offsets of pandas that begin such a period.
PERIODS = {"day": "D", "month": "MS", "season": "QS-DEC", "year": "YS"}


def check_frequency(freq: str) -> BaseOffset:
    """Return the offset of pandas between the beginnings of periods.

    Parameters
    ----------
    freq : str
        One of `PERIODS`, or an offset of pandas that marks the beginning of one period: ``"D"``,
        ``"7D"``, ``"W-MON"``, ``"MS"``, ``"QS-DEC"``, ``"YS"`` ...

    Raises
    ------
    SettingsError
        If it is none.
    """
    try:
        offset = pd.tseries.frequencies.to_offset(PERIODS.get(freq, freq))
    except (ValueError, TypeError):
        offset = None
    begins = (
        pd.offsets.Day,
        pd.offsets.Week,
        pd.offsets.MonthBegin,
        pd.offsets.QuarterBegin,
        pd.offsets.YearBegin,
    )
    days = isinstance(offset, pd.offsets.Day)
    if not isinstance(offset, begins) or offset.n < 1 or (offset.n > 1 and not days):
        raise SettingsError(
            f"freq is {freq!r}; give {', '.join(PERIODS)}, or a pandas offset that begins a "
            "period of days, such as MS"
        )
    return offset


def split_by_period(
    swath: xr.Dataset, offset: BaseOffset, bounds: Box | None
) -> Iterator[tuple[Span, xr.Dataset]]:
    """Yield the periods in which pixels of a swath were seen, and the pixels of each.

    Parameters
    ----------
    swath : Dataset, (scanline, ground_pixel)
        As for `no2sr.swaths.moments.span_of`. Without times of its scanlines it belongs to the
        period of the middle of its coverage.
    offset : DateOffset
        Of `check_frequency`.
    bounds : (west, south, east, north) or None
        Only pixels in it count.

    Raises
    ------
    MissingVariableError
        If the swath does not say when it was seen.
    """
    rows = find_rows(swath, bounds)
    if not rows.any():
        return
    starts = _find_starts(swath, offset, rows)
    for start in sorted(set(starts[rows])):
        part = swath
        if (starts[rows] != start).any():
            inside = xr.DataArray(starts == start, dims="scanline")
            part = swath.assign(column=swath["column"].where(inside))
        end = (pd.Timestamp(start) + offset).to_datetime64()
        yield Span(start.astype("datetime64[ns]"), end.astype("datetime64[ns]")), part


def _find_starts(
    swath: xr.Dataset, offset: BaseOffset, rows: NDArray[np.bool_]
) -> NDArray[np.datetime64]:
    """Return the beginning of the period of every scanline."""
    whole = span_of(swath, rows)
    if whole is None:
        raise MissingVariableError(
            "the swath does not say when it was seen, so it belongs to no period; leave it out, "
            "or average without periods"
        )
    middle = whole.start + (whole.end - whole.start) // 2
    times = np.full(rows.shape, middle)
    if TIME in swath.coords and swath[TIME].dims == ("scanline",):
        own = swath[TIME].values.astype("datetime64[ns]")
        times = np.where(np.isnat(own), times, own)
    days, place = np.unique(times.astype("datetime64[D]"), return_inverse=True)
    return np.array([_roll_back(day, offset) for day in days])[place]


def _roll_back(day: np.datetime64, offset: BaseOffset) -> np.datetime64:
    """Return the beginning of the period that holds a day."""
    moment = pd.Timestamp(day)
    if isinstance(offset, pd.offsets.Day):  # several days are counted from 1970-01-01
        return day - int(day.astype(int)) % offset.n
    return offset.rollback(moment).to_datetime64()


def stack_periods(scenes: dict[Span, xr.Dataset], name: str) -> xr.Dataset:
    """Join the scenes of periods, which lie on one grid, along time.

    Parameters
    ----------
    scenes : dict of Span to Dataset, (y, x)
        At least one.
    name : str
        Name of the column.

    Returns
    -------
    Dataset, (time, y, x)
        The time is the beginning of a period.
    """
    if not scenes:
        raise NoValidPixelsError("no pixel lies in any period")
    spans = sorted(scenes)
    parts = [scenes[span] for span in spans]
    starts = np.array([span.start for span in spans])

    def join(layers: list[xr.DataArray]) -> xr.DataArray:
        whole = xr.concat(
            [layer.expand_dims({TIME: [s]}) for layer, s in zip(layers, starts, strict=True)],
            dim=TIME,
            coords="minimal",
            compat="override",
            join="override",
            combine_attrs="override",
        )
        return georeference(whole, transform_of(layers[0]), crs_of(layers[0]))

    layers = {
        layer: join([companions_of(part, name)[layer] for part in parts])
        for layer in companions_of(parts[0], name)
    }
    scene = assemble_scene(join([part[name] for part in parts]), layers)
    edges = np.array([[*span] for span in spans])
    dated = scene.assign_coords({BOUNDS: ((TIME, EDGES), edges)})
    return keep_bounds(dated, dated)
