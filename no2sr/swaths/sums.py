"""Sums over pixels on a grid: create them, move them to a wider grid, and turn them into means."""

from __future__ import annotations

import math
import mmap
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.errors import SettingsError
from no2sr.core.grid import regular_grid
from no2sr.core.image import COLUMN_ATTRS, STANDARD_NAME
from no2sr.core.layers import COUNT, COVERAGE, RANDOM, SYSTEMATIC, TOTAL, assemble_scene
from no2sr.swaths.overlap import Frame, Sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from no2sr.core.earth import Box

__all__ = [
    "CORRELATION",
    "LEAST_COVERAGE",
    "align",
    "cover_anything",
    "make_empty_sums",
    "means",
    "widen",
]

# Correlation of the systematic errors (air-mass factor, stratosphere) of different overpasses, from
# the error budget of the KNMI/CCI level 3 product (Glissenaar et al. 2025, ESSD 17, 4627).
CORRELATION = 0.3
# A cell with less coverage is a gap: float32 corners on the edge of a cell leave 1e-5 of it.
LEAST_COVERAGE = 1e-3

_MEAN = {"cell_methods": "area: mean"}
_COUNT_ATTRS = {
    "standard_name": f"{STANDARD_NAME} number_of_observations",
    "long_name": "number of pixels that overlap the cell",
    "units": "1",
    "cell_methods": "area: sum",
}


SLAB = 512  # rows that are computed together
# 0.01 degree over the globe. At 36 bytes per cell, more would not fit into most memories.
MOST_CELLS = 6.5e8


def make_empty_sums(
    box: Box, resolution: float, *, random: bool = False, systematic: bool = False
) -> Sums:
    """Prepare empty sums on a grid around a box.

    Parameters
    ----------
    box : (west, south, east, north), degrees
    resolution : float
        Cell size in degrees.
    random, systematic : bool
        Whether the pixels have this uncertainty.

    Raises
    ------
    SettingsError
        If it is not a box, or the grid would be too large for the memory.
    """
    west, south, east, north = box
    if not (0 < east - west <= 360 and -90 <= south < north <= 90):
        raise SettingsError(
            f"bounds are {box}; give (west, south, east, north) in degrees, with west < east, at "
            "most 360 degrees, and south < north within 90; a region across the antimeridian "
            "continues beyond 180, as 170 to 190"
        )
    cells = (north - south) / resolution * (east - west) / resolution
    if cells > MOST_CELLS:
        raise SettingsError(
            f"a grid of {resolution:g} degree over {box} has {cells:.1e} cells, more than "
            f"{MOST_CELLS:.1e}; choose a coarser resolution or a smaller region"
        )
    grid = _grid(box, resolution)
    shape = grid.shape
    of_random, of_systematic = (shape if known else (0, 0) for known in (random, systematic))
    t = grid.rio.transform()
    return Sums(
        frame=Frame(t.c, t.f, t.a),
        weighted=_zeros(shape, np.float64),
        weight=_zeros(shape, np.float64),
        number=_zeros(shape, np.int32),
        # These are only reported: float32 halves their memory.
        variance=_zeros(of_random, np.float32),
        shared=_zeros(of_systematic, np.float32),
        squares=_zeros(of_systematic, np.float32),
        latest=_zeros(of_systematic, np.float32),
    )


def _grid(box: Box, resolution: float) -> xr.DataArray:
    """Build `no2sr.core.grid.regular_grid` around a box from one column and one row.

    A complete grid would take as much memory as the values that it will hold.
    """
    west, south, east, north = box
    column = regular_grid((west, south, west + resolution / 2, north), resolution)
    row = regular_grid((west, south, east, south + resolution / 2), resolution)
    empty = np.broadcast_to(np.float32(np.nan), (column.sizes["y"], row.sizes["x"]))
    coords = {"y": column["y"], "x": row["x"], "spatial_ref": column["spatial_ref"]}
    grid = xr.DataArray(empty, coords=coords, dims=("y", "x"))
    grid.encoding = column.encoding
    return grid


