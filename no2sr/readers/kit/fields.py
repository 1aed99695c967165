"""What the variables and bands of a file are, and which of them is the NO2 column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from no2sr.core.errors import AmbiguousVariableError, MissingVariableError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Field", "choose", "is_total", "listing", "mentions_no2", "speaks_of_another"]

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


def choose(fields: Sequence[Field], *, variable: str | None, source: str) -> Field:
    """Find the field that was named, or else the only NO2 column.

    Parameters
    ----------
    fields : sequence of Field
        What may be chosen from.
    variable : str or None
        A name, with or without its group. Without one, a field that speaks of NO2 and is not its
        stratospheric or slant column, its error or the like; one that says tropospheric goes
        before the others.
    source : str
        What to call the file in a message.

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
            f"{source} has no variable {variable!r}, expected one of {listing(fields)}; "
            "give variable= one of these names"
        )
    candidates = [field for field in fields if _is_candidate(field)]
    best = [f for f in candidates if is_tropospheric(f.name, f.text)] or candidates
    if len(best) == 1:
        return best[0]
    if not best:
        raise MissingVariableError(
            f"{source} has no tropospheric NO2 column, it has {listing(fields)}; "
            "to use one of these name it with variable="
        )
    raise AmbiguousVariableError(
        f"{source} has {len(best)} NO2 variables, expected one: {listing(best)}; "
        "choose with variable="
    )


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
