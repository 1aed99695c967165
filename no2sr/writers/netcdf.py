"""CF-1.11 NetCDF: a variable for each layer of a scene, its axes and grid mapping."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from no2sr.core.atomic import replace_atomically
from no2sr.writers.cf import cf_layers, chunks_of
from no2sr.writers.chunks import LEVEL, fill

if TYPE_CHECKING:
    import netCDF4
    import xarray as xr

__all__ = ["write_netcdf"]


def write_netcdf(
    scene: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
) -> Path:
    """Write a scene as CF NetCDF-4.

    Parameters
    ----------
    scene : DataArray or Dataset
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
    Float32 with NaN as ``_FillValue``, counts of pixels int32; compressed without loss. GIS
    programs open a file of one variable by its path, and a file of several by
    ``NETCDF:path:variable``.
    """
    with replace_atomically(path, overwrite=overwrite) as temporary:
        mode: Literal["w", "a"] = "w"
        for dataset in cf_layers(scene, unit):
            name, sizes = chunks_of(dataset)
            dataset[name].encoding["chunksizes"] = sizes
            _store(dataset, temporary, mode=mode)
            mode = "a"
    return Path(path)


def _store(dataset: xr.Dataset, path: Path, *, mode: Literal["w", "a"]) -> None:
    """Write a dataset as NetCDF-4, or add its variables to a file.

    The encoding of every field, (..., y, x), states its ``chunksizes``, one layer deep. The field
    is written slab by slab in a fixed order: this takes little memory, and equal images give equal
    bytes whether they are lazy or not.

    Raises
    ------
    OSError
        If the system refuses to write, as on a full disk.
    """
    import h5py

    try:
        _define(dataset, path, mode=mode)
    except RuntimeError as error:
        # The library reports a full disk, among other things, as "NetCDF: HDF error".
        if str(error).startswith("NetCDF:"):
            raise OSError(str(error)) from error
        raise
    with ThreadPoolExecutor(os.cpu_count()) as pool, h5py.File(path, "r+") as file:
        for name, field in dataset.data_vars.items():
            if "chunksizes" in field.encoding:
                fill(file[str(name)], field, pool)


def _define(dataset: xr.Dataset, path: Path, *, mode: Literal["w", "a"]) -> None:
    """Define what is not in the file yet, encoded as xarray does; leave out values of fields."""
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
    """Add a variable, without the values of a field."""
    own = dict(variable.attrs)
    stored: dict[str, Any] = {"fill_value": own.pop("_FillValue", None)}
    is_field = "chunksizes" in variable.encoding
    if is_field:
        stored |= {"zlib": True, "complevel": LEVEL, "shuffle": True}
        stored["chunksizes"] = variable.encoding["chunksizes"]
    dims = tuple(map(str, variable.dims))
    made = file.createVariable(name, variable.dtype, dims, **stored)
    made.setncatts(own)
    if not is_field:
        made[...] = variable.values
