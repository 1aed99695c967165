"""Images to look at: one time of a scene, or a coarse and a fine image with the same bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.averaging import average_blocks
from no2sr.core.colours import robust_limits, shown_unit
from no2sr.core.errors import DimensionError, IrregularGridError
from no2sr.core.grid import crop, transform_of
from no2sr.core.image import crs_of
from no2sr.core.provenance import coarsening_of
from no2sr.writers.layers import COLUMN, enter_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

__all__ = ["enter_pair", "enter_single", "find_limits", "match_grids", "single_time"]

# Share of a cell by which corners may differ: some files store centres as float32.
SLACK = 1e-2


def enter_single(scene: xr.DataArray | xr.Dataset, layer: str = COLUMN) -> xr.DataArray:
    """Take one layer of a scene of one time.

    Parameters
    ----------
    scene : DataArray or Dataset
    layer : str
        As for `no2sr.writers.layers.enter_layer`.

    Returns
    -------
    DataArray, (y, x)

    Raises
    ------
    DimensionError
        If there are several times.
    ImageError, MissingVariableError
        As for `no2sr.writers.layers.enter_layer`.
    """
    return single_time(enter_layer(scene, layer))


def enter_pair(
    coarse: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset
) -> tuple[xr.DataArray, xr.DataArray, int]:
    """Take the columns of two scenes, the second made of the first, and crop to the second.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, of one time
        If `fine` records that the cells of a file were averaged first, as `no2sr.coarsen_to_native`
        does, `coarse` may be that file as it is.

    Returns
    -------
    coarse, fine : DataArray, (y, x)
        With the same bounds; `coarse` is averaged as `fine` records.
    scale : int
        Fine cells along a coarse one.

    Raises
    ------
    IrregularGridError, DimensionError
        As for `match_grids` and `enter_single`.
    """
    after = enter_single(fine)
    before, scale = match_grids(_average_as_recorded(enter_single(coarse), after), after)
    return before, after, scale


def _average_as_recorded(coarse: xr.DataArray, fine: xr.DataArray) -> xr.DataArray:
    """Average a coarse image as that of the fine one was, from the same corner on."""
    side, rest = divmod(coarsening_of(fine.attrs), coarsening_of(coarse.attrs))
    if side < 2 or rest:
        return coarse
    wide, narrow = transform_of(coarse), transform_of(fine)
    top, left = (
        round((narrow.f - wide.f) / wide.e) % side,
        round((narrow.c - wide.c) / wide.a) % side,
    )
    if coarse.sizes["y"] < top + side or coarse.sizes["x"] < left + side:
        return coarse
    return average_blocks(crop(coarse, slice(top, None), slice(left, None)), side)


def single_time(image: xr.DataArray) -> xr.DataArray:
    """Drop the time axis of an image of one time.

    Raises
    ------
    DimensionError
        If there are several times.
    """
    if "time" not in image.dims:
        return image
    if image.sizes["time"] != 1:
        raise DimensionError(
            f"the image holds {image.sizes['time']} times and one can be shown; "
            "choose one with time="
        )
    return image.isel(time=0)


def match_grids(coarse: xr.DataArray, fine: xr.DataArray) -> tuple[xr.DataArray, int]:
    """Crop a coarse image to the bounds of the fine one made of it.

    Parameters
    ----------
    coarse, fine : DataArray, (y, x)
        In the same CRS and unit. The fine one may cover less, as after ``edges="shave"``.

    Returns
    -------
    coarse : DataArray, (y, x)
        With the bounds of `fine`.
    scale : int
        Fine cells along a coarse one.

    Raises
    ------
    IrregularGridError
        If the fine cells do not divide the coarse ones, or lie outside them.
    DimensionError
        If the CRS or the unit differs.
    """
    _check_alike(coarse, fine)
    wide, narrow = transform_of(coarse), transform_of(fine)
    scale = round(wide.a / narrow.a)
    left, top = (narrow.c - wide.c) / wide.a, (narrow.f - wide.f) / wide.e
    rows, columns = (size / max(scale, 1) for size in fine.shape)
    whole = [left, top, rows, columns, wide.a / narrow.a, wide.e / narrow.e]
    fits = all(abs(number - round(number)) <= SLACK for number in whole)
    first = round(top), round(left)
    last = first[0] + round(rows), first[1] + round(columns)
    inside = min(first) >= 0 and last[0] <= coarse.sizes["y"] and last[1] <= coarse.sizes["x"]
    if not (fits and inside and scale >= 1 and round(wide.e / narrow.e) == scale):
        raise IrregularGridError(
            f"cells of {narrow.a:.6g} x {-narrow.e:.6g} from ({narrow.c:.6g}, {narrow.f:.6g}) do "
            f"not divide cells of {wide.a:.6g} x {-wide.e:.6g} from ({wide.c:.6g}, {wide.f:.6g}), "
            "so this fine image was not made of this coarse one; give its own input, with the same "
            "bbox= and resolution="
        )
    return crop(coarse, slice(first[0], last[0]), slice(first[1], last[1])), scale


def _check_alike(coarse: xr.DataArray, fine: xr.DataArray) -> None:
    """Check that two images can be compared value by value."""
    places = [crs_of(image) for image in (coarse, fine)]
    units = [str(image.attrs.get("units", "")) for image in (coarse, fine)]
    if not places[0].equals(places[1], ignore_axis_order=True):
        names = [crs.to_string() if len(crs.to_string()) < 40 else crs.name for crs in places]
        raise DimensionError(
            f"the coarse image is in {names[0]} and the fine one in {names[1]}; "
            "give the input that the fine image was made of"
        )
    if units[0] != units[1]:
        raise DimensionError(
            f"the coarse image is in {units[0]!r} and the fine one in {units[1]!r}; "
            "convert one of them"
        )


def find_limits(images: Sequence[xr.DataArray | xr.Dataset]) -> tuple[float, float]:
    """Find the limits of one colour scale for several images, in the unit shown.

    Parameters
    ----------
    images : sequence of DataArray or Dataset, of one time each

    Raises
    ------
    DimensionError
        If they are in different units.
    NoValidPixelsError
        If all of them are gaps only.
    """
    columns = [enter_single(image) for image in images]
    units = {str(column.attrs["units"]) for column in columns}
    if len(units) > 1:
        raise DimensionError(
            f"the images are in {' and '.join(sorted(units))}; one colour scale needs one unit"
        )
    by, _ = shown_unit(units.pop())
    return robust_limits(np.concatenate([by * column.values.ravel() for column in columns]))
