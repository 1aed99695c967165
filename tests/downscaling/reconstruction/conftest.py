"""Overpasses and settings that the tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
from skies import fly_over

from no2sr.downscaling.reconstruction.entry import Settings
from no2sr.downscaling.reconstruction.layers import COLUMN

if TYPE_CHECKING:
    import xarray as xr


@pytest.fixture(scope="session")
def swaths() -> list[xr.Dataset]:
    """Return twelve overpasses."""
    return [fly_over(seed) for seed in range(12)]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Return settings that are quick to solve."""
    return Settings(resolution=0.02, uncertainty=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Return a folder of ten overpasses in the form of HARP."""
    folder = tmp_path_factory.mktemp("overpasses")
    for seed in range(10):
        swath = fly_over(seed)
        with netCDF4.Dataset(folder / swath.attrs["source"], "w") as file:
            file.Conventions = "HARP-1.0"
            file.createDimension("time", swath["column"].size)
            file.createDimension("independent_4", 4)
            time = file.createVariable("datetime_start", "f8", ("time",))
            time.units = "seconds since 2020-01-01"
            time[:] = 86400 * seed + 39600 + np.arange(swath["column"].size) / 100
            column = file.createVariable(COLUMN, "f4", ("time",))
            column[:], column.units = swath["column"].values.ravel(), "mol/m^2"
            for axis, unit in (("latitude", "degree_north"), ("longitude", "degree_east")):
                corners = swath[f"{axis}_bounds"].values.reshape(-1, 4)
                for name, dims, values in (
                    (axis, ("time",), corners.mean(axis=1)),
                    (f"{axis}_bounds", ("time", "independent_4"), corners),
                ):
                    variable = file.createVariable(name, "f8", dims)
                    variable[:], variable.units = values, unit
    return folder
