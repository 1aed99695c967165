"""Rasters that are placed by ground control points or rational polynomials, not by a transform.

Control points that form a regular grid are equivalent to a transform. All others need a warp. Its
polynomial and its resampling are the user's decision, so the message has the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import IrregularGridError, MissingCRSError

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from affine import Affine

__all__ = ["find_transform", "place_by_points"]

MISFIT = 0.01  # cells by which points may depart from a regular grid


def find_transform(raster: Any, path: Path) -> Affine | None:
    """Derive the transform of a raster from its control points; None if it has none.

    Raises
    ------
    IrregularGridError
        If the points do not form rows from west to east, or if the raster has polynomials.
    MissingCRSError
        If the CRS of the points is not stated.
    """
    from rasterio.transform import from_gcps

    points, crs = raster.gcps
    if not points:
        if raster.rpcs and raster.transform.is_identity:
            raise IrregularGridError(
                f"{path.name} is placed by rational polynomials (RPC); rectify it first: "
                f"gdalwarp -rpc -t_srs EPSG:4326 {path.name} rectified.tif"
            )
        return None
    if crs is None:
        raise MissingCRSError(
            f"{path.name} is placed by {len(points)} ground control points without a CRS; state it "
            f"and rectify the file: gdalwarp -s_srs EPSG:4326 {path.name} rectified.tif"
        )
    if len(points) >= 3:
        found = from_gcps(points)
        x, y = found * np.array([(p.col, p.row) for p in points]).T
        off = np.hypot(x - [p.x for p in points], y - [p.y for p in points]).max()
        turned = max(abs(found.b) * raster.height, abs(found.d) * raster.width)
        side = min(abs(found.a), abs(found.e))
        if max(off, turned) <= MISFIT * side:
            return _straighten(found)
    raise IrregularGridError(
        f"{path.name} is placed by {len(points)} ground control points that do not form a regular "
        "grid; rectify it first: "
        f"gdalwarp {'-tps ' if len(points) > 3 else ''}{path.name} rectified.tif"
    )


def _straighten(transform: Affine) -> Affine:
    """Remove the rounding errors of a fit: shears, and digits beyond the twelfth."""
    from affine import Affine

    a, c, e, f = (float(f"{n:.12g}") for n in (transform.a, transform.c, transform.e, transform.f))
    return Affine(a, 0, c, 0, e, f)


def place_by_points(dataset: xr.Dataset, transform: Affine, crs: Any) -> xr.Dataset:
    """Give a raster the axes and the CRS that follow from its control points."""
    ny, nx = dataset.sizes["y"], dataset.sizes["x"]
    x = transform.c + transform.a * (np.arange(nx) + 0.5)
    y = transform.f + transform.e * (np.arange(ny) + 0.5)
    bare = dataset.drop_vars(["x", "y", "spatial_ref"], errors="ignore")
    placed: xr.Dataset = bare.assign_coords(y=("y", y), x=("x", x)).rio.write_crs(crs)
    return placed
