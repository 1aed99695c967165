"""Panels: images of one place side by side, with a colour bar for each colour scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.colours import GAP, RAMP, ramp
from no2sr.core.grid import bounds_of
from no2sr.core.image import crs_of
from no2sr.views.axes import transform_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

__all__ = [
    "Panels",
    "colour_map",
    "draw_groups",
    "draw_panel",
    "draw_panels",
    "draw_projected",
]

# Number of panels in a row, and their size in inches.
PANELS, PANEL = 4, 3.0


def colour_map(name: str = RAMP) -> Colormap:
    """Make a matplotlib colour map of a ramp of `no2sr.core.colours`."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(ramp(name) / 255, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """Images that share a colour scale.

    Attributes
    ----------
    images : mapping of str to array, (y, x)
        Images by title; each covers the same bounds at a resolution of its own.
    label : str
        Label of the colour bar.
    colours : dict
        ``cmap``, ``vmin`` and ``vmax`` of `matplotlib.axes.Axes.imshow`.
    """

    images: Mapping[str, NDArray[np.floating]]
    label: str
    colours: dict[str, Any]


def draw_panels(
    images: Mapping[str, NDArray[np.floating]],
    bounds: tuple[float, float, float, float],
    *,
    label: str,
    **colours: Any,
) -> Figure:
    """Draw images of one place as panels with one colour bar; gaps are grey.

    Parameters
    ----------
    images : mapping of str to array, (y, x)
        Images by title.
    bounds : (west, south, east, north)
    label : str
        Label of the colour bar.
    **colours
        As for `Panels`.

    Returns
    -------
    Figure
        Its first axes are the panels, in the order given.
    """
    return draw_groups([Panels(images=images, label=label, colours=colours)], bounds)


def draw_groups(groups: list[Panels], bounds: tuple[float, float, float, float]) -> Figure:
    """Draw images of one place as panels, with a colour bar for each group; gaps are grey.

    Parameters
    ----------
    groups : list of Panels
        Several groups have four panels at most, all in one row.
    bounds : (west, south, east, north)

    Returns
    -------
    Figure
        Its first axes are the panels, in the order given, and the last ones the colour bars.
    """
    from matplotlib.figure import Figure

    count = sum(len(group.images) for group in groups)
    across = min(PANELS, count)
    down = math.ceil(count / across)
    ny, nx = next(iter(groups[0].images.values())).shape
    figure = Figure(
        figsize=(PANEL * across + 1, PANEL * down * min(max(ny / nx, 0.5), 2) + 0.4 * down),
        layout="constrained",
    )
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    first = 0
    for group in groups:
        last = first + len(group.images)
        for axis, (title, values) in zip(axes.flat[first:last], group.images.items(), strict=True):
            draw_panel(axis, title, values, bounds=bounds, colours=group.colours)
        beside = axes if len(groups) == 1 else axes[:, first:last]
        figure.colorbar(
            axes.flat[first].images[0],
            ax=beside,
            label=group.label,
            extend="both",
            shrink=0.8,
            pad=0.01,
            aspect=30,
        )
        first = last
    return figure


def draw_panel(
    axis: Axes,
    title: str,
    values: NDArray[np.floating],
    *,
    bounds: tuple[float, float, float, float],
    colours: dict[str, Any],
) -> AxesImage:
    """Draw one image on axes; gaps are grey."""
    west, south, east, north = bounds
    ny, nx = values.shape
    axis.set_facecolor("#" + bytes(GAP).hex())
    axis.set_title(title, fontsize="medium")
    return axis.imshow(
        values,
        extent=(west, east, south, north),
        aspect=(east - west) / nx / ((north - south) / ny),
        interpolation="nearest",
        **colours,
    )


def draw_projected(
    axis: Axes,
    title: str,
    values: NDArray[np.floating],
    *,
    image: xr.DataArray,
    colours: dict[str, Any],
) -> QuadMesh:
    """Draw one image on axes of cartopy, each cell where it lies; gaps are grey.

    Parameters
    ----------
    axis : GeoAxes
    title : str
    values : array, (y, x)
    image : DataArray, (y, x)
        Says where the cells lie.
    colours : dict
        As for `Panels`.
    """
    west, south, east, north = bounds_of(image)
    ny, nx = values.shape
    axis.set_facecolor("#" + bytes(GAP).hex())
    axis.set_title(title, fontsize="medium")
    edges = np.linspace(west, east, nx + 1), np.linspace(north, south, ny + 1)
    cells = np.ma.masked_invalid(values)
    return axis.pcolormesh(*edges, cells, **colours, **transform_in(axis, crs_of(image)))
