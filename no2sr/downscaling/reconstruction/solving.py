"""From the overpasses of one block to its layers, with everything tuned before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.downscaling.reconstruction.departures import Correlated
from no2sr.downscaling.reconstruction.noise import weigh
from no2sr.downscaling.reconstruction.prior import Roughness, follow_signal
from no2sr.downscaling.reconstruction.system import LOOSE, Observations, System
from no2sr.swaths.footprints import build_operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.records import Grid, Overpass, Tuning

    Floats = NDArray[np.float64]

__all__ = ["errors_of", "final_pass", "first_pass", "observe", "second_pass"]

WHOLE = 0.999  # of a pixel must lie on the solved grid; those at its rim are left out
LEAST_SHARE = 1e-8  # of a pixel in a cell, for it to count there


def observe(overpasses: Sequence[Overpass], grid: Grid, response: str) -> Observations | None:
    """Build the footprints of the pixels that lie on a grid as a whole.

    Parameters
    ----------
    overpasses : sequence of Overpass
    grid : Grid
    response : str

    Returns
    -------
    Observations or None
        None if no pixel lies on the grid.
    """
    matrices, values, numbers, places = [], [], [], []
    for one in overpasses:
        footprints = build_operator(one.pixels, grid.frame, grid.shape, response)
        whole = np.flatnonzero(footprints.inside >= WHOLE)
        if whole.size:
            matrices.append(footprints.matrix[whole])
            values.append(one.pixels.column[whole].astype(np.float64))
            numbers.append(one.number)
            places.append(one.place[whole])
    return (
        Observations(grid, matrices, values, numbers=numbers, places=places) if matrices else None
    )


def errors_of(
    tuning: Tuning, observations: Observations, field: Floats | None = None
) -> Correlated:
    """Return the errors of all pixels, in units of the typical noise.

    Parameters
    ----------
    tuning : Tuning
    observations : Observations
        Scaled by the level and the typical noise.
    field : array, (y * x,), optional
        A first map: the noise then grows with what pixels see of it.
    """
    seen = np.zeros_like(observations.all_values)
    if field is not None:
        seen = observations.seen @ field
    weights = weigh(tuning, observations.numbers, observations.split(seen))
    departure = tuning.departure / tuning.typical
    return Correlated.of_grid(observations.grid, observations.matrices, weights, departure)


def first_pass(tuning: Tuning, observations: Observations) -> System:
    """Return the system whose roughness has the same weight everywhere."""
    errors = errors_of(tuning, observations)
    return System(observations, errors, Roughness(observations.grid), tuning.first)


def second_pass(tuning: Tuning, observations: Observations, field: Floats) -> System:
    """Return the system whose noise and strength follow a first map."""
    steepness = tuning.steepness / tuning.typical
    strength, _ = follow_signal(observations.grid, field, steepness)
    errors = errors_of(tuning, observations, field)
    return System(observations, errors, Roughness(observations.grid, strength), tuning.smoothness)


def final_pass(tuning: Tuning, observations: Observations) -> System:
    """Return the system of the map: the second pass, if held-out overpasses agreed."""
    first = first_pass(tuning, observations)
    if tuning.steepness <= 0:
        return first
    return second_pass(tuning, observations, first.solve(within=LOOSE))
