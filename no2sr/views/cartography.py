"""What makes a panel a map: true shape, a graticule, a scale bar, and an inset."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.earth import KM_PER_DEGREE
from no2sr.core.grid import bounds_of
from no2sr.core.image import crs_of, is_geographic

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["add_insets", "add_scale_bar", "degree_text", "finish_map", "finish_maps"]

# Share of the map that the inset shows; size of the inset and distance from the corner, both as
# shares of the panel.
ZOOM, INSET, MARGIN = 1 / 6, 0.36, 0.02
# Of a panel, in inches: its usual and its least width; and its least and greatest height, as shares
# of the usual width.
WIDTH, NARROWEST, FLATTEST, TALLEST = 5.2, 2.2, 0.4, 1.6
# Inches that a label takes along x and y, and a letter of a title.
ROOM, LETTER = (0.75, 0.4), 0.09
MOST_TICKS, STEPS = 7, (1, 2, 2.5, 5, 10)


def finish_maps(figure: Figure, image: xr.DataArray) -> None:
    """Give the panels of a figure their true shape, a graticule and a scale bar.

    Parameters
    ----------
    figure : Figure
        As `no2sr.views.panels.draw_groups` returns it.
    image : DataArray, (y, x)
        Any image with the bounds of the panels.
    """
    west, south, east, north = bounds_of(image)
    panels = [axis for axis in figure.axes if axis.images]
    ratio = (north - south) / (east - west) / _shrink_of(image)
    height = WIDTH * min(max(ratio, FLATTEST), TALLEST)
    width = max(min(WIDTH, height / ratio), NARROWEST)
    figure.set_size_inches((width + 0.4) * len(panels) + 1, height + 0.9)
    for axis in panels:
        finish_map(axis, image, size=(width, height))
    add_scale_bar(panels[-1], image)


def finish_map(axis: Axes, image: xr.DataArray, *, size: tuple[float, float]) -> None:
    """Give axes their true shape, a graticule and labels that do not collide.

    Parameters
    ----------
    axis : Axes
    image : DataArray, (y, x)
        Any image with the bounds of the axes.
    size : (width, height)
        Of the axes, in inches.
    """
    from matplotlib.ticker import MaxNLocator

    axis.set_aspect(1 / _shrink_of(image))
    axis.grid(visible=True, color="0.5", linewidth=0.4, alpha=0.6)
    for side, inches, room in zip((axis.xaxis, axis.yaxis), size, ROOM, strict=True):
        side.set_major_locator(
            MaxNLocator(max(2, min(int(inches / room), MOST_TICKS)), steps=STEPS)
        )
    _label_axes(axis, image)
    if axis.get_title():
        letters = max(int(size[0] / LETTER), 12)
        lines = (fill(line, letters) for line in axis.get_title().splitlines())
        axis.set_title("\n".join(lines), fontsize="medium")


def _shrink_of(image: xr.DataArray) -> float:
    """Return the length of a degree of longitude in degrees of latitude; 1 in a projection."""
    _, south, _, north = bounds_of(image)
    middle = math.radians((south + north) / 2)
    return max(math.cos(middle), 0.1) if is_geographic(image) else 1.0


def _label_axes(axis: Axes, image: xr.DataArray) -> None:
    """Format the ticks: degrees with their hemisphere, or coordinates of the projection."""
    if is_geographic(image):
        axis.xaxis.set_major_formatter(lambda value, _: degree_text(value, "EW"))
        axis.yaxis.set_major_formatter(lambda value, _: degree_text(value, "NS"))
        return
    metres = image["x"].attrs["units"] == "m"
    by, unit = (1e-3, "km") if metres else (1.0, image["x"].attrs["units"])
    axis.set_xlabel(f"easting / {unit}")
    axis.set_ylabel(f"northing / {unit}")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(lambda value, _: f"{by * value:.10g}")


def degree_text(value: float, letters: str) -> str:
    """Format a longitude or latitude with its hemisphere.

    Parameters
    ----------
    value : float
        Degrees; longitudes beyond the antimeridian are brought back into -180..180.
    letters : {"EW", "NS"}
        Letters for positive and negative values.
    """
    if letters == "EW" and abs(value) > 180:
        value = (value + 180) % 360 - 180
    letter = "" if value == 0 else letters[0] if value > 0 else letters[1]
    return f"{abs(value):.7g}°{letter}"


def _km_per_unit(image: xr.DataArray) -> float:
    """Compute the length of one unit of x in the middle of the map."""
    if is_geographic(image):
        return KM_PER_DEGREE * _shrink_of(image)
    axes = crs_of(image).axis_info
    return float(axes[0].unit_conversion_factor) / 1000 if axes else 1e-3


def add_scale_bar(axis: Axes, image: xr.DataArray) -> None:
    """Draw a bar of a round length, at most a quarter of the map, at the lower left."""
    west, _, east, _ = bounds_of(image)
    width = (east - west) * _km_per_unit(image)
    power = 10.0 ** math.floor(math.log10(width / 4))
    length = max(size * power for size in (1, 2, 5) if size * power <= width / 4)
    left, right = 0.04, 0.04 + length / width
    axis.plot([left, right], [0.04, 0.04], "k", linewidth=3, transform=axis.transAxes)
    axis.text(
        left,
        0.06,
        f"{length:g} km",
        horizontalalignment="left",
        verticalalignment="bottom",
        transform=axis.transAxes,
        fontsize="small",
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5},
    )


def add_insets(panels: Sequence[Axes], before: xr.DataArray) -> None:
    """Enlarge the surroundings of the highest coarse column in a corner away from it.

    Parameters
    ----------
    panels : sequence of Axes
        Panels that `no2sr.views.panels.draw_groups` drew. The lower left corner is left to the
        scale bar.
    before : DataArray, (y, x)
        Coarse image.
    """
    rows, columns = before.shape
    top, left = np.unravel_index(np.nanargmax(before.values), before.shape)
    x, y = float(before["x"][left]), float(before["y"][top])
    west, south, east, north = bounds_of(before)
    half = [max((east - west) * ZOOM, 4 * (east - west) / columns) / 2]
    half.append(max((north - south) * ZOOM, 4 * (north - south) / rows) / 2)
    x = min(max(x, west + half[0]), east - half[0])
    y = min(max(y, south + half[1]), north - half[1])
    far = 1 - MARGIN - INSET
    to_the_right, above = x < (west + east) / 2, y < (south + north) / 2
    corner = (far if to_the_right else MARGIN, MARGIN if to_the_right and not above else far)
    for axis in panels:
        drawn = axis.images[0]
        inset = axis.inset_axes(
            (*corner, INSET, INSET),
            xlim=(x - half[0], x + half[0]),
            ylim=(y - half[1], y + half[1]),
            xticks=[],
            yticks=[],
        )
        inset.set_facecolor(axis.get_facecolor())
        inset.imshow(
            np.ma.filled(np.ma.asarray(drawn.get_array()), np.nan),
            extent=drawn.get_extent(),
            aspect=axis.get_aspect(),
            interpolation="nearest",
            cmap=drawn.get_cmap(),
            clim=drawn.get_clim(),
        )
        axis.indicate_inset_zoom(inset, edgecolor="black")
