"""TEMPO level 2 NO2 swaths (V03, V04), including NRT and subsets.

Recognised by the groups ``product`` and ``geolocation`` with 2-D centres in the latter. The column
is ``product/vertical_column_troposphere`` in molecules cm-2. Pixels are used if
``main_data_quality_flag == 0`` (normal), ``eff_cloud_fraction <= 0.2`` and
``solar_zenith_angle < 70``, as far as the file has these variables; `limits` changes the limits,
and `qa_min` does not apply. Subsets may lack the corners, which are then built from the centres.
Fills are -1e30 or NaN. The granules of a scan go from east to west. Source: TEMPO level 2 and 3
trace gas user guide (SAO).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from no2sr.readers.kit.netcdf import attribute, find, is_netcdf, open_netcdf
from no2sr.readers.kit.pixels import Layout, swath_of
from no2sr.readers.kit.screens import Criterion

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    import xarray as xr

    from no2sr.readers.port import ReadOptions

__all__ = ["CRITERIA", "READER", "TempoLevel2", "origin"]

CRITERIA = (
    Criterion(path="product/main_data_quality_flag", relation="==", limit=0),
    Criterion(path="support_data/eff_cloud_fraction", relation="<=", limit=0.2),
    Criterion(path="geolocation/solar_zenith_angle", relation="<", limit=70),
)
_LAYOUT = Layout(
    column="product/vertical_column_troposphere",
    latitude="geolocation/latitude",
    longitude="geolocation/longitude",
    error="_uncertainty",
    criteria=CRITERIA,
    slant_error="support_data/fitted_slant_column_uncertainty",
    air_mass_factor="support_data/amf_troposphere",
    time="geolocation/time",
)


class TempoLevel2:
    """Reader of TEMPO level 2 files; for other gases, the variable must be named."""

    name = "tempo_l2"
    product = "TEMPO level 2 NO2 swath"
    criteria = CRITERIA

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has the group ``product``, and 2-D centres in ``geolocation``."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            latitude = find(file, _LAYOUT.latitude)
            return "product" in file.groups and latitude is not None and latitude.ndim == 2

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the swath and screen its pixels.

        Raises
        ------
        MissingVariableError
            If there is no tropospheric column, as in some subsets; the message lists the variables.
        """
        with open_netcdf(path) as file:
            swath = swath_of(file, _LAYOUT, options=options, path=path)
            return swath.assign_attrs(origin(file, path))


def origin(file: netCDF4.Dataset, path: Path) -> dict[str, str]:
    """Return the attributes that identify a TEMPO file."""
    version = attribute(file, "processing_version")
    granule = attribute(file, "local_granule_id") or path.name
    attrs = {
        "source": f"TEMPO ({granule}{f', version {version}' if version else ''})",
        "processor_version": version,
        "time_coverage_start": attribute(file, "time_coverage_start"),
        "time_coverage_end": attribute(file, "time_coverage_end"),
    }
    return {key: text for key, text in attrs.items() if text}


READER = TempoLevel2()
