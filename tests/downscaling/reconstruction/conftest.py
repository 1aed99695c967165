"""Overpasses and settings that the tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from skies import fly_over

from no2sr.downscaling.reconstruction.entry import Settings

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
