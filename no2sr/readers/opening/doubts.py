"""Warnings about images that were read without errors but look wrong."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import MissingCRSError, No2srWarning, OversampledWarning, RepairWarning
from no2sr.core.grid import crop
from no2sr.core.image import crs_of
from no2sr.core.units import CANONICAL
from no2sr.steps.sampling import WINDOW, effective_resolution

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.steps.sampling import Resolution

__all__ = [
    "doubt_negatives",
    "doubt_range",
    "doubt_resolution",
    "doubt_sample",
    "doubt_values",
    "doubt_zeros",
]

REFINED = "no2sr: downscale"  # in the history of grids from `no2sr.downscaling.pipeline`
ZEROS = 0.01  # share of exact zeros that measurements do not exceed
SPIKE = 3  # times as many zeros as of the next most frequent value
NEAR = 0.05  # share of the median column up to which a value is just above 0
SAMPLED = 1000  # cells along an axis in the sample of a lazy grid
FEW = 20  # as few cells just above 0 may lie scattered by chance
_TRACES = {
    "copies": "repeat pixels",
    "interpolation": "are interpolated between others",
    "pixel size": "are smaller than the pixels of any NO2 sounder in orbit, which resolve areas",
}


def doubt_resolution(image: xr.DataArray) -> Resolution | None:
    """Warn if an image is oversampled, and return its effective resolution.

    Parameters
    ----------
    image : DataArray, (y, x) or (time, y, x)
        If it has no CRS, sizes are in its own units.

    Returns
    -------
    Resolution or None
        None for lazy values, and for a grid that this package refined: its attributes say that its
        detail is inferred.

    Warns
    -----
    OversampledWarning
    """
    if image.chunks is not None or REFINED in image.attrs.get("history", ""):
        return None
    found = effective_resolution(image)
    if found.factor > 1:
        unit = _unit_of(image)
        cells = [size / count for size, count in zip(found.size, found.cells, strict=True)]
        warnings.warn(
            f"{image.name} is oversampled: its cells of {_format_sizes(cells)} {unit} (x by y) "
            f"{_TRACES[found.evidence]} of about {_format_sizes(found.size)} {unit}; "
            f"average {found.factor} x {found.factor} of them first, with "
            "no2sr.coarsen_to_native or --coarsen-to-native",
            OversampledWarning,
            stacklevel=3,
        )
    return found


def doubt_sample(image: xr.DataArray) -> None:
    """Warn of what a sample of a lazy image shows.

    Warns
    -----
    OversampledWarning
        As for `doubt_resolution`, of the middle of the image.
    RepairWarning, No2srWarning
        As for `doubt_values`, of a sample of cells from the whole image.
    """
    middle = [
        slice(max(0, (size - WINDOW) // 2), (size + WINDOW) // 2) for size in image.shape[-2:]
    ]
    layer = image.isel(time=0) if "time" in image.dims else image
    doubt_resolution(crop(layer, *middle).load())
    stride = [slice(None, None, max(1, size // SAMPLED)) for size in layer.shape]
    doubt_values(layer[tuple(stride)].load())


def _unit_of(image: xr.DataArray) -> str:
    try:
        crs = crs_of(image)
    except MissingCRSError:
        return "map units"
    return "degree" if crs.is_geographic else str(crs.axis_info[0].unit_name)


def _format_sizes(sizes: tuple[float, ...] | list[float]) -> str:
    """Format sizes along y and x, with x first."""
    return " x ".join(f"{size:.2g}" for size in reversed(sizes))


def doubt_range(column: xr.DataArray) -> None:
    """Warn if values lie outside the valid range that their file states.

    The values stay. A range that begins at 0 is ignored: values below it are noise.

    Warns
    -----
    No2srWarning
    """
    least, most = (_limit(column, end) for end in (0, 1))
    outside = int(((column < least) | (column > most)).sum())
    if outside and not (least == 0 and int((column > most).sum()) == 0):
        warnings.warn(
            f"{outside} of {column.size} values of {column.name} lie outside the valid range that "
            f"the file states ({least:g} to {most:g}), perhaps because the packing has overflowed; "
            "if they are wrong, mark them as missing in the file",
            No2srWarning,
            stacklevel=3,
        )


def _limit(column: xr.DataArray, end: int) -> float:
    """Return one end of the valid range for decoded values; infinite if the file states none."""
    both = np.atleast_1d(column.attrs.get("valid_range", ()))
    stated = both[end] if both.size == 2 else column.attrs.get(("valid_min", "valid_max")[end])
    if not isinstance(stated, int | float | np.number) or not np.isfinite(stated):
        return (-np.inf, np.inf)[end]
    packed = column.encoding.get("scale_factor", 1), column.encoding.get("add_offset", 0)
    # The valid range applies to stored numbers (NetCDF user guide, attribute conventions).
    return float(stated * packed[0] + packed[1])


def doubt_values(column: xr.DataArray) -> None:
    """Warn if values of an NO2 column cannot all have been measured.

    Parameters
    ----------
    column : DataArray
        Other quantities, lazy values, and grids that this package refined are not checked.

    Warns
    -----
    RepairWarning
        If too many are exactly 0.
    No2srWarning
        If none of a noisy column is negative.
    """
    measured = column.attrs.get("units", CANONICAL) == CANONICAL
    if measured and column.chunks is None and REFINED not in column.attrs.get("history", ""):
        doubt_zeros(column)
        doubt_negatives(column)


def doubt_zeros(image: xr.DataArray) -> None:
    """Warn if many values are exactly 0, which a measured column hardly ever is.

    Rounded values have about as many zeros as values of the next step, so they do not count.

    Warns
    -----
    RepairWarning
    """
    values, counts = np.unique(image.values[np.isfinite(image.values)], return_counts=True)
    zeros, others = counts[values == 0].sum(), counts[values != 0].max(initial=1)
    share = zeros / max(counts.sum(), 1)
    if share > ZEROS and zeros > SPIKE * others:
        warnings.warn(
            f"{share:.1%} of the values of {image.name} are exactly 0, which measured columns "
            "hardly ever are; they are probably masked or clipped pixels: pass nodata=0 to read "
            "them as gaps",
            RepairWarning,
            stacklevel=4,
        )


def doubt_negatives(image: xr.DataArray) -> None:
    """Warn if a noisy column has no negative value, because they were probably removed.

    Columns just above 0 that lie scattered among much larger ones are there because of noise, which
    must have made others negative. Without noise they would lie next to others of the same size.

    Warns
    -----
    No2srWarning
    """
    rows = image.values.reshape(-1, image.shape[-1]).astype(np.float64)
    rows = np.where(rows == 0, np.nan, rows)
    if rows.shape[1] < 3 or not np.isfinite(rows).any() or np.nanmin(rows) < 0:
        return
    near = NEAR * float(np.nanmedian(rows))
    bends = np.abs(np.diff(rows, 2, axis=1))[rows[:, 1:-1] < near]
    bends = bends[np.isfinite(bends)]
    if bends.size >= FEW and float(np.median(bends)) > 2 * near:
        warnings.warn(
            f"{image.name} has no negative value, although {int((rows < near).sum())} values just "
            "above 0 lie scattered among much larger ones; negative values were probably removed, "
            "which raises every mean: use the original file",
            No2srWarning,
            stacklevel=4,
        )
