"""Values at the door: decoded floating-point numbers in a stated unit, with NaN in gaps."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.colours import PICTURE
from no2sr.core.door.axes import name_of
from no2sr.core.door.fills import mark_fills
from no2sr.core.errors import DimensionError, NoValidPixelsError, RepairWarning, UnitsError
from no2sr.core.units import FILL_LIMIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_no_picture", "check_values", "clean"]


def check_no_picture(dataset: xr.DataArray | xr.Dataset) -> None:
    """Refuse a picture that `no2sr.render` or `no2sr.enhance` returned.

    Raises
    ------
    DimensionError
    """
    if PICTURE in getattr(dataset, "attrs", {}):  # other types are refused elsewhere
        raise DimensionError(
            f"it is a picture ({dataset.attrs[PICTURE]}), and colours cannot be turned back into "
            "columns; give the data that the picture was made from"
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
            f"{name_of(column)} holds packed or integer values ({column.dtype}, packing "
            f"{packed or 'unstated'}); open the file with mask_and_scale=True, or scale the counts "
            "and use astype('float32')"
        )
    if not str(column.attrs.get("units", "")).strip():
        raise UnitsError(
            f"{name_of(column)} has no unit; set attrs['units'] to that of its values, "
            "such as 'mol m-2'"
        )


def clean(image: xr.DataArray, column: xr.DataArray) -> xr.DataArray:
    """Convert an image to float32 with NaN in every gap.

    Parameters
    ----------
    image : DataArray
        A dask-backed image is cleaned block by block when it is computed, and fills that nothing
        declares stay in it.
    column : DataArray
        Its attributes may declare fill values that were not decoded.

    Raises
    ------
    NoValidPixelsError
        If every pixel is a gap. A dask-backed image is not checked.

    Warns
    -----
    RepairWarning
        If values were impossible, or taken for fills that nothing declares.
    """
    stated = [column.attrs[k] for k in ("_FillValue", "missing_value") if k in column.attrs]
    # A fill value that is text cannot occur among numbers.
    fills = tuple(
        float(value)
        for entry in stated
        for value in np.atleast_1d(entry)
        if isinstance(value, int | float | np.number)
    )
    cleaned: xr.DataArray = xr.apply_ufunc(
        _clean_values,
        image,
        kwargs={"fills": fills},
        dask="parallelized",
        output_dtypes=[np.float32],
        keep_attrs=True,
    )
    if cleaned.chunks is not None:
        return cleaned
    cleaned = _screen(cleaned, column)
    if not np.isfinite(cleaned.values).any():
        raise NoValidPixelsError(
            f"all {cleaned.size} pixels of {name_of(column)} are gaps; "
            "choose another day, region or quality threshold"
        )
    return cleaned


def _screen(image: xr.DataArray, column: xr.DataArray) -> xr.DataArray:
    """Set numbers that programs use for gaps missing where nothing declares them, with a warning.

    Files have been screened by their reader; this is for datasets that were opened elsewhere.
    """
    packing = {k: v for k, v in column.encoding.items() if k in ("scale_factor", "add_offset")}
    image.encoding = packing  # fills are judged as they were stored
    advice = "declare them as attrs['_FillValue'], or set them to NaN before"
    marked = mark_fills(image, label=name_of(column), repeated=False, advice=advice)
    marked.encoding = {}
    return marked


def _clean_values(values: NDArray[np.floating], *, fills: tuple[float, ...]) -> NDArray[np.float32]:
    """Set fill values to missing, and impossible values with a warning."""
    with np.errstate(over="ignore"):
        gaps = np.zeros(values.shape, dtype=bool)
        for fill in fills:
            gaps |= values == values.dtype.type(fill)
    absurd = (np.abs(values) >= FILL_LIMIT) & ~gaps
    if absurd.any():
        warnings.warn(
            f"{np.count_nonzero(absurd)} pixels were infinite or beyond {FILL_LIMIT:g}; they were "
            "set to missing; declare them as _FillValue if they are gaps",
            RepairWarning,
            stacklevel=2,
        )
    lost = gaps | absurd
    kept = np.where(lost, np.nan, values) if lost.any() else values
    return kept.astype(np.float32, copy=False)
