"""Hostile values: each is a column where it was, a gap, or refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
from catalogue import Case, Map, Refused, named, try_case
from makers import LATITUDE, LONGITUDE, MOLECULES, cf_grid, column, s5p, tiff

from no2sr.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAN = float("nan")
NO2 = column()
HOLED = np.where((np.arange(8)[:, None] + np.arange(10)) % 3 == 0, NAN, NO2)  # every third a gap
INFERRED = "states no unit; it is read as"


def _with(value: float, *, at: tuple[int, int] = (3, 4), base: Any = NO2) -> Any:
    """Return the columns with one cell changed."""
    changed = np.array(base, dtype="f8")
    changed[at] = value
    return changed


ONE_GAP = _with(NAN)


def _nc(values: Any, **settings: Any) -> Callable[[Path], Path]:
    return lambda d: cf_grid(d / "v.nc", values=values, **settings)


def _tif(values: Any, **settings: Any) -> Callable[[Path], Path]:
    return lambda d: tiff(d / "v.tif", values=values, **settings)


def _raw(kind: str, values: Any, attrs: dict[str, Any]) -> Callable[[Path], Path]:
    """Return a writer of stored numbers with any attributes beside them."""

    def make(d: Path) -> Path:
        path = cf_grid(d / "raw.nc", name="other", values=np.zeros((8, 10)))
        with netCDF4.Dataset(path, "a") as file:
            fill = attrs.get("_FillValue")
            dims = ("latitude", "longitude")
            variable = file.createVariable("no2", kind, dims, fill_value=fill)
            variable.set_auto_maskandscale(False)
            variable.setncatts({k: v for k, v in attrs.items() if k != "_FillValue"})
            variable[:] = np.asarray(values).astype(kind)
        return path

    return make


UMOL = {"units": "umol m-2"}
TENTHS = np.rint(10 * NO2)
CASES = [
    # gaps
    Case(
        name="all NaN",
        make=_nc(np.full((8, 10), NAN)),
        outcome=Refused(error=errors.NoValidPixelsError, says="all 80 pixels of .* are gaps"),
    ),
    Case(
        name="all NaN raster",
        make=_tif(np.full((8, 10), NAN)),
        outcome=Refused(error=errors.NoValidPixelsError, says="all 80 pixels of .* are gaps"),
    ),
    Case(
        name="one valid cell",
        make=_nc(_with(100.0, base=np.full((8, 10), NAN))),
        outcome=Map(values=_with(100.0, base=np.full((8, 10), NAN))),
    ),
    Case(name="every third a gap", make=_nc(HOLED), outcome=Map(values=HOLED)),
    Case(
        name="one corner only",
        make=_tif(np.where(np.arange(10) + np.arange(8)[:, None] < 3, NO2, NAN)),
        outcome=Map(values=np.where(np.arange(10) + np.arange(8)[:, None] < 3, NO2, NAN)),
    ),
    Case(
        name="infinities",
        make=_nc(_with(np.inf, base=_with(-np.inf, at=(0, 0)))),
        outcome=Map(
            values=_with(NAN, base=_with(NAN, at=(0, 0))), warns=("2 pixels were infinite",)
        ),
    ),
    Case(
        name="infinities in a raster",
        make=_tif(_with(np.inf)),
        outcome=Map(values=ONE_GAP, warns=("1 pixels were infinite",)),
    ),
    Case(name="fills of 1e30 undeclared", make=_nc(_with(1e30)), outcome=Map(values=ONE_GAP)),
    Case(name="fills of -1e30 undeclared", make=_tif(_with(-1e30)), outcome=Map(values=ONE_GAP)),
    Case(
        name="fill of NetCDF undeclared",
        make=_nc(_with(9.969209968386869e36)),
        outcome=Map(values=ONE_GAP),
    ),
    Case(
        name="fill of -2^100 as OMI has it",
        make=_nc(_with(-(2.0**100)).astype("f4")),
        outcome=Map(values=ONE_GAP),
    ),
    Case(name="nodata tag", make=_tif(_with(-9999), nodata=-9999.0), outcome=Map(values=ONE_GAP)),
    Case(
        name="nodata tag of NaN",
        make=_tif(ONE_GAP, nodata=NAN),
        outcome=Map(values=ONE_GAP),
    ),
    Case(
        name="nodata among the values",
        make=_tif(_with(150.0, at=(0, 0), base=_with(150.0)), nodata=150.0),
        outcome=Map(values=_with(NAN, at=(0, 0), base=ONE_GAP)),
    ),
    Case(
        name="fill and missing value that differ",
        make=_raw(
            "f4",
            _with(-1, base=_with(-2, at=(0, 0))),
            UMOL | {"_FillValue": np.float32(-1), "missing_value": np.float32(-2)},
        ),
        outcome=Map(values=_with(NAN, base=_with(NAN, at=(0, 0)))),
    ),
    Case(
        name="fill that is text",
        make=_raw("f4", NO2, UMOL | {"missing_value": "none"}),
        outcome=Map(),
    ),
    Case(
        name="zeros as gaps in a raster",
        make=_tif(np.where(np.isnan(HOLED), 0, NO2)),
        outcome=Map(
            values=HOLED,
            warns=("exactly 0, which a measured column never is; they are read as gaps",),
        ),
    ),
    Case(
        name="one zero in a raster without nodata",
        make=_tif(_with(0.0, base=np.tile(NO2, (2, 2)))),
        outcome=Map(values=_with(0.0, base=np.tile(NO2, (2, 2))), bounds=(76, 22, 86, 30)),
    ),
    Case(
        name="all zeros",
        make=_tif(np.zeros((8, 10))),
        outcome=Refused(
            error=errors.NoValidPixelsError, says="gap", warns=("80 of 80 pixels are exactly 0",)
        ),
    ),
    Case(
        name="swath of bad quality",
        make=lambda d: s5p(d / "s.nc", qa=10),
        outcome=Refused(error=errors.NoValidPixelsError, says="quality|no pixel"),
    ),
    Case(
        name="swath without places",
        make=lambda d: s5p(d / "s.nc", latitude=np.full(8, NAN)),
        outcome=Refused(error=errors.ReadError, says="pixel"),
    ),
    # sizes
    Case(name="negative only", make=_nc(-NO2), outcome=Map(values=-NO2)),
    Case(
        name="constant",
        make=_nc(np.full((8, 10), 50.0)),
        outcome=Map(values=np.full((8, 10), 50.0)),
    ),
    Case(
        name="constant with a spike",
        make=_nc(_with(1e6, base=np.full((8, 10), 50.0))),
        outcome=Map(values=_with(1e6, base=np.full((8, 10), 50.0)), tolerance=0.5),
    ),
    Case(
        name="float64 extremes",
        make=_nc(_with(1.7e308, base=_with(-1.7e308, at=(0, 0)))),
        outcome=Map(values=_with(NAN, base=_with(NAN, at=(0, 0)))),
    ),
    Case(
        name="denormal numbers",
        make=_nc(_with(5e-324)),
        outcome=Map(values=_with(0.0)),
    ),
    Case(
        name="a value of 1e12",  # kept: who removes it decides what is absurd
        make=_nc(_with(1e12)),
        outcome=Map(values=_with(1e12), tolerance=1e6),
    ),
    # packing
    Case(
        name="counts with scale and offset",
        make=_raw("i2", TENTHS - 1000, UMOL | {"scale_factor": 0.1, "add_offset": 100.0}),
        outcome=Map(values=TENTHS / 10, tolerance=2e-3),
    ),
    Case(
        name="raster of counts with scale and offset",
        make=_tif(TENTHS - 1000, dtype="int16", scale=0.1, offset=100.0),
        outcome=Map(values=TENTHS / 10, tolerance=2e-3),
    ),
    Case(
        name="unsigned counts in signed bytes",
        make=_raw("i1", NO2.astype("u1").astype("i1"), UMOL | {"_Unsigned": "true"}),
        outcome=Map(values=np.floor(NO2)),
    ),
    Case(
        name="packed overflow marked as fill",
        make=_raw(
            "i2",
            _with(-32768, base=TENTHS),
            UMOL | {"scale_factor": 0.1, "_FillValue": np.int16(-32768)},
        ),
        outcome=Map(values=_with(NAN, base=TENTHS / 10), tolerance=2e-3),
    ),
    Case(
        name="packed overflow outside the valid range",
        make=_raw(
            "i2",
            _with(-32768, base=TENTHS),
            UMOL | {"scale_factor": 0.1, "valid_range": np.array([-100, 30000], dtype="i2")},
        ),
        outcome=Map(
            values=_with(NAN, base=TENTHS / 10),
            tolerance=2e-3,
            warns=(
                "1 of 80 values of no2 lie outside the valid range",
                r"1 of 80 values are -3276\.8, .*; they are read as gaps",
            ),
        ),
    ),
    Case(
        name="noise below a valid range from 0",
        make=_raw("f4", _with(-5), UMOL | {"valid_min": np.float32(0)}),
        outcome=Map(values=_with(-5)),
    ),
    Case(
        name="scale of zero",
        make=_raw("i2", TENTHS, UMOL | {"scale_factor": 0.0}),
        outcome=Refused(error=errors.ReadError, says="scale"),
    ),
    Case(
        name="scale of NaN",
        make=_raw("i2", TENTHS, UMOL | {"scale_factor": NAN}),
        outcome=Refused(error=errors.ReadError, says="scale|gap"),
    ),
    Case(
        name="scale that is text",
        make=_raw("i2", TENTHS, UMOL | {"scale_factor": "0.1"}),
        outcome=Refused(error=errors.ReadError, says="scale"),
    ),
    Case(
        name="counts without scale or unit",
        make=_tif(TENTHS, dtype="int16", tags={}),
        outcome=Refused(error=errors.UnitsError, says="counts with neither a scale nor a unit"),
    ),
    Case(
        name="picture",
        make=_tif(np.rint(NO2 / 2), dtype="uint8"),
        outcome=Refused(error=errors.UnknownFormatError, says="8-bit picture"),
    ),
    Case(
        name="complex numbers",
        make=_tif(NO2, dtype="complex64"),
        outcome=Refused(error=errors.ReadError, says="complex"),
    ),
    Case(
        name="whole numbers",
        make=_raw("i8", np.rint(NO2), UMOL),
        outcome=Map(values=np.rint(NO2)),
    ),
    # units
    Case(
        name="unit missing but certain",
        make=_nc(1e-6 * NO2, attrs={}),
        outcome=Map(warns=(INFERRED,)),
    ),
    Case(
        name="unit missing and unknown",
        make=_nc(NO2, attrs={}),
        outcome=Refused(error=errors.UnitsError, says="states no unit, and its values"),
    ),
    Case(
        name="unit that is none of a column",
        make=_nc(NO2, attrs={"units": "ppbv"}),
        outcome=Refused(error=errors.UnitsError, says="'ppbv', which is not the unit of a column"),
    ),
    Case(
        name="unit that is a number",
        make=_nc(NO2, attrs={"units": 15}),
        outcome=Refused(error=errors.UnitsError, says="which is not the unit of a column"),
    ),
    Case(
        name="unit that the values contradict",
        make=_nc(1e-6 * NO2 * MOLECULES, attrs={"units": "mol m-2"}),
        outcome=Map(warns=("states 'mol m-2', but its values",)),
    ),
    Case(
        name="unit that the caller states",
        make=_nc(NO2, attrs={}),
        outcome=Map(),
        settings={"unit": "umol m-2"},
    ),
    Case(
        name="power of ten in the unit",
        make=_nc(1e-6 * NO2 * MOLECULES / 1e15, attrs={"units": "10^15 molec/cm2"}),
        outcome=Map(),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_values(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)


def test_the_reference_columns_have_a_size_that_columns_have():
    assert NO2.shape == (LATITUDE.size, LONGITUDE.size)
    assert 20 < NO2.min() < NO2.max() < 240
