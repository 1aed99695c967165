"""Zarr stores, format 2 and 3, with a CF grid in their root.

Recognised by the metadata in the folder. Everything else is as in CF NetCDF. Needs the ``zarr``
extra. Source: Zarr specifications (https://zarr-specs.readthedocs.io).
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from no2sr.core.columns import Field, choose
from no2sr.core.door.axes import axis_name, is_swath
from no2sr.core.errors import DimensionError, FileUnreadableError, MissingDependencyError
from no2sr.readers.kit.cf import open_unread, select_gridded, select_variable

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "ZarrStore"]

_METADATA = ("zarr.json", ".zmetadata", ".zgroup")


class ZarrStore:
    """Reader of Zarr stores."""

    name = "zarr"
    product = "CF grid in a Zarr store"

    def recognises(self, path: Path) -> bool:
        """Tell by its metadata whether a folder is a Zarr store."""
        return path.is_dir() and any((path / name).is_file() for name in _METADATA)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the column on its grid, with lazy values.

        Raises
        ------
        MissingDependencyError
            If the ``zarr`` extra is not installed.
        FileUnreadableError
            If the metadata are damaged.
        DimensionError
            If the store holds a swath.
        """
        fields = select_gridded(self.fields_in(path), path)
        field = choose(fields, variable=options.variable, source=path.name)
        grid = select_variable(_open(path, options.chunks, field), field.name)
        if is_swath(grid[field.name]) and axis_name(grid[field.name], "y") is None:
            raise DimensionError(
                f"{path.name} is a swath in a Zarr store, but swaths are read only from NetCDF; "
                f"convert it: xarray.open_zarr('{path.name}').to_netcdf('swath.nc')"
            )
        return grid

    def fields_in(self, path: Path) -> list[Field]:
        """Describe every variable in the root of a store.

        Raises
        ------
        MissingDependencyError, FileUnreadableError
            As for `read`.
        """
        with _open(path) as dataset:
            return _fields(dataset)

    def attrs_of(self, path: Path) -> dict[str, Any]:
        """Return the attributes of a store and its variables; those of the store take precedence.

        Raises
        ------
        MissingDependencyError, FileUnreadableError
            As for `read`.
        """
        with _open(path) as dataset:
            holders = [*dataset.data_vars.values(), dataset]
            return {str(key): value for each in holders for key, value in each.attrs.items()}


def _open(path: Path, chunks: Any = None, field: Field | None = None) -> xr.Dataset:
    if find_spec("zarr") is None:
        raise MissingDependencyError(
            f"the package zarr, which reads {path.name}, is not installed; run pip install "
            "'no2sr[zarr]', or convert the store to NetCDF"
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*consolidated", category=RuntimeWarning)
            return open_unread(path, chunks, field, engine="zarr", decode_coords="all")
    except (KeyError, TypeError, ValueError) as broken:
        raise FileUnreadableError(
            f"{path.name} cannot be read as a Zarr store ({broken}): its metadata are incomplete "
            "or damaged; copy it again"
        ) from broken


def _fields(dataset: xr.Dataset) -> list[Field]:
    return [
        Field(
            name=str(name),
            path=str(name),
            unit=str(variable.attrs.get("units", "")),
            dims=tuple(map(str, variable.dims)),
            shape=variable.shape,
            text=" ".join(
                str(variable.attrs[key])
                for key in ("long_name", "standard_name", "title")
                if variable.attrs.get(key)
            ),
        )
        for name, variable in dataset.data_vars.items()
    ]


READER = ZarrStore()
