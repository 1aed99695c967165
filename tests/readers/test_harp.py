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
from no2sr.readers.port import ReadOptions
from no2sr.readers.products.harp import READER

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
    gridded = no2sr.grid(_l2(tmp_path / "l2.nc"), resolution=0.0625)
    image = check_image(gridded[VARIABLE])
    assert image.rio.bounds() == (77.0, 28.0, 77.125, 28.125)
    per_unit = 1e15 / 6.02214076e19
    expected = np.array([[np.nan, -0.5], [1.0, np.nan]]) * per_unit
    np.testing.assert_allclose(image, expected, rtol=1e-6)
    errors = np.array([[np.nan, 0.4], [0.2, np.nan]]) * per_unit
    np.testing.assert_allclose(gridded[f"{VARIABLE}_uncertainty"], errors, rtol=1e-6)
    assert "qa_value" not in image.attrs["history"]


def _pixels(path, **fields):
    """Write a row of 1/16 degree pixels with fields beside a column of 5e-5 mol m-2."""
    count = len(next(iter(fields.values())))
    longitude, latitude = 77.03125 + 0.0625 * np.arange(count), np.full(count, 28.03125)
    box = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * 0.03125
    units = {"units": "mol/m^2"}
    named = {VARIABLE: np.full(count, 5e-5)} | {f"{VARIABLE}_{k}": v for k, v in fields.items()}
    dataset = xr.Dataset(
        {key: ("time", v, {} if "valid" in key else units) for key, v in named.items()},
        attrs=ROOT,
    )
    for axis, centres, side in (("latitude", latitude, 0), ("longitude", longitude, 1)):
        dataset[axis] = ("time", centres)
        dataset[f"{axis}_bounds"] = (("time", "independent_4"), centres[:, None] + box[:, side])
    dataset.to_netcdf(path)
    return path


def test_validity_screens_as_quality_does(tmp_path):
    path = _pixels(tmp_path / "l2.nc", validity=np.array([100, 76, 75, 20], dtype="i1"))
    seen = {qa: np.isfinite(READER.read(path, ReadOptions(qa_min=qa))["column"]) for qa in QUALITY}
    for qa, kept in QUALITY.items():
        assert "".join("01"[int(one)] for one in seen[qa].values.ravel()) == kept
    history = open_column(path).attrs["history"]
    assert f"pixels with {VARIABLE}_validity above 75" in history
    none = _pixels(tmp_path / "none.nc", uncertainty=np.full(4, 1e-6))
    assert open_column(none).count()
    with pytest.raises(no2sr.SettingsError, match=r"none\.nc has no .*_validity"):
        open_column(none, qa_min=0.75)


QUALITY = {0.75: "1100", 0.5: "1110", 0.1: "1111"}


def test_a_threshold_for_a_product_without_quality_is_refused(l3, make_grid, make_tiff):
    for path in (l3(), make_grid(), make_tiff()):
        for qa in (0.5, 0.75):  # what is the default elsewhere is refused, too, if it is stated
            with pytest.raises(no2sr.SettingsError, match=rf"{qa} was given.*; leave it out"):
                open_column(path, qa_min=qa)


def test_uncertainties_of_harp_are_taken_as_they_are(tmp_path):
    parts = {"uncertainty_random": np.full(4, 1e-6), "uncertainty_systematic": np.full(4, 2e-6)}
    swath = READER.read(_pixels(tmp_path / "l2.nc", **parts), ReadOptions())
    np.testing.assert_allclose(swath["uncertainty_random"], 1e-6, rtol=1e-6)
    np.testing.assert_allclose(swath["uncertainty_systematic"], 2e-6, rtol=1e-6)
    both = {"uncertainty": np.full(4, 5e-6), "uncertainty_systematic": np.full(4, 3e-6)}
    swath = READER.read(_pixels(tmp_path / "both.nc", **both), ReadOptions())
    np.testing.assert_allclose(swath["uncertainty_random"], 4e-6, rtol=1e-6)


@pytest.mark.real_data
def test_the_noise_of_real_overpasses(real_data):
    found = []
    for path in sorted((real_data / "overpasses").glob("S5P_201901*.nc")):
        swath = READER.read(path, ReadOptions())
        with netCDF4.Dataset(path) as file:
            stated = float(np.ma.median(file[f"{VARIABLE}_uncertainty"][:]))
        if "uncertainty_random" in swath:
            found.append(np.nanmedian(swath["uncertainty_random"]) / stated)
    # Their stated figure is the scatter about a smooth surface, so all random.
    assert len(found) > 10
    assert 0.8 < np.median(found) <= 1


def test_a_swath_without_corners(tmp_path):
    with pytest.raises(no2sr.MissingVariableError, match=r"lacks the corners.*latitude_bounds"):
        open_column(_l2(tmp_path / "l2.nc", corners=False))


def test_a_file_of_other_gases(tmp_path):
    path = tmp_path / "so2.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.Conventions = "HARP-1.0"
        file.createDimension("time", 2)
        file.createVariable("SO2_column_number_density", "f8", ("time",)).units = "mol/m^2"
    with pytest.raises(no2sr.MissingVariableError, match=r"SO2_column_number_density \[mol/m\^2\]"):
        open_column(path)
