"""Classical ways to a finer grid: what a network has to beat.

Each maps a coarse image to a fine one and keeps its gaps. Those with a correction return the block
means of the input, as `downscale` does without noise; iterated back-projection returns them very
nearly. Those in `NOISE_AWARE` take known noise off the coarse image before bicubic interpolation,
and are bicubic interpolation where there is none.

References
----------
M. Irani and S. Peleg, "Improving resolution by image registration", CVGIP: Graph. Models Image
Process. 53 (1991) 231-239.

W. R. Tobler, "Smooth pycnophylactic interpolation for geographical regions", J. Am. Stat. Assoc. 74
(1979) 519-530.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from no2sr.core.grid import refine
from no2sr.downscaling.blocks import Canvas
from no2sr.downscaling.method import Estimate, WholeScene
from no2sr.downscaling.run import collect
from no2sr.downscaling.smoothing import krige, smooth
from no2sr.downscaling.tally import Tally
from no2sr.steps.conserve import block_mean, conserve
from no2sr.steps.gaps import fill_gaps, restore_gaps
from no2sr.steps.resample import upsample

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.downscaling.method import Block

    Interpolator = Callable[[NDArray[np.float32], Block, int], NDArray[np.float32]]
    Cleaner = Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.float32]]

__all__ = ["BASELINES", "NOISE_AWARE", "Baseline", "interpolate"]

# As far as the networks fill. A gap farther away has no observed neighbour.
FILL_RADIUS = 8
# Tobler's smoothing has settled to 0.1 % of its change by then at scale 4.
SMOOTHINGS = 100
# A checkerboard, the slowest to settle, keeps 0.6 of its misfit each time: 2e-5 in the end.
BACK_PROJECTIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(WholeScene):
    """A classical method. Some reach across the whole scene.

    Attributes
    ----------
    name : str
        A key of `BASELINES`.
    scale : int
    """

    name: str
    scale: int

    def __call__(self, block: Block) -> Estimate:
        """Enlarge a block; gaps stay exactly where they were."""
        coarse = block.values
        fine = BASELINES[self.name](fill_gaps(coarse, FILL_RADIUS), block, self.scale)
        whole = restore_gaps(fine, np.isfinite(coarse), scale=self.scale)
        return Estimate(np.asarray(whole, dtype=np.float32), None, Tally.of(coarse))


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
    fine = collect(Canvas.of(coarse, scale), Baseline(name=method, scale=scale)).values
    return refine(coarse, scale, fine.reshape(*coarse.shape[:-2], *fine.shape[1:]))


def _enlarge(
    filled: NDArray[np.float32], block: Block, scale: int, *, kernel: str
) -> NDArray[np.float32]:
    """Interpolate without any correction."""
    del block
    return upsample(filled, scale, method=kernel)


def _correct(
    filled: NDArray[np.float32], block: Block, scale: int, *, kernel: str
) -> NDArray[np.float32]:
    """Interpolate and correct each block by a constant."""
    return conserve(upsample(filled, scale, method=kernel), block.values, block.areas)


def _project_back(filled: NDArray[np.float32], block: Block, scale: int) -> NDArray[np.float32]:
    """Interpolate what the block means lack, add it, repeat."""
    fine = upsample(filled, scale)
    for _ in range(BACK_PROJECTIONS):
        fine = fine + upsample(filled - block_mean(fine, scale, block.areas), scale)
    return fine


def _keep_volume(filled: NDArray[np.float32], block: Block, scale: int) -> NDArray[np.float32]:
    """Smooth by the four neighbours, put the block means back, repeat."""
    fine = upsample(filled, scale, method="nearest")
    for _ in range(SMOOTHINGS):
        across = uniform_filter1d(fine, 3, axis=1, mode="nearest")
        down = uniform_filter1d(fine, 3, axis=0, mode="nearest")
        fine = conserve((across + down) / 2, filled, block.areas)
    return fine


def _clean_first(
    filled: NDArray[np.float32], block: Block, scale: int, *, clean: Cleaner
) -> NDArray[np.float32]:
    """Take known noise off the observed cells, fill gaps again, interpolate."""
    if block.noise is not None:
        filled = np.asarray(fill_gaps(clean(block.values, block.noise), FILL_RADIUS), np.float32)
    return upsample(filled, scale)


BASELINES: dict[str, Interpolator] = {
    "nearest": partial(_enlarge, kernel="nearest"),
    "bilinear": partial(_enlarge, kernel="bilinear"),
    "bicubic": partial(_enlarge, kernel="bicubic"),
    "lanczos": partial(_enlarge, kernel="lanczos"),
    "bicubic + correction": partial(_correct, kernel="bicubic"),
    "lanczos + correction": partial(_correct, kernel="lanczos"),
    "pycnophylactic": _keep_volume,
    "iterated back-projection": _project_back,
    "gaussian": partial(_clean_first, clean=smooth),
    "optimal interpolation": partial(_clean_first, clean=krige),
}
NOISE_AWARE = ("gaussian", "optimal interpolation")
