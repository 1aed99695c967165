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
from numpy.lib.stride_tricks import sliding_window_view

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

    Taps are added in the same order everywhere, so that tiles agree.
    """
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / SIGMA) ** 2)
    term = np.empty_like(values)  # allocated once, which takes longer than filling it
    for axis in (0, 1):
        rim = [(radius, radius) if axis == each else (0, 0) for each in (0, 1)]
        parts = sliding_window_view(np.pad(values, rim), kernel.size, axis=axis)
        total = np.zeros_like(values)
        for tap, weight in enumerate(kernel):
            total += np.multiply(parts[..., tap], weight, out=term)
        values = total
    return values
