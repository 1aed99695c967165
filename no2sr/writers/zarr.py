"""Zarr: the CF form of an image as a folder of chunks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from no2sr.core.atomic import replacing
from no2sr.core.errors import MissingDependencyError
from no2sr.writers.cf import cf_dataset, chunks_of
from no2sr.writers.prepare import prepare

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_zarr", "write_zarr"]


def write_zarr(
    image: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
) -> Path:
    """Write an image as a Zarr store.

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
    MissingDependencyError
        If the ``zarr`` extra is not installed.
    OutputExistsError, WriteError, UnitsError
        As for `no2sr.write`.

    Notes
    -----
    Zarr format 2 with consolidated metadata, which every reader knows; contents as in NetCDF.
    """
    check_zarr()
    dataset = cf_dataset(prepare(image, unit))
    name, sizes = chunks_of(dataset)
    if dataset[name].chunks is not None:
        # Two tasks may not write to one chunk.
        dataset[name] = dataset[name].chunk(dict(zip(dataset[name].dims, sizes, strict=True)))
    dataset[name].encoding["chunks"] = sizes
    with replacing(path, overwrite=overwrite) as temporary:
        dataset.to_zarr(temporary, mode="w", zarr_format=2, consolidated=True)
    return Path(path)


def check_zarr() -> None:
    """Refuse if Zarr stores cannot be written.

    Raises
    ------
    MissingDependencyError
        If the ``zarr`` extra is not installed.
    """
    if find_spec("zarr") is None:
        raise MissingDependencyError(
            "package zarr is not installed, expected for .zarr outputs; "
            "pip install 'no2sr[zarr]', or write .nc"
        )
