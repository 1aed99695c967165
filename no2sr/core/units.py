"""Units of vertical columns: one table, one exact constant.

1 mol m-2 is exactly 6.02214076e19 molecules cm-2, because the Avogadro constant is exactly
6.02214076e23 mol-1 in the SI of 2019 and 1 m2 is 1e4 cm2. A unit that is not in the table is
refused; nothing is guessed.
"""

from __future__ import annotations

import re

from no2sr.core.errors import UnitsError

__all__ = [
    "CANONICAL",
    "FILL_LIMIT",
    "asked_unit",
    "canonical_unit",
    "factor",
    "is_column",
    "known_units",
    "spell_out",
]

CANONICAL = "mol m-2"
# No column reaches this in any unit: larger values are fill values, even if a file does not say so.
FILL_LIMIT = 1e29
AVOGADRO = 6.02214076e23  # mol-1, exact (BIPM, SI brochure, 9th edition)
NO2_MOLAR_MASS = 0.0460055  # kg mol-1
DOBSON = 2.6867e20  # molecules m-2 in one Dobson unit

_PER_MOL = AVOGADRO / 1e4  # molecules cm-2 in one mol m-2

# canonical spelling -> mol m-2 in one of it
_FACTORS = {
    "mol m-2": 1.0,
    "mmol m-2": 1e-3,
    "umol m-2": 1e-6,
    "nmol m-2": 1e-9,
    "molecules cm-2": 1 / _PER_MOL,
    "1e13 molecules cm-2": 1e13 / _PER_MOL,
    "1e15 molecules cm-2": 1e15 / _PER_MOL,
    "1e16 molecules cm-2": 1e16 / _PER_MOL,
    "molecules m-2": 1 / AVOGADRO,
    "kg m-2": 1 / NO2_MOLAR_MASS,  # of NO2
    "DU": DOBSON / AVOGADRO,
}
_ALIASES = {
    "pmolec cm-2": "1e15 molecules cm-2",
    "pmolecules cm-2": "1e15 molecules cm-2",
    "cm-2": "molecules cm-2",
    "m-2": "molecules m-2",
    "dobson": "DU",
    "dobson units": "DU",
    "du": "DU",
}
# What people type when they ask for a unit. In a file, such a word would be ambiguous.
_SHORT = {
    "mol": "mol m-2",
    "umol": "umol m-2",
    "molecules": "molecules cm-2",
    "pmolec": "1e15 molecules cm-2",
}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻µμ", "0123456789-uu")


def canonical_unit(text: str) -> str:
    """Spell a unit the way the table does.

    Parameters
    ----------
    text : str
        Any of the usual spellings: ``mol/m^2``, ``molec/cm2``, ``10^15 molecules cm**-2``,
        ``1/cm2``, ``µmol m⁻²``, ``Pmolec cm-2`` ... Case and blanks do not matter.

    Returns
    -------
    str
        The table's spelling, for example ``"mol m-2"``.

    Raises
    ------
    UnitsError
        If the unit is not a column unit of the table.

    Examples
    --------
    >>> canonical_unit("10^15molec/cm2")
    '1e15 molecules cm-2'
    """
    plain = _reduce(text)
    name = _ALIASES.get(plain, plain)
    for known in _FACTORS:
        if name.lower() == known.lower():
            return known
    raise UnitsError(
        f"unit {text!r} is not a column unit that no2sr knows; use one of "
        f"{', '.join(known_units())}, and set it in attrs['units']"
    )


def asked_unit(text: str) -> str:
    """Spell a unit that a user asks for, possibly by a short name.

    Parameters
    ----------
    text : str
        ``mol``, ``umol``, ``molec``, ``Pmolec``, or any spelling that `canonical_unit` accepts.

    Returns
    -------
    str
        The table's spelling.

    Raises
    ------
    UnitsError
        If it is unknown.

    Examples
    --------
    >>> asked_unit("Pmolec")
    '1e15 molecules cm-2'
    """
    return canonical_unit(spell_out(text))


def spell_out(text: str) -> str:
    """Replace the short name of a unit, such as ``umol``, by its full name; leave others."""
    return _SHORT.get(_reduce(text), text)


def _reduce(text: str) -> str:
    """Reduce a spelling to ``[power ]amount area-2`` in lower case."""
    s = str(text).strip().translate(_SUPERSCRIPTS).lower()
    s = re.sub(r"\*\*|[\^(){}]", "", s)
    # "10e15" stays as it is and is refused: as a number it is 1e16, but many people mean 10^15.
    s = re.sub(r"\b(?:1(?:\.0*)?e|10)\+?(\d\d)\s*[*x]?\s*", r"1e\1 ", s)
    s = re.sub(r"(?<=[a-z])\s*[.*·]\s*(?=c?m-2$)", " ", s)
    s = re.sub(r"\s*/\s*(c?m)-?2\b", r" \1-2", s)
    s = re.sub(r"\b(?:molecules?|molecs?|mlc|mcl|molc)\b\.?", "molecules", s)
    s = re.sub(r"^1 (?=c?m-2)", "", s)
    s = re.sub(r"\bpmolec\w*", "pmolec", s)
    s = re.sub(r"\b(c?m)\s*-\s*2\b", r"\1-2", s)
    s = re.sub(r"^(1e\d\d) (?=cm-2)", r"\1 molecules ", s)
    return re.sub(r"\s+", " ", s).strip()


def is_column(text: str) -> bool:
    """Tell whether a unit is in the table of column units."""
    try:
        canonical_unit(text)
    except UnitsError:
        return False
    return True


def factor(found: str, wanted: str = CANONICAL) -> float:
    """Return the factor that converts values from one unit to another.

    Parameters
    ----------
    found, wanted : str
        Column units in any spelling that `canonical_unit` accepts.

    Returns
    -------
    float
        ``value[wanted] = factor * value[found]``.

    Raises
    ------
    UnitsError
        If either unit is unknown.

    Examples
    --------
    >>> factor("mol m-2", "molecules cm-2")
    6.02214076e+19
    """
    return _FACTORS[canonical_unit(found)] / _FACTORS[canonical_unit(wanted)]


def known_units() -> tuple[str, ...]:
    """Return every unit of the table in its canonical spelling."""
    return tuple(_FACTORS)
