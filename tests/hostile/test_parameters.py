"""Parameters out of range: each is refused by name, before any work, and leaves nothing behind."""

from __future__ import annotations

import re

import makers
import numpy as np
import pytest
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core import errors

# option and value -> exit code, and what the one line, or the usage message, must say
OPTIONS = [
    (["--scale", "0"], 1, "scale"),
    (["--scale", "-2"], 1, "scale"),
    (["--scale", "1"], 1, "scale"),
    (["--scale", "5"], 1, "scale"),
    (["--scale", "1000000"], 1, "scale"),
    (["--scale", "2.5"], 2, "--scale"),
    (["--scale", "four"], 2, "--scale"),
    (["--scale", ""], 2, "--scale"),
    (["--qa", "-0.1"], 2, "--qa"),
    (["--qa", "1.1"], 2, "--qa"),
    (["--qa", "nan"], 1, "quality threshold"),
    (["--qa", "high"], 2, "--qa"),
    (["--resolution", "0"], 2, "--resolution"),
    (["--resolution", "-1"], 2, "--resolution"),
    (["--resolution", "nan"], 1, "--resolution"),
    (["--resolution", "inf"], 1, "--resolution"),
    (["--resolution", "0.1"], 1, "applies to swaths, and this is a grid"),
    (["--bbox", "76", "27", "78"], 2, "--bbox"),
    (["--bbox", "78", "29", "76", "27"], 2, "--bbox"),
    (["--bbox", "76", "27", "76", "29"], 2, "--bbox"),
    (["--bbox", "nan", "27", "78", "29"], 1, "bbox"),
    (["--bbox", "76", "27", "inf", "29"], 1, "bbox"),
    (["--bbox", "76", "-91", "78", "29"], 1, "bbox"),
    (["--bbox", "-10", "27", "-5", "29"], 1, "outside the image"),
    (["--bbox", "76.1", "27.1", "76.2", "27.2"], 1, "at least 2"),
    (["--bbox", "76", "27", "78", "x"], 2, "--bbox"),
    (["--limit", "cloud"], 2, "--limit"),
    (["--limit", "cloud=much"], 2, "--limit"),
    (["--limit", "cloud=nan"], 1, "limit"),
    (["--limit", "cloud=0.5"], 1, "limit"),
    (["--time", "yesterday"], 1, "is no time"),
    (["--unit", "parsec"], 1, "parsec"),
    (["--unit-in", "parsec"], 1, "parsec"),
    (["--variable", "absent"], 1, "absent"),
    (["--variable", ""], 1, "''"),
    (["--reader", "absent"], 1, "no reader 'absent'"),
    (["--reader", "geotiff"], 1, "is not a file for the reader"),
    (["--model", "absent"], 1, "no model 'absent'"),
    (["--model", "/"], 1, "card.json"),
    (["--model", ""], 1, "model"),
    (["--edges", "crop"], 2, "--edges"),
    (["--edges", "shave"], 1, "are needed along each axis"),
    (["--conserve", "none"], 2, "--conserve"),
    (["--engine", "abacus"], 2, "--engine"),
    (["--precision", "float8"], 2, "--precision"),
    (["--workers", "-1"], 2, "--workers"),
    (["--workers", "many"], 2, "--workers"),
    (["--absent"], 2, "--absent"),
]


@pytest.mark.parametrize(("option", "code", "says"), OPTIONS, ids=str)
def test_options_out_of_range(option, code, says, tmp_path, no2sr_command):
    path, out = makers.cf_grid(tmp_path / "grid.nc"), tmp_path / "out"
    out.mkdir()
    refused = no2sr_command("downscale", path, out / "fine.tif", *option)
    assert refused.code == code, refused.err
    assert re.search(re.escape(says), refused.err), refused.err
    assert "Traceback" not in refused.err
    assert list(out.iterdir()) == []
    if code == 1:
        assert len(refused.errors) == 1


OUTPUTS = [
    ("fine.jpg", 1, "suffix"),
    ("fine", 1, "suffix"),
    (".tif", 1, "suffix"),
    ("grid.nc", 2, "also an input"),
    ("there.tif", 1, "already exists"),
    ("there.tif/fine.tif", 1, "is not a folder"),
    ("x" * 300 + ".tif", 1, "x"),
]


