"""How far an estimate is from a reference, both plain arrays; cells that either lacks do not count.

PSNR and SSIM are scikit-image's. Both depend on a data range, which is the range of the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from no2sr.errors import NoValidPixelsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Metric = Callable[[NDArray[np.floating], NDArray[np.floating]], float]

__all__ = ["METRICS", "bias", "correlation", "mae", "mse", "psnr", "rmse", "ssim"]

# Side of SSIM's window, scikit-image's default.
SSIM_WINDOW = 7


def _pairs(
    estimate: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cells that both hold, as float64 vectors."""
    both = np.isfinite(estimate) & np.isfinite(reference)
    if not both.any():
        raise NoValidPixelsError(
            "estimate and reference have no observed cell in common; expected at least one; "
            "compare them over a region that both cover"
        )
    return estimate[both].astype(np.float64), reference[both].astype(np.float64)


def mse(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Mean squared error, in the unit squared."""
    found, wanted = _pairs(estimate, reference)
    return float(np.mean((found - wanted) ** 2))


def rmse(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Root mean squared error, in the unit."""
    return float(np.sqrt(mse(estimate, reference)))


def mae(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Mean absolute error, in the unit."""
    found, wanted = _pairs(estimate, reference)
    return float(np.mean(np.abs(found - wanted)))


def bias(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Mean of estimate minus reference, in the unit."""
    found, wanted = _pairs(estimate, reference)
    return float(np.mean(found - wanted))


def correlation(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Pearson's correlation; NaN where either is constant."""
    found, wanted = _pairs(estimate, reference)
    if np.ptp(found) == 0 or np.ptp(wanted) == 0:
        return float("nan")
    return float(np.corrcoef(found, wanted)[0, 1])


def psnr(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio in dB; the peak is the range of the reference."""
    found, wanted = _pairs(estimate, reference)
    if np.array_equal(found, wanted):
        return float("inf")
    return float(peak_signal_noise_ratio(wanted, found, data_range=float(np.ptp(wanted))))


def ssim(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Mean structural similarity over windows without any gap; NaN where there is none.

    Parameters
    ----------
    estimate, reference : array, (y, x)

    References
    ----------
    Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE
    Trans. Image Process. 13 (2004) 600-612.
    """
    _, wanted = _pairs(estimate, reference)
    both = np.isfinite(estimate) & np.isfinite(reference)
    spread = float(np.ptp(wanted))
    if min(both.shape) < SSIM_WINDOW or spread == 0:
        return float("nan")
    _, similarity = structural_similarity(
        np.where(both, reference, 0).astype(np.float64),
        np.where(both, estimate, 0).astype(np.float64),
        data_range=spread,
        full=True,
        win_size=SSIM_WINDOW,
    )
    half = SSIM_WINDOW // 2
    windows = np.lib.stride_tricks.sliding_window_view(both, (SSIM_WINDOW, SSIM_WINDOW))
    whole = windows.all(axis=(2, 3))
    return float(similarity[half:-half, half:-half][whole].mean()) if whole.any() else float("nan")


METRICS: dict[str, Metric] = {
    "rmse": rmse,
    "mae": mae,
    "bias": bias,
    "mse": mse,
    "psnr": psnr,
    "ssim": ssim,
    "correlation": correlation,
}
