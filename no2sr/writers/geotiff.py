"""Cloud-optimised GeoTIFF: north up, float32, one band that says what it holds.

GIS programs show a band's description but not its unit, and draw two bands as a colour picture:
so the description ends in the unit, and one file holds one field.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.shutil import copy
from rasterio.windows import Window

from no2sr.core.errors import DimensionError
from no2sr.core.grid import transform_of
from no2sr.core.image import crs_of
from no2sr.core.provenance import PREFIX
from no2sr.writers.prepare import PROVENANCE, label, prepare
from no2sr.writers.qgis_style import replacing_styled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    import xarray as xr
    from rasterio.io import DatasetWriter

__all__ = ["write_geotiff"]

TILE = 512
LONGEST = 2**31 - 1  # pixels along an axis that GDAL can count
# GDAL's cache would take a twentieth of the machine; a row of tiles is enough. Its scratch file of
# overviews need not be compressed: it is read back at once.
_SETTINGS = {"GDAL_CACHEMAX": 256, "COG_TMP_COMPRESSION": "NONE"}
_COG = {
    "driver": "COG",
    "blocksize": TILE,
    "compress": "DEFLATE",  # every GIS program reads it; ZSTD is faster but newer
    "level": 1,  # the noise of real columns leaves level 6 nothing: 2 % smaller, half the speed
    "predictor": "YES",
    "overviews": "IGNORE_EXISTING",
    "overview_resampling": "AVERAGE",  # of the observed cells: GDAL leaves nodata out
    "bigtiff": "IF_SAFER",
}


def write_geotiff(
    image: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
    style: bool = False,
) -> Path:
    """Write an image as a cloud-optimised GeoTIFF.

    Parameters
    ----------
    image : DataArray or Dataset
        One field: ``(y, x)``, or ``(time, y, x)`` of a single time. A dask-backed image is
        written row by row of tiles and never held as a whole.
    path, overwrite, unit
        As for `no2sr.write`.
    style : bool
        Whether to put a style for QGIS beside it, which has its name and ends in ``.qml``.

    Returns
    -------
    Path

    Raises
    ------
    DimensionError
        If the image holds several times.
    OutputExistsError, WriteError, UnitsError
        As for `no2sr.write`.

    Notes
    -----
    Float32, NaN as nodata; pixel is area. Band: description ``NO2 troposphere [mol m-2]``, unit,
    tags ``units``, ``long_name``, ``standard_name``. File: tags with provenance, all ``no2sr_*``.
    """
    ready = _one_field(prepare(image, unit))
    with replacing_styled(path, overwrite=overwrite, style=style) as temporary:
        plain = temporary.with_name(f"{temporary.name}.plain.tif")
        with rasterio.Env(**_SETTINGS):
            _write_plain(ready, plain)
            copy(plain, temporary, **_COG, num_threads=_threads())
    return Path(path)


def _threads() -> str:
    """Return all cores: a third quicker, and the bytes are the same.

    GDAL keeps its threads for as long as the process lives. A forked child of a process that has
    them has none, but GDAL in it would wait for them without end.
    """
    return "ALL_CPUS" if _first_writer() == os.getpid() else "1"


@cache
def _first_writer() -> int:
    """Return the process that wrote first; its forked children inherit the answer."""
    return os.getpid()


def _one_field(image: xr.DataArray) -> xr.DataArray:
    """Return the image without a time axis, its time as an attribute."""
    if "time" not in image.dims:
        return image
    check_times(image.sizes["time"])
    return image.isel(time=0)


def check_times(times: int) -> None:
    """Refuse several times: QGIS would show the first three as red, green and blue.

    Raises
    ------
    DimensionError
        If there is not exactly one.
    """
    if times != 1:
        raise DimensionError(
            f"image holds {times} times, expected one for a GeoTIFF; choose one with time=, "
            "or write all of them as .nc"
        )


def _write_plain(image: xr.DataArray, path: Path) -> None:
    """Write the plain GeoTIFF that the COG driver then copies."""
    ny, nx = image.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": nx,
        "height": ny,
        "count": 1,
        "dtype": "float32",
        "nodata": np.nan,
        "crs": crs_of(image).to_wkt(),
        "transform": transform_of(image),
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "bigtiff": "IF_SAFER",
    }
    with rasterio.open(path, "w", **profile) as file:
        _describe(file, image)
        edges = list(pairwise(_row_edges(image)))
        with ThreadPoolExecutor(1) as ahead:  # one slab is made while that before is written
            made = _ahead(ahead, lambda edge: image.isel(y=slice(*edge)).values, edges)
            for (top, bottom), values in zip(edges, made, strict=True):
                file.write(values, 1, window=Window(0, top, nx, bottom - top))


def _ahead(pool: Executor, make: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
    """Yield what is made of each task, the next one being in the making."""
    coming = None
    for task in tasks:
        following = pool.submit(make, task)
        if coming is not None:
            yield coming.result()
        coming = following
    if coming is not None:
        yield coming.result()


def _row_edges(image: xr.DataArray) -> list[int]:
    """Return where to cut an image into slabs: between its own chunks, if it has any."""
    ny = image.sizes["y"]
    if image.chunks is None:
        return [*range(0, ny, TILE), ny]
    return [0, *np.cumsum(image.chunksizes["y"]).tolist()]


def _describe(file: DatasetWriter, image: xr.DataArray) -> None:
    """Say in tags what the band holds and where it comes from."""
    attrs = image.attrs
    units = str(attrs["units"])
    file.set_band_description(1, f"{label(image)} [{units}]")
    file.units = (units,)
    band = {k: str(attrs[k]) for k in ("units", "long_name", "standard_name") if attrs.get(k)}
    file.update_tags(1, **band)
    told = {k: str(v) for k, v in attrs.items() if k in PROVENANCE or k.startswith(PREFIX)}
    if "time" in image.coords and image["time"].ndim == 0:
        told["time"] = str(image["time"].values)
    file.update_tags(**told)
