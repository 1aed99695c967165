"""Stack grids along time."""

from __future__ import annotations

import numpy as np
import xarray as xr

from no2sr.core.errors import DimensionError
from no2sr.core.grid import bounds_of, georeference, transform_of
from no2sr.core.image import add_history, crs_of
from no2sr.core.layers import LAYERS, assemble_scene, companions_of
from no2sr.core.times import BOUNDS, EDGES, TIME, keep_bounds, time_bounds
from no2sr.readers.opening.grids import column_of

__all__ = ["stack_scenes"]


def stack_scenes(scenes: list[xr.Dataset]) -> xr.Dataset:
    """Stack scenes on equal grids in the order of their times, with all their layers.

    A layer that a scene lacks is NaN at its time.

    Raises
    ------
    DimensionError
        If a scene has no time, two have the same, or their grids differ.
    """
    columns = [_add_time_dim(column_of(scene)) for scene in scenes]
    first = columns[0]
    for column in columns[1:]:
        _check_alike(first, column)
    whole = _stack(columns)
    if not whole.indexes["time"].is_unique:
        raise DimensionError("two of the files have the same time; open them one at a time")
    there = [companions_of(scene, column_of(scene).name) for scene in scenes]
    layers = {}
    for layer in (layer for layer in LAYERS if any(layer in each for each in there)):
        parts = [
            _add_time_dim(each[layer]) if layer in each else xr.full_like(column, np.nan)
            for each, column in zip(there, columns, strict=True)
        ]
        attrs = next(each[layer].attrs for each in there if layer in each)
        layers[layer] = _stack([part.assign_attrs(attrs) for part in parts])
    whole.name = first.name
    scene = assemble_scene(add_history(whole, f"stacked {len(scenes)} files along time"), layers)
    return _attach_bounds(scene, scenes)


def _attach_bounds(scene: xr.Dataset, parts: list[xr.Dataset]) -> xr.Dataset:
    """Give a stack the bounds of the times of its parts, if each of them has bounds."""
    bounds = [time_bounds(part) for part in parts]
    if any(found is None for found in bounds):
        return scene
    edges = np.concatenate([found.values.reshape(-1, 2) for found in bounds if found is not None])
    times = np.concatenate([np.atleast_1d(part[TIME].values) for part in parts])
    stacked = scene.assign_coords({BOUNDS: ((TIME, EDGES), edges[np.argsort(times)])})
    return keep_bounds(stacked, stacked)


def _check_alike(first: xr.DataArray, other: xr.DataArray) -> None:
    """Refuse images of different grids or units."""
    same = all(np.array_equal(first[axis].values, other[axis].values) for axis in ("y", "x"))
    if not same or crs_of(first) != crs_of(other):
        raise DimensionError(
            f"the files lie on different grids ({bounds_of(first)} and {bounds_of(other)}); open "
            "them one at a time"
        )
    if other.attrs["units"] != first.attrs["units"]:
        raise DimensionError(
            f"the files have different units, {first.attrs['units']} and {other.attrs['units']}; "
            "open them one at a time"
        )


def _stack(images: list[xr.DataArray]) -> xr.DataArray:
    """Join images in the order of their times."""
    whole = xr.concat(
        images,
        dim="time",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    ).sortby("time")
    return georeference(whole, transform_of(images[0]), crs_of(images[0]))


def _add_time_dim(image: xr.DataArray) -> xr.DataArray:
    if "time" in image.dims:
        return image
    if "time" not in image.coords:
        raise DimensionError(
            f"{image.attrs['source']} has no time, and its name contains no single date, so it "
            "cannot be stacked with other grids; give a folder as OUT (fine/) to process each file "
            "separately, or open the files one at a time"
        )
    return image.expand_dims("time")
