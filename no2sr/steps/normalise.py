"""Local normalisation by the mean and spread of the neighbourhood, and its inverse.

The mean and the standard deviation of the observed cells in a square window around each coarse cell
are interpolated bilinearly to the fine grid. No statistic of a whole image is used, so the result
does not depend on unit, offset or gas, or on where an image was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import correlate1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Normaliser", "denormalise", "local_statistics", "normalise", "window_sum"]

RESOLVED = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Normaliser:
    """Mean and spread of the neighbourhood of every pixel.

    Attributes
    ----------
    mean, spread : array, (y, x), float32
        In the unit of the image; ``spread >= 0``.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]


def local_statistics(values: NDArray[np.floating], window: int) -> Normaliser:
    """Return the mean and the standard deviation of the observed cells around each cell.

    Parameters
    ----------
    values : array, (y, x)
        NaN in gaps, which do not count. Nothing lies beyond the edges: pad first.
    window : int
        Odd side of the square window, in cells.

    Returns
    -------
    Normaliser
        Both fields are NaN where the window has no observed cell. The spread is exactly 0 where the
        observed cells differ by no more than float32 resolves.
    """
    valid = np.isfinite(values)
    known = np.where(valid, values, 0).astype(np.float64)
    count = window_sum(valid.astype(np.float64), window)
    safe = np.where(count > 0, count, 1)
    mean = window_sum(known, window) / safe
    power = window_sum(known**2, window) / safe
    spread = np.sqrt(np.maximum(power - mean**2, 0))
    # float32 stores a value to 6e-8 of itself: a smaller spread is rounding, and dividing by it
    # would turn rounding into structure.
    spread = np.where(spread > RESOLVED * np.sqrt(power), spread, 0)
    seen = count > 0
    return Normaliser(
        mean=np.where(seen, mean, np.nan).astype(np.float32),
        spread=np.where(seen, spread, np.nan).astype(np.float32),
    )


def normalise(values: NDArray[np.floating], by: Normaliser) -> NDArray[np.float32]:
    """Subtract the mean and divide by the spread; 0 where the spread is 0."""
    deviation = np.asarray(values - by.mean, dtype=np.float32)
    return np.divide(deviation, by.spread, out=np.zeros_like(deviation), where=by.spread > 0)


def denormalise(values: NDArray[np.floating], by: Normaliser) -> NDArray[np.float32]:
    """Multiply by the spread and add the mean: inverts `normalise` where the spread is not 0."""
    return np.asarray(values * by.spread + by.mean, dtype=np.float32)


def window_sum(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Sum over a square window; nothing lies beyond the edges.

    Not by running sums, whose rounding depends on the place: tiles would not agree.
    """
    for axis in (0, 1):
        values = correlate1d(values, np.ones(window), axis=axis, mode="constant")
    return values
