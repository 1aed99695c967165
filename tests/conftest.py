"""Fixtures that the whole suite shares, and the rule for real data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of simulated sample files."""
    return ROOT / "sample_data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real files, or skip.

    With ``NO2SR_REQUIRE_REAL_DATA=1`` its absence is a failure: a machine that has the files must
    not pass by overlooking them.
    """
    folder = Path(os.environ.get("NO2SR_REAL_DATA", ROOT / "../shared/data")).resolve()
    if folder.is_dir():
        return folder
    reason = f"no real data: {folder} is absent; set NO2SR_REAL_DATA to the folder of real files"
    if os.environ.get("NO2SR_REQUIRE_REAL_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Turn the skip of a test marked ``real_data`` into a failure where the data are required."""
    report = (yield).get_result()
    required = os.environ.get("NO2SR_REQUIRE_REAL_DATA") == "1"
    if required and report.skipped and item.get_closest_marker("real_data"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped although real data are required: {call.excinfo}"


@pytest.fixture
def grid() -> xr.Dataset:
    """Return 24 x 20 cells of 0.1 degree over India: two plumes, noise, negatives, gaps."""
    import numpy as np
    import xarray as xr

    latitude, longitude = 29.45 - 0.1 * np.arange(24), 76.05 + 0.1 * np.arange(20)
    y, x = np.meshgrid(latitude, longitude, indexing="ij")
    plumes = sum(
        peak * np.exp(-((y - north) ** 2 + (x - east) ** 2) / 0.05)
        for peak, north, east in ((2e-4, 28.6, 77.2), (1e-4, 27.6, 76.5))
    )
    noise = np.random.default_rng(1).normal(0, 5e-6, y.shape)
    column = (plumes + noise).astype("float32")
    column[3:6, 2:5] = np.nan
    assert (column < 0).any()
    return xr.Dataset(
        {
            "tropospheric_NO2_column": (
                ("latitude", "longitude"),
                column,
                {"units": "mol m-2", "long_name": "tropospheric vertical column of NO2"},
            )
        },
        coords={
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
    )


@pytest.fixture
def grid_file(grid: xr.Dataset, tmp_path: Path) -> Path:
    """Return the grid as a NetCDF file in a folder of its own."""
    path = tmp_path / "in" / "india.nc"
    path.parent.mkdir()
    grid.to_netcdf(path)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of the command line left."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """Return the lines of stderr that are not warnings of ours."""
        return [line for line in self.err.splitlines() if not line.startswith("Warning: ")]


@pytest.fixture
def no2sr_command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Return a function that runs the command line here, C libraries' output included."""
    from no2sr.cli import main

    def run(*args: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in args], prog_name="no2sr")
        captured = capfd.readouterr()
        return Outcome(code=stop.value.code, out=captured.out, err=captured.err)

    return run
