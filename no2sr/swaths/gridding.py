"""Swaths: exact area-weighted gridding of satellite pixels.

A pixel is a quadrilateral with straight edges in degrees of longitude and latitude. A cell of the
grid receives the mean of the pixels that overlap it, weighted by the areas of overlap, which
`no2sr.swaths.overlap` computes exactly. Pixels whose file gives no corners get them from
`no2sr.swaths.corners`.

Uncertainties go along: the random one of a pixel is independent of every other, the systematic one
is shared by all pixels of an overpass (a swath) and partly by those of other overpasses.

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
from no2sr.core.layers import RANDOM, SYSTEMATIC, TOTAL, layer_name
from no2sr.core.units import CANONICAL, canonical_unit
from no2sr.swaths.corners import corners_from_centres
from no2sr.swaths.overlap import Frame, Pixels, Sums, accumulate, extent
from no2sr.swaths.sums import CORRELATION, LEAST_COVERAGE, cover_anything, means, no_sums, widen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.core.earth import Box

__all__ = ["CORNERS", "corners_from_centres", "grid_swaths", "pixels_of"]

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
    correlation: float = CORRELATION,
    lazy: bool = False,
) -> xr.Dataset:
    """Put the pixels of one or more swaths on one longitude/latitude grid.

    Parameters
    ----------
    swaths : iterable of Dataset, (scanline, ground_pixel)
        Each with ``column`` (mol m-2, NaN where missing), optionally ``uncertainty_random`` and
        ``uncertainty_systematic`` (one standard deviation of a pixel, mol m-2), and
        ``latitude_bounds``, ``longitude_bounds`` (..., corner=4) in degrees, or else ``latitude``,
        ``longitude``, from which `corners_from_centres` makes them. They are taken one at a time:
        memory does not grow with their number. The first one decides which uncertainties there
        are, and its attribute ``variable`` what the column is called.
    bounds : (west, south, east, north), optional
        In degrees, widened to multiples of the resolution. A region across the antimeridian runs
        on, as in 170..190. By default the valid pixels decide; longitudes become -180..180 where
        the pixels of a swath leave no whole degree free.
    resolution : float
        Cell size in degrees.
    correlation : float
        Between the systematic errors of two overpasses, 0..1.
    lazy : bool
        Whether to leave the means uncomputed, as dask arrays: a globe then needs memory for the
        cells only that were met.

    Returns
    -------
    Dataset, (y, x)
        A scene (see `no2sr.core.layers`). Its column is an image: ``sum(a * column) / sum(a)``
        over the pixels that overlap a cell by the share a of its area. A cell with a coverage below
        1e-3 is a gap.

        ``coverage``: ``sum(a)``, at most 1. The pixels of one swath do not overlap, so it is the
        share of the cell that was seen; over several swaths it is an upper bound of that share.

        ``count``: the pixels with an a of at least 1e-6.

        ``<column>_uncertainty_random``: ``sqrt(sum(a**2 * r**2)) / sum(a)`` of the random
        uncertainties r. ``<column>_uncertainty_systematic``: ``sum(a * s) / sum(a)`` of the
        systematic ones s within an overpass. Between overpasses o, with
        ``e_o = sum_o(a * s) / sum(a)``, it is the root of
        ``correlation * sum(e_o)**2 + (1 - correlation) * sum(e_o**2)``.
        ``<column>_uncertainty``: both in quadrature, or the one that is known. NaN also where any
        pixel of the cell lacks its uncertainty.

    Raises
    ------
    NoValidPixelsError
        If no pixel with a value falls on the grid.
    MissingVariableError, DimensionError, UnitsError
        If a swath is not as described above.
    SettingsError
        If the bounds are not a box of at most 360 degrees, the resolution is not within 1e-5..10
        degrees, or the correlation not within 0..1.

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
    if not (isinstance(correlation, _NUMBERS) and 0 <= correlation <= 1):
        raise SettingsError(f"correlation is {correlation!r:.40}; give a number from 0 to 1")
    heads: list[Mapping[Any, Any]] = []
    sums = _sum_up(swaths, bounds, resolution, heads)
    name = str(heads[0].get("variable", "column"))
    scene = means(sums, name, correlation=float(correlation))
    step = f"gridded {len(heads)} swath(s) at {resolution:g} degree by area of overlap"
    scene[name] = with_history(scene[name], step)
    sources = dict.fromkeys(filter(None, (head.get("source", "") for head in heads)))
    if sources:
        scene[name].attrs["source"] = "; ".join(sources)
    for layer in (RANDOM, SYSTEMATIC, TOTAL):
        comment = heads[0].get(f"{layer}_comment")
        if comment and layer_name(name, layer) in scene:
            scene[layer_name(name, layer)].attrs["comment"] = comment
    return scene if lazy else scene.compute()


