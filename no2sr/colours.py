"""One way to show columns in colour, shared by styles, pictures and plots.

A perceptually uniform ramp, limits that a single hot pixel does not move, and units whose numbers
read well. No drawing library is needed, and no colour made here re-enters the data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from no2sr.units import canonical_unit, factor, is_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RAMP", "ramp", "robust_limits", "shown_unit"]

# matplotlib's magma (S. van der Walt and N. Smith, CC0), light to dark, at 17 equal steps: clean
# air pale, plumes dark. Straight lines between them stay within 4 of 255 of the original.
RAMP = (
    "#fcfdbf", "#fde0a1", "#fec287", "#fea571", "#fb8761", "#f4695c", "#e55064", "#cf4070",
    "#b5367a", "#9b2e7f", "#812581", "#681c81", "#4f127b", "#341069", "#1c1044", "#090720",
    "#000004",
)  # fmt: skip
# Percentiles of the values where the ramp ends.
LOW, HIGH = 0.2, 99.8
# Limits are round to about this share of what lies between them.
ROUND_TO = 1 / 50

_SHOWN = {
    "umol m-2": "µmol m⁻²",
    "1e15 molecules cm-2": "10¹⁵ molec cm⁻²",
}
# Columns in other units are shown in one of these, whichever counts the same thing.
_SHOWN_INSTEAD = {
    "mol m-2": "umol m-2",
    "mmol m-2": "umol m-2",
    "nmol m-2": "umol m-2",
    "molecules cm-2": "1e15 molecules cm-2",
    "molecules m-2": "1e15 molecules cm-2",
    "1e13 molecules cm-2": "1e15 molecules cm-2",
    "1e16 molecules cm-2": "1e15 molecules cm-2",
}


def ramp(count: int = 256) -> NDArray[np.uint8]:
    """Return the colours of the ramp at equal steps.

    Parameters
    ----------
    count : int
        How many, 2 or more.

    Returns
    -------
    array of uint8, (count, 3)
        Red, green and blue, from the lowest value to the highest.
    """
    stops = np.array([list(bytes.fromhex(colour[1:])) for colour in RAMP], np.float64)
    where = np.linspace(0, len(RAMP) - 1, count)
    channels = [np.interp(where, np.arange(len(RAMP)), channel) for channel in stops.T]
    colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return colours


def robust_limits(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return round limits that leave out the few most extreme values.

    Parameters
    ----------
    values : array
        NaN is a gap.

    Returns
    -------
    float, float
        The lower one is less than the upper one. All but 0.2 % of the values at either end lie
        between them; a constant has limits around it, and no value at all those of 0 to 1.

    Examples
    --------
    >>> robust_limits(np.linspace(-3.1, 141.7, 1000))
    (-5.0, 145.0)
    """
    seen = values[np.isfinite(values)]
    if seen.size == 0:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(seen.astype(np.float64), [LOW, HIGH]))
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        size = abs(high) or 1.0
        low, high = low - size / 2, high + size / 2
    step = _round_step((high - low) * ROUND_TO)
    digits = max(0, 1 - math.floor(math.log10(step)))
    ends = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return round(ends[0], digits), round(ends[1], digits)


def _round_step(least: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(many * power for many in (1, 2, 5, 10) if many * power >= least * (1 - 1e-9))


def shown_unit(unit: str) -> tuple[float, str]:
    """Return what to multiply values by to show them, and the name of the unit they then have.

    Parameters
    ----------
    unit : str
        Of the values as they are.

    Returns
    -------
    float, str
        Amounts in moles are shown in µmol m⁻² and numbers of molecules in 10¹⁵ molec cm⁻²,
        where NO2 has one to three digits; every other unit as it is.

    Examples
    --------
    >>> shown_unit("mol m-2")
    (1000000.0, 'µmol m⁻²')
    """
    if not is_column(unit):
        return 1.0, unit
    found = canonical_unit(unit)
    shown = _SHOWN_INSTEAD.get(found, found)
    return factor(found, shown), _SHOWN.get(shown, shown)
