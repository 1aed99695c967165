"""The layers that come out: column, uncertainty, count and resolution, and their attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.grid import regular_grid
from no2sr.core.image import COLUMN_ATTRS, STANDARD_NAME, add_history
from no2sr.core.provenance import PREFIX, UNSTATED
from no2sr.core.units import CANONICAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.records import Grid, Overpass, Settings, Tuning

__all__ = ["COLUMN", "LAYERS", "as_dataset", "describe_run"]

COLUMN = "tropospheric_NO2_column_number_density"
LAYERS = ("column", "uncertainty", "count", "resolution")
NAMED = 20  # files that history names one by one


def as_dataset(
    layers: Mapping[str, NDArray[np.floating]],
    grid: Grid,
    told: Mapping[str, Any],
) -> xr.Dataset:
    """Put layers on their grid, under the names and with the attributes of HARP and CF.

    Parameters
    ----------
    layers : mapping of str to array, (y, x)
        Some of `LAYERS`.
    grid : Grid
        Of the whole region.
    told : mapping
        Attributes of the column that say how it was made; ``variable`` is its name.

    Returns
    -------
    Dataset, (y, x)
    """
    west, south, east, north = grid.box
    half = grid.frame.spacing / 2
    empty = regular_grid(
        (west + half / 1e3, south + half / 1e3, east - half / 1e3, north - half / 1e3),
        grid.frame.spacing,
    )
    attrs = dict(told)
    column = str(attrs.pop("variable", None) or COLUMN)
    names = {"column": column, "uncertainty": f"{column}_uncertainty"}
    fields = {
        names.get(layer, layer): empty.copy(data=values.astype(np.float32)).assign_attrs(
            _attrs_of(layer)
        )
        for layer, values in layers.items()
    }
    beside = " ".join(name for name in fields if name != column)
    fields[column] = fields[column].assign_attrs(attrs | {"ancillary_variables": beside})
    return xr.Dataset(fields)


def _attrs_of(layer: str) -> dict[str, Any]:
    if layer == "column":
        return dict(COLUMN_ATTRS)
    if layer == "uncertainty":
        return {
            "standard_name": f"{STANDARD_NAME} standard_error",
            "long_name": "standard uncertainty of the reconstructed column",
            "units": CANONICAL,
        }
    if layer == "count":
        return {"long_name": "number of pixels that overlap the cell", "units": "1"}
    return {"long_name": "local resolution, full width at half maximum", "units": "km"}


def describe_run(
    overpasses: Sequence[Overpass], settings: Settings, tuning: Tuning, reading: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attributes that say how the map was made.

    Parameters
    ----------
    overpasses : sequence of Overpass
        All that were used.
    settings : Settings
    tuning : Tuning
    reading : mapping
        What the reader said.

    Returns
    -------
    dict
    """
    names = [one.name for one in overpasses]
    held = "by held-out overpasses" if len(names) > 1 else "by held-out pixels"
    chosen = held if settings.smoothness == "auto" else "as stated"
    attrs: dict[str, Any] = dict(reading)
    attrs["source"] = "; ".join(names)
    facts = {
        "method": "reconstruct",
        "overpasses": len(names),
        **_tell_times(overpasses),
        "response": settings.response,
        "smoothness_km2": tuning.smoothness,
        "smoothness_chosen": chosen,
        "smoothness_curve_km2": np.array([point[0] for point in tuning.curve]),
        "smoothness_curve_misfit": np.array([point[1] for point in tuning.curve]),
        "follows_signal": int(tuning.steepness > 0),
        "noise": tuning.typical,
        "noise_growth": tuning.growth,
        "departure": tuning.departure,
        "explained_share": tuning.explained,
        "uncertainty_widening": tuning.widening,
    }
    attrs |= {f"{PREFIX}{name}": value for name, value in facts.items()}
    step = (
        f"reconstructed from {len(names)} overpass(es) at {settings.resolution:g} degree, "
        f"{settings.response} footprints, smoothness {tuning.smoothness:.3g} km2 {chosen}"
    )
    carrier = xr.DataArray(0.0, attrs=attrs)
    return dict(add_history(carrier, step).attrs)


def _tell_times(overpasses: Sequence[Overpass]) -> dict[str, str]:
    """Return the times of the overpasses, in the order of ``source``; ISO 8601 sorts as text."""
    spans = [one.seen for one in overpasses if one.seen is not None]
    if not spans:
        return {}
    return {
        "time_coverage_start": min(first for first, _ in spans),
        "time_coverage_end": max(last for _, last in spans),
        "overpass_times": "; ".join(one.seen[0] if one.seen else UNSTATED for one in overpasses),
    }
