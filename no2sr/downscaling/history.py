"""The history of a place at the door: opened, checked, and brought to the fine grid.

A history is a fine map of the place, in any CRS, grid and unit. Its cells are averaged by area to
the fine grid of the scene, or interpolated if they are larger. Its unit, gain and level are taken
off, since only its pattern counts.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from no2sr.core.door import choose_variable, enter
from no2sr.core.errors import (
    AmbiguousVariableError,
    HistoryError,
    ImageError,
    MissingVariableError,
    No2srWarning,
    NoValidPixelsError,
    UnitsError,
)
from no2sr.core.layers import RANDOM, TOTAL, companions_of
from no2sr.core.provenance import PREFIX
from no2sr.downscaling.aligning import average_blocks, average_copies, resolution_in, warp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["FILE", "Aligned", "Fit", "align_history", "measure_fit", "open_history"]

FILE = f"{PREFIX}file"  # attribute of a history that was opened: the name of its file


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """A history on the fine grid of a scene.

    Attributes
    ----------
    fine : array, (scale * y, scale * x)
        Less its mean and over its standard deviation; NaN where it is missing.
    noise : array, (y, x), or None
        Standard uncertainty of a fine value, in the same units.
    resolution : float
        What the history resolves, in coarse cells of the scene.
    name : str
    """

    fine: NDArray[np.float32]
    noise: NDArray[np.float32] | None
    resolution: float
    name: str

    def fields(self, *, chunked: bool) -> dict[str, xr.DataArray | None]:
        """Return the fields of a `no2sr.downscaling.method.Block`, as dask arrays if asked for."""
        found = {"history": self.fine, "history_noise": self.noise}
        arrays = {
            name: None if values is None else xr.DataArray(values, dims=("y", "x"))
            for name, values in found.items()
        }
        if not chunked:
            return arrays
        return {name: None if one is None else one.chunk() for name, one in arrays.items()}

    def facts(self) -> dict[str, str | float]:
        """Return the attributes that outputs record of it, without the prefix ``no2sr_``."""
        return {"place_history": self.name, "place_history_resolution": self.resolution}


class Fit(NamedTuple):
    """How well a history fits a scene.

    Attributes
    ----------
    overlap : float
        Share of the observed cells for which it is known.
    correlation : float
        Of its coarse means with the column, over those cells; NaN if they are too few.
    resolution : float
        What it resolves, in coarse cells.
    """

    overlap: float
    correlation: float
    resolution: float


def open_history(history: str | Path | xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Open a history; a Dataset or DataArray is returned as it is.

    Parameters
    ----------
    history : str, Path, Dataset or DataArray

    Returns
    -------
    Dataset or DataArray

    Raises
    ------
    ReadError
        If the file cannot be read, or holds several variables that could be meant.
    """
    if isinstance(history, xr.Dataset | xr.DataArray):
        return history
    from no2sr.readers.opening.opener import open_no2

    path = Path(history)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)  # doubts about a column: it need not be one
        try:
            scene = open_no2(path)
        except (MissingVariableError, UnitsError):
            scene = open_no2(path, variable=_find_variable(path), unit="mol m-2")
    return scene.assign_attrs({FILE: path.name})


def _find_variable(path: Path) -> str:
    """Return the name of the only map in a file that holds no NO2 column."""
    from no2sr.readers.opening.describe import describe

    listed = describe(path)["variables"] or []
    maps = [each for each in listed if sum(size > 1 for size in each["shape"]) >= 2]
    named = [str(each["name"]) for each in maps if len(each["shape"]) <= 3]
    if len(named) == 1:
        return named[0]
    raise AmbiguousVariableError(
        f"{path.name} holds {', '.join(named) or 'no map'}; give a history with one variable"
    )


