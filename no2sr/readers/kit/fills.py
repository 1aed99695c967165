"""The step from a raw variable to its column: gaps that the file does not declare, and the unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from no2sr.core.door.fills import LARGEST, mark_fills, mask_impossible
from no2sr.core.units import factor, is_column
from no2sr.readers.kit.column import convert, settle_unit

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.readers.port import ReadOptions

__all__ = ["read_column"]


def read_column(
    raw: xr.DataArray, *, label: str, options: ReadOptions, no2: bool, sure: bool = False
) -> tuple[str, xr.DataArray]:
    """Find the unit of a variable, and convert its values to mol m-2.

    Parameters
    ----------
    raw : DataArray
        Decoded values, with ``units`` if the file states them.
    label : str
        Its name in messages: the file and the variable.
    options : ReadOptions
        Only ``unit``, ``nodata`` and ``variable`` are used.
    no2 : bool
        Whether the values are NO2 columns; then their size is evidence.
    sure : bool
        Whether the file marks all of its gaps; then no value is taken for another one.

    Returns
    -------
    found : str
        As `no2sr.readers.kit.column.settle_unit` returns it.
    column : DataArray
        As `no2sr.readers.kit.column.convert` returns it, NaN in place of fills.

    Raises
    ------
    UnitsError
        As for `no2sr.readers.kit.column.settle_unit`.

    Warns
    -----
    RepairWarning
        If values are taken for fills that the file does not declare.
    """
    marked = raw if sure else mark_fills(raw, label=label, nodata=options.nodata)
    named = options.variable is not None
    found = settle_unit(marked, label=label, unit=options.unit, named=named, no2=no2)
    if no2 and not sure and is_column(found):
        marked = mask_impossible(marked, label, LARGEST / factor(found))
    return found, convert(marked, found, label=label, no2=no2)
