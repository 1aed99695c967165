"""What every writer does to a scene first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from no2sr.core.door import enter
from no2sr.core.layers import UNCERTAINTIES
from no2sr.core.provenance import select_own
from no2sr.core.units import asked_unit, canonical_unit, factor, is_column
from no2sr.writers.layers import COLUMN, column_name, enter_layer, layers_in

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

__all__ = ["PROVENANCE", "check_unit", "prepare", "prepare_scene"]

# The attributes in which CF says where a dataset comes from.
PROVENANCE = ("title", "institution", "source", "history", "references", "comment")


def prepare_scene(
    scene: xr.DataArray | xr.Dataset, unit: str | None
) -> Iterator[tuple[str, xr.DataArray]]:
    """Make the layers of a scene strict, one at a time: each may be as large as memory allows.

    Parameters
    ----------
    scene : DataArray or Dataset
    unit : str or None
        A column unit for the column and its uncertainties; None keeps that of the column.

    Yields
    ------
    layer : str
        `no2sr.writers.layers.COLUMN` first, then those of `no2sr.writers.layers.layers_in`.
    image : DataArray, (y, x) or (time, y, x)
        As from `prepare`. Companions have the provenance of the column, except its title.

    Raises
    ------
    UnitsError
        If the column or an uncertainty cannot be converted to `unit`.
    ImageError
        As for `no2sr.core.door.enter`.
    """
    column = prepare(scene, unit)
    attrs = {k: v for k, v in column.attrs.items() if k in PROVENANCE and k != "title"}
    attrs |= select_own(column.attrs)
    own = str(column.attrs["units"])
    yield COLUMN, column
    del column
    for layer in layers_in(scene):
        image = enter_layer(scene, layer)
        if layer in UNCERTAINTIES:
            image = _convert(image, own if is_column(own) else unit)
        yield layer, image.assign_attrs(attrs)


def prepare(image: xr.DataArray | xr.Dataset, unit: str | None) -> xr.DataArray:
    """Make a strict image of the column, in the unit that the file is to have.

    Parameters
    ----------
    image : DataArray or Dataset
        Where the column of a Dataset lacks provenance attributes, those of the Dataset are used.
    unit : str or None
        A column unit as `no2sr.core.units.asked_unit` takes it; None keeps that of the image.

    Returns
    -------
    DataArray, (y, x) or (time, y, x)
        With column units in the spelling of `no2sr.core.units`, which is also that of UDUNITS.

    Raises
    ------
    UnitsError
        If the image cannot be converted to `unit`.
    """
    if isinstance(image, xr.Dataset):
        strict = enter(image, variable=str(column_name(image)))
        strict = strict.assign_attrs(_merge_provenance(strict, image))
    else:
        strict = enter(image)
    return _convert(strict, unit)


def _convert(strict: xr.DataArray, unit: str | None) -> xr.DataArray:
    """Convert values and spell the unit as UDUNITS does."""
    found = str(strict.attrs["units"])
    if unit is None and not is_column(found):
        return strict
    wanted = asked_unit(unit) if unit else canonical_unit(found)
    ratio = factor(found, wanted)
    converted = strict if ratio == 1 else strict.copy(data=strict.data * strict.dtype.type(ratio))
    return converted.assign_attrs(units=wanted)


def check_unit(image: xr.DataArray, unit: str | None) -> None:
    """Refuse a unit to which `prepare` could not convert an image.

    Raises
    ------
    UnitsError
        If there is no such conversion.
    """
    if unit:
        factor(str(image.attrs["units"]), asked_unit(unit))


def _merge_provenance(image: xr.DataArray, dataset: xr.Dataset) -> dict[Hashable, Any]:
    """Merge the provenance of a dataset into that of its variable; keep both histories."""
    told = {k: v for k, v in dataset.attrs.items() if k in PROVENANCE} | select_own(dataset.attrs)
    own = {k: v for k, v in image.attrs.items() if k in told and v}
    both = "history" in own and told["history"] not in own["history"]
    history = {"history": f"{own['history']}\n{told['history']}"} if both else {}
    return told | own | history
