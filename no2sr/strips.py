"""An image worked on block by block: rows of blocks, the same cuts in every kind of run.

Blocks are read in the calling thread, since the libraries under NetCDF are not thread-safe, made
finer on all cores, and handed back in order. No more of the image is in memory than a strip, that
is a row of blocks with its halo.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.grid import cell_areas, spans_globe
from no2sr.tiles import Tile, cut_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor, Future

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.inference.kernel import Kernel, Refined

__all__ = ["Done", "Strips", "block_side", "pool", "with_halo"]

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


def pool(executor: Executor | None) -> Executor | nullcontext[Executor]:
    """Return a thread for each core, or the executor given, which is then left open."""
    return ThreadPoolExecutor(os.cpu_count()) if executor is None else nullcontext(executor)


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

    def refined(self, executor: Executor, *, first: int = 0, ahead: int = 0) -> Iterator[Done]:
        """Yield the blocks in order, from a strip on.

        Parameters
        ----------
        executor : Executor
        first : int
            Number of the strip to begin with.
        ahead : int
            Blocks that may be under way at once; by default two a core.

        Yields
        ------
        Done
        """
        ahead = ahead or 2 * (os.cpu_count() or 1)
        waiting: deque[tuple[int, Tile, Future[Refined]]] = deque()
        try:
            for layer, place, block in self._blocks(first):
                areas = self.areas[place.refined(self.scale).rows]
                waiting.append((layer, place, executor.submit(self.kernel, block, areas)))
                if len(waiting) >= ahead:
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
            values = with_halo(self.layers[layer], rows, self.halo, around=self.around)
            columns = values.shape[1] - 2 * self.halo
            for tile in cut_tiles((rows.stop - rows.start, columns), block_side(self.scale)):
                left, right = tile.columns.start, tile.columns.stop + 2 * self.halo
                yield layer, Tile(rows=rows, columns=tile.columns), values[:, left:right].copy()


def _result(layer: int, place: Tile, future: Future[Refined]) -> Done:
    return Done(layer, place, future.result())


def with_halo(
    layer: NDArray[np.floating], rows: slice, halo: int, *, around: bool
) -> NDArray[np.float32]:
    """Read some rows, continued on all sides: around the globe in x where it closes, else mirrored.

    Parameters
    ----------
    layer : array, (y, x), or its dask counterpart
    rows : slice
    halo : int
    around : bool
        Whether the last column meets the first.

    Returns
    -------
    array, (rows + 2 halo, x + 2 halo), float32
    """
    wanted = np.pad(np.arange(layer.shape[0]), halo, mode="symmetric")
    wanted = wanted[rows.start : rows.stop + 2 * halo]
    low, high = int(wanted.min()), int(wanted.max()) + 1
    there = np.asarray(layer[low:high], dtype=np.float32)[wanted - low]
    return np.pad(there, ((0, 0), (halo, halo)), mode="wrap" if around else "symmetric")
