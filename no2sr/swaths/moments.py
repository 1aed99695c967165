"""When the pixels of swaths were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.spans import Span, covered, join_spans
from no2sr.core.times import TIME

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.core.earth import Box

__all__ = ["Moments", "find_rows", "span_of"]


class Moments:
    """Collects when the pixels of swaths were seen.

    Parameters
    ----------
    bounds : (west, south, east, north), optional
        Only pixels whose centres lie in this box count; its longitudes may continue beyond 180.
    """

    def __init__(self, bounds: Box | None = None) -> None:
        self.bounds = bounds
        self._spans: list[Span] = []
        self._undated = False

    def add(self, swath: xr.Dataset) -> Span | None:
        """Take note of a swath, and return its interval; None without a pixel that counts."""
        rows = find_rows(swath, self.bounds)
        if not rows.any():
            return None
        span = span_of(swath, rows)
        if span is None:
            self._undated = True
        else:
            self._spans.append(span)
        return span

    def span(self) -> Span | None:
        """Return the interval of all swaths; None if one of them is undated, or there is none."""
        return None if self._undated else join_spans(self._spans)


def span_of(swath: xr.Dataset, rows: NDArray[np.bool_] | None = None) -> Span | None:
    """Return the interval in which scanlines of a swath were seen; None if that is not known.

    Parameters
    ----------
    swath : Dataset, (scanline, ground_pixel)
        With the coordinate ``time`` (scanline,), or else attributes such as ``time_coverage_start``
        and ``time_coverage_end``, which hold for all of it.
    rows : array of bool, (scanline,), optional
        Which scanlines count; by default all.
    """
    if TIME in swath.coords and swath[TIME].dims == ("scanline",):
        times = swath[TIME].values if rows is None else swath[TIME].values[rows]
        times = times[~np.isnat(times)]
        if times.size:
            return Span(times.min(), times.max()).in_seconds()
    return covered(swath.attrs)


def find_rows(swath: xr.Dataset, bounds: Box | None) -> NDArray[np.bool_]:
    """Tell for every scanline, or pixel of a list, whether it has a value in a box.

    Parameters
    ----------
    swath : Dataset, (scanline, ground_pixel)
    bounds : (west, south, east, north) or None
    """
    valid: NDArray[np.bool_] = np.isfinite(swath["column"].values)
    if bounds is not None:
        west, south, east, north = bounds
        latitude, longitude = (_centres(swath, axis) for axis in ("latitude", "longitude"))
        with np.errstate(invalid="ignore"):
            valid &= (latitude >= south) & (latitude <= north)
            valid &= (longitude - west) % 360 <= east - west
    return np.asarray(valid.any(axis=tuple(range(1, valid.ndim))))  # a list of pixels has one axis


def _centres(swath: xr.Dataset, axis: str) -> NDArray[np.floating]:
    """Return the centres of pixels, or their first corners: a pixel is small enough."""
    if axis in swath.variables:
        return np.asarray(swath[axis].values)
    return np.asarray(swath[f"{axis}_bounds"].values[..., 0])
