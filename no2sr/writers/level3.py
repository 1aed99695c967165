"""What gridded swaths hold besides the column: coverage, count and precision, written with it."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.atomic import replacing
from no2sr.core.errors import SettingsError
from no2sr.writers.cf import cf_dataset, chunks_of
from no2sr.writers.geotiff import write_geotiff
from no2sr.writers.netcdf import store
from no2sr.writers.prepare import prepare
from no2sr.writers.qgis_style import remove_styled, replacing_styled

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["outputs", "write_level3"]

COLUMN = "column"
BESIDE = ("coverage", "count", "precision", "precision_independent")
_IN_UNITS_OF_THE_COLUMN = {"precision", "precision_independent"}
_RASTERS = {".tif", ".tiff"}


def outputs(path: str | Path) -> list[Path]:
    """Return the files that may be written: one as NetCDF, one a variable as GeoTIFF.

    Raises
    ------
    SettingsError
        If the suffix is another one.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {*_RASTERS, ".nc"}:
        raise SettingsError(
            f"output {path.name} has the suffix {suffix or '(none)'}, expected .nc or .tif; "
            "choose one of these"
        )
    return [path] if suffix == ".nc" else [_beside(path, name) for name in (COLUMN, *BESIDE)]


def _beside(path: Path, name: str) -> Path:
    return path if name == COLUMN else path.with_name(f"{path.stem}_{name}{path.suffix}")


def write_level3(
    gridded: xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
    style: bool = False,
) -> list[Path]:
    """Write what `no2sr.readers.opening.opener.grid_no2` returns.

    Parameters
    ----------
    gridded : Dataset, (y, x)
        ``column``, ``coverage``, ``count``, and ``precision`` and ``precision_independent`` where
        there are any.
    path : str or Path
        ``.nc`` for one CF NetCDF file; ``.tif`` for cloud-optimised GeoTIFFs, one a variable since
        GIS programs draw several bands as a colour picture: the column under the name given, the
        others with ``_coverage`` and so on added.
    overwrite : bool
        Replace what is there. GeoTIFFs that this function wrote under one of the names of `outputs`
        are removed where this dataset has no such variable: they belong to another column.
    unit : str, optional
        Column unit of the column and its precision.
    style : bool
        Whether every GeoTIFF gets a style for QGIS beside it.

    Returns
    -------
    list of Path
        All that was written; either all of it is there or nothing.

    Raises
    ------
    SettingsError
        If the suffix is another one.
    OutputExistsError, WriteError, UnitsError
        As for `no2sr.write`.
    """
    outputs(path)
    final = Path(path)
    names = [name for name in (COLUMN, *BESIDE) if name in gridded]
    if final.suffix.lower() not in _RASTERS:
        with replacing(final, overwrite=overwrite) as temporary:
            for name in names:  # one at a time: all are as large as the globe may be
                part = _alone(gridded, name, unit)
                store(part, temporary, mode="w" if name == COLUMN else "a")
        return [final]
    places = {name: _beside(final, name) for name in names}
    with ExitStack() as stack:
        free = {
            name: stack.enter_context(replacing_styled(place, overwrite=overwrite, style=style))
            for name, place in places.items()
        }
        for name, temporary in free.items():
            write_geotiff(_field(gridded, name, unit), temporary)
    if overwrite:
        for stale in set(outputs(final)) - set(places.values()):
            if _made_here(stale):
                remove_styled(stale)
    return list(places.values())


def _made_here(path: Path) -> bool:
    """Tell a raster of ours by its history: what somebody else put there is not ours to remove."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster = rasterio.open(path)
        with raster:
            return "no2sr: " in raster.tags().get("history", "")
    except RasterioIOError:
        return False


def _field(gridded: xr.Dataset, name: str, unit: str | None) -> xr.DataArray:
    """Return a variable as an image with the provenance of the column, in the unit wanted."""
    column = gridded[COLUMN]
    if name == COLUMN:
        return prepare(column, unit)
    told = {key: column.attrs[key] for key in ("source", "history") if key in column.attrs}
    field = gridded[name].astype(np.float32, copy=False).assign_attrs(gridded[name].attrs | told)
    return prepare(field, unit if name in _IN_UNITS_OF_THE_COLUMN else None)


def _alone(gridded: xr.Dataset, name: str, unit: str | None) -> xr.Dataset:
    """Return the CF dataset of one variable; that of the column names what goes with it."""
    field = _field(gridded, name, unit).rename(None if name == COLUMN else name)
    dataset = cf_dataset(field)
    main, sizes = chunks_of(dataset)
    attrs = dataset[main].attrs
    quantity = gridded[COLUMN].attrs.get("standard_name")
    if name == COLUMN:
        attrs["ancillary_variables"] = " ".join(n for n in BESIDE if n in gridded)
        dataset[main].encoding["chunksizes"] = sizes
        return dataset
    if name in _IN_UNITS_OF_THE_COLUMN and quantity:
        attrs["standard_name"] = f"{quantity} standard_error"
    if name == "count":
        attrs["standard_name"] = "number_of_observations"
        dataset[name] = dataset[name].astype(np.int32, keep_attrs=True)
        dataset[name].encoding = {"grid_mapping": "crs", "dtype": "int32", "_FillValue": None}
    dataset[name].encoding["chunksizes"] = sizes
    return dataset.drop_attrs(deep=False)
