"""Scenes that know when they were observed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

from no2sr.core.spans import calendar_span
from no2sr.core.times import date_scene, describe_times, keep_bounds, spans_in, time_bounds

DAYS = np.array(["2020-01-01", "2020-02-01"], "M8[ns]")
EDGES = np.array([["2020-01-01", "2020-02-01"], ["2020-02-01", "2020-03-01"]], "M8[ns]")


@pytest.fixture
def scene() -> xr.Dataset:
    return xr.Dataset({"no2": (("y", "x"), np.zeros((2, 3), np.float32))})


@pytest.fixture
def stack() -> xr.Dataset:
    values = np.zeros((2, 2, 3), np.float32)
    coords = {"time": ("time", DAYS, {"bounds": "edges"})}
    return xr.Dataset({"no2": (("time", "y", "x"), values)}, coords).assign_coords(
        edges=(("time", "n"), EDGES)
    )


def test_a_scene_is_dated_with_the_beginning_of_its_interval(scene):
    dated = date_scene(scene, calendar_span("2020-01"))
    assert dated["time"] == DAYS[0]
    assert dated["time"].attrs["bounds"] == "time_bnds"
    np.testing.assert_array_equal(dated["time_bnds"], EDGES[0])
    assert "time" not in scene.coords
    assert date_scene(scene, None) is scene


def test_xarray_writes_what_xarray_reads(scene, tmp_path):
    dated = date_scene(scene, calendar_span("2020-01"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # bounds in another unit than the times
        dated.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc", decode_coords="all") as back:
        assert spans_in(back) == [calendar_span("2020-01")]


def test_bounds_are_found_by_their_link(stack):
    assert [str(span.end)[:10] for span in spans_in(stack)] == ["2020-02-01", "2020-03-01"]
    assert describe_times(stack) == "2 times, January 2020 to February 2020"
    assert spans_in(stack.isel(time=1)) == [calendar_span("2020-02")]


def test_bounds_that_do_not_fit_are_no_bounds(stack, scene):
    assert time_bounds(stack.drop_vars("edges")) is None
    assert time_bounds(stack.drop_vars("edges").assign(edges=("n", EDGES[0]))) is None
    unknown = stack.assign_coords(edges=(("time", "n"), np.full_like(EDGES, "NaT")))
    assert time_bounds(unknown) is None
    assert time_bounds(stack["no2"]) is None
    assert time_bounds(scene) is None


def test_steps_of_the_layers_lose_bounds_that_are_given_back(stack):
    bare = stack["no2"].to_dataset()
    kept = keep_bounds(bare, stack)
    np.testing.assert_array_equal(kept["time_bnds"], EDGES)
    assert keep_bounds(bare.isel(time=[0]), stack).equals(bare.isel(time=[0]))


def test_a_time_without_bounds_is_a_moment(scene):
    assert describe_times(scene.assign_coords(time=DAYS[0])) == "2020-01-01"
    assert describe_times(scene.assign_coords(time=3)) == ""
    assert describe_times(scene) == ""
