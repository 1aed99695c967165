"""Names and labels follow what was read."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from opening import open_column

import no2sr
from no2sr.writers.layers import label

PRECISION = "nitrogendioxide_tropospheric_column_precision"


def test_the_precision_of_a_grid_is_not_called_a_column(make_grid, tmp_path):
    told = {"units": "mol m-2", "long_name": "precision of the tropospheric NO2 column"}
    path = make_grid(variable="no2_precision", attrs=told, values=np.full((6, 8), 2e-6))
    scene = no2sr.open_no2(path, variable="no2_precision")
    column = scene["no2_precision"]
    assert column.attrs["long_name"] == told["long_name"]
    assert "standard_name" not in column.attrs
    assert label(column) == told["long_name"]
    with rasterio.open(no2sr.write(scene, tmp_path / "a.tif")) as raster:
        assert raster.descriptions == (f"{told['long_name']} [mol m-2]",)
        assert raster.tags(1)["long_name"] == told["long_name"]


@pytest.mark.parametrize("name", ["no2_slant_column", "stratospheric_no2_column"])
def test_other_columns_keep_their_names(make_grid, name):
    path = make_grid(variable=name, attrs={"units": "mol m-2"}, values=np.full((6, 8), 2e-5))
    column = open_column(path, variable=name)
    assert column.attrs["long_name"] == name
    assert "standard_name" not in column.attrs


def test_the_column_keeps_its_own(make_grid):
    column = open_column(make_grid())
    assert column.attrs["long_name"] == "tropospheric vertical column of nitrogen dioxide"
    assert label(column) == "NO2 troposphere"


def test_the_precision_of_a_swath_is_not_called_a_column(make_s5p):
    column = open_column(make_s5p(), variable=PRECISION)
    assert column.name == PRECISION
    assert label(column) == PRECISION
