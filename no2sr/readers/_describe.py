"""What a file holds and how it would be read, also where it cannot be."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.errors import No2srError, No2srWarning
from no2sr.grid import bounds_of, transform_of
from no2sr.image import crs_of
from no2sr.readers import ReadOptions, find_reader
from no2sr.readers._bands import bands_in, is_tiff
from no2sr.readers._bands import opened as opened_raster
from no2sr.readers._grids import image_of
from no2sr.readers._netcdf import fields_in, is_netcdf, opened
from no2sr.readers._sources import Source, is_swath, sources

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.readers._fields import Field

__all__ = ["describe"]


def describe(
    path: Path, *, variable: str | None = None, unit: str | None = None, qa_min: float = 0.75
) -> dict[str, Any]:
    """Say what a file holds and how it would be read; raise nothing over a bad file.

    Parameters
    ----------
    path : Path
    variable, unit, qa_min
        As for `no2sr.open_no2`.

    Returns
    -------
    dict
        Plain numbers, strings, lists and dicts, None where something is not known: ``file``,
        ``bytes``, ``reader``, ``product``, ``variables`` (a list of ``name``, ``unit``, ``dims``,
        ``shape``), ``kind`` (``"grid"`` or ``"swath"``), ``variable``, ``unit`` (in the file),
        ``shape``, ``crs``, ``bounds`` (west, south, east, north), ``spacing`` (x, y), ``time``
        (first, last), ``gap_share`` (0..1; of a swath after screening), ``range`` (least, median,
        greatest), ``range_unit``, ``quality_threshold``, ``warnings``, and ``problem``: why the
        file cannot be read as NO2.
    """
    facts: dict[str, Any] = dict.fromkeys(_FACTS.split())
    facts |= {"file": str(path), "warnings": []}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            facts["bytes"] = path.stat().st_size if path.is_file() else None
            reader = find_reader(path)
            facts |= {"reader": reader.name, "product": reader.product}
            fields = _inventory(path)
            facts["variables"] = [_plain(field) for field in fields]
            options = ReadOptions(variable=variable, unit=unit, qa_min=qa_min)
            source, _ = sources(path, reader.name, options)
            told = _of_swath if is_swath(source.dataset) else _of_grid
            facts |= told(source, options)
            facts["problem"] = _unseen(facts)
            stated = [field.unit for field in fields if field.name == facts["variable"]]
            facts["unit"] = stated[0] or None if stated else None
        except No2srError as problem:
            facts["problem"] = str(problem)
    facts["warnings"] = [str(w.message) for w in caught if issubclass(w.category, No2srWarning)]
    return facts


_FACTS = """
    file bytes reader product variables kind variable unit shape crs bounds spacing time gap_share
    range range_unit quality_threshold warnings problem
"""


def _inventory(path: Path) -> list[Field]:
    """List the variables or bands of a file in a format that is known here."""
    if is_netcdf(path):
        with opened(path) as file:
            return fields_in(file)
    if is_tiff(path):
        with opened_raster(path) as raster:
            return bands_in(raster)
    return []


def _plain(field: Field) -> dict[str, Any]:
    return {
        "name": field.path,
        "unit": field.unit or None,
        "dims": list(field.dims),
        "shape": list(field.shape),
    }


def _of_grid(source: Source, options: ReadOptions) -> dict[str, Any]:
    image = image_of(source, options=options, time=None, bbox=None)
    t = transform_of(image)
    return {
        "kind": "grid",
        "variable": str(image.name),
        "shape": list(image.shape),
        "crs": crs_of(image).to_string(),
        "bounds": list(map(float, bounds_of(image))),
        "spacing": [float(t.a), float(-t.e)],
        "time": _times(image),
        **_values(image),
    }


def _of_swath(source: Source, options: ReadOptions) -> dict[str, Any]:
    swath = source.dataset
    span = [swath.attrs.get(f"time_coverage_{end}") for end in ("start", "end")]
    return {
        "kind": "swath",
        "variable": swath.attrs.get("variable"),
        "shape": list(swath["column"].shape),
        "crs": "EPSG:4326",
        "bounds": _extent(swath["longitude"].values, swath["latitude"].values),
        "time": span if all(span) else None,
        "quality_threshold": options.qa_min if "screening" in swath.attrs else None,
        **_values(swath["column"]),
    }


def _extent(longitude: NDArray[Any], latitude: NDArray[Any]) -> list[float] | None:
    """Return west, south, east, north of the pixel centres."""
    placed = np.isfinite(longitude) & np.isfinite(latitude)
    if not placed.any():
        return None
    x, y = longitude[placed], latitude[placed]
    return [float(edge) for edge in (x.min(), y.min(), x.max(), y.max())]


def _unseen(facts: dict[str, Any]) -> str | None:
    """Say why nothing is left of a swath."""
    if facts["range"] is not None:
        return None
    pixels = " x ".join(map(str, facts["shape"]))
    return (
        f"none of the {pixels} pixels has a value and a quality above the threshold, "
        "expected some; lower the threshold or choose another day"
    )


def _times(image: xr.DataArray) -> list[str] | None:
    if "time" not in image.coords:
        return None
    times = np.atleast_1d(image["time"].values)
    return [str(times[0]), str(times[-1])]


def _values(column: xr.DataArray) -> dict[str, Any]:
    values = column.values[np.isfinite(column.values)].astype("float64")
    share = 1 - values.size / column.size
    spread = [float(f(values)) for f in (np.min, np.median, np.max)] if values.size else None
    return {"gap_share": share, "range": spread, "range_unit": str(column.attrs.get("units"))}
