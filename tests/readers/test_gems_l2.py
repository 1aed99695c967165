"""GEMS level 2: groups with a blank, screens, corners that have to be built."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.port import ReadOptions
from no2sr.readers.registry import find_reader

STEP = 0.0625
PER_MOL = 6.02214076e19
DATA, PLACE = "Data Fields", "Geolocation Fields"
COLUMN = f"{DATA}/ColumnAmountNO2Trop"


@pytest.fixture
def gems(tmp_path):
    """Return a writer of scans whose pixels are cells of a 1/16 degree grid.

    The first dimension goes from north to south, the second from east to west. The column is 1e13
    times the pixel's own longitude.
    """

    def make(*, west=120.0, shape=(6, 8), replace=None, leave=(), fill=-1e30):
        rows = 35 + STEP * (np.arange(shape[0])[::-1] + 0.5)
        columns = west + STEP * (np.arange(shape[1])[::-1] + 0.5)
        latitude, longitude = np.meshgrid(rows, columns, indexing="ij")
        fields = {
            COLUMN: (1e13 * longitude, "f4"),
            f"{DATA}/ColumnAmountNO2": (1e16, "f4"),
            f"{DATA}/FinalAlgorithmFlags": (0, "i4"),
            f"{DATA}/CloudFraction": (0.1, "f4"),
            f"{DATA}/RootMeanSquareError": (0.001, "f4"),
            f"{PLACE}/Latitude": (latitude, "f4"),
            f"{PLACE}/Longitude": (longitude, "f4"),
            f"{PLACE}/SolarZenithAngle": (40, "f4"),
            f"{PLACE}/ViewingZenithAngle": (50, "f4"),
        }
        path = tmp_path / "GK2_GEMS_L2_20231027_0045_NO2_FW_DPRO_ORI.nc"
        with netCDF4.Dataset(path, "w") as file:
            file.createDimension("spatial", shape[0])
            file.createDimension("image", shape[1])
            file.createGroup("METADATA")
            for name, (values, kind) in fields.items():
                if name in leave:
                    continue
                missing = fill if kind == "f4" else None
                variable = file.createVariable(name, kind, ("spatial", "image"), fill_value=missing)
                if "Column" in name:
                    variable.units = "molecules cm-2"
                variable[:] = np.broadcast_to((replace or {}).get(name, values), shape)
        return path

    return make


def _read(path, **options):
    return find_reader(path).read(path, ReadOptions(**options))


@pytest.mark.parametrize("west", [120.0, 179.75])
def test_every_pixel_lands_where_it_says(gems, west):
    path = gems(west=west)
    assert find_reader(path).name == "gems_l2"
    box = (west, 35.0, west + 0.5, 35.375)
    image = check_image(open_column(path, bbox=box, resolution=STEP))
    own = np.broadcast_to(1e13 * image["x"] / PER_MOL, image.shape)
    # Corners are means of centres in space: 1e-4 of a cell from those of the grid, and a cell more
    # to the east is worth 5e-4 of the value.
    np.testing.assert_allclose(image, own, rtol=1e-5)
    assert image.rio.bounds() == box


def test_the_swath_holds_what_the_file_holds(gems):
    swath = _read(gems())
    expected = 1e13 * swath["longitude"].values.astype("f8") / PER_MOL
    np.testing.assert_allclose(swath["column"], expected, rtol=1e-6)
    assert "latitude_bounds" not in swath
    assert "uncertainty_systematic" not in swath
    assert swath.attrs["screening"] == (
        "pixels with FinalAlgorithmFlags == 0 and CloudFraction <= 0.3 and RootMeanSquareError "
        "<= 0.005 and SolarZenithAngle < 70 and ViewingZenithAngle < 70"
    )


@pytest.mark.parametrize(
    ("name", "values", "kept"),
    [
        (f"{DATA}/FinalAlgorithmFlags", [0, 1, 2, 4, 8, 16, 1024, 0], "10000001"),
        (f"{DATA}/CloudFraction", [0, 0.3, 0.31, np.nan, -1e30, 1, 0.1, 0.2], "11000011"),
        (f"{DATA}/RootMeanSquareError", [0.001, 0.005, 0.015, 0, 0, 0, 0, 0], "11011111"),
        (f"{PLACE}/SolarZenithAngle", [0, 69, 70, 71, 90, -1e30, 0, 0], "11000011"),
        (f"{PLACE}/ViewingZenithAngle", [0, 69, 70, 71, 90, -1e30, 0, 0], "11000011"),
        (COLUMN, [-5e14, 0, 1e15, -1e30, np.nan, 1e15, 1e15, 1e15], "11100111"),
    ],
)
def test_each_screen(gems, name, values, kept):
    swath = _read(gems(replace={name: np.array(values)}))
    np.testing.assert_array_equal(np.isfinite(swath["column"][0]), [k == "1" for k in kept])


@pytest.mark.parametrize("beyond", [-1e30, -999.0, np.nan])
def test_coordinates_beyond_the_scan(gems, beyond):
    # Some processors write fills there that no attribute tells of.
    latitude = np.tile(35 + STEP * np.arange(6)[::-1, None], 8)
    latitude[:, 6:] = beyond
    swath = _read(gems(replace={f"{PLACE}/Latitude": latitude}, fill=-1e31))
    assert int(swath["latitude"].isnull().sum()) == 12


def test_the_total_column_is_reached_by_name(gems):
    image = open_column(gems(), variable="ColumnAmountNO2", resolution=STEP)
    assert float(image.mean()) == pytest.approx(1e16 / PER_MOL, rel=1e-6)


def test_another_gas(gems):
    path = gems(leave=(COLUMN, f"{DATA}/ColumnAmountNO2"))
    with pytest.raises(no2sr.MissingVariableError, match=r"ColumnAmountNO2Trop\), only "):
        open_column(path)


def test_limits_move_the_screens(gems):
    path = gems(replace={f"{DATA}/CloudFraction": np.array([0, 0.3, 0.4, 0.5, 0.6, 1, 1, 1])})
    swath = _read(path, limits={"CloudFraction": 0.5})
    np.testing.assert_array_equal(np.isfinite(swath["column"][0]), [True] * 4 + [False] * 4)
    assert "CloudFraction <= 0.5 and RootMeanSquareError <= 0.005" in swath.attrs["screening"]
    with pytest.raises(
        no2sr.SettingsError, match=r"'cloud'; give a limit for one of FinalAlgorithmFlags"
    ):
        open_column(path, limits={"cloud": 0.5})
