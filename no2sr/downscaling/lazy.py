"""A dask-backed scene made finer without computing anything.

Each task takes a chunk with a halo of its neighbours' cells, and cuts it into the same blocks that
a scene in memory is cut into; so the values are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.downscaling.blocks import block_side, continue_axis, cut_window, finer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.downscaling.blocks import Canvas
    from no2sr.downscaling.method import Method

__all__ = ["promise"]


def promise(canvas: Canvas, method: Method) -> Any:
    """Return the fine values as a dask array.

    Parameters
    ----------
    canvas : Canvas
        Of dask arrays.
    method : Method

    Returns
    -------
    dask array, (2, layers, scale * y, scale * x), float32
        The values and their uncertainty (NaN where the method states none); chunked as the canvas,
        in whole blocks.
    """
    import dask.array as da

    values = canvas.fields["values"]
    rows = _cut_axis(values.chunks[1], method)
    columns = _cut_axis(values.chunks[2], method, around=canvas.around)
    layers = [
        da.block(
            [
                [_make_task(canvas, method, (layer, own, down, across)) for _, across in columns]
                for own, down in rows
            ]
        )
        for layer in range(canvas.shape[0])
    ]
    return da.stack(layers, axis=1)


def _cut_axis(
    chunks: tuple[int, ...], method: Method, *, around: bool = False
) -> list[tuple[slice, Any]]:
    """Return the cells of each chunk along an axis, and an index of these and their halo.

    There is an index for fields on the coarse grid, and one for fields on the fine grid.
    """
    size, halo = sum(chunks), method.halo or 0
    side = block_side(method.scale)
    step = size if method.halo is None else max(1, max(chunks) // side) * side
    finer = (1, method.scale)
    wide = {f: continue_axis(size * f, halo * f, around=around) for f in finer}
    cuts = []
    for start in range(0, size, step):
        stop = min(start + step, size)
        inside = start >= halo and stop + halo <= size
        wanted = {
            f: slice((start - halo) * f, (stop + halo) * f)
            if inside
            else wide[f][start * f : (stop + 2 * halo) * f]
            for f in finer
        }
        cuts.append((slice(start, stop), wanted))
    return cuts


def _make_task(canvas: Canvas, method: Method, place: tuple[int, slice, Any, Any]) -> Any:
    """Return the promise of one chunk's fine values."""
    import dask.array as da

    layer, own, down, across = place
    scale, halo = method.scale, method.halo or 0
    windows = {}
    for name, field in canvas.fields.items():
        finer = finer_of(canvas.fields, name)
        one = field[min(layer, len(field) - 1)]
        windows[name] = one[down[finer]][:, across[finer]]
    shape = tuple((size - 2 * halo) * scale for size in windows["values"].shape)
    return da.map_blocks(
        _refine_window,
        *(window.rechunk(-1) for window in windows.values()),
        names=tuple(windows),
        areas=canvas.areas[own.start * scale : own.stop * scale],
        method=method,
        new_axis=0,
        chunks=((2,), (shape[0],), (shape[1],)),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), dtype=np.float32),
    )


def _refine_window(
    *fields: NDArray[np.floating],
    names: tuple[str, ...],
    areas: NDArray[np.float64],
    method: Method,
) -> NDArray[np.float32]:
    """Make one chunk finer, block by block."""
    window = {
        name: np.asarray(field, dtype=np.float32) for name, field in zip(names, fields, strict=True)
    }
    ny, nx = ((size - 2 * (method.halo or 0)) * method.scale for size in fields[0].shape)
    fine = np.full((2, ny, nx), np.nan, dtype=np.float32)
    for place, block in cut_window(window, areas, method):
        estimate = method(block)
        fine[0][place.refine(method.scale).window] = estimate.values
        if estimate.uncertainty is not None:
            fine[1][place.refine(method.scale).window] = estimate.uncertainty
    return fine
