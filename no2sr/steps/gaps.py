"""Fill gaps for the convolutions, and restore them.

A network needs a number in every cell, and a user wants none where nothing was observed. Gaps are
therefore filled by normalised convolution, a Gaussian mean of the observed cells within a stated
radius, and become NaN again at the end. The radius is finite on purpose: a gap has no effect beyond
the reach of the model.

References
----------
H. Knutsson and C.-F. Westin, "Normalized and differential convolution", CVPR (1993) 515-523.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import correlate1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fill_gaps", "restore_gaps"]

# Width of the Gaussian in cells: narrow, so that the nearest observed cells decide.
SIGMA = 1.0


def fill_gaps(values: NDArray[np.floating], radius: int) -> NDArray[np.floating]:
    """Replace gaps by the Gaussian mean of the observed cells within a window.

    Parameters
    ----------
    values : array, (y, x)
        NaN in gaps.
    radius : int
        The window reaches this many cells to each side.

    Returns
    -------
    array, (y, x)
        Observed cells are unchanged. A gap without an observed cell in its window becomes 0; no
        output that is kept depends on it if `radius` is at least the reach of the method.

    See Also
    --------
    restore_gaps : the inverse.
    """
    valid = np.isfinite(values)
    if valid.all():
        return values.copy()
    known = np.where(valid, values, 0).astype(np.float64)
    total = _blur(known, radius)
    weight = _blur(valid.astype(np.float64), radius)
    means = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return np.where(valid, values, means.astype(values.dtype))


def restore_gaps(
    values: NDArray[np.floating], valid: NDArray[np.bool_], *, scale: int = 1
) -> NDArray[np.floating]:
    """Put NaN back where nothing was observed.

    Parameters
    ----------
    values : array, (scale * y, scale * x)
    valid : array of bool, (y, x)
        Where the coarse image was observed.
    scale : int

    Returns
    -------
    array, (scale * y, scale * x)
        NaN exactly in the blocks of the gaps.
    """
    kept = np.repeat(np.repeat(valid, scale, axis=0), scale, axis=1)
    return np.where(kept, values, np.array(np.nan, dtype=values.dtype))


def _blur(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Correlate with a truncated Gaussian; nothing lies beyond the edges.

    The order of the sum does not depend on the place, so tiles agree.
    """
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / SIGMA) ** 2)
    for axis in (0, 1):
        values = correlate1d(values, kernel, axis=axis, mode="constant")
    return values
