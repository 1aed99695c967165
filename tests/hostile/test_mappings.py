"""Grid mappings under any name and in any form: the attribute of the column decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
from catalogue import Case, Map, named, try_case
from makers import column
from pyproj import CRS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO2 = column()
X, Y = 300000 + 3500.0 * np.arange(10), 5100000 - 3500.0 * np.arange(8)
BOUNDS = (298250.0, 5073750.0, 333250.0, 5101750.0)
UTM = CRS.from_epsg(32632)
LAEA, POLAR, LAMBERT = (CRS.from_epsg(code) for code in (3035, 3413, 2154))


def _forms(crs: CRS) -> dict[str, dict[str, Any]]:
    """Return what files say of one CRS, by the form."""
    plain = {k: v for k, v in crs.to_cf().items() if k != "crs_wkt"}
    wkt = crs.to_wkt()
    return {
        "all": crs.to_cf(),
        "crs_wkt": {"crs_wkt": wkt},
        "spatial_ref": {"spatial_ref": crs.to_wkt("WKT1_GDAL")},
        "parameters": plain,
        "broken text": {**plain, "crs_wkt": "PROJCRS[none"},
        "code": {"epsg_code": f"EPSG:{crs.to_epsg()}"},
    }


def _grid(
    mappings: dict[str, dict[str, Any]],
    link: str | None,
    *,
    unit: str = "m",
    kind: str = "f8",
    beside: bool = False,
) -> Callable[[Path], Path]:
    """Return a writer of a projected grid."""
    scale = {"m": 1.0, "km": 1e-3, "metre": 1.0}[unit]

    def make(d: Path) -> Path:
        path = d / "projected.nc"
        with netCDF4.Dataset(path, "w") as file:
            for name, axis in (("y", Y), ("x", X)):
                file.createDimension(name, axis.size)
                variable = file.createVariable(name, kind, (name,))
                variable.setncatts(
                    {"units": unit, "standard_name": f"projection_{name}_coordinate"}
                )
                variable[:] = scale * axis
            for name, attrs in mappings.items():
                file.createVariable(name, "i4", ()).setncatts(attrs)
            no2 = file.createVariable("NO2_column", "f4", ("y", "x"))
            no2.units = "umol m-2"
            if link:
                no2.grid_mapping = link
            no2[:] = NO2
            if beside:
                for name in ("lat", "lon"):
                    file.createVariable(name, "f8", ("y", "x"))[:] = 45 + 0 * NO2
                no2.coordinates = "lat lon"
        return path

    return make


def _case(name: str, make: Callable[[Path], Path], crs: CRS = UTM) -> Case:
    return Case(
        name=name, make=make, outcome=Map(values=NO2, bounds=BOUNDS, crs=f"EPSG:{crs.to_epsg()}")
    )


GEO = {"grid_mapping_name": "latitude_longitude"}
CASES = [
    *(
        _case(f"{form} under the name {name}", _grid({name: attrs}, name))
        for name, (form, attrs) in zip(
            ("utm", "projection", "Transverse_Mercator", "grid", "mapping_of_no2", "UTM32"),
            _forms(UTM).items(),
            strict=True,
        )
    ),
    *(
        _case(f"{crs.to_cf()['grid_mapping_name']} by {form}", _grid({"m": attrs}, "m"), crs)
        for crs in (LAEA, POLAR, LAMBERT)
        for form, attrs in _forms(crs).items()
        if form in ("crs_wkt", "code") or (form == "parameters" and crs is not LAEA)
    ),
    _case("extended form", _grid({"utm": UTM.to_cf()}, "utm: x y")),
    _case(
        "two mappings in extended form, degrees first",
        _grid({"geo": GEO, "utm": UTM.to_cf()}, "geo: lat lon utm: x y", beside=True),
    ),
    _case(
        "two mappings in extended form, degrees last",
        _grid({"utm": UTM.to_cf(), "geo": GEO}, "utm: x y geo: lat lon", beside=True),
    ),
    _case("a wrong crs beside", _grid({"crs": LAEA.to_cf(), "utm": UTM.to_cf()}, "utm")),
    _case("a wrong spatial_ref beside", _grid({"spatial_ref": GEO, "utm": UTM.to_cf()}, "utm")),
    _case("no link but one mapping", _grid({"utm": UTM.to_cf()}, None)),
    _case("axes in km", _grid({"utm": UTM.to_cf()}, "utm", unit="km")),
    _case("axes in km and float32", _grid({"utm": UTM.to_cf()}, "utm", unit="km", kind="f4")),
    _case("axes in metre", _grid({"utm": _forms(UTM)["parameters"]}, "utm", unit="metre")),
]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_mappings(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)