def _sum_up(
    swaths: Iterable[xr.Dataset],
    bounds: Box | None,
    resolution: float,
    heads: list[Mapping[Any, Any]],
) -> Sums:
    """Add up all swaths, noting what each says of itself."""
    sums: Sums | None = None
    for swath in swaths:
        heads.append(_head_of(swath))
        sums = _add_swath(sums, pixels_of(swath), bounds, resolution)
        del swath  # or it would still be there while the next one is read
    if sums is None or not cover_anything(sums):
        raise NoValidPixelsError(
            f"of {len(heads)} swath(s), no pixel has a value and four corners"
            f"{'' if bounds is None else f' within {bounds}'}; expected at least one; "
            "lower the quality threshold or choose another region"
        )
    return sums


def _head_of(swath: xr.Dataset) -> dict[str, str]:
    """Return the attributes of a swath, and where its uncertainties come from."""
    comments = {
        f"{layer}_comment": str(swath[layer].attrs["comment"])
        for layer in (RANDOM, SYSTEMATIC)
        if layer in swath and swath[layer].attrs.get("comment")
    }
    return {str(key): str(text) for key, text in swath.attrs.items()} | comments


def _add_swath(
    sums: Sums | None, pixels: Pixels, bounds: Box | None, resolution: float
) -> Sums | None:
    """Return the sums with those of one more swath, or None as long as there is no grid."""
    box = _envelope(pixels, resolution) if bounds is None else bounds
    if box is None:
        return sums
    if sums is None:
        known = {name: getattr(pixels, name).size > 0 for name in ("random", "systematic")}
        sums = no_sums(box, resolution, **known)
    elif bounds is None:
        sums = widen(sums, box)
    accumulate(pixels, sums)
    return sums


def pixels_of(swath: xr.Dataset) -> Pixels:
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
    errors = {name: swath[name].values for name in (RANDOM, SYSTEMATIC) if name in swath}
    latitude, longitude = _corners_of(swath)
    shapes = {latitude.shape, longitude.shape, *((*e.shape, 4) for e in errors.values())}
    if shapes != {(*column.shape, 4)}:
        stated = "".join(f", its {name} {error.shape}" for name, error in errors.items())
        raise DimensionError(
            f"the swath's column has shape {column.shape}, its corner bounds {latitude.shape} and "
            f"{longitude.shape}{stated}; expected the same scanlines and "
            "ground pixels, with 4 corners; transpose or subset all its variables alike"
        )
    none = np.empty(0, column.dtype)
    arrays = (
        column.values.ravel(),
        *(errors.get(name, none).ravel() for name in (RANDOM, SYSTEMATIC)),
        latitude.reshape(-1, 4),
        longitude.reshape(-1, 4),
    )
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
    # What reaches into a cell by less than this cannot fill it: it would be a gap.
    rim = LEAST_COVERAGE * resolution
    west, south, east, north = west + rim, south + rim, east - rim, north - rim
    least = 1.5 * resolution  # more than a cell: an image has at least two rows and columns
    south = max(min(south, north - least), -90.0)
    return west, south, max(east, west + least), max(north, south + least)
