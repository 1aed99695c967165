"""Describe what a file holds and how it would be read, even if it cannot be read.

The module is long because it finds every fact that ``no2sr info`` shows.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.earth import KM_PER_DEGREE
from no2sr.core.errors import MissingCRSError, No2srError, No2srWarning, UnitsError
from no2sr.core.grid import bounds_of, transform_of
from no2sr.core.image import crs_of
from no2sr.core.layers import UNCERTAINTIES, companions_of
from no2sr.core.provenance import doubt_refined, select_own
from no2sr.core.spans import describe_span, join_spans
from no2sr.core.times import describe_times, spans_in
from no2sr.core.units import CANONICAL
from no2sr.readers.formats import geotiff
from no2sr.readers.kit.bands import bands_in, is_tiff, open_raster
from no2sr.readers.kit.files import explain_read_errors
from no2sr.readers.kit.netcdf import fields_in, is_netcdf, open_netcdf
from no2sr.readers.opening.doubts import doubt_resolution, doubt_values
from no2sr.readers.opening.grids import column_of, scene_of
from no2sr.readers.opening.paths import expand, group_shards
from no2sr.readers.opening.source import RESOLUTION, Source, is_swath
from no2sr.readers.opening.sources import read_sources
from no2sr.readers.port import ReadOptions
from no2sr.readers.registry import find_reader
from no2sr.swaths.moments import span_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.core.columns import Field
    from no2sr.steps.sampling import Resolution

__all__ = ["describe"]


def describe(
    path: Path,
    *,
    reader: str | None = None,
    options: ReadOptions | None = None,
) -> dict[str, Any]:
    """Describe what a file holds and how it would be read; a bad file raises nothing.

    For a folder or a pattern, the description is that of the first file that is not empty.

    Parameters
    ----------
    path : Path
        A file, a Zarr store, a folder, or a pattern.
    reader : str, optional
        As for `no2sr.open_no2`.
    options : ReadOptions, optional

    Returns
    -------
    dict
        Plain numbers, strings, lists and dicts, None where something is not known: ``file``,
        ``files`` (how many it stands for), ``first`` (of several files, the one that all else is
        said of), ``bytes`` (of all), ``reader``, ``product``, ``source`` (in the words of the
        file), ``variables`` (a list of ``name``, ``unit``, ``dims``, ``shape``), ``kind``
        (``"grid"`` or ``"swath"``), ``variable``, ``unit`` (in the file), ``shape``, ``crs``,
        ``bounds`` (west, south, east, north), ``spacing`` (x, y), ``effective_resolution`` (x, y,
        in units of the CRS; that of an oversampled grid is coarser than its spacing),
        ``oversampling`` (``factor``, the side of the blocks of cells that `no2sr.coarsen_to_native`
        averages, and ``evidence``), ``resolution`` (degrees: the cells that a swath is put on
        unless others are asked for), ``pixel_km`` (along and across the scanlines of a swath:
        median distances of neighbours), ``time`` (first, last, in ISO 8601), ``observed`` (the same
        in words), ``gap_share`` (0..1; of a
        swath after screening), ``range`` (least, median, greatest), ``range_unit``,
        ``noise`` (the uncertainties that are known, by layer: ``median``, ``comment``),
        ``quality_threshold``, ``screening`` (which pixels of a swath are used, in words),
        ``processor_version``,
        ``made_by`` (what this package noted in its own outputs), ``warnings``, and ``problem``: why
        the file cannot be read as NO2.
    """
    facts: dict[str, Any] = dict.fromkeys(_FACTS.split())
    facts |= {"file": str(path), "warnings": []}
    options = options or ReadOptions()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        paths = [path]
        try:
            entries = expand(path, reader)
            paths = [entry[0] for entry in entries]
            found = find_reader(*entries[0])
            facts |= _collect(paths) | {"reader": found.name, "product": found.product}
            facts["variables"] = [_describe_field(field) for field in _inventory(paths[0])]
            source, _ = read_sources(paths, found.name, options)
            facts |= _describe_first(source, paths, options)
            _judge_own(facts)
            facts["problem"] = _explain_empty(facts)
        except No2srError as problem:
            facts["problem"] = str(problem)
            facts |= _describe_anyway(problem, paths, options)
    facts["warnings"] = [str(w.message) for w in caught if issubclass(w.category, No2srWarning)]
    return facts


_FACTS = """
    file files first bytes reader product source variables kind variable unit shape crs bounds
    spacing effective_resolution oversampling resolution pixel_km time observed gap_share range
    range_unit noise quality_threshold screening processor_version made_by warnings problem
