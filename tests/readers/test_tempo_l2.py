"""TEMPO level 2: groups, screens, fills, corners, and files without a tropospheric column."""

from __future__ import annotations

import gzip
import re

import netCDF4
import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.opening.describe import describe
from no2sr.readers.port import ReadOptions
from no2sr.readers.registry import find_reader

STEP = 0.0625  # degrees; a power of two, so that float32 holds every corner exactly
PER_MOL = 6.02214076e19
CORNERS = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * STEP / 2  # SW, SE, NE, NW
COLUMN = "product/vertical_column_troposphere"
NAME = "vertical_column_troposphere"
BOX = (-75.0, 40.0, -74.625, 40.25)


@pytest.fixture
def tempo(tmp_path):
    """Return a writer of granules whose pixels are cells of a 1/16 degree grid.

    Mirror steps go from east to west and the slit from north to south, as in the product; the
    column is 1e14 times its own longitude, so negative.
    """

    def make(name="tempo.nc", *, west=-75.0, shape=(6, 4), corners=True, stated_fill=True, **given):
        steps = west + STEP * (np.arange(shape[0])[::-1] + 0.5)
        slit = 40 + STEP * (np.arange(shape[1])[::-1] + 0.5)
        longitude, latitude = np.meshgrid(steps, slit, indexing="ij")
        longitude = (longitude + 180) % 360 - 180
        amount = "molecules/cm^2"
        fields = {
            "geolocation/latitude": (latitude, "f4", "degrees_north"),
            "geolocation/longitude": (longitude, "f4", "degrees_east"),
            "geolocation/solar_zenith_angle": (40, "f4", "degrees"),
            COLUMN: (1e14 * longitude, "f8", amount),
            f"{COLUMN}_uncertainty": (2e14, "f8", amount),
            "product/vertical_column_stratosphere": (3e15, "f8", amount),
            "product/main_data_quality_flag": (0, "i2", ""),
            "support_data/eff_cloud_fraction": (0.1, "f4", "1"),
            "support_data/vertical_column_total": (9e15, "f8", amount),
        }
        with netCDF4.Dataset(tmp_path / name, "w") as file:
            file.setncatts(
                {
                    "processing_version": "3",
                    "time_coverage_start": "2024-06-01T21:09:34Z",
                    "time_coverage_end": "2024-06-01T21:16:14Z",
                    "local_granule_id": name,
                }
            )
            for dim, size in zip(("mirror_step", "xtrack", "corner"), (*shape, 4), strict=True):
                file.createDimension(dim, size)
            for path, (values, kind, unit) in fields.items():
                if path not in given.get("leave", ()):
                    chosen = given.get("replace", {}).get(path, values)
                    fill = (-9999 if kind == "i2" else -1e30) if stated_fill else None
                    _write(file, path, chosen, kind=kind, unit=unit, fill=fill)
            if corners:
                for axis, centres, side in (("latitude", latitude, 0), ("longitude", longitude, 1)):
                    bounds = centres[..., None] + CORNERS[:, side]
                    _write(
                        file, f"geolocation/{axis}_bounds", bounds, kind="f4", unit="", fill=-1e30
                    )
        return tmp_path / name

    return make


def _write(file, path, values, *, kind, unit, fill):
    dims = ("mirror_step", "xtrack", "corner")[: 3 if path.endswith("_bounds") else 2]
    variable = file.createVariable(path, kind, dims, fill_value=fill)
    if unit:
        variable.units = unit
    variable[:] = np.broadcast_to(values, variable.shape)


def _read(path, **options):
    return find_reader(path).read(path, ReadOptions(**options))


def _open(path, **arguments):
    return open_column(path, **{"bbox": BOX, "resolution": STEP} | arguments)


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("west", [-75.0, -180.0, 179.8125])
def test_every_pixel_lands_where_it_says(tempo, west, corners):
    path = tempo(west=west, corners=corners)
    assert find_reader(path.rename(path.with_name("renamed.dat"))).name == "tempo_l2"
    box = (west, 40.0, west + 0.375, 40.25)
    image = check_image(_open(path.with_name("renamed.dat"), bbox=box))
    assert image.rio.bounds() == box
    own = 1e14 * ((image["x"] + 180) % 360 - 180) / PER_MOL
    inner = image[1:-1, 1:-1]  # built corners are off by 1e-6 of a cell, seen only at 180 degrees
    expected = np.broadcast_to(own, image.shape)
    if corners:
        np.testing.assert_allclose(image, expected, rtol=1e-6)
    np.testing.assert_allclose(inner, expected[1:-1, 1:-1], rtol=1e-6 if corners else 1e-3)
    assert image.name == "vertical_column_troposphere"


