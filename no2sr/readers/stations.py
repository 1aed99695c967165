"""Tables of points, such as stations: a CSV, or a vector file of points.

Pandas reads a CSV and keeps every column as the text that it is: ``007`` stays ``007``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from no2sr.core.errors import (
    DimensionError,
    FileUnreadableError,
    MissingVariableError,
    NoValidPixelsError,
)
from no2sr.readers.vector import check_file, check_kinds, name_of, read_shapes, shorten_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

__all__ = ["Points", "read_points"]

_TABLES = (".csv", ".tsv", ".txt")
_LONGITUDE, _LATITUDE = ("longitude", "lon", "long", "lng", "x"), ("latitude", "lat", "y")
_WGS84 = "EPSG:4326"
_EMPTY = ("", "nan", "na", "null", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A table of points.

    Attributes
    ----------
    table : DataFrame
        The columns of the source; those of a CSV are text.
    longitudes, latitudes : array, (rows,)
        Degrees on WGS 84, NaN where a row has none.
    """

    table: pd.DataFrame
    longitudes: NDArray[np.float64]
    latitudes: NDArray[np.float64]


def read_points(source: str | Path | pd.DataFrame | Points) -> Points:
    """Read a table of points.

    Parameters
    ----------
    source : str, Path, DataFrame, GeoDataFrame or Points
        A ``.csv`` (or ``.tsv``, ``.txt``) with columns of longitude and latitude in degrees under
        their usual names, a vector file of points, or such a table in memory; `Points` are
        returned as they are.

    Returns
    -------
    Points

    Raises
    ------
    FileUnreadableError
        If the file is missing or is not a table.
    MissingVariableError
        If there is no column of longitude or latitude.
    DimensionError
        If a coordinate is no number or out of range, or a vector file holds other shapes.
    NoValidPixelsError
        If there are no rows.
    """
    if isinstance(source, Points):
        return source
    table: Any = source
    if isinstance(source, str | Path):
        path = Path(source)
        table = _read_table(path) if path.suffix.lower() in _TABLES else read_shapes(path)
    if "geometry" in table and hasattr(table, "crs"):
        return _points_of(read_shapes(table), name_of(source))
    if table.empty:
        raise NoValidPixelsError(f"{name_of(source)} has no rows; check how it was made")
    names = [_find(table.columns, known) for known in (_LONGITUDE, _LATITUDE)]
    longitudes, latitudes = (
        _to_degrees(table[name], most) for name, most in zip(names, (360, 90), strict=True)
    )
    return Points(table=table, longitudes=longitudes, latitudes=latitudes)


def _points_of(shapes: GeoDataFrame, name: str) -> Points:
    """Take the coordinates of a vector file of points."""
    import shapely

    geometries = np.asarray(shapes.geometry.values)
    check_kinds(geometries, {"Point"}, f"{name} holds", other="polygons=")
    places = shapes.geometry.to_crs(_WGS84)
    there = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    found = np.full((2, len(shapes)), np.nan)
    found[:, there] = shapely.get_coordinates(places[there]).T
    table = pd.DataFrame(shapes.drop(columns=shapes.geometry.name))
    return Points(table=table, longitudes=found[0], latitudes=found[1])


def _read_table(path: Path) -> pd.DataFrame:
    """Read a CSV, every column as text."""
    check_file(path)
    try:
        with path.open(encoding="utf-8-sig") as stream:
            head = stream.readline()
        between = max(",;\t", key=head.count)
        return pd.read_csv(
            path, sep=between, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (ValueError, OSError) as error:
        raise FileUnreadableError(
            f"{path.name} cannot be read as a table ({shorten_error(error)}); give a CSV in UTF-8 "
            "whose first line names the columns"
        ) from error


def _find(columns: Iterable[Any], known: tuple[str, ...]) -> Any:
    """Find a column by its usual names."""
    by_name = {str(name).strip().lower(): name for name in columns}
    found = next((by_name[name] for name in known if name in by_name), None)
    if found is None:
        raise MissingVariableError(
            f"no column is called {' or '.join(known[:2])}; the columns are "
            f"{', '.join(map(str, columns))}: rename the one that is meant"
        )
    return found


def _to_degrees(column: pd.Series[Any], most: float) -> NDArray[np.float64]:
    """Convert a column to degrees, NaN where it is empty."""
    text = column.astype(str).str.strip()
    empty = column.isna() | text.str.lower().isin(_EMPTY)
    numbers = pd.to_numeric(text.where(~empty), errors="coerce").to_numpy(np.float64)
    bad = ~empty.to_numpy() & ~(np.isfinite(numbers) & (np.abs(numbers) <= most))
    if bad.any():
        row = int(np.argmax(bad))
        raise DimensionError(
            f"{column.name} of row {row + 1} is {text.iloc[row]!r}; give degrees from {-most:g} to "
            f"{most:g} with a decimal point, and check that the columns are not swapped"
        )
    return numbers
