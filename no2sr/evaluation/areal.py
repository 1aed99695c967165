"""The mean of a map over a place, and its standard uncertainty.

With weights ``w`` that add up to 1 (the share of each cell inside the place times its area), the
variance of the mean has up to three parts, because cells do not err independently:

* What all cells share, such as the error of the air-mass factor, does not average out. Its part is
  ``(sum_i w_i s_i)**2``.
* Noise is shared by the cells of a block ``b`` that was observed as one, so the noise of a block
  weighs ``n_b = sum_{i in b} w_i r_i``. Its part is ``sum_bc n_b g_bc n_c``. Where neighbouring
  blocks err independently, ``g`` is 1 for a block and itself and 0 otherwise. Where noise was
  smoothed, ``g`` is a Gaussian of their distance, whose integral is the area over which it was.
* Detail inside an observed block cannot move the mean of the block. With the weights ``v_i`` that
  are left after the mean weight of the block is subtracted, its part is at most
  ``sum_b (sum_{i in b} |v_i| d_i)**2``, and never more than if it were noise.

See GUM (JCGM 100:2008), 5.2: the law of propagation of uncertainty for correlated quantities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Parts", "mean_over", "uncertainty_of_mean"]

NARROW = 0.3  # cells: a narrower Gaussian reaches no other cell
WIDE = 4.0  # standard deviations at which it is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of the standard uncertainty of the cells of a map.

    Attributes
    ----------
    shared, noise, detail : array, (y, x), or None
        Standard deviations, NaN in gaps.
    block : int
        Cells along the blocks that were observed; 1 if the map was not made finer.
    reach : (y, x)
        Side of the area over which noise is shared, in blocks; 1 if they err independently.
    """

    shared: Any = None
    noise: Any = None
    detail: Any = None
    block: int = 1
    reach: tuple[float, float] = (1.0, 1.0)

    @property
    def known(self) -> bool:
        """Whether there is any part."""
        return any(part is not None for part in (self.shared, self.noise, self.detail))

    def cut(self, window: tuple[slice, slice]) -> Parts:
        """Return the parts in a window of the map."""
        names = ("shared", "noise", "detail")
        parts = {name: getattr(self, name) for name in names}
        inside = {k: np.asarray(v[window], np.float64) for k, v in parts.items() if v is not None}
        return Parts(**inside, block=self.block, reach=self.reach)


def mean_over(values: NDArray[np.floating], weights: Array) -> float:
    """Compute the weighted mean of the cells that are not gaps; NaN if there are none.

    Parameters
    ----------
    values, weights : array, of one shape
    """
    seen = np.isfinite(values) & (weights > 0)
    total = weights[seen].sum()
    return float((weights[seen] * values[seen]).sum() / total) if total > 0 else float("nan")


def uncertainty_of_mean(weights: Array, areas: Array, parts: Parts) -> float:
    """Compute the standard uncertainty of a weighted mean.

    Parameters
    ----------
    weights : array, (y, x)
        Of the observed cells, 0 elsewhere; they need not add up to 1. The window begins at the
        corner of a block.
    areas : array, (y, x)
        Relative areas of the observed cells, 0 in gaps.
    parts : Parts
        In this window.

    Returns
    -------
    float
        NaN if a cell with weight has no uncertainty, or no part is known.
    """
    if not (parts.known and weights.sum() > 0):
        return float("nan")
    share = weights / weights.sum()
    power = 0.0
    if parts.shared is not None:
        power += _multiply(share, parts.shared).sum() ** 2
    if parts.noise is not None:
        power += _correlate(_sum_blocks(_multiply(share, parts.noise), parts.block), parts.reach)
    if parts.detail is not None:
        power += _bound_detail(share, areas, parts.detail, parts.block)
    return float(np.sqrt(power))


def _multiply(share: Array, sigma: Array) -> Array:
    """Multiply where there is weight: what is unknown elsewhere does not matter."""
    return np.where(share > 0, share * sigma, 0.0)


def _sum_blocks(values: Array, side: int) -> Array:
    """Sum blocks; those at the far edges may be partial."""
    rows, columns = values.shape
    whole = np.pad(values, ((0, -rows % side), (0, -columns % side)))
    by_block = whole.reshape(whole.shape[0] // side, side, whole.shape[1] // side, side)
    return np.asarray(by_block.sum(axis=(1, 3)))


def _correlate(alike: Array, reach: tuple[float, float]) -> float:
    """Sum over all pairs of blocks, whose errors correlate like a Gaussian of unit height."""
    widths = [size / np.sqrt(2 * np.pi) if size > 1 else 0.0 for size in reach]
    widths = [width if width > NARROW else 0.0 for width in widths]
    around = [int(np.ceil(WIDE * width)) for width in widths]
    held = np.pad(alike, [(cells, cells) for cells in around])
    blurred = gaussian_filter(held, widths, mode="constant", truncate=WIDE)
    return float((held * blurred).sum() / np.prod([_height(width) for width in widths]))


def _height(width: float) -> float:
    """Return the middle weight of the Gaussian filter along one axis."""
    if width == 0:
        return 1.0
    places = np.arange(-int(WIDE * width + 0.5), int(WIDE * width + 0.5) + 1)
    return float(1 / np.exp(-(places**2) / (2 * width**2)).sum())


def _bound_detail(share: Array, areas: Array, detail: Array, side: int) -> float:
    """Bound the part of detail that averages to zero over each block."""
    area = _sum_blocks(areas, side)
    mean = np.divide(_sum_blocks(share, side), area, out=np.zeros_like(area), where=area > 0)
    even = (
        mean.repeat(side, axis=0).repeat(side, axis=1)[: areas.shape[0], : areas.shape[1]] * areas
    )
    left = np.abs(share - even)
    sigma = np.where((areas > 0) & ((share > 0) | np.isfinite(detail)), detail, 0.0)
    bound = np.minimum(_sum_blocks(left * sigma, side), _sum_blocks(share * sigma, side))
    return float((bound**2).sum())
