"""Classical ways to take known noise off a coarse field: Gaussian smoothing and kriging.

Both work on the cells of the coarse grid and leave a cell without noise exactly as it is. They are
what a noise step has to beat.

References
----------
P. Goovaerts, "Kriging and semivariogram deconvolution in the presence of irregular geographical
units", Math. Geosci. 40 (2008) 101-128: covariances of means over blocks.

L. S. Gandin, "Objective analysis of meteorological fields" (1963): optimal interpolation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import gaussian_filter

from no2sr.steps.gaps import fill_gaps
from no2sr.steps.normalise import local_statistics
from no2sr.steps.tiles import cut_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.steps.tiles import Tile

__all__ = [
    "WIDTHS",
    "blur",
    "choose_widths",
    "compare_with_spread",
    "correlate_blocks",
    "krige",
    "look_around",
    "smooth",
]

WINDOW = 9  # cells along the neighbourhood that mean and spread are taken of
FILL_RADIUS = 8
# Noise over spread, both of the neighbourhood, and the width (cells) of the Gaussian that left the
# smallest error after bicubic interpolation, on GEMS windows of 2023-10-27..30 at x2 and x4
# (benchmarks/widths.py).
WIDTHS = {
    0.0: 0.0,
    0.15: 0.0,
    0.25: 0.35,
    0.35: 0.5,
    0.45: 0.6,
    0.55: 0.7,
    0.65: 0.8,
    0.75: 1.0,
    0.9: 1.5,
    1.1: 2.0,
}
# Widths that fields are smoothed by; others are mixed from them.
BANK = (0.0, 0.35, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0)
# Cells over which the correlation of the field falls to 1 / e. On the same windows the error was
# at most 1.4 % above the least of 1, 1.5, 2 and 3 cells, at every level of noise and scale.
LENGTH = 2.0
STEADY = 2.0  # cells that the local variance is smoothed over
SUPPORT = 4  # points along a block that its covariances are averaged over
LEAST_VARIANCE = 0.05  # of the local variance, where noise seems to explain all of it
SIDE, RIM = 32, 8  # cells along what is solved at once, and around it


def choose_widths(values: NDArray[np.floating], noise: NDArray[np.floating]) -> NDArray[np.float64]:
    """Look up the width of the Gaussian for every cell.

    Parameters
    ----------
    values : array, (y, x)
        NaN in gaps.
    noise : array, (y, x)
        One standard deviation, in the unit of the values. Where that of an observed cell is NaN,
        it is taken from the cells around it.

    Returns
    -------
    array, (y, x)
        In cells; 0 where the noise is 0.
    """
    ratio = compare_with_spread(values, noise)
    widths = np.interp(ratio, list(WIDTHS), list(WIDTHS.values()))
    return np.where(_complete(noise) > 0, widths, 0.0)


def compare_with_spread(
    values: NDArray[np.floating], noise: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Divide the noise of the neighbourhood by its spread.

    Parameters
    ----------
    values, noise : array, (y, x)
        As for `choose_widths`.

    Returns
    -------
    array, (y, x)
        0 where the spread is 0. The noise is the root mean square of 9 x 9 cells: that of a single
        cell was often computed from its noisy value, and would prefer one sign of the error.
    """
    _, spread = look_around(values)
    power = _average_power(values, _complete(noise))
    return np.divide(np.sqrt(power), spread, out=np.zeros_like(spread), where=spread > 0)


def smooth(values: NDArray[np.floating], noise: NDArray[np.floating]) -> NDArray[np.float32]:
    """Smooth every cell by a Gaussian whose width follows from noise over local spread.

    Parameters
    ----------
    values, noise : array, (y, x)
        As for `choose_widths`.

    Returns
    -------
    array, (y, x), float32
        Gaps stay; a cell whose noise is 0 keeps its value exactly.
    """
    widths = choose_widths(values, noise)
    if not widths.any():
        return np.asarray(values, dtype=np.float32)
    bank = np.stack([blur(values, width) for width in BANK])
    place = np.interp(widths, BANK, np.arange(len(BANK)))
    lower = np.minimum(place.astype(int), len(BANK) - 2)
    share = place - lower
    below, above = (np.take_along_axis(bank, at[None], axis=0)[0] for at in (lower, lower + 1))
    found = np.where(share > 0, below + share * (above - below), below)
    return np.asarray(found, dtype=np.float32)


