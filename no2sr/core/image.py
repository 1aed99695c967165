"""The image contract: what every step inside no2sr may rely on.

An *image* is a plain `xarray.DataArray`: float32, dims ``(y, x)`` or ``(time, y, x)``, regular cell
centres with ``y`` descending and ``x`` ascending, NaN for gaps, CF attributes, and a
``spatial_ref`` coordinate written by rioxarray. This module states the contract, checks it, and
answers small questions about an image. It changes nothing and makes no coordinates
(`no2sr.core.grid` does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pyproj import CRS

from no2sr.core.errors import DimensionError, IrregularGridError, MissingCRSError, UnitsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "COLUMN_ATTRS",
    "STANDARD_NAME",
    "add_history",
    "check_image",
    "crs_of",
    "is_geographic",
    "regular_axis",
]

STANDARD_NAME = "troposphere_mole_content_of_nitrogen_dioxide"
COLUMN_ATTRS: Mapping[str, str] = {
    "standard_name": STANDARD_NAME,
    "long_name": "tropospheric vertical column of nitrogen dioxide",
    "units": "mol m-2",
    "cell_methods": "area: mean",
}
# An axis counts as regular when every centre lies within this share of a cell of its place:
# float32 axes of 0.01 degree grids reach 1e-3 (FORMATS: GDAL reads them 2e-9 off a cell). Where
# float32 cannot store a place that well, its resolution there is the limit.
AXIS_TOLERANCE = 1e-2
# Coordinates that are rounded by more than this share of a cell no longer distinguish the cells.
ROUNDING_LIMIT = 0.25
# Sizes of cells, in degrees or metres. Anything beyond comes from a damaged file, and overflows.
SMALLEST_STEP, LARGEST_STEP = 1e-12, 1e12


def check_image(image: xr.DataArray) -> xr.DataArray:
    """Return the image unchanged if it satisfies the contract.

    Parameters
    ----------
    image : DataArray, (y, x) or (time, y, x)

    Returns
    -------
    DataArray
        The same object.

    Raises
    ------
    DimensionError, IrregularGridError, MissingCRSError, UnitsError
        The message names the first rule that is broken.
    """
    if image.dims not in (("y", "x"), ("time", "y", "x")):
        raise DimensionError(
            f"the image has dims {image.dims} instead of (y, x) or (time, y, x); "
            "rename or transpose it, or pass it through no2sr.core.door.enter"
        )
    if image.dtype != np.float32:
        raise DimensionError(f"the image has dtype {image.dtype}; use image.astype('float32')")
    for name, sign in (("y", -1), ("x", 1)):
        _, step = regular_axis(image[name].values, name)
        if step * sign < 0:
            raise IrregularGridError(
                f"{name} runs the wrong way (step {step:g}); put north and west first, or pass "
                "the image through no2sr.core.door.enter"
            )
    crs_of(image)
    if not image.attrs.get("units"):
        raise UnitsError("the image has no unit; set image.attrs['units'] to a CF unit")
    return image


def regular_axis(centres: ArrayLike, name: str = "axis") -> tuple[float, float]:
    """Find the first centre and the step of a regular axis, and undo float32 rounding.

    Parameters
    ----------
    centres : array, (n,)
        At least two cell centres, ascending or descending.
    name : str
        Name of the axis in a message.

    Returns
    -------
    first, step : float
        ``first + step * arange(n)`` reproduces every centre to 1 % of a cell, or to what float32
        resolves if the centres were stored so. Both are fitted over the whole axis; the step is
        rounded to the shortest decimal that the rounding of the centres allows, so 0.0499999976
        becomes 0.05.

    Raises
    ------
    IrregularGridError
        If the axis is not regular, has fewer than two cells, or cells of an impossible size.

    Examples
    --------
    >>> import numpy as np
    >>> regular_axis(np.array([10.025, 10.075, 10.125], dtype="float32"))
    (10.025, 0.05)
    """
    values = np.asarray(centres, dtype=np.float64)
    n = values.size
    if values.ndim != 1 or n < 2:
        raise IrregularGridError(
            f"{name} has shape {values.shape}; it must have one dimension of at least 2 cells: "
            "choose a larger region"
        )
    places = np.arange(n)
    finite = np.isfinite(values)
    resolved = _float_resolution(values)
    first, step = _fit(values, exact=not resolved)
    misfit = np.abs(values - (first + step * places)).max() if finite.all() else np.nan
    tolerance = max(AXIS_TOLERANCE * abs(step), _rounding(resolved, step))
    if not (step != 0 and misfit <= tolerance):
        steps = np.diff(values[finite])
        raise IrregularGridError(
            f"{name} is not regular (steps {steps.min(initial=np.inf):g} to "
            f"{steps.max(initial=-np.inf):g}, {n - finite.sum()} centres missing); "
            "put the data on a regular grid first"
        )
    if not SMALLEST_STEP <= abs(step) <= LARGEST_STEP:
        raise IrregularGridError(
            f"{name} has cells of {abs(step):.3g} in the units of its CRS, not of "
            f"{SMALLEST_STEP:g} to {LARGEST_STEP:g}: the grid is damaged; correct it, or download "
            "the file again"
        )
    # The smallest tolerance that float32 storage allows: half an ulp of the largest centre.
    noise = max(float(np.spacing(np.float32(np.abs(values).max()))), 1e-12)
    if np.asarray(centres).dtype == np.float64 and misfit <= 1e-9 * abs(step):
        noise = 1e-9 * abs(step)
    decimals = [round(step, digits) for digits in range(12)]
    reciprocal = (
        1 / round(1 / step) if abs(step) < 0.5 else step
    )  # 1/12 degree has no short decimal
    for short in [*decimals[:6], reciprocal, *decimals[6:]]:
        if short == 0 or abs(short - step) * (n - 1) > 2 * noise:
            continue
        start = _shorten(float(np.median(values - short * places)), short / 2, noise)
        if np.abs(values - (start + short * places)).max() <= 2 * noise:
            return start, short
    return first, step


def _fit(values: NDArray[np.float64], *, exact: bool) -> tuple[float, float]:
    """Fit first centre and step: by both ends, or by least squares where values are rounded."""
    places = np.arange(values.size)
    step = float((values[-1] - values[0]) / (values.size - 1))
    if exact or np.array_equal(values, values[0] + step * places):
        return float(values[0]), step
    about = places - places.mean()
    step = float((about * (values - values[0])).sum() / (about * about).sum())
    return float(values.mean() - step * places.mean()), step


def _float_resolution(values: NDArray[np.float64]) -> float:
    """Return the resolution of float32 at the largest value; 0 for values in another type."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    stored = np.isfinite(values).all() and np.array_equal(single, values)
    return float(np.spacing(np.abs(single).max())) if stored else 0.0


