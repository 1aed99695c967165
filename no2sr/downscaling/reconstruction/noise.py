"""The random error of pixels, estimated from what a first map leaves unexplained.

The precision that a product states is not used: most of it is an error that neighbours share, and
it grows with the measured value, so that weights made of it would bias means low. Here the error
of an overpass is one figure, and grows only with the *modelled* column, which is the same for all
pixels that see the same place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.records import Tuning

    Floats = NDArray[np.float64]

__all__ = ["estimate_growth", "estimate_noise", "robust_spread", "weigh"]

FEWEST = 20  # pixels from which the noise of an overpass is estimated
RANGE = (0.3, 5.0)  # of the noise of an overpass relative to the typical one
BINS = 20


def robust_spread(values: Floats) -> float:
    """Return the standard deviation that the median absolute deviation suggests."""
    if not values.size:
        return 0.0
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def estimate_noise(residuals: Sequence[Floats], least: float) -> tuple[Floats, float]:
    """Estimate the noise of each overpass from the residuals of its pixels.

    Parameters
    ----------
    residuals : sequence of array, (pixels,)
    least : float
        What the noise is at least, so that weights stay finite.

    Returns
    -------
    noise : array, (overpasses,)
    typical : float
        Their median.
    """
    enough = [rest for rest in residuals if rest.size >= FEWEST]
    spreads = [robust_spread(rest) for rest in enough or [np.concatenate(residuals)]]
    typical = max(float(np.median(spreads)), least)
    noise = [robust_spread(rest) if rest.size >= FEWEST else typical for rest in residuals]
    return np.clip(noise, RANGE[0] * typical, RANGE[1] * typical), typical


def estimate_growth(standardised: Floats, modelled: Floats) -> float:
    """Estimate how the noise grows with the modelled column.

    Parameters
    ----------
    standardised : array, (pixels,)
        Residuals over the noise of their overpasses.
    modelled : array, (pixels,)
        Columns of the first map, less their level, over the typical noise.

    Returns
    -------
    float
        g in ``variance = 1 + (g * modelled)**2``, by least squares over bins of equal size.
    """
    order = np.argsort(np.abs(modelled), kind="stable")
    bins = [part for part in np.array_split(order, BINS) if part.size >= FEWEST]
    if not bins:
        return 0.0
    variance = np.array([robust_spread(standardised[part]) ** 2 for part in bins])
    square = np.array([np.mean(modelled[part] ** 2) for part in bins])
    weight = 1 / np.maximum(variance, 1) ** 2
    below = float((weight * square**2).sum())
    return (
        float(np.sqrt(max((weight * (variance - 1) * square).sum(), 0) / below)) if below else 0.0
    )


def weigh(tuning: Tuning, numbers: Sequence[int], modelled: Sequence[Floats]) -> Floats:
    """Return the weights of all pixels, in units of one over the square of the typical noise.

    Parameters
    ----------
    tuning : Tuning
    numbers : sequence of int
        Of the overpasses.
    modelled : sequence of array, (pixels,)
        What their pixels see of a map, less the level, over the typical noise.
    """
    parts = []
    for number, seen in zip(numbers, modelled, strict=True):
        noise = tuning.noise.get(number, tuning.typical) / tuning.typical
        growing = 1 + (tuning.growth * seen) ** 2
        parts.append(1 / (noise**2 * growing))
    return np.concatenate(parts)
