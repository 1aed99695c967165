"""CAMS forecasts and reanalyses of NO2 from the Atmosphere Data Store, in the old and new format.

Recognised by one of the variables ``tcno2``, ``no2_conc``, or ``no2`` as a mass mixing ratio. The
default is ``tcno2``: the *total* column in kg m-2, with 0.0460055 kg of NO2 per mole. Mixing ratios
and concentrations are not columns: they are read only if they are named, in their own unit.
Longitudes are 0..360; the first and last row lie on the poles and are cut off, as in every grid.
The new format has ``valid_time`` over forecast periods and reference times; both become one time.
Source: CAMS global product documentation (ECMWF).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.columns import choose, list_fields
from no2sr.core.errors import DimensionError, MissingVariableError
from no2sr.readers.kit.cf import list_gridded, open_cf, select_variable
from no2sr.readers.kit.netcdf import field_of, is_netcdf, open_netcdf

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from no2sr.core.columns import Field
    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "Cams"]

COLUMN = "tcno2"
_RUNS = ("number", "expver")  # the member of an ensemble and the version in the archive


class Cams:
    """Reader of CAMS files."""

    name = "cams"
    product = "CAMS NO2 forecast or reanalysis"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has one of the variables of CAMS."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            return any(_is_cams(field_of(v)) for v in file.variables.values())

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the total column, or the variable that was named.

        Raises
        ------
        MissingVariableError
            If there are only mixing ratios or concentrations, and none was named.
        DimensionError
            If two forecasts have the same valid time.
        """
        fields = list_gridded(path)
        if options.variable is None and COLUMN not in {field.name for field in fields}:
            raise MissingVariableError(
                f"{path.name} has no NO2 column ({COLUMN}), only {list_fields(fields)}; to use a "
                "mixing ratio or a concentration in its own unit, name it with variable="
            )
        field = choose(fields, variable=options.variable or COLUMN, source=path.name)
        dataset = open_cf(path, options.chunks, field)
        one_run = dataset.drop_vars([name for name in _RUNS if name in dataset.coords])
        grid = _along_time(select_variable(one_run, field.name), path)
        grid.set_close(dataset.close)
        return grid


def _is_cams(field: Field) -> bool:
    ratio = field.name == "no2" and field.unit.replace("*", "").startswith("kg kg")
    return field.name in (COLUMN, "no2_conc") or ratio


def _along_time(grid: xr.Dataset, path: Path) -> xr.Dataset:
    """Combine forecast periods and reference times into one time."""
    if "valid_time" not in grid.variables or grid["valid_time"].ndim != 2:
        return grid
    dims = grid["valid_time"].dims
    flat = grid.stack(step=dims, create_index=False).transpose("step", ...)
    times = flat["valid_time"].values
    if np.unique(times).size < times.size:
        raise DimensionError(
            f"{path.name} has several forecasts of the same time "
            f"({dict(grid['valid_time'].sizes)}); select one forecast period or one reference time"
        )
    flat = flat.isel(step=np.argsort(times)).drop_vars(dims, errors="ignore")
    return flat.rename(valid_time="time").swap_dims(step="time")


READER = Cams()