def _rounding(resolved: float, step: float) -> float:
    """Return how far rounding may have moved a centre; 0 if rounding hides the cells."""
    return resolved if resolved <= ROUNDING_LIMIT * abs(step) else 0.0


def _shorten(value: float, half: float, tolerance: float) -> float:
    """Round to a multiple of half a cell, else to the fewest decimals within the tolerance."""
    per_unit = round(1 / half)
    exact = abs(per_unit * half - 1) < 1e-12  # dividing by 40 keeps what multiplying by 0.025 loses
    place = round(value / half)
    multiple = place / per_unit if exact else place * half
    if abs(multiple - value) <= tolerance:
        return multiple
    for digits in range(16):
        if abs(round(value, digits) - value) <= tolerance:
            return round(value, digits)
    return value


def crs_of(image: xr.DataArray | xr.Dataset) -> CRS:
    """Return the coordinate reference system that the image carries.

    Raises
    ------
    MissingCRSError
        If there is none.
    """
    import rioxarray  # noqa: F401 - registers the accessor

    crs: Any = image.rio.crs
    if crs is None:
        raise MissingCRSError(
            "the image has no CRS (no grid_mapping or spatial_ref coordinate); "
            "set it with image.rio.write_crs('EPSG:4326') or another code"
        )
    return CRS.from_user_input(crs)


def is_geographic(image: xr.DataArray) -> bool:
    """Tell whether the axes are longitude and latitude in degrees."""
    return crs_of(image).is_geographic


def add_history(image: xr.DataArray, step: str) -> xr.DataArray:
    """Add a line to the CF ``history`` of an image, newest first.

    The line has no time stamp, so that equal runs write equal bytes.
    """
    earlier = image.attrs.get("history")
    line = f"no2sr: {step}"
    return image.assign_attrs(history=f"{line}\n{earlier}" if earlier else line)