def test_the_swath_holds_what_the_file_holds(tempo):
    swath = _read(tempo())
    assert swath["column"].dims == ("scanline", "ground_pixel")
    expected = (
        1e14 * swath["longitude"].values.astype("f8") / PER_MOL
    )  # -75 degrees: all negative, all kept
    np.testing.assert_allclose(swath["column"], expected, rtol=1e-12)
    assert swath["column"].attrs["units"] == "mol m-2"
    np.testing.assert_allclose(swath["uncertainty_systematic"], 2e14 / PER_MOL, rtol=1e-6)
    assert swath["latitude_bounds"].shape == (6, 4, 4)
    assert swath.attrs["screening"] == (
        "pixels with main_data_quality_flag == 0 and eff_cloud_fraction <= 0.2 "
        "and solar_zenith_angle < 70"
    )
    assert swath.attrs["time_coverage_start"] == "2024-06-01T21:09:34Z"
    assert swath.attrs["processor_version"] == "3"


@pytest.mark.parametrize(
    ("path", "values", "kept"),
    [
        ("product/main_data_quality_flag", [0, 1, 2, -9999], [True, False, False, False]),
        ("support_data/eff_cloud_fraction", [0, 0.2, 0.21, -1e30], [True, True, False, False]),
        ("geolocation/solar_zenith_angle", [0, 69.9, 70, np.nan], [True, True, False, False]),
        (COLUMN, [-1e14, np.nan, -1e30, 5e14], [True, False, False, True]),
    ],
)
def test_each_screen(tempo, path, values, kept):
    swath = _read(tempo(replace={path: np.array(values)}))
    np.testing.assert_array_equal(np.isfinite(swath["column"][0]), kept)
    assert swath["uncertainty_systematic"].notnull().equals(swath["column"].notnull())


def test_fills_that_the_file_does_not_call_fills(tempo):
    path = tempo(stated_fill=False, corners=False)
    filled = {COLUMN: (0, 0), "geolocation/latitude": (1, 1), "geolocation/longitude": (1, 1)}
    filled["support_data/eff_cloud_fraction"] = (2, 2)  # below 0.2, and yet no clear sky
    with netCDF4.Dataset(path, "a") as file:
        for name, place in filled.items():
            file[name][place] = -1e30
    swath = _read(path)
    assert np.argwhere(np.isnan(swath["column"].values)).tolist() == [[0, 0], [2, 2]]
    assert np.argwhere(np.isnan(swath["latitude"].values)).tolist() == [[1, 1]]
    assert np.argwhere(np.isnan(swath["longitude"].values)).tolist() == [[1, 1]]


def test_corners_that_a_subsetter_reduced_to_one_are_built(tempo):
    path = tempo(corners=False)
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("one", 1)
        for axis in ("latitude", "longitude"):
            dims = ("mirror_step", "xtrack", "one")
            file.createVariable(f"geolocation/{axis}_bounds", "f4", dims)[:] = 0
    assert "latitude_bounds" not in _read(path)
    assert _open(path).shape == (4, 6)


def test_a_least_valid_column_of_zero_removes_no_negative_one(tempo):
    path = tempo()
    with netCDF4.Dataset(path, "a") as file:
        file[COLUMN].valid_min = 0.0
    assert int(_read(path)["column"].notnull().sum()) == 24


def test_screens_that_a_subset_lacks_are_said(tempo):
    path = tempo(leave=("support_data/eff_cloud_fraction", "geolocation/solar_zenith_angle"))
    assert _read(path).attrs["screening"] == (
        "pixels with main_data_quality_flag == 0 "
        "(without eff_cloud_fraction, solar_zenith_angle in the file)"
    )
    history = _open(path).attrs["history"]
    assert "as tempo_l2, pixels with main_data_quality_flag == 0 (without" in history


def test_missing_coordinates(tempo):
    latitude = np.full((6, 4), 40.1)
    latitude[0, 0], latitude[1, 1] = np.nan, -1e30
    swath = _read(tempo(corners=False, replace={"geolocation/latitude": latitude}))
    assert int(swath["latitude"].isnull().sum()) == 2
    nothing = tempo("lost.nc", corners=False, replace={"geolocation/latitude": -1e30})
    with pytest.raises(no2sr.NoValidPixelsError, match=r"lost\.nc"):
        open_column(nothing)


