"""GRIB files of weather and composition models, through the package cfgrib.

Recognised by their first bytes. Needs the ``grib`` extra. Everything else is as in CF NetCDF.
Reduced and spectral grids must be interpolated to a regular grid first. Source: WMO manual on
codes, GRIB edition 1 and 2; cfgrib (ECMWF).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import xarray as xr

from no2sr.core.columns import choose
from no2sr.core.door.variables import describe_variable
from no2sr.core.errors import FileUnreadableError, MissingDependencyError
from no2sr.readers.kit.cf import select_variable
from no2sr.readers.kit.files import read_beginning

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "Grib"]


class Grib:
    """Reader of GRIB files, edition 1 and 2."""

    name = "grib"
    product = "GRIB file"

    def recognises(self, path: Path) -> bool:
        """Tell by the first bytes whether the file is GRIB."""
        return read_beginning(path) == b"GRIB"

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the column on its grid.

        Raises
        ------
        MissingDependencyError
            If the ``grib`` extra is not installed.
        FileUnreadableError
            If the messages do not form one grid.
        MissingVariableError, AmbiguousVariableError
            If there is no NO2 column, or more than one.
        """
        dataset = _open(path, options.chunks)
        fields = [describe_variable(v) for v in dataset.data_vars.values() if v.ndim > 1]
        field = choose(fields, variable=options.variable, source=path.name)
        return select_variable(dataset, field.name)


def _open(path: Path, chunks: Any) -> xr.Dataset:
    if find_spec("cfgrib") is None:
        raise MissingDependencyError(
            f"{path.name} is a GRIB file, and the package cfgrib, which reads it, is not "
            "installed; run pip install 'no2sr[grib]', or convert the file, for example with "
            f"cdo -f nc4 copy {path.name} grid.nc"
        )
    try:
        return xr.open_dataset(
            path.absolute(),
            engine="cfgrib",
            decode_times=False,
            chunks=chunks,
            backend_kwargs={"indexpath": ""},
        )
    except Exception as odd:  # the errors of cfgrib have no common parent
        raise FileUnreadableError(
            f"{path.name} cannot be read as one grid ({odd}); extract one variable, for example "
            "with grib_copy -w shortName=tcno2, or convert it with cdo"
        ) from odd


READER = Grib()
