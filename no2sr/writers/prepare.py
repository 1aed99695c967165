"""What every writer does to an image first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from no2sr.core.door import enter
from no2sr.core.image import STANDARD_NAME
from no2sr.core.provenance import noted
from no2sr.core.units import asked_unit, canonical_unit, factor, is_column

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["PROVENANCE", "check_unit", "label", "prepare"]

# CF's words for where a dataset comes from.
PROVENANCE = ("title", "institution", "source", "history", "references", "comment")


def prepare(image: xr.DataArray | xr.Dataset, unit: str | None) -> xr.DataArray:
    """Return the strict image, in the unit that the file is to have.

    Parameters
    ----------
    image : DataArray or Dataset
        The provenance attributes of a Dataset are taken over where its variable has none.
    unit : str or None
        A column unit as `no2sr.core.units.asked_unit` takes it; None keeps that of the image.

    Returns
    -------
    DataArray, (y, x) or (time, y, x)
        With column units in the spelling of `no2sr.core.units`, which is also that of UDUNITS.
    """
    strict = enter(image)
    if isinstance(image, xr.Dataset):
        strict = strict.assign_attrs(_provenance(strict, image))
    found = str(strict.attrs["units"])
    if unit is None and not is_column(found):
        return strict
    wanted = asked_unit(unit) if unit else canonical_unit(found)
    ratio = factor(found, wanted)
    converted = strict if ratio == 1 else strict.copy(data=strict.data * strict.dtype.type(ratio))
    return converted.assign_attrs(units=wanted)


def check_unit(image: xr.DataArray, unit: str | None) -> None:
    """Refuse a unit that `prepare` could not convert the image to.

    Raises
    ------
    UnitsError
        If that is so.
    """
    if unit:
        factor(str(image.attrs["units"]), asked_unit(unit))


def _provenance(image: xr.DataArray, dataset: xr.Dataset) -> dict[Hashable, Any]:
    """Return the provenance of a dataset where its variable has none, and both histories."""
    told = {k: v for k, v in dataset.attrs.items() if k in PROVENANCE} | noted(dataset.attrs)
    own = {k: v for k, v in image.attrs.items() if k in told and v}
    both = "history" in own and told["history"] not in own["history"]
    history = {"history": f"{own['history']}\n{told['history']}"} if both else {}
    return told | own | history


def label(image: xr.DataArray) -> str:
    """Return a short name of the quantity."""
    if image.attrs.get("standard_name") == STANDARD_NAME:
        return "NO2 troposphere"
    return str(image.attrs.get("long_name") or ("value" if image.name is None else image.name))
