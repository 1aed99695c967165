"""Outputs of any quantity are opened again without naming it: by hand and by every command."""

from __future__ import annotations

import pytest
from makers import cf_grid, column, tiff

import no2sr
from no2sr.core import errors

QUANTITIES = {
    "surface NO2": ("NO2_annual", "ug m-3", "plot", ".tif"),
    "stratospheric column": ("stratospheric_NO2_column_number_density", "umol m-2", "plot", ".tif"),
    "slant column": ("NO2_slant_column_number_density", "umol m-2", "plot", ".nc"),
    "surface NO2 of CAMS": ("no2_conc", "ug/m3", "report", ".nc"),
    "total column": ("total_NO2_column", "umol m-2", "plot", ".nc"),
    "another gas": ("HCHO_column", "umol m-2", "plot", ".tif"),
    "another quantity": ("pm10", "ug m-3", "render", ".zarr"),
    "a number of its own": ("index", "1", "report", ".tif"),
}


@pytest.mark.parametrize("case", QUANTITIES)
def test_outputs_say_what_they_hold(case, tmp_path, no2sr_command):
    name, unit, command, suffix = QUANTITIES[case]
    path = cf_grid(tmp_path / "in.nc", name=name, attrs={"units": unit})
    fine, page = (
        tmp_path / f"fine{suffix}",
        tmp_path / ("r.html" if command == "report" else "r.png"),
    )
    made = no2sr_command("downscale", path, fine, "--variable", name, "--scale", 2, "-q")
    assert (made.code, made.err) == (0, "")
    scene = no2sr.open_no2(fine)
    assert name in scene
    files = {"plot": [path, fine, page], "render": [fine, page], "report": [path, fine, "-o", page]}
    named = [] if command == "render" else ["--variable", name]
    told = no2sr_command(command, *files[command], *named)
    assert (told.code, told.errors) == (0, []), told.err
    assert page.exists()


def test_a_grid_of_another_program_is_not_guessed(tmp_path):
    path = tiff(tmp_path / "other.tif", values=column(), tags={"units": "ug m-3"})
    with pytest.raises(errors.UnitsError, match="variable="):
        no2sr.open_no2(path)
