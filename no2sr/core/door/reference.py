"""The georeference of a friendly dataset: CRS, grid mapping variable, transform; in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import rioxarray  # noqa: F401 - registers the accessor
import xarray as xr
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from no2sr.core.door.axes import is_in_degrees, name_of
from no2sr.core.errors import IrregularGridError, MissingCRSError, UnitsError
from no2sr.core.grid import transform_of
from no2sr.core.image import crs_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from no2sr.core.door.axes import Axis

__all__ = [
    "WGS84",
    "attach_mapping",
    "check_upright",
    "find_crs",
    "inner_transform",
    "outer_transform",
    "restore_mapping",
]

WGS84 = CRS.from_epsg(4326)
_ROTATED = "{} lies on a rotated grid ({}); warp it first, with gdalwarp or image.rio.reproject"


def attach_mapping(
    column: xr.DataArray, dataset: xr.Dataset | xr.DataArray
) -> tuple[xr.DataArray, Hashable | None]:
    """Attach the grid mapping variable of the dataset, and return its name."""
    linked = column.attrs.get("grid_mapping") or column.encoding.get("grid_mapping") or ""
    name = str(linked).split(":")[0].strip()  # the extended form reads "crs: x y"
    if isinstance(dataset, xr.Dataset) and name in dataset.variables:
        column = column.assign_coords({name: dataset[name].variable})
    there = [key for key in (name, "spatial_ref", "crs") if key in column.coords]
    return column, there[0] if there else None


def find_crs(
    column: xr.DataArray, axes: tuple[xr.DataArray, xr.DataArray], mapping: Hashable | None
) -> CRS | None:
    """Return the CRS of a dataset, or None if there is none and the axes are in degrees.

    Raises
    ------
    MissingCRSError
        If the axes are not in degrees and there is no CRS.
    IrregularGridError
        If the pole is rotated.
    UnitsError
        If the axes are in degrees and the CRS is a projection.
    """
    degrees = any(is_in_degrees(axis) for axis in axes)
    try:
        crs = crs_of(column if mapping is None else column.rio.write_grid_mapping(mapping))
    except (MissingCRSError, CRSError) as error:
        if degrees and isinstance(error, MissingCRSError):
            return None
        raise MissingCRSError(
            f"{name_of(column)} has axes {axes[0].name} and {axes[1].name} and no usable CRS; "
            "set it with image.rio.write_crs('EPSG:...')"
        ) from error
    if crs.is_geographic and crs.is_derived:
        raise IrregularGridError(_ROTATED.format(name_of(column), "a rotated pole"))
    if degrees and not crs.is_geographic:
        raise UnitsError(
            f"the axes of {name_of(column)} are in degrees but the CRS is {crs.name}, "
            "a projection; correct the CRS with image.rio.write_crs, or the units of the axes"
        )
    # A CF latitude_longitude mapping without a name is WGS 84 in another axis order.
    return WGS84 if crs.equals(WGS84, ignore_axis_order=True) else crs


def check_upright(column: xr.DataArray, mapping: Hashable | None) -> None:
    """Refuse rotated and sheared grids.

    Raises
    ------
    IrregularGridError
    """
    stored = _stored_transform(column, mapping)
    names = [str(c.attrs.get("standard_name", "")) for c in column.coords.values()]
    if stored is not None and (stored.b != 0 or stored.d != 0):
        raise IrregularGridError(_ROTATED.format(name_of(column), f"transform {stored[:6]}"))
    if any(name in ("grid_latitude", "grid_longitude") for name in names):
        raise IrregularGridError(_ROTATED.format(name_of(column), "a rotated pole"))


def _stored_transform(column: xr.DataArray, mapping: Hashable | None) -> Affine | None:
    """Return the transform that a grid mapping holds in the form of GDAL."""
    text = "" if mapping is None else str(column[mapping].attrs.get("GeoTransform", ""))
    numbers = [float(word) for word in text.split()]
    return Affine.from_gdal(*numbers) if len(numbers) == 6 else None


def inner_transform(column: xr.DataArray, mapping: Hashable | None, *, y: Axis, x: Axis) -> Affine:
    """Return the transform of the image: the stored one, with all its digits, if it agrees."""
    found = Affine(x.step, 0, x.first - x.step / 2, 0, y.step, y.first - y.step / 2)
    stored = _stored_transform(column, mapping) or found
    near = 1e-9 * min(abs(x.step), abs(y.step))
    same = np.allclose(np.asarray(stored)[:6], np.asarray(found)[:6], rtol=1e-9, atol=near)
    return stored if same else found


def outer_transform(
    fine: xr.DataArray, y: NDArray[np.float64], x: NDArray[np.float64]
) -> Affine | None:
    """Return the transform of the dataset's labels for a fine image, or None if they jump."""
    t = transform_of(fine)
    east, south = (t.a * np.sign(x[1] - x[0]), t.e * np.sign(y[0] - y[1]))
    jumps = np.abs(np.diff(x) - east).max() > 0.1 * abs(east)
    if jumps or abs(y[1] - y[0] - south) > 0.1 * abs(south):
        return None
    # If possible the corner is that of the transform: a centre minus half a cell loses digits.
    west = t.c if x[0] == fine["x"].values[0] else x[0] - east / 2
    north = t.f if y[0] == fine["y"].values[0] else y[0] - south / 2
    return Affine(east, 0, west, 0, south, north)


def restore_mapping(
    out: xr.DataArray, column: xr.DataArray, mapping: Hashable | None, transform: Affine | None
) -> xr.DataArray:
    """Restore the grid mapping of the dataset, on the fine grid."""
    out.encoding = {}
    if mapping is None:
        return out
    attrs = dict(column[mapping].attrs)
    if attrs.pop("GeoTransform", None) is not None and transform is not None:
        attrs["GeoTransform"] = " ".join(str(float(number)) for number in transform.to_gdal())
    out = out.assign_coords({mapping: xr.Variable((), column[mapping].values, attrs)})
    for old, new in ((column.attrs, out.attrs), (column.encoding, out.encoding)):
        if "grid_mapping" in old:
            new["grid_mapping"] = old["grid_mapping"]
    return out
