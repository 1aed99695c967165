"""Find the effective resolution of an image, which may be coarser than its cells.

A grid can be finer than the measurement: exports repeat one satellite pixel over many cells, or
interpolate between pixels. Downscaling such a grid adds nothing. Three traces reveal it:

* *copies*: most cells equal their neighbours exactly (nearest-neighbour sampling, or binning at
  steps much finer than a pixel). Real columns have noise, and no two are equal. The resolution is
  the length of the runs of equal cells; cells that mix two pixels are not counted.
* *interpolation*: the size of the second differences rises and falls with the places of the
  original cells. Its period is their spacing, which need not be a whole number of cells. Columns
  whose prior profiles come from a coarse model show the same. But only an interpolated grid also
  has almost no power around one cycle per original cell, where every interpolating kernel is zero.
* *pixel size*: the cells are smaller than half of what any NO2 sounder in orbit resolves. This is
  the only trace in a mean of many orbits.

Limits: rotated or smoothed images show neither of the first two. Copies are recognised from two
cells on, interpolation from two and a half, and only over some hundred cells.

The period of second differences is from Gallagher, "Detection of linear and cubic interpolation in
JPEG compressed images", CRV 2005.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np
import xarray as xr

from no2sr.core.averaging import average_blocks
from no2sr.core.door import choose_variable
from no2sr.core.earth import KM_PER_DEGREE
from no2sr.core.grid import bounds_of, transform_of
from no2sr.core.image import add_history, crs_of
from no2sr.core.layers import assemble_scene, companions_of
from no2sr.core.times import keep_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Evidence = Literal["", "copies", "interpolation", "pixel size"]
    Array = NDArray[np.float64]

Grid = TypeVar("Grid", xr.Dataset, xr.DataArray)

__all__ = ["Resolution", "coarsen_to_native", "effective_resolution"]

WINDOW = 1024  # side of the analysed window in cells: large enough for any pattern, and fast
LEAST = 24  # fewest cells along an axis for any statement
SAME = 0.4  # share of equal neighbours: far above that of noise, and below 1 - 1 / 2
DISTINCT = 30  # fewest different values for which equal neighbours are a trace
QUANTA = 5.0  # a typical step between neighbours, in steps between stored values
PROMINENCE = 60.0  # of a period over the background: 1100 in a real cubic grid, 33 elsewhere
NOTCH = 5e-3  # of the power at low frequencies: 1e-5 in a real cubic grid, 2e-2 elsewhere
SLOWEST = 0.04  # cycles per cell: longer periods are structure on the ground
SIDE = 3.1  # km: the smallest pixel is that of TEMPO, 2.0 x 4.75 km; TROPOMI's is 3.5 x 5.5 km
AIRBORNE = 10  # times finer than that pixel: not from a satellite, but from an aircraft or a model
ENOUGH = 1.8  # cells that count as two
SLACK = 0.2  # of a cell, by which a resolved cell may be larger than the block that holds it


class Resolution(NamedTuple):
    """The effective resolution of an image.

    Attributes
    ----------
    cells : (y, x)
        Cells of the grid per resolved cell, at least 1; a lower bound.
    size : (y, x)
        The same in units of the CRS.
    evidence : {"", "copies", "interpolation", "pixel size"}
        The trace of an oversampled grid; empty if there is none.
    """

    cells: tuple[float, float]
    size: tuple[float, float]
    evidence: Evidence

    @property
    def factor(self) -> int:
        """Side of the blocks of cells that hold one resolved cell; 1 where all cells do."""
        least = min(self.cells)
        return math.ceil(least - SLACK) if self.evidence and least >= ENOUGH else 1


def effective_resolution(image: xr.DataArray) -> Resolution:
    """Find the effective resolution of an image.

    Parameters
    ----------
    image : DataArray, (y, x) or (time, y, x)
        Only the time with the most values is analysed, and only a window of a large image.

    Returns
    -------
    Resolution
        Without a trace, that of the grid.
    """
    transform = transform_of(image)
    steps = -transform.e, transform.a
    values = _window(image)
    evidence: Evidence = "copies"
    cells = _copies(values)
    if cells is None:
        evidence, cells = "interpolation", _find_interpolation(values)
    if cells is None and "content_of_nitrogen_dioxide" in image.attrs.get("standard_name", ""):
        evidence, cells = "pixel size", _pixel_size(image, steps)
    if cells is None:
        return Resolution((1.0, 1.0), steps, "")
    return Resolution(cells, (cells[0] * steps[0], cells[1] * steps[1]), evidence)


def coarsen_to_native(scene: Grid) -> Grid:
    """Average an oversampled scene to its effective resolution.

    Parameters
    ----------
    scene : Dataset or DataArray, (y, x) or (time, y, x)
        As `no2sr.open_no2` returns it.

    Returns
    -------
    Same type as `scene`
        Means over square blocks of `Resolution.factor` cells, or the same object if the grid is not
        oversampled. A block of which less than half was observed is a gap. Cells on the south and
        east sides that do not fill a block are cut off. Uncertainties are averaged like the column,
        because oversampled cells share their errors. The attribute ``no2sr_coarsened`` of each
        layer is the side of the blocks.

    Examples
    --------
    ``no2sr.downscale(no2sr.coarsen_to_native(no2sr.open_no2(path)))``
    """
    column = choose_variable(scene)
    found = effective_resolution(column)
    if found.factor == 1:
        return scene
    coarse = _average(column, found)
    if isinstance(scene, xr.DataArray):
        return coarse
    companions = companions_of(scene, str(column.name))
    layers = {name: _average(layer, found) for name, layer in companions.items()}
    return keep_bounds(assemble_scene(coarse, layers).assign_attrs(scene.attrs), scene)


def _average(image: xr.DataArray, found: Resolution) -> xr.DataArray:
    """Average the blocks of cells that share one resolved cell."""
    side = found.factor
    return add_history(
        average_blocks(image, side),
        f"averaged {side} x {side} cells to the effective resolution ({found.evidence})",
    )


def _window(image: xr.DataArray) -> Array:
    """Return the window of the image with the most values, without zeros.

    A zero is not a measurement: it is a masked or a clipped one.
    """
    layers = image.values.reshape(-1, *image.shape[-2:])
    ny, nx = image.shape[-2:]
    windows = [
        layer[top : top + WINDOW, left : left + WINDOW]
        for layer in layers
        for top in range(0, max(ny - WINDOW // 2, 1), WINDOW)
        for left in range(0, max(nx - WINDOW // 2, 1), WINDOW)
    ]
    best = max(windows, key=lambda window: int(np.isfinite(window).sum()))
    values = best.astype(np.float64)
    return np.where(np.isfinite(values) & (values != 0), values, np.nan)


def _copies(values: Array) -> tuple[float, float] | None:
    """Return the mean sizes along y and x of the blocks of equal cells, if there are any."""
    if min(_share_of_equals(values), _share_of_equals(values.T)) < SAME:
        return None
    distinct, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    # A constant background equals itself and tells nothing about the rest.
    rest = np.where(values == distinct[counts.argmax()], np.nan, values)
    if distinct.size < DISTINCT or _is_quantised(rest, np.diff(distinct)):
        return None
    if min(_share_of_equals(rest), _share_of_equals(rest.T)) < SAME:
        return None
    cells = _run_length(rest.T), _run_length(rest)
    return cells if min(cells) >= ENOUGH else None


def _share_of_equals(values: Array) -> float:
    """Return the share of neighbours along x that are equal."""
    steps = np.diff(values, axis=1)
    known = np.isfinite(steps)
    return float((steps == 0).sum() / max(known.sum(), 1))


def _is_quantised(values: Array, quanta: Array) -> bool:
    """Tell whether values are equal because the file can store only a few."""
    steps = np.abs(np.concatenate([np.diff(values, axis=axis).ravel() for axis in (0, 1)]))
    steps = steps[steps > 0]
    return not steps.size or float(np.median(steps)) < QUANTA * float(np.median(quanta))


def _run_length(values: Array) -> float:
    """Return the mean distance along x between the borders of blocks of equal cells."""
    steps = np.diff(values, axis=1)
    borders = np.isfinite(steps) & (steps != 0)
    # A single cell whose value lies between its neighbours mixes the two: one border, not two.
    mixtures = borders[:, 1:] & borders[:, :-1] & (steps[:, 1:] * steps[:, :-1] > 0)
    return float(np.isfinite(steps).sum() / max(borders.sum() - mixtures.sum(), 1))


def _find_interpolation(values: Array) -> tuple[float, float] | None:
    """Return the spacings of the original cells along y and x, if the cells are interpolated."""
    cells = _period(values.T), _period(values)
    return (cells[0], cells[1]) if cells[0] and cells[1] else None


def _period(values: Array) -> float:
    """Return the spacing along x of the original cells, or 0 if nothing was interpolated."""
    bends = _bends(values)
    if bends.size < LEAST:
        return 0.0
    power = np.abs(np.fft.rfft(bends * np.hanning(bends.size))) ** 2
    frequencies = np.fft.rfftfreq(bends.size)
    power[frequencies < SLOWEST] = 0
    background = float(np.median(power[frequencies >= SLOWEST]))
    if not power.max() > PROMINENCE * background:
        return 0.0
    # Sharp bends have harmonics; the slowest gives the spacing.
    first = int(np.flatnonzero(power > 0.3 * power.max())[0])
    first += int(power[first : first + 3].argmax())
    spacing = 1 / float(frequencies[first])
    return spacing if _notch(values, spacing) < NOTCH else 0.0


def _bends(values: Array) -> Array:
    """Return the mean size of the second differences of each column, without slow changes."""
    sizes = np.abs(np.diff(values, 2, axis=1))
    known = np.isfinite(sizes)
    counts = known.sum(axis=0)
    means = np.where(known, sizes, 0).sum(axis=0) / np.maximum(counts, 1)
    usable = np.flatnonzero((counts > 0.2 * counts.max(initial=0)) & (means > 0))
    if usable.size < LEAST:
        return np.empty(0)
    places = np.arange(usable[0], usable[-1] + 1)
    logarithms = np.interp(places, usable, np.log(means[usable]))
    width = 9
    padded = np.pad(logarithms, width // 2, mode="edge")
    return np.asarray(logarithms - np.convolve(padded, np.ones(width) / width, mode="valid"))


def _notch(values: Array, spacing: float) -> float:
    """Return the power around one cycle per original cell, relative to that at resolved scales."""
    length = min(64, values.shape[1])
    pieces = np.concatenate(
        [
            values[:, start : start + length]
            for start in range(0, values.shape[1] - length + 1, length // 2)
        ]
    )
    pieces = pieces[np.isfinite(pieces).all(axis=1)]
    if not pieces.size:
        return np.inf
    ramp = np.arange(length) - (length - 1) / 2
    slopes = pieces @ ramp / (ramp @ ramp)
    level = pieces - pieces.mean(axis=1, keepdims=True) - np.outer(slopes, ramp)
    power = (np.abs(np.fft.rfft(level * np.hanning(length))) ** 2).mean(axis=0)
    cycles = np.fft.rfftfreq(length) * spacing  # per original cell
    around = (cycles > 0.85) & (cycles < 1.15)
    resolved = (cycles > 0.15) & (cycles < 0.5)
    if not around.any() or not resolved.any():
        return np.inf
    return float(power[around].mean() / power[resolved].mean())


def _pixel_size(image: xr.DataArray, steps: tuple[float, float]) -> tuple[float, float] | None:
    """Return the number of cells per smallest possible pixel, if it is at least two."""
    crs = crs_of(image)
    if crs.is_geographic:
        _, south, _, north = bounds_of(image)
        along = KM_PER_DEGREE * float(np.cos(np.deg2rad((south + north) / 2)))
        km = KM_PER_DEGREE * steps[0], along * steps[1]
    else:
        unit = crs.axis_info[0].unit_conversion_factor / 1000
        km = unit * steps[0], unit * steps[1]
    cells = SIDE / km[0], SIDE / km[1]
    return cells if ENOUGH <= min(cells) <= AIRBORNE else None
