"""Shards of one large export, put together again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.errors import DimensionError
from no2sr.readers._files import readable
from no2sr.readers._paths import shard_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from no2sr.readers._sources import Source

__all__ = ["mosaicked"]

_TOUCH = 1e-3  # of a cell; how exactly shards fit


def mosaicked(shards: Sequence[Source]) -> Source:
    """Lay the shards of one export onto the grid that they tile.

    Cells of shards that were not given are gaps.

    Raises
    ------
    DimensionError
        If they overlap, or do not lie on one grid.
    """
    from no2sr.readers._sources import Source

    columns = [_column(shard) for shard in shards]
    whole = str(shard_of(shards[0].path))
    x, left = _axis([column["x"].values for column in columns], whole)
    y, top = _axis([column["y"].values for column in columns], whole)
    first = columns[0]
    lead = first.shape[:-2]
    values = np.full((*lead, y.size, x.size), np.nan, dtype=first.dtype)
    taken = np.zeros((y.size, x.size), dtype=bool)
    for column, i, j in zip(columns, top, left, strict=True):
        place = (slice(i, i + column.sizes["y"]), slice(j, j + column.sizes["x"]))
        _check(column, first, free=not taken[place].any(), whole=whole)
        values[..., *place] = column.values
        taken[place] = True
    coords = {k: c for k, c in first.coords.items() if not {"x", "y"} & set(c.dims)}
    mapping = {k: c.drop_attrs() if k == "spatial_ref" else c for k, c in coords.items()}
    merged = xr.DataArray(
        values,
        dims=first.dims,
        coords={**mapping, "y": ("y", y, first["y"].attrs), "x": ("x", x, first["x"].attrs)},
        name=first.name,
        attrs=next((c.attrs for c in columns if c.attrs.get("units")), first.attrs),
    ).rio.write_crs(first.rio.crs)
    dataset = merged.to_dataset().assign_attrs(shards[0].dataset.attrs)
    dataset.attrs["screening"] = f"from {len(shards)} shards"
    for shard in shards:
        shard.dataset.close()
    return Source(shards[0].path.with_name(whole), shards[0].reader, dataset)


def _column(shard: Source) -> xr.DataArray:
    (name,) = shard.dataset.data_vars
    with readable(shard.path):
        return shard.dataset[name].load()


def _axis(parts: list[NDArray[np.float64]], whole: str) -> tuple[NDArray[np.float64], list[int]]:
    """Return the axis of the whole, and where on it each part begins."""
    steps = [np.diff(part).mean() for part in parts if part.size > 1]
    step = steps[0] if steps else 1.0
    starts = np.array([part[0] for part in parts])
    ends = np.array([part[-1] for part in parts])
    origin = starts.min() if step > 0 else starts.max()
    places = (starts - origin) / step
    even = np.abs(places - np.rint(places)).max() <= _TOUCH
    if not even or not np.allclose(steps, step, rtol=_TOUCH / max(p.size for p in parts)):
        raise DimensionError(
            f"the shards of {whole} do not lie on one grid, expected equal cells next to each "
            "other; give the shards of one export"
        )
    count = int(np.rint(((ends - origin) / step).max())) + 1
    return origin + step * np.arange(count), [int(place) for place in np.rint(places)]


def _check(column: xr.DataArray, first: xr.DataArray, *, free: bool, whole: str) -> None:
    if not free:
        raise DimensionError(
            f"two shards of {whole} overlap, expected them to tile a grid; give each shard once"
        )
    if column.rio.crs != first.rio.crs or column.name != first.name:
        raise DimensionError(
            f"the shards of {whole} differ in CRS or band ({column.name}, {first.name}), expected "
            "one of each; give the shards of one export"
        )
