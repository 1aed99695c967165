"""Zarr: the CF form of a scene as a folder of chunks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from no2sr.core.atomic import replace_atomically
from no2sr.core.errors import MissingDependencyError
from no2sr.writers.cf import cf_layers, chunks_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_zarr", "write_zarr"]


def write_zarr(
    scene: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
) -> Path:
    """Write a scene as a Zarr store.

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
    MissingDependencyError
        If the ``zarr`` extra is not installed.
    OutputExistsError, WriteError, UnitsError
        As for `no2sr.write`.

    Notes
    -----
    Zarr format 2 with consolidated metadata, which every reader knows. The contents are those of
    the NetCDF file.
    """
    check_zarr()
    with replace_atomically(path, overwrite=overwrite) as temporary:
        mode: Literal["w", "a"] = "w"
        told: dict[str, object] = {}
        for dataset in cf_layers(scene, unit):
            told = told or dict(dataset.attrs)
            dataset.attrs = told  # appending replaces the attributes of the store
            name, sizes = chunks_of(dataset)
            if dataset[name].chunks is not None:
                # Two tasks may not write to one chunk.
                whole = dict(zip(dataset[name].dims, sizes, strict=True))
                dataset[name] = dataset[name].chunk(whole)
            dataset[name].encoding["chunks"] = sizes
            dataset.to_zarr(temporary, mode=mode, zarr_format=2, consolidated=True)
            mode = "a"
    return Path(path)


def check_zarr() -> None:
    """Check that Zarr stores can be written.

    Raises
    ------
    MissingDependencyError
        If the ``zarr`` extra is not installed.
    """
    if find_spec("zarr") is None:
        raise MissingDependencyError(
            "the package zarr, which writes .zarr, is not installed; "
            "install it with pip install 'no2sr[zarr]', or write .nc"
        )
