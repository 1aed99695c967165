"""Extract the values of a map at points or over polygons, as a table."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pandas as pd

from no2sr.core.errors import No2srWarning, SettingsError
from no2sr.core.units import asked_unit, factor
from no2sr.evaluation.sampling import sample_points, warn_points
from no2sr.evaluation.surface import Surface
from no2sr.evaluation.zonal import average_polygons
from no2sr.readers.stations import read_points
from no2sr.readers.vector import read_polygons
from no2sr.writers.layers import enter_layer

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from geopandas import GeoDataFrame

    from no2sr.readers.stations import Points

__all__ = ["PREFIX", "extract"]

# Before all new columns, if the table has a column of one of their names already.
PREFIX = "map_"


def extract(
    scene: xr.DataArray | xr.Dataset,
    *,
    points: str | Path | pd.DataFrame | Points | None = None,
    polygons: str | Path | GeoDataFrame | None = None,
    unit: str | None = None,
) -> pd.DataFrame:
    """Extract the values of a map at points, or their means over polygons.

    Parameters
    ----------
    scene : DataArray or Dataset, (y, x) or (time, y, x)
        A map with its layers of uncertainty and resolution, as far as it has them.
    points : str, Path, DataFrame, GeoDataFrame or Points, optional
        Stations: a CSV or DataFrame with columns of longitude and latitude in degrees, or a vector
        file or GeoDataFrame of points. The value is that of the cell in which the point lies.
    polygons : str, Path or GeoDataFrame, optional
        Areas: a file that pyogrio reads, in any CRS. The value is the mean over the observed part
        of the area, each cell weighted by the area of it that lies inside.
    unit : str, optional
        Column unit of the results, such as ``"umol"``; by default that of the map.

    Returns
    -------
    DataFrame
        A row for each row of the table (and each time of the map), with the table's own columns
        first. New columns are ``time`` if the map has a time axis, ``value``, ``uncertainty`` (one
        standard deviation; of the mean, see `no2sr.evaluation.areal`), ``unit``,
        ``resolution_km`` and, for polygons, ``covered`` (share of the area that was observed,
        0..1) and ``size_km`` (square root of the area). They begin with ``map_`` if the table has
        a column of one of these names. Values are NaN where the map has none.

    Raises
    ------
    SettingsError
        If not exactly one of `points` and `polygons` is given, or no place lies on the map.
    ReadError, DimensionError, MissingCRSError
        If the places cannot be read; see `no2sr.readers.vector` and `no2sr.readers.stations`.
    ImageError
        If the scene holds no image.
    UnitsError
        If the values cannot be converted to `unit`.
    MissingDependencyError
        If geopandas or exactextract is needed and not installed.

    Warns
    -----
    No2srWarning
        If places lie outside the map, have no coordinates, overlap, repeat, or are smaller than
        what the map resolves.

    See Also
    --------
    no2sr.evaluation.agreement.compare_column : compare with a column of the table.

    Examples
    --------
    >>> import no2sr
    >>> from no2sr.core.grid import regular_grid
    >>> scene = regular_grid((77, 28, 77.2, 28.2), 0.1).assign_attrs(units="umol m-2")
    >>> scene.values[:] = [[10, 20], [30, 40]]
    >>> stations = pd.DataFrame({"site": ["007"], "lon": [77.13], "lat": [28.06]})
    >>> no2sr.extract(scene, points=stations)[["site", "value", "unit"]]
      site  value      unit
    0  007   40.0  umol m-2
    """
    if (points is None) == (polygons is None):
        raise SettingsError("give either points= or polygons=, and not both")
    by, shown = _choose_unit(str(enter_layer(scene).attrs["units"]), unit)
    surfaces = Surface.of_times(scene)
    if points is not None:
        given = read_points(points)
        warn_points(surfaces[0], given)
        table, found = given.table, [sample_points(surface, given) for surface in surfaces]
    else:
        shapes = read_polygons(polygons)
        table = pd.DataFrame(shapes.drop(columns=shapes.geometry.name))
        found = average_polygons(surfaces, shapes)
    parts = []
    for surface, new in zip(surfaces, found, strict=True):
        new[["value", "uncertainty"]] *= by
        new.insert(2, "unit", shown)
        if surface.time is not None:
            new.insert(0, "time", surface.time)
        parts.append(_join(table, new))
    return pd.concat(parts, ignore_index=True)


def _choose_unit(own: str, asked: str | None) -> tuple[float, str]:
    """Return the factor to the unit of the results, and its name."""
    if asked is None:
        return 1.0, own
    wanted = asked_unit(asked)
    return float(f"{factor(own, wanted):.12g}"), wanted


def _join(table: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Put the new columns behind those of the table."""
    taken = [name for name in new if name in set(table.columns)]
    if taken:
        warnings.warn(
            f"the table has a column {taken[0]!r} of its own; the new columns begin with {PREFIX}",
            No2srWarning,
            stacklevel=3,
        )
        new = new.add_prefix(PREFIX)
    return pd.concat([table.reset_index(drop=True), new], axis=1)
