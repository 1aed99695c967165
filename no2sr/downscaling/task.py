"""The record of a scene and the method that makes it finer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.downscaling.blocks import Canvas
    from no2sr.downscaling.history import Aligned
    from no2sr.downscaling.method import Method
    from no2sr.downscaling.settings import Refining

__all__ = ["Task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A scene and the method that is going to make it finer.

    Attributes
    ----------
    image : DataArray, (y, x) or (time, y, x)
        The strict image of the column.
    canvas : Canvas
    method : Method
    refining : Refining
    source : Dataset or DataArray
        What the image was made from.
    earlier : int
        Scale by which the scene had been refined before.
    place : Aligned, optional
        The history of the place.
    """

    image: xr.DataArray
    canvas: Canvas
    method: Method
    refining: Refining
    source: xr.Dataset | xr.DataArray
    earlier: int = 1
    place: Aligned | None = None
