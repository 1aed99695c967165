"""The command line: what it accepts, says, refuses and leaves behind."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import subprocess
import sys
import warnings

import click
import netCDF4
import numpy as np
import pytest
import rasterio
from opening import open_column

import no2sr
from no2sr.cli import main
from no2sr.cli.display import progress_bar
from no2sr.cli.messages import convert_foreign
from no2sr.core.errors import ManyGapsWarning, ReadError
from no2sr.downscaling.inputs import seal_all

COMMANDS = sorted(main.commands)


def _shape(path):
    with rasterio.open(path) as raster:
        return raster.shape


def test_the_commands_are_those_of_the_documentation():
    known = (
        "animate downscale enhance evaluate extract grid info models plot readers reconstruct "
        "render report train"
    )
    assert known.split() == COMMANDS


def test_module_runs_as_a_program():
    line = [sys.executable, "-m", "no2sr", "--version"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout == f"no2sr {no2sr.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_real_examples(no2sr_command, command):
    shown = no2sr_command(command, "--help")
    examples = [line for line in shown.out.splitlines() if line.startswith(f"    no2sr {command}")]
    assert shown.code == 0
    assert examples
    options = [p for p in main.commands[command].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["upscale"],
        ["downscale", "only_one.nc"],
        ["downscale", "in.nc", "out.tif", "--scale", "four"],
        ["downscale", "in.nc", "out.tif", "--qa", "75"],
        ["downscale", "in.nc", "out.tif", "--resolution", "0"],
        ["downscale", "in.nc", "out.tif", "--edges", "crop"],
        ["downscale", "in.nc", "out.tif", "--bbox", "76", "27", "78"],
        ["downscale", "in.nc", "out.tif", "--bbox", "76,29,78,27"],
        ["info"],
    ],
)
def test_wrong_calls_exit_2(no2sr_command, tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    refused = no2sr_command(*args)
    assert refused.code == 2
    assert refused.err
    assert not list(tmp_path.iterdir())


def test_bad_box_says_the_order(no2sr_command):
    refused = no2sr_command("downscale", "in.nc", "out.tif", "--bbox", "27.5", "76", "29.5", "8")
    assert "WEST SOUTH EAST NORTH" in refused.err


def test_downscale_says_what_it_did(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "fine.tif"
    done = no2sr_command("downscale", grid_file, out)
    assert done.code == 0
    assert done.err == ""
    assert done.out.splitlines()[-1] == str(out)
    for words in (
        "india.nc",
        "24 x 20 cells of 0.1 x 0.1 degree",
        "96 x 80 cells of 0.025 x 0.025 degree",
        "1.9%",  # 3 x 3 gaps of 24 x 20 cells: 9 / 480 = 1.875 %
        "conservation residual",
        "seconds",
    ):
        assert words in done.out
    assert _shape(out) == (96, 80)


def test_quiet_is_silent(no2sr_command, grid_file, tmp_path):
    done = no2sr_command("downscale", grid_file, tmp_path / "fine.tif", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    "box",
    [
        ["--bbox", "76.5", "28", "77.5", "29"],
        ["--bbox", "76.5,28,77.5,29"],
        ["--bbox=76.5,28,77.5,29"],
        ["--bbox", "76.5, 28, 77.5, 29"],
    ],
)
def test_box_in_every_form(no2sr_command, grid_file, tmp_path, box):
    out = tmp_path / "fine.tif"
    done = no2sr_command("downscale", grid_file, out, *box)
    assert done.code == 0
    with rasterio.open(out) as raster:
        assert np.allclose(raster.bounds, (76.5, 28, 77.5, 29), atol=1e-9)


def test_box_takes_negative_numbers(no2sr_command, grid, tmp_path):
    path = tmp_path / "angeles.nc"
    grid.assign_coords(longitude=grid.longitude - 195).to_netcdf(path)
    out = tmp_path / "fine.tif"
    done = no2sr_command("downscale", path, out, "--bbox", "-118.5", "28", "-117.5", "29")
    assert done.code == 0
    with rasterio.open(out) as raster:
        assert np.allclose(raster.bounds, (-118.5, 28, -117.5, 29), atol=1e-9)


def test_shave_cuts_the_rim(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "fine.tif"
    assert no2sr_command("downscale", grid_file, out, "--edges", "shave").code == 0
    halo = no2sr.load_model("srcnn", scale=4).card.halo
    assert _shape(out) == (4 * (24 - 2 * halo), 4 * (20 - 2 * halo))


def test_unit_is_that_of_the_file_written(no2sr_command, grid_file, tmp_path):
    files = {}
    for unit in (None, "mol", "umol", "µmol/m2", "molec", "Pmolec"):
        out = tmp_path / f"{len(files)}.tif"
        option = [] if unit is None else ["--unit", unit]
        assert no2sr_command("downscale", grid_file, out, *option).code == 0
        with rasterio.open(out) as raster:
            files[unit] = raster.read(1).astype(float), raster.units[0], raster.descriptions[0]
            assert raster.tags(1)["units"] == raster.units[0]
    for unit, spelt, ratio in (
        (None, "umol m-2", 1e6),  # GIS programs show few decimals
        ("umol", "umol m-2", 1e6),
        ("µmol/m2", "umol m-2", 1e6),
        ("molec", "molecules cm-2", 6.02214076e19),
        ("Pmolec", "1e15 molecules cm-2", 6.02214076e4),
    ):
        values, told, description = files[unit]
        assert (told, description) == (spelt, f"NO2 troposphere [{spelt}]")
        assert np.allclose(values, ratio * files["mol"][0], rtol=1e-6, atol=0, equal_nan=True)


def test_other_formats_keep_the_unit_of_science(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "fine.nc"
    assert no2sr_command("downscale", grid_file, out).code == 0
    with netCDF4.Dataset(out) as file:
        assert file["tropospheric_NO2_column"].units == "mol m-2"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["fine.nc"]


def test_a_style_is_put_beside_a_geotiff_unless_it_is_not_wanted(
    no2sr_command, grid_file, tmp_path
):
    styled, bare = tmp_path / "styled.tif", tmp_path / "bare.tif"
    assert no2sr_command("downscale", grid_file, styled).code == 0
    assert no2sr_command("downscale", grid_file, bare, "--no-style").code == 0
    made = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert made == [
        "bare.tif",
        "bare_uncertainty.tif",
        "styled.qml",
        "styled.tif",
        "styled_uncertainty.qml",
        "styled_uncertainty.tif",
    ]
    assert "µmol m⁻²" in styled.with_suffix(".qml").read_text()
    assert no2sr_command("downscale", grid_file, styled, "--no-style", "--overwrite").code == 0
    assert not styled.with_suffix(".qml").exists()


def test_unit_in_states_what_the_file_does_not(no2sr_command, grid, tmp_path):
    path = tmp_path / "unitless.nc"
    grid["tropospheric_NO2_column"] *= 1e6
    grid["tropospheric_NO2_column"].attrs = {"long_name": "tropospheric NO2"}
    grid.to_netcdf(path)
    out = tmp_path / "fine.nc"
    done = no2sr_command("downscale", path, out, "--unit-in", "umol m-2")
    assert done.code == 0
    back = open_column(out)
    assert float(back.max()) == pytest.approx(2e-4, rel=0.3)  # the higher plume of the fixture


def test_folder_as_out_takes_each_input_alone(no2sr_command, grid, grid_file, tmp_path):
    other = grid_file.with_name("north.nc")
    grid.isel(latitude=slice(0, 12)).to_netcdf(other)
    done = no2sr_command("downscale", grid_file, other, f"{tmp_path}/new/")
    assert done.code == 0
    assert _shape(tmp_path / "new" / "india_x4.tif") == (96, 80)
    assert _shape(tmp_path / "new" / "north_x4.tif") == (48, 80)


def test_bad_granule_does_not_stop_a_folder(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    done = no2sr_command("downscale", tmp_path / "absent.nc", grid_file, out)
    assert done.code == 1
    assert len(done.errors) == 1
    assert "absent.nc does not exist" in done.errors[0]
    assert {path.name for path in out.iterdir()} == {
        "india_x4.qml",
        "india_x4.tif",
        "india_x4_uncertainty.qml",
        "india_x4_uncertainty.tif",
        "no2sr-log.jsonl",
    }


def test_outputs_of_one_name_are_refused(no2sr_command, tmp_path):
    refused = no2sr_command("downscale", "a/day.nc", "b/day.nc", f"{tmp_path}/out/")
    assert refused.code == 2
    assert "day_x4.tif" in refused.err


def test_an_input_is_never_the_output(no2sr_command, grid_file):
    before = grid_file.read_bytes()
    refused = no2sr_command("downscale", grid_file, grid_file, "--overwrite")
    assert refused.code == 2
    assert grid_file.read_bytes() == before


def test_existing_output_is_refused_before_anything_is_read(no2sr_command, tmp_path):
    out = tmp_path / "fine.tif"
    out.write_text("precious")
    refused = no2sr_command("downscale", "absent.nc", out)
    assert refused.code == 1
    assert "pass --overwrite" in refused.errors[0]  # and not that absent.nc is absent
    assert out.read_text() == "precious"


def test_a_pattern_is_sealed_by_its_files(tmp_path):
    pattern, seals = tmp_path / "*.nc", []
    for content in ("a", "b"):
        (tmp_path / "day.nc").write_text(content)
        seals.append(seal_all((pattern,)))
    assert seals[0] != seals[1]
    assert seals[1] == seal_all((tmp_path / "day.nc",))
    assert seal_all((tmp_path / "none-*.nc",)) == [[]]


def test_overwrite_replaces(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "fine.tif"
    out.write_text("stale")
    assert no2sr_command("downscale", grid_file, out, "--overwrite").code == 0
    assert _shape(out) == (96, 80)


def test_folder_of_the_output_is_made_only_on_success(no2sr_command, grid_file, tmp_path):
    folder = tmp_path / "deep" / "down"
    assert no2sr_command("downscale", "absent.nc", folder / "fine.tif").code == 1
    assert not folder.parent.exists()
    assert no2sr_command("downscale", grid_file, folder / "fine.tif").code == 0
    assert (folder / "fine.tif").exists()


@pytest.mark.parametrize(
    ("args", "advice"),
    [
        (["fine.png"], "choose one of .tif"),
        (["file/fine.tif"], "is not a folder in which fine.tif can be written"),
        (["fine.tif", "--scale", "7"], "weights for scale"),
        (["fine.tif", "--scale", "1"], "scale"),
        (["fine.tif", "--model", "nosuch"], "srcnn"),
        (["fine.tif", "--unit", "furlong"], "mol m-2"),
    ],
)
def test_what_cannot_succeed_is_refused_at_once(no2sr_command, tmp_path, args, advice):
    (tmp_path / "file").write_text("no folder")
    refused = no2sr_command("downscale", "absent.nc", tmp_path / args[0], *args[1:])
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert advice in refused.errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_error_is_one_line_in_the_words_of_the_command_line(no2sr_command, monkeypatch, tmp_path):
    def fail(*_args, **_options):
        raise ReadError("found a\nb, expected c; pass unit= to state it")

    monkeypatch.setattr("no2sr.readers.opening.opener.open_no2", fail)
    refused = no2sr_command("downscale", "in.nc", tmp_path / "fine.tif")
    assert refused.code == 1
    assert refused.err == "Error: found a b, expected c; pass --unit-in to state it\n"


def test_debug_shows_traceback_and_logs(no2sr_command, tmp_path):
    shown = no2sr_command("downscale", "absent.nc", tmp_path / "fine.tif", "--debug")
    assert shown.code == 1
    assert "Traceback" in shown.err
    assert "FileUnreadableError" in shown.err
    assert shown.err.splitlines()[-1].startswith("Error: ")
    assert not logging.getLogger("no2sr").handlers  # the next run is quiet again


def test_interrupt_exits_130(no2sr_command, monkeypatch, tmp_path):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("no2sr.readers.opening.opener.open_no2", interrupt)
    stopped = no2sr_command("downscale", "in.nc", tmp_path / "fine.tif")
    assert (stopped.code, stopped.err) == (130, "Interrupted.\n")


@pytest.mark.parametrize("debug", [False, True])
def test_warnings_are_one_line_and_only_ours(no2sr_command, monkeypatch, tmp_path, debug):
    def warn(*_args, **_options):
        warnings.warn("half of it\nis missing", ManyGapsWarning, stacklevel=1)
        warnings.warn("a library grows old", DeprecationWarning, stacklevel=1)
        raise ReadError("enough")

    monkeypatch.setattr("no2sr.readers.opening.opener.open_no2", warn)
    options = ["--debug"] if debug else []
    shown = no2sr_command("downscale", "in.nc", tmp_path / "fine.tif", *options)
    assert shown.err.splitlines()[0] == "Warning: half of it is missing"
    assert ("a library grows old" in shown.err) is debug


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_bar_is_drawn_on_a_terminal_and_cleared(monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("fine.tif", quiet=False) as progress:
        progress(1, 4)
        progress(4, 4)
    assert "fine.tif" in stderr.getvalue()


@pytest.mark.parametrize(("stream", "quiet"), [(Terminal, True), (io.StringIO, False)])
def test_no_bar_where_nobody_looks(monkeypatch, stream, quiet):
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress_bar("fine.tif", quiet=quiet) as progress:
        assert progress is None
    assert stderr.getvalue() == ""


def test_progress_as_lines_for_other_programs(no2sr_command, grid_file, tmp_path):
    done = no2sr_command("downscale", grid_file, tmp_path / "a.tif", "--progress", "lines")
    assert done.code == 0
    lines = done.err.splitlines()
    percents = [int(line.removeprefix("Progress: ").removesuffix("%")) for line in lines]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100
    hushed = ["--progress", "lines", "--quiet"]
    assert no2sr_command("downscale", grid_file, tmp_path / "b.tif", *hushed).err == ""
    assert no2sr_command("downscale", grid_file, tmp_path / "c.tif", "--progress", "x").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such request")
def test_a_request_to_end_leaves_no_partial_output(grid_file, tmp_path):
    # The writer says when it has begun, and then waits for the request.
    script = (
        "import sys, time\n"
        "import no2sr.writers.geotiff as geotiff\n"
        "from no2sr.cli import main\n"
        "def wait(plain, temporary, **_):\n"
        "    print('writing', flush=True)\n"
        "    for _ in range(600):\n"  # a signal between two steps must not wait for a long sleep
        "        time.sleep(0.1)\n"
        "geotiff.copy = wait\n"
        "main(sys.argv[1:])\n"
    )
    out = tmp_path / "out"
    out.mkdir()
    line = [sys.executable, "-c", script, "downscale", grid_file, out / "fine.tif"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "writing\n"
        assert list(out.iterdir())
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (143, "Terminated.\n")
    # Finished strips stay, for the next run to go on from.
    assert {path.name for path in out.iterdir()} <= {".fine.tif.no2sr-work"}


def test_info_as_table(no2sr_command, grid_file):
    shown = no2sr_command("info", grid_file)
    assert (shown.code, shown.err) == (0, "")
    for words in (
        "tropospheric_NO2_column [mol m-2] latitude 24 x longitude 20",
        "grid of tropospheric_NO2_column",
        "EPSG:4326",
        "76 27.1 78 29.5",
        "1.9%",
    ):
        assert words in shown.out


def test_info_as_json(no2sr_command, grid_file):
    shown = no2sr_command("info", grid_file, "--json")
    facts = json.loads(shown.out)
    assert shown.code == 0
    assert facts["variable"] == "tropospheric_NO2_column"
    assert facts["bounds"] == pytest.approx([76, 27.1, 78, 29.5])
    assert facts["problem"] is None


def test_info_of_what_cannot_be_read_shows_what_is_there(no2sr_command, grid, tmp_path):
    path = tmp_path / "co.nc"
    data = grid.rename(tropospheric_NO2_column="CO_column")
    data["CO_column"].attrs["long_name"] = "column of carbon monoxide"
    data.to_netcdf(path)
    shown = no2sr_command("info", path)
    assert shown.code == 1
    assert "CO_column [mol m-2]" in shown.out
    assert len(shown.errors) == 1
    assert "no tropospheric NO2 column" in shown.errors[0]


def test_info_of_nothing_is_one_line(no2sr_command):
    shown = no2sr_command("info", "absent.nc")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("Error: absent.nc does not exist")


def test_models_lists_every_card(no2sr_command):
    shown = no2sr_command("models")
    assert shown.code == 0
    cards = no2sr.available_models()
    assert cards
    for card in cards:
        figure = f"{card.metrics['psnr_db']:.2f} ({card.metrics['psnr_db_bicubic']:.2f})"
        if card.domain == "column":
            figure = f"{card.metrics['rmse_over_bicubic']:.3f}"
        assert figure in shown.out
        assert card.metrics["reference"] in shown.out


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
        ImportError("h5d.so: failed to map segment from shared object"),
    ],
)
def test_want_of_memory_is_told_whoever_meets_it(error):
    assert str(convert_foreign(error, "map.nc")).startswith(
        "memory ran out while processing map.nc"
    )


def _records() -> dict[str, type]:
    """Return the class of each record that options build."""
    from no2sr.cli.plot import Drawing
    from no2sr.cli.records import Colouring, Saving, Solving, Working
    from no2sr.cli.render import Picture
    from no2sr.cli.report import Page
    from no2sr.cli.train import Choice
    from no2sr.downscaling.settings import Reading, Refining, Writing

    return {
        "choice": Choice,
        "colouring": Colouring,
        "drawing": Drawing,
        "page": Page,
        "picture": Picture,
        "reading": Reading,
        "refining": Refining,
        "saving": Saving,
        "settings": no2sr.TrainSettings,
        "solving": Solving,
        "working": Working,
        "writing": Writing,
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_record_sets_one_of_its_fields(name):
    records = _records()
    for option in main.commands[name].params:
        record, _, field = str(option.name).partition("_")
        if record in records:
            assert field in {known.name for known in dataclasses.fields(records[record])}
