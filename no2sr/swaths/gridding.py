"""Swaths: exact area-weighted gridding of satellite pixels.

A pixel is a quadrilateral with straight edges in degrees of longitude and latitude. A cell of the
grid receives the mean of the pixels that overlap it, weighted by the areas of overlap, which
`no2sr.swaths.overlap` computes exactly. Pixels whose file gives no corners get them from
`no2sr.swaths.corners`.

Limits: a pixel that holds a pole has no such quadrilateral and is left out. Planar degrees shift
the weights inside a cell by less than 0.1 % at 0.05 degree; the ``bin_spatial`` of the HARP
toolbox makes the same choice.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import (
    DimensionError,
    MissingVariableError,
    NoValidPixelsError,
    SettingsError,
    UnitsError,
)
from no2sr.core.image import with_history
from no2sr.core.units import CANONICAL, canonical_unit
from no2sr.swaths.corners import corners_from_centres
from no2sr.swaths.overlap import Frame, Pixels, Sums, accumulate, extent
from no2sr.swaths.sums import means, no_sums, widened

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.core.earth import Box

__all__ = ["corners_from_centres", "grid_swaths"]

# Degrees: other grids of a swath are slips of the pen. A metre is what float32 coordinates resolve.
NARROWEST_CELL, WIDEST_CELL = 1e-5, 10.0
_NUMBERS = (int, float, np.integer, np.floating)
CENTRES = {"latitude", "longitude"}
CORNERS = {"latitude_bounds", "longitude_bounds"}

logger = logging.getLogger("no2sr")


def grid_swaths(
    swaths: Iterable[xr.Dataset],
    *,
    bounds: Box | None = None,
    resolution: float = 0.05,
    lazy: bool = False,
) -> xr.Dataset:
    """Put the pixels of one or more swaths on one longitude/latitude grid.

    Parameters
    ----------
    swaths : iterable of Dataset, (scanline, ground_pixel)
        Each with ``column`` (mol m-2, NaN where missing), optionally ``precision`` (one standard
        deviation, mol m-2), and ``latitude_bounds``, ``longitude_bounds`` (..., corner=4) in
        degrees, or else ``latitude``, ``longitude``, from which `corners_from_centres` makes them.
        They are taken one at a time: memory does not grow with their number.
    bounds : (west, south, east, north), optional
        In degrees, widened to multiples of the resolution. A region across the antimeridian runs
        on, as in 170..190. By default the valid pixels decide; longitudes become -180..180 where
        the pixels of a swath leave no whole degree free.
    resolution : float
        Cell size in degrees.
    lazy : bool
        Whether to leave the means uncomputed, as dask arrays: a globe then needs memory for the
        cells only that were met.

    Returns
    -------
    Dataset, (y, x)
        ``column``, an image: ``sum(a * column) / sum(a)`` over the pixels that overlap a cell by
        the share a of its area.

        ``coverage``: ``sum(a)``, at most 1. The pixels of one swath do not overlap, so it is the
        share of the cell that was seen; over several swaths it is an upper bound of that share.

        ``count``: the pixels with an a of at least 1e-6. A cell without one is a gap.

        ``precision`` and ``precision_independent``, if the first swath has precisions s: the error
        of the mean for fully correlated errors, ``sum(a * s) / sum(a)``, and for independent ones,
        ``sqrt(sum(a**2 * s**2)) / sum(a)``; the truth lies between. NaN also where any pixel of
        the cell lacks its precision.

    Raises
    ------
    NoValidPixelsError
        If no pixel with a value falls on the grid.
    MissingVariableError, DimensionError, UnitsError
        If a swath is not as described above.
    SettingsError
        If the bounds are not a box of at most 360 degrees, or the resolution is not within 1e-5..10
        degrees.

    Notes
    -----
    Over all cells, ``a * column`` adds up to area times column of each pixel: nothing is lost or
    made. Negative columns count like all others. Left out are pixels without four finite corners
    and those wider than 90 degrees of longitude, which hold a pole.
    """
    if not (isinstance(resolution, _NUMBERS) and NARROWEST_CELL <= resolution <= WIDEST_CELL):
        raise SettingsError(
            f"resolution is {resolution!r:.40}, expected degrees from {NARROWEST_CELL:g} to "
            f"{WIDEST_CELL:g}; the pixels of satellites are some hundredths of a degree wide"
        )
    resolution = float(resolution)  # of numpy, float32 would put the cells elsewhere
    sources: list[str] = []
    dataset = means(_sum_up(swaths, bounds, resolution, sources))
    step = f"gridded {len(sources)} swath(s) at {resolution:g} degree by area of overlap"
    dataset["column"] = with_history(dataset["column"], step)
    if any(sources):
        dataset["column"].attrs["source"] = "; ".join(dict.fromkeys(filter(None, sources)))
    return dataset if lazy else dataset.compute()


def _sum_up(
    swaths: Iterable[xr.Dataset], bounds: Box | None, resolution: float, sources: list[str]
) -> Sums:
    """Add up all swaths, noting the source of each."""
    sums: Sums | None = None
    for swath in swaths:
        sources.append(swath.attrs.get("source", ""))
        sums = _added(sums, _pixels_of(swath), bounds, resolution)
        del swath  # or it would still be there while the next one is read
    if sums is None or not sums.number.any():
        raise NoValidPixelsError(
            f"of {len(sources)} swath(s), no pixel has a value and four corners"
            f"{'' if bounds is None else f' within {bounds}'}; expected at least one; "
            "lower the quality threshold or choose another region"
        )
    return sums


def _added(sums: Sums | None, pixels: Pixels, bounds: Box | None, resolution: float) -> Sums | None:
    """Return the sums with those of one more swath, or None as long as there is no grid."""
    box = _envelope(pixels, resolution) if bounds is None else bounds
    if box is None:
        return sums
    if sums is None:
        sums = no_sums(box, resolution, with_error=pixels.precision.size > 0)
    elif bounds is None:
        sums = widened(sums, box)
    accumulate(pixels, sums)
    return sums


def _pixels_of(swath: xr.Dataset) -> Pixels:
    """Take the arrays out of a swath, all of one float type, and check their shapes."""
    found = set(swath.variables)
    if "column" not in found or not (found >= CORNERS or found >= CENTRES):
        raise MissingVariableError(
            f"the swath has {sorted(map(str, found))}, expected column and latitude and longitude "
            "or the bounds of both; rename its variables, or open it with a swath reader"
        )
    column = swath["column"]
    units = column.attrs.get("units", CANONICAL)
    if canonical_unit(units) != CANONICAL:
        raise UnitsError(
            f"the swath's column is in {units!r}, expected {CANONICAL!r}; "
            "multiply it by no2sr.core.units.factor(units) and set attrs['units']"
        )
    error = swath["precision"].values if "precision" in swath else np.empty(0, column.dtype)
    latitude, longitude = _corners_of(swath)
    shapes = {latitude.shape, longitude.shape} | ({(*error.shape, 4)} if error.size else set())
    if shapes != {(*column.shape, 4)}:
        raise DimensionError(
            f"the swath's column has shape {column.shape}, its corner bounds {latitude.shape} and "
            f"{longitude.shape}, its precision {error.shape}; expected the same scanlines and "
            "ground pixels, with 4 corners; transpose or subset all its variables alike"
        )
    arrays = column.values.ravel(), error.ravel(), latitude.reshape(-1, 4), longitude.reshape(-1, 4)
    kind = np.result_type(np.float32, *arrays)
    return Pixels(*(np.ascontiguousarray(array, dtype=kind) for array in arrays))


def _corners_of(swath: xr.Dataset) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the corners that the swath carries, or build them."""
    if set(swath.variables) >= CORNERS:
        return swath["latitude_bounds"].values, swath["longitude_bounds"].values
    logger.info("the swath has no corner bounds: corners are built from the pixel centres")
    return corners_from_centres(swath["latitude"].values, swath["longitude"].values)


def _envelope(pixels: Pixels, resolution: float) -> Box | None:
    """Return the smallest box around the usable pixels, or None if there are none."""
    occupied = np.zeros(360, dtype=bool)
    _, south, _, north = extent(pixels, Frame(-180.0, 90.0, 1.0), occupied)
    degrees = np.flatnonzero(occupied)
    if not degrees.size:
        return None
    steps = np.diff(degrees, append=degrees[0] + 360)
    widest = steps.argmax()  # the box starts east of the widest range of empty degrees
    west, east = -180.0, 180.0
    if steps[widest] > 1:
        start = float((degrees[widest] + steps[widest]) % 360 - 180)
        west, _, east, _ = extent(pixels, Frame(start, 90.0, 1.0), occupied)
    least = 1.5 * resolution  # more than a cell: an image has at least two rows and columns
    south = max(min(south, north - least), -90.0)
    return west, south, max(east, west + least), max(north, south + least)
