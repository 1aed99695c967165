"""Average blocks of an oversampled image, and record it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from no2sr.core.grid import coarsen, modcrop
from no2sr.core.provenance import COARSENED, coarsening_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["average_blocks"]

LEAST_VALID = 0.5  # share of a block that must be observed


def average_blocks(image: xr.DataArray, side: int) -> xr.DataArray:
    """Average square blocks of cells from the north-west corner on, and record it.

    Parameters
    ----------
    image : DataArray, (..., y, x)
    side : int
        Cells along a block.

    Returns
    -------
    DataArray, (..., y // side, x // side)
        A block of which less than half was observed is a gap. The attribute ``no2sr_coarsened``
        counts the cells of the file along a block, also those of an average before this one.

    Raises
    ------
    TooSmallError
        If the image is smaller than a block.
    """
    coarse = coarsen(modcrop(image, side), side, least_valid=LEAST_VALID)
    return coarse.assign_attrs({COARSENED: side * coarsening_of(image.attrs)})
