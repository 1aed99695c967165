"""Areas of overlap between pixels and cells, compiled.

Each edge of a pixel is followed cell by cell and adds the trapezoid between itself and the east end
of the row. The running sum along the row is then the overlap, as in font rasterisers. The areas are
exact for any quadrilateral, clockwise or not. No polygon is clipped, and no point is sampled.

The map repeats every 360 degrees. A pixel is added wherever one of its copies meets the grid, which
covers the antimeridian and global grids.

The file is long because all compiled functions live in it: the cache of the compiler watches only
the file of the function that is called.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Function = TypeVar("Function", bound="Callable[..., Any]")

__all__ = ["Frame", "Pixels", "Sums", "accumulate", "extent", "list_shares", "load"]

# A pixel is counted in a cell from this share of the cell on. Where edges of pixels and cells
# coincide, rounding makes slivers of 1e-12; float32 coordinates resolve 1e-4.
LEAST_OVERLAP = 1e-6
NOISE = 1e-14  # of a cell: rounding of the running sum east of a pixel
WIDEST_PIXEL = 90.0  # degrees of longitude; a pixel that contains a pole spans more


class Pixels(NamedTuple):
    """The pixels of one swath; all arrays have one floating-point type."""

    column: NDArray[np.floating]  # (n,)
    random: NDArray[np.floating]  # (n,), random uncertainty; (0,) if unknown
    systematic: NDArray[np.floating]  # (n,), systematic uncertainty; (0,) if unknown
    latitude: NDArray[np.floating]  # (n, 4)
    longitude: NDArray[np.floating]  # (n, 4)


class Frame(NamedTuple):
    """The corner of a grid and the size of its cells, in degrees."""

    west: float
    north: float
    spacing: float


class Sums(NamedTuple):
    """Sums over the pixels so far on a grid; a is the overlap as a share of a cell.

    r and s are the random and systematic uncertainties of a pixel. Unknown sums are (0, 0).
    """

    frame: Frame
    weighted: NDArray[np.float64]  # (y, x), sum of a * column
    weight: NDArray[np.float64]  # (y, x), sum of a
    number: NDArray[np.int32]  # (y, x), pixels with a >= LEAST_OVERLAP
    variance: NDArray[np.float32]  # (y, x), sum of (a * r)**2 over all pixels
    shared: NDArray[np.float32]  # (y, x), sum of a * s over all pixels
    squares: NDArray[np.float32]  # (y, x), sum over swaths of the square of their sum of a * s
    latest: NDArray[np.float32]  # (y, x), sum of a * s over the swath that is being added


def _jit(function: Function) -> Function:
    """Compile a function, once for all processes if there is a writable folder for the cache.

    Functions are inlined, because a call counts the references to every array. Divisors are not
    checked, because none can be 0.
    """
    how: Any = {"nogil": True, "inline": "always", "error_model": "numpy"}
    try:
        compiled: Any = numba.njit(cache=True, **how)(function)
    except RuntimeError:  # no folder for the cache, as in a read-only container
        compiled = numba.njit(**how)(function)
    return cast("Function", compiled)


def load() -> None:
    """Load the compiled functions for float32 pixels, or compile them, before their first use."""
    few = np.empty(0, np.float32)
    none = Pixels(few, few, few, few.reshape(0, 4), few.reshape(0, 4))
    frame, cells, error = Frame(0.0, 0.0, 1.0), np.zeros((1, 1)), np.zeros((1, 1), np.float32)
    extent(none, frame, np.zeros(360, dtype=bool))
    number = np.zeros((1, 1), np.int32)
    accumulate(none, Sums(frame, cells, cells, number, error, error, error, error))


@_jit
def _span(four: Any) -> tuple[float, float]:
    """Return the smallest and the largest of four; ``min()`` of such a small array is slow."""
    a, b, c, d = four[0], four[1], four[2], four[3]
    return min(a, b, c, d), max(a, b, c, d)


@_jit
def _place(pixels: Pixels, k: int, frame: Frame, corners: Any) -> bool:
    """Write x and y of the corners of pixel k, (2, 4), and return whether it can be used.

    They are in cells from the origin of the frame. The west end of the pixel lies in [0, turn).
    """
    if not math.isfinite(pixels.column[k]):
        return False
    x, y = corners[0], corners[1]
    first = np.float64(pixels.longitude[k, 0])  # unwrapping in float32 would lose 1e-4 of a cell
    for c in range(4):
        latitude = np.float64(pixels.latitude[k, c])
        longitude = np.float64(pixels.longitude[k, c])
        if not (abs(latitude) <= 90 and abs(longitude) <= 360):  # false for NaN and fill values
            return False
        turns = math.floor((longitude - first + 180) / 360)
        x[c] = (longitude - 360 * turns - frame.west) / frame.spacing
        y[c] = (frame.north - latitude) / frame.spacing
    low, high = _span(x)
    turn = 360 / frame.spacing
    for c in range(4):
        x[c] -= turn * math.floor(low / turn)
    return high - low <= WIDEST_PIXEL / frame.spacing


@_jit
def extent(pixels: Pixels, frame: Frame, occupied: Any) -> tuple[float, float, float, float]:
    """Return (west, south, east, north) of the usable pixels; longitudes start at the frame's.

    The cells of the frame are degrees. Those that a pixel touches are marked in `occupied`, (360,).
    """
    corners = np.empty((2, 4))
    west, east, top, bottom = np.inf, -np.inf, np.inf, -np.inf
    for k in range(pixels.column.size):
        if not _place(pixels, k, frame, corners):
            continue
        low, high = _span(corners[0])
        for degree in range(math.floor(low), math.floor(high) + 1):
            occupied[degree % 360] = True
        west, east = min(west, low), max(east, high)
        low, high = _span(corners[1])
        top, bottom = min(top, low), max(bottom, high)
    return frame.west + west, frame.north - bottom, frame.west + east, frame.north - top


@_jit
def accumulate(pixels: Pixels, sums: Sums) -> None:
    """Add every usable pixel of one swath to the sums, in its order."""
    first, last = sums.weight.shape[0], 0  # the rows that pixels touch
    corners, copy = np.empty((2, 4)), np.empty((2, 4))
    share = np.zeros(int(WIDEST_PIXEL / sums.frame.spacing) + 5)
    turn = 360 / sums.frame.spacing
    for k in range(pixels.column.size):
        if not _place(pixels, k, sums.frame, corners):
            continue
        random = pixels.random[k] if pixels.random.size else np.nan
        systematic = pixels.systematic[k] if pixels.systematic.size else np.nan
        top, bottom = _span(corners[1])
        first = min(first, max(math.floor(top), 0))
        last = max(last, min(math.ceil(bottom), sums.weight.shape[0]))
        low, high = _span(corners[0])
        for turns in range(-1, 2):
            if high + turns * turn > 0 and low + turns * turn < sums.weight.shape[1]:
                for c in range(4):
                    copy[0, c] = corners[0, c] + turns * turn
                    copy[1, c] = corners[1, c]
                _spread((pixels.column[k], random, systematic), copy, share, sums)
    if sums.latest.size:
        _close(sums, first, last)


@_jit
def _close(sums: Sums, first: int, last: int) -> None:
    """Add the shared error of the latest swath and its square between two rows, and reset it."""
    for row in range(first, last):
        for column in range(sums.weight.shape[1]):
            shared = sums.latest[row, column]
            if shared != 0:  # also for NaN; cells without a pixel stay untouched and take no memory
                sums.shared[row, column] += shared
                sums.squares[row, column] += shared * shared
                sums.latest[row, column] = 0


@_jit
def _spread(values: tuple[float, float, float], corners: Any, share: Any, sums: Sums) -> None:
    """Add one copy of a pixel to the sums of the cells it overlaps."""
    ny, nx = sums.weight.shape
    left, width, top, bottom = _window(corners)
    for row in range(max(top, 0), min(bottom, ny)):
        _cross(corners, (row, left), share)
        overlap = 0.0
        for i in range(width):
            overlap += share[i]
            a = abs(overlap)  # negative if the corners run the other way around
            if a > NOISE and 0 <= left + i < nx:
                _add(a, values, (row, left + i), sums)
        share[: width + 2] = 0


@_jit
def _window(corners: Any) -> tuple[int, int, int, int]:
    """Return the first column, the number of columns, the first row and the row after the last."""
    west, east = _span(corners[0])
    top, bottom = _span(corners[1])
    left = math.floor(west)
    return left, math.ceil(east) - left, math.floor(top), math.ceil(bottom)


@_jit
def _cross(corners: Any, cell: tuple[int, int], share: Any) -> None:
    """Walk all edges of a pixel through the row that begins with a cell."""
    x, y = corners[0], corners[1]
    row, left = cell
    for c in range(4):
        _walk((x[c - 1] - left, y[c - 1] - row), (x[c] - left, y[c] - row), share)


@_jit
def list_shares(pixels: Pixels, frame: Frame, shape: tuple[int, int]) -> tuple[Any, Any, Any]:
    """List the overlaps of all pixels with the cells of a grid, in the form of a CSR matrix.

    Parameters
    ----------
    pixels : Pixels
        Those that cannot be used overlap nothing.
    frame : Frame
    shape : (int, int)
        Rows and columns of the grid.

    Returns
    -------
    starts : array of int64, (n + 1,)
        Where the overlaps of each pixel begin in the other two, and after the last one end.
    cells : array of int32, (m,)
        ``row * columns + column``.
    areas : array of float64, (m,)
        In cells.
    """
    ny, nx = shape
    corners = np.empty((2, 4))
    share = np.zeros(int(WIDEST_PIXEL / frame.spacing) + 5)
    starts = np.zeros(pixels.column.size + 1, np.int64)
    cells, areas = np.empty(1024, np.int32), np.empty(1024)
    turn, found = 360 / frame.spacing, 0
    for k in range(pixels.column.size):
        usable = _place(pixels, k, frame, corners)
        for _copy in range(3 if usable else 0):
            if _copy == 0:
                corners[0] -= turn
            else:
                corners[0] += turn
            left, width, top, bottom = _window(corners)
            if left + width <= 0 or left >= nx:
                continue
            first, last = max(top, 0), min(bottom, ny)
            room = found + max(last - first, 0) * width
            if room > cells.size:
                cells, areas = _lengthen(cells, room), _lengthen(areas, room)
            for row in range(first, last):
                _cross(corners, (row, left), share)
                found = _note((row, left, width), share, (cells, areas, found), nx)
        starts[k + 1] = found
    return starts, cells[:found].copy(), areas[:found].copy()


@_jit
def _note(window: tuple[int, int, int], share: Any, into: tuple[Any, Any, int], nx: int) -> int:
    """Append the overlaps of one row, clear its shares, and return how many there are by now."""
    row, left, width = window
    cells, areas, found = into
    overlap = 0.0
    for i in range(width):
        overlap += share[i]
        if abs(overlap) > NOISE and 0 <= left + i < nx:
            cells[found], areas[found] = row * nx + left + i, abs(overlap)
            found += 1
    share[: width + 2] = 0
    return found


@_jit
def _lengthen(values: Any, room: int) -> Any:
    """Return a copy with room for at least so many."""
    longer = np.empty(2 * room, values.dtype)
    longer[: values.size] = values
    return longer


@_jit
def _walk(start: tuple[float, float], end: tuple[float, float], share: Any) -> None:
    """Add the contribution of an edge within the row 0..1 to `share`.

    The running sum of the shares is the area of the cells east of the edges. Over all edges of a
    pixel, it is the overlap.
    """
    sign = 1.0
    if start[1] > end[1]:
        start, end, sign = end, start, -1.0
    top, bottom = max(start[1], 0.0), min(end[1], 1.0)
    if top >= bottom:
        return
    slope = (end[0] - start[0]) / (end[1] - start[1])
    ends = start[0] + (top - start[1]) * slope, start[0] + (bottom - start[1]) * slope
    # On a nearly level edge, rounding must not lead beyond the edge and out of the array.
    west = max(min(ends), min(start[0], end[0]))
    east = min(max(ends), max(start[0], end[0]))
    height = sign * (bottom - top)
    first, last = math.floor(west), math.floor(east)
    if first == last:
        inside = (west + east) / 2 - first
        share[first] += height * (1 - inside)
        share[first + 1] += height * inside
        return
    for i in range(first, last + 1):
        begin, stop = max(west, i), min(east, i + 1)
        part = height * (stop - begin) / (east - west)
        inside = (begin + stop) / 2 - i
        share[i] += part * (1 - inside)
        share[i + 1] += part * inside


@_jit
def _add(a: float, values: tuple[float, float, float], cell: tuple[int, int], sums: Sums) -> None:
    """Add one pixel's overlap, of a column and its two uncertainties, to the sums of one cell."""
    column, random, systematic = values
    sums.weighted[cell] += a * column
    sums.weight[cell] += a
    if a >= LEAST_OVERLAP:
        sums.number[cell] += 1
    if sums.variance.size:
        sums.variance[cell] += (a * random) ** 2
    if sums.latest.size:
        sums.latest[cell] += a * systematic
