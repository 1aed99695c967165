"""Swaths turned into overpasses near a region, kept in memory or, where they are many, on disk."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import NoValidPixelsError, SettingsError
from no2sr.downscaling.reconstruction.records import Grid, Overpass, Settings
from no2sr.swaths.gridding import CORNERS, pixels_of
from no2sr.swaths.moments import Moments, span_of
from no2sr.swaths.overlap import Frame, Pixels

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.core.earth import Box

__all__ = ["Shelf", "lay_grid"]

ROOM = 5e8  # bytes of pixels in memory; what comes after goes to a temporary file
FEWEST = 4  # cells along a side of the region

log = logging.getLogger("no2sr")


class Shelf:
    """All overpasses near a region, in the order of their names.

    Parameters
    ----------
    swaths : iterable of Dataset
        As `no2sr.swaths.gridding.grid_swaths` takes them, one at a time.
    bbox : (west, south, east, north) or None
        Longitudes may run on beyond 180. None keeps every pixel.
    margin : float
        Degrees around the box in which pixels are kept, too.

    Attributes
    ----------
    overpasses : list of Overpass
    names : list of str
        Of all files, also those without a pixel near the region.
    built : int
        Number of swaths whose corners were built from the centres.
    attrs : dict
        Those of the first swath.
    moments : Moments
        When the pixels of the region were seen.

    Raises
    ------
    NoValidPixelsError
        If no pixel is near the region.
    """

    def __init__(self, swaths: Iterable[xr.Dataset], bbox: Box | None, margin: float) -> None:
        self._disk: Path | None = None
        self._stored = 0
        self.names: list[str] = []
        self.built = 0
        self.attrs: dict[Any, Any] = {}
        self.moments = Moments(bbox)
        size = 0.0
        found: list[Overpass] = []
        for swath in swaths:
            name = str(swath.attrs.get("source", f"swath {len(self.names) + 1}"))
            self.names.append(name)
            self.attrs = self.attrs or {**swath.attrs, "attrs": dict(swath["column"].attrs)}
            seen = self.moments.add(swath) or span_of(swath)
            self.built += not set(swath.variables) >= CORNERS
            pixels, place = _select_near(pixels_of(swath), _widen(bbox, margin))
            if place.size:
                size += sum(array.nbytes for array in pixels)
                stored = self._store(pixels) if size > ROOM else pixels
                found.append(Overpass(name, 0, stored, place, seen and seen.texts()))
        if not found:
            where = "" if bbox is None else f" within west, south, east, north {bbox}"
            raise NoValidPixelsError(
                f"of {len(self.names)} overpass(es), none has a valid pixel{where}; choose another "
                "region, or lower the quality threshold"
            )
        found.sort(key=lambda one: (one.name, one.pixels.column.tobytes()))
        self.overpasses = [one._replace(number=number) for number, one in enumerate(found)]

    def _store(self, pixels: Pixels) -> Pixels:
        """Move arrays to files that are read on demand."""
        if self._disk is None:
            self._disk = Path(tempfile.mkdtemp(prefix="no2sr-"))
            weakref.finalize(self, shutil.rmtree, self._disk, ignore_errors=True)
        stored = []
        for array in pixels:
            place = self._disk / f"{self._stored}.npy"
            self._stored += 1
            np.save(place, array)
            stored.append(np.load(place, mmap_mode="r") if array.size else array)
        return Pixels(*stored)

    def select_near(self, box: Box) -> list[Overpass]:
        """Select the pixels that touch a box, by overpass."""
        chosen = []
        for one in self.overpasses:
            pixels, place = _select_near(one.pixels, box)
            if place.size:
                chosen.append(one._replace(pixels=pixels, place=one.place[place]))
        return chosen

    def envelope(self) -> Box:
        """Find the box around all pixels; longitudes continue from those of the first."""
        west, south, east, north = np.inf, np.inf, -np.inf, -np.inf
        start = float(self.overpasses[0].pixels.longitude[0, 0]) - 180
        for one in self.overpasses:
            x = start + (np.asarray(one.pixels.longitude, np.float64) - start) % 360
            y = one.pixels.latitude
            west, east = min(west, float(x.min())), max(east, float(x.max()))
            south, north = min(south, float(y.min())), max(north, float(y.max()))
        return west, south, east, north


def _widen(box: Box | None, margin: float) -> Box | None:
    if box is None:
        return None
    west, south, east, north = box
    return west - margin, max(south - margin, -90.0), east + margin, min(north + margin, 90.0)


def _select_near(pixels: Pixels, box: Box | None) -> tuple[Pixels, NDArray[np.int64]]:
    """Select the usable pixels that touch a box, and their places."""
    x = np.asarray(pixels.longitude, np.float64)
    y = np.asarray(pixels.latitude)
    usable = np.isfinite(pixels.column) & np.isfinite(y).all(axis=1) & np.isfinite(x).all(axis=1)
    if box is not None:
        west, south, east, north = box
        middle = (west + east) / 2
        with np.errstate(invalid="ignore"):
            away = x + 360 * np.round((middle - x) / 360)
            usable &= (away.max(axis=1) >= west) & (away.min(axis=1) <= east)
            usable &= (y.max(axis=1) >= south) & (y.min(axis=1) <= north)
    place = np.flatnonzero(usable)
    none = np.empty(0, pixels.column.dtype)  # stated uncertainties are not used
    kept = (pixels.column, none, none, pixels.latitude, pixels.longitude)
    return Pixels(*(array[place] if array.size else array for array in kept)), place


def lay_grid(box: Box, settings: Settings) -> Grid:
    """Lay the grid of a region, its lines at multiples of the resolution.

    Raises
    ------
    SettingsError
        If it has fewer than four cells along a side.
    """
    from no2sr.core.grid import regular_grid

    west, south, east, north = box
    column = regular_grid((west, south, west + settings.resolution / 2, north), settings.resolution)
    row = regular_grid((west, south, east, south + settings.resolution / 2), settings.resolution)
    shape = column.sizes["y"], row.sizes["x"]
    if min(shape) < FEWEST:
        raise SettingsError(
            f"the region has {shape[0]} x {shape[1]} cells of {settings.resolution:g} degree and "
            f"needs at least {FEWEST} along each side; choose a larger region or smaller cells"
        )
    transform: Any = column.rio.transform()
    return Grid(
        Frame(float(row.rio.transform().c), transform.f, settings.resolution), shape, (0, 0)
    )
