"""What became of the detail: found, missed, or made up.

Detail is what an image has beyond the interpolated coarse one. Where the estimate's detail has the
sign of the reference's, the smaller of both is *improvement*. What the reference has beyond it is
*omission*, what the estimate has beyond it is *hallucination*. The idea is opensr-test's; the
measure here has no parameter, and omission plus hallucination is the absolute error, cell by cell.

References
----------
C. Aybar et al., "A comprehensive benchmark for optical remote sensing image super-resolution", IEEE
Geosci. Remote Sens. Lett. 21 (2024) 1-5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.core.errors import NoValidPixelsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Detail", "judge_detail"]


class Detail(NamedTuple):
    """Shares of all detail, of the reference or of the estimate; they add up to 1.

    Attributes
    ----------
    improvement : float
        Detail that is in both.
    omission : float
        Detail of the reference that the estimate lacks.
    hallucination : float
        Detail of the estimate that the reference lacks.
    """

    improvement: float
    omission: float
    hallucination: float


def judge_detail(
    estimate: NDArray[np.floating],
    reference: NDArray[np.floating],
    interpolated: NDArray[np.floating],
) -> Detail:
    """Split the detail of an estimate and of its reference.

    Parameters
    ----------
    estimate, reference, interpolated : array, of one shape
        The last is the coarse image on the fine grid, without any detail of its own. Cells that any
        of the three lacks do not count.

    Returns
    -------
    Detail
        NaN where there is no detail at all.

    Raises
    ------
    NoValidPixelsError
        If no cell is in all three.
    """
    seen = np.isfinite(estimate) & np.isfinite(reference) & np.isfinite(interpolated)
    if not seen.any():
        raise NoValidPixelsError(
            "estimate, reference and interpolated image have no observed cell in common; "
            "compare them over a region that all cover"
        )
    base = interpolated[seen].astype(np.float64)
    made, wanted = estimate[seen] - base, reference[seen] - base
    shared = np.where(made * wanted > 0, np.minimum(np.abs(made), np.abs(wanted)), 0)
    sums = (
        shared.sum(),
        (np.abs(wanted) - shared).sum(),
        (np.abs(made) - shared).sum(),
    )
    whole = sum(sums)
    return Detail(*(float(part / whole) if whole > 0 else float("nan") for part in sums))
