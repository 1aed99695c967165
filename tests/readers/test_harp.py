"""HARP files: grids with bounds only, and swaths in one long dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core.image import check_image

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "tropospheric_NO2_column_number_density"
ROOT = {"Conventions": "HARP-1.0", "history": "harpconvert ..."}


@pytest.fixture
def l3(tmp_path: Path):
    """Return a writer of what ``bin_spatial`` makes: south first, 0.01 times the longitude."""

    def make(
        name="l3.nc", *, centres=False, kind="NETCDF3_CLASSIC", unit="Pmolec/cm2", west=72.0, day=0
    ):
        south_edges, west_edges = 26 + 0.5 * np.arange(5), west + 0.5 * np.arange(7)
        values = np.broadcast_to(0.01 * (west_edges[:-1] + 0.25), (1, 4, 6))
        dataset = xr.Dataset(
            {
                VARIABLE: (("time", "latitude", "longitude"), values, {"units": unit}),
                "NO2_column_number_density": (
                    ("time", "latitude", "longitude"),
                    values,
                    {"units": unit},
                ),
                "weight": (("time", "latitude", "longitude"), np.ones((1, 4, 6))),
                "count": ("time", np.array([9], dtype="i4")),
                "datetime": ("time", [day * 86400.0], {"units": "seconds since 2024-01-01"}),
                "latitude_bounds": (
                    ("latitude", "independent_2"),
                    np.c_[south_edges[:-1], south_edges[1:]],
                ),
                "longitude_bounds": (
                    ("longitude", "independent_2"),
                    np.c_[west_edges[:-1], west_edges[1:]],
                ),
            },
            attrs=ROOT,
        )
        if centres:
            dataset["latitude"] = ("latitude", south_edges[:-1] + 0.25, {"units": "degree_north"})
            dataset["longitude"] = ("longitude", west_edges[:-1] + 0.25, {"units": "degree_east"})
        dataset.to_netcdf(tmp_path / name, format=kind)
        return tmp_path / name

    return make


@pytest.mark.parametrize("centres", [False, True])
@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF4"])
@pytest.mark.parametrize("west", [72.0, 178.5, 200.0])
def test_every_cell_lands_where_it_says(l3, centres, kind, west):
    image = check_image(open_column(l3(centres=centres, kind=kind, west=west)))
    left = west - (360 if west > 180 else 0)
    assert image.rio.bounds() == pytest.approx((left, 26, left + 3, 28))
    own = 0.01 * (image["x"] + west - left) * 1e15 / 6.02214076e19
    np.testing.assert_allclose(image, np.broadcast_to(own, (4, 6)), rtol=1e-6)
    assert image.dims == ("y", "x")
    assert image["time"] == np.datetime64("2024-01-01")
    assert image.attrs["history"].endswith("harpconvert ...")


def test_days_are_stacked(l3):
    image = open_column([l3("b.nc", day=1), l3("a.nc")])
    assert image["time"].values.astype("M8[D]").astype(str).tolist() == ["2024-01-01", "2024-01-02"]


def test_the_total_column_is_reached_by_name(l3):
    image = open_column(l3(), variable="NO2_column_number_density")
    assert image.attrs["standard_name"] == "atmosphere_mole_content_of_nitrogen_dioxide"
    with pytest.raises(no2sr.MissingVariableError, match=VARIABLE):
        open_column(l3(), variable="SO2_column_number_density")


def _l2(path, *, corners=True):
    """Write two pixels of 1/16 degree, the second north-east of the first, and their errors."""
    latitude, longitude = np.array([28.03125, 28.09375]), np.array([77.03125, 77.09375])
    units = {"units": "Pmolec/cm2"}
    dataset = xr.Dataset(
        {
            VARIABLE: ("time", [1.0, -0.5], units),
            f"{VARIABLE}_uncertainty": ("time", [0.2, 0.4], units),
            "latitude": ("time", latitude, {"units": "degree_north"}),
            "longitude": ("time", longitude, {"units": "degree_east"}),
        },
        attrs=ROOT,
    )
    if corners:
        box = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * 0.03125
        dataset["latitude_bounds"] = (("time", "independent_4"), latitude[:, None] + box[:, 0])
        dataset["longitude_bounds"] = (("time", "independent_4"), longitude[:, None] + box[:, 1])
    dataset.to_netcdf(path, format="NETCDF3_CLASSIC")
    return path


def test_a_swath_is_gridded(tmp_path):
    gridded = no2sr.readers.opening.opener.grid_no2(_l2(tmp_path / "l2.nc"), resolution=0.0625)
    image = check_image(gridded["column"])
    assert image.rio.bounds() == (77.0, 28.0, 77.125, 28.125)
    per_unit = 1e15 / 6.02214076e19
    expected = np.array([[np.nan, -0.5], [1.0, np.nan]]) * per_unit
    np.testing.assert_allclose(image, expected, rtol=1e-6)
    errors = np.array([[np.nan, 0.4], [0.2, np.nan]]) * per_unit
    np.testing.assert_allclose(gridded["precision"], errors, rtol=1e-6)
    assert "qa_value" not in image.attrs["history"]


def test_a_swath_without_corners(tmp_path):
    with pytest.raises(no2sr.MissingVariableError, match=r"without the corners.*latitude_bounds"):
        open_column(_l2(tmp_path / "l2.nc", corners=False))


def test_a_file_of_other_gases(tmp_path):
    path = tmp_path / "so2.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.Conventions = "HARP-1.0"
        file.createDimension("time", 2)
        file.createVariable("SO2_column_number_density", "f8", ("time",)).units = "mol/m^2"
    with pytest.raises(no2sr.MissingVariableError, match=r"SO2_column_number_density \[mol/m\^2\]"):
        open_column(path)
