"""One colour scale for all pictures: ramps, robust limits, ticks and readable units.

GIS styles, rendered maps, figures and reports take their colours from here, so that the same value
looks the same in all of them. The ramps are perceptually uniform: equal steps of the value look
like equal steps. They are those of matplotlib (CC0), stored as 33 stops to interpolate between,
which is within 2 % of the full tables; matplotlib itself is not needed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import NoValidPixelsError, SettingsError
from no2sr.core.units import canonical_unit, factor, is_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GAP",
    "PICTURE",
    "RAMP",
    "RAMPS",
    "UNCERTAINTY_RAMP",
    "ascii_unit",
    "check_limits",
    "ramp",
    "robust_limits",
    "shown_unit",
    "ticks",
    "value_text",
]

# The tag of a picture, which is not data; `no2sr.open_no2` refuses a file that has it.
PICTURE = "no2sr_picture"
RAMP = "magma_r"
# Uncertainties have other colours than columns, so that their maps cannot be confused.
UNCERTAINTY_RAMP = "cividis_r"
# The grey of gaps, where they cannot be transparent: no ramp has it.
GAP = (204, 204, 204)
# Percentiles at which the colours end: otherwise one hot pixel would darken the map.
LOW, HIGH = 0.5, 99.5
# This many cells are enough for the percentiles of a large image.
ENOUGH = 4_000_000

_STOPS = {
    "magma": (
        "000004 030312 0a0822 130d34 1d1147 29115a 36106b 440f76 51127c 5d177f 6a1c81 762181 "
        "832681 902a81 9c2e7f aa337d b73779 c43c75 d0416f dc4869 e75263 ef5d5e f56b5c f9795d "
        "fc8961 fd9869 fea772 feb67c fec488 fed395 fde2a3 fcf0b2 fcfdbf"
    ),
    "viridis": (
        "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e "
        "2c728e 297a8e 26828e 23898e 21918c 1f988b 1fa088 22a785 28ae80 32b67a 3fbc73 4ec36b "
        "5ec962 70cf57 84d44b 98d83e addc30 c2df23 d8e219 ece51b fde725"
    ),
    "cividis": (  # made for colour-blind readers
        "00224e 00285b 002e6a 053371 1a386f 273e6e 32436d 3b496c 434e6c 4b546c 535a6d 5a5f6e "
        "61656f 686a71 6f7073 767676 7d7c78 848279 8c8878 938e78 9b9476 a39a74 aba072 b4a76f "
        "bcae6c c4b468 cdbb63 d5c25e dec958 e7d150 f0d846 f9e03a fee838"
    ),
}
RAMPS = tuple(sorted([*_STOPS, *(f"{name}_r" for name in _STOPS)]))

# Units that are easy to read: columns are 1 to 1000 in the first, 0.1 to 100 in the second.
_SHOWN = {"umol m-2": "µmol m⁻²", "1e15 molecules cm-2": "10¹⁵ molecules cm⁻²"}
_MICROMOLES, _PETAMOLECULES = _SHOWN


def ramp(name: str = RAMP, steps: int = 256) -> NDArray[np.uint8]:
    """Return the colours of a ramp from its low to its high end.

    Parameters
    ----------
    name : str
        One of `RAMPS`; ``_r`` reverses the ramp. The default begins light, so that clean air leaves
        the map below visible.
    steps : int
        Number of colours, at least 2.

    Returns
    -------
    array, (steps, 3), uint8
        Red, green, blue.

    Raises
    ------
    SettingsError
        If there is no such ramp.

    Examples
    --------
    >>> ramp("viridis", 2)
    array([[ 68,   1,  84],
           [253, 231,  37]], dtype=uint8)
    """
    if name not in RAMPS:
        raise SettingsError(f"there is no colour ramp {name!r}; choose one of {', '.join(RAMPS)}")
    stops = np.array(
        [list(bytes.fromhex(stop)) for stop in _STOPS[name.removesuffix("_r")].split()]
    )
    if name.endswith("_r"):
        stops = stops[::-1]
    places = np.linspace(0, len(stops) - 1, steps)
    channels = [np.interp(places, np.arange(len(stops)), channel) for channel in stops.T]
    return np.asarray(np.rint(np.stack(channels, axis=1)), dtype=np.uint8)


def robust_limits(values: ArrayLike) -> tuple[float, float]:
    """Return limits of a colour scale between which 99 % of the observed values lie.

    Parameters
    ----------
    values : array
        NaN in gaps. In large arrays, only every n-th value is used.

    Returns
    -------
    low, high : float
        For a constant image, their distance is the magnitude of its value.

    Raises
    ------
    NoValidPixelsError
        If all cells are gaps.
    """
    flat = np.asarray(values).ravel()
    seen = flat[:: 1 + flat.size // ENOUGH]
    seen = seen[np.isfinite(seen)].astype(np.float64)
    if not seen.size:
        seen = flat[np.isfinite(flat)].astype(np.float64)
    if not seen.size:
        raise NoValidPixelsError(
            f"all {flat.size} cells are gaps, so there is nothing to colour; choose another region"
        )
    low, high = np.percentile(seen, [LOW, HIGH])
    if high <= low:
        half = abs(float(low)) / 2 or 0.5
        return float(low) - half, float(low) + half
    return float(low), float(high)


def check_limits(limits: Sequence[float]) -> tuple[float, float]:
    """Check limits of a colour scale that a caller chose.

    Raises
    ------
    SettingsError
        If they are not two finite numbers, the lower one first.
    """
    if len(limits) != 2 or not (all(map(math.isfinite, limits)) and limits[0] < limits[1]):
        raise SettingsError(
            f"limits are {tuple(limits)}; give two finite numbers, the lower one first, or omit "
            "them to use those of the values"
        )
    return float(limits[0]), float(limits[1])


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Return round numbers between two limits: steps of 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    low, high : float
    count : int
        Approximate upper limit of their number.

    Returns
    -------
    list of float

    Examples
    --------
    >>> ticks(-3, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    rough = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, decimals) + 0.0 for number in range(first, last + 1)]


def shown_unit(unit: str) -> tuple[float, str]:
    """Choose the unit in which values are shown to people.

    Parameters
    ----------
    unit : str
        Unit of the values. Amounts of substance are shown in µmol m⁻², numbers of molecules in
        10¹⁵ cm⁻², and other quantities in their own unit.

    Returns
    -------
    factor : float
        ``shown = factor * value``.
    name : str
        Spelling for labels and tables; files use that of UDUNITS.

    Examples
    --------
    >>> shown_unit("mol m-2")
    (1000000.0, 'µmol m⁻²')
    """
    if not is_column(unit):
        return 1.0, unit
    known = canonical_unit(unit)
    if "molecules" in known:
        return _factor(known, _PETAMOLECULES), _SHOWN[_PETAMOLECULES]
    if "mol " in known:
        return _factor(known, _MICROMOLES), _SHOWN[_MICROMOLES]
    return 1.0, known


def value_text(value: float, unit: str, digits: str = ".4g") -> str:
    """Format a value with its unit, such as "3 µmol m⁻²"; a power of ten follows a times sign.

    Parameters
    ----------
    value : float
    unit : str
        As `shown_unit` spells it.
    digits : str
        Format of the number.
    """
    times = "\N{MULTIPLICATION SIGN} " if unit.startswith("10") else ""
    return f"{value:{digits}} {times}{unit}".rstrip()


def ascii_unit(unit: str) -> str:
    """Spell a unit of `shown_unit` in ASCII, for fonts and tags that have no other characters."""
    return {shown: plain for plain, shown in _SHOWN.items()}.get(unit, unit)


def _factor(unit: str, wanted: str) -> float:
    """Return the factor between two units as 1e6 and not as 1000000.0000000001."""
    return float(f"{factor(unit, wanted):.12g}")
