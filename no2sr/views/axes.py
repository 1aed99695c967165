"""Axes of matplotlib and cartopy: which are maps, and how data in a CRS are put on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pyproj import CRS

__all__ = ["is_projected", "maps_of", "transform_in"]


def is_projected(axis: Axes) -> bool:
    """Tell whether axes are those of cartopy, which project what is drawn."""
    return hasattr(axis, "projection")


def maps_of(target: Axes | Figure) -> list[Axes]:
    """List the maps of a figure, without colour bars and insets; of axes, themselves."""
    from matplotlib.axes import Axes

    if isinstance(target, Axes):
        return [target]
    return [axis for axis in target.axes if axis.images]


def transform_in(axis: Axes, crs: CRS) -> dict[str, Any]:
    """Return the argument that tells the axes of cartopy in which CRS coordinates are.

    Returns
    -------
    dict
        Empty for other axes, whose coordinates are those of the map.
    """
    if not is_projected(axis):
        return {}
    import cartopy.crs

    return {
        "transform": cartopy.crs.PlateCarree()
        if crs.is_geographic
        else cartopy.crs.Projection(crs.to_wkt())
    }
