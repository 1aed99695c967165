"""ESRI ASCII grids, such as the ``.grd`` of KNMI TEMIS (OMI, GOME, SCIAMACHY).

Recognised by ``ncols`` at the very beginning. Rows go from north to south; gaps are the
``NODATA_value``. The format holds neither a CRS nor a unit: degrees (EPSG:4326) are assumed where
the grid lies within the globe, said in the log, and the unit is asked for where the values do not
tell it. The month is taken from names such as ``no2_200510.grd``. Source: ESRI ASCII raster format.
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
    product = "ESRI ASCII grid, as KNMI TEMIS has them"

    def recognises(self, path: Path) -> bool:
        """Tell by the first word of the header."""
        return read_beginning(path, 64).lstrip()[:6].lower() == b"ncols "

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Return the grid.

        Raises
        ------
        MissingCRSError
            If the grid reaches beyond the globe, and so is not in degrees.
        MissingVariableError
            If another variable was named: there is one only.
        """
        if options.variable not in (None, VARIABLE, "1"):
            raise MissingVariableError(
                f"{path.name} has no variable {options.variable!r}, only one, {VARIABLE}; "
                "leave variable= out"
            )
        with open_raster(path) as raster:
            west, south, east, north = raster.bounds
            crs = raster.crs
        if crs is None and not (west >= -180.5 and east <= 360.5 and max(-south, north) <= 90.5):
            raise MissingCRSError(
                f"{path.name} has no CRS and bounds {(west, south, east, north)}, expected degrees "
                "or a .prj file beside it; write that file, or convert it to GeoTIFF"
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
