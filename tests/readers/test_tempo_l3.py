"""TEMPO level 3: axes in the root, variables and masks in groups."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.opening.cropping import crop_to_box
from no2sr.readers.port import ReadOptions
from no2sr.readers.registry import find_reader

PER_MOL = 6.02214076e19
COLUMN = "product/vertical_column_troposphere"
STEP = 0.02
LATITUDE = np.float32(30.01 + STEP * np.arange(5))
LONGITUDE = np.float32(-100.01 + STEP * np.arange(7))


@pytest.fixture
def tempo(tmp_path):
    """Return a writer of small scans; the column is 1e13 * (longitude + 100 * latitude)."""

    def make(*, latitude=LATITUDE, longitude=LONGITUDE, replace=None, leave=()):
        y, x = np.meshgrid(latitude.astype("f8"), longitude.astype("f8"), indexing="ij")
        fields = {
            COLUMN: (1e13 * (x + 100 * y), "f8", "molecules/cm^2"),
            "product/vertical_column_stratosphere": (3e15, "f8", "molecules/cm^2"),
            "product/main_data_quality_flag": (0, "i2", ""),
            "support_data/eff_cloud_fraction": (0.1, "f4", "1"),
            "geolocation/solar_zenith_angle": (40, "f4", "degrees"),
        }
        with netCDF4.Dataset(tmp_path / "scan.nc", "w") as file:
            file.processing_version = "4"
            sizes = {"time": 1, "latitude": latitude.size, "longitude": longitude.size}
            for dim, size in sizes.items():
                file.createDimension(dim, size)
            file.createVariable("latitude", "f4", ("latitude",))[:] = latitude
            file["latitude"].units = "degrees_north"
            file.createVariable("longitude", "f4", ("longitude",))[:] = longitude
            file["longitude"].units = "degrees_east"
            time = file.createVariable("time", "f8", ("time",))
            time.units = "seconds since 1980-01-06T00:00:00Z"
            time[:] = 86400.0
            file.createVariable("weight", "f4", ("latitude", "longitude"))[:] = 1
            for path, (values, kind, unit) in fields.items():
                if path in leave:
                    continue
                fill = -9999 if kind == "i2" else -1e30
                variable = file.createVariable(path, kind, tuple(sizes), fill_value=fill)
                variable.units = unit
                variable[:] = np.broadcast_to((replace or {}).get(path, values), variable.shape)
        return tmp_path / "scan.nc"

    return make


@pytest.mark.parametrize("north_first", [False, True])
@pytest.mark.parametrize("turn", [0, 360])
@pytest.mark.parametrize("chunks", [None, {}])
def test_every_cell_lands_where_it_says(tempo, north_first, turn, chunks):
    latitude = LATITUDE[::-1] if north_first else LATITUDE
    path = tempo(latitude=latitude, longitude=np.float32(LONGITUDE + turn))
    assert find_reader(path).name == "tempo_l3"
    image = open_column(path, chunks=chunks)
    assert (image.chunks is None) == (chunks is None)
    image = check_image(image.load())
    assert image.rio.bounds() == pytest.approx((-100.02, 30.0, -99.88, 30.1), abs=1e-5)
    own = 1e13 * (image["x"] + turn + 100 * image["y"]) / PER_MOL
    np.testing.assert_allclose(image, own.transpose("y", "x"), rtol=2e-6)
    assert image["time"] == np.datetime64("1980-01-07")
    assert "and solar_zenith_angle < 70" in image.attrs["history"]


@pytest.mark.parametrize(
    ("path", "values", "kept"),
    [
        ("product/main_data_quality_flag", [0, 1, 2, -9999, 0, 0, 0], "1000111"),
        ("support_data/eff_cloud_fraction", [0.2, 0.3, -1e30, np.nan, 0, 0, 0], "1000111"),
        ("geolocation/solar_zenith_angle", [69, 70, 80, np.nan, 0, 0, 0], "1000111"),
        (COLUMN, [-5e14, -1e30, np.nan, 1e15, 1e15, 1e15, 1e15], "1001111"),
    ],
)
def test_each_screen(tempo, path, values, kept):
    image = open_column(tempo(replace={path: np.array(values)}))
    expected = np.broadcast_to([flag == "1" for flag in kept], image.shape)
    np.testing.assert_array_equal(np.isfinite(image), expected)


def test_fills_that_the_file_does_not_call_fills(tempo):
    path = tempo(leave=("support_data/eff_cloud_fraction",))
    with netCDF4.Dataset(path, "a") as file:
        dims = ("time", "latitude", "longitude")
        cloud = file.createVariable("support_data/eff_cloud_fraction", "f4", dims)
        cloud[:] = 0.1
        cloud[0, 0, 0] = -1e30  # below 0.2, and yet no clear sky
    assert np.argwhere(np.isnan(open_column(path).values)).tolist() == [[4, 0]]


def test_without_a_tropospheric_column(tempo):
    path = tempo(leave=(COLUMN, "support_data/eff_cloud_fraction"))
    with pytest.raises(
        no2sr.MissingVariableError, match=r"no tropospheric.*product/vertical_column_stratosphere"
    ):
        open_column(path)
    image = open_column(path, variable="vertical_column_stratosphere")
    np.testing.assert_allclose(image, 3e15 / PER_MOL, rtol=1e-6)
    assert "(without eff_cloud_fraction in the file)" in image.attrs["history"]


@pytest.mark.parametrize("north_first", [False, True])
@pytest.mark.parametrize("turn", [0, 360])
def test_a_box_is_what_cropping_the_whole_leaves(tempo, north_first, turn):
    latitude = np.float32(30.01 + STEP * np.arange(60))[:: -1 if north_first else 1]
    longitude = np.float32(-100.01 + turn + STEP * np.arange(80))
    path = tempo(latitude=latitude, longitude=longitude)
    box = (-99.505, 30.301, -99.405, 30.399)
    image = check_image(open_column(path, bbox=box))
    assert image.equals(crop_to_box(open_column(path), box))
    # Six columns from -99.52 to -99.40, the rows of 30.30 to 30.40.
    assert image.rio.bounds() == pytest.approx((-99.52, 30.3, -99.4, 30.4))
    read = find_reader(path).read(path, ReadOptions(bbox=box))
    assert read.sizes["latitude"] * read.sizes["longitude"] <= 7 * 8
    with pytest.raises(no2sr.SettingsError, match="outside the image"):
        open_column(path, bbox=(0, 0, 10, 10))


def test_limits_move_the_screens(tempo):
    clouds = np.array([0.0, 0.2, 0.3, 0.5, 0.6, 0.9, np.nan])
    path = tempo(replace={"support_data/eff_cloud_fraction": clouds})
    image = open_column(path, limits={"eff_cloud_fraction": 0.5})
    expected = np.broadcast_to([True, True, True, True, False, False, False], image.shape)
    np.testing.assert_array_equal(np.isfinite(image), expected)
    assert "eff_cloud_fraction <= 0.5" in image.attrs["history"]
    with pytest.raises(
        no2sr.SettingsError, match="no screen 'qa_value'; give a limit for one of main_d"
    ):
        open_column(path, limits={"qa_value": 0.5})
