"""Grid mappings: the variable of a file that defines its CRS.

The attribute ``grid_mapping`` of a variable names its mapping; in its extended form
(``"crs_utm: x y crs_geo: lat lon"``), the mapping of the axes counts. If a file has no such
attribute, its only mapping is used. A mapping may be well-known text (``crs_wkt``,
``spatial_ref``), CF parameters, a PROJ string or an EPSG code; the first that can be parsed is
used. Source: CF conventions, chapter 5.6 and appendix F.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pyproj import CRS
from pyproj.exceptions import CRSError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["crs_in", "mapping_of", "settle_mapping"]

NAME = "spatial_ref"  # what rioxarray and GDAL look for first
_WKT = ("crs_wkt", "spatial_ref")
_TEXTS = ("proj4", "proj4_params", "proj4text", "proj4_string", "proj_string", "esri_pe_string")
_CODES = ("epsg_code", "EPSG_code", "epsg", "EPSG", "spatial_epsg")
_EXTENDED = re.compile(r"(\S+)\s*:((?:\s+[^\s:]+(?!\S*:))*)")

_WGS84 = {"WGS 1984", "WGS 84", "World Geodetic System 1984", "World Geodetic System 1984 ensemble"}


def settle_mapping(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Keep only the mapping of a variable, under the name that rioxarray looks for first.

    Parameters
    ----------
    dataset : Dataset
    name : str
        The variable.

    Returns
    -------
    Dataset
        Unchanged if no mapping can be parsed.
    """
    mapping = mapping_of(dataset, name)
    if mapping is None:
        return dataset
    attrs = dict(dataset[mapping].attrs)
    crs = crs_in(attrs)
    if crs is None:
        return dataset
    told = {"crs_wkt": crs.to_wkt()}
    if attrs.get("GeoTransform"):
        told["GeoTransform"] = attrs["GeoTransform"]
    others = [key for key in _mappings(dataset) if key != name]
    settled = dataset.drop_vars({mapping, *others})
    settled = settled.assign_coords({NAME: ((), 0, told)})
    link = settled[name]
    link.encoding.pop("grid_mapping", None)
    return settled.assign({name: link.assign_attrs(grid_mapping=NAME)})


def mapping_of(dataset: xr.Dataset, name: str) -> str | None:
    """Return the name of the grid mapping of a variable; None if it has none."""
    column = dataset[name]
    link = str(column.attrs.get("grid_mapping") or column.encoding.get("grid_mapping") or "")
    for mapping, axes in _EXTENDED.findall(link):
        if mapping in dataset.variables and set(axes.split()) & set(column.indexes):
            return str(mapping)
    named = [word.rstrip(":") for word in link.split() if word.rstrip(":") in dataset.variables]
    linked = [word for word in named if dataset[word].ndim == 0]
    there = linked or _mappings(dataset)
    known = [key for key in (NAME, "crs") if key in there]
    return (linked or known or there)[0] if len(there) == 1 or linked or known else None


def crs_in(attrs: Mapping[Any, Any]) -> CRS | None:
    """Return the CRS that the attributes of a mapping define; None if they cannot be parsed."""
    for key in (*_WKT, *_TEXTS):
        if isinstance(attrs.get(key), str):
            with suppress(CRSError):
                return _recognise_wgs84(CRS.from_user_input(attrs[key]))
    plain = {str(key): value for key, value in attrs.items() if key not in _WKT}
    if "grid_mapping_name" in plain:
        with suppress(CRSError, KeyError, TypeError, ValueError):
            return _recognise_wgs84(CRS.from_cf(plain))
    for key in _CODES:
        digits = re.search(r"\d{4,6}$", str(attrs.get(key, "")).strip())
        if digits:
            with suppress(CRSError):
                return CRS.from_epsg(int(digits[0]))
    return None


def _recognise_wgs84(crs: CRS) -> CRS:
    """Return EPSG:4326 for any definition of plain degrees on WGS 84, else the CRS unchanged."""
    plain = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    datum = plain.datum
    wgs84 = datum is not None and datum.name.replace("_", " ") in _WGS84
    zero = plain.prime_meridian is None or plain.prime_meridian.longitude == 0
    ordinary = plain.is_geographic and not plain.is_derived  # a rotated pole is derived
    degrees = all(axis.unit_name == "degree" for axis in plain.axis_info[:2])
    return CRS.from_epsg(4326) if ordinary and degrees and wgs84 and zero else crs


def _mappings(dataset: xr.Dataset) -> list[str]:
    """Return the names of all variables that look like mappings."""
    speaking = {"grid_mapping_name", *_WKT, *_TEXTS, *_CODES}
    return [
        str(key)
        for key, variable in dataset.variables.items()
        if variable.ndim == 0 and speaking & set(variable.attrs)
    ]
