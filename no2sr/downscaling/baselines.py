"""Classical ways to a finer grid: what a network has to beat.

Each maps a coarse image to a fine one, gaps kept. Those with a correction return the block means
of the input, as `downscale` does; so does, very nearly, iterated back-projection.

References
----------
M. Irani and S. Peleg, "Improving resolution by image registration", CVGIP: Graph. Models Image
Process. 53 (1991) 231-239.

W. R. Tobler, "Smooth pycnophylactic interpolation for geographical regions", J. Am. Stat. Assoc. 74
(1979) 519-530.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from no2sr.core.grid import cell_areas, refine
from no2sr.steps.conserve import block_mean, conserve
from no2sr.steps.gaps import fill_gaps, restore_gaps
from no2sr.steps.resample import upsample

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    Interpolator = Callable[
        [NDArray[np.float32], NDArray[np.floating], NDArray[np.float64], int], NDArray[np.float32]
    ]

__all__ = ["BASELINES", "enlarge", "interpolate"]

# As far as the networks fill: beyond it a gap is no neighbour of any observed cell.
FILL_RADIUS = 8
# Tobler's smoothing has settled to 0.1 % of its change by then at scale 4.
SMOOTHINGS = 100
# A checkerboard, the slowest to settle, keeps 0.6 of its misfit each time: 2e-5 in the end.
BACK_PROJECTIONS = 20


def interpolate(coarse: xr.DataArray, scale: int, *, method: str = "bicubic") -> xr.DataArray:
    """Enlarge an image by a classical method.

    Parameters
    ----------
    coarse : DataArray, (y, x) or (time, y, x)
    scale : int
    method : str
        A key of `BASELINES`.

    Returns
    -------
    DataArray, (..., scale * y, scale * x)
        Gaps exactly where they were.
    """
    areas = cell_areas(coarse, refined=scale)
    layers = coarse.values.reshape(-1, *coarse.shape[-2:])
    fine = np.stack([enlarge(layer, areas, scale, method=method) for layer in layers])
    return refine(coarse, scale, fine.reshape(*coarse.shape[:-2], *fine.shape[1:]))


def enlarge(
    coarse: NDArray[np.float32], areas: NDArray[np.float64], scale: int, *, method: str
) -> NDArray[np.float32]:
    """Enlarge an array by a classical method.

    Parameters
    ----------
    coarse : array, (y, x)
        NaN in gaps.
    areas : array, (scale * y,)
        Relative area of the cells of each fine row.
    scale : int
    method : str
        A key of `BASELINES`.

    Returns
    -------
    array, (scale * y, scale * x)
        Gaps exactly where they were.
    """
    fine = BASELINES[method](fill_gaps(coarse, FILL_RADIUS), coarse, areas, scale)
    return restore_gaps(fine, np.isfinite(coarse), scale=scale)


def _plain(
    filled: NDArray[np.float32],
    coarse: NDArray[np.floating],
    areas: NDArray[np.float64],
    scale: int,
    *,
    kernel: str,
) -> NDArray[np.float32]:
    """Interpolate and leave it at that."""
    del coarse, areas
    return upsample(filled, scale, method=kernel)


def _corrected(
    filled: NDArray[np.float32],
    coarse: NDArray[np.floating],
    areas: NDArray[np.float64],
    scale: int,
    *,
    kernel: str,
) -> NDArray[np.float32]:
    """Interpolate and correct each block by a constant."""
    return conserve(upsample(filled, scale, method=kernel), coarse, areas)


def _back_projected(
    filled: NDArray[np.float32],
    coarse: NDArray[np.floating],
    areas: NDArray[np.float64],
    scale: int,
) -> NDArray[np.float32]:
    """Interpolate what the block means lack, add it, repeat."""
    del coarse
    fine = upsample(filled, scale)
    for _ in range(BACK_PROJECTIONS):
        fine = fine + upsample(filled - block_mean(fine, scale, areas), scale)
    return fine


def _pycnophylactic(
    filled: NDArray[np.float32],
    coarse: NDArray[np.floating],
    areas: NDArray[np.float64],
    scale: int,
) -> NDArray[np.float32]:
    """Smooth by the four neighbours, put the block means back, repeat."""
    del coarse
    fine = upsample(filled, scale, method="nearest")
    for _ in range(SMOOTHINGS):
        across = uniform_filter1d(fine, 3, axis=1, mode="nearest")
        down = uniform_filter1d(fine, 3, axis=0, mode="nearest")
        fine = conserve((across + down) / 2, filled, areas)
    return fine


BASELINES: dict[str, Interpolator] = {
    "nearest": partial(_plain, kernel="nearest"),
    "bilinear": partial(_plain, kernel="bilinear"),
    "bicubic": partial(_plain, kernel="bicubic"),
    "lanczos": partial(_plain, kernel="lanczos"),
    "bicubic + correction": partial(_corrected, kernel="bicubic"),
    "lanczos + correction": partial(_corrected, kernel="lanczos"),
    "pycnophylactic": _pycnophylactic,
    "iterated back-projection": _back_projected,
}
