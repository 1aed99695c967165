"""Times of files: of swaths and grids, of this package's outputs, and as the user states them."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.times import describe_times, spans_in


def spans(scene) -> list[str]:
    return [str(span) for span in spans_in(scene)]


def test_scanlines_of_a_subset_go_before_the_coverage_of_its_orbit(make_s5p):
    path = make_s5p()
    assert spans(no2sr.open_no2(path)) == ["2023-01-01T00:00:00Z/2023-01-01T00:00:05Z"]
    with netCDF4.Dataset(path, "a") as file:
        delta = file["PRODUCT"].createVariable("delta_time", "i4", ("time", "scanline"))
        delta.units = "milliseconds since 2023-01-01 00:00:00"
        delta[:] = [[27603688, 27604528, 27605368, 27606208]]
    assert spans(no2sr.open_no2(path)) == ["2023-01-01T07:40:03Z/2023-01-01T07:40:07Z"]
    north = no2sr.open_no2(path, bbox=(77, 28.13, 77.5, 28.25))
    assert spans(north) == ["2023-01-01T07:40:05Z/2023-01-01T07:40:07Z"]


def test_scanlines_in_milliseconds_of_the_reference_day(make_s5p):
    path = make_s5p()
    with netCDF4.Dataset(path, "a") as file:
        time = file["PRODUCT"].createVariable("time", "i4", ("time",))
        time.units, time[:] = "seconds since 2010-01-01 00:00:00", [410227200]  # 2023-01-01
        delta = file["PRODUCT"].createVariable("delta_time", "i4", ("time", "scanline"))
        delta.units, delta[:] = "milliseconds", [[1000, 2000, 3000, 4000]]
    assert spans(no2sr.open_no2(path)) == ["2023-01-01T00:00:01Z/2023-01-01T00:00:04Z"]


def test_bounds_of_a_cf_grid_are_kept(make_grid):
    days = np.array(["2023-01-16", "2023-02-15"], "M8[ns]")
    path = make_grid(times=days)
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("edge", 2)
        first = np.array(["2023-01-01", "2023-02-01", "2023-03-01"], "M8[ns]")
        edges = file.createVariable("months", "f8", ("time", "edge"))
        file["time"].bounds = "months"
        since = np.datetime64(file["time"].units.split(" since ")[1].split()[0], "ns")
        unit = np.timedelta64(1, {"days": "D", "seconds": "s"}[file["time"].units.split()[0]])
        steps = (first - since) / unit
        edges[:] = np.stack([steps[:-1], steps[1:]], axis=1)
    scene = no2sr.open_no2(path)
    np.testing.assert_array_equal(scene["time"], days)
    assert spans(scene) == [
        "2023-01-01T00:00:00Z/2023-02-01T00:00:00Z",
        "2023-02-01T00:00:00Z/2023-03-01T00:00:00Z",
    ]
    assert describe_times(no2sr.open_no2(path, time="2023-02")) == "February 2023"


def test_a_grid_whose_attributes_say_when(make_grid):
    path = make_grid()
    assert "time" not in no2sr.open_no2(path).coords
    with netCDF4.Dataset(path, "a") as file:
        file.start_time, file.end_time = "2010-11-30T00:00:00Z", "2017-01-30T23:59:59Z"
    scene = no2sr.open_no2(path)
    assert spans(scene) == ["2010-11-30T00:00:00Z/2017-01-31T00:00:00Z"]


def test_the_user_says_when(make_grid, make_s5p):
    scene = no2sr.open_no2(make_grid(), time="2022-10")
    assert describe_times(scene) == "October 2022"
    undated = make_s5p(attrs={"time_coverage_start": "", "time_coverage_end": ""})
    assert "time" not in no2sr.open_no2(undated).coords
    assert describe_times(no2sr.open_no2(undated, time="2022-10")) == "October 2022"
    assert describe_times(no2sr.grid(undated, time="2022-10-05")) == "2022-10-05"


def test_a_moment_with_an_offset_is_converted(make_grid):
    times = np.array(["2023-10-30T04:00", "2023-10-30T05:00"], "M8[ns]")
    picked = open_column(make_grid(times=times), time="2023-10-30T10:30+05:30")
    assert picked["time"] == times[1]


def test_a_swath_that_knows_its_time_is_told_no_other(make_s5p):
    with pytest.raises(no2sr.SettingsError, match=r"say when they were observed, 2023-01-01"):
        no2sr.open_no2(make_s5p(), time="2022-10")


@pytest.mark.parametrize("suffix", [".tif", ".nc", ".zarr"])
def test_our_own_months_are_a_time_series_again(make_grid, tmp_path, suffix):
    months = ["2023-02", "2023-01", "2023-03"]
    outs = []
    for number, month in enumerate(months):
        scene = no2sr.open_no2(make_grid(f"in{number}.nc"), time=month)
        column = next(iter(scene.data_vars))
        outs.append(no2sr.write(scene + 0 * scene[column], tmp_path / f"{'abc'[number]}{suffix}"))
    stack = no2sr.open_no2(outs)
    assert [describe_times(stack.isel(time=n)) for n in range(3)] == [
        "January 2023",
        "February 2023",
        "March 2023",
    ]
    assert stack["time_bnds"].dims == ("time", "nv")
    again = no2sr.open_no2(no2sr.write(stack, tmp_path / "series.nc"))
    assert spans(again) == spans(stack)


def test_a_stack_of_months_and_a_day_without_bounds(make_grid, tmp_path):
    day = np.array(["2023-05-01"], "M8[ns]")
    month = no2sr.write(no2sr.open_no2(make_grid("a.nc"), time="2023-01"), tmp_path / "a.zarr")
    stack = no2sr.open_no2([month, make_grid("b.nc", times=day)])
    assert stack.sizes["time"] == 2
    assert "time_bnds" not in stack.variables


def test_downscaling_keeps_the_interval(make_grid, tmp_path):
    path = make_grid()
    scene = no2sr.open_no2(path, time="2023-01")
    fine = no2sr.downscale(scene, scale=2, model="bicubic")
    assert spans(fine) == spans(scene)
    out = no2sr.downscale_file(scene, tmp_path / "fine.nc")
    assert spans(no2sr.open_no2(out)) == spans(scene)


def test_swaths_are_averaged_by_month(make_s5p):
    told = {"time_coverage_start": "", "time_coverage_end": ""}
    named = make_s5p("S5P_20230203T0500.nc", column=3e-5, attrs=told)
    stack = no2sr.grid([make_s5p(column=1e-5), named], freq="month", resolution=0.0625)
    assert describe_times(stack) == "2 times, January 2023 to February 2023"
    column = stack["nitrogendioxide_tropospheric_column"]
    np.testing.assert_allclose(column.mean(("y", "x")), [1e-5, 3e-5], rtol=1e-5)
    assert "one mean for each of 2 periods" in column.attrs["history"]
    assert {"coverage", "count", f"{column.name}_uncertainty"} <= set(stack.data_vars)
    undated = make_s5p("undated.nc", attrs=told)
    with pytest.raises(
        no2sr.MissingVariableError, match=r"undated\.nc: the swath does not say when"
    ):
        no2sr.grid([undated], freq="month")
