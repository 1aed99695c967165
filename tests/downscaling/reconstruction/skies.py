"""A small region with a plume, seen by tilted pixels of simulated overpasses."""

from __future__ import annotations

import numpy as np
import xarray as xr

from no2sr.swaths.footprints import build_operator
from no2sr.swaths.overlap import Frame, Pixels

BOX = (10.0, 45.0, 10.6, 45.6)
NOISE = 3e-6

NONE = np.empty(0)  # no stated uncertainty


def lay_pixels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return corners (scanline, ground_pixel, 4) of an overpass over the box and its margin."""
    rng = np.random.default_rng(seed)
    wide = rng.choice([0.06, 0.08, 0.14])
    along = 0.05
    columns, rows = int(2.6 / wide) + 2, int(2.4 / along) + 2
    i, j = np.mgrid[: rows + 1, : columns + 1].astype(float)
    x = 8.9 + wide * (j - rng.uniform()) + 0.012 * i
    y = 44.0 + along * (i - rng.uniform()) - 0.1 * wide * j
    four = [(0, 0), (0, 1), (1, 1), (1, 0)]
    pick = [np.s_[a : a + rows, b : b + columns] for a, b in four]
    return np.stack([y[p] for p in pick], -1), np.stack([x[p] for p in pick], -1)


def truth_on(frame: Frame, shape: tuple[int, int]) -> np.ndarray:
    """Return a field with two sources on a background, mol m-2."""
    y = frame.north - frame.spacing * (np.arange(shape[0]) + 0.5)[:, None]
    x = frame.west + frame.spacing * (np.arange(shape[1]) + 0.5)[None, :]
    first = 150 * np.exp(-(((x - 10.22) / 0.05) ** 2 + ((y - 45.4) / 0.04) ** 2))
    second = 80 * np.exp(-(((x - 10.42) / 0.03) ** 2 + ((y - 45.2) / 0.06) ** 2))
    return 1e-6 * (first + second - 3)  # negative in the background


def fly_over(seed: int, *, noise: float = NOISE, constant: float | None = None) -> xr.Dataset:
    """Return the swath of an overpass."""
    latitude, longitude = lay_pixels(seed)
    frame, shape = Frame(8.0, 47.5, 0.01), (450, 450)
    n = latitude[..., 0].size
    pixels = Pixels(np.zeros(n), NONE, NONE, latitude.reshape(n, 4), longitude.reshape(n, 4))
    field = truth_on(frame, shape) if constant is None else np.full(shape, constant)
    seen = build_operator(pixels, frame, shape).matrix @ field.ravel()
    values = seen + noise * np.random.default_rng(seed + 1000).standard_normal(n)
    dims = ("scanline", "ground_pixel")
    return xr.Dataset(
        {
            "column": (dims, values.reshape(latitude.shape[:2]), {"units": "mol m-2"}),
            "latitude_bounds": ((*dims, "corner"), latitude),
            "longitude_bounds": ((*dims, "corner"), longitude),
        },
        attrs={"source": f"overpass-{seed:03}.nc"},
    )
