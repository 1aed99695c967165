"""Sums over pixels on a grid: made, moved to a wider grid, and turned into means."""

from __future__ import annotations

import math
import mmap
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.errors import SettingsError
from no2sr.core.grid import regular_grid
from no2sr.core.image import COLUMN_ATTRS, STANDARD_NAME
from no2sr.core.units import CANONICAL
from no2sr.swaths.overlap import Frame, Sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from no2sr.core.earth import Box

__all__ = ["means", "no_sums", "widened"]


_MEAN = {"cell_methods": "area: mean"}
_ATTRS = {
    "column": COLUMN_ATTRS,
    "coverage": {"long_name": "share of the cell area that was observed", "units": "1", **_MEAN},
    "count": {
        "standard_name": f"{STANDARD_NAME} number_of_observations",
        "long_name": "number of pixels that overlap the cell",
        "units": "1",
        "cell_methods": "area: sum",
    },
    "precision": {
        "standard_name": f"{STANDARD_NAME} standard_error",
        "long_name": "standard error of the column if errors of pixels are fully correlated",
        "units": CANONICAL,
        **_MEAN,
    },
    "precision_independent": {
        "standard_name": f"{STANDARD_NAME} standard_error",
        "long_name": "standard error of the column if errors of pixels are independent",
        "units": CANONICAL,
        **_MEAN,
    },
}


SLAB = 512  # rows that are computed together
# 0.01 degree over the globe; at 28 bytes a cell more would not fit into usual memories.
MOST_CELLS = 6.5e8


def no_sums(box: Box, resolution: float, *, with_error: bool) -> Sums:
    """Prepare the sums of a grid around a box."""
    west, south, east, north = box
    if not (0 < east - west <= 360 and -90 <= south < north <= 90):
        raise SettingsError(
            f"bounds are {box}, expected (west, south, east, north) in degrees, west < east and at "
            "most once around the Earth, south < north within 90; let a region across the "
            "antimeridian run on, as 170 to 190"
        )
    cells = (north - south) / resolution * (east - west) / resolution
    if cells > MOST_CELLS:
        raise SettingsError(
            f"a grid of {resolution:g} degree over {box} has {cells:.1e} cells, expected at most "
            f"{MOST_CELLS:.1e}; choose a coarser resolution or a smaller region"
        )
    grid = _grid(box, resolution)
    ny, nx = grid.shape
    shape, error_shape = (ny, nx), (ny, nx) if with_error else (0, 0)
    t = grid.rio.transform()
    return Sums(
        frame=Frame(t.c, t.f, t.a),
        weighted=_zeros(shape, np.float64),
        weight=_zeros(shape, np.float64),
        number=_zeros(shape, np.int32),
        # These are reported and not computed with any further: float32 halves their memory.
        error=_zeros(error_shape, np.float32),
        variance=_zeros(error_shape, np.float32),
    )


def _grid(box: Box, resolution: float) -> xr.DataArray:
    """Return `no2sr.core.grid.regular_grid` around a box, joined of one column and one row.

    The whole of it would take as much memory as the values that it is to carry.
    """
    west, south, east, north = box
    column = regular_grid((west, south, west + resolution / 2, north), resolution)
    row = regular_grid((west, south, east, south + resolution / 2), resolution)
    empty = np.broadcast_to(np.float32(np.nan), (column.sizes["y"], row.sizes["x"]))
    coords = {"y": column["y"], "x": row["x"], "spatial_ref": column["spatial_ref"]}
    grid = xr.DataArray(empty, coords=coords, dims=("y", "x"))
    grid.encoding = column.encoding
    return grid


