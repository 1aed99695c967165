"""How far a stated uncertainty can be believed: coverage of intervals, and the CRPS.

An estimate with its standard uncertainty is read as a normal distribution. The continuous ranked
probability score (CRPS) is its distance to what was there, in the unit of the values; it rewards
intervals that are both narrow and right, and is the mean absolute error where nothing is stated.

References
----------
T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and estimation", J. Am.
Stat. Assoc. 102 (2007) 359-378, equation 21.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVELS", "measure_coverage", "measure_crps"]

LEVELS = (50, 80, 90, 95)  # per cent


def measure_coverage(
    errors: NDArray[np.floating], uncertainty: NDArray[np.floating], level: float
) -> float:
    """Measure the share of errors inside the central interval of a level.

    Parameters
    ----------
    errors, uncertainty : array of one shape
        Estimate minus reference, and one standard deviation. Cells that lack either do not count.
    level : float
        Probability of the interval, 0..1.

    Returns
    -------
    float
        NaN where there is nothing to count.
    """
    known = np.isfinite(errors) & np.isfinite(uncertainty)
    if not known.any():
        return math.nan
    bound = float(ndtri((1 + level) / 2)) * uncertainty[known]
    return float(np.mean(np.abs(errors[known]) <= bound))


def measure_crps(errors: NDArray[np.floating], uncertainty: NDArray[np.floating]) -> float:
    """Measure the mean CRPS of normal distributions.

    Parameters
    ----------
    errors, uncertainty : array of one shape
        As for `measure_coverage`. An uncertainty of 0 is a certain statement: its score is the size
        of the error.

    Returns
    -------
    float
        In the unit of the errors, smaller is better; NaN where there is nothing to score.
    """
    known = np.isfinite(errors) & np.isfinite(uncertainty)
    if not known.any():
        return math.nan
    sizes = np.abs(errors[known]).astype(np.float64)
    spread = uncertainty[known].astype(np.float64)
    z = np.divide(sizes, spread, out=np.zeros_like(sizes), where=spread > 0)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    scores = spread * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return float(np.mean(np.where(spread > 0, scores, sizes)))
