"""Add an instrument's noise to a coarse image, and state it as a product would.

The noise of a cell is ``sqrt(s0**2 + (k c)**2)`` of its true column c, one standard deviation. A
product knows only the noisy column, so the noise that methods are told is computed from the noisy
values, averaged over 3 x 3 cells.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    # One standard deviation, or the parts that are constant and proportional to the column.
    AddedNoise = float | tuple[float, float]

__all__ = ["add_noise", "check_noise"]


def check_noise(noise: AddedNoise) -> tuple[float, float]:
    """Return the constant and the relative part of a noise.

    Parameters
    ----------
    noise : float or (float, float)
        One standard deviation s, or the pair (s0, k) of ``sqrt(s0**2 + (k c)**2)``.

    Returns
    -------
    s0 : float
        In the unit of the column.
    k : float

    Raises
    ------
    SettingsError
        If it is neither a number nor a pair, or negative or not finite.
    """
    parts = noise if isinstance(noise, tuple | list) else (noise, 0.0)
    numbers = [
        float(part)
        for part in parts
        if isinstance(part, int | float | np.number) and not isinstance(part, bool)
    ]
    usable = len(parts) == len(numbers) == 2
    if not usable or not all(math.isfinite(part) and part >= 0 for part in numbers):
        raise SettingsError(
            f"noise is {noise!r}; give one standard deviation in the unit of the reference, or a "
            "pair (s0, k) for sqrt(s0^2 + (k c)^2), zero or more"
        )
    return numbers[0], numbers[1]


def add_noise(
    coarse: xr.DataArray, noise: AddedNoise, rng: np.random.Generator
) -> tuple[xr.DataArray, xr.DataArray]:
    """Add noise to a coarse image.

    Parameters
    ----------
    coarse : DataArray, (y, x) or (time, y, x)
    noise : float or (float, float)
        As for `check_noise`.
    rng : Generator
        Draws one number a cell, gaps included.

    Returns
    -------
    noisy : DataArray like `coarse`
    stated : DataArray like `coarse`
        One standard deviation as a product would state it; NaN in gaps.

    Raises
    ------
    SettingsError
        As for `check_noise`.
    """
    parts = check_noise(noise)
    values = coarse.to_numpy().astype(np.float64)
    noisy = values + _deviation(values, parts) * rng.standard_normal(values.shape)
    layers = noisy.reshape(-1, *noisy.shape[-2:])
    smooth = np.stack([_average(layer) for layer in layers]).reshape(noisy.shape)
    stated = np.where(np.isfinite(noisy), _deviation(smooth, parts), np.nan)
    return (
        coarse.copy(data=noisy.astype(np.float32)),
        coarse.copy(data=stated.astype(np.float32)),
    )


def _deviation(column: NDArray[np.float64], parts: tuple[float, float]) -> NDArray[np.float64]:
    """Return one standard deviation of the noise of a column."""
    return np.hypot(parts[0], parts[1] * np.maximum(column, 0))


def _average(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the observed cells of every 3 x 3 cells, (y, x); 0 where there are none."""
    seen = np.isfinite(values)
    known = np.pad(np.where(seen, values, 0), 1, mode="symmetric")
    count = np.pad(seen.astype(np.float64), 1, mode="symmetric")
    total, number = (
        np.lib.stride_tricks.sliding_window_view(field, (3, 3)).sum(axis=(-2, -1))
        for field in (known, count)
    )
    return np.asarray(total / np.maximum(number, 1))
