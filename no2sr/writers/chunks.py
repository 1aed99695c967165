"""Chunks of a field in an HDF5 file, compressed on all cores.

HDF5 compresses in one thread, which takes longer than everything else. But it also stores chunks
that are already compressed (``H5Dwrite_chunk``). A chunk of nothing but the fill value is not
stored at all: it reads as the fill value anyway.
"""

from __future__ import annotations

import zlib
from collections import deque
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor

    import h5py
    import xarray as xr
    from numpy.typing import NDArray

    Place = tuple[int, int]  # layer, first row

__all__ = ["LEVEL", "fill"]

LEVEL = 1  # of deflate: higher levels take several times as long and save a few per cent


def fill(place: h5py.Dataset, field: xr.DataArray, pool: Executor) -> None:
    """Store the values of a field, slab by slab.

    One slab is computed while the one before it is compressed. The chunks are stored in the order
    of their places: equal fields give equal bytes, whether they are lazy or not.

    Parameters
    ----------
    place : h5py.Dataset, (..., y, x)
        Empty; shuffled and deflated, in chunks that are one layer deep.
    field : DataArray, (..., y, x)
        A lazy one is computed one row of its chunks at a time, every chunk once.
    pool : Executor
        Threads that compress.

    Raises
    ------
    OSError
        If the system refuses to write, as on a full disk.
    """
    rows, columns = place.chunks[-2:]
    pack = partial(_pack, shape=(rows, columns), fill=place.fillvalue, kind=place.dtype)
    slabs = _Slabs(place)
    for at, slab in _cut_slabs(field, rows):
        blocks = [slab[:, left : left + columns] for left in range(0, slab.shape[1], columns)]
        slabs.put(at, pool.map(pack, blocks))
    slabs.settle()


class _Slabs:
    """Stores slabs in the order of their places, in whatever order they arrive."""

    def __init__(self, place: h5py.Dataset) -> None:
        *self.layers, ny, _ = place.shape
        self.place = place
        rows = range(0, ny, place.chunks[-2])
        self.order = deque(product(range(int(np.prod(self.layers))), rows))
        self.ready: dict[Place, list[bytes | None]] = {}
        self.last: tuple[Place, Iterable[bytes | None]] | None = None

    def put(self, at: Place, packed: Iterable[bytes | None]) -> None:
        """Accept a slab that is still being packed, and settle the one before."""
        self.settle()
        self.last = at, packed

    def settle(self) -> None:
        """Wait for the last slab, and store every slab whose turn has come."""
        if self.last is not None:
            at, packed = self.last
            self.ready[at] = list(packed)
            self.last = None
        while self.order and self.order[0] in self.ready:
            layer, row = at = self.order.popleft()
            place = (
                (*map(int, np.unravel_index(layer, self.layers)), row) if self.layers else (row,)
            )
            for number, octets in enumerate(self.ready.pop(at)):
                if octets is not None:
                    left = number * self.place.chunks[-1]
                    self.place.id.write_direct_chunk((*place, left), octets)


def _cut_slabs(field: xr.DataArray, rows: int) -> Iterator[tuple[Place, NDArray[Any]]]:
    """Yield slabs of `rows` rows and their places; the last slab of a layer may have fewer."""
    kept: dict[int, NDArray[Any]] = {}
    for (layer, top), made in _compute_bands(field):
        held = kept.pop(layer, made[:0])
        band, first = np.concatenate([held, made]) if len(held) else made, top - len(held)
        last = first + len(band) == field.shape[-2]
        end = len(band) if last else len(band) // rows * rows
        for start in range(0, end, rows):
            yield (layer, first + start), band[start : min(start + rows, end)]
        if end < len(band):
            kept[layer] = band[end:].copy()  # a view would keep all of the band in memory


def _compute_bands(field: xr.DataArray) -> Iterator[tuple[Place, NDArray[Any]]]:
    """Yield whole layers of a field in memory; of a lazy one, the rows of one row of chunks."""
    layers = field.data.reshape(-1, *field.shape[-2:])
    if field.chunks is None:
        yield from (((number, 0), layer) for number, layer in enumerate(layers))
        return
    firsts, tops = (np.cumsum([0, *sizes[:-1]]).tolist() for sizes in layers.chunks[:2])
    for (i, first), (j, top) in product(enumerate(firsts), enumerate(tops)):
        made = layers.blocks[i, j].compute(scheduler="synchronous")
        yield from (((first + number, top), band) for number, band in enumerate(made))


def _pack(
    block: NDArray[Any], *, shape: tuple[int, int], fill: Any, kind: np.dtype[Any]
) -> bytes | None:
    """Shuffle and deflate a chunk as HDF5 does; None if it holds nothing but fill."""
    if (np.isnan(block) if np.isnan(fill) else block == fill).all():
        return None
    whole = block.astype(kind, order="C")
    if block.shape != shape:  # at the edges of the field
        whole = np.full(shape, fill, dtype=kind)
        whole[tuple(map(slice, block.shape))] = block
    octets = whole.view(np.uint8).reshape(whole.size, kind.itemsize)
    return zlib.compress(octets.T.tobytes(), LEVEL)
