"""The values of a map at points."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyproj import Transformer

from no2sr.core.errors import No2srWarning, SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.evaluation.surface import Surface
    from no2sr.readers.stations import Points

__all__ = ["sample_points", "warn_points"]

_WGS84 = "EPSG:4326"


def sample_points(surface: Surface, points: Points) -> pd.DataFrame:
    """Look up the cells in which points lie.

    Parameters
    ----------
    surface : Surface
    points : Points

    Returns
    -------
    DataFrame
        ``value``, ``uncertainty`` and ``resolution_km`` of each point, NaN where the map has none.
    """
    rows, columns, inside = _locate(surface, points)
    found = {"value": surface.values, "uncertainty": surface.total}
    table = pd.DataFrame(np.nan, index=range(len(inside)), columns=[*found, "resolution_km"])
    for name, layer in found.items():
        if layer is not None:
            table.loc[inside, name] = layer[rows, columns].astype(np.float64)
    table.loc[table["value"].isna(), "uncertainty"] = np.nan
    table.loc[inside, "resolution_km"] = surface.resolution_at(rows, columns)
    return table


def _locate(
    surface: Surface, points: Points
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Return rows and columns of the cells of the points that lie on the map, and which do."""
    place = Transformer.from_crs(_WGS84, surface.crs, always_xy=True)
    x, y = place.transform(points.longitudes, points.latitudes)
    west, south, east, north = surface.bounds
    if surface.crs.is_geographic:
        x = west + (x - west) % 360
    inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    rows = (y[inside] - north) / surface.transform.e
    columns = (x[inside] - west) / surface.transform.a
    shape = surface.values.shape
    at = (
        np.minimum(np.floor(places), size - 1)
        for places, size in zip((rows, columns), shape, strict=True)
    )
    row, column = (places.astype(np.intp) for places in at)
    return row, column, inside


def warn_points(surface: Surface, points: Points) -> None:
    """Warn of points that cannot be looked up, or that repeat.

    Raises
    ------
    SettingsError
        If no point lies on the map.

    Warns
    -----
    No2srWarning
    """
    *_, inside = _locate(surface, points)
    missing = np.isnan(points.longitudes) | np.isnan(points.latitudes)
    if not inside.any():
        raise SettingsError(
            "no point lies on the map, which covers {:.6g} to {:.6g} (x) and {:.6g} to {:.6g} (y) "
            "in its CRS; check the coordinates of the points".format(
                *np.take(surface.bounds, [0, 2, 1, 3])
            )
        )
    pairs = pd.DataFrame({"x": points.longitudes, "y": points.latitudes})[~missing]
    told = {
        "have no coordinates, and no value": int(missing.sum()),
        "lie outside the map, and have no value": int((~inside & ~missing).sum()),
        "repeat the coordinates of an earlier row; each row is kept": int(pairs.duplicated().sum()),
    }
    for text, number in told.items():
        if number:
            warnings.warn(f"{number} of {len(inside)} points {text}", No2srWarning, stacklevel=3)
