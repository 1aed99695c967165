"""Coordinates of pixels: latitude, longitude and corners, under any usual name.

A latitude is recognised by its ``standard_name``, its units, or its name (``lat``, ``XLAT``,
``nav_lat``, ``Latitude``, ...). It belongs to a variable if it has one value per pixel. Variables
that the attribute ``coordinates`` names come first. Corners are four values per pixel, in the first
or the last dimension, or the vertices that neighbours share. Dimensions of length 1 do not count.
Fields of HDF-EOS have no named dimensions, so shapes are compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from no2sr.readers.kit.netcdf import attribute, walk
from no2sr.readers.kit.pixels import values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import netCDF4
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Variable = netCDF4.Variable[Any]

__all__ = [
    "Place",
    "centres_in",
    "corners_of",
    "place_of",
    "shape_of",
    "true_degrees",
    "usual_resolution",
]

LAT, LON = "latitude", "longitude"
# Prefixes and suffixes of "lat" and "lon" in the name of a centre.
_NAME = r"(x|y|t|c|nav_|geo|gps|grid_?|pixel_|cell_)?{}(_?(m|rho|t|c|2d|center|centre|grid))?"
_WORDS = {LAT: "lat(itude)?s?", LON: "lon(g|gitude)?s?"}
_UNITS = {LAT: re.compile("degrees?_?n(orth)?"), LON: re.compile("degrees?_?e(ast)?")}
_OTHERS = {"gphit": LAT, "glamt": LON}  # of NEMO
_CORNER = re.compile("bound|bnd|corner|vert|latc$|lonc$|edge", re.IGNORECASE)
_NOT_CENTRE = re.compile("corner|bound|bnd|vert|edge|space|satel|sub_?sat|instrument|sun|solar")
_USUAL = (0.02, 0.1)  # degrees: the sizes for which 0.05 is right
WIDEST = {LAT: 90, LON: 360}
MOST_CORNERS = 4


class Place(NamedTuple):
    """The variables that hold the centres of pixels."""

    latitude: Variable
    longitude: Variable


def shape_of(variable: Variable) -> tuple[int, ...]:
    """Return the shape of a variable without the leading dimensions of length 1."""
    shape = tuple(map(int, variable.shape))
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def centres_in(file: netCDF4.Dataset) -> dict[str, list[Variable]]:
    """List the variables of a file that may be the latitudes and the longitudes of pixels."""
    return {axis: [v for v in walk(file) if _is_centre(v, axis)] for axis in (LAT, LON)}


def place_of(column: Variable, centres: Mapping[str, list[Variable]]) -> Place | None:
    """Find the centres of the pixels of a variable; None if there are none.

    Parameters
    ----------
    column : Variable
        Its last dimensions are those of the pixels.
    centres : mapping
        As `centres_in` returns them; those in the group of the column come first.
    """
    found = {}
    linked = attribute(column, "coordinates").split()
    for axis in (LAT, LON):
        there = [v for v in centres[axis] if _fits(v, column)]
        if not there:
            return None
        found[axis] = min(there, key=lambda v: _distance(v, column, linked))
    return Place(found[LAT], found[LON])


def corners_of(place: Place, file: netCDF4.Dataset) -> tuple[Floats, Floats] | None:
    """Read the corners of pixels, in order around each pixel; None if there are none.

    Returns
    -------
    latitude, longitude : array, (*pixels, 4), degrees
    """
    found = []
    for axis, centre in zip((LAT, LON), place, strict=True):
        linked = attribute(centre, "bounds")
        there = [v for v in walk(file) if _is_corner(v, axis, linked)]
        read = [(v, _corners(v, shape_of(centre))) for v in there]
        usable = [(v, values) for v, values in read if values is not None]
        if not usable:
            return None
        # OMI has the corners of two fields of view; those of 75 % of the energy tile the ground.
        variable, values = min(usable, key=lambda p: (p[0].name != linked, "75" not in p[0].name))
        found.append(true_degrees(values, variable, axis))
    if found[0].shape != found[1].shape:
        return None
    return _order_in_ring(*found)


def usual_resolution(centres: tuple[Floats, Floats], corners: Any = None) -> float | None:
    """Choose a round cell size for pixels, in degrees; None if the default of 0.05 suits them.

    Parameters
    ----------
    centres : pair of array, degrees
        Latitude and longitude.
    corners : pair of array, optional
        As `corners_of` returns them.
    """
    with np.errstate(invalid="ignore"):
        if corners is not None:
            y, x = corners
            ring = x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)
            size = float(np.nanmedian(np.sqrt(np.abs(ring.sum(axis=-1)) / 2)))
        else:
            steps = [np.hypot(*(np.diff(c, axis=axis) for c in centres)) for axis in (0, 1)]
            size = min(float(np.nanmedian(step)) for step in steps if step.size)
    if not size > 0 or _USUAL[0] <= size <= _USUAL[1]:
        return None
    power = 10.0 ** np.floor(np.log10(1.05 * size))
    return float(f"{max(n for n in (1, 2, 5) if n * power <= 1.05 * size) * power:.3g}")


def true_degrees(values: Floats, variable: Variable, axis: str) -> Floats:
    """Convert coordinates to degrees, NaN where they do not lie on the globe."""
    if attribute(variable, "units").lower().startswith("rad"):
        values = np.rad2deg(values)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= WIDEST[axis] + 1e-3, values, np.nan)


def _is_centre(variable: Variable, axis: str) -> bool:
    name = variable.name.lower()
    if _NOT_CENTRE.search(name) or not _is_float(variable):
        return False
    said = attribute(variable, "standard_name") == axis
    united = _UNITS[axis].fullmatch(attribute(variable, "units").lower()) is not None
    named = re.fullmatch(_NAME.format(_WORDS[axis]), name) is not None
    return said or united or named or _OTHERS.get(name) == axis


def _is_corner(variable: Variable, axis: str, linked: str) -> bool:
    name = variable.name.lower()
    word = axis[:3] in name
    return variable.name == linked or (word and bool(_CORNER.search(name)))


def _is_float(variable: Variable) -> bool:
    return isinstance(variable.datatype, np.dtype) and variable.dtype.kind in "fiu"


def _fits(place: Variable, column: Variable) -> bool:
    """Tell whether coordinates have one value per pixel."""
    mine, own = shape_of(place), shape_of(column)
    whole = mine == own[len(own) - len(mine) :] or (len(mine) == 2 and mine == own[::-1])
    if len(mine) == 1:
        return mine == own and place.dimensions[-1] == column.dimensions[-1]
    return whole and len(mine) == 2


def _distance(place: Variable, column: Variable, linked: list[str]) -> tuple[bool, ...]:
    """Return a sort key that puts the likeliest coordinates of a column first."""
    mine, own = place.group().path, column.group().path
    near = mine == own or mine.rpartition("/")[0] == own.rpartition("/")[0]
    same = set(place.dimensions) <= set(column.dimensions)
    said = bool(attribute(place, "standard_name"))
    return place.name not in linked, not near, mine != own, not same, not said


def _corners(variable: Variable, shape: tuple[int, ...]) -> Floats | None:
    """Read the corners of pixels, the corners last; None if the shape does not fit the pixels."""
    whole = tuple(map(int, variable.shape))
    sizes = tuple(size for size in whole if size != 1)
    pixels = tuple(size for size in shape if size != 1)
    counts = range(3, MOST_CORNERS + 1)
    if any(sizes == (*pixels, n) for n in counts):
        return _repeat_last(values_of(variable).reshape(*shape, sizes[-1]))
    if any(sizes == (n, *pixels) for n in counts):
        return _repeat_last(np.moveaxis(values_of(variable).reshape(sizes[0], *shape), 0, -1))
    if len(shape) == 2 and sizes == (shape[0] + 1, shape[1] + 1):
        v = values_of(variable).reshape(sizes)
        return np.stack([v[:-1, :-1], v[:-1, 1:], v[1:, 1:], v[1:, :-1]], axis=-1)
    return None


def _repeat_last(corners: Floats) -> Floats:
    """Repeat the last corner of a triangle."""
    missing = MOST_CORNERS - corners.shape[-1]
    return np.concatenate([corners, *[corners[..., -1:]] * missing], axis=-1)


def _order_in_ring(latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
    """Order corners so that the sides of a quadrilateral do not cross."""
    orders = ([0, 1, 2, 3], [0, 1, 3, 2], [0, 2, 1, 3])
    areas = []
    with np.errstate(invalid="ignore"):
        for order in orders:
            x, y = longitude[..., order], latitude[..., order]
            ring = x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)
            areas.append(float(np.nanmedian(np.abs(ring.sum(axis=-1)))))
    best = orders[int(np.argmax(areas))] if np.isfinite(areas).any() else orders[0]
    return latitude[..., best], longitude[..., best]
