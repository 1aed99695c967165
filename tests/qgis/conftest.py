"""QGIS without a screen and without the user's profile, and a reason where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"  # the one that QGIS was built for


def missing() -> str:
    """Return why QGIS cannot be used, or nothing."""
    if program() is None:
        return "qgis_process is not installed"
    done = subprocess.run(
        [PYTHON, "-c", "import qgis.core"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    return "" if done.returncode == 0 else f"{PYTHON} has no qgis.core"


def program() -> str | None:
    """Return qgis_process itself: Debian's wrapper of that name passes an option it refuses."""
    return shutil.which("qgis_process.bin") or shutil.which("qgis_process")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of qgis_process left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Qgis:
    """QGIS in a throw-away profile, beside a PATH that holds no2sr."""

    environment: dict[str, str]
    program: str

    def process(self, *args: object, **changed: str) -> Outcome:
        """Run qgis_process."""
        done = subprocess.run(
            [self.program, *map(str, args)],
            env=self.environment | changed,
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)

    def look(self, raster: Path, png: Path, *more: object) -> dict[str, Any]:
        """Return what QGIS sees in a raster."""
        return self.told("look.py", raster, png, *more)

    def run(self, algorithm: str, parameters: dict[str, Any], *more: object) -> dict[str, Any]:
        """Run an algorithm inside QGIS and return what came of it."""
        return self.told("process.py", algorithm, json.dumps(parameters), *more)

    def told(self, script: str, *args: object, python: str = PYTHON) -> dict[str, Any]:
        """Return what a script of this folder printed."""
        done = subprocess.run(
            [python, HERE / script, *map(str, args)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout[done.stdout.index('{"') :])


@pytest.fixture(scope="session")
def _qgis_is_there() -> None:
    """Skip without QGIS, or fail where it is required."""
    reason = missing()
    if not reason:
        return
    if os.environ.get("NO2SR_REQUIRE_QGIS") == "1":
        pytest.fail(f"{reason}; make test-qgis installs it on Debian and Ubuntu")
    pytest.skip(f"{reason}; make test-qgis installs it on Debian and Ubuntu")


@pytest.fixture
def qgis(_qgis_is_there, tmp_path, root) -> Qgis:
    """Return QGIS with the plugin enabled.

    The PATH leaves out the environment of the tests: the Python inside QGIS would take that for
    its own.
    """
    folder = tmp_path / "qgis"
    programs, profile, runtime = (folder / name for name in ("bin", "profile", "run"))
    for path in (programs, profile, runtime):
        path.mkdir(parents=True, mode=0o700)
    (programs / "no2sr").symlink_to(Path(sys.executable).with_name("no2sr"))
    environment = {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PATH": f"{programs}:/usr/bin:/bin",
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_RUNTIME_DIR": str(runtime),
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "QGIS_PLUGINPATH": str(root / "qgis_plugin"),
    }
    return Qgis(environment=environment, program=program() or "")


@pytest.fixture
def plugin(qgis) -> Qgis:
    """Return QGIS with the plugin enabled in its profile."""
    enabled = qgis.process("plugins", "enable", "no2sr_qgis")
    assert enabled.code == 0, enabled.err
    return qgis


@pytest.fixture
def inputs(samples, tmp_path) -> dict[str, Path]:
    """Return copies of the samples: QGIS leaves files beside what it opens."""
    folder = tmp_path / "in put"
    folder.mkdir()
    found = {
        "swath": next(samples.glob("S5P_*.nc")),
        "netcdf": samples / "simulated_no2_l3_monthly.nc",
        "geotiff": samples / "simulated_no2_earth_engine.tif",
    }
    return {name: Path(shutil.copy(path, folder)) for name, path in found.items()}