def krige(
    values: NDArray[np.floating], noise: NDArray[np.floating], *, length: float = LENGTH
) -> NDArray[np.float32]:
    """Take noise off by optimal interpolation: kriging of block means with known noise.

    The field is a local mean plus a deviation with the local variance less that of the noise, and
    an exponential correlation averaged over the blocks. Noise is independent between cells, and
    of the same size in a neighbourhood.

    Parameters
    ----------
    values, noise : array, (y, x)
        As for `choose_widths`.
    length : float
        Cells over which the correlation falls to 1 / e.

    Returns
    -------
    array, (y, x), float32
        Gaps stay; a cell whose noise is 0 keeps its value exactly.
    """
    stated = _complete(noise)
    found = np.asarray(values, dtype=np.float32).copy()
    if not stated.any():
        return found
    mean, spread = look_around(values)
    power = _average_power(values, stated)
    variance = _estimate_variance(values, spread, power)
    table = correlate_blocks(SIDE + 2 * RIM, length)
    for tile in cut_tiles(values.shape, SIDE):
        around = _clip_tile(tile.grow(RIM), values.shape)
        solved = _solve(values[around], mean[around], variance[around], power[around], table=table)
        top, left = (
            wanted.start - got.start for wanted, got in zip(tile.window, around, strict=True)
        )
        ny, nx = found[tile.window].shape
        found[tile.window] = solved[top : top + ny, left : left + nx]
    return np.where(stated > 0, found, np.asarray(values, dtype=np.float32))


def correlate_blocks(size: int, length: float) -> NDArray[np.float64]:
    """Tabulate the correlation of block means by their distance.

    Parameters
    ----------
    size : int
        One more than the largest distance.
    length : float
        Of the exponential correlation of points, in cells.

    Returns
    -------
    array, (size, size)
        By rows and columns between the blocks; 1 at (0, 0).
    """
    # Two uniform points of a grid of n differ by k steps in n - |k| of n**2 pairs.
    steps = np.arange(1 - SUPPORT, SUPPORT)
    weights = (SUPPORT - np.abs(steps)) / SUPPORT**2
    table = np.zeros((size, size))
    for down, by_row in zip(steps, weights, strict=True):
        for across, by_column in zip(steps, weights, strict=True):
            y = np.arange(size)[:, None] + down / SUPPORT
            x = np.arange(size) + across / SUPPORT
            table += by_row * by_column * np.exp(-np.hypot(y, x) / length)
    return np.asarray(table / table[0, 0])


def _solve(
    values: NDArray[np.floating],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    power: NDArray[np.float64],
    *,
    table: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Solve for the field of one window."""
    found = np.full(values.shape, np.nan)
    rows, columns = np.nonzero(np.isfinite(values))
    if not rows.size:
        return found
    at = (rows, columns)
    apart = np.abs(rows[:, None] - rows), np.abs(columns[:, None] - columns)
    spread = np.sqrt(variance[at])
    signal = spread[:, None] * spread * table[apart]
    # Nothing varies where all is constant: a little on the diagonal keeps the matrix regular.
    least = 1e-6 * max(float(variance[at].mean()), float(power[at].mean()), 1e-300)
    total = signal + np.diag(np.maximum(power[at], least))
    departure = values[at].astype(np.float64) - mean[at]
    found[at] = mean[at] + signal @ cho_solve(cho_factor(total, lower=True), departure)
    return found


def _clip_tile(tile: Tile, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Cut a tile at the edges of an array."""
    rows, columns = (
        slice(max(part.start, 0), min(part.stop, size))
        for part, size in zip((tile.rows, tile.columns), shape, strict=True)
    )
    return rows, columns


def look_around(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and spread of the 9 x 9 cells around every cell.

    Parameters
    ----------
    values : array, (y, x)
        NaN in gaps, which are left out. The field is continued by reflection.

    Returns
    -------
    mean, spread : array, (y, x)
        0 where nothing is observed.
    """
    half = WINDOW // 2
    found = local_statistics(np.pad(values, half, mode="symmetric"), WINDOW)
    inner = np.s_[half:-half, half:-half]
    mean, spread = found.mean[inner], found.spread[inner]
    return np.nan_to_num(mean.astype(np.float64)), np.nan_to_num(spread.astype(np.float64))


def _estimate_variance(
    values: NDArray[np.floating], spread: NDArray[np.float64], power: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Estimate the variance of the field without its noise, smoothed."""
    found = np.maximum(spread**2 - power, LEAST_VARIANCE * spread**2)
    return np.nan_to_num(blur(np.where(np.isfinite(values), found, np.nan), STEADY))


def _average_power(values: NDArray[np.floating], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the variance of the noise over the observed cells around every cell."""
    power, _ = look_around(np.where(np.isfinite(values), noise**2, np.nan))
    return power


def _complete(noise: NDArray[np.floating]) -> NDArray[np.float64]:
    """Fill in the noise where it is unknown."""
    return np.asarray(fill_gaps(np.asarray(noise, dtype=np.float64), FILL_RADIUS), np.float64)


def blur(values: NDArray[np.floating], width: float) -> NDArray[np.float64]:
    """Smooth by a Gaussian.

    Parameters
    ----------
    values : array, (y, x)
        NaN in gaps, which are left out and kept.
    width : float
        Standard deviation of the Gaussian, in cells.

    Returns
    -------
    array, (y, x)
    """
    seen = np.isfinite(values)
    if width == 0:
        return np.where(seen, values, np.nan).astype(np.float64)
    fields = (np.where(seen, values, 0).astype(np.float64), seen.astype(np.float64))
    total, weight = (
        gaussian_filter(field, width, mode="reflect", truncate=3.0) for field in fields
    )
    mean = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, weight, out=mean, where=seen))
