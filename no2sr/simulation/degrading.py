"""Degrade a fine image to what a coarser sensor would have seen (Wald's protocol).

A coarse value is the area-weighted mean of the fine cells that it covers, as is a column in a
satellite pixel. With `psf`, the blur of the sensor beyond the pixel is applied first.

References
----------
L. Wald, T. Ranchin and M. Mangolini, "Fusion of satellite images of different spatial resolutions:
assessing the quality of resulting images", Photogramm. Eng. Remote Sens. 63 (1997) 691-699.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from no2sr.core.door import choose_variable
from no2sr.core.errors import SettingsError
from no2sr.core.grid import check_scale, coarsen, modcrop
from no2sr.core.image import add_history, check_image
from no2sr.core.layers import assemble_scene
from no2sr.core.times import keep_bounds

Grid = TypeVar("Grid", xr.Dataset, xr.DataArray)

__all__ = ["degrade"]

# The true mean of a block with gaps is unknown, so it cannot serve as a reference.
LEAST_VALID = 1.0


def degrade(scene: Grid, scale: int, *, psf: tuple[float, float] | None = None) -> Grid:
    """Average a column to a grid that is `scale` times coarser.

    Parameters
    ----------
    scene : Dataset or DataArray, (y, x) or (time, y, x)
        Trimmed to a multiple of the scale.
    scale : int
    psf : (float, float), optional
        The sensor's modulation transfer at the Nyquist frequency of the coarse grid along y and x,
        each in (0, 1). A Gaussian blur with these values is applied before the mean. For band 4 of
        TROPOMI it is (0.74, 0.44) along and across track.

    Returns
    -------
    Same type as `scene`
        Area-weighted block means of the column, without its companions. A block with a gap in it is
        a gap.

    Raises
    ------
    SettingsError
        If scale or psf is out of range.
    """
    image = modcrop(check_image(choose_variable(scene)), check_scale(scale))
    if psf is not None:
        image = image.copy(data=_blur(image.values, [_sigma(value, scale) for value in psf]))
    coarse = add_history(
        coarsen(image, scale, least_valid=LEAST_VALID), f"degrade scale={scale} psf={psf}"
    )
    if isinstance(scene, xr.DataArray):
        return coarse
    return keep_bounds(assemble_scene(coarse, {}), scene)


def _sigma(transfer: float, scale: int) -> float:
    """Return the width, in fine cells, of the Gaussian with this transfer at coarse Nyquist.

    exp(-2 (pi sigma f)^2) = transfer at f = 1 / (2 scale).
    """
    if not 0 < transfer < 1:
        raise SettingsError(f"psf holds {transfer}; give a transfer between 0 and 1")
    return scale * math.sqrt(-2 * math.log(transfer)) / math.pi


def _blur(values: np.ndarray, sigmas: list[float]) -> np.ndarray:
    """Blur the last two axes; gaps do not count, and stay gaps."""
    widths = [0.0] * (values.ndim - 2) + sigmas
    valid = np.isfinite(values)
    known = gaussian_filter(np.where(valid, values, 0).astype(np.float64), widths, mode="nearest")
    weight = gaussian_filter(valid.astype(np.float64), widths, mode="nearest")
    mean = np.divide(known, weight, out=np.full_like(known, np.nan), where=weight > 1e-6)
    return np.where(valid, mean, np.nan).astype(np.float32)
