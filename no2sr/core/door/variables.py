"""Which variable of a Dataset is meant: the choice of `no2sr.core.columns`, on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from no2sr.core.columns import Field, choose
from no2sr.core.door.axes import attach_axes, axis_name
from no2sr.core.errors import DimensionError, MissingVariableError
from no2sr.core.layers import is_companion

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

__all__ = ["choose_variable", "describe_variable", "list_others", "list_variables"]

# CF attributes that name variables which describe a grid, not what was measured on it.
_GRID = ("bounds", "climatology", "coordinates", "grid_mapping", "cell_measures")
_TEXTS = ("long_name", "standard_name", "title")


def choose_variable(
    dataset: xr.Dataset | xr.DataArray, variable: str | None = None
) -> xr.DataArray:
    """Return the variable asked for, or the only candidate.

    Parameters
    ----------
    dataset : Dataset or DataArray
    variable : str, optional
        By default the NO2 column on a grid (see `no2sr.core.columns.find_columns`). If nothing
        mentions NO2, the only floating-point variable on a grid that accompanies no other.

    Returns
    -------
    DataArray

    Raises
    ------
    MissingVariableError, AmbiguousVariableError
        The message lists the variables that exist, with their units.
    DimensionError
        If it is not an xarray object.
    """
    if isinstance(dataset, xr.DataArray):
        if variable not in (None, dataset.name):
            raise MissingVariableError(
                f"the DataArray is {dataset.name!r}, not {variable!r}; omit variable, or pass the "
                "Dataset that holds it"
            )
        return dataset
    if not isinstance(dataset, xr.Dataset):
        raise DimensionError(
            f"got a {type(dataset).__name__} instead of an xarray Dataset or DataArray; open files "
            "with no2sr.open_no2, and wrap arrays in xarray.DataArray"
        )
    if variable is None:
        return dataset[_find_qualified(dataset)]
    if variable not in dataset.data_vars:
        raise MissingVariableError(
            f"there is no variable {variable!r}, only "
            f"{list_variables(dataset, dataset.data_vars)}; name one of these"
        )
    return dataset[variable]


def describe_variable(variable: xr.DataArray) -> Field:
    """Describe a variable of a dataset without reading its values.

    Parameters
    ----------
    variable : DataArray
    """
    texts = (str(variable.attrs[key]) for key in _TEXTS if variable.attrs.get(key))
    return Field(
        name=str(variable.name),
        path=str(variable.name),
        unit=str(variable.attrs.get("units", "")).strip(),
        dims=tuple(map(str, variable.dims)),
        shape=variable.shape,
        text=" ".join(texts),
    )


def _find_qualified(dataset: xr.Dataset) -> Hashable:
    """Return the name of the only candidate."""
    fields = [n for n, v in dataset.data_vars.items() if v.ndim > 1 and v.dtype.kind == "f"]
    gridded = [n for n in fields if _is_on_grid(dataset, n)] or fields
    if not gridded:
        raise MissingVariableError(
            "no floating-point variable lies on a grid; there are "
            f"{list_variables(dataset, dataset.data_vars)}; open the group of the file "
            "with the column"
        )
    described = {describe_variable(dataset[name]): name for name in gridded}
    return described[choose(list(described), variable=None, source="the dataset", lone=True)]


def _is_on_grid(dataset: xr.Dataset, name: Hashable) -> bool:
    """Tell whether a variable has both axes."""
    column = attach_axes(dataset[name], dataset)
    return all(axis_name(column, which) is not None for which in "yx")


def list_others(dataset: xr.Dataset, variable: str | None = None) -> list[str]:
    """List the variables that lie on the grid of a column and are no companions of any variable.

    Parameters
    ----------
    dataset : Dataset
    variable : str, optional
        The column, as for `choose_variable`.

    Returns
    -------
    list of str
        With all axes of the column but time, in the order of the dataset. Variables that describe
        the grid, such as its bounds, areas of cells and mappings, are left out.
    """
    column = attach_axes(choose_variable(dataset, variable), dataset)
    axes = [axis_name(column, which) for which in "yx"]
    dims = {dim for axis in axes if axis is not None for dim in column[axis].dims}
    apart = {str(column.name), *map(str, column.coords), *_describe_grid(dataset)}
    return [
        str(name)
        for name, other in dataset.data_vars.items()
        if dims
        and dims <= set(other.dims)
        and str(name) not in apart
        and not is_companion(name, dataset.data_vars)
    ]


def _describe_grid(dataset: xr.Dataset) -> set[str]:
    """Return the names that the attributes of CF give to variables about the grid."""
    every = [{**item.encoding, **item.attrs} for item in dataset.variables.values()]
    texts = [str(attrs[key]) for attrs in every for key in _GRID if attrs.get(key)]
    return {word for text in texts for word in text.split()}


def list_variables(dataset: xr.Dataset, names: Iterable[Hashable]) -> str:
    """List up to a dozen variables with their units."""
    shown = [f"{name} [{dataset[name].attrs.get('units', 'no unit')}]" for name in names]
    return ", ".join(shown[:12] + ["..."] * (len(shown) > 12)) or "none"
