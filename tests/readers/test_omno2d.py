"""OMNO2d in HDF-EOS5: axes out of attributes, fills of -2^100, four columns of one kind."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.registry import find_reader

FILL = np.float32(-(2.0**100))  # -1.2676506e30
PER_MOL = 6.02214076e19
COLUMN = "ColumnAmountNO2TropCloudScreened"
# 2005-03-01T00:00 TAI93: 4442 days and the 5 leap seconds from 1993 to 1999.
TAI93 = 4442 * 86400.0 + 5


@pytest.fixture
def omno2d(tmp_path):
    """Return a writer of global grids of 10 degrees; values are 1e13 * (longitude + 1000)."""

    def make(*, shape=(18, 36), spacing="(10.,10.)", span="(-180,180,-90,90)", values=None):
        longitude = -180 + 10 * (np.arange(shape[1]) + 0.5)
        latitude = -90 + 10 * (np.arange(shape[0]) + 0.5)
        own = 1e13 * (longitude[None] + 1000 + 0 * latitude[:, None])
        path = tmp_path / "OMI-Aura_L3-OMNO2d_2005m0301_v003.he5"
        with h5py.File(path, "w") as file:
            grid = file.create_group("HDFEOS/GRIDS/ColumnAmountNO2")
            grid.attrs["GridSpacing"] = np.bytes_(spacing)
            grid.attrs["GridSpan"] = np.bytes_(span)
            grid.attrs["NumberOfLongitudesInGrid"] = np.array([shape[1]], "i4")
            grid.attrs["NumberOfLatitudesInGrid"] = np.array([shape[0]], "i4")
            fields = {
                COLUMN: own if values is None else values,
                "ColumnAmountNO2Trop": own + 1e15,
                "ColumnAmountNO2CloudScreened": own + 2e15,
                "ColumnAmountNO2": own + 3e15,
                "Weight": np.ones(shape),
            }
            for name, field in fields.items():
                data = grid.create_dataset(f"Data Fields/{name}", data=field.astype("f4"))
                data.attrs["MissingValue"] = FILL  # not what CF calls it: it survives decoding
                data.attrs["Units"] = np.bytes_("NoUnits" if name == "Weight" else "molec/cm2")
                data.attrs["Title"] = np.bytes_("NO2 tropospheric column")
                data.attrs["ScaleFactor"] = np.array([1.0])
                data.attrs["Offset"] = np.array([0.0])
            about = file.create_group("HDFEOS/ADDITIONAL/FILE_ATTRIBUTES")
            about.attrs["TAI93At0zOfGranule"] = np.array([TAI93])
            file.create_group("HDFEOS INFORMATION")
        return path

    return make


def test_every_cell_lands_where_it_says(omno2d):
    path = omno2d()
    assert find_reader(path).name == "omno2d"
    image = check_image(open_column(path))
    assert image.name == COLUMN
    assert image.rio.bounds() == (-180, -90, 180, 90)
    own = 1e13 * (image["x"] + 1000) / PER_MOL
    np.testing.assert_allclose(image, np.broadcast_to(own, image.shape), rtol=1e-6)
    assert image["time"] == np.datetime64("2005-03-01")
    assert "cloud fraction < 0.3" in image.attrs["history"]


def test_the_south_comes_first_in_the_file(omno2d):
    latitude = -90 + 10 * (np.arange(18) + 0.5)
    image = open_column(omno2d(values=np.tile(1e13 * (200 + latitude[:, None]), 36)))
    own = 1e13 * (200 + image["y"]) / PER_MOL
    np.testing.assert_allclose(image, np.tile(own.values[:, None], 36), rtol=1e-6)


def test_fills_are_gaps_and_negative_columns_are_not(omno2d):
    values = np.full((18, 36), -4e14)
    values[2, 3], values[17, 35] = FILL, 0.0
    image = open_column(omno2d(values=values))
    assert np.argwhere(np.isnan(image.values)).tolist() == [[15, 3]]
    assert float(image[0, 35]) == 0
    assert float(image.min()) == pytest.approx(-4e14 / PER_MOL, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "above"), [("ColumnAmountNO2Trop", 1e15), ("ColumnAmountNO2", 3e15)]
)
def test_the_other_columns_are_reached_by_name(omno2d, name, above):
    path = omno2d()
    difference = open_column(path, variable=name) - open_column(path)
    np.testing.assert_allclose(difference, above / PER_MOL, rtol=1e-5)
    with pytest.raises(no2sr.MissingVariableError, match=r"ColumnAmountNO2Trop \[molec/cm2\]"):
        open_column(path, variable="Ozone")


def test_scale_and_offset_under_other_names(omno2d):
    values = np.full((18, 36), 3e18)
    values[0, 0] = FILL  # times 1e-3 it would look like a column again
    path = omno2d(values=values)
    with h5py.File(path, "a") as file:
        data = file[f"HDFEOS/GRIDS/ColumnAmountNO2/Data Fields/{COLUMN}"]
        data.attrs["ScaleFactor"], data.attrs["Offset"] = np.array([1e-3]), np.array([1e14])
    image = open_column(path)
    assert np.argwhere(np.isnan(image.values)).tolist() == [[17, 0]]
    np.testing.assert_allclose(image[:17], 3.1e15 / PER_MOL, rtol=1e-6)


def test_attributes_that_contradict_the_grid(omno2d):
    with pytest.raises(no2sr.DimensionError, match=r"18 x 36 cells of 0\.25"):
        open_column(omno2d(spacing="(0.25,0.25)"))
