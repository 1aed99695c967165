"""Which variable is the NO2 column: decided here for files, bands and datasets alike.

A `Field` describes a variable without its values. `choose` picks one. Small questions
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
    "list_fields",
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
# Not a vertical column, in whichever text these words stand ...
_OTHER_QUANTITY = re.compile(
    r"slant|air.?mass|\bamf|amf_|precision|uncertaint|standard.?error", re.IGNORECASE
)
# ... and only in the name: a long name may mention "count-weighted" means.
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
    """One variable or band of a file, without its values."""

    name: str
    path: str  # with the group, as in "product/vertical_column_troposphere"
    unit: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    text: str  # long name, standard name and title

    def __str__(self) -> str:
        return f"{self.path} [{self.unit or 'no unit'}] {self.shape}"


def mentions_no2(*texts: str) -> bool:
    """Tell whether a name or long name mentions NO2."""
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
    """Tell whether a field says that it is not an NO2 column."""
    both = f"{field.name} {field.text}"
    if mentions_no2(both):
        return not _is_candidate(field)
    return bool(_OTHER_GAS.search(both.replace("_", " ")) or _OTHER_QUANTITY.search(both))


def choose(
    fields: Sequence[Field], *, variable: str | None, source: str, lone: bool = False
) -> Field:
    """Find the field with the given name, or the only NO2 column.

    Parameters
    ----------
    fields : sequence of Field
        The candidates.
    variable : str or None
        A name, with or without its group. For None, see `find_columns`.
    source : str
        Name of the file or dataset in a message.
    lone : bool
        Whether the only field that is a quantity of its own is accepted even if it does not mention
        NO2. That is so for a dataset in memory: its owner knows what it holds.

    Returns
    -------
    Field

    Raises
    ------
    MissingVariableError
        If there is none; the message lists the fields that exist.
    AmbiguousVariableError
        If there are several candidates; nothing is guessed.
    """
    if variable is not None:
        named = [field for field in fields if variable.strip("/") in (field.path, field.name)]
        if named:
            return named[0]
        raise MissingVariableError(
            f"{source} has no variable {variable!r}, only {list_fields(fields)}; "
            "set variable= to one of these names"
        )
    best = find_columns(fields) or (find_quantities(fields) if lone else [])
    if len(best) == 1:
        return best[0]
    if not best:
        raise MissingVariableError(
            f"{source} has no tropospheric NO2 column, only {list_fields(fields)}; "
            "to use one of these, name it with variable="
        )
    raise AmbiguousVariableError(
        f"{source} has {len(best)} candidates: {list_fields(best)}; choose one with variable="
    )


def find_columns(fields: Sequence[Field]) -> list[Field]:
    """Return the fields that can be the NO2 column; a single one if there is no doubt.

    Such a field mentions NO2 and is not its stratospheric or slant column, its error or the like.
    Fields in a column unit, or in none, go before the others, and tropospheric ones before the
    rest.

    Parameters
    ----------
    fields : sequence of Field
    """
    candidates = [field for field in _drop_companions(fields) if _is_candidate(field)]
    fitting = [f for f in candidates if not f.unit or is_column(f.unit)] or candidates
    return [f for f in fitting if is_tropospheric(f.name, f.text)] or fitting


def find_quantities(fields: Sequence[Field]) -> list[Field]:
    """Return the quantities of their own: no errors, weights, counts or flags.

    If there is only one field, it is returned whatever its name.

    Parameters
    ----------
    fields : sequence of Field
    """
    alone = _drop_companions(fields)
    own = [f for f in alone if not (_ANCILLARY_NAME.search(f.name) or _ERROR.search(f.name))]
    return alone if len(alone) == 1 else own


def _drop_companions(fields: Sequence[Field]) -> list[Field]:
    """Return the fields that accompany no other field."""
    names: dict[Hashable, Field] = {field.name: field for field in fields}
    return [field for field in fields if not is_companion(field.name, names)]


def _rank(field: Field) -> tuple[bool, bool, bool, bool]:
    """Return a sort key that puts the likeliest fields first."""
    column = bool(re.search(r"column|mixing_ratio", field.name, re.IGNORECASE))
    texts = field.name, field.text
    return not mentions_no2(*texts), not is_tropospheric(*texts), not column, len(field.dims) < 2


def list_fields(fields: Sequence[Field]) -> str:
    """List up to a dozen fields with their units and shapes, the likeliest first."""
    first = sorted(fields, key=_rank)
    shown = ", ".join(map(str, first[:_LISTED])) or "no variables"
    return shown + (f" and {len(fields) - _LISTED} more" if len(fields) > _LISTED else "")
