"""Compare an estimate with a reference, both plain arrays. Cells missing in either do not count.

PSNR and SSIM are scikit-image's. Both depend on a data range, which is the range of the reference.
A peak and a plume are what users look for: how high the highest cell comes out, and how much of a
plume's mass is where it belongs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from no2sr.core.errors import NoValidPixelsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Metric = Callable[[NDArray[np.floating], NDArray[np.floating]], float]

__all__ = [
    "METRICS",
    "bias",
    "correlation",
    "mae",
    "mark_beside_gaps",
    "mse",
    "peak_error",
    "plume_mass_error",
    "psnr",
    "rmse",
    "ssim",
]

# Side of SSIM's window, scikit-image's default.
SSIM_WINDOW = 7
# The plumes of a scene are the cells of the reference above this percentile.
PLUME_PERCENTILE = 95


def _pairs(
    estimate: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cells that both hold, as float64 vectors."""
    both = np.isfinite(estimate) & np.isfinite(reference)
    if not both.any():
        raise NoValidPixelsError(
            "estimate and reference have no observed cell in common; "
            "compare them over a region that both cover"
        )
    return estimate[both].astype(np.float64), reference[both].astype(np.float64)


def mse(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the mean squared error, in the unit squared."""
    found, wanted = _pairs(estimate, reference)
    return float(np.mean((found - wanted) ** 2))


def rmse(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the root mean squared error, in the unit."""
    return float(np.sqrt(mse(estimate, reference)))


def mae(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the mean absolute error, in the unit."""
    found, wanted = _pairs(estimate, reference)
    return float(np.mean(np.abs(found - wanted)))


def bias(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the mean of estimate minus reference, in the unit."""
    found, wanted = _pairs(estimate, reference)
    return float(np.mean(found - wanted))


def correlation(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute Pearson's correlation; NaN where either is constant."""
    found, wanted = _pairs(estimate, reference)
    if np.ptp(found) == 0 or np.ptp(wanted) == 0:
        return float("nan")
    return float(np.corrcoef(found, wanted)[0, 1])


def psnr(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the peak signal-to-noise ratio in dB; the peak is the range of the reference."""
    found, wanted = _pairs(estimate, reference)
    if np.array_equal(found, wanted):
        return float("inf")
    return float(peak_signal_noise_ratio(wanted, found, data_range=float(np.ptp(wanted))))


def ssim(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the mean structural similarity over windows without gaps; NaN where there is none.

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


def peak_error(estimate: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the error at the highest cell of the reference, over its height above the median.

    Returns
    -------
    float
        -0.2 says that a fifth of the peak is missing there. NaN where the reference is flat.
    """
    found, wanted = _pairs(estimate, reference)
    place = int(np.argmax(wanted))
    height = wanted[place] - np.median(wanted)
    return float((found[place] - wanted[place]) / height) if height > 0 else float("nan")


def plume_mass_error(
    estimate: NDArray[np.floating],
    reference: NDArray[np.floating],
    areas: NDArray[np.floating],
) -> float:
    """Compute the relative error of the mass over the plumes of a scene.

    Parameters
    ----------
    estimate, reference : array, (y, x)
        The plumes are the cells above the 95th percentile of the reference, their mass is that
        above its median.
    areas : array, (y,)
        Relative area of the cells of each row.

    Returns
    -------
    float
        -0.2 says that a fifth of the mass is elsewhere. NaN where the reference is flat.
    """
    found, wanted = _pairs(estimate, reference)
    both = np.isfinite(estimate) & np.isfinite(reference)
    area = np.broadcast_to(np.asarray(areas, np.float64)[:, None], both.shape)[both]
    plume = wanted > np.percentile(wanted, PLUME_PERCENTILE)
    mass = float((area * (wanted - np.median(wanted)))[plume].sum())
    missing = float((area * (found - wanted))[plume].sum())
    return missing / mass if mass > 0 else float("nan")


def mark_beside_gaps(coarse: NDArray[np.floating], scale: int) -> NDArray[np.bool_]:
    """Tell which fine cells lie in an observed coarse cell that touches a gap, or its corner.

    Parameters
    ----------
    coarse : array, (y, x)
        NaN in gaps. Beyond the edges there is no gap.
    scale : int

    Returns
    -------
    array of bool, (scale * y, scale * x)
    """
    gaps = ~np.isfinite(coarse)
    rim = binary_dilation(gaps, np.ones((3, 3))) & ~gaps
    fine: NDArray[np.bool_] = rim.repeat(scale, axis=0).repeat(scale, axis=1)
    return fine


METRICS: dict[str, Metric] = {
    "rmse": rmse,
    "mae": mae,
    "bias": bias,
    "mse": mse,
    "psnr": psnr,
    "ssim": ssim,
    "correlation": correlation,
}
