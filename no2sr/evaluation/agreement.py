"""How well the values of a map agree with a column of the table that they were joined to."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from no2sr.core.errors import MissingVariableError, No2srWarning, NoValidPixelsError
from no2sr.evaluation.extraction import PREFIX
from no2sr.evaluation.metrics import bias, correlation, rmse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Agreement", "compare_column"]

FEWEST = 3  # pairs: two always lie on a line


class Agreement(NamedTuple):
    """The agreement of a map with a column.

    Attributes
    ----------
    column : str
    unit : str
        Of the map.
    reference, values, uncertainty : array, (pairs,)
        The column, the map and its standard uncertainty, where both have a value.
    r : float
        Pearson's correlation.
    bias, rmse : float
        Of map minus column. They mean something only if the column is in the unit of the map.
    """

    column: str
    unit: str
    reference: NDArray[np.float64]
    values: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    r: float
    bias: float
    rmse: float


def compare_column(table: pd.DataFrame, column: str) -> Agreement:
    """Compare the values that `no2sr.extract` has joined to a table with one of its own columns.

    Parameters
    ----------
    table : DataFrame
        What `no2sr.extract` returned.
    column : str

    Raises
    ------
    MissingVariableError
        If there is no such column.
    NoValidPixelsError
        If fewer than three rows have both values.

    Warns
    -----
    No2srWarning
        If entries of the column are not numbers.
    """
    if column not in table:
        raise MissingVariableError(
            f"no column is called {column!r}; the columns are {', '.join(map(str, table.columns))}"
        )
    own = table[column]
    reference = pd.to_numeric(own, errors="coerce").to_numpy(np.float64)
    text = own.astype(str).str.strip()
    odd = int((~np.isfinite(reference) & own.notna().to_numpy() & (text != "").to_numpy()).sum())
    if odd:
        warnings.warn(
            f"{odd} entries of {column} are not numbers, and are not compared",
            No2srWarning,
            stacklevel=2,
        )
    ahead = PREFIX if f"{PREFIX}value" in table else ""
    values, sigma = (
        table[f"{ahead}{name}"].to_numpy(np.float64) for name in ("value", "uncertainty")
    )
    both = np.isfinite(reference) & np.isfinite(values)
    if both.sum() < FEWEST:
        raise NoValidPixelsError(
            f"{both.sum()} rows have both a value of the map and one of {column}; a comparison "
            f"needs at least {FEWEST}"
        )
    wanted, found = reference[both], values[both]
    return Agreement(
        column=column,
        unit=str(table[f"{ahead}unit"].iloc[0]),
        reference=wanted,
        values=found,
        uncertainty=sigma[both],
        r=correlation(found, wanted),
        bias=bias(found, wanted),
        rmse=rmse(found, wanted),
    )
