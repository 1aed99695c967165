"""When the pixels of swaths were seen."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from no2sr.core.spans import parse_span
from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.moments import Moments

START = np.datetime64("2020-01-01T05:00:00.25", "ns")


def swath(*, start=START, west: float = 10.0, **attrs: str) -> xr.Dataset:
    """Make a swath of 4 scanlines, a second each, and 3 pixels of 0.1 degree."""
    rows, columns = 0.1 * np.arange(4.0) + 40.05, 0.1 * np.arange(3.0) + west + 0.05
    latitude, longitude = np.meshgrid(rows, columns, indexing="ij")
    pixel = ("scanline", "ground_pixel")
    made = xr.Dataset(
        {"column": (pixel, np.full((4, 3), 1e-5, np.float32), {"units": "mol m-2"})},
        coords={"latitude": (pixel, latitude), "longitude": (pixel, longitude)},
        attrs=attrs,
    )
    if start is None:
        return made
    seconds = np.arange(4).astype("timedelta64[s]").astype("timedelta64[ns]")
    return made.assign_coords(time=("scanline", start + seconds))


def span(*swaths: xr.Dataset, bounds=None) -> str:
    moments = Moments(bounds)
    for each in swaths:
        moments.add(each)
    return str(moments.span())


def test_only_scanlines_with_values_count():
    seen = swath()
    assert span(seen) == "2020-01-01T05:00:00Z/2020-01-01T05:00:04Z"
    seen["column"][2:] = np.nan
    assert span(seen) == "2020-01-01T05:00:00Z/2020-01-01T05:00:02Z"
    assert span(swath(), bounds=(10, 40.2, 11, 40.3)) == "2020-01-01T05:00:02Z/2020-01-01T05:00:03Z"


def test_a_box_across_the_antimeridian():
    assert span(swath(west=-179.0), bounds=(170, 40, 190, 41)) != "None"
    assert span(swath(west=0.0), bounds=(170, 40, 190, 41)) == "None"


def test_a_swath_elsewhere_says_nothing():
    away = swath(start=START + np.timedelta64(9, "D"), west=50.0)
    assert span(swath(), away, bounds=(10, 40, 11, 41)) == span(swath())
    undated = swath(start=None, west=50.0)
    assert span(swath(), undated, bounds=(10, 40, 11, 41)) == span(swath())


def test_the_coverage_of_the_file_where_scanlines_have_no_time():
    told = {"time_coverage_start": "2020-01-01T04:00Z", "time_coverage_end": "2020-01-01T05:40Z"}
    found = "2020-01-01T04:00:00Z/2020-01-01T05:40:00Z"
    assert span(swath(start=None, **told)) == found
    assert span(swath(start=np.datetime64("NaT", "ns"), **told)) == found


@pytest.mark.parametrize("order", [1, -1])
def test_one_undated_swath_leaves_the_whole_undated(order):
    assert span(*[swath(), swath(start=None)][::order]) == "None"


def test_a_grid_says_when_it_was_seen():
    later = swath(start=START + np.timedelta64(40, "D"))
    scene = grid_swaths([later, swath()], resolution=0.1)
    assert scene["time"] == np.datetime64("2020-01-01T05:00:00")
    expected = parse_span("2020-01-01T05:00:00/2020-02-10T05:00:04")
    np.testing.assert_array_equal(scene["time_bnds"], list(expected))
    assert "time" not in grid_swaths([swath(start=None)], resolution=0.1).variables


def test_a_list_of_pixels_has_no_scanlines():
    pixels = swath().stack(pixel=("scanline", "ground_pixel")).reset_index("pixel", drop=True)
    told = {"time_coverage_start": "2020-01-01T04:00Z", "time_coverage_end": "2020-01-01T05:40Z"}
    listed = pixels.drop_vars("time").assign_attrs(told)
    assert span(listed) == "2020-01-01T04:00:00Z/2020-01-01T05:40:00Z"
    assert span(pixels.drop_vars("time")) == "None"
