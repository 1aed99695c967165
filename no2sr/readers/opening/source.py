"""One file as its reader returned it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

__all__ = ["RESOLUTION", "Source", "is_swath"]

RESOLUTION = 0.05  # degrees: cells for swaths; the pixels of TROPOMI are 3.5 to 15 km wide


class Source(NamedTuple):
    """One file as its reader returned it."""

    path: Path
    reader: str
    dataset: xr.Dataset
    variable: str | None = None  # if the caller named it, or an output of this package states it


def is_swath(dataset: xr.Dataset) -> bool:
    """Tell whether a dataset is a swath and not a grid."""
    return {"scanline", "ground_pixel"} <= set(dataset.dims)
