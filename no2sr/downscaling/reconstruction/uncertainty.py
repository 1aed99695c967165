"""How sure the map is, and how fine: an ensemble of perturbed observations, and point sources.

A member of the ensemble perturbs the observations by errors drawn from their covariance and the
prior by a field drawn from its own, and solves again. The members then scatter about the map as the
truth does, given the assumptions: also where the data say little, and by what smoothing loses.

The noise is a function of place and of nothing else, so that neighbouring blocks share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.records import Grid
    from no2sr.downscaling.reconstruction.system import Observations, System

    Floats = NDArray[np.float64]

__all__ = ["calibrate", "draw_members", "probe_resolution", "spread_of"]

MEMBERS = 24
WITHIN = 3e-3  # residual over right-hand side
EVEN = 2.0  # km over which variances are averaged, as 24 members leave them uncertain by 30 %
PROBES = 0.2  # degrees between probes that are solved for together
WIDTH = 2 * np.sqrt(np.log(2) / np.pi)  # full width at half maximum of a Gaussian of unit integral
WIDEST = 100.0  # km
WIDENING = (1.0, 3.0)  # what the factor from held-out overpasses may be


def _draw_white(keys: NDArray[np.uint64], member: int) -> Floats:
    """Return normal noise that depends on keys and the number of a member only."""
    uniform = []
    for stream in (2 * member + 1, 2 * member + 2):
        z = keys + np.uint64(stream * 0x9E3779B97F4A7C15 % 2**64)  # splitmix64
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        uniform.append(((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53)
    return np.asarray(np.sqrt(-2 * np.log1p(-uniform[0])) * np.cos(2 * np.pi * uniform[1]))


def _keys_of_cells(grid: Grid) -> NDArray[np.uint64]:
    row, column = (np.arange(n) + c + 2**20 for n, c in zip(grid.shape, grid.corner, strict=True))
    keys = (row[:, None].astype(np.uint64) << np.uint64(24)) | column.astype(np.uint64)
    return keys.ravel() | np.uint64(2**62)


def _keys_of_pixels(system: System) -> NDArray[np.uint64]:
    observations = system.observations
    return np.concatenate(
        [
            (np.uint64(number) << np.uint64(32)) | place.astype(np.uint64)
            for number, place in zip(observations.numbers, observations.places, strict=True)
        ]
    )


def draw_members(system: System, count: int = MEMBERS) -> Floats:
    """Draw fields that differ from the map as much as the truth may.

    Parameters
    ----------
    system : System
    count : int

    Returns
    -------
    array, (count, y * x)
        Differences from the map, in its units.
    """
    cells = _keys_of_cells(system.observations.grid)
    pixels = _keys_of_pixels(system)
    members = np.empty((count, cells.size))
    for member in range(count):
        rng = np.random.default_rng(member)
        errors = system.errors.draw(_draw_white(pixels, member), rng)
        field = np.sqrt(system.smoothness) * system.roughness.colour(_draw_white(cells, member))
        members[member] = system.invert(system.pull(errors) + field, within=WITHIN)
    return members


def spread_of(grid: Grid, members: Floats) -> Floats:
    """Return the standard deviation of the members in each cell, (y * x,)."""
    variance = (members**2).mean(axis=0).reshape(grid.shape)
    height, width = grid.steps
    even = gaussian_filter(variance, [EVEN / height, EVEN / width])
    return np.asarray(np.sqrt(even)).ravel()


def calibrate(system: System, held: Observations, weights: Floats) -> float:
    """Find the factor that calibrates the spread of the members on held-out overpasses.

    Parameters
    ----------
    system : System
        Of the overpasses that were not held out.
    held : Observations
    weights : array, (pixels,)
        Inverse variances of the noise of held-out pixels.

    Returns
    -------
    float
        The factor with which 90 % of the mean residuals of cells lie within 1.645 standard
        deviations, where the mean over all held-out pixels of a cell has little noise left.
    """
    total = held.back @ weights
    seen = total > 0
    rest = held.all_values - held.seen @ system.solve(within=WITHIN)
    mean = (held.back @ (weights * rest))[seen] / total[seen]
    squares = held.back.multiply(held.back)
    noise = (squares @ weights)[seen] / total[seen] ** 2
    members = draw_members(system, MEMBERS // 2)
    blurred = (held.back @ (weights[:, None] * (held.seen @ members.T)))[seen] / total[seen, None]
    spread = (blurred**2).mean(axis=1)
    low, high = WIDENING
    for _ in range(20):
        middle = (low * high) ** 0.5
        inside = np.mean(mean**2 < 1.645**2 * (noise + middle**2 * spread))
        low, high = (middle, high) if inside < 0.9 else (low, middle)
    return float((low * high) ** 0.5)


def probe_resolution(system: System) -> Floats:
    """Return the local resolution, km, (y * x,).

    It is the full width at half maximum of the Gaussian that, with an integral of one, is as high
    as the map of a point source is at its place: the diagonal of the averaging kernel as a length.
    Point sources on a lattice of 0.2 degree are solved for at once, and four shifted lattices one
    after the other; between them the logarithm is interpolated. It is at least the width of a cell,
    and at most 100 km.
    """
    grid = system.observations.grid
    half = max(round(PROBES / grid.frame.spacing / 2), 2)
    first = [(-c) % half for c in grid.corner]  # the lattice is that of the whole region
    rows, columns = (np.arange(f, n, half) for f, n in zip(first, grid.shape, strict=True))
    found = np.zeros((rows.size, columns.size))
    for down in range(2):
        for right in range(2):
            sources = np.zeros(grid.shape)
            at = np.ix_(rows[down::2], columns[right::2])
            sources[at] = 1.0
            pulled = system.pull(system.observations.seen @ sources.ravel())
            if not pulled.any():
                continue
            field = system.invert(pulled, within=WITHIN)
            found[down::2, right::2] = field.reshape(grid.shape)[at]
    area = float(np.prod(grid.steps))
    widths = WIDTH * np.sqrt(area / np.maximum(found, 1e-12))
    logs = np.log(np.clip(widths, np.sqrt(area), WIDEST))
    where = [(np.arange(n) - f) / half for f, n in zip(first, grid.shape, strict=True)]
    places = np.meshgrid(*where, indexing="ij")
    between = map_coordinates(logs, places, order=1, mode="nearest")
    return np.asarray(np.exp(between)).ravel()
