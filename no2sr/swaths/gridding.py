"""Swaths: exact area-weighted gridding of satellite pixels.

A pixel is a quadrilateral with straight edges in degrees of longitude and latitude. A cell of the
grid receives the mean of the pixels that overlap it, weighted by the areas of overlap, which
`no2sr.swaths.overlap` computes exactly. If a file gives no corners, `no2sr.swaths.corners` builds
them.

Uncertainties are propagated: the random error of a pixel is independent of all others; the
systematic error is shared by all pixels of an overpass (a swath), and partly by other overpasses.

Limits: a pixel that contains a pole is not such a quadrilateral and is omitted. Planar degrees
shift the weights inside a cell by less than 0.1 % at 0.05 degree; ``bin_spatial`` of the HARP
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
from no2sr.core.image import add_history
from no2sr.core.layers import RANDOM, SYSTEMATIC, TOTAL, layer_name
from no2sr.core.times import date_scene
from no2sr.core.units import CANONICAL, canonical_unit
from no2sr.swaths.corners import corners_from_centres
from no2sr.swaths.moments import Moments
from no2sr.swaths.overlap import Frame, Pixels, Sums, accumulate, extent
from no2sr.swaths.periods import check_frequency, split_by_period, stack_periods
from no2sr.swaths.sums import (
    CORRELATION,
    LEAST_COVERAGE,
    align,
    cover_anything,
    make_empty_sums,
    means,
    widen,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    import xarray as xr
    from numpy.typing import NDArray
    from pandas.tseries.offsets import BaseOffset

    from no2sr.core.earth import Box
    from no2sr.core.spans import Span

__all__ = ["CORNERS", "corners_from_centres", "grid_swaths", "pixels_of"]

# Degrees; other sizes are typing errors. float32 coordinates resolve a metre.
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
    freq: str | None = None,
) -> xr.Dataset:
    """Put the pixels of one or more swaths on one longitude/latitude grid.

    Parameters
    ----------
    swaths : iterable of Dataset, (scanline, ground_pixel)
        Each with ``column`` (mol m-2, NaN where missing), optionally ``uncertainty_random`` and
        ``uncertainty_systematic`` (one standard deviation of a pixel, mol m-2), and
        ``latitude_bounds``, ``longitude_bounds`` (..., corner=4) in degrees, or else ``latitude``,
        ``longitude``, from which `corners_from_centres` builds them. They are read one at a time,
        so memory does not grow with their number. The first one decides which uncertainties there
        are, and its attribute ``variable`` gives the name of the column. The coordinate ``time``
        (scanline,), or the attributes ``time_coverage_start`` and ``time_coverage_end``, say when
        they were seen.
    bounds : (west, south, east, north), optional
        In degrees, widened to multiples of the resolution. A region across the antimeridian
        continues beyond 180, as in 170..190. By default the box around the valid pixels; longitudes
        become -180..180 if the pixels of a swath leave no whole degree free.
    resolution : float
        Cell size in degrees.
    correlation : float
        Between the systematic errors of two overpasses, 0..1.
    lazy : bool
        Whether the means are dask arrays that are computed later. A globe then needs memory only
        for the cells that were observed.
    freq : str, optional
        One mean for each such period (UTC), see `no2sr.swaths.periods.check_frequency`.

    Returns
    -------
    Dataset, (y, x) or (time, y, x)
        A scene (see `no2sr.core.layers`), with ``time`` and ``time_bnds`` if every swath with a
        pixel on the grid says when it was seen. Its column is an image:
        ``sum(a * column) / sum(a)`` over the pixels that overlap a cell by the share a of its area.
        A cell with a coverage below 1e-3 is a gap.

        ``coverage``: ``sum(a)``, at most 1. The pixels of one swath do not overlap, so it is the
        share of the cell that was observed. For several swaths it is an upper bound of that share.

        ``count``: the number of pixels with an a of at least 1e-6.

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
    The sum of ``a * column`` over all cells is area times column of each pixel: nothing is lost or
    gained. Negative columns count like all others. Pixels without four finite corners are omitted,
    as are those wider than 90 degrees of longitude, which contain a pole.
    """
    if not (isinstance(resolution, _NUMBERS) and NARROWEST_CELL <= resolution <= WIDEST_CELL):
        raise SettingsError(
            f"resolution is {resolution!r:.40}; give degrees from {NARROWEST_CELL:g} to "
            f"{WIDEST_CELL:g}, such as 0.05"
        )
    resolution = float(resolution)  # a float32 of numpy would move the cells
    if not (isinstance(correlation, _NUMBERS) and 0 <= correlation <= 1):
        raise SettingsError(f"correlation is {correlation!r:.40}; give a number from 0 to 1")
    heads: list[Mapping[Any, Any]] = []
    moments = Moments(bounds)
    offset = None if freq is None else check_frequency(freq)
    sums = _sum_up(_cut(swaths, heads, moments, offset), bounds, resolution)
    if not sums:
        raise NoValidPixelsError(
            f"in {len(heads)} swath(s), no pixel has a value and four corners"
            f"{'' if bounds is None else f' within west, south, east, north {bounds}'}; "
            "lower the quality threshold or choose another region"
        )
    name = str(heads[0].get("variable", "column"))
    parts = {span: means(held, name, correlation=float(correlation)) for span, held in sums.items()}
    spans = {span: part for span, part in parts.items() if span is not None}
    scene = stack_periods(spans, name) if spans else parts[None]
    step = f"gridded {len(heads)} swath(s) at {resolution:g} degree by area of overlap"
    step += "" if offset is None else f", one mean for each of {len(parts)} periods of {freq}"
    scene[name] = add_history(scene[name], step)
    sources = dict.fromkeys(filter(None, (head.get("source", "") for head in heads)))
    if sources:
        scene[name].attrs["source"] = "; ".join(sources)
    for layer in (RANDOM, SYSTEMATIC, TOTAL):
        comment = heads[0].get(f"{layer}_comment")
        if comment and layer_name(name, layer) in scene:
            scene[layer_name(name, layer)].attrs["comment"] = comment
    scene = scene if offset is not None else date_scene(scene, moments.span())
    return scene if lazy else scene.compute()


def _cut(
    swaths: Iterable[xr.Dataset],
    heads: list[Mapping[Any, Any]],
    moments: Moments,
    offset: BaseOffset | None,
) -> Iterator[tuple[Span | None, Pixels]]:
    """Yield the pixels of swaths by period, and note the attributes and the times of each."""
    for swath in swaths:
        heads.append(_head_of(swath))
        parts: list[tuple[Span | None, Pixels]] = [(None, pixels_of(swath))]
        moments.add(swath)
        if offset is not None:
            split = split_by_period(swath, offset, moments.bounds)
            parts = [(period, pixels_of(part)) for period, part in split]
        del swath  # otherwise it would stay in memory while the next one is read
        while parts:
            yield parts.pop()


def _sum_up(
    parts: Iterable[tuple[Span | None, Pixels]], bounds: Box | None, resolution: float
) -> dict[Span | None, Sums]:
    """Add up the pixels of every period; periods without any are left out."""
    sums: dict[Span | None, Sums] = {}
    for period, pixels in parts:
        added = _add_swath(sums.get(period), pixels, bounds, resolution)
        if added is not None:
            sums[period] = added
        del pixels
    seen = {period: held for period, held in sums.items() if cover_anything(held)}
    return dict(zip(seen, align(list(seen.values())), strict=True))


def _head_of(swath: xr.Dataset) -> dict[str, str]:
    """Return the attributes of a swath and the origin of its uncertainties."""
    comments = {
        f"{layer}_comment": str(swath[layer].attrs["comment"])
        for layer in (RANDOM, SYSTEMATIC)
        if layer in swath and swath[layer].attrs.get("comment")
    }
    return {str(key): str(text) for key, text in swath.attrs.items()} | comments


def _add_swath(
    sums: Sums | None, pixels: Pixels, bounds: Box | None, resolution: float
) -> Sums | None:
    """Add one swath to the sums; they are None until the first valid pixel sets the grid."""
    box = _envelope(pixels, resolution) if bounds is None else bounds
    if box is None:
        return sums
    if sums is None:
        known = {name: getattr(pixels, name).size > 0 for name in ("random", "systematic")}
        sums = make_empty_sums(box, resolution, **known)
    elif bounds is None:
        sums = widen(sums, box)
    accumulate(pixels, sums)
    return sums


def pixels_of(swath: xr.Dataset) -> Pixels:
    """Return the arrays of a swath in one floating-point type, and check their shapes."""
    found = set(swath.variables)
    if "column" not in found or not (found >= CORNERS or found >= CENTRES):
        raise MissingVariableError(
            f"the swath has {sorted(map(str, found))}; give it column, and latitude and longitude "
            "or the bounds of both, or open it with a swath reader"
        )
    column = swath["column"]
    units = column.attrs.get("units", CANONICAL)
    if canonical_unit(units) != CANONICAL:
        raise UnitsError(
            f"the column of the swath is in {units!r}, not in {CANONICAL!r}; "
            "multiply it by no2sr.core.units.factor(units) and set attrs['units']"
        )
    errors = {name: swath[name].values for name in (RANDOM, SYSTEMATIC) if name in swath}
    latitude, longitude = _corners_of(swath)
    shapes = {latitude.shape, longitude.shape, *((*e.shape, 4) for e in errors.values())}
    if shapes != {(*column.shape, 4)}:
        stated = "".join(f", its {name} {error.shape}" for name, error in errors.items())
        raise DimensionError(
            f"the column of the swath has shape {column.shape}, its corner bounds {latitude.shape} "
            f"and {longitude.shape}{stated}; give all of them the same scanlines and ground "
            "pixels, with 4 corners"
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
    """Return the corners that the swath has, or build them."""
    if set(swath.variables) >= CORNERS:
        return swath["latitude_bounds"].values, swath["longitude_bounds"].values
    logger.info("the swath has no corner bounds; building corners from the pixel centres")
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
    # A cell that is covered less than this would be a gap.
    rim = LEAST_COVERAGE * resolution
    west, south, east, north = west + rim, south + rim, east - rim, north - rim
    least = 1.5 * resolution  # more than a cell: an image has at least two rows and columns
    south = max(min(south, north - least), -90.0)
    return west, south, max(east, west + least), max(north, south + least)
