"""CF-1.11 NetCDF: one variable, its axes and grid mapping, so that a GIS opens it by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from no2sr.writers.atomic import replacing
from no2sr.writers.cf import cf_dataset, chunks_of
from no2sr.writers.prepare import prepare

if TYPE_CHECKING:
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
    packing = {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": sizes}
    dataset[name].encoding.update(packing)
    with replacing(path, overwrite=overwrite) as temporary:
        store(dataset, temporary)
    return Path(path)


def store(dataset: xr.Dataset, path: Path, *, mode: Literal["w", "a"] = "w") -> None:
    """Write a dataset that is ready as NetCDF-4, or add its variables to a file.

    Slab by slab in a fixed order: it needs little memory, and equal images give equal bytes however
    they are held.
    """
    import dask

    fields = {name: _in_slabs(field) for name, field in dataset.data_vars.items() if field.ndim > 1}
    slabs = dataset.assign(fields)
    try:
        with dask.config.set(scheduler="synchronous"):
            slabs.to_netcdf(path, mode=mode, engine="netcdf4", format="NETCDF4")
    except RuntimeError as error:
        # The library's word for a full disk, among others, is "NetCDF: HDF error".
        if str(error).startswith("NetCDF:"):
            raise OSError(str(error)) from error
        raise


def _in_slabs(field: xr.DataArray) -> xr.DataArray:
    """Return a field, (..., y, x), in rows of the chunks that it is stored in."""
    rows = field.encoding["chunksizes"][-2]
    return field.chunk(
        dict.fromkeys(field.dims[:-2], 1) | {field.dims[-2]: rows, field.dims[-1]: -1}
    )
