"""The means of a map over polygons; exactextract finds the share of each cell that lies inside."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from no2sr.core.errors import No2srWarning, SettingsError
from no2sr.evaluation.areal import mean_over, uncertainty_of_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geopandas import GeoDataFrame, GeoSeries
    from numpy.typing import NDArray

    from no2sr.evaluation.surface import Surface

__all__ = ["average_polygons"]

EQUAL_AREA = "EPSG:6933"  # its areas are those of the ellipsoid
PIECES = 64  # into which the extent of a polygon is cut before it is put into another CRS
OVERLAP = 0.01  # share of the smaller of two polygons from which on they are said to overlap
# Exactextract 0.3 misjudges cells whose very corners an edge passes through, which polygons with
# round coordinates do. The grid is therefore moved by less than it resolves, in cells.
MOVED = (0.7e-7, 1e-7)
LEAST = 1e-6  # share of a cell: exactextract computes in single precision
NAMED = 3  # rows that a warning names


class Zone(NamedTuple):
    """The cells of one polygon: a window of the map, and the share of each cell inside."""

    window: tuple[slice, slice]
    share: NDArray[np.float64]


def average_polygons(surfaces: Sequence[Surface], shapes: GeoDataFrame) -> list[pd.DataFrame]:
    """Average a map over polygons.

    Parameters
    ----------
    surfaces : sequence of Surface
        The times of one map, on one grid.
    shapes : GeoDataFrame
        Valid polygons in any CRS; they may be empty.

    Returns
    -------
    list of DataFrame
        For each time ``value``, ``uncertainty``, ``covered``, ``resolution_km`` and ``size_km`` of
        each polygon. Values are NaN where the map has none.

    Raises
    ------
    SettingsError
        If no polygon lies on the map.

    Warns
    -----
    No2srWarning
        If polygons are empty, lie outside the map, overlap, or are smaller than what it resolves.
    """
    first = surfaces[0]
    placed = _reproject(shapes, first)
    zones = _find_zones(placed, first)
    sizes = np.sqrt(shapes.geometry.to_crs(EQUAL_AREA).area.to_numpy()) / 1000
    inside = _share_on_map(placed, first)
    _warn_outside(placed, inside)
    _warn_overlaps(shapes)
    tables = []
    for surface in surfaces:
        rows = [
            _average(surface, zone, on_map=share) for zone, share in zip(zones, inside, strict=True)
        ]
        table = pd.DataFrame(rows, columns=["value", "uncertainty", "covered", "resolution_km"])
        tables.append(table.assign(size_km=sizes))
    _warn_small(tables[0])
    return tables


def _reproject(shapes: GeoDataFrame, surface: Surface) -> GeoSeries:
    """Put polygons into the CRS of the map; long edges stay where they were."""
    import shapely

    if shapes.crs == surface.crs:
        return shapes.geometry
    extent = shapes.geometry.bounds
    longest = np.maximum(extent.maxx - extent.minx, extent.maxy - extent.miny).to_numpy()
    step = np.where(np.isfinite(longest) & (longest > 0), longest / PIECES, 1.0)
    dense = shapes.geometry.copy()
    dense[:] = shapely.segmentize(np.asarray(shapes.geometry.values), step)
    return dense.to_crs(surface.crs)


def _find_zones(placed: GeoSeries, surface: Surface) -> list[Zone | None]:
    """Find the cells of each polygon; None if it has none."""
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource
    from geopandas import GeoDataFrame

    shape, wkt = surface.values.shape, placed.crs.to_wkt()
    west, south, east, north = surface.bounds
    up, right = -MOVED[0] * surface.transform.e, MOVED[1] * surface.transform.a
    grid = NumPyRasterSource(
        np.zeros(shape, np.uint8),
        xmin=west + right,
        ymin=south + up,
        xmax=east + right,
        ymax=north + up,
        srs_wkt=wkt,
    )
    there = ~placed.is_empty.to_numpy()  # exactextract does not take empty polygons
    bare = GeoDataFrame(geometry=placed.to_numpy()[there], crs=placed.crs)
    found = exact_extract(grid, bare, ["cell_id", "coverage"], output="pandas")
    zones: list[Zone | None] = [None] * len(placed)
    pairs = zip(np.flatnonzero(there), found["cell_id"], found["coverage"], strict=True)
    for row, cells, share in pairs:
        zones[row] = _make_zone(cells, share, shape, surface.parts.block)
    return zones


def _make_zone(
    cells: NDArray[np.int64], share: NDArray[np.float64], shape: tuple[int, int], block: int
) -> Zone | None:
    """Put the cells of a polygon into a window that begins at the corner of a block."""
    keep = share > LEAST
    if not keep.any():
        return None
    rows, columns = np.unravel_index(cells[keep].astype(np.int64), shape)
    first = [int(places.min()) // block * block for places in (rows, columns)]
    last = [
        min(-(-(int(places.max()) + 1) // block) * block, size)
        for places, size in zip((rows, columns), shape, strict=True)
    ]
    held = np.zeros((last[0] - first[0], last[1] - first[1]))
    held[rows - first[0], columns - first[1]] = share[keep]
    return Zone((slice(first[0], last[0]), slice(first[1], last[1])), held)


def _average(surface: Surface, zone: Zone | None, *, on_map: float) -> tuple[float, ...]:
    """Compute mean, uncertainty, share covered and resolution of one polygon."""
    if zone is None:
        return np.nan, np.nan, 0.0, np.nan
    values = surface.values[zone.window]
    areas = np.broadcast_to(surface.areas[zone.window[0], None], values.shape)
    weights = zone.share * areas
    seen = np.isfinite(values)
    held = np.where(seen, weights, 0.0)
    covered = float(on_map * held.sum() / weights.sum())
    parts = surface.parts.cut(zone.window)
    sigma = uncertainty_of_mean(held, np.where(seen, areas, 0.0), parts)
    resolution = surface.resolution
    if np.ndim(resolution):
        resolution = mean_over(resolution[zone.window], weights)
    return mean_over(values, weights), sigma, covered, float(resolution)


def _share_on_map(placed: GeoSeries, surface: Surface) -> NDArray[np.float64]:
    """Return the share of each polygon that lies within the bounds of the map."""
    import shapely

    geometries = np.asarray(placed.values)
    area = shapely.area(geometries)
    within = shapely.area(shapely.intersection(geometries, shapely.box(*surface.bounds)))
    return np.divide(within, area, out=np.zeros_like(area), where=area > 0)


def _warn_outside(placed: GeoSeries, inside: NDArray[np.float64]) -> None:
    empty = placed.is_empty.to_numpy()
    outside = (inside == 0) & ~empty
    if not (inside > 0).any():
        raise SettingsError(
            "no polygon lies on the map; check that both show the same region, and the CRS of "
            "the polygons"
        )
    _warn(empty, "polygons are empty, and have no value")
    _warn(outside, "polygons lie outside the map, and have no value")
    _warn((inside > 0) & (inside < 1 - 1e-6), "polygons lie partly outside the map; see covered")


def _warn_overlaps(shapes: GeoDataFrame) -> None:
    import shapely

    geometries = np.asarray(shapes.geometry.values)
    one, other = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    one, other = one[one < other], other[one < other]
    shared = shapely.area(shapely.intersection(geometries[one], geometries[other]))
    least = np.minimum(shapely.area(geometries[one]), shapely.area(geometries[other]))
    both = shared > OVERLAP * least
    which = np.isin(np.arange(len(geometries)), [*one[both], *other[both]])
    _warn(which, "polygons overlap others; a cell in both counts in both")


def _warn_small(table: pd.DataFrame) -> None:
    small = (table["size_km"] < table["resolution_km"]).to_numpy()
    if small.any():
        size = table.loc[small, "size_km"].min()
        resolved = table.loc[small, "resolution_km"].max()
        _warn(
            small,
            f"polygons are smaller than what the map resolves (down to {size:.2g} km, and the map "
            f"resolves {resolved:.2g} km): their means are mostly those of their surroundings",
        )


def _warn(which: NDArray[np.bool_], text: str) -> None:
    if which.any():
        rows = [str(row + 1) for row in np.flatnonzero(which)]
        names = ", ".join(rows[:NAMED]) + (", ..." if len(rows) > NAMED else "")
        warnings.warn(
            f"{len(rows)} of {len(which)} {text} (row {names})", No2srWarning, stacklevel=4
        )
