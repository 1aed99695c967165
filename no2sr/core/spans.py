"""Intervals of time: of the calendar, from text and from attributes, and in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "TIME_COVERAGE",
    "Span",
    "calendar_span",
    "covered",
    "describe_span",
    "join_spans",
    "parse_moment",
    "parse_span",
    "span_between",
]

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")  # a year, a month or a day
TIME_COVERAGE = ("time_coverage_start", "time_coverage_end")  # ACDD
_COVERAGES = (
    TIME_COVERAGE,
    ("RangeBeginningDate", "RangeEndingDate"),  # NASA
    ("start_time", "end_time"),  # Giovanni
)


class Span(NamedTuple):
    """An interval of time in UTC; of a moment, both ends are equal."""

    start: np.datetime64
    end: np.datetime64

    def in_seconds(self) -> Span:
        """Return the shortest interval of whole seconds that holds this one."""
        start = self.start.astype("datetime64[s]")
        end = self.end.astype("datetime64[s]")
        end = end + (end < self.end)
        return Span(start.astype("datetime64[ns]"), end.astype("datetime64[ns]"))

    def texts(self) -> tuple[str, str]:
        """Return both ends in ISO 8601, such as 2019-01-03T11:08:28Z."""
        start, end = (f"{np.datetime_as_string(edge, unit='s')}Z" for edge in self)
        return start, end

    def __str__(self) -> str:
        """Return the interval as ISO 8601 writes it."""
        return "/".join(self.texts())


def calendar_span(text: str) -> Span:
    """Return the interval of a year, a month or a day, such as "2020-06".

    Raises
    ------
    ValueError
        If it is none.
    """
    if not _DATE.fullmatch(text):
        raise ValueError(f"{text} is no year, month or day")
    date = np.datetime64(text)
    return Span(date.astype("datetime64[ns]"), (date + 1).astype("datetime64[ns]"))


def parse_span(text: str) -> Span:
    """Return the interval that a text in ISO 8601 says.

    Parameters
    ----------
    text : str
        A year, a month, a day, a moment (in UTC, or with an offset), or two of them with a slash
        between, the last one included.

    Raises
    ------
    SettingsError
        If it is none of these.

    Examples
    --------
    >>> str(parse_span("2020-06"))
    '2020-06-01T00:00:00Z/2020-07-01T00:00:00Z'
    >>> str(parse_span("2020-06-01T02:30+02:00/2020-06-02"))
    '2020-06-01T00:30:00Z/2020-06-03T00:00:00Z'
    """
    parts = [found for part in text.split("/") if (found := parse_moment(part.strip()))]
    if not len(parts) == text.count("/") + 1 <= 2:
        raise SettingsError(
            f"{text!r} is no time; give a year, a month, a day or a moment such as "
            "2023-10-31T04:00, in UTC or with an offset such as +02:00, or two with a slash between"
        )
    if parts[-1].start < parts[0].start:
        raise SettingsError(f"{text!r} ends before it begins; exchange the two")
    return Span(parts[0].start, parts[-1].end)


def parse_moment(text: str) -> Span | None:
    """Return the interval of a year, a month, a day or a moment; None if it is none of these."""
    try:
        if _DATE.fullmatch(text):
            return calendar_span(text)
        if not re.match(r"(19|20)\d\d", text):  # pandas takes "5" for a day of this month
            return None
        moment = pd.Timestamp(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is not None:
        moment = moment.tz_convert("UTC").tz_localize(None)
    found = moment.to_datetime64().astype("datetime64[ns]")
    return Span(found, found)


def span_between(start: Any, end: Any) -> Span | None:
    """Return the interval between two times as files write them; None if they are no times.

    The last second of a day stands for the end of the day.
    """
    first, last = parse_moment(str(start).strip()), parse_moment(str(end).strip())
    if first is None or last is None or last.start < first.start:
        return None
    ends = pd.Timestamp(last.end)
    if f"{ends:%H:%M:%S}" == "23:59:59":
        ends = ends.normalize() + pd.Timedelta(1, "D")
    return Span(first.start, ends.to_datetime64().astype("datetime64[ns]"))


def covered(attrs: Mapping[Any, Any]) -> Span | None:
    """Return the interval that the attributes of a file say that it covers."""
    for start, end in _COVERAGES:
        if attrs.get(start) and attrs.get(end):
            return span_between(attrs[start], attrs[end])
    return None


def join_spans(spans: Iterable[Span]) -> Span | None:
    """Return the interval from the first start to the last end; None without any."""
    found = list(spans)
    if not found:
        return None
    return Span(min(span.start for span in found), max(span.end for span in found))


def describe_span(span: Span) -> str:
    """Say an interval in words; times of the day are in UTC.

    Parameters
    ----------
    span : Span

    Returns
    -------
    str
        Such as "2019", "June to August 2019", "2019-08-08", "2019-08-08 07:40 to 07:42 UTC" or
        "2019-08-08 to 2019-08-14", both days included.
    """
    if np.isnat(span.start) or np.isnat(span.end):
        return ""
    start, end = (pd.Timestamp(edge) for edge in span)
    whole = start == start.normalize() and end == end.normalize()
    if whole and start < end:
        return _describe_days(start, end - pd.Timedelta(1, "D"))
    if start == end:
        return f"{start:%Y-%m-%d}" if whole else f"{start:%Y-%m-%d %H:%M} UTC"
    if end - start >= pd.Timedelta(1, "D"):
        return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
    if f"{start:%Y-%m-%d %H:%M}" == f"{end:%Y-%m-%d %H:%M}":
        return f"{start:%Y-%m-%d %H:%M} UTC"
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {last} UTC"


def _describe_days(first: pd.Timestamp, last: pd.Timestamp) -> str:
    """Say whole days from the first to the last."""
    if first.is_year_start and last.is_year_end:
        return f"{first:%Y}" if first.year == last.year else f"{first:%Y} to {last:%Y}"
    if first.is_month_start and last.is_month_end:
        if (first.year, first.month) == (last.year, last.month):
            return f"{first:%B %Y}"
        begins = f"{first:%B}" if first.year == last.year else f"{first:%B %Y}"
        return f"{begins} to {last:%B %Y}"
    return f"{first:%Y-%m-%d}" if first == last else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
