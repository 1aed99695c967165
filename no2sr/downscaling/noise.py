"""Where the noise of a scene comes from: its own layer, a figure, a layer given, or an estimate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from no2sr.core.door.companions import enter_uncertainty
from no2sr.core.errors import NoiseError, SettingsError
from no2sr.core.layers import RANDOM
from no2sr.steps.sampling import effective_resolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    Noise = Literal["auto", "estimate"] | float | xr.DataArray | None

__all__ = ["WORDS", "choose_noise", "estimate_noise"]

WORDS = ("auto", "estimate")
_LOOK_AT = 1024  # cells a side that a noise is estimated from


def choose_noise(
    noise: Noise, image: xr.DataArray, layers: Mapping[str, xr.DataArray]
) -> xr.DataArray | None:
    """Return one standard deviation of the random error of every cell, or None if none is known.

    Parameters
    ----------
    noise : {"auto", "estimate"}, float, DataArray or None
        As for `no2sr.downscale`.
    image : DataArray, (y, x) or (time, y, x)
        The strict image.
    layers : mapping of str to DataArray like `image`
        The layers of the scene, by name.

    Returns
    -------
    DataArray like `image`, or None

    Raises
    ------
    SettingsError
        If `noise` is none of these, or the noise of an oversampled grid is to be estimated.
    NoiseError
        If a layer does not fit the image.
    """
    if noise is None:
        return None
    if isinstance(noise, str):
        if noise not in WORDS:
            raise SettingsError(
                f"noise is {noise!r}; choose 'auto', 'estimate', None, a number or a DataArray"
            )
        return (
            layers.get(RANDOM) if noise == "auto" else _make_constant(image, estimate_noise(image))
        )
    if isinstance(noise, xr.DataArray):
        given = (
            noise if noise.attrs.get("units") else noise.assign_attrs(units=image.attrs["units"])
        )
        return enter_uncertainty(given, image)
    return _make_constant(image, _check_number(noise))


def _check_number(noise: object) -> float:
    number = isinstance(noise, int | float | np.number) and not isinstance(noise, bool)
    if not number or not (math.isfinite(float(noise)) and float(noise) >= 0):  # type: ignore[arg-type]
        raise SettingsError(
            f"noise is {noise!r}; give one standard deviation in the unit of the scene, zero or "
            "more, or 'auto', 'estimate' or None"
        )
    return float(noise)  # type: ignore[arg-type]


def _make_constant(image: xr.DataArray, noise: float) -> xr.DataArray:
    """Return the same noise in every cell; a dask-backed image stays lazy."""
    return xr.full_like(image, np.float32(noise))


def estimate_noise(image: xr.DataArray) -> float:
    """Estimate the noise of a grid from its mixed second differences.

    Parameters
    ----------
    image : DataArray, (y, x) or (time, y, x)
        Of a dask-backed or large image the middle is looked at.

    Returns
    -------
    float
        One standard deviation, in the unit of the image. It cannot tell fine structure from noise,
        and is too large where there is some.

    Raises
    ------
    SettingsError
        If the grid is oversampled, so that neighbouring cells are copies of each other.
    NoiseError
        If too few cells are observed.
    """
    found = effective_resolution(image)
    if max(found.factor, 1) > 1:
        raise SettingsError(
            f"the grid is oversampled {found.factor} times, so its noise cannot be estimated from "
            "neighbouring cells; average it with no2sr.coarsen_to_native (--coarsen-to-native) "
            "first, or state the noise as a number"
        )
    middle = {
        axis: slice(max(0, (size - _LOOK_AT) // 2), (size + _LOOK_AT) // 2)
        for axis, size in image.sizes.items()
        if axis in ("y", "x")
    }
    values = image.isel(middle).to_numpy().astype(np.float64)
    mixed = np.diff(np.diff(values, axis=-1), axis=-2) / 2
    known = np.abs(mixed[np.isfinite(mixed)])
    if known.size < 16:
        raise NoiseError(
            "too few neighbouring cells are observed to estimate the noise; state it as a number"
        )
    return float(np.median(known) / 0.67449)  # of a normal distribution
