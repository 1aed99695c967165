"""A map of any grid and CRS brought to the fine grid of a scene."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.earth import KM_PER_DEGREE
from no2sr.core.errors import OversampledWarning
from no2sr.core.grid import transform_of
from no2sr.core.image import crs_of
from no2sr.steps.sampling import coarsen_to_native, effective_resolution

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["average_blocks", "average_copies", "resolution_in", "warp"]


def average_copies(
    column: xr.DataArray, noise: xr.DataArray | None
) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Average a map that repeats its cells to the cells that it has.

    A smooth map is kept as it is: what `effective_resolution` takes for interpolation may be the
    smoothness of a reconstruction.
    """
    if effective_resolution(column).evidence != "copies":
        return column, noise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OversampledWarning)
        return coarsen_to_native(column), None


def resolution_in(column: xr.DataArray, image: xr.DataArray) -> float:
    """Return the cell size of a map in cells of an image, at the latitude of the image."""
    latitude = _middle_latitude(image)
    return float(np.sqrt(_cell_area(column, latitude) / _cell_area(image, latitude)))


def _middle_latitude(image: xr.DataArray) -> float:
    """Return the latitude of the middle of an image, degrees."""
    from rasterio.warp import transform

    x, y = (float(image[axis].values.mean()) for axis in ("x", "y"))
    return float(transform(crs_of(image).to_wkt(), "EPSG:4326", [x], [y])[1][0])


def _cell_area(image: xr.DataArray, latitude: float) -> float:
    """Return the area of a cell, km2; degrees are converted at a latitude."""
    affine, crs = transform_of(image), crs_of(image)
    area = float(abs(affine.a * affine.e))
    if crs.is_geographic:
        return area * KM_PER_DEGREE**2 * max(float(np.cos(np.radians(latitude))), 0.01)
    return area * float(crs.axis_info[0].unit_conversion_factor) ** 2 / 1e6


def warp(column: xr.DataArray, image: xr.DataArray, scale: int) -> NDArray[np.float64]:
    """Carry a map to the fine grid of an image; NaN where it is missing."""
    from affine import Affine
    from rasterio.warp import Resampling, reproject

    ny, nx = image.shape[-2:]
    target = transform_of(image) * Affine.scale(1 / scale)
    finer = resolution_in(column, image) * scale <= 1.001
    fine = np.full((ny * scale, nx * scale), np.nan)
    reproject(
        column.to_numpy().astype(np.float64),
        fine,
        src_transform=transform_of(column),
        src_crs=crs_of(column).to_wkt(),
        src_nodata=np.nan,
        dst_transform=target,
        dst_crs=crs_of(image).to_wkt(),
        dst_nodata=np.nan,
        resampling=Resampling.average if finer else Resampling.bilinear,
        tolerance=0,
    )
    return fine


def average_blocks(fine: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """Average blocks; NaN where any cell is missing."""
    ny, nx = (size // scale for size in fine.shape)
    return np.asarray(fine.reshape(ny, scale, nx, scale).mean(axis=(1, 3)))
