"""Cloud-optimised GeoTIFF: north up, float32, one band that says what it holds.

GIS programs show the description of a band but not its unit, and draw two bands as a colour
picture. So the description ends with the unit, and each layer of a scene has a file of its own.
"""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.shutil import copy
from rasterio.windows import Window

from no2sr.core.errors import DimensionError
from no2sr.core.grid import transform_of
from no2sr.core.image import crs_of
from no2sr.core.provenance import PREFIX
from no2sr.core.times import BOUNDS, spans_in
from no2sr.writers.layers import (
    COLUMN,
    LAYER_TAG,
    label,
    layer_label,
    layer_path,
    layers_in,
    list_outputs,
)
from no2sr.writers.prepare import PROVENANCE, prepare_scene
from no2sr.writers.qgis_style import remove_styled, replace_with_style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Executor

    import xarray as xr
    from rasterio.io import DatasetWriter

    from no2sr.core.spans import Span

__all__ = ["LONGEST", "check_times", "write_geotiff"]

TILE = 512
LONGEST = 2**31 - 1  # pixels along an axis that GDAL can count
# By default GDAL caches a twentieth of the memory; a row of tiles is enough. Its temporary file of
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
    scene: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
    style: bool | tuple[float, float] = False,
) -> Path:
    """Write a scene as cloud-optimised GeoTIFFs.

    Parameters
    ----------
    scene : DataArray or Dataset
        Layers ``(y, x)``, or ``(time, y, x)`` of a single time. Lazy ones are written slab by slab
        and never held as a whole.
    path, overwrite, unit
        As for `no2sr.write`. Companions of the column are written beside it, for example
        ``a_uncertainty.tif`` for ``a.tif``.
    style : bool or (low, high)
        Put a style for QGIS beside every GeoTIFF, with its name and the suffix ``.qml``. Limits are
        as for `no2sr.write`.

    Returns
    -------
    Path
        File of the column, which appears last. `no2sr.writers.layers.list_outputs` lists all.

    Raises
    ------
    DimensionError
        If the scene holds several times.
    OutputExistsError, WriteError, UnitsError
        As for `no2sr.write`.

    Notes
    -----
    Float32, NaN as nodata; pixel is area. Band: description ``NO2 troposphere [mol m-2]``, unit,
    tags ``units``, ``long_name``, ``standard_name``. File: tags with provenance, all ``no2sr_*``,
    and in UTC when the scene was observed: the time (``TIFFTAG_DATETIME``, ``time``) and its
    interval (``time_bnds``). A companion says in ``no2sr_layer`` which one it is. When a set is
    overwritten, files with this tag that belonged to the earlier set are removed if the new set
    does not have that layer.
    """
    final = Path(path)
    places = {layer: layer_path(final, layer) for layer in (COLUMN, *layers_in(scene))}
    with ExitStack() as stack:
        # The last one entered is the first to appear under its final name: the column is the last.
        lent = {
            layer: stack.enter_context(replace_with_style(place, overwrite=overwrite, style=style))
            for layer, place in places.items()
        }
        name, spans = "", spans_in(scene)
        for layer, image in prepare_scene(scene, unit):
            name = name or label(image)
            alone = _take_one_time(image)
            tags = {**_time_tags(alone, spans), **({} if layer == COLUMN else {LAYER_TAG: layer})}
            _write_cog(alone, lent[layer], name=layer_label(name, layer), tags=tags)
    if overwrite:
        for stale in set(list_outputs(final)) - set(places.values()):
            if _is_layer(stale):
                remove_styled(stale)
    return final


def _is_layer(path: Path) -> bool:
    """Tell whether a raster is a layer of a set written here; others are not ours to remove."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster = rasterio.open(path)
        with raster:
            return LAYER_TAG in raster.tags()
    except RasterioIOError:
        return False


def _time_tags(image: xr.DataArray, spans: list[Span]) -> dict[str, str]:
    """Return the tags that say when a scene of one time was observed."""
    if "time" not in image.coords or image["time"].ndim:
        return {}
    tags = {"time": str(image["time"].values)}
    if len(spans) == 1 and not np.isnat(spans[0].start):
        tags["TIFFTAG_DATETIME"] = pd.Timestamp(spans[0].start).strftime("%Y:%m:%d %H:%M:%S")
        if spans[0].start < spans[0].end:
            tags[BOUNDS] = str(spans[0])
    return tags


def _write_cog(image: xr.DataArray, path: Path, *, name: str, tags: Mapping[str, str]) -> None:
    """Write one layer, (y, x), called `name`."""
    plain = path.with_name(f"{path.name}.plain.tif")
    with rasterio.Env(**_SETTINGS):
        _write_plain(image, plain, name=name, tags=tags)
        copy(plain, path, **_COG, num_threads=_threads())
    plain.unlink()  # of a set there may be six


def _threads() -> str:
    """Use all cores: a third faster, and the bytes are the same.

    GDAL keeps its threads for as long as the process lives. A forked child inherits none of them,
    but GDAL in the child would wait for them forever.
    """
    return "ALL_CPUS" if _first_writer() == os.getpid() else "1"


@cache
def _first_writer() -> int:
    """Remember the process that wrote first; its forked children inherit the answer."""
    return os.getpid()


def _take_one_time(image: xr.DataArray) -> xr.DataArray:
    """Drop the time axis; the time stays as a coordinate."""
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
            f"the image holds {times} times and a GeoTIFF holds one; choose one with time=, "
            "or write all of them as .nc"
        )


def _write_plain(image: xr.DataArray, path: Path, *, name: str, tags: Mapping[str, str]) -> None:
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
        _describe(file, image, name=name, tags=tags)
        edges = list(pairwise(_row_edges(image)))
        with ThreadPoolExecutor(1) as ahead:  # compute a slab while the previous one is written
            made = _compute_ahead(ahead, lambda edge: image.isel(y=slice(*edge)).values, edges)
            for (top, bottom), values in zip(edges, made, strict=True):
                file.write(values, 1, window=Window(0, top, nx, bottom - top))


def _compute_ahead(
    pool: Executor, make: Callable[[Any], Any], tasks: Iterable[Any]
) -> Iterator[Any]:
    """Yield the result of each task while the next one is computed."""
    coming = None
    for task in tasks:
        following = pool.submit(make, task)
        if coming is not None:
            yield coming.result()
        coming = following
    if coming is not None:
        yield coming.result()


def _row_edges(image: xr.DataArray) -> list[int]:
    """Choose where to cut an image into slabs: between its own chunks, if it has any."""
    ny = image.sizes["y"]
    if image.chunks is None:
        return [*range(0, ny, TILE), ny]
    return [0, *np.cumsum(image.chunksizes["y"]).tolist()]


def _describe(
    file: DatasetWriter, image: xr.DataArray, *, name: str, tags: Mapping[str, str]
) -> None:
    """Write the content and the origin of the band into tags."""
    attrs = {k: v for k, v in image.attrs.items() if k != LAYER_TAG}
    units = str(attrs["units"])
    file.set_band_description(1, f"{name} [{units}]")
    file.units = (units,)
    band = {k: str(attrs[k]) for k in ("units", "long_name", "standard_name") if attrs.get(k)}
    file.update_tags(1, **band)
    told = {k: str(v) for k, v in attrs.items() if k in PROVENANCE or k.startswith(PREFIX)}
    file.update_tags(**told, **tags)
