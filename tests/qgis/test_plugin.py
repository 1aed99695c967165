"""The plugin in real QGIS: seen, enabled, run, refused and cancelled as any other."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio
from opening import open_column

import no2sr
from no2sr.core.door import enter
from no2sr.core.layers import TOTAL, assemble_scene

pytestmark = pytest.mark.qgis


def read(path):
    """Return the values, unit and bounds of a raster."""
    with rasterio.open(path) as raster:
        return raster.read(1), raster.units[0], tuple(raster.bounds)


def stand_in(qgis, *lines: str) -> None:
    """Put a program of a few lines of shell in the place of no2sr."""
    path = Path(qgis.environment["PATH"].partition(":")[0]) / "no2sr"
    path.unlink()
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)


def test_it_is_listed_and_off_until_it_is_enabled(qgis):
    assert "no2sr_qgis" in qgis.process("plugins").out
    refused = qgis.process("run", "no2sr:info", "--INPUT=a.nc")
    assert refused.code == 1
    assert "not found" in refused.err
    assert qgis.process("plugins", "enable", "no2sr_qgis").code == 0
    listed = qgis.process("list").out
    for line in (
        "no2sr:downscale\tDownscale NO2 raster",
        "no2sr:grid\tGrid swath files",
        "no2sr:info\tFile information",
    ):
        assert line in listed


@pytest.mark.parametrize("name", ["downscale", "grid", "info"])
def test_help_says_what_it_does_and_takes(plugin, name):
    shown = plugin.process("help", f"no2sr:{name}")
    assert shown.code == 0
    assert ("INPUTS" if name == "grid" else "INPUT") in shown.out
    assert "Description" in shown.out


def test_downscale_gives_what_the_command_line_gives(plugin, inputs, tmp_path):
    out = tmp_path / 'it\'s "fine" ø.tif'
    done = plugin.process(
        "run", "no2sr:downscale", f"--INPUT={inputs['geotiff']}", "--SCALE=2", f"--OUTPUT={out}"
    )
    assert done.code == 0, done.err
    assert "100 - done" in done.out
    assert "conservation residual" in done.out
    values, unit, bounds = read(out)
    fine = no2sr.downscale(open_column(inputs["geotiff"]), scale=2)
    assert unit == "umol m-2"
    assert np.allclose(values, 1e6 * fine.values, rtol=1e-6, atol=0, equal_nan=True)
    assert bounds == pytest.approx(fine.rio.bounds(), abs=1e-9)
    assert out.with_suffix(".qml").exists()
    uncertainty = out.with_name(f"{out.stem}_uncertainty.tif")
    assert f"UNCERTAINTY:\t{uncertainty}" in done.out
    stated, unit, _ = read(uncertainty)
    assert unit == "umol m-2"
    assert np.array_equal(np.isfinite(stated), np.isfinite(values))
    assert np.nanmin(stated) > 0
    seen = plugin.look(out, tmp_path / "a.png")
    assert (seen["renderer"], seen["crs"]) == ("singlebandpseudocolor", "EPSG:4326")


def test_downscale_in_another_unit_and_region(plugin, inputs, tmp_path):
    out = tmp_path / "a.tif"
    # 80..84 E, 22..25 N in the projection of web maps.
    region = "8905559.26,9350837.23,2511525.23,2875744.62 [EPSG:3857]"
    options = ["--SCALE=3", "--UNIT=2", "--MODEL=espcn", "--CONSERVE=1", f"--EXTENT={region}"]
    done = plugin.process(
        "run", "no2sr:downscale", f"--INPUT={inputs['geotiff']}", *options, f"--OUTPUT={out}"
    )
    assert done.code == 0, done.err
    _, unit, bounds = read(out)
    assert unit == "1e15 molecules cm-2"
    assert bounds == pytest.approx((80, 22, 84, 25), abs=0.06)  # whole cells of 0.05 degree
    with rasterio.open(out) as raster:
        history = raster.tags()["history"]
    assert "model=espcn" in history
    assert "conserve=multiplicative" in history


@pytest.mark.parametrize("form", ["{}", 'NETCDF:"{}":tropospheric_NO2_column_number_density'])
def test_downscale_takes_netcdf_as_a_file_or_as_qgis_names_a_variable(
    plugin, inputs, tmp_path, form
):
    out = tmp_path / "a.tif"
    source = form.format(inputs["netcdf"])
    done = plugin.process(
        "run", "no2sr:downscale", f"--INPUT={source}", "--SCALE=2", f"--OUTPUT={out}"
    )
    assert done.code == 0, done.err
    assert read(out)[0].shape == (320, 400)


def test_grid_writes_the_column_and_what_goes_with_it(plugin, inputs, tmp_path):
    twin = inputs["swath"].with_name("twin, of it.nc")
    twin.write_bytes(inputs["swath"].read_bytes())
    out = tmp_path / "l3.tif"
    done = plugin.process(
        "run",
        "no2sr:grid",
        f"--INPUTS={inputs['swath']}",
        f"--INPUTS={twin}",
        "--EXTENT=76,80,26,29 [EPSG:4326]",
        "--RESOLUTION=0.1",
        f"--OUTPUT={out}",
    )
    assert done.code == 0, done.err
    values, unit, bounds = read(out)
    assert (unit, values.shape) == ("umol m-2", (30, 40))
    assert bounds == pytest.approx((76, 26, 80, 29), abs=1e-9)
    uncertainties = ("UNCERTAINTY", "UNCERTAINTY_RANDOM", "UNCERTAINTY_SYSTEMATIC")
    for name in ("COVERAGE", "COUNT", *uncertainties):
        path = tmp_path / f"l3_{name.lower()}.tif"
        assert f"{name}:\t{path}" in done.out
        assert path.with_suffix(".qml").exists()
    # Both files counted: every cell has an even number of pixels.
    counts = read(tmp_path / "l3_count.tif")[0]
    assert np.nanmax(counts) > 0
    assert np.all(counts[np.isfinite(counts)] % 2 == 0)


def test_info_says_what_the_program_says(plugin, inputs, tmp_path):
    page = tmp_path / "page.html"
    done = plugin.process(
        "run", "no2sr:info", f"--INPUT={inputs['swath']}", f"--OUTPUT_HTML_FILE={page}"
    )
    assert done.code == 0, done.err
    assert "Sentinel-5P" in done.out
    text = page.read_text(encoding="utf-8")
    assert inputs["swath"].name in text
    assert "qa_value" in text


@pytest.mark.parametrize(
    ("algorithm", "options", "told"),
    [
        ("downscale", ["--INPUT={geotiff}", "--SCALE=7"], "no weights for scale 7"),
        ("downscale", ["--INPUT={text}"], "not in a format that no2sr reads"),
        ("downscale", ["--INPUT=/nowhere/a.tif"], "is not a file on this computer"),
        (
            "downscale",
            ["--INPUT=WMS:https://example.org/wms?layers=no2"],
            "export the layer as a GeoTIFF",
        ),
        ("downscale", ["--INPUT={geotiff}", "--EXTENT=0,1,0,1 [EPSG:4326]"], "overlaps"),
        ("grid", ["--INPUTS={netcdf}"], "is already a grid"),
        ("info", ["--INPUT=/nowhere/a.nc"], "is not a file"),
    ],
)
def test_what_is_refused_is_told_in_one_line(plugin, inputs, tmp_path, algorithm, options, told):
    text = inputs["swath"].with_name("text.tif")
    text.write_text("<html>403 Forbidden</html>")
    out = tmp_path / "out"
    out.mkdir()
    filled = [option.format(text=text, **inputs) for option in options]
    done = plugin.process("run", f"no2sr:{algorithm}", *filled, f"--OUTPUT={out / 'a.tif'}")
    assert done.code == 1
    assert done.err.count("ERROR:") == 1, done.err
    assert told in done.err.partition("ERROR:")[2]
    assert "Traceback" not in done.err
    assert list(out.iterdir()) == []


def test_a_missing_program_says_what_to_install(plugin, inputs, tmp_path):
    out = tmp_path / "a.tif"
    done = plugin.process(
        "run",
        "no2sr:downscale",
        f"--INPUT={inputs['geotiff']}",
        f"--OUTPUT={out}",
        PATH="/usr/bin:/bin",
    )
    assert done.code == 1
    assert "ERROR:\tthe program no2sr on the PATH was not found" in done.err
    assert "pip install ." in done.err
    assert not out.exists()


def test_the_setting_names_a_program_that_the_path_does_not(plugin, inputs):
    settings = Path(
        plugin.environment["QGIS_CUSTOM_CONFIG_PATH"], "profiles/default/QGIS/QGIS3.ini"
    )
    chosen = Path(sys.executable).with_name("no2sr")
    with settings.open("a") as file:
        file.write(f"\n[Processing]\nConfiguration\\NO2SR_PROGRAM={chosen}\n")
    done = plugin.process("run", "no2sr:info", f"--INPUT={inputs['geotiff']}", PATH="/usr/bin:/bin")
    assert done.code == 0, done.err
    assert str(chosen) in done.out


def test_an_old_program_says_how_to_upgrade(plugin, inputs):
    stand_in(plugin, "echo no2sr 0.0.9")
    done = plugin.process("run", "no2sr:info", f"--INPUT={inputs['geotiff']}")
    assert done.code == 1
    assert "is version 0.0.9 of no2sr, and the plugin needs 0.2.0 or later" in done.err
    assert "pip install --upgrade ." in done.err


def test_the_program_does_not_see_the_python_of_qgis(plugin, inputs, tmp_path):
    stand_in(
        plugin,
        'test "$1" = --version && echo no2sr 9.0.0 && exit',
        'echo "PYTHONHOME=$PYTHONHOME PYTHONPATH=$PYTHONPATH PROJ_LIB=$PROJ_LIB."',
    )
    done = plugin.process(
        "run", "no2sr:info", f"--INPUT={inputs['geotiff']}", PYTHONPATH="/some", PROJ_LIB="/other"
    )
    assert "PYTHONHOME= PYTHONPATH= PROJ_LIB=." in done.out


def test_the_result_is_loaded_in_its_colours(qgis, inputs, tmp_path):
    out = tmp_path / "a.tif"
    parameters = {"INPUT": str(inputs["geotiff"]), "SCALE": 2, "OUTPUT": str(out)}
    told = qgis.run("no2sr:downscale", parameters)
    assert told["error"] == ""
    layers = {layer["source"]: layer for layer in told["layers"]}
    assert layers[str(out)]["shown"]
    assert {layer["renderer"] for layer in told["layers"]} == {"singlebandpseudocolor"}
    assert told["progress"] == sorted(told["progress"])
    assert told["progress"][-1] == 100


def test_a_temporary_result_is_loaded_in_its_colours(qgis, inputs):
    parameters = {"INPUT": str(inputs["geotiff"]), "SCALE": 2, "OUTPUT": "TEMPORARY_OUTPUT"}
    told = qgis.run("no2sr:downscale", parameters)
    assert told["error"] == ""
    layer = next(one for one in told["layers"] if "_uncertainty" not in one["source"])
    assert layer["source"].endswith(".tif")
    assert layer["renderer"] == "singlebandpseudocolor"


def test_the_uncertainty_is_loaded_but_switched_off(qgis, inputs, tmp_path):
    out, made = tmp_path / "a.tif", tmp_path / "made.tif"
    image = enter(no2sr.open_no2(inputs["geotiff"]))
    sigma = abs(image).drop_attrs(deep=False) * np.float32(0.2)
    no2sr.write(assemble_scene(image, {TOTAL: sigma}), made, unit="umol", style=True)
    note = tmp_path / "note"
    stand_in(
        qgis,
        'test "$1" = --version && echo no2sr 9.0.0 && exit',
        f"echo \"$@\" > '{note}'",
        *(
            f"cp '{made.with_name('made' + end)}' '{out.with_name('a' + end)}'"
            for end in (".tif", ".qml", "_uncertainty.tif", "_uncertainty.qml")
        ),
    )
    parameters = {"INPUT": str(inputs["geotiff"]), "OUTPUT": str(out)}
    told = qgis.run("no2sr:downscale", parameters)
    assert told["error"] == ""
    beside = str(out.with_name("a_uncertainty.tif"))
    assert told["results"]["UNCERTAINTY"]
    layers = {layer["source"]: layer for layer in told["layers"]}
    assert {source: layer["shown"] for source, layer in layers.items()} == {
        str(out): True,
        beside: False,
    }
    assert layers[beside]["renderer"] == "singlebandpseudocolor"
    flags = {"NO_UNCERTAINTY": "--no-uncertainty", "COARSEN_TO_NATIVE": "--coarsen-to-native"}
    assert not set(flags.values()) & set(note.read_text().split())
    for name, flag in flags.items():
        qgis.run("no2sr:downscale", parameters | {name: True})
        assert set(flags.values()) & set(note.read_text().split()) == {flag}


@pytest.mark.parametrize("deaf", [False, True])
def test_cancelling_ends_the_program_and_leaves_nothing(qgis, inputs, tmp_path, deaf):
    folder = tmp_path / "out"
    folder.mkdir()
    note = tmp_path / "note"
    stand_in(
        qgis,
        'test "$1" = --version && echo no2sr 9.0.0 && exit',
        f"touch '{folder}/.a.01234567.partial.tif'; mkdir '{folder}/.a.tif.no2sr-work'",
        "trap '' TERM" if deaf else f"trap 'rm {folder}/.a.*; echo > {note}; exit 130' TERM",
        "echo Progress: 10% >&2",
        "while true; do sleep 0.1; done",
    )
    parameters = {"INPUT": str(inputs["geotiff"]), "OUTPUT": str(folder / "a.tif")}
    told = qgis.run("no2sr:downscale", parameters, "cancel")
    assert "Cancelled; nothing was written." in told["error"]
    assert told["layers"] == []
    assert list(folder.iterdir()) == []
    assert note.exists() is not deaf


def test_the_zip_installs_as_a_plugin(qgis, root, tmp_path, inputs):
    made = subprocess.run(
        [sys.executable, root / "qgis_plugin" / "make_zip.py", tmp_path / "dist"],
        capture_output=True,
        text=True,
        check=True,
    )
    profile = Path(qgis.environment["QGIS_CUSTOM_CONFIG_PATH"])
    plugins = profile / "profiles" / "default" / "python" / "plugins"
    plugins.mkdir(parents=True)
    unzip = [sys.executable, "-m", "zipfile", "-e", made.stdout.strip(), plugins]
    subprocess.run(unzip, check=True)
    alone = {"QGIS_PLUGINPATH": str(tmp_path)}
    assert qgis.process("plugins", "enable", "no2sr_qgis", **alone).code == 0
    done = qgis.process("run", "no2sr:info", f"--INPUT={inputs['geotiff']}", **alone)
    assert done.code == 0, done.err
    assert "EPSG:4326" in done.out  # no name of a file holds that


def test_it_declares_the_same_to_qt_5_and_to_qt_6(qgis):
    if find_spec("PyQt6") is None and not os.environ.get("NO2SR_REQUIRE_QGIS"):
        pytest.skip("PyQt6 is not installed; make test-qgis installs it")
    five = qgis.told("definitions.py")
    six = qgis.told("definitions.py", "qt6", python=sys.executable)
    assert (five.pop("qt")[0], six.pop("qt")[0]) == ("5", "6")
    assert (five.pop("icon"), six.pop("icon")) == ("PyQt5", "PyQt6")
    assert set(five) == {"downscale", "grid", "info"}
    assert five["downscale"]["parameters"]["MODEL"] == [True, "srcnn"]
    assert five["downscale"]["parameters"]["SCALE"] == [False, 4]
    assert "UNCERTAINTY" in five["downscale"]["outputs"]
    assert "UNCERTAINTY_SYSTEMATIC" in five["grid"]["outputs"]
    assert six == five
