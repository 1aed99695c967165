"""Any CF grid in NetCDF-3, NetCDF-4 or HDF5 that no other reader recognises.

The NO2 column is found by its name, ``standard_name``, ``long_name`` or ``title``; any other
variable is named with ``variable=``. Axes, directions, longitudes 0..360, bounds and
``grid_mapping`` follow the CF conventions (https://cfconventions.org). Levels are never averaged or
chosen; all times are kept unless the caller selects one. Degrees without a ``grid_mapping`` are
taken as EPSG:4326, and the log says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from no2sr.core.columns import choose
from no2sr.readers.kit.cf import list_gridded, open_cf, select_variable
from no2sr.readers.kit.netcdf import is_netcdf

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "CFGrid"]


class CFGrid:
    """Reader of CF grids; the last one that is tried, so it describes any other NetCDF file."""

    name = "cf_grid"
    product = "CF grid in NetCDF or HDF5"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file is NetCDF or HDF5."""
        return is_netcdf(path)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the column on its grid, with lazy values.

        Raises
        ------
        NoValidPixelsError
            If the file has no variables.
        MissingVariableError, AmbiguousVariableError
            If there is no NO2 column, or more than one; the message lists the variables.
        """
        fields = list_gridded(path)
        # GDAL drops the names of bands; as in a GeoTIFF, the only band is taken.
        lone = len(fields) == 1 and fields[0].name == "Band1"
        field = choose(fields, variable=options.variable, source=path.name, lone=lone)
        return select_variable(open_cf(path, options.chunks, field), field.name)


READER = CFGrid()
