"""Conservation: make the area-weighted block means of a fine image equal the coarse image.

`additive` adds the same number to every cell of a block. It works for every sign and is the
default, because columns are negative where noise exceeds signal. `multiplicative` scales the block,
which keeps relative contrast and the sign of every value. Where its factor is undefined (a mean
that is not positive), the block is corrected additively.

References
----------
A. Geiss, S. J. Silva and J. C. Hardin, "Downscaling atmospheric chemistry simulations with
physically consistent deep learning", Geosci. Model Dev. 15 (2022) 6677-6694.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["block_mean", "check_kind", "closure", "conserve"]

Kind = Literal["additive", "multiplicative"]


def check_kind(kind: str) -> None:
    """Refuse an unknown kind of conservation.

    Raises
    ------
    SettingsError
    """
    if kind not in ("additive", "multiplicative"):
        raise SettingsError(f"conserve is {kind!r}; choose 'additive' or 'multiplicative'")


def block_mean(
    fine: NDArray[np.floating], scale: int, areas: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the area-weighted means of blocks.

    Parameters
    ----------
    fine : array, (scale * y, scale * x)
    scale : int
    areas : array, (scale * y,)
        Relative area of the cells of each fine row.

    Returns
    -------
    array, (y, x), float64
    """
    ny, nx = fine.shape[0] // scale, fine.shape[1] // scale
    # A matrix product sums short rows several times faster than a reduction.
    flat = fine.astype(np.float64).reshape(-1, scale)
    across = (flat @ np.full(scale, 1 / scale)).reshape(ny, scale, nx)
    weights = areas.reshape(ny, scale, 1)
    means: NDArray[np.float64] = (across * weights).sum(axis=1) / weights.sum(axis=1)
    return means


def conserve(
    fine: NDArray[np.floating],
    coarse: NDArray[np.floating],
    areas: NDArray[np.floating],
    *,
    kind: Kind = "additive",
) -> NDArray[np.float32]:
    """Correct a fine image so that its block means are the coarse image.

    Parameters
    ----------
    fine : array, (scale * y, scale * x)
    coarse : array, (y, x), same unit
        Blocks whose coarse value is NaN stay as they are.
    areas : array, (scale * y,)
        Relative area of the cells of each fine row.
    kind : {"additive", "multiplicative"}

    Returns
    -------
    array, (scale * y, scale * x), float32
        ``block_mean(result) == coarse`` to float32 rounding. Applying it twice changes nothing.

    Raises
    ------
    SettingsError
        If the kind is unknown.
    """
    check_kind(kind)
    scale = fine.shape[0] // coarse.shape[0]
    means = block_mean(fine, scale, areas)
    target = np.where(np.isfinite(coarse), coarse, means)
    # Below 1 % of the target a factor would turn noise into structure.
    positive = (target > 0) & (means > 0.01 * target)
    scaled = positive if kind == "multiplicative" else np.zeros_like(positive)
    gain = np.divide(target, means, out=np.ones_like(means), where=scaled)
    shift = np.where(scaled, 0, target - means)
    blocks = fine.reshape(len(coarse), scale, -1, scale)
    scaled_blocks = blocks * gain[:, None, :, None] if scaled.any() else blocks
    corrected = scaled_blocks + shift[:, None, :, None]
    result = np.asarray(corrected, dtype=np.float32).reshape(fine.shape)
    # The remainder from rounding to float32 goes into one cell of the block. There it is rounded to
    # half a last digit of that cell, a small part of the block. The cell lies in the row with the
    # largest area, because rows beyond a pole have none.
    rows = areas.reshape(-1, scale)
    largest = rows.argmax(axis=1)
    share = rows.max(axis=1) / (scale * rows.sum(axis=1))
    left_over = (target - block_mean(result, scale, areas)) / share[:, None]
    result[np.arange(len(rows)) * scale + largest, ::scale] += left_over
    return result


def closure(
    fine: NDArray[np.floating], coarse: NDArray[np.floating], areas: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return block means minus coarse values, (y, x): zero where conserved, NaN in gaps."""
    return block_mean(fine, fine.shape[0] // coarse.shape[0], areas) - coarse
