"""The interval of time that the name of a file says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.spans import calendar_span, parse_moment

if TYPE_CHECKING:
    from no2sr.core.spans import Span

__all__ = ["month_in", "span_in"]

_YEAR = r"(?<!\d)((?:19|20)\d\d)"
_DAY = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<between>[-_.]?)(?P<month>0[1-9]|1[0-2])(?P=between)"
    r"(?P<day>[0-2]\d|3[01])(?:[T_ -]?(?P<hour>[01]\d|2[0-3])[:-]?(?P<minute>[0-5]\d)"
    r"(?:[:-]?[0-5]\d)?Z?)?(?!\d)"
)
_DAY_OF_YEAR = re.compile(_YEAR + r"[-_m]?([0-2]\d\d|3[0-5]\d|36[0-6])(?!\d)")
_DATED_MONTH = re.compile(_YEAR + r"[-_.]?(0[1-9]|1[0-2])(?![\d-])")
_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])(?!\d)")


def month_in(name: str) -> Span | None:
    """Return the month that the name of a file says as ``YYYYMM``."""
    month = _MONTH.search(name)
    return calendar_span(f"{month[1]}-{month[2]}") if month else None


def span_in(name: str) -> Span | None:
    """Return the one moment, day or month that the name of a file says; None where it says several.

    Parameters
    ----------
    name : str
        Such as ``no2_2020-06-01.tif``, ``NO2_20200601T0415.nc``, ``A2020153.nc`` (the day of the
        year) or ``no2_202006.nc``.
    """
    spans = set(filter(None, map(_day_or_moment, _DAY.finditer(name))))
    days = {str(span.start)[:10] for span in spans}
    if len(days) > 1:
        return None
    if len(spans) == 1:
        return spans.pop()
    if days:  # from one time of a day to another
        return calendar_span(days.pop())
    of_year = {(match[1], match[2]) for match in _DAY_OF_YEAR.finditer(name)}
    if len(of_year) == 1:
        year, day = of_year.pop()
        return calendar_span(str(np.datetime64(f"{year}-01-01") + (int(day) - 1)))
    months = {(match[1], match[2]) for match in _DATED_MONTH.finditer(name)}
    return calendar_span("-".join(months.pop())) if len(months) == 1 else None


def _day_or_moment(match: re.Match[str]) -> Span | None:
    """Return the day or the moment that digits say, None where there is no such day."""
    day = f"{match['year']}-{match['month']}-{match['day']}"
    return parse_moment(f"{day}T{match['hour']}:{match['minute']}" if match["hour"] else day)
