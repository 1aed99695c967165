"""Any CF grid in NetCDF-3, NetCDF-4 or HDF5, for which no other reader is responsible.

The NO2 column is found by its name, ``standard_name``, ``long_name`` or ``title``; anything else is
reached with ``variable=``. Axes, directions, longitudes 0..360, bounds and ``grid_mapping`` mean
what the CF conventions say (https://cfconventions.org). Levels are never averaged or chosen; times
are kept unless one is asked for. Degrees without a ``grid_mapping`` are taken as EPSG:4326, said
in the log.
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
    """Reader of CF grids; asked last, so that it can say what any other NetCDF file holds."""

    name = "cf_grid"
    product = "CF grid in NetCDF or HDF5"

    def recognises(self, path: Path) -> bool:
        """Tell whether the file is NetCDF or HDF5 at all."""
        return is_netcdf(path)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Return the column on its grid, its values unread.

        Raises
        ------
        NoValidPixelsError
            If the file holds no variables.
        MissingVariableError, AmbiguousVariableError
            If there is no NO2 column, or more than one; the message names what there is.
        """
        fields = list_gridded(path)
        # GDAL drops the names of bands; of a GeoTIFF, too, the only band will do.
        lone = len(fields) == 1 and fields[0].name == "Band1"
        field = choose(fields, variable=options.variable, source=path.name, lone=lone)
        return select_variable(open_cf(path, options.chunks, field), field.name)


READER = CFGrid()