def _zeros(shape: tuple[int, int], kind: type[np.generic]) -> NDArray[Any]:
    """Return zeros that take memory page by page, where something is added.

    An orbit meets a fifth of a global grid; `numpy.zeros` asks the system for huge pages, and so
    ends up with all of it.
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
    """Return the smallest box around two, whichever way around the Earth is shorter."""
    ranges = [(min(a[0], b[0] + turn), max(a[2], b[2] + turn)) for turn in (-360, 0, 360)]
    west, east = min(ranges, key=lambda ends: ends[1] - ends[0])
    if east - west > 360 - 2 * resolution:
        west, east = -180.0, 180.0
    elif west < -180:
        west, east = west + 360, east + 360
    return west, min(a[1], b[1]), east, max(a[3], b[3])


def widened(sums: Sums, box: Box) -> Sums:
    """Move the sums to a grid that also holds a box, if theirs does not."""
    old, spacing = sums.frame, sums.frame.spacing
    here = _box_of(sums)
    union = _union(here, box, spacing)
    if here[0] <= union[0] and here[1] <= union[1] and here[2] >= union[2] and here[3] >= union[3]:
        return sums
    wide = no_sums(union, spacing, with_error=sums.error.size > 0)
    rows = round((wide.frame.north - old.north) / spacing) + np.arange(sums.weight.shape[0])
    offset, turn = (old.west - wide.frame.west) / spacing, 360 / spacing
    columns = round(offset) + np.arange(sums.weight.shape[1])
    nx = wide.weight.shape[1]
    if columns[0] < 0 or columns[-1] >= nx or nx >= turn:
        if abs(turn - round(turn)) > 1e-6:
            raise SettingsError(
                f"the swaths meet across the antimeridian at a resolution of {spacing:g} degree, "
                "expected one that divides 360; choose such a one, or state the bounds"
            )
        columns %= round(turn)
    names = ["weighted", "weight", "number", *["error", "variance"] * bool(sums.error.size)]
    for name in names:
        getattr(wide, name)[np.ix_(rows, columns)] = getattr(sums, name)
    return wide


def means(sums: Sums) -> xr.Dataset:
    """Promise the means, with gaps where no pixel counts; slabs are computed when they are used.

    The means of a globe take several times the memory of the cells that were met, which is all that
    the sums take.
    """
    weight, number = _slabs(sums.weight), _slabs(sums.number)
    fields = {
        "column": _promised(_mean, _slabs(sums.weighted), weight, number),
        "count": number,
        "coverage": _promised(_coverage, weight, number),
    }
    if sums.error.size:
        fields["precision"] = _promised(_mean, _slabs(sums.error), weight, number)
        root = _promised(np.sqrt, _slabs(sums.variance))
        fields["precision_independent"] = _promised(_mean, root, weight, number)
    grid = _grid(_box_of(sums), sums.frame.spacing)
    names = [name for name in _ATTRS if name in fields]
    return xr.Dataset({n: grid.copy(data=fields[n]).assign_attrs(_ATTRS[n]) for n in names})


class _Held:
    """An array that dask takes for a file's: of one in memory it would copy every slab at once."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, 2

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self.values[key])


def _slabs(values: NDArray[Any]) -> Any:
    """Return an array in slabs; named by chance, for a name by content would read all of it."""
    import dask.array as da

    name = f"sums-{uuid.uuid4().hex}"
    return da.from_array(_Held(values), chunks=(SLAB, values.shape[1]), name=name)


def _promised(function: Callable[..., NDArray[np.float32]], *arrays: Any) -> Any:
    import dask.array as da

    return da.map_blocks(function, *arrays, dtype=np.float32, meta=np.empty((0, 0), np.float32))


def _mean(
    total: NDArray[np.floating], weight: NDArray[np.float64], number: NDArray[np.int32]
) -> NDArray[np.float32]:
    mean = np.full(total.shape, np.nan, dtype=np.float32)
    np.divide(total, weight, out=mean, where=number > 0, casting="same_kind")
    return mean


def _coverage(weight: NDArray[np.float64], number: NDArray[np.int32]) -> NDArray[np.float32]:
    return np.minimum(weight, number > 0, dtype=np.float32)
