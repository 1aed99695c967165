"""CF-1.11 NetCDF: one variable, its axes and grid mapping, so that a GIS opens it by path."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from no2sr.core.atomic import replacing
from no2sr.writers.cf import cf_dataset, chunks_of
from no2sr.writers.chunks import LEVEL, fill
from no2sr.writers.prepare import prepare

if TYPE_CHECKING:
    import netCDF4
    import xarray as xr

__all__ = ["store", "write_netcdf"]


def write_netcdf(
    image: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
) -> Path:
    """Write an image as CF NetCDF-4.

    Parameters
    ----------
    image : DataArray or Dataset
    path, overwrite, unit
        As for `no2sr.write`.

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError, WriteError, UnitsError
        As for `no2sr.write`.

    Notes
    -----
    Float32, NaN as ``_FillValue``; compressed without loss.
    """
    dataset = cf_dataset(prepare(image, unit))
    name, sizes = chunks_of(dataset)
    dataset[name].encoding["chunksizes"] = sizes
    with replacing(path, overwrite=overwrite) as temporary:
        store(dataset, temporary)
    return Path(path)


def store(dataset: xr.Dataset, path: Path, *, mode: Literal["w", "a"] = "w") -> None:
    """Write a dataset that is ready as NetCDF-4, or add its variables to a file.

    The encoding of every field, (..., y, x), states its ``chunksizes``, of one layer each. Slab by
    slab in a fixed order: it needs little memory, and equal images give equal bytes however they
    are held.

    Raises
    ------
    OSError
        If the system refuses to write, as on a full disk.
    """
    import h5py

    try:
        _define(dataset, path, mode=mode)
    except RuntimeError as error:
        # The library's word for a full disk, among others, is "NetCDF: HDF error".
        if str(error).startswith("NetCDF:"):
            raise OSError(str(error)) from error
        raise
    with ThreadPoolExecutor(os.cpu_count()) as pool, h5py.File(path, "r+") as file:
        for name, field in dataset.data_vars.items():
            if field.ndim > 1:
                fill(file[str(name)], field, pool)


def _define(dataset: xr.Dataset, path: Path, *, mode: Literal["w", "a"]) -> None:
    """Write all but the values of the fields, encoded as xarray does."""
    import netCDF4
    from xarray.conventions import cf_encoder, encode_dataset_coordinates

    variables, attrs = cf_encoder(*encode_dataset_coordinates(dataset))
    with netCDF4.Dataset(path, mode) as file:
        file.setncatts(attrs)
        for name, size in dataset.sizes.items():
            if name not in file.dimensions:
                file.createDimension(str(name), size)
        for name, variable in variables.items():
            if name not in file.variables:
                _add(file, str(name), variable)


def _add(file: netCDF4.Dataset, name: str, variable: xr.Variable) -> None:
    """Add a variable; the values of a field are left out."""
    own = dict(variable.attrs)
    stored: dict[str, Any] = {"fill_value": own.pop("_FillValue", None)}
    if variable.ndim > 1:
        stored |= {"zlib": True, "complevel": LEVEL, "shuffle": True}
        stored["chunksizes"] = variable.encoding["chunksizes"]
    dims = tuple(map(str, variable.dims))
    made = file.createVariable(name, variable.dtype, dims, **stored)
    made.setncatts(own)
    if variable.ndim < 2:
        made[...] = variable.values
