"""How certain a comparison is: paired-bootstrap intervals of a ratio of errors.

Both methods are judged on the same scenes, so the scenes are drawn again together: what makes a
scene hard for both cancels. An interval that is clear of 1 says that one method is better on scenes
of this kind, not only on those at hand.

References
----------
B. Efron and R. J. Tibshirani, "An introduction to the bootstrap" (1993), chapter 13: the percentile
interval.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ratio_interval"]

# With fewer scenes the percentiles say more about the method than about the scenes.
LEAST_SCENES = 8


def ratio_interval(
    errors: NDArray[np.floating],
    against: NDArray[np.floating],
    *,
    level: float = 0.95,
    repeats: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute the interval of the ratio of two root mean square errors.

    Parameters
    ----------
    errors, against : array, (scenes,)
        Sums of squared errors of each scene, of the method and of the one it is compared with.
    level : float
        Probability that the interval covers.
    repeats : int
        How often the scenes are drawn again, with replacement.
    seed : int
        Of the drawing; the same for all methods of a comparison.

    Returns
    -------
    low, high : float
        NaN for fewer than 8 scenes, or where the method compared with is without error.
    """
    scenes = len(errors)
    if scenes < LEAST_SCENES or not np.sum(against) > 0:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(scenes, np.full(scenes, 1 / scenes), size=repeats)
    total = drawn @ np.asarray(against, np.float64)
    # A draw may hold nothing but scenes on which both are without error.
    usable = total > 0
    ratios = np.sqrt((drawn @ np.asarray(errors, np.float64))[usable] / total[usable])
    tail = (1 - level) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return float(low), float(high)
