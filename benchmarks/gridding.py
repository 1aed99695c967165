"""Time and memory of swath gridding: a whole Sentinel-5P orbit onto the global 0.05 degree grid.

Run it on a quiet machine::

    python benchmarks/gridding.py [--repeats 7]

The orbit is simulated: 4172 scanlines x 450 ground pixels, all valid, with precision, over both
polar caps and so across the antimeridian. The times are those of one process, after a first call
that compiles; the peak memory is that of a process of its own, which reads and grids the orbits.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.overlap import Pixels, Sums, accumulate
from no2sr.swaths.sums import make_empty_sums

if TYPE_CHECKING:
    from collections.abc import Callable

SCANLINES, GROUND_PIXELS = 4172, 450
EARTH, ALTITUDE = 6371.0, 824.0  # km
INCLINATION, PERIOD, SIDEREAL_DAY = 98.7, 6090.0, 86164.0  # degrees, s, s
DWELL = 0.84  # s between scanlines
WIDEST_VIEW = 53.5  # degrees from nadir: a swath of 2600 km
GLOBE = (-180.0, -90.0, 180.0, 90.0)
RESOLUTION = 0.05


def simulate_orbit() -> xr.Dataset:
    """Simulate the corners of an orbit and columns with noise, in float32 as in the files."""
    seconds = np.arange(SCANLINES + 1)[:, None] * DWELL
    along = np.deg2rad(360 * seconds / PERIOD - 98)  # from the equator crossing, starting at night
    view = np.deg2rad(np.linspace(-WIDEST_VIEW, WIDEST_VIEW, GROUND_PIXELS + 1))
    across = np.arcsin((EARTH + ALTITUDE) / EARTH * np.sin(view)) - view
    tilt = np.deg2rad(INCLINATION)
    # The ground point is `across` away from the track, towards the pole of the orbit's plane.
    x = np.cos(along) * np.cos(across)
    ahead = np.sin(along) * np.cos(across)
    y = ahead * np.cos(tilt) + np.sin(across) * np.sin(tilt)
    z = ahead * np.sin(tilt) - np.sin(across) * np.cos(tilt)
    latitude = np.rad2deg(np.arcsin(z))
    longitude = np.rad2deg(np.arctan2(y, x)) - 360 * seconds / SIDEREAL_DAY + 75
    column = np.random.default_rng(0).normal(5e-5, 2e-5, (SCANLINES, GROUND_PIXELS))
    dims = ("scanline", "ground_pixel")
    return xr.Dataset(
        {
            "column": (dims, column),
            "uncertainty_random": (dims, np.full_like(column, 2e-5)),
            "uncertainty_systematic": (dims, np.full_like(column, 2e-5)),
            "latitude_bounds": ((*dims, "corner"), _corners(latitude)),
            "longitude_bounds": ((*dims, "corner"), _corners((longitude + 180) % 360 - 180)),
        }
    ).astype(np.float32)


def _corners(vertices: np.ndarray) -> np.ndarray:
    first, second = vertices[:-1], vertices[1:]
    return np.stack([first[:, :-1], first[:, 1:], second[:, 1:], second[:, :-1]], axis=-1)


def time_gridding(orbit: xr.Dataset, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of every repetition, for the kernel alone and for whole calls."""
    corners = (orbit[f"{name}_bounds"].values.reshape(-1, 4) for name in ("latitude", "longitude"))
    names = ("column", "uncertainty_random", "uncertainty_systematic")
    pixels = Pixels(*(orbit[name].values.ravel() for name in names), *corners)
    calls: dict[str, Callable[[Sums], object]] = {
        "kernel": lambda sums: accumulate(pixels, sums),
        "grid_swaths, globe": lambda _: grid_swaths([orbit], bounds=GLOBE),
        "grid_swaths, 5 x 5 degrees": lambda _: grid_swaths([orbit], bounds=(75, 25, 80, 30)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            sums = make_empty_sums(GLOBE, RESOLUTION, random=True, systematic=True)
            start = time.perf_counter()
            call(sums)
            seconds[name].append(time.perf_counter() - start)
    return {name: values[1:] for name, values in seconds.items()}  # the first one compiles


def report_peak_memory(file: Path, orbits: int) -> None:
    """Grid a saved orbit, turned further each time, onto one grid and print this process' peak."""
    grid_swaths((turned(file, 25 * n) for n in range(orbits)), bounds=GLOBE)
    # ru_maxrss would not do: a process inherits the peak of the one that started it.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def turned(file: Path, degrees: float) -> xr.Dataset:
    """Read an orbit and move it west, as the Earth turns from one to the next."""
    orbit = xr.load_dataset(file)
    orbit["longitude_bounds"] = (orbit["longitude_bounds"] - degrees + 180) % 360 - 180
    return orbit


def peak_memory(file: Path, orbits: int) -> float:
    """Return the peak memory in MiB of a process that reads and grids some orbits."""
    command = [sys.executable, __file__, "--measure", str(file), "--orbits", str(orbits)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout)


def main() -> None:
    """Print the table, or measure one process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--orbits", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        report_peak_memory(options.measure, options.orbits)
        return
    orbit = simulate_orbit()
    print(f"{orbit['column'].size:,} pixels, {options.repeats} repetitions")
    print(f"{'seconds':30}{'median':>8}{'best':>8}")
    for name, values in time_gridding(orbit, options.repeats).items():
        print(f"{name:30}{statistics.median(values):8.2f}{min(values):8.2f}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "orbit.nc"
        orbit.to_netcdf(file)
        for orbits in (1, 4, 14):
            print(f"{f'peak MiB, {orbits} orbits':30}{peak_memory(file, orbits):8.0f}")


if __name__ == "__main__":
    main()
