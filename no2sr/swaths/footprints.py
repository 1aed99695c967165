"""The footprints of pixels as a linear operator on the cells of a grid.

A row of the operator holds, for one pixel, the share of its area (or of the response of its
instrument) in every cell. Applied to a field, it gives the value that the pixel sees. The areas are
those of `no2sr.swaths.overlap`, so gridding and this operator use the same geometry.

`build_operator` makes the sparse matrix of one overpass. `Overpasses` applies those of many. It
keeps them in memory if they fit and otherwise builds them for every application: building an
overlap takes about as long as using it three times.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from no2sr.core.errors import SettingsError
from no2sr.swaths.overlap import Frame, Pixels, list_shares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["RESPONSES", "Footprints", "Overpasses", "build_operator"]

RESPONSES = ("quadrilateral", "super-gaussian")
# Sun et al. 2018 (AMT 11, 6679), TROPOMI: exp(-(|u / wu|^K1 + |v / wv|^K2)^K3), where u runs across
# the track and v along it. The corners of a pixel lie where the response of its row or scanline is
# one half, so that the widths follow from them.
K1, K2, K3 = 4.0, 2.0, 1.0
# Width and length of the region in which the response is evaluated, over those of the pixel. At its
# edges the response is below 1 %.
REACH = (1.62, 2.6)


class Footprints(NamedTuple):
    """The operator of one overpass."""

    matrix: sparse.csr_matrix  # (pixels, y * x), rows add up to 1, or are empty
    inside: Floats  # (pixels,), the share of the pixel's area that lies on the grid


def build_operator(
    pixels: Pixels, frame: Frame, shape: tuple[int, int], response: str = "quadrilateral"
) -> Footprints:
    """Build the matrix that turns a field into the values that pixels see.

    Parameters
    ----------
    pixels : Pixels
        Corners in degrees, in the order (0, 0), (0, 1), (1, 1), (1, 0) of (scanline,
        ground_pixel), in either sense. A pixel whose column is NaN, or that lacks a corner, gets
        an empty row.
    frame : Frame
        North-west corner and spacing of the grid, degrees.
    shape : (int, int)
        Rows and columns of the grid.
    response : {"quadrilateral", "super-gaussian"}
        Sensitivity within a pixel: the same everywhere within its corners, or the two-dimensional
        super-Gaussian of Sun et al. (2018) with the exponents 4 across and 2 along the track. The
        latter is sampled at the centres of cells, which should be at most a third of a pixel.

    Returns
    -------
    Footprints
        Every row that is not empty adds up to 1, also where part of the pixel lies beyond the
        grid; ``inside`` marks those, and the caller decides what to do with them.

    Raises
    ------
    SettingsError
        If the response is unknown.

    References
    ----------
    Sun, K. et al.: A physics-based approach to oversample multi-satellite, multispecies
    observations to a common grid. Atmos. Meas. Tech. 11, 6679-6701, 2018.
    """
    if response not in RESPONSES:
        raise SettingsError(
            f"there is no response {response!r}; choose one of {', '.join(RESPONSES)}"
        )
    starts, cells, areas = list_shares(pixels, frame, shape)
    count = pixels.column.size
    inside = _sums_by_row(areas, starts) / np.maximum(_areas_of(pixels, frame), 1e-300)
    if response == "super-gaussian":
        starts, cells, areas = list_shares(_enlarge(pixels), frame, shape)
        areas = areas * _sensitivity(pixels, frame, shape[1], (starts, cells))
    total = _sums_by_row(areas, starts)
    shares = areas / np.repeat(np.where(total > 0, total, 1.0), np.diff(starts))
    matrix = sparse.csr_matrix((shares, cells, starts), shape=(count, shape[0] * shape[1]))
    return Footprints(matrix, np.minimum(inside, 1.0))


def _sums_by_row(values: Floats, starts: NDArray[np.int64]) -> Floats:
    row = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    return np.asarray(np.bincount(row, values, starts.size - 1), np.float64)


def _corners(pixels: Pixels) -> tuple[Floats, Floats]:
    """Return longitudes, unwrapped, and latitudes, both (n, 4)."""
    longitude = np.asarray(pixels.longitude, np.float64)
    first = longitude[:, :1]
    unwrapped = first + (longitude - first + 180) % 360 - 180
    return unwrapped, np.asarray(pixels.latitude, np.float64)


def _areas_of(pixels: Pixels, frame: Frame) -> Floats:
    """Return the areas of the quadrilaterals, in cells."""
    x, y = _corners(pixels)
    dx, dy = x - x[:, :1], y - y[:, :1]  # differences of large numbers lose digits
    cross = dx * np.roll(dy, -1, axis=1) - np.roll(dx, -1, axis=1) * dy
    return np.asarray(np.abs(np.nan_to_num(cross.sum(axis=1))) / 2 / frame.spacing**2)


def _axes(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return centre, step across and step along the track of quadrilaterals, (n,) each."""
    across = (x[:, 1] - x[:, 0] + x[:, 2] - x[:, 3]) / 2
    along = (x[:, 3] - x[:, 0] + x[:, 2] - x[:, 1]) / 2
    return x.mean(axis=1), across, along


