"""CF grids: one chosen variable on its axes, with its bounds, mask and projection."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.columns import list_fields
from no2sr.core.errors import FileUnreadableError, MissingVariableError
from no2sr.core.layers import UNCERTAINTIES, layer_name
from no2sr.readers.kit.mapping import settle_mapping
from no2sr.readers.kit.netcdf import empty_file_error, fields_in, open_netcdf
from no2sr.readers.kit.time import spell_out_chunks
from no2sr.readers.kit.uncertainty import find_companions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from no2sr.core.columns import Field

__all__ = ["list_gridded", "open_cf", "open_unread", "select_gridded", "select_variable"]

_MASK = re.compile(r"data_?mask", re.IGNORECASE)


def open_cf(path: Path, chunks: Any = None, field: Field | None = None) -> xr.Dataset:
    """Open a NetCDF or HDF5 file with the coordinates that CF defines and undecoded times.

    Raises
    ------
    FileUnreadableError
        If its types or attributes contradict each other.
    """
    try:
        return open_unread(path, chunks, field, engine="netcdf4", decode_coords="all")
    except (ArithmeticError, LookupError, TypeError, ValueError) as odd:
        raise FileUnreadableError(
            f"{path.name} does not follow the CF conventions ({odd}); download it again, or "
            "convert it"
        ) from odd


def open_unread(path: Path, chunks: Any, field: Field | None = None, **how: Any) -> xr.Dataset:
    """Open a dataset with undecoded times, in chunks that suit a field.

    Parameters
    ----------
    path : Path
    chunks : optional
        As in `no2sr.readers.port.ReadOptions`.
    field : Field, optional
        The field that will be read.
    **how : optional
        Passed to `xarray.open_dataset`.
    """
    spelt = chunks if field is None else spell_out_chunks(chunks, field)
    with warnings.catch_warnings():
        if spelt != chunks:  # that large chunks of many times are read more than once is known
            warnings.filterwarnings("ignore", message="The specified chunks separate")
        return xr.open_dataset(path.absolute(), decode_times=False, chunks=spelt, **how)


def list_gridded(path: Path) -> list[Field]:
    """Describe the variables of a NetCDF or HDF5 file that may lie on a grid."""
    with open_netcdf(path) as file:
        return select_gridded(fields_in(file), path)


def select_variable(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Select a variable and its companions with their axes, and apply a ``dataMask``.

    Uncertainties, coverage and count get their names in `no2sr.core.layers`. Closing the result
    closes the dataset.

    Parameters
    ----------
    dataset : Dataset
    name : str
        The column.

    Raises
    ------
    FileUnreadableError
        If its values are packed in a way that cannot be undone.
    """
    _check_packing(dataset[name])
    whole, dataset = dataset, settle_mapping(dataset, name)
    beside = find_companions(name, (v for v in dataset.data_vars if v != name))
    alike = {k: v for k, v in beside.items() if k in UNCERTAINTIES or _is_alike(dataset, name, v)}
    masks = [m for m in dataset.data_vars if _MASK.fullmatch(str(m)) and m != name]
    grid = dataset
    for mask in masks:
        if set(dataset[mask].dims) <= set(dataset[name].dims):
            grid = grid.assign({name: grid[name].where(dataset[mask] == 1)})
    kept = {name, *alike.values()}
    grid = _restore_bounds(grid.drop_vars([v for v in grid.data_vars if v not in kept]))
    names = {found: layer_name(name, layer) for layer, found in alike.items()}
    grid = grid.rename({old: new for old, new in names.items() if old != new})
    grid.set_close(whole.close)
    return grid


def _is_alike(dataset: xr.Dataset, name: str, other: str) -> bool:
    """Tell whether two variables lie on the same cells."""
    return dataset[other].dims == dataset[name].dims


def _check_packing(column: xr.DataArray) -> None:
    """Refuse a scale that is not a number, or that makes all values equal."""
    for key in ("scale_factor", "add_offset"):
        number = column.encoding.get(key, 1)
        sound = isinstance(number, int | float | np.number) and np.isfinite(number)
        if not sound or (key == "scale_factor" and number == 0):
            raise FileUnreadableError(
                f"{column.name} is packed with a {key} of {number!r}, so its values are lost; "
                "download the file again, or ask its author"
            )


def select_gridded(fields: list[Field], path: Path) -> list[Field]:
    """Select the fields that may lie on a grid: two or more dimensions, not in a group.

    Raises
    ------
    NoValidPixelsError
        If there are no variables.
    MissingVariableError
        If there is no such field; the message lists all fields.
    """
    if not fields:
        raise empty_file_error(path)
    flat = [field for field in fields if len(field.dims) > 1 and "/" not in field.path]
    if not flat:
        raise MissingVariableError(
            f"{path.name} has no variable on a regular grid of latitudes and longitudes, only "
            f"{list_fields(fields)}; give another product"
        )
    return flat


def _restore_bounds(dataset: xr.Dataset) -> xr.Dataset:
    """Restore the link from the axes to their cell bounds, which decoding removes.

    Bounds with uneven centres stay out: in a grid with centres on the poles they end at the poles.
    """
    linked = {}
    for name, axis in dataset.coords.items():
        link = axis.encoding.get("bounds")
        if axis.ndim == 1 and link in dataset.coords and _is_even(dataset[link].values):
            linked[name] = axis.assign_attrs(bounds=link)
    return dataset.assign_coords(linked)


def _is_even(bounds: NDArray[Any]) -> bool:
    steps = np.diff(bounds.astype("float64").mean(axis=-1))
    return bool(np.allclose(steps, steps.mean(), rtol=1e-2)) if steps.size else False
