"""Rasters small enough to be stored in a page."""

from __future__ import annotations

import base64
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.grid import transform_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["FINE_CELLS", "embed"]

# 4 bytes per cell, 4 / 3 as base64; the coarse map and the uncertainty have a quarter as many cells
# each: 4.5 MB at most.
FINE_CELLS = 560_000


def embed(image: xr.DataArray, by: float, *, cells: int) -> dict[str, Any]:
    """Prepare an image for the script, averaged to at most `cells` cells.

    Parameters
    ----------
    image : DataArray, (y, x)
    by : float
        Factor to the unit shown.
    cells : int

    Returns
    -------
    dict
        ``rows``, ``columns``, ``west``, ``north``, ``dx``, ``dy`` (negative), ``block`` (cells of
        the image along one that is shown), and ``values``: base64 of little-endian float32, row by
        row from the north, NaN in gaps. Means are over the observed cells of a block.
    """
    block = math.ceil(math.sqrt(image.size / cells))
    values = (by * image.values).astype("<f4")
    if block > 1:
        values = _average(values, block)
    t = transform_of(image)
    return {
        "rows": values.shape[0],
        "columns": values.shape[1],
        "west": t.c,
        "north": t.f,
        "dx": t.a * block,
        "dy": t.e * block,
        "block": block,
        "values": base64.b64encode(values.tobytes()).decode(),
    }


def _average(values: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Average blocks; those at the southern and eastern edges may be partial."""
    ny, nx = values.shape
    padded = np.pad(values, [(0, -ny % block), (0, -nx % block)], constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // block, block, padded.shape[1] // block, block)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a block of gaps is a gap
        return np.asarray(np.nanmean(blocks, axis=(1, 3)), dtype="<f4")