@pytest.mark.parametrize(("name", "code", "says"), OUTPUTS, ids=lambda value: str(value)[:20])
def test_outputs_that_cannot_be(name, code, says, tmp_path, no2sr_command):
    path = makers.cf_grid(tmp_path / "grid.nc")
    (tmp_path / "there.tif").write_text("precious")
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    refused = no2sr_command("downscale", path, tmp_path / name)
    assert refused.code == code, refused.err
    assert says in refused.err
    assert "Traceback" not in refused.err
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


OPENING = [
    ({"qa_min": -0.1}, "quality threshold"),
    ({"qa_min": float("nan")}, "quality threshold"),
    ({"bbox": (1, 2, 3)}, "bbox"),
    ({"bbox": "76,27,78,29"}, "bbox"),
    ({"bbox": (76, 29, 78, 27)}, "bbox"),
    ({"bbox": (76, 27, float("nan"), 29)}, "bbox"),
    ({"bbox": (76, 27, float("inf"), 29)}, "bbox"),
    ({"resolution": 0.1}, "applies to swaths, and this is a grid"),
    ({"time": "yesterday"}, "is no time"),
    ({"limits": {"absent": 1}}, "limit"),
    ({"reader": "absent"}, "no reader"),
]


@pytest.mark.parametrize(("settings", "says"), OPENING, ids=str)
def test_arguments_of_open_no2(settings, says, tmp_path):
    with pytest.raises(errors.SettingsError, match=says):
        open_column(makers.cf_grid(tmp_path / "grid.nc"), **settings)


# What a cell of a swath's grid cannot be: exit code, and what is said of it.
RESOLUTIONS = [
    ("0", 2, "not in the range x>0"),
    ("-1", 2, "not in the range x>0"),
    ("-inf", 2, "not in the range x>0"),
    ("fine", 2, "not a valid float"),
    ("nan", 1, "resolution is nan; give degrees from 1e-05 to 10"),
    ("inf", 1, "resolution is inf; give degrees from 1e-05 to 10"),
    ("1e300", 1, "resolution is 1e+300; give degrees from 1e-05 to 10"),
    ("11", 1, "resolution is 11.0; give degrees from 1e-05 to 10"),
    ("1e-9", 1, "resolution is 1e-09; give degrees from 1e-05 to 10"),
    ("1e-320", 1, "give degrees from 1e-05 to 10"),
    ("1e-5", 1, "cells, more than 6.5e+08; choose a coarser resolution or a smaller region"),
]


@pytest.mark.parametrize("command", ["grid", "downscale"])
@pytest.mark.parametrize(("resolution", "code", "says"), RESOLUTIONS, ids=str)
def test_resolutions_of_a_swath(resolution, code, says, command, tmp_path, no2sr_command):
    path, out = makers.s5p(tmp_path / "s.nc"), tmp_path / "out"
    out.mkdir()
    refused = no2sr_command(command, path, out / "made.nc", "--resolution", resolution)
    assert refused.code == code, refused.err
    assert says in refused.err
    assert list(out.iterdir()) == []
    if code == 1:
        assert len(refused.errors) == 1
    if resolution != "fine":
        for read in (no2sr.open_no2, no2sr.grid):
            with pytest.raises(errors.SettingsError, match="resolution"):
                read(path, resolution=float(resolution))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, int])
def test_resolutions_may_be_numbers_of_numpy(kind, tmp_path):
    path = makers.s5p(tmp_path / "s.nc")
    plain = no2sr.grid(path, resolution=float(kind(1)))
    xr.testing.assert_identical(no2sr.grid(path, resolution=kind(1)), plain)


REFINING = [
    {"scale": 0},
    {"scale": 2.5},
    {"scale": "4"},
    {"scale": None},
    {"edges": "crop"},
    {"conserve": "none"},
    {"model": "absent"},
]


@pytest.mark.parametrize("settings", REFINING, ids=str)
def test_arguments_of_downscale(settings, tmp_path):
    image = open_column(makers.cf_grid(tmp_path / "grid.nc"))
    with pytest.raises(no2sr.No2srError, match=next(iter(settings)).removesuffix("s")):
        no2sr.downscale(image, **settings)
