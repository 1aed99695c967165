"""Averages by time: the mean of each period is that of its swaths alone."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from no2sr.core.errors import MissingVariableError, SettingsError
from no2sr.core.times import describe_times
from no2sr.downscaling.pipeline import downscale
from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.periods import check_frequency

PIXEL = ("scanline", "ground_pixel")


def swath(start: str | None, *, west: float = 10.0, seed: int = 0) -> xr.Dataset:
    """Make a swath of 8 scanlines, a second each, and 7 pixels of 0.1 degree."""
    rows, columns = 0.1 * np.arange(8.0) + 40.05, 0.1 * np.arange(7.0) + west + 0.05
    latitude, longitude = np.meshgrid(rows, columns, indexing="ij")
    values = np.random.default_rng(seed).normal(5e-5, 1e-5, latitude.shape).astype(np.float32)
    made = xr.Dataset(
        {
            "column": (PIXEL, values, {"units": "mol m-2"}),
            "uncertainty_random": (PIXEL, np.full_like(values, 1e-5)),
            "uncertainty_systematic": (PIXEL, np.full_like(values, 4e-6)),
        },
        coords={"latitude": (PIXEL, latitude), "longitude": (PIXEL, longitude)},
        attrs={"source": f"{start} {seed}"},
    )
    if start is None:
        return made
    seconds = np.arange(8).astype("timedelta64[s]").astype("timedelta64[ns]")
    return made.assign_coords(time=("scanline", np.datetime64(start, "ns") + seconds))


JANUARY = [swath("2020-01-03T05:00", seed=1), swath("2020-01-31T05:00", seed=2, west=10.05)]
MARCH = [swath("2020-03-15T05:00", seed=3), swath("2020-03-31T05:00", seed=4)]


def test_each_period_is_gridded_as_if_it_were_alone():
    box = {"bounds": (10, 40, 10.7, 40.8), "resolution": 0.1}
    stack = grid_swaths([MARCH[0], *JANUARY, MARCH[1]], freq="MS", **box)
    assert stack["column"].dims == ("time", "y", "x")
    assert [describe_times(stack.isel(time=n)) for n in (0, 1)] == ["January 2020", "March 2020"]
    np.testing.assert_array_equal(stack["time_bnds"][:, 0], stack["time"])
    for month, members in (("2020-01", JANUARY), ("2020-03", MARCH)):
        alone = grid_swaths(members, **box)
        assert set(alone.data_vars) == set(stack.data_vars)
        for name in alone.data_vars:
            np.testing.assert_array_equal(stack[name].sel(time=month)[0], alone[name])
            assert stack[name].attrs == alone[name].attrs | {
                key: stack[name].attrs[key]
                for key in ("history", "source")
                if key in alone[name].attrs
            }


def test_the_uncertainty_of_a_period_is_that_of_its_pixels():
    stack = grid_swaths([*JANUARY[:1], *MARCH], resolution=0.1, freq="month")
    random, count = stack["column_uncertainty_random"], stack["count"]
    inner = {"y": slice(1, -1), "x": slice(1, -1)}
    np.testing.assert_allclose(random.isel(time=0, **inner), 1e-5, rtol=1e-3)
    np.testing.assert_allclose(random.isel(time=1, **inner), 1e-5 / np.sqrt(2), rtol=1e-3)
    assert int(count.isel(time=0).sum()) < int(count.isel(time=1).sum())


def test_regions_of_periods_become_one_grid():
    east = swath("2020-02-03T05:00", west=12.0)
    stack = grid_swaths([*JANUARY[:1], east], resolution=0.1, freq="MS")
    assert stack["x"].values[[0, -1]] == pytest.approx([10.05, 12.65])
    assert np.isnan(stack["column"].sel(time="2020-01")[0, :, -1]).all()
    assert (stack["count"].sel(time="2020-01")[0, :, -1] == 0).all()


def test_a_swath_across_midnight_is_split():
    night = swath("2020-01-31T23:59:56")
    stack = grid_swaths([night], resolution=0.1, freq="day", bounds=(10, 40, 10.7, 40.8))
    assert [str(day)[:10] for day in stack["time"].values] == ["2020-01-31", "2020-02-01"]
    whole = grid_swaths([night], resolution=0.1, bounds=(10, 40, 10.7, 40.8))
    south, north = stack["column"]
    np.testing.assert_allclose(south[-4:], whole["column"][-4:], rtol=1e-3)  # rounded corners
    np.testing.assert_allclose(north[:4], whole["column"][:4], rtol=1e-3)
    assert np.isnan(south[:4]).all()
    assert np.isnan(north[-4:]).all()


@pytest.mark.parametrize(
    ("freq", "begins"),
    [
        ("season", "2019-12-01"),
        ("year", "2020-01-01"),
        ("YS-JUL", "2019-07-01"),
        ("W-MON", "2020-01-27"),
        ("7D", "2020-01-30"),
    ],
)
def test_beginnings_of_periods(freq, begins):
    stack = grid_swaths([JANUARY[1]], resolution=0.1, freq=freq)
    assert str(stack["time"].values[0])[:10] == begins


@pytest.mark.parametrize("freq", ["ME", "2MS", "h", "6h", "fortnight", "", "-1D"])
def test_what_is_no_period(freq):
    with pytest.raises(SettingsError, match=r"freq is .*give day, month, season, year"):
        check_frequency(freq)


def test_an_undated_swath_has_no_period():
    with pytest.raises(MissingVariableError, match="the swath does not say when it was seen"):
        grid_swaths([*JANUARY, swath(None, seed=5)], resolution=0.1, freq="MS")


def test_a_stack_is_downscaled_with_its_periods():
    stack = grid_swaths([*JANUARY, *MARCH], resolution=0.1, freq="MS")
    fine = downscale(stack, scale=2, model="bicubic")
    assert fine["column"].sel(time="2020-03").shape == (1, 16, 2 * stack.sizes["x"])
    np.testing.assert_array_equal(fine["time_bnds"], stack["time_bnds"])


def test_lazy_and_loaded_are_equal():
    lazy = grid_swaths([*JANUARY, *MARCH], resolution=0.1, freq="MS", lazy=True)
    assert lazy["column"].chunks is not None
    xr.testing.assert_identical(
        lazy.compute(), grid_swaths([*JANUARY, *MARCH], resolution=0.1, freq="MS")
    )
