"""Fills that a file does not declare, in every unit, size and place: gaps, counted and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from catalogue import Case, Map, Refused, named, try_case
from makers import MOLECULES, cf_grid, column, esri_ascii, s5p, tiff
from opening import open_column

import no2sr
from no2sr.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO2 = column()  # umol m-2
# What a file says of its unit -> what one umol m-2 is in it.
UNITS = {
    "mol m-2": 1e-6,
    "umol m-2": 1.0,
    "mmol m-2": 1e-3,
    "molecules cm-2": 1e-6 * MOLECULES,
    "1e15 molecules cm-2": 1e-21 * MOLECULES,
    "DU": 1e-6 * 6.02214076e23 / 2.6867e20,
}
CORNER, MIDDLE, ROW = np.s_[:2, :3], np.s_[3:5, 4:7], np.s_[7:, :]


def _with(fill: float, place: Any, factor: float = 1.0) -> Any:
    values = factor * NO2
    values[place] = fill
    return values


def _gaps(place: Any) -> Any:
    values = NO2.copy()
    values[place] = np.nan
    return values


def _tiff(fill: float, place: Any, unit: str = "umol m-2", **how: Any) -> Callable[[Path], Path]:
    values = _with(fill, place, UNITS[unit])
    how = {"nodata": np.nan, **how}
    return lambda d: tiff(d / "untagged.tif", values=values, tags={"units": unit}, **how)


def _nc(fill: float, place: Any, unit: str = "umol m-2", **how: Any) -> Callable[[Path], Path]:
    values = _with(fill, place, UNITS[unit])
    return lambda d: cf_grid(d / "untagged.nc", values=values, attrs={"units": unit}, **how)


def _warned(count: int, fill: str) -> tuple[str, ...]:
    return (rf"{count} of 80 values are {fill}, .*; they are read as gaps; pass --nodata ",)


FILLS = {
    "-999": (-999.0, "-999"),
    "-9999": (-9999.0, "-9999"),
    "9999": (9999.0, "9999"),
    "-32768": (-32768.0, "-32768"),
    "65535": (65535.0, "65535"),
    "1e20": (1e20, r"1e\+20"),
    "1e15": (1e15, r"1e\+15"),
    "-1e20": (-1e20, r"-1e\+20"),
    "-888": (-888.0, "-888"),
}
# What may be measured in a unit, and what is no word for a gap among values of its size.
UNTOLD = {(unit, "-888") for unit in ("umol m-2", "1e15 molecules cm-2", "molecules cm-2")}
UNTOLD |= {("molecules cm-2", "1e15")}
IN_EVERY_UNIT = [
    Case(
        name=f"{text} among {unit}",
        make=_nc(fill, MIDDLE, unit),
        outcome=Map(values=_gaps(MIDDLE), warns=_warned(6, said), tolerance=2e-3),
    )
    for unit in UNITS
    for text, (fill, said) in FILLS.items()
    if (unit, text) not in UNTOLD
]
CASES = [
    Case(
        name="-999 in a corner of a GeoTIFF in mol m-2",
        make=_tiff(-999, CORNER, "mol m-2"),
        outcome=Map(values=_gaps(CORNER), warns=_warned(6, "-999")),
    ),
    Case(
        name="9999 in a row of a GeoTIFF whose tag says -1",
        make=_tiff(9999, ROW, nodata=-1.0),
        outcome=Map(values=_gaps(ROW), warns=_warned(10, "9999")),
    ),
    Case(
        name="one pixel of -9999",
        make=_tiff(-9999, np.s_[2, 2]),
        outcome=Map(values=_gaps(np.s_[2, 2]), warns=_warned(1, "-9999")),
    ),
    Case(
        name="nine tenths are -9999 and no unit is stated",
        make=lambda d: cf_grid(
            d / "mostly.nc", values=_with(-9999, np.s_[:7], 1e-6), name="no2", attrs={}
        ),
        outcome=Map(
            values=_gaps(np.s_[:7]),
            warns=(*_warned(70, "-9999"), "states no unit; it is read as mol"),
        ),
    ),
    Case(
        name="-999 counts of a packed NetCDF whose fill is another",
        make=_nc(
            -99.9,
            MIDDLE,
            encoding={"dtype": "int16", "scale_factor": 0.1, "_FillValue": -32768},
        ),
        outcome=Map(values=np.round(_gaps(MIDDLE), 1), warns=_warned(6, r"-99\.9"), tolerance=0.01),
    ),
    Case(
        name="-32768 counts of a packed GeoTIFF",
        make=lambda d: tiff(
            d / "counts.tif",
            values=np.where(_gaps(MIDDLE) > 0, np.rint(NO2 * 10), -32768),
            dtype="int16",
            scale=0.1,
        ),
        outcome=Map(
            values=np.rint(_gaps(MIDDLE) * 10) / 10, warns=_warned(6, r"-3276\.8"), tolerance=0.01
        ),
    ),
    Case(
        name="two fills at once",
        make=lambda d: cf_grid(
            d / "two.nc", values=np.where(np.arange(8)[:, None] == 1, 1e20, _with(-999, ROW))
        ),
        outcome=Map(
            values=np.where(np.arange(8)[:, None] == 1, np.nan, _gaps(ROW)),
            warns=(r"20 of 80 values are -999, 1e\+20, ",),
        ),
    ),
    Case(
        name="5 mol m-2 in several places",
        make=_nc(5.0, MIDDLE, "mol m-2"),
        outcome=Map(values=_gaps(MIDDLE), warns=_warned(6, "5")),
    ),
    Case(
        name="a swath with -999 for columns",
        make=lambda d: s5p(d / "swath.nc", values=_with(-999, MIDDLE, 1e-6)),
        outcome=Map(values=_gaps(MIDDLE), warns=_warned(6, "-999"), tolerance=1e-3),
        settings={"resolution": 0.5, "bbox": (76, 26, 81, 30)},
    ),
    Case(
        name="a value that the user states",
        make=_nc(123.0, MIDDLE),
        outcome=Map(values=_gaps(MIDDLE)),
        settings={"nodata": 123.0},
    ),
    Case(
        name="zeros that the user states",
        make=_tiff(0.0, MIDDLE),
        outcome=Map(values=_gaps(MIDDLE)),
        settings={"nodata": 0.0},
    ),
    Case(
        name="counts that the user states",
        make=_nc(
            -5.0,
            MIDDLE,
            encoding={"dtype": "int16", "scale_factor": 0.1, "_FillValue": -32768},
        ),
        outcome=Map(values=np.round(_gaps(MIDDLE), 1), tolerance=0.01),
        settings={"nodata": -50.0},
    ),
    Case(
        name="a text grid whose NODATA_value is another",
        make=lambda d: _other_nodata(d / "no2_202301.asc"),
        outcome=Map(values=_gaps(np.s_[0, :2]), warns=_warned(2, "-9999"), tolerance=2e-3),
        settings={"unit": "molecules cm-2"},
    ),
    Case(
        name="nothing but -999",
        make=_nc(-999.0, np.s_[:]),
        outcome=Refused(error=errors.NoValidPixelsError, says="gap", warns=_warned(80, "-999")),
    ),
]


def _other_nodata(path: Path) -> Path:
    lines = esri_ascii(path).read_text().replace("-9999", "-1").splitlines()
    lines[6] = " ".join(["-9999", "-9999", *lines[6].split()[2:]])
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("case", [*IN_EVERY_UNIT, *CASES], ids=named)
def test_fills_are_gaps(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)


@pytest.mark.parametrize(
    "values",
    [
        np.where(np.arange(8)[:, None] == 3, -12.5, NO2),  # noise below 0, rounded
        np.full((8, 10), 1e15),  # a smooth column in molecules cm-2
        np.where(np.arange(80).reshape(8, 10) == 5, 999.0, NO2 + 300),  # one plume
    ],
    ids=["negative", "constant", "plume"],
)
def test_measurements_are_no_fills(values, tmp_path, recwarn):
    unit = "molecules cm-2" if values.max() > 1e6 else "umol m-2"
    path = cf_grid(tmp_path / "sound.nc", values=values, attrs={"units": unit})
    assert np.isfinite(open_column(path).values).all()
    assert not [w for w in recwarn if issubclass(w.category, errors.RepairWarning)]


def test_a_grid_read_by_window_has_the_same_gaps(tmp_path):
    path = cf_grid(tmp_path / "fills.nc", values=_with(-999.0, MIDDLE))
    with pytest.warns(errors.RepairWarning, match="6 of 80 values are -999"):
        whole = open_column(path)
    with pytest.warns(errors.RepairWarning, match="6 of 80 values are -999"):
        lazy = open_column(path, chunks={"latitude": 3, "longitude": 4})
    assert lazy.chunks is not None
    np.testing.assert_array_equal(lazy.values, whole.values)


def test_info_counts_them(tmp_path, no2sr_command):
    path = tiff(tmp_path / "fills.tif", values=_with(-999.0, MIDDLE), nodata=np.nan)
    told = no2sr_command("info", path)
    assert "6 of 80 values are -999" in told.out + told.err
    assert "7.5" in told.out


def test_another_quantity_has_fills_too(tmp_path):
    values = _with(-999.0, MIDDLE)
    path = cf_grid(tmp_path / "pm.nc", values=values, name="pm10", attrs={"units": "ug m-3"})
    with pytest.warns(errors.RepairWarning, match="6 of 80 values are -999"):
        scene = no2sr.open_no2(path, variable="pm10")
    assert int(scene["pm10"].isnull().sum()) == 6