"""


def _collect(paths: list[Path]) -> dict[str, Any]:
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return {"files": len(paths), "bytes": sum(sizes) if sizes else None}


def _describe_first(source: Source, paths: list[Path], options: ReadOptions) -> dict[str, Any]:
    """Describe the first file that is not empty; the shards of an export are one file."""
    fields = _inventory(source.path if source.path.exists() else paths[0])
    found = _describe_swath(source) if is_swath(source.dataset) else _describe_grid(source, options)
    facts = {"variables": [_describe_field(field) for field in fields], **found}
    stated = [field.unit for field in fields if field.name == facts["variable"]]
    several = len(group_shards([(path, source.reader) for path in paths])) > 1
    told = source.dataset.attrs
    return facts | {
        "first": source.path.name if several else None,
        "unit": stated[0] or None if stated else None,
        "source": str(told.get("source") or "") or None,
        "made_by": {key: str(text) for key, text in select_own(told).items()} or None,
    }


def _inventory(path: Path) -> list[Field]:
    """List the variables or bands of a NetCDF file or a raster; none of other formats."""
    if is_netcdf(path):
        with open_netcdf(path) as file:
            return fields_in(file)
    if is_tiff(path):
        with open_raster(path) as raster:
            return bands_in(raster)
    return []


def _describe_field(field: Field) -> dict[str, Any]:
    return {
        "name": field.path,
        "unit": field.unit or None,
        "dims": list(field.dims),
        "shape": list(field.shape),
    }


def _describe_grid(source: Source, options: ReadOptions) -> dict[str, Any]:
    scene = scene_of(source, options=options, time=None, bbox=None)
    image = column_of(scene)
    doubt_values(image)
    return (
        _describe_place(scene)
        | _values(image)
        | {"noise": _noise(companions_of(scene, image.name))}
    )


def _describe_place(scene: xr.Dataset) -> dict[str, Any]:
    """Return what can be said of a grid whatever its values mean."""
    image = column_of(scene)
    span = join_spans(spans_in(scene))
    return {
        **_describe_extent(image),
        "crs": crs_of(image).to_string(),
        "time": list(span.texts()) if span else None,
        "observed": describe_times(scene) or None,
        **_describe_resolution(doubt_resolution(image)),
    }


def _describe_extent(image: xr.DataArray) -> dict[str, Any]:
    """Describe the cells of a grid, without its CRS."""
    t = transform_of(image)
    return {
        "kind": "grid",
        "variable": str(image.name),
        "shape": list(image.shape),
        "bounds": list(map(float, bounds_of(image))),
        "spacing": [float(t.a), float(-t.e)],
        "gap_share": float(np.isnan(image.values).mean()),
    }


def _describe_anyway(
    problem: No2srError, paths: list[Path], options: ReadOptions
) -> dict[str, Any]:
    """Describe a grid whose unit or CRS is unknown, as far as possible."""
    try:
        if isinstance(problem, MissingCRSError):
            return _describe_unplaced(paths[0], options)
        if isinstance(problem, UnitsError) and options.unit is None:
            return _describe_without_values(paths, options)
    except No2srError:  # a second problem; the first one is reported
        pass
    return {}


def _describe_unplaced(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Describe the extent and the resolution of a raster without a CRS, in its own units."""
    if not is_tiff(path):
        return {}
    with explain_read_errors(path):
        (column,) = geotiff.READER.read_unplaced(path, options).data_vars.values()
        if not {"x", "y"} <= set(column.indexes):  # rotated as well
            return {}
        image = column.sortby("y", ascending=False).sortby("x").load()
    return {**_describe_extent(image), **_describe_resolution(doubt_resolution(image))}


