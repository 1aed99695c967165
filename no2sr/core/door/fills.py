"""Fill values that nothing declares, in a file or in a dataset of the user.

Three signs tell a fill from a measurement: it is one of the numbers that programs use for gaps, or
the same number in several places; it lies far from all other values; and, if the unit is known, no
NO2 column can be that large. One sign is never enough. Values are judged as they are stored, before
any conversion. A warning counts and names the values that are taken for gaps.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from no2sr.core.errors import RepairWarning
from no2sr.core.units import CANONICAL, factor, is_column

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["LARGEST", "SURELY_MOLECULES", "mark_fills", "mask_impossible"]

SURELY_MOLECULES = 1e12  # medians above are molecules cm-2
STATE = "pass nodata= to state what marks a gap"
LARGEST = 0.1  # mol m-2: no NO2 column, tropospheric, stratospheric or total, is larger
IN_MOLECULES = 1e15  # a fill in some programs, and a usual column in molecules cm-2
SMALL = 1e-6  # of the typical value: far below any noise
FEW = 3  # as many equal values far from all others may be chance
SAMPLE = 1e6  # values from which the usual range is taken
# What programs write for "no value"; judged in the numbers that are stored.
_NEGATIVE = (-99, -99.9, -99.99, -999, -999.9, -999.99, -9999, -9999.9, -9999.99, -99999, -999999)
_POWERS = tuple(sign * 10.0**power for power in (10, 15, 20, 25) for sign in (1, -1))
_BITS = (-32768, -32767, 32767, 65535, 65534, -2147483648, -2147483647, 2147483647, 4294967295)
_POSITIVE = (999, 999.9, 9999, 9999.9, 99999, 999999)
KNOWN = np.array(sorted({*_NEGATIVE, *_POWERS, *_BITS, *_POSITIVE}), dtype=np.float64)


class _Usual(NamedTuple):
    """Where the measured values of a variable lie."""

    low: float
    high: float
    tiny: float  # no measured value has a smaller magnitude, except 0
    large: bool = False  # they are in molecules cm-2, where 1e15 is a usual number

    def excludes(self, values: Any) -> Any:
        """Tell which values lie far from all others."""
        size = abs(values)
        return (values < self.low) | (values > self.high) | ((size > 0) & (size < self.tiny))


def mark_fills(
    column: xr.DataArray,
    *,
    label: str,
    nodata: float | None = None,
    repeated: bool = True,
    advice: str = STATE,
) -> xr.DataArray:
    """Set the fill that the caller states to NaN, and undeclared ones that can be recognised.

    Parameters
    ----------
    column : DataArray
        May be lazy: its values are read once, block by block.
    label : str
        Its name in messages.
    nodata : float, optional
        The fill, as stored in the file or as decoded.
    repeated : bool
        Whether numbers that are repeated far from all others are fills, if no program is known to
        use them.
    advice : str
        What the warning tells the caller to do.

    Warns
    -----
    RepairWarning
        If there are fills that the caller did not state.
    """
    scale, offset = _packing(column)
    if nodata is not None:
        stated = (float(nodata), nodata * scale + offset)
        column = column.where(~_is_any(column, stated))
    usual = _find_usual(column, scale, offset)
    if usual is None:
        return column
    values, counts = _suspects(column, usual)
    stored = (values - offset) / scale
    known = _is_known(stored) & ~(usual.large & np.isclose(np.abs(stored), IN_MOLECULES, rtol=1e-6))
    # A positive number of three digits may be a measurement, but not several equal ones.
    sure = known & ((counts > 1) | (stored < 0) | (stored >= 9999))
    sure |= (
        repeated
        & (counts > FEW)
        & ((values < 0) | (values > 10 * max(abs(usual.low), abs(usual.high))))
    )
    return _mask(
        column,
        values[sure],
        counts[sure],
        label=label,
        why="far from all other values",
        advice=advice,
    )


def mask_impossible(column: xr.DataArray, label: str, most: float) -> xr.DataArray:
    """Set repeated values to NaN that are larger than any NO2 column can be."""
    sample = _sample(column)
    if not sample.size or float(np.median(np.abs(sample))) > most:
        return column  # the unit is wrong, and a warning has said so
    values, counts = _suspects(column, _Usual(-most, most, 0))
    again = counts > 1
    why = f"more than the {LARGEST:g} {CANONICAL} that an NO2 column can be"
    return _mask(column, values[again], counts[again], label=label, why=why)


def _mask(
    column: xr.DataArray,
    values: Floats,
    counts: NDArray[np.intp],
    *,
    label: str,
    why: str,
    advice: str = STATE,
) -> xr.DataArray:
    """Set values to NaN, with a warning."""
    if not values.size:
        return column
    named = ", ".join(f"{value:.6g}" for value in values[:3]) + (", ..." if values.size > 3 else "")
    warnings.warn(
        f"{label}: {counts.sum()} of {column.size} values are {named}, {why}; they are read as "
        f"gaps; {advice}",
        RepairWarning,
        stacklevel=3,
    )
    return column.where(~_is_any(column, values))


def _is_any(column: xr.DataArray, values: Any) -> xr.DataArray:
    """Tell where a column has one of the given values, to its floating-point precision."""
    kind = column.dtype if column.dtype.kind == "f" else np.dtype("float64")
    with np.errstate(over="ignore"):
        # Packed values are products: they may be off by a few units in the last place.
        near = 4 * np.finfo(kind).eps
    found = column.isnull() & False
    for value in values:
        found |= abs(column - value) <= near * abs(value)
    return found


def _packing(column: xr.DataArray) -> tuple[float, float]:
    """Return the scale and the offset that decoding has applied."""
    numbers = [column.encoding.get(key, 1 - n) for n, key in enumerate(_KEYS)]
    scale, offset = (float(n) if isinstance(n, int | float | np.number) else 0.0 for n in numbers)
    return (scale, offset) if scale else (1.0, 0.0)


_KEYS = ("scale_factor", "add_offset")


def _sample(column: xr.DataArray) -> Floats:
    """Return at most a million finite values other than 0."""
    stride = max(1, int((column.size / SAMPLE) ** 0.5))
    sample = column[..., ::stride, ::stride] if column.ndim > 1 else column[::stride]
    values = np.asarray(sample.values, dtype=np.float64)
    chosen: Floats = values[np.isfinite(values) & (values != 0)]
    return chosen


def _find_usual(column: xr.DataArray, scale: float, offset: float) -> _Usual | None:
    """Find the range of the measured values of a variable; None if there are none."""
    sample = _sample(column)
    if not sample.size:
        return None
    known = _is_known((sample - offset) / scale)
    others = sample[~known]
    if not others.size:  # only negative numbers are fills; a constant field of 1e15 is a field
        return _Usual(0, np.inf, 0)
    typical = float(np.median(np.abs(others)))
    unit = str(column.attrs.get("units", ""))
    said = is_column(unit) and IN_MOLECULES * factor(unit) <= LARGEST
    large = said or typical > SURELY_MOLECULES
    if large:
        others = sample[~known | np.isclose(np.abs(sample), IN_MOLECULES, rtol=1e-6)]
    typical = float(np.median(np.abs(others)))
    low, high = np.percentile(others, (0.5, 99.5))
    span = high - low
    return _Usual(float(low - span), float(high + span), SMALL * typical, large)


def _is_known(stored: Floats) -> NDArray[np.bool_]:
    """Tell which stored values are numbers that programs use for gaps."""
    after = np.clip(np.searchsorted(KNOWN, stored), 1, KNOWN.size - 1)
    nearest = np.stack([KNOWN[after - 1], KNOWN[after]])
    same: NDArray[np.bool_] = np.any(np.abs(stored - nearest) <= 1e-6 * np.abs(nearest), axis=0)
    return same


def _suspects(column: xr.DataArray, usual: _Usual) -> tuple[Floats, NDArray[np.intp]]:
    """Return the distinct values outside the usual range, and how often each occurs."""
    if column.chunks is None:
        found = [_suspects_in(column.values, usual)]
    else:
        # One after the other: the NetCDF libraries cannot read two at once.
        blocks = column.data.blocks.ravel()
        found = [_suspects_in(block.compute(), usual) for block in blocks]
    if len(found) == 1:
        return found[0]
    values = np.concatenate([values for values, _ in found])
    counts = np.concatenate([counts for _, counts in found])
    different, place = np.unique(values, return_inverse=True)
    return different, np.bincount(place, counts, different.size).astype(np.intp)


def _suspects_in(values: Any, usual: _Usual) -> tuple[Floats, NDArray[np.intp]]:
    values = np.asarray(values)
    with np.errstate(invalid="ignore"):
        chosen = values[usual.excludes(values) & np.isfinite(values)]
    different, counts = np.unique(chosen.astype(np.float64), return_counts=True)
    return different, counts