def test_without_a_tropospheric_column(tempo):
    path = tempo(leave=(COLUMN, f"{COLUMN}_uncertainty"))
    message = (
        r"no tropospheric NO2 column \(product/vertical_column_troposphere\), only .*"
        r"product/vertical_column_stratosphere \[molecules/cm\^2\] \(6, 4\).*variable="
    )
    with pytest.raises(no2sr.MissingVariableError, match=message):
        open_column(path)
    image = _open(path, variable="vertical_column_stratosphere")
    np.testing.assert_allclose(image, 3e15 / PER_MOL, rtol=1e-6)
    assert _open(path, variable="support_data/vertical_column_total").shape == (4, 6)


def test_a_variable_that_is_not_one_value_a_pixel(tempo):
    with pytest.raises(no2sr.DimensionError, match="and not on the pixels"):
        open_column(tempo(), variable="latitude_bounds")


def test_granules_without_coordinates(tempo):
    with pytest.raises(no2sr.MissingVariableError, match="geolocation/longitude"):
        open_column(tempo(leave=("geolocation/longitude",)))


def test_the_quality_threshold_of_another_product_changes_nothing(tempo):
    path = tempo()
    assert _read(path, qa_min=0.0).identical(_read(path, qa_min=1.0))


def test_granules_of_a_scan_are_merged(tempo):
    paths = [tempo("g1.nc", west=-75.0), tempo("g2.nc", west=-75.375)]
    gridded = no2sr.grid(paths, resolution=STEP)
    assert gridded[NAME].rio.bounds() == (-75.375, 40.0, -74.625, 40.25)
    assert (gridded["count"] == 1).all()
    np.testing.assert_allclose(
        gridded[NAME], np.broadcast_to(1e14 * gridded["x"] / PER_MOL, (4, 12)), rtol=1e-6
    )


# ------------------------------------------------------------------------------- limits

CLOUD = "support_data/eff_cloud_fraction"
CLOUDS = np.array([0.0, 0.2, 0.5, 0.9])  # one for each pixel of a mirror step


@pytest.mark.parametrize(
    ("limits", "kept", "said"),
    [
        (None, [True, True, False, False], "eff_cloud_fraction <= 0.2"),
        ({}, [True, True, False, False], "eff_cloud_fraction <= 0.2"),
        ({"eff_cloud_fraction": 0.5}, [True, True, True, False], "eff_cloud_fraction <= 0.5"),
        ({"eff_cloud_fraction": np.float32(0)}, [True] + 3 * [False], "eff_cloud_fraction <= 0 "),
        ({"eff_cloud_fraction": np.inf}, 4 * [True], "eff_cloud_fraction <= inf"),
        ({"solar_zenith_angle": 40}, 4 * [False], "solar_zenith_angle < 40"),
    ],
)
def test_limits_move_the_screens(tempo, limits, kept, said):
    swath = _read(tempo(replace={CLOUD: CLOUDS}), limits=limits)
    np.testing.assert_array_equal(np.isfinite(swath["column"][0]), kept)
    assert said in swath.attrs["screening"]


def test_limits_reach_every_way_of_opening(tempo):
    path = tempo(replace={CLOUD: 0.3})
    with pytest.raises(no2sr.NoValidPixelsError):
        open_column(path)
    limits = {"eff_cloud_fraction": 0.5}
    assert "eff_cloud_fraction <= 0.5" in open_column(path, limits=limits).attrs["history"]
    column = no2sr.grid([path], limits=limits)[NAME]
    assert "eff_cloud_fraction <= 0.5" in column.attrs["history"]
    assert "<= 0.5" in describe(path, options=ReadOptions(limits=limits))["screening"]
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.isfinite(open_column(packed, limits=limits)).all()
    with pytest.raises(no2sr.SettingsError, match="has no screen 'cloud'"):
        open_column(packed, limits={"cloud": 1})


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            {"eff_cloud_fraction": 0.5, "CloudFraction": 0.5},
            "no screen 'CloudFraction'; give a limit for one of main_data_quality_flag == 0, eff_",
        ),
        ({"eff_cloud_fraction": np.nan}, "the limit of eff_cloud_fraction is nan; give a num"),
        ({"eff_cloud_fraction": "much"}, "the limit of eff_cloud_fraction is 'much'; give a"),
    ],
)
def test_limits_that_are_none(tempo, limits, said):
    with pytest.raises(no2sr.SettingsError, match=re.escape(said)):
        open_column(tempo(), limits=limits)
