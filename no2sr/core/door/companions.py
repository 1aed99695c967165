"""Companions at the door: the layers of a scene, on the grid and in the unit of its column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.door import enter
from no2sr.core.errors import NoiseError, NoValidPixelsError
from no2sr.core.grid import transform_of
from no2sr.core.layers import companions_of
from no2sr.core.units import canonical_unit, factor, is_column

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["enter_companions", "enter_uncertainty"]


def enter_companions(
    dataset: xr.Dataset | xr.DataArray, image: xr.DataArray, layers: Iterable[str]
) -> dict[str, xr.DataArray]:
    """Return the layers of uncertainty that a dataset holds for a column.

    Parameters
    ----------
    dataset : Dataset or DataArray
        The dataset from which `no2sr.core.door.enter` made `image`. A DataArray has no layers.
    image : DataArray, (y, x) or (time, y, x)
    layers : iterable of str
        Keys of `no2sr.core.layers.UNCERTAINTIES`.

    Returns
    -------
    dict of str to DataArray like `image`
        In the unit of the image, NaN where unknown.

    Raises
    ------
    NoiseError
        If a layer lies on another grid, is in a unit that cannot be converted, is negative, has no
        value, or is so large that it must hold fill values.
    """
    if isinstance(dataset, xr.DataArray):
        return {}
    found = companions_of(dataset, str(image.name))
    return {
        layer: enter_uncertainty(dataset, image, variable=str(found[layer].name))
        for layer in layers
        if layer in found
    }


def enter_uncertainty(
    dataset: xr.Dataset | xr.DataArray, image: xr.DataArray, *, variable: str | None = None
) -> xr.DataArray:
    """Make a strict image of an uncertainty, in the unit of its column.

    Parameters
    ----------
    dataset : Dataset or DataArray
        As for `no2sr.core.door.enter`.
    image : DataArray, (y, x) or (time, y, x)
        The strict image of the column.
    variable : str, optional

    Raises
    ------
    NoiseError
        As for `enter_companions`.
    """
    try:
        layer = enter(dataset, variable=variable)
    except NoValidPixelsError as error:
        name = variable or getattr(dataset, "name", None) or "the noise"
        raise NoiseError(f"{name} has no value; omit it") from error
    return _check(layer, image)


def _check(layer: xr.DataArray, image: xr.DataArray) -> xr.DataArray:
    """Check an uncertainty and convert it to the unit of its image; lazy values are not checked."""
    name = layer.name
    if layer.shape != image.shape or not np.allclose(
        transform_of(layer)[:6], transform_of(image)[:6], rtol=1e-6
    ):
        raise NoiseError(
            f"{name} lies on a grid of {_size(layer)} cells and the column on another of "
            f"{_size(image)}; put both on the same grid"
        )
    layer = _convert(layer, image)
    if layer.chunks is not None:
        return layer
    least, greatest = float(layer.min()), float(layer.max())
    if least < 0:
        raise NoiseError(
            f"{name} has negative values (down to {least:g}); give a standard deviation, which is "
            "never negative"
        )
    values = image.values if image.chunks is None else np.empty(0)
    known = values[np.isfinite(values)]
    span = float(np.abs(known).max()) if known.size else np.inf
    if span > 0 and greatest > 1e3 * span:
        raise NoiseError(
            f"{name} reaches {greatest:g}, a thousand times the largest value of the column "
            f"({span:g}); declare its fill values, or set its unit"
        )
    return layer


def _size(image: xr.DataArray) -> str:
    return " x ".join(map(str, image.shape))


def _convert(layer: xr.DataArray, image: xr.DataArray) -> xr.DataArray:
    """Convert the layer to the unit of the image."""
    own, wanted = str(layer.attrs["units"]), str(image.attrs["units"])
    if own == wanted:
        return layer
    if not (is_column(own) and is_column(wanted)):
        raise NoiseError(
            f"{layer.name} is in {own!r} and the column in {wanted!r}; convert one of them"
        )
    ratio = factor(own, canonical_unit(wanted))
    converted = layer.copy(data=layer.data * layer.dtype.type(ratio))
    return converted.assign_attrs(units=wanted)
