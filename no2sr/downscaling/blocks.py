"""An image worked on block by block: rows of blocks, the same cuts in every kind of run.

Blocks are read in the calling thread, since the libraries under NetCDF are not thread-safe, made
finer on all cores, and handed back in order. No more of the image is in memory than a strip, that
is a row of blocks with its halo.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from no2sr.core.grid import cell_areas, spans_globe
from no2sr.steps.tiles import Tile, cut_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.downscaling.kernel import Kernel, Refined

__all__ = ["Done", "Strips", "Workers", "block_side", "pool"]

# Fine cells along a block: its arrays then fit the cache of a core.
BLOCK = 512


class Done(NamedTuple):
    """A block made finer: its layer, its place among the coarse cells, and what came out."""

    layer: int
    place: Tile
    result: Refined


def block_side(scale: int) -> int:
    """Return the cells along a block."""
    return max(1, BLOCK // scale)


class Workers(NamedTuple):
    """What blocks are made finer on, and how many at once."""

    executor: Executor
    threads: int


@contextmanager
def pool(workers: Workers | None) -> Iterator[Workers]:
    """Lend a thread for each core, or the workers given."""
    if workers is not None:
        yield workers
        return
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as executor:
        yield Workers(executor, threads)


class Strips:
    """How an image is cut for a kernel.

    Parameters
    ----------
    image : DataArray, (y, x) or (time, y, x)
        In memory or dask-backed; of the latter one strip at a time is computed.
    kernel : Kernel
    """

    def __init__(self, image: xr.DataArray, kernel: Kernel) -> None:
        card = kernel.model.card
        self.kernel, self.scale, self.halo = kernel, card.scale, card.halo
        self.around = spans_globe(image)
        self.areas = cell_areas(image, refined=card.scale)
        self.layers = image.data.reshape(-1, *image.shape[-2:])
        self.read = reader_of(self.layers)
        side = block_side(self.scale)
        ny = image.sizes["y"]
        self.rows = [slice(top, min(top + side, ny)) for top in range(0, ny, side)]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows and columns of the fine values."""
        count, ny, nx = self.layers.shape
        return count, ny * self.scale, nx * self.scale

    def __len__(self) -> int:
        """Return the number of strips of all layers."""
        return len(self.layers) * len(self.rows)

    def refined(self, workers: Workers, *, first: int = 0) -> Iterator[Done]:
        """Yield the blocks in order, from a strip on.

        Parameters
        ----------
        workers : Workers
        first : int
            Number of the strip to begin with.

        Yields
        ------
        Done
        """
        waiting: deque[tuple[int, Tile, Future[Refined]]] = deque()
        try:
            for layer, place, block in self._blocks(first):
                areas = self.areas[place.refined(self.scale).rows]
                future = workers.executor.submit(self.kernel, block, areas)
                waiting.append((layer, place, future))
                if len(waiting) >= 2 * workers.threads:
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())
        finally:
            for _, _, future in waiting:
                future.cancel()

    def _blocks(self, first: int) -> Iterator[tuple[int, Tile, NDArray[np.float32]]]:
        """Read the blocks with their halos, from a strip on."""
        for number in range(first, len(self)):
            layer, strip = divmod(number, len(self.rows))
            rows = self.rows[strip]
            values = self._with_halo(layer, rows)
            columns = values.shape[1] - 2 * self.halo
            for tile in cut_tiles((rows.stop - rows.start, columns), block_side(self.scale)):
                left, right = tile.columns.start, tile.columns.stop + 2 * self.halo
                yield layer, Tile(rows=rows, columns=tile.columns), values[:, left:right].copy()

    def _with_halo(self, layer: int, rows: slice) -> NDArray[np.float32]:
        """Read a strip, continued on all sides: around the globe where it closes, else mirrored."""
        halo = self.halo
        wanted = np.pad(np.arange(self.layers.shape[1]), halo, mode="symmetric")
        wanted = wanted[rows.start : rows.stop + 2 * halo]
        low, high = int(wanted.min()), int(wanted.max()) + 1
        read = self.read(layer, low, high)[wanted - low]
        there: NDArray[np.float32] = read.astype(np.float32, copy=False)
        rim = ((0, 0), (halo, halo))
        return np.pad(there, rim, mode="wrap" if self.around else "symmetric")


def _result(layer: int, place: Tile, future: Future[Refined]) -> Done:
    return Done(layer, place, future.result())


def reader_of(layers: Any) -> Callable[[int, int, int], NDArray[np.floating]]:
    """Return what reads rows of a layer; of a dask array, each chunk only once.

    Strips share rows with their neighbours, and chunks seldom end where strips do. Chunks of whole
    layers may hold several; of others, only the layer that is asked for is kept.
    """
    if not hasattr(layers, "dask"):
        return lambda layer, low, high: layers[layer, low:high]
    from dask.base import optimize

    # Once, and not for every strip: of a stack of many files that takes longer than all the rest.
    (layers,) = optimize(layers)
    across = _spans(layers.chunks[1])
    along = _spans(layers.chunks[0]) if len(across) == 1 else _spans((1,) * len(layers))
    kept: dict[tuple[int, int], NDArray[np.floating]] = {}

    def read(layer: int, low: int, high: int) -> NDArray[np.floating]:
        first, last = next(span for span in along if span[1] > layer)
        spans = [(a, b) for a, b in across if a < high and b > low]
        wanted = [(first, a) for a, _ in spans]
        for key in set(kept) - set(wanted):
            del kept[key]
        for key, (a, b) in zip(wanted, spans, strict=True):
            if key not in kept:
                kept[key] = np.asarray(layers[first:last, a:b])
        start = spans[0][0]
        rows = [kept[key][layer - first] for key in wanted]
        return np.concatenate(rows)[low - start : high - start]

    return read


def _spans(chunks: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return where chunks begin and end."""
    return list(pairwise([0, *np.cumsum(chunks).tolist()]))
