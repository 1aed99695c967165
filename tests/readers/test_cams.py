"""CAMS: kilograms, poles, 0..360, both forms of time, and what is no column."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.registry import find_reader

MOLAR_MASS = 0.0460055  # kg mol-1
LATITUDE = np.linspace(90, -90, 13)  # 15 degrees, the first and last row on the poles
LONGITUDE = np.arange(24) * 15.0  # 0 .. 345
POLES = pytest.mark.filterwarnings("ignore:.*centres on the poles")


def _own(latitude, longitude):
    """Return a total column in kg m-2 that says where it belongs."""
    return 1e-9 * (1000 * (latitude + 90) + longitude)


@pytest.fixture
def cams(tmp_path):
    """Return a writer of files in the old form of the store, or the new."""

    def make(*, latitude=LATITUDE, longitude=LONGITUDE, new=False, periods=1, runs=1, **names):
        name, unit = names.get("variable", "tcno2"), names.get("unit", "kg m**-2")
        own = _own(latitude[:, None], longitude[None])
        axes = {
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        }
        if new:
            start = np.datetime64("2024-10-01", "ns") + np.arange(runs) * np.timedelta64(12, "h")
            lead = np.arange(periods) * np.timedelta64(names.get("hours", 3), "h")
            dims = ("forecast_period", "forecast_reference_time", "latitude", "longitude")
            axes |= {
                "valid_time": (dims[:2], (start[None] + lead[:, None]).astype("M8[ns]")),
                "forecast_period": ("forecast_period", lead.astype("m8[h]").astype("f8")),
                "forecast_reference_time": ("forecast_reference_time", start),
                "number": ((), 0),
                "expver": ((), "0001"),
            }
            values = own + 1e-6 * np.arange(periods * runs).reshape(periods, runs, 1, 1)
        else:
            dims = ("time", "latitude", "longitude")
            axes["time"] = ("time", np.array(["2020-01-01"], "M8[ns]"))
            values = own[None]
        attrs = {"units": unit, "long_name": names.get("long_name", "Total column NO2")}
        dataset = xr.Dataset({name: (dims, values, attrs)}, axes)
        packing = {"dtype": "i2", "scale_factor": 1e-8, "add_offset": 1e-4, "_FillValue": -32767}
        path = tmp_path / "data.nc"
        dataset.to_netcdf(path, encoding={name: {"dtype": "f4"} if new else packing})
        return path

    return make


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("south_first", [False, True])
def test_every_cell_lands_where_it_says(cams, new, south_first):
    path = cams(latitude=LATITUDE[::-1] if south_first else LATITUDE, new=new)
    assert find_reader(path).name == "cams"
    with pytest.warns(no2sr.RepairWarning, match="2 rows of 24 pixels were cut off"):
        image = check_image(open_column(path))
    # 0..345 in steps of 15, rolled: the first cell from the west is the one around 180.
    assert image.rio.bounds() == (-187.5, -82.5, 172.5, 82.5)
    own = _own(image["y"], image["x"] % 360) / MOLAR_MASS
    np.testing.assert_allclose(image, own, rtol=1e-6, atol=5e-9 / MOLAR_MASS)  # half of 1e-8 kg
    assert image.attrs["standard_name"] == "atmosphere_mole_content_of_nitrogen_dioxide"
    assert image.name == "tcno2"
    assert image["time"] == np.datetime64("2024-10-01" if new else "2020-01-01")
    assert not {"number", "expver"} & set(image.coords)


def test_a_region_is_no_globe(cams):
    image = open_column(cams(latitude=np.arange(60.0, 30, -5), longitude=np.arange(350.0, 380, 5)))
    assert image.rio.bounds() == pytest.approx((-12.5, 32.5, 17.5, 62.5))
    np.testing.assert_allclose(
        image, _own(image["y"], image["x"] + 360) / MOLAR_MASS, rtol=1e-6, atol=5e-9 / MOLAR_MASS
    )


@POLES
def test_forecasts_are_laid_out_along_time(cams):
    image = check_image(open_column(cams(new=True, periods=4, runs=2)))
    hours = (image["time"].values - np.datetime64("2024-10-01")) / np.timedelta64(1, "h")
    assert hours.tolist() == [0, 3, 6, 9, 12, 15, 18, 21]
    # Values rise by 1e-6 in the order (period, run): 00 + 3 h is the third, 12 + 0 h the second.
    rise = (image - image[0]).isel(y=0, x=0).values * MOLAR_MASS / 1e-6
    np.testing.assert_allclose(rise, [0, 2, 4, 6, 1, 3, 5, 7], atol=1e-3)
    one = open_column(cams(new=True, periods=4), time="2024-10-01T06")
    assert one.dims == ("y", "x")


@POLES
def test_two_forecasts_of_one_time(cams):
    with pytest.raises(no2sr.DimensionError, match="several forecasts of the same time"):
        open_column(cams(new=True, periods=2, runs=2, hours=12))


@POLES
@pytest.mark.parametrize(
    ("variable", "unit", "name"),
    [
        ("no2", "kg kg**-1", "Nitrogen dioxide mass mixing ratio"),
        ("no2_conc", "ug m-3", "mass concentration of nitrogen dioxide"),
    ],
)
def test_what_is_no_column_is_read_only_by_name(cams, variable, unit, name):
    path = cams(variable=variable, unit=unit, long_name=name)
    with pytest.raises(
        no2sr.MissingVariableError, match=rf"no NO2 column \(tcno2\), only {variable}.*variable="
    ):
        open_column(path)
    image = open_column(path, variable=variable)
    assert image.attrs["units"] == unit
    own = _own(image["y"], image["x"] % 360)
    np.testing.assert_allclose(image, own, rtol=1e-6, atol=5e-9)
