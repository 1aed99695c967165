"""Screens: the conditions that a product's own flags put on its pixels."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FILL", "Criterion", "failing"]

FILL = 1e29  # what lies beyond is a fill, whether the file says so or not
_RELATIONS = {"==": operator.eq, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One condition on a variable, such as ``eff_cloud_fraction <= 0.2``."""

    path: str  # with the group
    relation: str
    limit: float

    def __str__(self) -> str:
        return f"{self.path.rpartition('/')[2]} {self.relation} {self.limit:g}"

    def fails(self, values: Any) -> Any:
        """Tell where the condition does not hold, or nothing is known."""
        unknown = ~(abs(values) < FILL)
        return unknown | ~_RELATIONS[self.relation](values, self.limit)


def failing(
    criteria: Sequence[Criterion], find: Callable[[str], Any | None]
) -> tuple[Any | None, str]:
    """Apply the criteria whose variables are there.

    Parameters
    ----------
    criteria : sequence of Criterion
    find : callable
        Returns the values at a path, NaN where missing, or None where there is no such variable.

    Returns
    -------
    bad : array of bool or None
        Where any criterion fails; None if none could be applied.
    screening : str
        What was applied, in words, and what could not be.
    """
    found = [(criterion, find(criterion.path)) for criterion in criteria]
    applied = [(criterion, values) for criterion, values in found if values is not None]
    absent = [c.path.rpartition("/")[2] for c, values in found if values is None]
    bad = None
    for criterion, values in applied:
        fails = criterion.fails(values)
        bad = fails if bad is None else np.logical_or(bad, fails)
    kept = "pixels with " + " and ".join(str(c) for c, _ in applied) if applied else "all pixels"
    return bad, kept + (f" (without {', '.join(absent)} in the file)" if absent else "")
