"""The noise of a swath, estimated from the differences between neighbouring pixels.

A second difference of neighbours cancels everything that is smooth and keeps the noise. In a swath
it is the mixed one, ``x[i, j] - x[i, j+1] - x[i+1, j] + x[i+1, j+1]``, which also cancels stripes
along and across the track. In a list of pixels it is ``x[i-1] - 2 x[i] + x[i+1]``, where the pixels
are evenly spaced. Plumes are rare, so they do not affect the median of the magnitudes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["FEWEST", "estimate_noise"]

FEWEST = 30  # fewest differences for a meaningful median
TO_SIGMA = 1.482602218505602  # standard deviation of a Gaussian over its median magnitude
BLOCK = 16  # pixels along each side; a median is taken over 3 x 3 blocks
RUN = 256  # pixels of a list in a block
UNEVEN = 0.3  # of a step: tolerance for evenly spaced pixels of a list


def estimate_noise(
    column: ArrayLike, latitude: ArrayLike, longitude: ArrayLike
) -> NDArray[np.float32] | None:
    """Estimate the noise of every pixel from the scatter of its neighbourhood.

    Parameters
    ----------
    column : array, (scanline, ground_pixel)
        NaN where missing.
    latitude, longitude : array, (scanline, ground_pixel), degrees
        Centres; only used if the swath is a list, one pixel wide.

    Returns
    -------
    array, (scanline, ground_pixel), float32, or None
        One standard deviation, in the unit of the column, also where the column is missing. None
        if there are fewer than `FEWEST` neighbourhoods.

    Notes
    -----
    White noise on a smooth field is found to about 5 %. The estimate varies smoothly over some
    50 pixels, or 800 of a list.
    """
    values = np.asarray(column, dtype=np.float64)
    if min(values.shape, default=0) == 0:
        return None
    flat = min(values.shape) == 1
    bends = _bend_list(values, latitude, longitude) if flat else _bend_grid(values)
    side = (1, RUN) if flat else (BLOCK, BLOCK)
    medians = _take_medians(np.abs(bends), side)
    if not np.isfinite(medians).any():
        return None
    known = np.where(np.isfinite(medians), medians, np.nanmedian(medians))
    sigma = TO_SIGMA * _spread(known, side, bends.shape)
    whole = sigma if flat else np.pad(sigma, ((0, 1), (0, 1)), mode="edge")
    return np.asarray(whole.reshape(values.shape), dtype=np.float32)


def _bend_grid(values: Floats) -> Floats:
    """Return mixed second differences, scaled to the noise of one pixel, (n-1, m-1)."""
    across = values[:, 1:] - values[:, :-1]
    return (across[1:] - across[:-1]) / 2  # four pixels of equal noise: twice that of one


def _bend_list(values: Floats, latitude: ArrayLike, longitude: ArrayLike) -> Floats:
    """Return second differences along a list, scaled to the noise of one pixel, (1, n).

    NaN where three pixels are not evenly spaced, as at the end of a scanline.
    """
    line = values.ravel()
    north, east = (np.asarray(a, dtype=np.float64).ravel() for a in (latitude, longitude))
    bends = np.full((1, line.size), np.nan)
    if line.size < 3:
        return bends
    east = np.rad2deg(np.unwrap(np.deg2rad(np.nan_to_num(east))))
    shrunk = np.cos(np.deg2rad(north))[1:-1]
    steps = np.hypot(north[2:] - north[:-2], (east[2:] - east[:-2]) * shrunk) / 2
    turns = np.hypot(np.diff(north, 2), np.diff(east, 2) * shrunk)
    even = (turns < UNEVEN * steps) & (steps > 0)
    bends[0, 1:-1] = np.where(even, np.diff(line, 2) / np.sqrt(6), np.nan)
    return bends


def _take_medians(magnitudes: Floats, side: tuple[int, int]) -> Floats:
    """Return the median around every block, (rows, columns) of blocks; NaN where too few are known.

    It is taken over the block and its neighbours. If no block has enough, all are taken together.
    """
    counts = [max(1, -(-size // block)) for size, block in zip(magnitudes.shape, side, strict=True)]
    padded = np.full([n * block for n, block in zip(counts, side, strict=True)], np.nan)
    padded[: magnitudes.shape[0], : magnitudes.shape[1]] = magnitudes
    blocks = padded.reshape(counts[0], side[0], counts[1], side[1]).swapaxes(1, 2)
    medians = np.full(counts, np.nan)
    for i, j in np.ndindex(*medians.shape):
        near = blocks[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
        known = near[np.isfinite(near)]
        if known.size >= FEWEST:
            medians[i, j] = np.median(known)
    every = magnitudes[np.isfinite(magnitudes)]
    if not np.isfinite(medians).any() and every.size >= FEWEST:
        medians[:] = np.median(every)
    return medians


def _spread(blocks: Floats, side: tuple[int, int], shape: tuple[int, ...]) -> Floats:
    """Interpolate between the centres of blocks, (rows, columns); constant beyond the outermost."""
    places = [
        (np.arange(size) - (block - 1) / 2) / block for size, block in zip(shape, side, strict=True)
    ]
    grid = np.meshgrid(*places, indexing="ij")
    return np.asarray(map_coordinates(blocks, grid, order=1, mode="nearest"))
