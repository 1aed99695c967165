"""Grids: refine, coarsen, crop, and the area of a cell.

This is the only maker of output coordinates, and long because it must stay the only one. Every
function that returns an image ends in `georeference`, which derives the cell centres from an affine
transform and stores the transform on ``spatial_ref``. The two therefore agree; otherwise
``image.rio.transform()`` would still return the old ``GeoTransform`` after a grid was refined.

Cell areas on a longitude/latitude grid are those of the sphere: a row between latitudes a and b
weighs ``sin(b) - sin(a)``. That is the exact integral of cos(latitude), so the areas of the fine
rows of a block add up to the area of the coarse row. On projected grids all cells weigh the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rioxarray  # noqa: F401 - registers the accessor
import xarray as xr
from affine import Affine
from pyproj import CRS

from no2sr.core.errors import SettingsError, TooSmallError
from no2sr.core.image import crs_of, is_geographic, regular_axis
from no2sr.core.provenance import coarsen_attrs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "bounds_of",
    "cell_areas",
    "check_scale",
    "coarsen",
    "crop",
    "drop_beyond_poles",
    "georeference",
    "modcrop",
    "refine",
    "regular_grid",
    "shave",
    "spans_globe",
    "transform_of",
]


def georeference(image: xr.DataArray, transform: Affine, crs: Any) -> xr.DataArray:
    """Give an image the coordinates that a transform and a CRS imply.

    Parameters
    ----------
    image : DataArray, (..., y, x)
        Its own ``y``, ``x`` and ``spatial_ref`` coordinates, if any, are replaced.
    transform : Affine
        North up: ``(west, north)`` is the outer corner of the first cell.
    crs : anything `pyproj.CRS.from_user_input` accepts, or None
        None for a picture whose world file places it in a CRS that it does not name.

    Returns
    -------
    DataArray
        The same values, with CF axes of cell centres and ``spatial_ref`` with this transform.
    """
    reference = None if crs is None else CRS.from_user_input(crs)
    ny, nx = image.sizes["y"], image.sizes["x"]
    y = transform.f + transform.e * (np.arange(ny) + 0.5)
    x = transform.c + transform.a * (np.arange(nx) + 0.5)
    y_attrs, x_attrs = ({}, {}) if reference is None else _axis_attrs(reference)
    bare = image.drop_vars(["y", "x", "spatial_ref"], errors="ignore")
    placed = bare.assign_coords(y=("y", y, y_attrs), x=("x", x, x_attrs))
    placed.attrs.pop("grid_mapping", None)
    # In place, because the object is new; otherwise rioxarray would copy the values twice.
    if reference is not None:
        placed.rio.write_crs(reference, inplace=True)
    placed.rio.write_transform(transform, inplace=True)
    return placed


def _axis_attrs(crs: CRS) -> tuple[dict[str, str], dict[str, str]]:
    """Return the CF attributes of the y and x axes."""
    if crs.is_geographic:
        return (
            {
                "standard_name": "latitude",
                "long_name": "latitude",
                "units": "degrees_north",
                "axis": "Y",
            },
            {
                "standard_name": "longitude",
                "long_name": "longitude",
                "units": "degrees_east",
                "axis": "X",
            },
        )
    unit = crs.axis_info[0].unit_name if crs.axis_info else "metre"
    units = {"metre": "m", "kilometre": "km"}.get(unit, unit)
    return (
        {
            "standard_name": "projection_y_coordinate",
            "long_name": "y coordinate of projection",
            "units": units,
            "axis": "Y",
        },
        {
            "standard_name": "projection_x_coordinate",
            "long_name": "x coordinate of projection",
            "units": units,
            "axis": "X",
        },
    )


def transform_of(image: xr.DataArray) -> Affine:
    """Return the affine transform of an image.

    The stored ``GeoTransform`` is returned if it agrees with the cell centres, because it has all
    its digits. After an ``isel`` it is stale, and the transform follows from the centres.
    """
    y0, dy = regular_axis(image["y"].values, "y")
    x0, dx = regular_axis(image["x"].values, "x")
    found = Affine(dx, 0, x0 - dx / 2, 0, dy, y0 - dy / 2)
    stored = image.rio.transform()
    close = np.allclose(
        np.asarray(stored)[:6], np.asarray(found)[:6], rtol=1e-9, atol=1e-9 * min(abs(dx), abs(dy))
    )
    return stored if close else found


def bounds_of(image: xr.DataArray) -> tuple[float, float, float, float]:
    """Return ``(west, south, east, north)``: the outer edges of the outer cells, in CRS units."""
    t = transform_of(image)
    ny, nx = image.sizes["y"], image.sizes["x"]
    return t.c, t.f + t.e * ny, t.c + t.a * nx, t.f


def spans_globe(image: xr.DataArray) -> bool:
    """Tell whether the image goes around the Earth, so that its last column meets its first."""
    west, _, east, _ = bounds_of(image)
    return is_geographic(image) and abs(east - west - 360) < 1e-6


def cell_areas(image: xr.DataArray, *, refined: int = 1) -> NDArray[np.float64]:
    """Return the relative area of the cells of each row, shape (refined * y,), mean 1.

    With `refined`, the rows are those of the grid that is so many times finer. A row of a
    longitude/latitude grid weighs ``sin(north edge) - sin(south edge)``, where edges beyond a pole
    are clipped to it. Rows of a projected grid weigh 1.
    """
    ny = image.sizes["y"] * refined
    if not is_geographic(image):
        return np.ones(ny)
    t = transform_of(image)
    edges = np.deg2rad(np.clip(t.f + t.e / refined * np.arange(ny + 1), -90, 90))
    heights: NDArray[np.float64] = -np.diff(np.sin(edges))
    return np.asarray(heights / heights.mean())


def check_scale(scale: int, *, least: int = 1) -> int:
    """Return the scale as an int, and refuse what is not a scale.

    Raises
    ------
    SettingsError
        If it is not a whole number of at least `least`.
    """
    number = isinstance(scale, int | float | np.number) and not isinstance(scale, bool)
    if not number or not float(scale).is_integer() or scale < least:
        raise SettingsError(
            f"scale is {scale!r}; give a whole number of at least {least}, the number of fine "
            "cells along each side of a coarse one"
        )
    return int(scale)


def refine(
    image: xr.DataArray, scale: int, values: NDArray[np.floating] | None = None
) -> xr.DataArray:
    """Put an image on the grid that is `scale` times finer.

    Parameters
    ----------
    image : DataArray, (..., y, x)
    scale : int
    values : array, (..., scale * y, scale * x), optional
        The fine values; by default every cell is repeated.

    Returns
    -------
    DataArray, (..., scale * y, scale * x)
        Same bounds, CRS, attributes and other coordinates.

    See Also
    --------
    coarsen : the inverse: ``coarsen(refine(image, s), s)`` equals ``image``.
    """
    scale = check_scale(scale)
    if values is None:
        values = np.repeat(np.repeat(image.values, scale, axis=-2), scale, axis=-1)
    t = transform_of(image)
    return _rebuild(image, values, Affine(t.a / scale, 0, t.c, 0, t.e / scale, t.f), crs_of(image))


def coarsen(image: xr.DataArray, scale: int, *, least_valid: float = 1.0) -> xr.DataArray:
    """Average blocks of `scale` x `scale` cells, weighted by their areas.

    Parameters
    ----------
    image : DataArray, (..., y, x)
        Both sizes multiples of `scale` (see `modcrop`).
    scale : int
    least_valid : float
        Smallest share of a block that must be observed, 0..1; other blocks become gaps. The
        mean is over the observed cells.

    Returns
    -------
    DataArray, (..., y / scale, x / scale)

    Raises
    ------
    SettingsError
        If a size is no multiple of the scale.
    """
    scale = check_scale(scale)
    ny, nx = image.sizes["y"], image.sizes["x"]
    if ny % scale or nx % scale:
        raise SettingsError(
            f"the image has {ny} x {nx} cells, which are not multiples of {scale}; "
            f"apply modcrop(image, {scale}) first"
        )
    values = image.values.astype(np.float64)
    weights = np.broadcast_to(cell_areas(image)[:, None], values.shape)
    valid = np.isfinite(values)
    area = _block_sum(weights, scale)
    seen = _block_sum(weights * valid, scale)
    total = _block_sum(weights * np.where(valid, values, 0), scale)
    enough = (seen >= least_valid * area * (1 - 1e-9)) & (seen > 0)
    means = np.where(enough, total / np.where(seen > 0, seen, 1), np.nan)
    t = transform_of(image)
    coarse = _rebuild(
        image,
        means.astype(image.dtype),
        Affine(t.a * scale, 0, t.c, 0, t.e * scale, t.f),
        crs_of(image),
    )
    coarse.attrs = coarsen_attrs(image.attrs, scale)
    return coarse


def _block_sum(values: NDArray[np.floating], scale: int) -> NDArray[np.floating]:
    """Sum the blocks of the last two axes."""
    *lead, ny, nx = values.shape
    blocks = values.reshape(*lead, ny // scale, scale, nx // scale, scale)
    return np.asarray(blocks.sum(axis=(-3, -1)))


def crop(image: xr.DataArray, rows: slice, columns: slice) -> xr.DataArray:
    """Cut a window out of an image, transform included.

    Parameters
    ----------
    image : DataArray, (..., y, x)
    rows, columns : slice
        Of step 1, counted from the north-west corner.

    Returns
    -------
    DataArray
        A view of the values with new coordinates.
    """
    top, bottom, _ = rows.indices(image.sizes["y"])
    left, right, _ = columns.indices(image.sizes["x"])
    if bottom <= top or right <= left:
        raise TooSmallError(
            f"the window leaves {max(bottom - top, 0)} x {max(right - left, 0)} cells "
            f"of {image.sizes['y']} x {image.sizes['x']}; choose a larger region"
        )
    t = transform_of(image)
    cut = image.isel(y=slice(top, bottom), x=slice(left, right))
    corner = Affine(t.a, 0, t.c + left * t.a, 0, t.e, t.f + top * t.e)
    return georeference(cut, corner, crs_of(image))


def modcrop(image: xr.DataArray, scale: int) -> xr.DataArray:
    """Trim the south and east sides until both sizes are multiples of `scale`."""
    scale = check_scale(scale)
    ny, nx = image.sizes["y"], image.sizes["x"]
    return crop(image, slice(0, ny - ny % scale), slice(0, nx - nx % scale))


def shave(image: xr.DataArray, pixels: int) -> xr.DataArray:
    """Cut `pixels` cells off every side, as SRCNN does with the rim that padding affects."""
    ny, nx = image.sizes["y"], image.sizes["x"]
    return crop(image, slice(pixels, ny - pixels), slice(pixels, nx - pixels))


def drop_beyond_poles(image: xr.DataArray) -> xr.DataArray:
    """Drop the rows of a longitude/latitude grid whose centres lie beyond a pole.

    They arise when a row centred on a pole is refined: half of that row does not exist.
    """
    latitudes = np.abs(image["y"].values)
    inside = np.flatnonzero(latitudes <= 90 + 1e-9)
    if inside.size == latitudes.size or not is_geographic(image):
        return image
    return crop(image, slice(int(inside[0]), int(inside[-1]) + 1), slice(None))


def regular_grid(
    bounds: tuple[float, float, float, float], resolution: float, crs: Any = "EPSG:4326"
) -> xr.DataArray:
    """Make an empty image over a box.

    Parameters
    ----------
    bounds : (west, south, east, north)
        In units of the CRS. The box is widened to multiples of the resolution, so that grids of
        neighbouring regions fit together.
    resolution : float
        Cell size in units of the CRS.
    crs : anything `pyproj.CRS.from_user_input` accepts

    Returns
    -------
    DataArray, (y, x)
        All NaN, no units.
    """
    west, south, east, north = bounds
    if not (east > west and north > south and resolution > 0):
        raise SettingsError(
            f"bounds are {bounds} at resolution {resolution}; give west < east, south < north and "
            "a positive resolution, in units of the CRS"
        )
    # 1e-6 of a cell forgives bounds such as 27.500000001.
    left, bottom = (int(np.floor(v / resolution + 1e-6)) for v in (west, south))
    right, top = (int(np.ceil(v / resolution - 1e-6)) for v in (east, north))
    values = np.full((top - bottom, right - left), np.nan, dtype=np.float32)
    per_unit = round(1 / resolution)
    exact = per_unit > 0 and abs(per_unit * resolution - 1) < 1e-12
    origin = [
        v / per_unit if exact else v * resolution for v in (left, top)
    ]  # 0.05 * 3 is not 0.15
    transform = Affine(resolution, 0, origin[0], 0, -resolution, origin[1])
    return georeference(xr.DataArray(values, dims=("y", "x")), transform, crs)


def _rebuild(
    image: xr.DataArray, values: NDArray[np.floating], transform: Affine, crs: CRS
) -> xr.DataArray:
    """Put new values on a new grid, with the name, attributes and other coordinates of an image."""
    others = {
        name: coord
        for name, coord in image.coords.items()
        if name != "spatial_ref" and not {"y", "x"} & set(coord.dims)
    }
    fresh = xr.DataArray(
        values, dims=image.dims, coords=others, name=image.name, attrs=dict(image.attrs)
    )
    return georeference(fresh, transform, crs)