def _describe_without_values(paths: list[Path], options: ReadOptions) -> dict[str, Any]:
    """Describe a grid whose unit is unknown."""
    assumed = replace(options, unit=CANONICAL)
    source, _ = read_sources(paths, find_reader(paths[0]).name, assumed)
    if is_swath(source.dataset):
        return {}
    return _describe_place(scene_of(source, options=assumed, time=None, bbox=None))


def _describe_resolution(found: Resolution | None) -> dict[str, Any]:
    """Describe the resolution of an image, x before y as in the spacing."""
    if found is None:
        return {}
    there = {"factor": found.factor, "evidence": found.evidence} if found.factor > 1 else None
    return {"effective_resolution": [found.size[1], found.size[0]], "oversampling": there}


def _describe_swath(source: Source) -> dict[str, Any]:
    swath = source.dataset
    span = span_of(swath)
    doubt_values(swath["column"].rename(swath.attrs.get("variable", "column")))
    return {
        "kind": "swath",
        "variable": swath.attrs.get("variable"),
        "shape": list(swath["column"].shape),
        "crs": "EPSG:4326",
        "bounds": _extent(swath["longitude"].values, swath["latitude"].values),
        "time": list(span.texts()) if span else None,
        "observed": describe_span(span) if span else None,
        "resolution": float(swath.attrs.get("resolution", RESOLUTION)),
        "pixel_km": _pixel_km(swath["longitude"].values, swath["latitude"].values),
        "quality_threshold": swath.attrs.get("quality_threshold"),
        "screening": swath.attrs.get("screening"),
        "processor_version": swath.attrs.get("processor_version"),
        **_values(swath["column"]),
        "noise": _noise({layer: swath[layer] for layer in UNCERTAINTIES if layer in swath}),
    }


def _extent(longitude: NDArray[Any], latitude: NDArray[Any]) -> list[float] | None:
    """Return west, south, east, north of the pixel centres."""
    placed = np.isfinite(longitude) & np.isfinite(latitude)
    if not placed.any():
        return None
    x, y = longitude[placed], latitude[placed]
    return [float(edge) for edge in (x.min(), y.min(), x.max(), y.max())]


def _pixel_km(longitude: NDArray[Any], latitude: NDArray[Any]) -> list[float] | None:
    """Return the median distance of scanlines, and of pixels within them."""
    if min(longitude.shape) < 2:
        return None
    across = longitude * np.cos(np.deg2rad(latitude))
    sizes = []
    for axis in (0, 1):
        east = np.diff(across, axis=axis)
        distances = KM_PER_DEGREE * np.hypot(east, np.diff(latitude, axis=axis))
        known = distances[np.isfinite(distances)]
        if not known.size:
            return None
        sizes.append(float(np.median(known)))
    return sizes


def _judge_own(facts: dict[str, Any]) -> None:
    """Set the effective resolution of a grid that this package refined: that of its blocks."""
    scale = doubt_refined(str(facts["variable"]), facts["made_by"] or {})
    if scale > 1 and facts["spacing"] is not None:
        facts["effective_resolution"] = [scale * step for step in facts["spacing"]]


def _explain_empty(facts: dict[str, Any]) -> str | None:
    """Explain why no pixel of a swath is valid; None if some are."""
    if facts["range"] is not None:
        return None
    pixels = " x ".join(map(str, facts["shape"]))
    return (
        f"none of the {pixels} pixels has a value and a quality above the threshold; lower the "
        "threshold, or choose another day"
    )


def _noise(layers: Mapping[str, xr.DataArray]) -> dict[str, Any] | None:
    """Return the median and the origin of every uncertainty; None if none is known."""
    told = {
        layer: {"median": float(np.nanmedian(field.values)), "comment": field.attrs.get("comment")}
        for layer, field in layers.items()
        if layer in UNCERTAINTIES and np.isfinite(field.values).any()
    }
    return told or None


def _values(column: xr.DataArray) -> dict[str, Any]:
    values = column.values[np.isfinite(column.values)].astype("float64")
    share = 1 - values.size / column.size
    spread = [float(f(values)) for f in (np.min, np.median, np.max)] if values.size else None
    return {"gap_share": share, "range": spread, "range_unit": str(column.attrs.get("units"))}
