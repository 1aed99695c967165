"""Which variable is the NO2 column: decided here, for files, bands and datasets alike.

A `Field` describes a variable whose values are unread. `choose` picks one; the small questions
(`mentions_no2`, `is_total` and so on) are answered from names, long names and units alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from no2sr.core.errors import AmbiguousVariableError, MissingVariableError
from no2sr.core.layers import is_companion
from no2sr.core.units import is_column

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = [
    "Field",
    "choose",
    "find_columns",
    "find_quantities",
    "is_total",
    "is_tropospheric",
    "listing",
    "mentions_no2",
    "speaks_of_another",
]

_NO2 = re.compile(r"(?<![hn])no2(?!\d)|nitrogen[ _]?dioxide", re.IGNORECASE)
_TROPOSPHERIC = re.compile(r"trop(?!opause|omi|ic)", re.IGNORECASE)
# OMI's ColumnAmountNO2 and HARP's NO2_column_number_density are total columns that do not say so.
_TOTAL = re.compile(
    r"total|summed|\btcno2\b|ColumnAmountNO2(CloudScreened)?\b|(?<![a-z]_)NO2_column_number_density",
    re.IGNORECASE,
)
# Not a vertical column, wherever it is said ...
_OTHER_QUANTITY = re.compile(
    r"slant|air.?mass|\bamf|amf_|precision|uncertaint|standard.?error", re.IGNORECASE
)
# ... and where the name itself says so; a long name may speak of "count-weighted" means.
_ANCILLARY_NAME = re.compile(
    r"error|std|weight|count|flag|quality|qa_|kernel|avk|apriori|profile|validity|histogram|pdf"
    r"|fraction|bounds|bnds|scd",
    re.IGNORECASE,
)
_ERROR = re.compile(r"precision|uncertaint|standard_error", re.IGNORECASE)
_OTHER_GAS = re.compile(
    r"carbon|\bco\b|ozone|\bo3\b|sul(f|ph)ur|\bso2|methane|\bch4|formaldehyde|\bhcho|aerosol|cloud"
    r"|pressure|angle|altitude|albedo",
    re.IGNORECASE,
)
_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One variable or band of a file, its values unread."""

    name: str
    path: str  # with the group, as in "product/vertical_column_troposphere"
    unit: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    text: str  # what the long name, standard name and title say

    def __str__(self) -> str:
        return f"{self.path} [{self.unit or 'no unit'}] {self.shape}"


def mentions_no2(*texts: str) -> bool:
    """Tell whether a name or long name speaks of NO2."""
    return any(_NO2.search(text) for text in texts)


def is_tropospheric(*texts: str) -> bool:
    """Tell whether a name or long name says troposphere or tropospheric."""
    return any(_TROPOSPHERIC.search(text) for text in texts)


def is_total(*texts: str) -> bool:
    """Tell whether a name or long name is that of a total column."""
    return not is_tropospheric(*texts) and any(_TOTAL.search(text) for text in texts)


def _is_candidate(field: Field) -> bool:
    both = f"{field.name} {field.text}"
    stratospheric = "strato" in both.lower() and not is_tropospheric(both)
    return (
        mentions_no2(both)
        and not stratospheric
        and not _OTHER_QUANTITY.search(both)
        and not _ANCILLARY_NAME.search(field.name)
    )


def speaks_of_another(field: Field) -> bool:
    """Tell whether a field says that it is something else than an NO2 column."""
    both = f"{field.name} {field.text}"
    if mentions_no2(both):
        return not _is_candidate(field)
    return bool(_OTHER_GAS.search(both.replace("_", " ")) or _OTHER_QUANTITY.search(both))


def choose(
    fields: Sequence[Field], *, variable: str | None, source: str, lone: bool = False
) -> Field:
    """Find the field that was named, or else the only NO2 column.

    Parameters
    ----------
    fields : sequence of Field
        What may be chosen from.
    variable : str or None
        A name, with or without its group. Without one, see `find_column`.
    source : str
        What to call the file or dataset in a message.
    lone : bool
        Whether a field that says nothing of NO2 will do if it is the only one that is a quantity
        of its own. That is so for a dataset in memory: its owner knows what it holds.

    Returns
    -------
    Field

    Raises
    ------
    MissingVariableError
        If it is not there; the message names the fields that are.
    AmbiguousVariableError
        If several qualify; nothing is guessed.
    """
    if variable is not None:
        named = [field for field in fields if variable.strip("/") in (field.path, field.name)]
        if named:
            return named[0]
        raise MissingVariableError(
            f"{source} has no variable {variable!r}, only {listing(fields)}; "
            "give variable= one of these names"
        )
    best = find_columns(fields) or (find_quantities(fields) if lone else [])
    if len(best) == 1:
        return best[0]
    if not best:
        raise MissingVariableError(
            f"{source} has no tropospheric NO2 column, it has {listing(fields)}; "
            "to use one of these name it with variable="
        )
    raise AmbiguousVariableError(
        f"{source} has {len(best)} variables that qualify: {listing(best)}; choose with variable="
    )


def find_columns(fields: Sequence[Field]) -> list[Field]:
    """Return the fields that may be meant by "the NO2 column"; one if nothing is open.

    Fields speak of NO2 and are not its stratospheric or slant column, its error or the like. Those
    in a column unit, or in none, go before the others, and tropospheric ones before the rest.

    Parameters
    ----------
    fields : sequence of Field
    """
    candidates = [field for field in _alone(fields) if _is_candidate(field)]
    fitting = [f for f in candidates if not f.unit or is_column(f.unit)] or candidates
    return [f for f in fitting if is_tropospheric(f.name, f.text)] or fitting


def find_quantities(fields: Sequence[Field]) -> list[Field]:
    """Return the fields that are quantities of their own: no errors, weights, counts or flags.

    What is the only one will do, whatever it is called.

    Parameters
    ----------
    fields : sequence of Field
    """
    alone = _alone(fields)
    own = [f for f in alone if not (_ANCILLARY_NAME.search(f.name) or _ERROR.search(f.name))]
    return alone if len(alone) == 1 else own


def _alone(fields: Sequence[Field]) -> list[Field]:
    """Return the fields that accompany no other one."""
    names: dict[Hashable, Field] = {field.name: field for field in fields}
    return [field for field in fields if not is_companion(field.name, names)]


def _rank(field: Field) -> tuple[bool, bool, bool, bool]:
    """Order fields by how likely they are what was looked for."""
    column = bool(re.search(r"column|mixing_ratio", field.name, re.IGNORECASE))
    texts = field.name, field.text
    return not mentions_no2(*texts), not is_tropospheric(*texts), not column, len(field.dims) < 2


def listing(fields: Sequence[Field]) -> str:
    """Name fields with their units and shapes: a dozen at most, the likeliest first."""
    first = sorted(fields, key=_rank)
    shown = ", ".join(map(str, first[:_LISTED])) or "no variables at all"
    return shown + (f" and {len(fields) - _LISTED} more" if len(fields) > _LISTED else "")
