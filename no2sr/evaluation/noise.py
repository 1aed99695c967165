"""Estimate the noise of an image, and the error that it leaves to a perfect estimate.

The second difference along one axis of that along the other removes every smooth surface and makes
independent noise six times as large. The median of its size passes over the few cells with much
real structure. Noise that neighbours share is not seen, and noise that grows with the column is
taken as it is in a typical cell: the estimate is rather too low.

References
----------
J. Immerkaer, "Fast noise variance estimation", Comput. Vis. Image Underst. 64 (1996) 300-302.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["noise_floor", "noise_level"]

# Root of the sum of squares of the mask (1, -2, 1) x (1, -2, 1).
MASK_NORM = 6.0
# Median of the absolute value of a standard normal variable.
NORMAL_MEDIAN = 0.674489750196


def noise_level(image: NDArray[np.floating]) -> float:
    """Estimate the standard deviation of noise that is independent from cell to cell.

    Parameters
    ----------
    image : array, (y, x)
        NaN in gaps.

    Returns
    -------
    float
        In units of the image; NaN where no 3 x 3 cells are without gap.
    """
    across = np.diff(np.asarray(image, dtype=np.float64), n=2, axis=1)
    both = np.diff(across, n=2, axis=0)
    sizes = np.abs(both[np.isfinite(both)])
    return float(np.median(sizes) / (NORMAL_MEDIAN * MASK_NORM)) if sizes.size else math.nan


def noise_floor(level: float, scale: int) -> float:
    """Compute the RMSE of a perfect estimate, which the noise of the reference alone causes.

    The estimate has the truth's structure and the block means of the noisy coarse image. Those hold
    the mean of the noise of a block, so that what is left to differ is its deviation from that
    mean, of variance level^2 (1 - 1 / scale^2).
    """
    return level * math.sqrt(1 - 1 / scale**2)