def align_history(history: xr.Dataset | xr.DataArray, image: xr.DataArray, scale: int) -> Aligned:
    """Bring a history to the fine grid of a scene.

    Parameters
    ----------
    history : Dataset or DataArray
        As `open_history` returns it.
    image : DataArray, (y, x) or (time, y, x)
        The strict image of the coarse column.
    scale : int

    Returns
    -------
    Aligned

    Raises
    ------
    HistoryError
        If it is no single map, is all gaps, has no CRS, does not overlap the scene, is coarser than
        the scene, or was made of the very observation that it would be a history of.
    """
    column, noise = _enter(history)
    name = str(history.attrs.get(FILE, column.name))
    _refuse_circle(name, {**history.attrs, **column.attrs}, image.attrs)
    column, noise = average_copies(column, noise)
    resolution = resolution_in(column, image)
    if resolution > 2 / scale * 1.001:
        raise HistoryError(
            f"the cells of {name} are {resolution:.2g} times as large as those of the scene; "
            "give a history that is finer than the scene"
        )
    fine = warp(column, image, scale)
    known = np.isfinite(fine)
    if not known.any():
        raise HistoryError(f"{name} does not overlap the scene; give a map of the same place")
    # Of the whole map, so that they do not depend on where the scene is cut.
    level, size = float(np.nanmean(column.values)), float(np.nanstd(column.values))
    if not float(np.ptp(fine[known])) > 1e-9 * float(np.abs(fine[known]).max()):
        warnings.warn(f"{name} is constant here, so it tells nothing", No2srWarning, stacklevel=3)
        fine, size = np.full_like(fine, np.nan), 1.0
    warped = None if noise is None else warp(noise, image, scale)
    return Aligned(
        fine=((fine - level) / size).astype(np.float32),
        noise=None if warped is None else (average_blocks(warped, scale) / size).astype(np.float32),
        resolution=resolution,
        name=name,
    )


def measure_fit(aligned: Aligned, image: xr.DataArray, scale: int) -> Fit:
    """Return how well a history fits a scene.

    Parameters
    ----------
    aligned : Aligned
    image : DataArray, (y, x) or (time, y, x)
    scale : int
    """
    coarse = average_blocks(aligned.fine.astype(np.float64), scale)
    values = image.to_numpy().reshape(-1, *coarse.shape)
    seen = np.isfinite(values)
    both = seen & np.isfinite(coarse)
    overlap = float(both.sum() / max(seen.sum(), 1))
    x, y = values[both], np.broadcast_to(coarse, values.shape)[both]
    tells = both.sum() > 2 and np.ptp(x) > 0 and np.ptp(y) > 0
    correlation = float(np.corrcoef(x, y)[0, 1]) if tells else float("nan")
    return Fit(overlap, correlation, aligned.resolution)


def _enter(history: xr.Dataset | xr.DataArray) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Return the strict map of a history, and its uncertainty if it states one."""
    try:
        found = choose_variable(history)
        name = str(found.name)
        beside = {} if isinstance(history, xr.DataArray) else companions_of(history, name)
        column = _enter_map(found)
    except NoValidPixelsError as error:
        raise HistoryError("the history is all gaps; give another one") from error
    except AmbiguousVariableError as error:
        raise HistoryError(f"the history has several variables ({error})") from error
    except ImageError as error:
        raise HistoryError(f"the history cannot be used: {error}") from error
    layer = next((beside[key] for key in (RANDOM, TOTAL) if key in beside), None)
    if layer is None:
        return column, None
    try:
        return column, _enter_map(layer)
    except (ImageError, NoValidPixelsError):
        return column, None


def _enter_map(found: xr.DataArray) -> xr.DataArray:
    """Return the strict image of a map whose unit does not matter."""
    times = [str(dim) for dim in found.dims if dim == "time"]
    if times and found.sizes["time"] > 1:
        raise HistoryError(
            f"the history has {found.sizes['time']} times; average them, "
            "or choose one with isel(time=...)"
        )
    flat = found.squeeze("time", drop=True) if times else found
    return enter(flat.assign_attrs(units="mol m-2").compute())


def _refuse_circle(name: str, own: Mapping[Any, Any], other: Mapping[Any, Any]) -> None:
    """Refuse a history that was made of the observation itself.

    Warns
    -----
    No2srWarning
        If the observation is one of several that it was made of.
    """
    if f"{PREFIX}version" not in own:
        return
    mine, yours = _origins(own), _origins(other)
    if not mine or not mine & yours:
        return
    if mine <= yours:
        raise HistoryError(
            f"{name} was made of the very observation that is to be refined "
            f"({', '.join(sorted(mine & yours))}); a history has to come from other days"
        )
    warnings.warn(
        f"{name} was made of {', '.join(sorted(mine & yours))} as well; leave out what is to be "
        "refined, or its noise counts twice",
        No2srWarning,
        stacklevel=4,
    )


def _origins(attrs: Mapping[Any, Any]) -> set[str]:
    """Return the names of the files that a map was made of."""
    text = str(attrs.get("history", ""))
    names = re.findall(r"\bread (\S+) as ", text)
    if f"{PREFIX}overpass_times" in attrs:
        names += str(attrs.get("source", "")).split("; ")
    return {Path(name).name for name in names if name}
