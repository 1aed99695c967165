"""Input channels of networks other than the column itself, on the coarse grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST_NOISE", "divide_by_spread", "limit_noise", "mean_of_nine"]

# Noise over spread is cut off here: a network knows nothing of more.
MOST_NOISE = 3.0


def divide_by_spread(
    noise: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Divide noise by the local spread and cut it off at `MOST_NOISE`.

    Parameters
    ----------
    noise, spread : array, (y, x)
        In the unit of the column, 0 or more.

    Returns
    -------
    array, (y, x)
        `MOST_NOISE` also where only the spread is 0.
    """
    most = np.float32(MOST_NOISE)
    ratio = np.where(noise > 0, most, np.float32(0))
    np.divide(noise, spread, out=ratio, where=spread > 0)
    return np.minimum(ratio, most)


def limit_noise(noise: NDArray[np.float32], spread: NDArray[np.float32]) -> NDArray[np.float32]:
    """Limit noise, smoothly, to at most `MOST_NOISE` spreads.

    Parameters
    ----------
    noise, spread : array, (y, x)
        In the unit of the column, 0 or more.

    Returns
    -------
    array, (y, x)
        0 where either is 0.
    """
    size = np.sqrt(spread**2 + noise**2 / np.float32(MOST_NOISE**2))
    limited: NDArray[np.float32] = np.zeros_like(noise)
    np.divide(noise * spread, size, out=limited, where=size > 0)
    return limited


def mean_of_nine(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average each cell and its eight neighbours; the edges are repeated.

    Parameters
    ----------
    values : array, (y, x)

    Returns
    -------
    array, (y, x)
    """
    wide = np.pad(values, 1, mode="edge")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / np.float32(9))
