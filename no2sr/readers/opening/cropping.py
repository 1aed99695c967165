"""Crop an image to the cells that a box in degrees touches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from pyproj import Transformer

from no2sr.core.errors import SettingsError, TooSmallError
from no2sr.core.grid import bounds_of, crop, georeference, spans_globe, transform_of
from no2sr.core.image import crs_of

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.core.earth import Box

__all__ = ["check_box", "crop_to_box"]


def check_box(bbox: Box) -> Box:
    """Check a box, and move its west edge to -180..180; the east may then lie beyond 180.

    Raises
    ------
    SettingsError
        If it is not four numbers, or encloses nothing, or more than the globe.
    """
    try:
        west, south, east, north = (float(edge) for edge in bbox)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"bbox is {bbox!r}; give (west, south, east, north) in degrees, such as "
            "(76, 27.5, 78.5, 29.5)"
        ) from error
    east += 360 if east < west else 0
    turn = 360 * ((west + 180) // 360)
    west, east = west - turn, east - turn
    if not (south < north and west < east <= west + 360 and south >= -90 and north <= 90):
        raise SettingsError(
            f"bbox is {bbox}, not (west, south, east, north) in degrees; {_advise(bbox)}"
        )
    return west, south, east, north


def _advise_exchange(image: xr.DataArray, bbox: Box) -> str:
    """Say which box was probably meant that lies outside an image."""
    west, south, east, north = bounds_of(image)
    left, low, right, high = (float(edge) for edge in (bbox[1], bbox[0], bbox[3], bbox[2]))
    if (
        crs_of(image).is_geographic
        and left < east
        and right > west
        and low < north
        and high > south
    ):
        return (
            "perhaps latitude and longitude are exchanged: try "
            f"({left:g}, {low:g}, {right:g}, {high:g})"
        )
    return "choose a box that overlaps it"


def _advise(bbox: Box) -> str:
    """Say which box was probably meant: latitudes first, or the edges of an axis exchanged."""
    west, south, east, north = (float(edge) for edge in bbox)
    for swapped, what in (
        ((south, west, north, east), "latitude and longitude are exchanged"),
        ((west, north, east, south), "south and north are exchanged"),
        ((west, east, south, north), "the order is not west, east, south, north"),
    ):
        if swapped[0] < swapped[2] and -90 <= swapped[1] < swapped[3] <= 90:
            return f"perhaps {what}: try ({', '.join(f'{edge:g}' for edge in swapped)})"
    return "give one such as (76, 27.5, 78.5, 29.5)"


def crop_to_box(image: xr.DataArray, bbox: Box) -> xr.DataArray:
    """Keep the cells that a box in degrees touches.

    Raises
    ------
    SettingsError
        If the box lies outside the image.
    TooSmallError
        If fewer than two cells remain along an axis.
    """
    box = check_box(bbox)
    image, box = _turn(image, box) if crs_of(image).is_geographic else (image, _project(image, box))
    rows, columns = _window(image, transform_of(image), box)
    ny, nx = rows.stop - rows.start, columns.stop - columns.start
    if ny <= 0 or nx <= 0:
        raise SettingsError(
            f"bbox {bbox} lies outside the image, which covers {bounds_of(image)} in its own "
            f"units; {_advise_exchange(image, bbox)}"
        )
    if ny < 2 or nx < 2:
        raise TooSmallError(
            f"bbox {bbox} leaves {ny} x {nx} cells, and at least 2 x 2 are needed; choose a larger "
            "region"
        )
    return crop(image, rows, columns)


def _window(image: xr.DataArray, t: Affine, box: Box) -> tuple[slice, slice]:
    """Find the rows and columns that a box in CRS units overlaps by more than 1e-6 of a cell."""
    west, south, east, north = box
    top, bottom = (north - t.f) / t.e + 1e-6, (south - t.f) / t.e - 1e-6
    left, right = (west - t.c) / t.a + 1e-6, (east - t.c) / t.a - 1e-6
    ny, nx = image.sizes["y"], image.sizes["x"]
    return (
        slice(max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), ny)),
        slice(max(int(np.floor(left)), 0), min(int(np.ceil(right)), nx)),
    )


def _turn(image: xr.DataArray, box: Box) -> tuple[xr.DataArray, Box]:
    """Give box and image the same range of longitudes; a global image is rolled to contain it."""
    west, south, east, north = box
    left, _, right, _ = bounds_of(image)
    if spans_globe(image):
        west = (west - left) % 360 + left
        east = west + box[2] - box[0]
        if east > right + 1e-9:
            t = transform_of(image)
            shift = int(np.floor((west - t.c) / t.a + 1e-6))
            rolled = image.roll(x=-shift, roll_coords=False)
            moved = Affine(t.a, 0, t.c + shift * t.a, 0, t.e, t.f)
            image = georeference(rolled, moved, crs_of(image))
        return image, (west, south, east, north)
    turn = 360 * round(((left + right) - (west + east)) / 720)
    return image, (west + turn, south, east + turn, north)


def _project(image: xr.DataArray, box: Box) -> Box:
    """Compute the box in the CRS of the image that encloses a box in degrees."""
    to_image = Transformer.from_crs("EPSG:4326", crs_of(image), always_xy=True)
    west, south, east, north = to_image.transform_bounds(*box, densify_pts=21)
    return west, south, east, north
