"""Uncertainties: found beside a column, checked, and divided into random and systematic.

`find_companions` finds the companions of a column in a file; `clean_layer` rejects a variable that
cannot be its uncertainty; `add_uncertainties` gives a swath the two variables of the port. If a
file states no random part, it is estimated from the scatter of neighbouring pixels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import RepairWarning
from no2sr.core.layers import COUNT, COVERAGE, RANDOM, SYSTEMATIC, TOTAL
from no2sr.core.units import CANONICAL
from no2sr.swaths.scatter import estimate_noise

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    import xarray as xr

__all__ = ["SLANT", "Stated", "add_uncertainties", "clean_layer", "find_companions"]

SLANT = "slant-column precision over the tropospheric air-mass factor, from the file"
_STATED = "as the file states it"
_SCATTER = "estimated from the scatter of neighbouring pixels"
_REST = "the rest of the stated total uncertainty beside the random part"
_UNDIVIDED = "the stated total uncertainty: too few neighbouring pixels to estimate its random part"
_NAMES = {  # by layer: what files append to the name of the column; the first one found counts
    RANDOM: (f"_{RANDOM}", "_precision_random"),
    SYSTEMATIC: (f"_{SYSTEMATIC}",),
    TOTAL: (f"_{TOTAL}", "_precision", "_standard_error", "_error"),
}
_ALONE = {RANDOM: (RANDOM,), SYSTEMATIC: (SYSTEMATIC,), TOTAL: (TOTAL, "precision")}
MOST = 10  # times the largest column; a larger uncertainty is a fill, ...
LEAST_FILL = 1e-3  # ... unless it is smaller than this, mol m-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """Uncertainties that a file states for its pixels, in the unit of the column.

    Attributes
    ----------
    random, systematic, total : DataArray or None
        On the dimensions of the column, one standard deviation.
    source : str
        Description of where the random part comes from.
    """

    random: xr.DataArray | None = None
    systematic: xr.DataArray | None = None
    total: xr.DataArray | None = None
    source: str = _STATED


def find_companions(name: Hashable, among: Iterable[Hashable]) -> dict[str, str]:
    """Find the variables that hold the uncertainties, the coverage and the count of a column.

    Parameters
    ----------
    name : str
        The column.
    among : iterable of str
        All variables beside it.

    Returns
    -------
    dict of str to str
        Names of variables by layer; see `no2sr.core.layers`.
    """
    there = set(map(str, among)) - {str(name)}
    found: dict[str, str] = {}
    for layer, endings in _NAMES.items():
        wanted = [*(f"{name}{ending}" for ending in endings), *_ALONE[layer]]
        found |= {layer: next(n for n in wanted if n in there)} if there & set(wanted) else {}
    return found | {layer: layer for layer in (COVERAGE, COUNT) if layer in there}


def clean_layer(layer: xr.DataArray, column: xr.DataArray, *, label: str) -> xr.DataArray | None:
    """Return an uncertainty if it can be that of a column, NaN in place of fills.

    Parameters
    ----------
    layer, column : DataArray
        In one unit. Lazy values are not checked.
    label : str
        Its name in messages.

    Returns
    -------
    DataArray or None
        None, with a warning, if it lies on another grid, is negative, or has no value.

    Warns
    -----
    RepairWarning
    """
    if layer.dims != column.dims or layer.shape != column.shape:
        fault = f"lies on {dict(layer.sizes)}, its column on {dict(column.sizes)}"
        return _leave_out(label, fault)
    if layer.chunks is not None or column.chunks is not None:
        return layer
    seen = np.isfinite(column.values)
    values = np.where(seen, layer.values, np.nan)
    below = int((values < 0).sum())
    if below:
        return _leave_out(label, f"is negative in {below} of {int(seen.sum())} places")
    most = MOST * float(np.abs(column.values[seen]).max(initial=0))
    if column.attrs.get("units") == CANONICAL:
        most = max(most, LEAST_FILL)
    filled = values > most
    known = np.isfinite(values) & ~filled
    if seen.any() and not known.any():
        why = f"is larger than any column, {most / MOST:.3g}" if filled.any() else "is missing"
        return _leave_out(label, f"{why} everywhere")
    if filled.any():
        warnings.warn(
            f"{int(filled.sum())} values of {label} are more than {MOST} times the largest column; "
            "they are read as gaps",
            RepairWarning,
            stacklevel=3,
        )
    return layer.where(~filled) if filled.any() else layer


def _leave_out(label: str, fault: str) -> xr.DataArray | None:
    """Warn of a layer that cannot be used, and return None in its place."""
    warnings.warn(
        f"{label} {fault}, so it is left out; correct it to use it",
        RepairWarning,
        stacklevel=4,
    )
    return None


def add_uncertainties(swath: xr.Dataset, stated: Stated, *, label: str) -> xr.Dataset:
    """Give a swath its random and systematic uncertainties, as far as they can be known.

    Parameters
    ----------
    swath : Dataset, (scanline, ground_pixel)
        With ``column``, screened, and the centres of its pixels.
    stated : Stated
        The uncertainties in the file. If the random part does not follow from them, it is estimated
        from the scatter of neighbouring pixels, and never exceeds a stated total.
    label : str
        Name of the file in messages.

    Returns
    -------
    Dataset
        With ``uncertainty_random`` and ``uncertainty_systematic``, as far as they are known; their
        attribute ``comment`` says where they come from.
    """
    column = swath["column"]
    sound = {}
    for layer in (RANDOM, SYSTEMATIC, TOTAL):
        given = getattr(stated, "total" if layer == TOTAL else layer.rpartition("_")[2])
        clean = None if given is None else clean_layer(given, column, label=f"{label}: {layer}")
        if clean is not None:
            sound[layer] = clean.values
    layers = _divide(sound, swath, stated.source)
    for layer, (values, comment) in layers.items():
        kept = np.where(np.isfinite(column.values), values, np.nan).astype(np.float32)
        attrs = {"units": column.attrs.get("units", CANONICAL), "comment": comment}
        swath = swath.assign({layer: (column.dims, kept, attrs)})
    return swath


def _divide(sound: dict[str, Any], swath: xr.Dataset, source: str) -> dict[str, tuple[Any, str]]:
    """Return the random and the systematic part, each with a description of its origin."""
    random, systematic, total = (sound.get(layer) for layer in (RANDOM, SYSTEMATIC, TOTAL))
    if random is None and systematic is not None and total is not None:
        random, source = (
            _subtract(total, systematic),
            "the stated total without the systematic part",
        )
    if random is None and swath["column"].attrs.get("units", CANONICAL) == CANONICAL:
        centres = (swath[axis].values for axis in ("latitude", "longitude"))
        random, source = estimate_noise(swath["column"].values, *centres), _SCATTER
    if random is None:
        undivided = total if systematic is None else systematic
        comment = _UNDIVIDED if systematic is None else _STATED
        return {} if undivided is None else {SYSTEMATIC: (undivided, comment)}
    if systematic is not None:
        return {RANDOM: (random, source), SYSTEMATIC: (systematic, _STATED)}
    if total is None:
        return {RANDOM: (random, source)}
    random = np.fmin(random, total)
    return {RANDOM: (random, source), SYSTEMATIC: (_subtract(total, random), _REST)}


def _subtract(whole: Any, part: Any) -> Any:
    """Subtract a part from an uncertainty in quadrature."""
    return np.sqrt(np.maximum(np.square(whole, dtype=np.float64) - np.square(part), 0))
