"""ESRI ASCII grids, such as the ``.grd`` of KNMI TEMIS (OMI, GOME, SCIAMACHY).

Recognised by ``ncols`` at the beginning. Rows go from north to south; gaps are the
``NODATA_value``. The format has neither a CRS nor a unit. Degrees (EPSG:4326) are assumed if the
grid lies within the globe, and the log says so; the unit must be given if it does not follow from
the values. The month is taken from names such as ``no2_200510.grd``. Source: ESRI ASCII raster
format.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import rioxarray

from no2sr.core.errors import MissingCRSError, MissingVariableError
from no2sr.core.times import date_scene
from no2sr.readers.kit.bands import open_raster
from no2sr.readers.kit.coverage import month_in
from no2sr.readers.kit.files import read_beginning

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "EsriAscii"]

log = logging.getLogger("no2sr")

VARIABLE = "NO2"


class EsriAscii:
    """Reader of ESRI ASCII grids."""

    name = "esri_ascii"
    product = "ESRI ASCII grid (KNMI TEMIS)"

    def recognises(self, path: Path) -> bool:
        """Tell by the first word whether the file is an ESRI ASCII grid."""
        return read_beginning(path, 64).lstrip()[:6].lower() == b"ncols "

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the grid.

        Raises
        ------
        MissingCRSError
            If the grid extends beyond the globe, so that it is not in degrees.
        MissingVariableError
            If another variable than the only one was named.
        """
        if options.variable not in (None, VARIABLE, "1"):
            raise MissingVariableError(
                f"{path.name} has no variable {options.variable!r}, only {VARIABLE}; leave "
                "variable= out"
            )
        with open_raster(path) as raster:
            west, south, east, north = raster.bounds
            crs = raster.crs
        if crs is None and not (west >= -180.5 and east <= 360.5 and max(-south, north) <= 90.5):
            raise MissingCRSError(
                f"{path.name} has no CRS, and its bounds {(west, south, east, north)} are not "
                "degrees; put a .prj file beside it, or convert it to GeoTIFF"
            )
        band = cast(
            "xr.DataArray", rioxarray.open_rasterio(path.absolute(), masked=True, driver="AAIGrid")
        )
        column = band.isel(band=0, drop=True).astype("float64").load()
        band.close()
        if crs is None:
            log.info("%s states no CRS; its degrees are taken as EPSG:4326", path.name)
            column = column.rio.write_crs("EPSG:4326")
        column.attrs = {}
        grid = column.rename(VARIABLE).to_dataset().assign_attrs(source=path.name)
        return date_scene(grid, month_in(path.name))


READER = EsriAscii()
