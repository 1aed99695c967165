"""What a report says in numbers and words about the two maps and their provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.colours import shown_unit, value_text
from no2sr.core.grid import bounds_of, cell_areas
from no2sr.core.provenance import PREFIX, coarsening_of, list_labelled
from no2sr.steps.conserve import closure

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["doubt_origin", "list_figures", "list_provenance", "summarise"]

# Share of the spread of the input; larger residuals mean that the map was made of another input.
CLOSED = 1e-3
CLEAR = 2  # a column of more than so many standard uncertainties is told from zero


def summarise(after: xr.DataArray, scale: int, *, observed: str = "") -> str:
    """Compose the sentence below the heading.

    Parameters
    ----------
    after : DataArray, (y, x)
    scale : int
    observed : str
        When the scene was observed, in words.
    """
    when = f", {observed}" if observed else ""
    source, side = after.attrs.get("source"), coarsening_of(after.attrs)
    averaged = f". An observed cell is the mean over {side} x {side} cells of the file"
    return (
        f"{after.sizes['y']} x {after.sizes['x']} cells, {scale} x {scale} for each observed "
        f"cell{when}" + (averaged if side > 1 else "") + (f". Source: {source}" if source else "")
    )


def list_figures(
    before: xr.DataArray, after: xr.DataArray, scale: int, sigma: xr.DataArray | None
) -> list[tuple[str, str]]:
    """List what can be measured on the maps themselves.

    Parameters
    ----------
    before, after : DataArray, (y, x)
    scale : int
    sigma : DataArray, (y, x), optional
        Standard uncertainty of `after`, in its unit.

    Returns
    -------
    list of (name, text)
    """
    by, unit = shown_unit(str(after.attrs["units"]))
    west, south, east, north = bounds_of(after)
    gaps = float(np.isnan(after.values).mean())
    rows = [
        ("observed cells", f"{before.sizes['y']} x {before.sizes['x']}"),
        ("fine cells", f"{after.sizes['y']} x {after.sizes['x']}, scale {scale}"),
        ("bounds", f"{west:.7g} {south:.7g} {east:.7g} {north:.7g} (west, south, east, north)"),
        ("gaps", f"{gaps:.1%} of the cells"),
        ("mean", value_text(by * float(np.nanmean(after.values)), unit)),
        ("range before", _format_range(by * before.values, unit)),
        ("range after", _format_range(by * after.values, unit)),
    ]
    if sigma is not None:
        factor, shown = shown_unit(str(sigma.attrs["units"]))
        known = np.isfinite(after.values) & np.isfinite(sigma.values)
        clear = np.abs(after.values[known]) > CLEAR * sigma.values[known]
        mean = value_text(factor * float(np.nanmean(sigma.values)), shown)
        rows += [
            ("mean uncertainty", mean),
            ("range of the uncertainty", _format_range(factor * sigma.values, shown)),
            (f"cells larger than {CLEAR} times their uncertainty", f"{clear.mean():.1%}"),
        ]
    name = "departure from the observed means" if _keeps_noise(after) else "conservation residual"
    residual = f"{_largest_residual(before, after):.1e} of the input's spread"
    return [*rows, (f"largest {name}", residual)]


def doubt_origin(before: xr.DataArray, after: xr.DataArray) -> str:
    """Warn if the fine image cannot have been made of the coarse one as it was read here.

    Parameters
    ----------
    before, after : DataArray, (y, x)

    Returns
    -------
    str
        Empty if there is no doubt. Means that may depart from the observation within its noise
        prove nothing.
    """
    if _keeps_noise(after) or _largest_residual(before, after) <= CLOSED:
        return ""
    return (
        "The block means of the fine map are not those of the coarse one. Was it made of another "
        "file, or with other options?"
    )


def list_provenance(after: xr.DataArray) -> list[tuple[str, str]]:
    """List where the fine map comes from.

    Returns
    -------
    list of (name, text)
    """
    names = ("source", "title", "institution", "references", "comment")
    told = [(name, str(after.attrs[name])) for name in names if after.attrs.get(name)]
    return told + list_labelled(after.attrs)


def _keeps_noise(after: xr.DataArray) -> bool:
    """Tell whether block means may depart from the observation within its noise."""
    return after.attrs.get(f"{PREFIX}conserve") == "noise"


def _format_range(values: np.ndarray[Any, Any], unit: str) -> str:
    return f"{np.nanmin(values):.4g} to {value_text(float(np.nanmax(values)), unit)}"


def _largest_residual(before: xr.DataArray, after: xr.DataArray) -> float:
    """Compute the largest deviation of a block mean, in standard deviations of the input."""
    residuals = np.abs(closure(after.values, before.values, cell_areas(after)))
    spread = float(np.nanstd(before.values, dtype=np.float64)) or 1.0
    known = residuals[np.isfinite(residuals)]
    return float(known.max(initial=0)) / spread
