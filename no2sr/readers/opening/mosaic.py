"""Join the shards of one large export."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from no2sr.core.errors import DimensionError
from no2sr.core.layers import companions_of, layer_name
from no2sr.readers.kit.files import explain_read_errors
from no2sr.readers.opening.grids import column_of
from no2sr.readers.opening.paths import shard_of
from no2sr.readers.opening.source import Source
from no2sr.steps.tiles import Tile

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray


__all__ = ["join_shards"]

_TOUCH = 1e-3  # cells by which shards may miss each other


def join_shards(shards: Sequence[Source]) -> Source:
    """Join the shards of one export on the grid that they tile, with all their layers.

    The cells of missing shards are gaps.

    Raises
    ------
    DimensionError
        If they overlap, or do not lie on the same grid.
    """
    columns = [_column(shard) for shard in shards]
    whole = str(shard_of(shards[0].path))
    x, left = _axis([column["x"].values for column in columns], whole)
    y, top = _axis([column["y"].values for column in columns], whole)
    places = [
        Tile(rows=slice(i, i + column.sizes["y"]), columns=slice(j, j + column.sizes["x"]))
        for column, i, j in zip(columns, top, left, strict=True)
    ]
    _check_alike(columns, whole)
    pieces = _pieces(places, (y.size, x.size), whole)
    layers = {
        name: _join(parts, places, pieces, axes=(y, x))
        for name, parts in [(columns[0].name, columns), *_companions(shards, columns[0].name)]
    }
    dataset = xr.Dataset(layers).assign_attrs(shards[0].dataset.attrs)
    dataset.attrs["screening"] = f"from {len(shards)} shards"
    closing = ExitStack()
    for shard in shards:
        closing.callback(shard.dataset.close)
    dataset.set_close(closing.close)
    return Source(shards[0].path.with_name(whole), shards[0].reader, dataset, shards[0].variable)


def _join(
    parts: list[xr.DataArray],
    places: list[Tile],
    pieces: _Pieces,
    *,
    axes: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> xr.DataArray:
    """Join one layer of all shards."""
    first, (y, x) = parts[0], axes
    lay = _lay if first.chunks is None else _promise
    coords = {k: c for k, c in first.coords.items() if not {"x", "y"} & set(c.dims)}
    mapping = {k: c.drop_attrs() if k == "spatial_ref" else c for k, c in coords.items()}
    joined = xr.DataArray(
        lay([part.data for part in parts], places, pieces),
        dims=first.dims,
        coords={**mapping, "y": ("y", y, first["y"].attrs), "x": ("x", x, first["x"].attrs)},
        name=first.name,
        attrs=next((part.attrs for part in parts if part.attrs.get("units")), first.attrs),
    )
    placed: xr.DataArray = joined.rio.write_crs(first.rio.crs)
    return placed


def _companions(shards: Sequence[Source], name: Hashable) -> list[tuple[str, list[xr.DataArray]]]:
    """Return the companions that all shards have, by name."""
    there = [companions_of(shard.dataset, name) for shard in shards]
    found = []
    for layer in there[0]:
        if all(layer in each for each in there):
            parts = [_load(each[layer], s) for each, s in zip(there, shards, strict=True)]
            found.append((layer_name(name, layer), parts))
    return found


def _column(shard: Source) -> xr.DataArray:
    return _load(column_of(shard.dataset), shard)


def _load(column: xr.DataArray, shard: Source) -> xr.DataArray:
    with explain_read_errors(shard.path):
        return column.load() if column.chunks is None else column


def _axis(parts: list[NDArray[np.float64]], whole: str) -> tuple[NDArray[np.float64], list[int]]:
    """Return the axis of the whole, and the index where each part begins."""
    steps = [np.diff(part).mean() for part in parts if part.size > 1]
    step = steps[0] if steps else 1.0
    starts = np.array([part[0] for part in parts])
    ends = np.array([part[-1] for part in parts])
    origin = starts.min() if step > 0 else starts.max()
    places = (starts - origin) / step
    even = np.abs(places - np.rint(places)).max() <= _TOUCH
    if not even or not np.allclose(steps, step, rtol=_TOUCH / max(p.size for p in parts)):
        raise DimensionError(
            f"the shards of {whole} do not lie on the same grid; give the shards of one export"
        )
    count = int(np.rint(((ends - origin) / step).max())) + 1
    return origin + step * np.arange(count), [int(place) for place in np.rint(places)]


def _check_alike(columns: list[xr.DataArray], whole: str) -> None:
    first = columns[0]
    for column in columns[1:]:
        if column.rio.crs != first.rio.crs or column.name != first.name:
            raise DimensionError(
                f"the shards of {whole} differ in CRS or band ({column.name}, {first.name}); give "
                "the shards of one export"
            )


class _Pieces(NamedTuple):
    """A grid cut where shards begin or end, and the shard of each piece; -1 for none."""

    rows: list[tuple[int, int]]
    columns: list[tuple[int, int]]
    owner: NDArray[np.intp]


def _pieces(places: list[Tile], shape: tuple[int, int], whole: str) -> _Pieces:
    """Cut the whole into pieces, and refuse shards that overlap."""
    down = sorted({0, shape[0]}.union(*((p.rows.start, p.rows.stop) for p in places)))
    across = sorted({0, shape[1]}.union(*((p.columns.start, p.columns.stop) for p in places)))
    owner = np.full((len(down) - 1, len(across) - 1), -1)
    for number, place in enumerate(places):
        there = owner[
            down.index(place.rows.start) : down.index(place.rows.stop),
            across.index(place.columns.start) : across.index(place.columns.stop),
        ]
        if (there >= 0).any():
            raise DimensionError(f"two shards of {whole} overlap; give each shard once")
        there[:] = number
    return _Pieces(list(pairwise(down)), list(pairwise(across)), owner)


def _lay(parts: list[Any], places: list[Tile], pieces: _Pieces) -> NDArray[np.floating[Any]]:
    """Join arrays; cells without a shard are gaps."""
    first, shape = parts[0], (pieces.rows[-1][1], pieces.columns[-1][1])
    values = np.full((*first.shape[:-2], *shape), np.nan, dtype=first.dtype)
    for part, place in zip(parts, places, strict=True):
        values[..., *place.window] = part
    return values


def _promise(parts: list[Any], places: list[Tile], pieces: _Pieces) -> Any:
    """Join dask arrays as `_lay` joins arrays in memory."""
    import dask.array as da

    first = parts[0]

    def piece(owner: int, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
        if owner < 0:
            shape = (*first.shape[:-2], rows[1] - rows[0], columns[1] - columns[0])
            return da.full(shape, np.nan, dtype=first.dtype)
        top, left = places[owner].rows.start, places[owner].columns.start
        inside = slice(rows[0] - top, rows[1] - top), slice(columns[0] - left, columns[1] - left)
        return parts[owner][..., *inside].astype(first.dtype)

    return da.block(
        [
            [piece(k, rows, columns) for k, columns in zip(line, pieces.columns, strict=True)]
            for line, rows in zip(pieces.owner, pieces.rows, strict=True)
        ]
    )
