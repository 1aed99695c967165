"""Values at the door: decoded floats of a stated unit, gaps as NaN."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.colours import PICTURE
from no2sr.core.door.axes import called
from no2sr.core.errors import DimensionError, NoValidPixelsError, RepairWarning, UnitsError
from no2sr.core.units import FILL_LIMIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_no_picture", "check_values", "clean"]


def check_no_picture(dataset: xr.DataArray | xr.Dataset) -> None:
    """Refuse what `no2sr.render` and `no2sr.enhance` return.

    Raises
    ------
    DimensionError
    """
    if PICTURE in getattr(dataset, "attrs", {}):  # what is no dataset is refused elsewhere
        raise DimensionError(
            f"it is a picture ({dataset.attrs[PICTURE]}), expected measured values: no column can "
            "be read off colours; give what the picture was made of"
        )


def check_values(column: xr.DataArray) -> None:
    """Refuse packed or integer values, and values without a unit.

    Raises
    ------
    DimensionError, UnitsError
    """
    packed = {
        key: column.attrs[key]
        for key, neutral in (("scale_factor", 1), ("add_offset", 0))
        if column.attrs.get(key, neutral) != neutral
    }
    if packed or column.dtype.kind != "f":
        raise DimensionError(
            f"{called(column)} holds {column.dtype} values, packing {packed or 'unstated'}, "
            "expected decoded floating point values; open the file with mask_and_scale=True, or "
            "scale the counts and use astype('float32')"
        )
    if not str(column.attrs.get("units", "")).strip():
        raise UnitsError(
            f"{called(column)} states no unit, expected one such as 'mol m-2'; "
            "set attrs['units'] to what its values are in"
        )


def clean(image: xr.DataArray, column: xr.DataArray) -> xr.DataArray:
    """Return an image in float32 with NaN for every gap.

    Parameters
    ----------
    image : DataArray
        Dask-backed images are cleaned block by block, when they are computed.
    column : DataArray
        Whose attributes may declare fill values that were not decoded.

    Raises
    ------
    NoValidPixelsError
        If every pixel is a gap; not checked for dask-backed images.
    """
    stated = [column.attrs[k] for k in ("_FillValue", "missing_value") if k in column.attrs]
    # A fill that is text cannot stand among numbers, so it marks no gap.
    fills = tuple(
        float(value)
        for entry in stated
        for value in np.atleast_1d(entry)
        if isinstance(value, int | float | np.number)
    )
    cleaned: xr.DataArray = xr.apply_ufunc(
        _cleaned,
        image,
        kwargs={"fills": fills},
        dask="parallelized",
        output_dtypes=[np.float32],
        keep_attrs=True,
    )
    if cleaned.chunks is None and not np.isfinite(cleaned.values).any():
        raise NoValidPixelsError(
            f"{called(column)} has {cleaned.size} pixels and all are gaps, expected "
            "some observed ones; choose another day, region or quality threshold"
        )
    return cleaned


def _cleaned(values: NDArray[np.floating], *, fills: tuple[float, ...]) -> NDArray[np.float32]:
    """Set fill values missing, and absurd ones with a warning."""
    with np.errstate(over="ignore"):
        gaps = np.zeros(values.shape, dtype=bool)
        for fill in fills:
            gaps |= values == values.dtype.type(fill)
    absurd = (np.abs(values) >= FILL_LIMIT) & ~gaps
    if absurd.any():
        warnings.warn(
            f"{np.count_nonzero(absurd)} pixels were infinite or beyond {FILL_LIMIT:g}, expected "
            "finite columns; they were set missing; declare them as _FillValue if they are gaps",
            RepairWarning,
            stacklevel=2,
        )
    lost = gaps | absurd
    kept = np.where(lost, np.nan, values) if lost.any() else values
    return kept.astype(np.float32, copy=False)
