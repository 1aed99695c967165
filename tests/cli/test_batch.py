"""Batches: one bad file stops no other, and everything that happened can be read afterwards."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import xarray as xr

import no2sr
import no2sr.networks.store
from no2sr.cli import batch
from no2sr.cli.batch import Log, Outcome
from no2sr.cli.jobs import Job
from no2sr.core.door import choose_variable
from no2sr.core.errors import ManyGapsWarning, ReadError, WriteError
from no2sr.downscaling import to_file

LOG = "no2sr-log.jsonl"


def _entries(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def folder(grid, grid_file):
    """Return a folder with two good files, a broken one and one of another gas between them."""
    source = grid_file.parent
    grid.isel(latitude=slice(0, 12)).to_netcdf(source / "north.nc")
    (source / "broken.nc").write_bytes(grid_file.read_bytes()[:3000])
    other = grid.rename(tropospheric_NO2_column="CO_column")
    other["CO_column"].attrs["long_name"] = "column of carbon monoxide"
    other.to_netcdf(source / "co.nc")
    return source


def test_a_batch_goes_on_and_tells_all(no2sr_command, folder, tmp_path):
    out = tmp_path / "out"
    done = no2sr_command("downscale", *sorted(folder.glob("*.nc")), f"{out}/", "--scale", 2)
    assert done.code == 1
    assert len(done.errors) == 2
    assert all(line.startswith("Error: ") for line in done.errors)
    assert "broken.nc" in done.errors[0]
    assert "co.nc" in done.errors[1]
    assert {p.name for p in out.glob("*_x2.tif")} == {"india_x2.tif", "north_x2.tif"}
    assert {p.suffix for p in out.iterdir()} == {".tif", ".qml", ".jsonl"}
    summary = done.out.splitlines()[-1]
    assert summary == f"4 files: 2 failed, 2 done; log in {out / LOG}"
    for words in ("48 x 40 cells", "24 x 40 cells", "failed", "done", "seconds"):
        assert words in done.out


def test_the_log_holds_a_line_a_file(no2sr_command, folder, tmp_path):
    log = tmp_path / "logs" / "today.jsonl"
    no2sr_command(
        "downscale", *sorted(folder.glob("*.nc")), f"{tmp_path}/out/", "--scale", 2, "--log", log
    )
    entries = _entries(log)
    assert [entry["result"] for entry in entries] == ["failed", "failed", "done", "done"]
    bad, good = entries[0], entries[2]
    assert bad["input"] == [str(folder / "broken.nc")]
    assert bad["output"] is None
    assert bad["error"]["kind"] == "FileUnreadableError"
    assert "\n" not in bad["error"]["message"]
    assert "traceback" not in bad["error"]
    assert good["error"] is None
    assert good["output"] == f"{tmp_path}/out/india_x2.tif"
    assert good["facts"]["grid_out"] == "48 x 40 cells of 0.05 x 0.05 degree"
    assert good["facts"]["no2sr_gap_share"] == pytest.approx(9 / 480)
    assert good["settings"]["scale"] == 2
    assert good["no2sr"] == no2sr.__version__
    assert not (tmp_path / "out" / LOG).exists()


def test_warnings_name_their_file_and_are_told_of_every_file(
    no2sr_command, monkeypatch, tmp_path, grid_file
):
    image = no2sr.open_no2(grid_file)

    def open_no2(*_args, **_options):
        warnings.warn("most of it is missing", ManyGapsWarning, stacklevel=1)
        return image

    monkeypatch.setattr("no2sr.readers.opening.opener.open_no2", open_no2)
    done = no2sr_command("downscale", "a.nc", "b.nc", f"{tmp_path}/out/", "--scale", 2, "--quiet")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        "Warning: a.nc: most of it is missing",
        "Warning: b.nc: most of it is missing",
    ]
    entries = _entries(tmp_path / "out" / LOG)
    assert [entry["warnings"] for entry in entries] == [["most of it is missing"]] * 2


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_of_ours_stops_no_other_file(
    no2sr_command, monkeypatch, tmp_path, grid_file, debug
):
    really = to_file.refine_input

    def refine(given, path, **settings):
        if "b.nc" in str(choose_variable(given.scene).attrs["source"]):
            raise KeyError("halo")
        return really(given, path, **settings)

    monkeypatch.setattr(to_file, "refine_input", refine)
    for name in ("a.nc", "b.nc", "c.nc"):
        (tmp_path / name).write_bytes(grid_file.read_bytes())
    options = ["--debug"] if debug else []
    done = no2sr_command("downscale", *sorted(tmp_path.glob("*.nc")), f"{tmp_path}/out/", *options)
    assert done.code == 1
    assert ("Traceback" in done.err) is debug
    (line,) = (line for line in done.errors if line.startswith("Error: "))
    assert "KeyError while processing b.nc ('halo')" in line
    assert "report" in line
    assert "1 failed" in done.out.splitlines()[-1]
    error = _entries(tmp_path / "out" / LOG)[1]["error"]
    assert error["kind"] == "KeyError"
    assert "raise KeyError" in error["traceback"]


def test_memory_that_runs_out_is_said_so(no2sr_command, monkeypatch, tmp_path, grid_file):
    def refine(*_args, **_settings):
        raise MemoryError

    monkeypatch.setattr(to_file, "refine_input", refine)
    for out in (f"{tmp_path}/out/", tmp_path / "fine.tif"):
        failed = no2sr_command("downscale", grid_file, out)
        assert failed.code == 1
        (line,) = failed.errors
        assert "memory ran out while processing india.nc" in line
        assert "fault" not in line


def test_an_interrupted_batch_says_how_far_it_went(no2sr_command, monkeypatch, tmp_path, grid_file):
    really, calls = to_file.refine_input, []

    def refine(given, path, **settings):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return really(given, path, **settings)

    monkeypatch.setattr(to_file, "refine_input", refine)
    for name in ("a.nc", "b.nc", "c.nc"):
        (tmp_path / name).write_bytes(grid_file.read_bytes())
    stopped = no2sr_command("downscale", *sorted(tmp_path.glob("*.nc")), f"{tmp_path}/out/")
    assert stopped.code == 130
    assert stopped.out.splitlines()[-1].startswith("3 files: 1 done, 2 not started")
    assert [entry["result"] for entry in _entries(tmp_path / "out" / LOG)] == ["done"]


def test_what_is_there_is_skipped_if_asked_for_and_an_error_if_not(
    no2sr_command, grid_file, tmp_path
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "india_x4.tif").write_text("precious")
    other = grid_file.with_name("other.nc")
    other.write_bytes(grid_file.read_bytes())
    refused = no2sr_command("downscale", grid_file, other, out)
    assert refused.code == 1
    assert "already exists" in refused.errors[0]
    skipped = no2sr_command("downscale", grid_file, other, out, "--skip-existing")
    assert skipped.code == 0
    assert skipped.out.splitlines()[-1].startswith("2 files: 2 skipped")
    assert (out / "india_x4.tif").read_text() == "precious"
    results = [entry["result"] for entry in _entries(out / LOG)]
    assert results == ["failed", "done", "skipped", "skipped"]  # earlier lines stay


def test_a_single_file_is_logged_on_request_only(no2sr_command, grid_file, tmp_path):
    assert no2sr_command("downscale", grid_file, tmp_path / "fine.tif").code == 0
    assert not list(tmp_path.glob("*.jsonl"))
    log = tmp_path / "log.jsonl"
    again = no2sr_command(
        "downscale", grid_file, tmp_path / "fine.tif", "--log", log, "--skip-existing"
    )
    assert (again.code, again.out) == (0, f"{tmp_path}/fine.tif\n")
    assert no2sr_command("downscale", "absent.nc", tmp_path / "b.tif", "--log", log).code == 1
    assert [entry["result"] for entry in _entries(log)] == ["skipped", "failed"]


def test_a_log_that_cannot_be_written_is_refused_at_once(no2sr_command, grid_file, tmp_path):
    (tmp_path / "file").write_text("no folder")
    refused = no2sr_command(
        "downscale", grid_file, tmp_path / "fine.tif", "--log", tmp_path / "file" / "log"
    )
    assert refused.code == 1
    assert "choose another file with --log" in refused.errors[0]
    assert not (tmp_path / "fine.tif").exists()


@pytest.mark.parametrize("name", ["india.nc", "fine.tif"])
def test_a_log_never_lands_in_an_input_or_output(no2sr_command, grid_file, name):
    before = grid_file.read_bytes()
    out = grid_file.with_name("fine.tif")
    log = grid_file.with_name(name)
    assert no2sr_command("downscale", grid_file, out, "--log", log).code == 2
    assert grid_file.read_bytes() == before
    assert not out.exists()


def test_a_log_that_breaks_off_stops_the_batch_in_words(monkeypatch, tmp_path):
    log = Log(tmp_path / "log.jsonl", {})
    monkeypatch.setattr(log, "path", tmp_path)
    with pytest.raises(WriteError, match="choose another file with --log"):
        log.note(Outcome(job=Job(sources=(tmp_path,), out=tmp_path), result="done"))


def test_a_log_holds_nothing_that_json_does_not(tmp_path):
    log = Log(tmp_path / "log.jsonl", {"model": tmp_path, "bbox": (1, 2.5)})
    facts = {"residual": float("nan"), "name": "\udcff.nc", "n": [None, True]}
    job = Job(sources=(tmp_path / "\udcff.nc",), out=tmp_path)
    log.note(Outcome(job=job, result="failed", facts=facts, error=ReadError("no")))
    (entry,) = _entries(log.path)
    assert entry["facts"] == {"residual": None, "name": "\udcff.nc", "n": [None, True]}
    assert entry["settings"] == {"model": str(tmp_path), "bbox": [1, 2.5]}
    assert entry["error"] == {"kind": "ReadError", "message": "no"}


def test_an_unexpected_error_of_any_command_is_one_line(no2sr_command, monkeypatch):
    def fail():
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(no2sr.networks.store, "available_models", fail)
    failed = no2sr_command("models")
    assert failed.code == 1
    assert failed.err.startswith("Error: ZeroDivisionError while processing models (by nought)")
    assert failed.err.count("\n") == 1
    assert "Traceback" in no2sr_command("models", "--debug").err


def test_outcomes_are_summed(capsys, tmp_path):
    jobs = [Job(sources=(tmp_path / f"{n}.nc",), out=tmp_path / f"{n}.tif") for n in range(3)]
    failed = batch.run_batch(
        jobs, lambda job: {"grid_out": job.out.stem}, log=Log(None, {}), quiet=False
    )
    assert failed == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 files: 3 done"


def _days(folder):
    """Write three days of one grid, of which the second is broken, and a note."""
    folder.mkdir()
    for day in (1, 2, 3):
        values = np.full((6, 8), 50.0 * day)
        axes = {"lat": ("lat", 45 - 0.1 * np.arange(6)), "lon": ("lon", 9 + 0.1 * np.arange(8))}
        day_of = xr.Dataset({"no2": (("lat", "lon"), values, {"units": "umol m-2"})}, axes)
        for name, unit in (("lat", "degrees_north"), ("lon", "degrees_east")):
            day_of[name].attrs["units"] = unit
        day_of.to_netcdf(folder / f"2024060{day}.nc")
    whole = (folder / "20240602.nc").read_bytes()
    (folder / "20240602.nc").write_bytes(whole[: len(whole) // 2])
    (folder / "note.txt").write_text("measured by nobody in particular\n" * 9)
    return folder


@pytest.mark.parametrize("given", ["days", "days/*.nc", "days/"])
def test_a_folder_into_a_folder_is_each_input_alone(given, no2sr_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _days(tmp_path / "days")
    done = no2sr_command("downscale", given, "out/", "--scale", 2)
    assert (done.code, len(done.errors)) == (1, 1), done.err
    assert "20240602.nc" in done.errors[0]
    assert ("note.txt" in done.err) == ("*" not in given)
    for day in (1, 3):
        fine = no2sr.open_no2(tmp_path / "out" / f"2024060{day}_x2.tif")["NO2 troposphere"]
        np.testing.assert_allclose(fine, 5e-5 * day, rtol=1e-6)
    assert "1 failed" in done.out.splitlines()[-1]


def test_a_folder_without_data_into_a_folder(no2sr_command, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").write_text("nothing measured\n" * 20)
    refused = no2sr_command("downscale", tmp_path / "notes", f"{tmp_path}/out/")
    assert (refused.code, len(refused.errors)) == (1, 1)
    assert "note.txt" in refused.errors[0]
