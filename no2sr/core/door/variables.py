"""Which variable of a Dataset is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import xarray as xr

from no2sr.core.door.axes import axis_name, with_axes
from no2sr.core.errors import AmbiguousVariableError, DimensionError, MissingVariableError
from no2sr.core.units import is_column

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

__all__ = ["choose_variable", "listed"]

_NO2 = re.compile(r"no2|nitrogen.?dioxide", re.IGNORECASE)
_COMPANION = re.compile(
    r"precision|uncertainty|error|std|weight|count|kernel|amf|strat|slant|summed|quality|qa_value",
    re.IGNORECASE,
)


def choose_variable(
    dataset: xr.Dataset | xr.DataArray, variable: str | None = None
) -> xr.DataArray:
    """Return the variable asked for, or the one that qualifies.

    Parameters
    ----------
    dataset : Dataset or DataArray
    variable : str, optional
        By default the only floating variable on a grid; of several, the only one that is an NO2
        column by its name and unit; of several such, the only tropospheric one.

    Returns
    -------
    DataArray

    Raises
    ------
    MissingVariableError, AmbiguousVariableError
        Naming the variables that are there, with units.
    DimensionError
        If it is no xarray object.
    """
    if isinstance(dataset, xr.DataArray):
        if variable not in (None, dataset.name):
            raise MissingVariableError(
                f"the DataArray is {dataset.name!r}, expected {variable!r}; leave variable out, or "
                "pass the Dataset that holds it"
            )
        return dataset
    if not isinstance(dataset, xr.Dataset):
        raise DimensionError(
            f"got a {type(dataset).__name__}, expected an xarray Dataset or DataArray; open files "
            "with no2sr.open_no2, wrap arrays in xarray.DataArray"
        )
    if variable is None:
        return dataset[_qualified(dataset)]
    if variable not in dataset.data_vars:
        raise MissingVariableError(
            f"there is no variable {variable!r}, only {listed(dataset, dataset.data_vars)}; "
            "name one of these"
        )
    return dataset[variable]


def _qualified(dataset: xr.Dataset) -> Hashable:
    """Pick the one variable that can be meant."""
    fields = [n for n, v in dataset.data_vars.items() if v.ndim > 1 and v.dtype.kind == "f"]
    gridded = [n for n in fields if _on_grid(dataset, n)] or fields
    if not gridded:
        raise MissingVariableError(
            f"no floating variable lies on a grid; there are {listed(dataset, dataset.data_vars)}; "
            "expected a column on latitude and longitude; open the right group of the file"
        )
    says = [n for n in gridded if _is_no2(dataset[n])]
    tropospheric = [n for n in says if "tropo" in _words(dataset[n])]
    for few in (gridded, says, tropospheric):
        if len(few) == 1:
            return few[0]
    raise AmbiguousVariableError(
        f"several variables qualify: {listed(dataset, says or gridded)}; expected one; "
        "pass its name as variable"
    )


def _on_grid(dataset: xr.Dataset, name: Hashable) -> bool:
    """Tell whether a variable has both axes."""
    column = with_axes(dataset[name], dataset)
    return all(axis_name(column, which) is not None for which in "yx")


def _is_no2(field: xr.DataArray) -> bool:
    """Tell whether name and unit speak of an NO2 column, and not of its error or weight."""
    units = str(field.attrs.get("units", "")).strip()
    fits = not units or is_column(units)
    return fits and bool(_NO2.search(_words(field))) and not _COMPANION.search(str(field.name))


def _words(field: xr.DataArray) -> str:
    """Return name, standard name and long name in lower case."""
    named = (field.name, field.attrs.get("standard_name"), field.attrs.get("long_name"))
    return " ".join(str(word) for word in named if word).lower()


def listed(dataset: xr.Dataset, names: Iterable[Hashable]) -> str:
    """Name variables with their units, a dozen at most."""
    shown = [f"{name} [{dataset[name].attrs.get('units', 'no unit')}]" for name in names]
    return ", ".join(shown[:12] + ["..."] * (len(shown) > 12)) or "none"
