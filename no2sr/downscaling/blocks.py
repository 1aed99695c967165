"""How a scene is cut into blocks: the same blocks in memory, by window, and on Dask.

Blocks are read in the calling thread, since the libraries under NetCDF are not thread-safe. No more
of the scene is in memory than a strip, which is a row of blocks with its halo.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.grid import cell_areas, spans_globe
from no2sr.downscaling.method import Block
from no2sr.steps.tiles import Tile, cut_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.downscaling.method import Method

__all__ = ["Canvas", "Strips", "block_side", "continue_axis", "cut_window", "finer_of", "reader_of"]

# Fine cells along a block: its arrays then fit the cache of a core.
BLOCK = 512


def block_side(scale: int) -> int:
    """Return the number of coarse cells along a block."""
    return max(1, BLOCK // scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """The arrays of a scene that methods work on.

    Attributes
    ----------
    fields : dict of str to array, (layers, y, x)
        ``values``, and where they are known ``noise``, ``systematic`` and others: the fields of a
        `Block`. In memory or dask arrays. A field may be on the fine grid.
    areas : array, (scale * y,)
        Relative area of the cells of each fine row.
    around : bool
        Whether the last column meets the first one.
    """

    fields: dict[str, Any]
    areas: NDArray[np.float64]
    around: bool

    @classmethod
    def of(
        cls, image: xr.DataArray, scale: int, beside: Mapping[str, xr.DataArray] | None = None
    ) -> Canvas:
        """Take the arrays of an image.

        Parameters
        ----------
        image : DataArray, (y, x) or (time, y, x)
        scale : int
        beside : mapping of str to DataArray like `image`, optional
            Further fields of a `Block`, by name.
        """
        found = {"values": image, **(beside or {})}
        fields = {name: field.data.reshape(-1, *field.shape[-2:]) for name, field in found.items()}
        return cls(fields=fields, areas=cell_areas(image, refined=scale), around=spans_globe(image))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows and columns of the coarse values."""
        layers, ny, nx = self.fields["values"].shape
        return layers, ny, nx


class Strips:
    """The blocks of a canvas, row by row.

    Parameters
    ----------
    canvas : Canvas
    method : Method
    """

    def __init__(self, canvas: Canvas, method: Method) -> None:
        self.canvas, self.method = canvas, method
        self.halo = method.halo or 0
        self._read = {name: reader_of(field) for name, field in canvas.fields.items()}
        _, ny, nx = canvas.shape
        self.side = max(ny, nx) if method.halo is None else block_side(method.scale)
        self.rows = [slice(top, min(top + self.side, ny)) for top in range(0, ny, self.side)]
        self._axes = {
            finer: (
                continue_axis(ny * finer, self.halo * finer),
                continue_axis(nx * finer, self.halo * finer, around=canvas.around),
            )
            for finer in (1, method.scale)
        }

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows and columns of the fine values."""
        layers, ny, nx = self.canvas.shape
        return layers, ny * self.method.scale, nx * self.method.scale

    def __len__(self) -> int:
        """Return the number of strips of all layers."""
        return self.shape[0] * len(self.rows)

    def blocks(self, first: int = 0) -> Iterator[tuple[int, Tile, Block]]:
        """Read the blocks in order.

        Parameters
        ----------
        first : int
            Number of the strip to begin with.

        Yields
        ------
        layer : int
        place : Tile
            The coarse cells of the block, without its halo.
        block : Block
        """
        scale = self.method.scale
        for number in range(first, len(self)):
            layer, strip = divmod(number, len(self.rows))
            rows = self.rows[strip]
            areas = self.canvas.areas[rows.start * scale : rows.stop * scale]
            for tile, block in cut_window(self._window(layer, rows), areas, self.method):
                yield layer, Tile(rows=rows, columns=tile.columns), block

    def _window(self, layer: int, rows: slice) -> dict[str, NDArray[np.float32]]:
        """Read a strip with its halo."""
        window = {}
        for name, read in self._read.items():
            finer = finer_of(self.canvas.fields, name)
            down, across = self._axes[finer]
            wanted = down[rows.start * finer : (rows.stop + 2 * self.halo) * finer]
            low, high = int(wanted.min()), int(wanted.max()) + 1
            # What does not change with time has one layer.
            own = min(layer, len(self.canvas.fields[name]) - 1)
            window[name] = read(own, low, high)[wanted - low][:, across].astype(np.float32)
        return window


def finer_of(fields: Mapping[str, Any], name: str) -> int:
    """Return how many times finer than the coarse grid a field is."""
    return int(fields[name].shape[-2] // fields["values"].shape[-2])


def continue_axis(size: int, halo: int, *, around: bool = False) -> NDArray[np.intp]:
    """Return the index of each cell of an axis and its halo.

    Parameters
    ----------
    size, halo : int
    around : bool
        Continue around the globe rather than by reflection.

    Returns
    -------
    array of int, (size + 2 halo,)
    """
    return np.pad(np.arange(size), halo, mode="wrap" if around else "symmetric")


def cut_window(
    window: Mapping[str, NDArray[np.float32]], areas: NDArray[np.float64], method: Method
) -> Iterator[tuple[Tile, Block]]:
    """Cut a window into blocks.

    Parameters
    ----------
    window : mapping of str to array, (y + 2 halo, x + 2 halo)
        The fields of a `Block`.
    areas : array, (scale * y,)
    method : Method

    Yields
    ------
    place : Tile
        The cells of the block within the window, without the halo.
    block : Block
    """
    halo, scale = method.halo or 0, method.scale
    ny, nx = (size - 2 * halo for size in window["values"].shape)
    side = max(ny, nx) if method.halo is None else block_side(scale)
    for tile in cut_tiles((ny, nx), side):
        around = tile.shift(halo).grow(halo)
        fields = {
            name: field[around.refine(finer_of(window, name)).window].copy()
            for name, field in window.items()
        }
        yield tile, Block(areas=areas[tile.refine(scale).rows], **fields)


def reader_of(layers: Any) -> Callable[[int, int, int], NDArray[np.floating]]:
    """Return a function that reads rows of a layer; of a dask array, it reads each chunk once.

    Strips share rows with their neighbours, and chunks seldom end where strips do. Chunks of whole
    layers may hold several; of others, only the layer that is asked for is kept.
    """
    if not hasattr(layers, "dask"):
        return lambda layer, low, high: layers[layer, low:high]
    from dask.base import optimize

    # Once, and not for every strip: for a stack of many files that takes longer than all the rest.
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
    """Return the first index of each chunk and the index after its last."""
    return list(pairwise([0, *np.cumsum(chunks).tolist()]))
