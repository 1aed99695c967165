"""Screens: the conditions that a product sets for its pixels."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import SettingsError
from no2sr.core.units import FILL_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from no2sr.readers.port import Reader

__all__ = ["Criterion", "apply_limits", "check_limits", "check_quality", "find_failing"]

_RELATIONS = {"==": operator.eq, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One condition on a variable, such as ``eff_cloud_fraction <= 0.2``."""

    path: str  # with the group
    relation: str
    limit: float

    def __str__(self) -> str:
        return f"{self.name} {self.relation} {self.limit:g}"

    @property
    def name(self) -> str:
        """The variable's name without its group."""
        return self.path.rpartition("/")[2]

    def fails(self, values: Any) -> Any:
        """Tell where the condition does not hold, or the value is unknown."""
        unknown = ~(abs(values) < FILL_LIMIT)
        return unknown | ~_RELATIONS[self.relation](values, self.limit)


def check_quality(reader: Reader, qa_min: float | None) -> None:
    """Refuse a quality threshold for a product without quality values.

    Parameters
    ----------
    reader : Reader
        Has quality values if its attribute ``has_quality`` is true.
    qa_min : float or None
        None is accepted for every product.

    Raises
    ------
    SettingsError
        If a threshold is given for a product without quality values.
    """
    if qa_min is None or getattr(reader, "has_quality", False):
        return
    screens = getattr(reader, "criteria", None)
    advice = (
        f"leave it out, or move its screens with limits= ({', '.join(map(str, screens))})"
        if screens
        else "leave it out"
    )
    raise SettingsError(
        f"a quality threshold of {qa_min:g} was given for {reader.product}, which has no quality "
        f"values; {advice}"
    )


def check_limits(reader: Reader, limits: Mapping[str, float] | None) -> None:
    """Refuse limits for screens that a reader does not have.

    Raises
    ------
    SettingsError
        If its product has no screens, or none of that name; the message lists them.
    """
    criteria: Sequence[Criterion] | None = getattr(reader, "criteria", ())
    if not limits or criteria is None:
        return
    given = ", ".join(limits)
    if not criteria:
        raise SettingsError(
            f"a limit of {given} was given for {reader.product}, which has no such screens; leave "
            "it out, or set the quality of Sentinel-5P pixels with qa_min="
        )
    known = {criterion.name for criterion in criteria}
    unknown = [name for name in limits if name not in known]
    if unknown:
        raise SettingsError(
            f"{reader.product} has no screen {', '.join(map(repr, unknown))}; give a limit for one "
            f"of {', '.join(map(str, criteria))}"
        )
    unfit = [name for name, limit in limits.items() if not _is_limit(limit)]
    if unfit:
        raise SettingsError(
            f"the limit of {unfit[0]} is {limits[unfit[0]]!r}; give a number, or inf to let every "
            "known value pass"
        )


def _is_limit(limit: object) -> bool:
    return isinstance(limit, Real) and not math.isnan(limit)


def apply_limits(
    criteria: Sequence[Criterion], limits: Mapping[str, float] | None
) -> tuple[Criterion, ...]:
    """Return the criteria with the limits that the caller gave."""
    moved = limits or {}
    return tuple(replace(c, limit=float(moved.get(c.name, c.limit))) for c in criteria)


def find_failing(
    criteria: Sequence[Criterion], find: Callable[[str], Any | None]
) -> tuple[Any | None, str]:
    """Apply the criteria whose variables exist.

    Parameters
    ----------
    criteria : sequence of Criterion
    find : callable
        Returns the values at a path, NaN where missing, or None if there is no such variable.

    Returns
    -------
    bad : array of bool or None
        Where any criterion fails; None if none could be applied.
    screening : str
        Description of the criteria that were applied, and of those that could not be.
    """
    found = [(criterion, find(criterion.path)) for criterion in criteria]
    applied = [(criterion, values) for criterion, values in found if values is not None]
    absent = [c.name for c, values in found if values is None]
    bad = None
    for criterion, values in applied:
        fails = criterion.fails(values)
        bad = fails if bad is None else np.logical_or(bad, fails)
    kept = "pixels with " + " and ".join(str(c) for c, _ in applied) if applied else "all pixels"
    return bad, kept + (f" (without {', '.join(absent)} in the file)" if absent else "")
