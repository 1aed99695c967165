"""Scenes: a column and its companions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from no2sr.core.layers import (
    COUNT,
    RANDOM,
    TOTAL,
    assemble_scene,
    companions_of,
    is_companion,
    layer_name,
)


@pytest.fixture
def column():
    attrs = {"units": "mol m-2", "standard_name": "a_column", "long_name": "column of NO2"}
    return xr.DataArray(np.ones((2, 3), "float32"), dims=("y", "x"), name="no2", attrs=attrs)


def test_names_follow_harp():
    assert layer_name("no2", RANDOM) == "no2_uncertainty_random"
    assert layer_name("no2", COUNT) == "count"


def test_a_scene_names_its_companions_and_finds_them_again(column):
    scene = assemble_scene(column, {COUNT: column * 0 + 3, TOTAL: 0.1 * column.drop_attrs()})
    assert scene["no2"].attrs["ancillary_variables"] == "no2_uncertainty count"
    found = companions_of(scene, "no2")
    assert list(found) == [TOTAL, COUNT]
    assert found[TOTAL].attrs == {
        "units": "mol m-2",
        "standard_name": "a_column standard_error",
        "long_name": "standard uncertainty of the column of NO2",
    }
    assert "ancillary_variables" not in column.attrs


def test_a_column_alone_names_nobody(column):
    scene = assemble_scene(column, {})
    assert list(scene.data_vars) == ["no2"]
    assert "ancillary_variables" not in scene["no2"].attrs


def test_companions_are_told_from_quantities(column):
    scene = assemble_scene(column, {TOTAL: column})
    assert is_companion("no2_uncertainty", scene.data_vars)
    assert is_companion("count", scene.data_vars)
    assert not is_companion("no2", scene.data_vars)
    assert not is_companion("so2_uncertainty", scene.data_vars)
