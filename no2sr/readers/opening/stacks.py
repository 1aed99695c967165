"""Grids of several times, put together."""

from __future__ import annotations

import numpy as np
import xarray as xr

from no2sr.core.errors import DimensionError
from no2sr.core.grid import bounds_of, georeference, transform_of
from no2sr.core.image import crs_of, with_history

__all__ = ["stacked"]


def stacked(images: list[xr.DataArray]) -> xr.DataArray:
    """Put images of equal grids in the order of their times.

    Raises
    ------
    DimensionError
        If an image has no time, two have the same, or their grids differ.
    """
    layers = [image if "time" in image.dims else _with_time_dim(image) for image in images]
    first = layers[0]
    for layer in layers[1:]:
        same = all(np.array_equal(first[axis].values, layer[axis].values) for axis in ("y", "x"))
        if not same or crs_of(first) != crs_of(layer):
            raise DimensionError(
                f"the files lie on different grids ({bounds_of(first)} and {bounds_of(layer)}), "
                "expected equal ones; open them apart"
            )
        if layer.attrs["units"] != first.attrs["units"]:
            raise DimensionError(
                f"the files are in {first.attrs['units']} and {layer.attrs['units']}, "
                "expected one unit; open them apart"
            )
    whole = xr.concat(
        layers,
        dim="time",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    ).sortby("time")
    if not whole.indexes["time"].is_unique:
        raise DimensionError(
            "two of the files have the same time, expected one file a time; open them apart"
        )
    stack = georeference(whole, transform_of(first), crs_of(first))
    return with_history(stack, f"stacked {len(images)} files along time")


def _with_time_dim(image: xr.DataArray) -> xr.DataArray:
    if "time" not in image.coords:
        raise DimensionError(
            f"a file has no time ({image.attrs['source']}), expected one in each of several grids; "
            "open the files apart, or merge them first"
        )
    return image.expand_dims("time")
