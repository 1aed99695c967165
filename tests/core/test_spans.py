"""Intervals of time: from text, and in words."""

from __future__ import annotations

import numpy as np
import pytest

from no2sr.core.errors import SettingsError
from no2sr.core.spans import Span, calendar_span, covered, describe_span, join_spans, parse_span

TEXTS = {
    "2020": "2020-01-01T00:00:00Z/2021-01-01T00:00:00Z",
    "2020-02": "2020-02-01T00:00:00Z/2020-03-01T00:00:00Z",
    "2020-02-29": "2020-02-29T00:00:00Z/2020-03-01T00:00:00Z",
    "2020-02-29T10:15": "2020-02-29T10:15:00Z/2020-02-29T10:15:00Z",
    "2020-02-29T10:15Z": "2020-02-29T10:15:00Z/2020-02-29T10:15:00Z",
    "2020-02-29 10:15+05:30": "2020-02-29T04:45:00Z/2020-02-29T04:45:00Z",
    "2020-01/2020-03": "2020-01-01T00:00:00Z/2020-04-01T00:00:00Z",
    "2020-01-30 / 2020-02-02": "2020-01-30T00:00:00Z/2020-02-03T00:00:00Z",
}


@pytest.mark.parametrize("text", TEXTS)
def test_text_to_interval(text):
    assert str(parse_span(text)) == TEXTS[text]


@pytest.mark.parametrize(
    "text",
    ["", "June", "5", "2020-13", "2020-02-30", "2020-02+01:00", "2020-01-01T10 IST", "1/2/3"],
)
def test_what_is_no_time(text):
    with pytest.raises(SettingsError, match="is no time; give a year"):
        parse_span(text)


def test_an_interval_that_runs_backwards():
    with pytest.raises(SettingsError, match="ends before it begins"):
        parse_span("2020-06/2020-05")


WORDS = {
    "2020": "2020",
    "2019/2020": "2019 to 2020",
    "2020-02": "February 2020",
    "2020-06/2020-08": "June to August 2020",
    "2019-12/2020-02": "December 2019 to February 2020",
    "2020-02-29": "2020-02-29",
    "2020-01-30/2020-02-02": "2020-01-30 to 2020-02-02",
    "2020-02-29T10:15": "2020-02-29 10:15 UTC",
    "2020-02-29T10:15:08/2020-02-29T10:15:50": "2020-02-29 10:15 UTC",
    "2020-02-29T10:15/2020-02-29T11:55": "2020-02-29 10:15 to 11:55 UTC",
    "2020-02-29T23:15/2020-03-01T00:55": "2020-02-29 23:15 to 2020-03-01 00:55 UTC",
    "2020-02-02T10:15/2020-02-29T11:55": "2020-02-02 to 2020-02-29",
    "2020-02-29T00:00": "2020-02-29",
}


@pytest.mark.parametrize("text", WORDS)
def test_interval_in_words(text):
    assert describe_span(parse_span(text)) == WORDS[text]


def test_an_unknown_interval_has_no_words():
    never = np.datetime64("NaT", "ns")
    assert describe_span(Span(never, never)) == ""


@pytest.mark.parametrize(
    ("attrs", "found"),
    [
        (
            {
                "time_coverage_start": "2019-08-08T07:07:56Z",
                "time_coverage_end": "20190808T080621Z",
            },
            "2019-08-08T07:07:56Z/2019-08-08T08:06:21Z",
        ),
        (
            {"RangeBeginningDate": "2023-07-01", "RangeEndingDate": "2023-07-31"},
            "2023-07-01T00:00:00Z/2023-08-01T00:00:00Z",
        ),
        (
            {"start_time": "2010-11-30T00:00:00Z", "end_time": "2017-01-30T23:59:59Z"},
            "2010-11-30T00:00:00Z/2017-01-31T00:00:00Z",
        ),
        ({"time_coverage_start": "2019-08-08", "time_coverage_end": "soon"}, "None"),
        ({"time_coverage_start": "2019-08-08", "time_coverage_end": "2019-08-07"}, "None"),
        ({"time_coverage_start": "2019-08-08"}, "None"),
        ({}, "None"),
    ],
)
def test_what_attributes_say(attrs, found):
    assert str(covered(attrs)) == found


def test_intervals_are_joined_and_rounded_outwards():
    spans = [calendar_span("2020-02"), calendar_span("2019-05-01")]
    assert str(join_spans(spans)) == "2019-05-01T00:00:00Z/2020-03-01T00:00:00Z"
    assert join_spans([]) is None
    moment = np.datetime64("2020-01-01T00:00:00.5", "ns")
    assert str(Span(moment, moment).in_seconds()) == "2020-01-01T00:00:00Z/2020-01-01T00:00:01Z"
