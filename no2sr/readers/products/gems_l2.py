"""GEMS level 2 NO2 swaths.

Recognised by ``Data Fields`` beside ``Geolocation Fields/Latitude``. The column is
``Data Fields/ColumnAmountNO2Trop``. Pixels are used if ``FinalAlgorithmFlags == 0``,
``CloudFraction <= 0.3``, ``RootMeanSquareError <= 0.005`` (detector rows with a poor fit pass the
flag) and both zenith angles are below 70 degrees, as far as the file has these variables; `limits`
changes the limits, and `qa_min` does not apply. The files have no corners, so these are built from
the centres. Latitude and longitude are missing beyond the scan, and the scan window moves from hour
to hour. Source: GEMS level 2 NO2 product user guide (NIER).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.readers.kit.netcdf import attribute, find, is_netcdf, open_netcdf
from no2sr.readers.kit.pixels import Layout, swath_of
from no2sr.readers.kit.screens import Criterion

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "GemsLevel2"]

DATA, PLACE = "Data Fields", "Geolocation Fields"
_LAYOUT = Layout(
    column=f"{DATA}/ColumnAmountNO2Trop",
    latitude=f"{PLACE}/Latitude",
    longitude=f"{PLACE}/Longitude",
    error="",
    criteria=(
        Criterion(path=f"{DATA}/FinalAlgorithmFlags", relation="==", limit=0),
        Criterion(path=f"{DATA}/CloudFraction", relation="<=", limit=0.3),
        Criterion(path=f"{DATA}/RootMeanSquareError", relation="<=", limit=0.005),
        Criterion(path=f"{PLACE}/SolarZenithAngle", relation="<", limit=70),
        Criterion(path=f"{PLACE}/ViewingZenithAngle", relation="<", limit=70),
    ),
)


class GemsLevel2:
    """Reader of GEMS level 2 files."""

    name = "gems_l2"
    product = "GEMS level 2 NO2 swath"
    criteria = _LAYOUT.criteria

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has the groups of a GEMS level 2 product."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            return DATA in file.groups and find(file, _LAYOUT.latitude) is not None

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the swath and screen its pixels.

        Raises
        ------
        MissingVariableError
            If the file is of another gas, or lacks the variable.
        """
        with open_netcdf(path) as file:
            swath = swath_of(file, _LAYOUT, options=options, path=path)
            version = attribute(file, "processor_version") or attribute(file, "version")
        for axis, limit in (("latitude", 90), ("longitude", 360)):
            centres = swath[axis].values  # fills beyond the scan may be undeclared
            swath[axis] = swath[axis].copy(data=np.where(abs(centres) <= limit, centres, np.nan))
        return swath.assign_attrs(
            source=f"GEMS ({path.name})", **({"processor_version": version} if version else {})
        )


READER = GemsLevel2()
