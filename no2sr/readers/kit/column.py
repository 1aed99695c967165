"""Conversion of columns to mol m-2: fills, the unit, and whether a stated unit is plausible.

The unit is checked against the size of the values. No scene has a median column above 1e-3 mol m-2,
and none in molecules cm-2 has one below 1e12, so these two units can be told from all others. The
multiples between them (umol m-2, 1e15 molecules cm-2, mmol m-2) cannot.

=================  ==========================  ==============================================
the file says      the values say              what happens
=================  ==========================  ==============================================
a column unit      the same                    converted to mol m-2
a column unit      another, which is certain   converted from that one, `UnverifiedUnitsWarning`
a column unit      another, but unclear which  converted as stated, `UnverifiedUnitsWarning`
nothing            mol m-2 or molecules cm-2   converted from it, `UnverifiedUnitsWarning`
nothing            something between           `UnitsError`: pass ``unit=``
any other unit     (not asked)                 kept if the variable was named, else `UnitsError`
=================  ==========================  ==============================================

A unit that the caller states takes precedence over the file's and over the values.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.door.fills import SURELY_MOLECULES
from no2sr.core.errors import RepairWarning, UnitsError, UnverifiedUnitsWarning
from no2sr.core.units import CANONICAL, FILL_LIMIT, canonical_unit, factor, is_column

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "convert",
    "convert_companion",
    "convert_to_mol",
    "is_surely_mol",
    "settle_unit",
]

log = logging.getLogger("no2sr")

SURELY_MOL = 1e-3  # medians below are mol m-2: in mmol m-2 this is a clean ocean already
PLAUSIBLE = (1e-9, 1e-1)  # mol m-2; generous, since polluted medians stay below 1e-3
_SOME_UNITS = "mol m-2, umol m-2, molecules cm-2 or 1e15 molecules cm-2"
_NO_UNIT = {"", "none", "unknown", "n/a", "na", "-", "unitless"}


def _mask_fills(column: xr.DataArray) -> xr.DataArray:
    """Set fills that decoding has left to NaN; infinities stay, for `core.door` to count."""
    values = column if column.dtype.kind == "f" else column.astype("float64")
    return values.where(~(np.isfinite(values) & (np.abs(values) > FILL_LIMIT)))


def convert_to_mol(
    column: xr.DataArray,
    *,
    label: str,
    unit: str | None = None,
    named: bool = False,
    no2: bool = True,
) -> xr.DataArray:
    """Convert a column to mol m-2, or keep another quantity that the caller named.

    Parameters
    ----------
    column : DataArray
        ``attrs["units"]`` is what the file states, if anything. Fills are still in it.
    label : str
        Its name in messages: the file and the variable.
    unit : str, optional
        The unit that the caller states; it takes precedence over the file's.
    named : bool
        Whether the caller named the variable; then it may be another quantity than a column.
    no2 : bool
        Whether the values are NO2 columns; then their size is evidence of the unit.

    Returns
    -------
    DataArray
        In mol m-2 if it is a column, otherwise in its own unit; NaN in place of fills.

    Raises
    ------
    UnitsError
        If the unit is missing and ambiguous, or not one of a column.

    Warns
    -----
    UnverifiedUnitsWarning
        If the unit was inferred, or contradicts the size of the values.
    """
    found = settle_unit(column, label=label, unit=unit, named=named, no2=no2)
    return convert(column, found, label=label, no2=no2)


def convert(column: xr.DataArray, found: str, *, label: str, no2: bool = True) -> xr.DataArray:
    """Convert values of a known unit to mol m-2, or keep them if it is not a column unit.

    Parameters
    ----------
    column : DataArray
    found : str
        Unit of the values, as `settle_unit` returns it.
    label, no2
        As for `convert_to_mol`.

    Returns
    -------
    DataArray
        NaN in place of fills.

    Raises
    ------
    UnitsError
        If it is the mass of another gas.
    """
    clean = _mask_fills(column)
    if not is_column(found):
        return clean.assign_attrs(units=found)
    if canonical_unit(found) == "kg m-2" and not no2:
        raise UnitsError(
            f"{label} is the mass per area of a gas other than NO2; divide it by the molar mass "
            "first, to have an amount such as mol m-2"
        )
    converted = clean if factor(found) == 1 else clean.astype("float64") * factor(found)
    return converted.assign_attrs(column.attrs | {"units": CANONICAL})


def convert_companion(
    companion: xr.DataArray, *, stated: str, found: str, label: str
) -> xr.DataArray | None:
    """Convert a companion of a column to the unit of the column, by the same factor.

    Parameters
    ----------
    companion : DataArray
        Such as an uncertainty.
    stated : str
        The unit that the file states for the column.
    found : str
        The unit that the column was found to be in; see `settle_unit`.
    label : str
        Name of the companion in messages.

    Returns
    -------
    DataArray or None
        None, with a warning, if its unit is that of another quantity.

    Warns
    -----
    RepairWarning
    """
    own = str(companion.attrs.get("units", "")).strip()
    if own.lower() in _NO_UNIT or _is_same(own, stated):
        return convert(companion, found, label=label)
    if is_column(own) and is_column(found):
        return convert(companion, own, label=label)
    warnings.warn(
        f"{label} is in {own!r} but its column is in {found!r}, so it is left out; to use it, "
        "write it in the unit of the column",
        RepairWarning,
        stacklevel=2,
    )
    return None


def _is_same(unit: str, other: str) -> bool:
    both_columns = is_column(unit) and is_column(other)
    return canonical_unit(unit) == canonical_unit(other) if both_columns else unit == other


def settle_unit(
    column: xr.DataArray,
    *,
    label: str,
    unit: str | None = None,
    named: bool = False,
    no2: bool = True,
) -> str:
    """Decide which unit the values of a column are in.

    Parameters
    ----------
    column, label, unit, named, no2
        As for `convert_to_mol`.
    """
    column = _mask_fills(column)
    inside = str(column.attrs.get("units", "")).strip()
    inside = "" if inside.lower() in _NO_UNIT else inside
    stated = inside if unit is None else unit
    if unit is not None and inside and inside != unit:
        log.info("%s: the given unit %r replaces %r, which the file states", label, unit, inside)
    if is_column(stated):
        return _check_stated(column, label, stated) if no2 and unit is None else stated
    if stated and not named:
        raise UnitsError(
            f"{label} is in {stated!r}, which is not the unit of a column, such as {_SOME_UNITS}; "
            "pass the right unit with unit=, or name the variable with variable= to use it as it is"
        )
    return stated or _infer_unit(column, label, no2=no2)


def _infer_unit(column: xr.DataArray, label: str, *, no2: bool) -> str:
    """Infer a missing unit from the size of the values, if that leaves no doubt."""
    typical = _typical_size(column)
    if np.isnan(typical):
        return CANONICAL  # only gaps and zeros: every unit is right
    sure = _find_certain_unit(typical) if no2 else None
    if sure is None:
        raise UnitsError(
            f"{label} states no unit, and its values are around {typical:.3g}; pass the unit with "
            f"unit=, such as {_SOME_UNITS}"
        )
    warnings.warn(
        f"{label} states no unit; it is read as {sure}, because its values are around "
        f"{typical:.3g}; pass unit= to state it",
        UnverifiedUnitsWarning,
        stacklevel=2,
    )
    return sure


def _check_stated(column: xr.DataArray, label: str, stated: str) -> str:
    """Check a stated column unit against the size of the values, and return the unit to use."""
    typical = _typical_size(column)
    low, high = PLAUSIBLE
    if np.isnan(typical) or low <= typical * factor(stated) <= high:
        return stated
    sure = _find_certain_unit(typical)
    verdict = f"it is read as {sure}" if sure else "it is read as stated"
    warnings.warn(
        f"{label} states {stated!r}, but its values are around {typical:.3g}, which would be "
        f"{typical * factor(stated):.3g} mol m-2; {verdict}; pass unit= to decide",
        UnverifiedUnitsWarning,
        stacklevel=2,
    )
    return sure or stated


def is_surely_mol(column: xr.DataArray) -> bool:
    """Tell whether the values are so small that they can only be columns in mol m-2."""
    return _typical_size(column) < SURELY_MOL


def _find_certain_unit(typical: float) -> str | None:
    if typical < SURELY_MOL:
        return CANONICAL
    return "molecules cm-2" if typical > SURELY_MOLECULES else None


def _typical_size(column: xr.DataArray) -> float:
    """Return the median magnitude of the values that are neither gaps nor zero, from a sample."""
    stride = max(1, int((column.size / 1e6) ** 0.5))
    sample = column[..., ::stride, ::stride] if column.ndim > 1 else column
    magnitudes = np.abs(sample.values.astype("float64"))
    magnitudes = magnitudes[np.isfinite(magnitudes) & (magnitudes > 0)]
    return float(np.median(magnitudes)) if magnitudes.size else float("nan")
