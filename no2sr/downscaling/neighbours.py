"""The steps before and after each step of a stack, by their times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["find_neighbours", "has_neighbours"]

# A neighbour farther away than this many usual steps is none.
FARTHEST = 1.5


def has_neighbours(image: xr.DataArray) -> bool:
    """Tell whether an image has several steps in time."""
    return "time" in image.dims and image.sizes["time"] > 1


def find_neighbours(image: xr.DataArray, noise: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the columns before and after each step, with their noise.

    Parameters
    ----------
    image, noise : DataArray, (time, y, x)
        With the coordinate ``time``, in any order. In memory or dask arrays.

    Returns
    -------
    dict of str to DataArray like `image`
        ``before``, ``after``, ``before_noise`` and ``after_noise``; NaN where the step is missing.
        A step farther away than one and a half usual steps (their median) is missing, too.

    Raises
    ------
    SettingsError
        If the steps have no times.
    """
    if "time" not in image.coords:
        raise SettingsError(
            "the steps have no times, so their neighbours are unknown; set the coordinate 'time' "
            "or leave neighbours out"
        )
    before, after = order_steps(_seconds(image["time"].to_numpy()))
    return {
        f"{side}{part}": field.copy(data=_take(field.data, index))
        for side, index in (("before", before), ("after", after))
        for part, field in (("", image), ("_noise", noise))
    }


def order_steps(times: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the steps before and after each, -1 where there is none.

    Parameters
    ----------
    times : array, (steps,)
    """
    order = np.argsort(times, kind="stable")
    steps = np.diff(times[order])
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else 0.0
    close = (steps > 0) & (steps <= FARTHEST * usual)
    before, after = (np.full(times.size, -1, dtype=np.intp) for _ in range(2))
    before[order[1:][close]] = order[:-1][close]
    after[order[:-1][close]] = order[1:][close]
    return before, after


def _seconds(times: NDArray[Any]) -> NDArray[np.float64]:
    """Return times as numbers; dates of other calendars in seconds from the first."""
    if np.issubdtype(times.dtype, np.datetime64):
        return times.astype("datetime64[ms]").astype(np.float64)
    if times.dtype == object:
        first = min(times)
        return np.array([(time - first).total_seconds() for time in times])
    return times.astype(np.float64)


def _take(values: Any, index: NDArray[np.intp]) -> Any:
    """Take steps by position; NaN where it is -1."""
    taken = values[np.maximum(index, 0)]
    missing = (index < 0)[:, None, None]
    if isinstance(taken, np.ndarray):
        return np.where(missing, np.float32(np.nan), taken)
    import dask.array as da

    return da.where(missing, np.float32(np.nan), taken)
