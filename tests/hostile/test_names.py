"""Names of files that cannot be, or that libraries do not take: one line, and nothing written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import makers
import pytest
from opening import open_column

import no2sr
from no2sr.core import errors
from no2sr.core.names import LONGEST_NAME
from no2sr.readers.opening.describe import describe

if sys.platform != "linux":
    pytest.skip("other systems have other names", allow_module_level=True)

LONG = "x" * 300
DEEP = "/".join(["d" * 200] * 25)
FOREIGN = os.fsdecode(b"caf\xe9")  # Latin-1, as archives from elsewhere bring it
# What stands before the suffix -> what the line says of it.
NAMES = {
    LONG: r"the name x+\.\.\.x+\.\w+ is too long: 30\d bytes, of at most 255; choose",
    DEEP: r"path of d+\.\.\.d+\.\w+ is too long: 5\d+ bytes, of at most 4095; choose",
    f"{FOREIGN}/x": r"caf\\xe9 in the path of x\.\w+ is not a name in UTF-8, .*; rename it",
    FOREIGN: r"caf\\xe9\.\w+ is not a name in UTF-8, .*; rename it",
}
# The command, IN standing for a good map, SWATH for a good swath, BAD for the bad name.
COMMANDS = [
    "info BAD.nc",
    "downscale BAD.nc out/fine.tif",
    "downscale IN BAD.tif",
    "downscale IN BAD.nc",
    "downscale IN BAD.zarr",
    "downscale IN BAD.d/",
    "grid BAD.nc out/l3.nc",
    "grid SWATH BAD.nc",
    "grid SWATH BAD.tif",
    "render BAD.nc out/map.png",
    "render IN BAD.png",
    "plot BAD.nc out/map.png",
    "plot IN BAD.png",
    "report BAD.nc IN",
    "report IN BAD.nc",
    "report IN IN -o BAD.html",
    "evaluate BAD.nc",
    "evaluate IN --csv BAD.csv",
    "enhance BAD.png out/large.png",
    "enhance PICTURE BAD.png",
    "train BAD.nc --output out/model",
    "train IN --output BAD.d",
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with an input under a foreign name, entered, so that paths stay relative."""
    (tmp_path / "out").mkdir()
    (tmp_path / FOREIGN).mkdir()
    monkeypatch.chdir(tmp_path)
    good = makers.cf_grid(tmp_path / "good.nc")
    for name in (f"{FOREIGN}.nc", f"{FOREIGN}/x.nc"):
        shutil.copy(good, name)
    return tmp_path


def everything(folder):
    return {os.fsencode(path) for path in folder.rglob("*")}


@pytest.mark.parametrize("stem", NAMES, ids=["long", "deep", "foreign folder", "foreign"])
@pytest.mark.parametrize("line", COMMANDS)
def test_commands_refuse_names(line, stem, place, no2sr_command):
    makers.s5p(place / "swath.nc")
    (place / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = everything(place)
    words = {"IN": "good.nc", "SWATH": "swath.nc", "PICTURE": "picture.png"}
    refused = no2sr_command(*(words.get(word, word.replace("BAD", stem)) for word in line.split()))
    assert (refused.code, len(refused.errors)) == (1, 1), refused.err
    assert re.search(NAMES[stem], refused.err), refused.err
    assert len(refused.err) < 600  # nobody reads five thousand letters
    assert everything(place) == before


@pytest.mark.parametrize("stem", [*NAMES, "zero\0"])
@pytest.mark.usefixtures("place")
def test_functions_refuse_names(stem):
    says = NAMES.get(stem, "contains a zero byte; check the path")
    image = open_column("good.nc")
    with pytest.raises(errors.FileUnreadableError, match=says):
        open_column(f"{stem}.nc")
    assert re.search(says, describe(f"{stem}.nc")["problem"])
    for suffix, settings in ((".tif", {"style": True}), (".tif", {}), (".nc", {}), (".zarr", {})):
        with pytest.raises(errors.WriteError, match=says):
            no2sr.write(image, f"{stem}{suffix}", overwrite=True, **settings)
    with pytest.raises(errors.WriteError, match=says):
        no2sr.save_model(no2sr.load_model("srcnn", scale=4), f"{stem}.d")


@pytest.mark.parametrize("stem", [LONG, DEEP, FOREIGN, "zero\0"])
def test_no_model_has_such_a_name(stem):
    with pytest.raises(errors.UnknownModelError, match=r"there are: .*srcnn"):
        no2sr.load_model(stem, scale=4)


@pytest.mark.parametrize("suffix", [".tif", ".nc", ".zarr"])
@pytest.mark.usefixtures("place")
def test_the_longest_name_there_can_be_is_written(suffix, no2sr_command):
    # Whatever lies beside the output for a while has a name of its own, which is not longer.
    for stem in ("y", "\N{LATIN SMALL LETTER E WITH ACUTE}"):
        count = (LONGEST_NAME - len(suffix)) // len(stem.encode())
        out = Path("out", stem * count + suffix)
        assert no2sr_command("downscale", "good.nc", out, "-q", "--no-uncertainty").code == 0
        assert (
            no2sr_command("downscale", "good.nc", out, "-q", "--no-uncertainty", "--overwrite").code
            == 0
        )
        beside = {out.with_suffix(".qml")} if suffix == ".tif" else set()
        assert set(Path("out").iterdir()) == {out} | beside
        assert no2sr_command("info", out).code == 0
        for path in (out, *beside):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_one_bad_name_of_many_stops_no_other(place, no2sr_command):
    ran = no2sr_command("downscale", f"{FOREIGN}.nc", f"{LONG}.nc", "good.nc", "out/", "-q")
    assert (ran.code, len(ran.errors)) == (1, 2), ran.err
    assert ran.errors[0].startswith(r"Error: caf\xe9.nc is not a name in UTF-8")
    assert (place / "out" / "good_x4.tif").exists()


def test_a_batch_names_files_on_any_terminal(place):
    command = [sys.executable, "-m", "no2sr", "downscale", f"{FOREIGN}.nc", "good.nc", "out/"]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    ran = subprocess.run(
        command, cwd=place, env=strict, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1), ran.stderr
    assert r"caf\xe9.nc" in ran.stdout
    assert "2 files: 1 failed, 1 done" in ran.stdout


def test_a_file_of_a_folder_has_a_bad_name(place, no2sr_command):
    (place / "in").mkdir()
    shutil.copy("good.nc", f"in/{FOREIGN}.nc")
    refused = no2sr_command("info", "in")
    assert (refused.code, len(refused.errors)) == (1, 1), refused.err
    assert "rename it" in refused.err


def test_a_folder_of_a_bad_name_is_one_also_from_inside(place, monkeypatch, no2sr_command):
    # Libraries make every path absolute.
    monkeypatch.chdir(place / FOREIGN)
    for line in ("info x.nc", "downscale x.nc fine.tif", "downscale ../good.nc fine.tif"):
        refused = no2sr_command(*line.split())
        assert (refused.code, len(refused.errors)) == (1, 1), refused.err
        assert "rename it" in refused.err
    assert [path.name for path in Path().iterdir()] == ["x.nc"]
