"""Bands of a raster file, as GDAL sees them."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from no2sr.core.columns import Field
from no2sr.readers.kit.files import explain_read_errors, read_beginning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DRIVERS", "bands_in", "is_tiff", "open_raster"]

DRIVERS = {True: "GTiff", False: "AAIGrid"}  # of TIFF, and of anything else
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_tiff(path: Path) -> bool:
    """Tell by the first bytes whether a file is TIFF or BigTIFF."""
    return read_beginning(path) in _SIGNATURES


@contextmanager
def open_raster(path: Path, *, driver: str = "") -> Iterator[Any]:
    """Open a raster, without a warning if it has no georeference.

    Parameters
    ----------
    path : Path
    driver : str
        GDAL's name of the format; by default that of TIFF, or of a grid as text.

    Raises
    ------
    FileUnreadableError
        If it is truncated or damaged.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings(), explain_read_errors(path):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # An absolute path is never taken for a URL. The driver is named because some of GDAL's two
        # hundred formats download or run what a file tells them to.
        chosen = driver or DRIVERS[is_tiff(path)]
        with rasterio.open(path.absolute(), driver=chosen) as raster:
            yield raster


def bands_in(raster: Any) -> list[Field]:
    """Describe every band of an open raster: by its description, its tags, or else its number."""
    return [_band(raster, index) for index in range(raster.count)]


def _band(raster: Any, index: int) -> Field:
    tags = {key.lower(): text for key, text in raster.tags(index + 1).items()}
    description = raster.descriptions[index] or ""
    name, _, bracket = description.partition("[")  # this package writes "NO2 troposphere [mol m-2]"
    name = name.strip() or tags.get("netcdf_varname") or tags.get("description")
    name = name or f"band_{index + 1}"
    return Field(
        name=name,
        path=name,
        unit=tags.get("units") or tags.get("unit") or raster.units[index] or bracket.rstrip("] "),
        dims=("y", "x"),
        shape=tuple(raster.shape),
        text=tags.get("long_name") or description,
    )
