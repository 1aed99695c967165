"""Corners of pixels whose file gives only their centres.

Neighbouring pixels share their corners. A corner is the average of the four centres around it, as
points in space, so that poles and the antimeridian need no special case. Centres that do not exist,
beyond the rim or missing inside, are first estimated from their neighbours by the best rule.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import DimensionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Neighbour = Callable[[int, int], Floats]  # centres that many rows and columns away

__all__ = ["corners_from_centres"]

RIM = 3  # the ring to estimate, and the two beyond it that the rules use
ASIDE = ((0, 1), (0, -1), (1, 0), (-1, 0))


def corners_from_centres(latitude: ArrayLike, longitude: ArrayLike) -> tuple[Floats, Floats]:
    """Build the corners of pixels from their centres.

    Parameters
    ----------
    latitude, longitude : array, (scanline, ground_pixel), degrees
        NaN, or beyond 90 and 360 degrees, where missing.

    Returns
    -------
    latitude_bounds, longitude_bounds : array, (scanline, ground_pixel, 4), degrees
        Corners in the order (0, 0), (0, 1), (1, 1), (1, 0) of (scanline, ground_pixel); longitudes
        in -180..180. NaN where the centre is missing.

    Raises
    ------
    DimensionError
        If the shapes are not two-dimensional and equal.

    Notes
    -----
    Corners on the rim and beside missing centres are extrapolated linearly. The width of pixels in
    a swath of a single row or column is unknown; it is set to their distance. A pixel without a
    neighbour has no size and gets NaN.
    """
    latitude = np.asarray(latitude, dtype=np.float64)
    longitude = np.asarray(longitude, dtype=np.float64)
    if latitude.ndim != 2 or latitude.shape != longitude.shape:
        raise DimensionError(
            f"latitude and longitude have shapes {latitude.shape} and {longitude.shape}; give both "
            "on the same (scanline, ground_pixel)"
        )
    missing = ~((np.abs(latitude) <= 90) & (np.abs(longitude) <= 360))
    phi, lam = (np.deg2rad(np.where(missing, np.nan, a)) for a in (latitude, longitude))
    across = np.cos(phi)
    points = np.stack([across * np.cos(lam), across * np.sin(lam), np.sin(phi)], axis=-1)
    padded = np.pad(points, ((RIM, RIM), (RIM, RIM), (0, 0)), constant_values=np.nan)
    for rule in (_continue_step, _parallelogram, _step_sideways, _parallelogram):
        _estimate(padded, rule)
    vertices = _vertices(padded[RIM - 1 : -RIM + 1, RIM - 1 : -RIM + 1])
    x, y, z = np.moveaxis(_gather_four(vertices), -1, 0)
    latitude_bounds = np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    longitude_bounds = np.rad2deg(np.arctan2(y, x))
    latitude_bounds[missing] = longitude_bounds[missing] = np.nan
    return latitude_bounds, longitude_bounds


def _vertices(points: Floats) -> Floats:
    """Average the four points around every vertex."""
    return (points[:-1, :-1] + points[:-1, 1:] + points[1:, :-1] + points[1:, 1:]) / 4


def _gather_four(vertices: Floats) -> Floats:
    """Gather the four vertices of every pixel."""
    first, second = vertices[:-1], vertices[1:]
    return np.stack([first[:, :-1], first[:, 1:], second[:, 1:], second[:, :-1]], axis=2)


def _estimate(points: Floats, rule: Callable[[Neighbour], list[Floats]]) -> None:
    """Fill missing points, also those next to the rim, with the mean of a rule's estimates."""
    inner = points[RIM - 1 : -RIM + 1, RIM - 1 : -RIM + 1, 0]
    rows, columns = np.nonzero(np.isnan(inner))
    rows, columns = rows + RIM - 1, columns + RIM - 1
    offers = np.stack(rule(lambda i, j: points[rows + i, columns + j]))
    known = np.isfinite(offers)
    number = known.sum(axis=0)
    total = np.where(known, offers, 0).sum(axis=0)
    points[rows, columns] = np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _continue_step(near: Neighbour) -> list[Floats]:
    """Continue the step between the next two, in each of four directions."""
    return [2 * near(i, j) - near(2 * i, 2 * j) for i, j in ASIDE]


def _parallelogram(near: Neighbour) -> list[Floats]:
    """Complete the parallelogram of three neighbours, in each of four quadrants."""
    quadrants = itertools.product((-1, 1), repeat=2)
    return [near(i, 0) + near(0, j) - near(i, j) for i, j in quadrants]


def _step_sideways(near: Neighbour) -> list[Floats]:
    """Step off a line of points at a right angle, by the distance between the points.

    Seen along the scanlines, ground pixels are assumed to run from left to right.
    """
    offers = []
    for i, j in ASIDE:
        point = near(i, j)
        for step in (near(i + j, j + i) - point, point - near(i - j, j - i)):
            left = np.cross(point, step) / np.linalg.norm(point, axis=-1, keepdims=True)
            offers.append(point + (abs(j) - abs(i)) * left)
    return offers
