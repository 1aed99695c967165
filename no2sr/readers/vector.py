"""Vector files: polygons, points and lines, read by geopandas and pyogrio (extra ``vector``)."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import (
    AmbiguousVariableError,
    DimensionError,
    FileUnreadableError,
    MissingCRSError,
    MissingDependencyError,
    NoValidPixelsError,
    RepairWarning,
    UnknownFormatError,
)
from no2sr.core.names import check_name

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

__all__ = [
    "check_file",
    "check_kinds",
    "check_vector",
    "name_of",
    "read_polygons",
    "read_shapes",
    "shorten_error",
]

# These only point at other files or at addresses, which no2sr does not follow.
_VIRTUAL = (b"<OGRVRTDataSource", b"<OGRWFSDataSource", b"<GDAL_WMS")
_HEAD = 4096  # bytes of a file in which such a mark stands
_AREAS = {"Polygon", "MultiPolygon"}


def check_vector() -> None:
    """Check that vector files can be read before any work is done.

    Raises
    ------
    MissingDependencyError
        If geopandas or exactextract is not installed.
    """
    missing = [name for name in ("geopandas", "exactextract") if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"{' and '.join(missing)}, needed for vector files, not installed; "
            "install with pip install 'no2sr[vector]'"
        )


def read_shapes(source: str | Path | GeoDataFrame) -> GeoDataFrame:
    """Read the shapes of a vector file, of any kind.

    Parameters
    ----------
    source : str, Path or GeoDataFrame
        A file that pyogrio reads: GeoJSON, GeoPackage, shapefile, FlatGeobuf, KML and others.

    Returns
    -------
    GeoDataFrame
        With its columns, a CRS, and geometries in two dimensions; None where a row has none.

    Raises
    ------
    FileUnreadableError, UnknownFormatError
        If the file is missing, damaged, no vector file, or only points at another file.
    AmbiguousVariableError
        If it has several layers with shapes.
    MissingCRSError
        If it states no CRS.
    NoValidPixelsError
        If it has no rows.
    MissingDependencyError
        If geopandas is not installed.
    """
    check_vector()
    import shapely
    from geopandas import GeoDataFrame

    name = name_of(source)
    found = source.copy() if isinstance(source, GeoDataFrame) else _read_file(Path(source))
    if found.empty:
        raise NoValidPixelsError(f"{name} has no rows; check how it was made")
    if found.crs is None:
        raise MissingCRSError(
            f"{name} states no CRS; set it, for example with ogr2ogr -a_srs EPSG:4326"
        )
    found.geometry = shapely.force_2d(found.geometry.values)
    return found


def read_polygons(source: str | Path | GeoDataFrame) -> GeoDataFrame:
    """Read polygons, and repair those that cross themselves.

    Parameters
    ----------
    source : str, Path or GeoDataFrame
        As for `read_shapes`.

    Returns
    -------
    GeoDataFrame
        Empty polygons where a row has none.

    Raises
    ------
    DimensionError
        If there are points or lines.
    ReadError, ImageError, MissingDependencyError
        As for `read_shapes`.

    Warns
    -----
    RepairWarning
        If polygons cross themselves.
    """
    import shapely

    found = read_shapes(source)
    shapes = np.array(found.geometry.values, dtype=object)
    shapes[shapely.is_missing(shapes)] = shapely.Polygon()
    check_kinds(shapes, _AREAS, f"{name_of(source)} holds", other="points=")
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes[broken] = shapely.make_valid(
            shapes[broken], method="structure", keep_collapsed=False
        )
        warnings.warn(
            f"{broken.sum()} of {broken.size} polygons cross themselves and were repaired; check "
            "their shapes",
            RepairWarning,
            stacklevel=2,
        )
    found.geometry = shapes
    return found


def _read_file(path: Path) -> GeoDataFrame:
    """Read the one layer with shapes of a vector file."""
    import geopandas
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    check_file(path)
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) == 1:
            return geopandas.read_file(path, layer=layers[0], engine="pyogrio")
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise UnknownFormatError(
            f"{path.name} cannot be read as a vector file ({shorten_error(error)}); give a "
            "GeoJSON, GeoPackage or shapefile"
        ) from error
    if layers:
        raise AmbiguousVariableError(
            f"{path.name} has the layers {', '.join(layers)}; save the one that is meant in a file "
            "of its own"
        )
    raise UnknownFormatError(f"{path.name} has no shapes; give a file with points or polygons")


def check_file(path: Path) -> None:
    """Refuse a missing file, and one that only points at others.

    Raises
    ------
    FileUnreadableError, UnknownFormatError
    """
    check_name(path, FileUnreadableError)
    if not path.exists():
        raise FileUnreadableError(f"{path} does not exist; check the path")
    if not (path.is_file() or path.is_dir()):
        raise FileUnreadableError(f"{path} is a pipe or device; give a file")
    if path.is_file():
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        if any(mark in head for mark in _VIRTUAL):
            raise UnknownFormatError(
                f"{path.name} points at another file or address; give the file with the shapes"
            )


def check_kinds(shapes: NDArray[Any], wanted: set[str], found: str, *, other: str) -> None:
    """Refuse shapes of another kind.

    Parameters
    ----------
    shapes : array of geometries
    wanted : set of str
        Types of geometries.
    found : str
        Beginning of the message.
    other : str
        Argument that takes other shapes.

    Raises
    ------
    DimensionError
    """
    kinds = {shape.geom_type for shape in shapes if shape is not None and not shape.is_empty}
    if kinds - wanted:
        raise DimensionError(
            f"{found} shapes of type {', '.join(sorted(kinds - wanted))} instead of "
            f"{max(wanted)}; give another file, or use {other}"
        )


def name_of(source: object) -> str:
    """Return the name of a source of shapes for a message."""
    return Path(source).name if isinstance(source, str | Path) else "the table"


def shorten_error(error: Exception) -> str:
    """Return the first line of an error of a library."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