def _zeros(shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """Return zeros that take memory only for the pages in which something is added.

    An orbit covers a fifth of a global grid, but `numpy.zeros` asks the system for huge pages and
    would take memory for all of it.
    """
    length = math.prod(shape)
    memory = mmap.mmap(-1, max(length * np.dtype(kind).itemsize, 1), access=mmap.ACCESS_COPY)
    return np.frombuffer(memory, kind, length).reshape(shape)


def _box_of(sums: Sums) -> Box:
    """Return the outer edges of the grid of the sums."""
    west, north, spacing = sums.frame
    ny, nx = sums.weight.shape
    return west, north - ny * spacing, west + nx * spacing, north


def _union(a: Box, b: Box, resolution: float) -> Box:
    """Return the smallest box around two boxes, whichever way around the Earth is shorter."""
    ranges = [(min(a[0], b[0] + turn), max(a[2], b[2] + turn)) for turn in (-360, 0, 360)]
    west, east = min(ranges, key=lambda ends: ends[1] - ends[0])
    if east - west > 360 - 2 * resolution:
        west, east = -180.0, 180.0
    elif west < -180:
        west, east = west + 360, east + 360
    return west, min(a[1], b[1]), east, max(a[3], b[3])


def widen(sums: Sums, box: Box) -> Sums:
    """Move the sums to a grid that also covers a box, if theirs does not."""
    old, spacing = sums.frame, sums.frame.spacing
    here = _box_of(sums)
    union = _union(here, box, spacing)
    if here[0] <= union[0] and here[1] <= union[1] and here[2] >= union[2] and here[3] >= union[3]:
        return sums
    known = {"random": sums.variance.size > 0, "systematic": sums.shared.size > 0}
    wide = make_empty_sums(union, spacing, **known)
    rows = round((wide.frame.north - old.north) / spacing) + np.arange(sums.weight.shape[0])
    offset, turn = (old.west - wide.frame.west) / spacing, 360 / spacing
    columns = round(offset) + np.arange(sums.weight.shape[1])
    nx = wide.weight.shape[1]
    if columns[0] < 0 or columns[-1] >= nx or nx >= turn:
        if abs(turn - round(turn)) > 1e-6:
            raise SettingsError(
                "the swaths meet across the antimeridian, and the resolution of "
                f"{spacing:g} degree does not divide 360; choose one that does, or give the bounds"
            )
        columns %= round(turn)
    for name in sums._fields[1:]:
        if getattr(sums, name).size:
            getattr(wide, name)[np.ix_(rows, columns)] = getattr(sums, name)
    return wide


def align(several: list[Sums]) -> list[Sums]:
    """Move sums of equal resolution to one grid that covers them all."""
    if len(several) < 2:
        return several
    box = _box_of(several[0])
    for sums in several[1:]:
        box = _union(box, _box_of(sums), sums.frame.spacing)
    return [widen(sums, box) for sums in several]


def cover_anything(sums: Sums) -> bool:
    """Tell whether any cell has enough coverage for a value."""
    return bool((sums.weight >= LEAST_COVERAGE).any())


def means(sums: Sums, name: str, *, correlation: float = CORRELATION) -> xr.Dataset:
    """Return the lazy means of the sums, with gaps where coverage is too low.

    Slabs are computed when they are used. The means of a globe take several times the memory of the
    sums, which need it only for the cells that were observed.

    Parameters
    ----------
    sums : Sums
    name : str
        Name of the column.
    correlation : float
        Between the systematic errors of two overpasses, 0..1.

    Returns
    -------
    Dataset, (y, x)
        A scene (see `no2sr.core.layers`): the column, the uncertainties that the sums hold,
        coverage and count.
    """
    weight, number = _cut(sums.weight), _cut(sums.number)
    fields = {COVERAGE: _promise(_coverage, weight, number), COUNT: number}
    if sums.variance.size:
        fields[RANDOM] = _promise(_combine_random, _cut(sums.variance), weight)
    if sums.shared.size:
        share = partial(_combine_systematic, correlation=correlation)
        fields[SYSTEMATIC] = _promise(share, _cut(sums.shared), _cut(sums.squares), weight)
    parts = [fields[layer] for layer in (RANDOM, SYSTEMATIC) if layer in fields]
    if parts:
        fields[TOTAL] = _promise(_combine_total, *parts)
    grid = _grid(_box_of(sums), sums.frame.spacing)
    column = grid.copy(data=_promise(_mean, _cut(sums.weighted), weight)).rename(name)
    layers = {
        layer: grid.copy(data=data).assign_attrs(_COUNT_ATTRS if layer == COUNT else _MEAN)
        for layer, data in fields.items()
    }
    return assemble_scene(column.assign_attrs(COLUMN_ATTRS), layers)


class _Held:
    """An array that dask treats like a file: it would copy all slabs of an array at once."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, 2

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self.values[key])


def _cut(values: NDArray[Any]) -> Any:
    """Cut an array into slabs; its name is random, as a name by content would read all of it."""
    import dask.array as da

    name = f"sums-{uuid.uuid4().hex}"
    return da.from_array(_Held(values), chunks=(SLAB, values.shape[1]), name=name)


def _promise(function: Callable[..., NDArray[np.float32]], *arrays: Any) -> Any:
    import dask.array as da

    return da.map_blocks(function, *arrays, dtype=np.float32, meta=np.empty((0, 0), np.float32))


def _mean(total: NDArray[np.floating], weight: NDArray[np.float64]) -> NDArray[np.float32]:
    """Divide a sum by the weights where there is enough coverage."""
    mean = np.full(total.shape, np.nan, dtype=np.float32)
    np.divide(total, weight, out=mean, where=weight >= LEAST_COVERAGE, casting="same_kind")
    return mean


def _combine_random(
    variance: NDArray[np.float32], weight: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return ``sqrt(sum (a r)**2) / sum a``: errors of pixels are independent."""
    return _mean(np.sqrt(variance), weight)


def _combine_systematic(
    shared: NDArray[np.float32],
    squares: NDArray[np.float32],
    weight: NDArray[np.float64],
    *,
    correlation: float,
) -> NDArray[np.float32]:
    """Combine the errors that pixels share within an overpass, and partly between overpasses."""
    variance = correlation * np.square(shared, dtype=np.float64) + (1 - correlation) * squares
    return _mean(np.sqrt(variance), weight)


def _combine_total(*parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add independent errors in quadrature."""
    return parts[0] if len(parts) == 1 else np.hypot(*parts)


def _coverage(weight: NDArray[np.float64], number: NDArray[np.int32]) -> NDArray[np.float32]:
    return np.minimum(weight, number > 0, dtype=np.float32)