def _enlarge(pixels: Pixels) -> Pixels:
    """Return the parallelograms in which the response is evaluated."""
    u = np.array([-0.5, 0.5, 0.5, -0.5]) * REACH[0]
    v = np.array([-0.5, -0.5, 0.5, 0.5]) * REACH[1]
    wide = []
    for axis in _corners(pixels):
        centre, across, along = _axes(axis)
        wide.append(centre[:, None] + across[:, None] * u + along[:, None] * v)
    none = np.empty(0)
    return Pixels(pixels.column.astype(np.float64), none, none, wide[1], wide[0])


def _sensitivity(
    pixels: Pixels,
    frame: Frame,
    columns: int,
    overlaps: tuple[NDArray[np.int64], NDArray[np.int32]],
) -> Floats:
    """Return the response at the centres of cells, one value an overlap."""
    starts, cells = overlaps
    longitude, latitude = _corners(pixels)
    (x0, xu, xv), (y0, yu, yv) = _axes(longitude), _axes(latitude)
    row = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    x = frame.west + (cells % columns + 0.5) * frame.spacing - x0[row]
    x = (x + 180) % 360 - 180
    y = frame.north - (cells // columns + 0.5) * frame.spacing - y0[row]
    area = (xu * yv - xv * yu)[row]
    u, v = (x * yv[row] - y * xv[row]) / area, (y * xu[row] - x * yu[row]) / area
    exponent = (np.abs(u) / _width(K1)) ** K1 + (np.abs(v) / _width(K2)) ** K2
    return np.asarray(np.exp(-(exponent**K3)))


def _width(exponent: float) -> float:
    """Return the scale at which the response at half a pixel from the centre is one half."""
    return float(0.5 / np.log(2) ** (1 / (exponent * K3)))


class Overpasses:
    """The operators of many overpasses, one below the other.

    Parameters
    ----------
    pixels : sequence of Pixels
        Those of each overpass.
    frame, shape, response
        As for `build_operator`.
    room : float
        Bytes that the matrices may take. Beyond, they are built again for every application.

    Attributes
    ----------
    shape : (int, int)
        Pixels and cells.
    """

    def __init__(
        self,
        pixels: Sequence[Pixels],
        frame: Frame,
        shape: tuple[int, int],
        *,
        response: str = "quadrilateral",
        room: float = 1e9,
    ) -> None:
        self._pixels, self._how = list(pixels), (frame, shape, response)
        self._kept: list[sparse.csr_matrix] | None = []
        size = 0
        for one in self._pixels:
            matrix = build_operator(one, *self._how).matrix
            size += 12 * matrix.nnz
            if size > room:
                self._kept = None
                break
            self._kept.append(matrix)
        ends = np.cumsum([0, *(one.column.size for one in self._pixels)])
        self._rows = [slice(a, b) for a, b in pairwise(ends)]
        self.shape = int(ends[-1]), shape[0] * shape[1]

    @property
    def in_memory(self) -> bool:
        """Whether the matrices are kept."""
        return self._kept is not None

    def matrices(self) -> Iterator[sparse.csr_matrix]:
        """Yield the matrix of each overpass in turn."""
        if self._kept is not None:
            yield from self._kept
        else:
            for one in self._pixels:
                yield build_operator(one, *self._how).matrix

    def see(self, field: Floats) -> Floats:
        """Apply the operator: return what every pixel sees of a field.

        Parameters
        ----------
        field : array, (y * x,) or (y * x, k)

        Returns
        -------
        array, (pixels,) or (pixels, k)
        """
        return np.concatenate([matrix @ field for matrix in self.matrices()])

    def spread(self, values: Floats) -> Floats:
        """Apply the transpose: add up, in every cell, the values of pixels times their shares.

        Parameters
        ----------
        values : array, (pixels,) or (pixels, k)

        Returns
        -------
        array, (y * x,) or (y * x, k)
        """
        total: Any = 0.0
        for rows, matrix in zip(self._rows, self.matrices(), strict=True):
            total = total + matrix.T @ values[rows]
        return np.asarray(total)
