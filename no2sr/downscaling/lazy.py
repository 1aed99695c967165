"""A dask-backed image made finer without computing anything.

Each task takes a chunk with a halo of its neighbours' cells, and cuts it into the same blocks that
an image in memory is cut into; so the values are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.grid import cell_areas, spans_globe
from no2sr.downscaling.blocks import block_side
from no2sr.steps.tiles import cut_tiles

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.downscaling.kernel import Kernel

__all__ = ["promised"]


def promised(image: xr.DataArray, kernel: Kernel) -> Any:
    """Return the fine values as a dask array.

    Parameters
    ----------
    image : DataArray, (y, x) or (time, y, x), dask-backed
    kernel : Kernel

    Returns
    -------
    dask array, (..., scale * y, scale * x), float32
        Chunked as the image, in whole blocks.
    """
    import dask.array as da

    scale, halo = kernel.model.card.scale, kernel.model.card.halo
    areas = cell_areas(image, refined=scale)
    ny, nx = image.shape[-2:]
    rows = _cuts(ny, image.data.chunks[-2], halo, scale=scale)
    columns = _cuts(nx, image.data.chunks[-1], halo, scale=scale, around=spans_globe(image))
    layers = [
        da.block(
            [
                [
                    _task(layer[wanted][:, across], areas[_fine(own, scale)], kernel)
                    for _, across in columns
                ]
                for own, wanted in rows
            ]
        )
        for layer in image.data.reshape(-1, ny, nx)
    ]
    return da.stack(layers) if image.ndim > 2 else layers[0]


def _cuts(
    size: int, chunks: tuple[int, ...], halo: int, *, scale: int, around: bool = False
) -> list[tuple[slice, Any]]:
    """Return the cells of each chunk along an axis, and an index of these and their halo."""
    side = block_side(scale)
    step = max(1, max(chunks) // side) * side
    wide = np.pad(np.arange(size), halo, mode="wrap" if around else "symmetric")
    cuts = []
    for start in range(0, size, step):
        stop = min(start + step, size)
        wanted = wide[start : stop + 2 * halo]
        inside = start >= halo and stop + halo <= size
        cuts.append((slice(start, stop), slice(start - halo, stop + halo) if inside else wanted))
    return cuts


def _fine(cells: slice, scale: int) -> slice:
    return slice(cells.start * scale, cells.stop * scale)


def _task(window: Any, areas: NDArray[np.float64], kernel: Kernel) -> Any:
    """Return the promise of one chunk's fine values."""
    scale, halo = kernel.model.card.scale, kernel.model.card.halo
    shape = tuple((size - 2 * halo) * scale for size in window.shape)
    return window.rechunk(-1).map_blocks(
        _refined,
        areas,
        kernel,
        chunks=tuple((size,) for size in shape),
        dtype=np.float32,
        meta=np.empty((0, 0), dtype=np.float32),
    )


def _refined(
    window: NDArray[np.floating], areas: NDArray[np.float64], kernel: Kernel
) -> NDArray[np.float32]:
    """Make one chunk finer, block by block."""
    scale, halo = kernel.model.card.scale, kernel.model.card.halo
    cells = (window.shape[0] - 2 * halo, window.shape[1] - 2 * halo)
    fine = np.empty((cells[0] * scale, cells[1] * scale), dtype=np.float32)
    for tile in cut_tiles(cells, block_side(scale)):
        place = tile.refined(scale)
        block = window[tile.moved(halo).grown(halo).window]
        fine[place.window] = kernel(block, areas[place.rows]).values
    return fine
