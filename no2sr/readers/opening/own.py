"""Outputs of this package, whose attributes say which quantity they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from no2sr.core.columns import find_columns
from no2sr.core.layers import is_companion
from no2sr.core.provenance import PREFIX, select_own
from no2sr.core.units import is_column
from no2sr.readers.formats import zarr_store
from no2sr.readers.kit.bands import bands_in, is_tiff, open_raster
from no2sr.readers.kit.netcdf import attribute, fields_in, is_netcdf, open_netcdf

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from no2sr.core.columns import Field
    from no2sr.readers.port import ReadOptions

__all__ = ["name_own"]

LAYER = f"{PREFIX}layer"  # the tag of a GeoTIFF that holds a companion of a column


def name_own(path: Path, options: ReadOptions) -> ReadOptions:
    """Name the variable of a file that this package wrote, if it is not an NO2 column.

    Parameters
    ----------
    path : Path
    options : ReadOptions

    Returns
    -------
    ReadOptions
        Unchanged for any other file, and if the caller named a variable.
    """
    if options.variable is not None:
        return options
    told, fields = _content(path)
    if not select_own(told) or LAYER in told:
        return options
    names: dict[Hashable, Field] = {field.name: field for field in fields}
    own = [f for f in fields if len(f.dims) > 1 and not is_companion(f.name, names)]
    if len(own) != 1 or (find_columns(own) and is_column(own[0].unit)):
        return options
    return replace(options, variable=own[0].name)


def _content(path: Path) -> tuple[Mapping[Any, Any], list[Field]]:
    """Return the attributes and the fields of a file; none if its format is another."""
    if zarr_store.READER.recognises(path):
        return zarr_store.READER.attrs_of(path), zarr_store.READER.fields_in(path)
    if not path.is_file():
        return {}, []
    if is_tiff(path):
        with open_raster(path) as raster:
            return raster.tags(), bands_in(raster)
    if is_netcdf(path):
        with open_netcdf(path) as file:
            told = {key: attribute(file, key) for key in file.ncattrs() if key.startswith(PREFIX)}
            return told, fields_in(file) if told else []
    return {}, []
