"""Files made strip by strip: equal to those made in memory, and whole after any interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from runs import refine_to_file

import no2sr
from no2sr.core.errors import (
    DimensionError,
    MissingDependencyError,
    No2srWarning,
    NoValidPixelsError,
    UnitsError,
    WriteError,
)
from no2sr.core.grid import georeference
from no2sr.downscaling.inputs import seal
from no2sr.downscaling.pipeline import plan_task
from no2sr.downscaling.settings import Refining
from no2sr.downscaling.to_file import _record
from no2sr.downscaling.workfolder import WorkFolder, folder_of
from no2sr.networks.store import load_model
from no2sr.writers.dispatch import check_fits


def make_image(shape=(300, 150)):
    """Return three strips of two blocks at scale 4."""
    rng = np.random.default_rng(1)
    values = rng.normal(3e-5, 1e-5, shape).astype(np.float32)
    values[rng.random(shape) < 0.1] = np.nan
    dims = ("time", "y", "x")[-len(shape) :]
    image = xr.DataArray(values, dims=dims, name="no2", attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.05, 0, 76, 0, -0.05, 62), "EPSG:4326")


def contents(path):
    if path.is_file():
        return path.read_bytes()
    return {
        str(entry.relative_to(path)): entry.read_bytes()
        for entry in path.rglob("*")
        if entry.is_file()
    }


@pytest.fixture
def whole(tmp_path):
    """Return the file that an uninterrupted run makes of the image."""
    path = tmp_path / "whole" / "fine.tif"
    path.parent.mkdir()
    refine_to_file(make_image(), path, model="espcn")
    return path.read_bytes()


class Stop(Exception):  # noqa: N818 - it is no error
    """What ends a run in a test."""


def stop_after(share):
    def progress(done, total):
        if done > share * total:
            raise Stop

    return progress


@pytest.mark.parametrize("suffix", [".tif", ".nc", ".zarr"])
@pytest.mark.parametrize("edges", ["pad", "shave"])
def test_a_file_equals_what_memory_would_give(tmp_path, suffix, edges):
    image = make_image()
    there = tmp_path / f"windowed{suffix}"
    fine = no2sr.downscale(image, model="espcn", edges=edges)
    no2sr.write(fine, tmp_path / f"memory{suffix}", unit="umol m-2")
    for given in (image, image.chunk(y=100, x=70)):
        report = refine_to_file(
            given, there, model="espcn", edges=edges, unit="umol m-2", overwrite=True
        )
        assert contents(there) == contents(tmp_path / f"memory{suffix}")
        assert report.attrs == fine.attrs
        xr.testing.assert_equal(report["y"], fine["y"])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f"memory{suffix}", there.name]


def test_several_times(tmp_path):
    image = make_image((2, 140, 60)).assign_coords(
        time=np.array(["2023-10-30", "2023-10-31"], dtype="datetime64[ns]")
    )
    refine_to_file(image, tmp_path / "a.nc", scale=2, model="espcn")
    no2sr.write(no2sr.downscale(image, scale=2, model="espcn"), tmp_path / "b.nc")
    assert contents(tmp_path / "a.nc") == contents(tmp_path / "b.nc")
    with pytest.raises(DimensionError, match="a GeoTIFF holds one"):
        refine_to_file(image, tmp_path / "a.tif", scale=2, model="espcn")


@pytest.mark.parametrize("share", [0, 0.3, 0.5, 0.9])
def test_resumed_equals_uninterrupted(tmp_path, whole, share):
    out = tmp_path / "fine.tif"
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(share))
    assert not out.exists()
    assert folder_of(out).exists() == (share > 0.4)  # without a finished strip nothing is kept
    seen = []
    refine_to_file(make_image(), out, model="espcn", progress=lambda done, _: seen.append(done))
    assert out.read_bytes() == whole
    assert not folder_of(out).exists()
    assert (seen[0] > 512 * 512) == (share > 0.4)  # it went on, and did not start over


def test_a_damaged_strip_is_made_again(tmp_path, whole):
    out = tmp_path / "fine.tif"
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(0.9))
    values = folder_of(out) / "values.f32"
    with values.open("r+b") as file:
        file.seek(1000)
        file.write(b"x")
    with (folder_of(out) / "finished.jsonl").open("ab") as file:
        file.write(b"[12, 3")  # as a power cut may leave it
    refine_to_file(make_image(), out, model="espcn")
    assert out.read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("task.json", b"\xff\xfe"),
        ("finished.jsonl", b"\xff\n"),
        ("finished.jsonl", b"3\n"),
        ("finished.jsonl", b'["a", 3]\n'),
        ("finished.jsonl", b"[4, 0]\n"),
        ("fine.f32", b""),
    ],
)
def test_work_that_makes_no_sense_is_done_again(tmp_path, whole, name, found):
    out = tmp_path / "fine.tif"
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(0.9))
    (folder_of(out) / name).write_bytes(found)
    refine_to_file(make_image(), out, model="espcn")
    assert out.read_bytes() == whole


@pytest.mark.parametrize("other", [{"conserve": "multiplicative"}, {"scale": 2}, {}])
def test_another_task_starts_over(tmp_path, other):
    out = tmp_path / "fine.tif"
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(0.9))
    image = make_image() if other else make_image() + np.float32(1e-6)
    with pytest.warns(No2srWarning, match="unfinished work on another input"):
        refine_to_file(image, out, model="espcn", **other)
    refine_to_file(image, tmp_path / "fresh.tif", model="espcn", **other)
    assert contents(out) == contents(tmp_path / "fresh.tif")


def test_another_card_with_the_same_files_is_another_task():
    model = load_model("espcn", scale=4)
    other = replace(model, card=replace(model.card, window=7))

    def record(model):
        return _record(plan_task(make_image(), Refining(model=model)), origin=None)

    assert record(model) == record(load_model("espcn", scale=4))
    assert record(model) != record(other)


def test_another_unit_goes_on_with_the_same_work(tmp_path):
    out = tmp_path / "fine.tif"
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(0.9))
    seen = []
    told = {"unit": "umol m-2", "progress": lambda *call: seen.append(call[0])}
    refine_to_file(make_image(), out, model="espcn", **told)
    refine_to_file(make_image(), tmp_path / "fresh.tif", model="espcn", unit="umol m-2")
    assert seen[0] > 512 * 512
    assert contents(out) == contents(tmp_path / "fresh.tif")


def test_a_unit_that_cannot_be_is_refused_before_the_work(tmp_path):
    image = make_image().assign_attrs(units="mol mol-1")
    with pytest.raises(UnitsError):
        refine_to_file(
            image, tmp_path / "fine.tif", model="espcn", unit="umol", progress=pytest.fail
        )
    assert not list(tmp_path.iterdir())


def test_a_store_without_its_package_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("no2sr.writers.zarr.find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"no2sr\[zarr\]"):
        refine_to_file(make_image(), tmp_path / "a.zarr", model="espcn", progress=pytest.fail)
    assert not list(tmp_path.iterdir())


def test_work_is_kept_if_it_cannot_be_gone_on_with_now(tmp_path, monkeypatch):
    out = tmp_path / "fine.tif"
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(0.9))
    before = contents(folder_of(out))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(WorkFolder, "_open", refuse)
        with pytest.raises(WriteError, match="Permission denied"):
            refine_to_file(make_image(), out, model="espcn")
    assert contents(folder_of(out)) == before


def test_strips_are_checked_in_parts(tmp_path, whole, monkeypatch):
    monkeypatch.setattr("no2sr.downscaling.workfolder._PART", 1000)
    out, seen = tmp_path / "fine.tif", []
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(0.9))
    told = {"progress": lambda *call: seen.append(call[0])}
    refine_to_file(make_image(), out, model="espcn", **told)
    assert seen[0] > 512 * 512
    assert out.read_bytes() == whole


def test_no_resume_starts_over(tmp_path, whole):
    out = tmp_path / "fine.tif"
    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=stop_after(0.9))
    seen = []
    refine_to_file(
        make_image(), out, model="espcn", resume=False, progress=lambda *call: seen.append(call)
    )
    assert seen[0][0] == 512 * 512
    assert out.read_bytes() == whole


def test_two_runs_of_one_output_do_not_mix(tmp_path):
    out = tmp_path / "fine.tif"

    def second(*_):
        with pytest.raises(WriteError, match="another run is working in"):
            refine_to_file(make_image(), out, model="espcn")
        raise Stop

    with pytest.raises(Stop):
        refine_to_file(make_image(), out, model="espcn", progress=second)


def test_nothing_observed_is_refused_and_leaves_nothing(tmp_path):
    image = make_image((300, 150)).chunk() * np.float32("nan")
    image = image.assign_attrs(units="mol m-2")
    with pytest.raises(NoValidPixelsError, match="45000 cells are gaps"):
        refine_to_file(image, tmp_path / "fine.tif", model="espcn")
    assert not list(tmp_path.iterdir())


def test_too_little_room_is_said_before_the_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - what shutil returns
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 1000))
    with pytest.raises(WriteError, match="GB; make room"):
        refine_to_file(make_image(), tmp_path / "fine.tif", model="espcn")
    assert not list(tmp_path.iterdir())


def test_a_raster_beyond_the_format_is_refused():
    check_fits("a.zarr", (1, 5, 2**31))
    with pytest.raises(DimensionError, match="a GeoTIFF holds at most 2147483647 along an axis"):
        check_fits("a.tif", (1, 5, 2**31))


def test_a_seal_notices_changes(tmp_path):
    path = tmp_path / "in.bin"
    path.write_bytes(b"a" * 100)
    before = seal(path)
    assert before == seal(path)
    os.utime(path, (1, 1))
    assert seal(path) != before
    assert seal(tmp_path) != seal(path)


RUN = (
    "import sys; from no2sr.cli import main;"
    "main(['downscale', sys.argv[1], sys.argv[2], '--model', 'espcn', '--quiet'])"
)
# It kills itself when it has written its second strip.
KILLED = """
import os, signal
from no2sr.downscaling.workfolder import WorkFolder
append, strips = WorkFolder.append, []
def appended(self, *strip):
    append(self, *strip)
    strips.append(strip)
    if len(strips) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
WorkFolder.append = appended
""" + RUN.replace("; ", "\n", 1)
LIMITED = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (1_500_000,) * 2); {RUN}"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in" / "coarse.tif"
    path.parent.mkdir()
    no2sr.write(make_image((1300, 150)), path)
    return path


def command(code, *args):
    return [sys.executable, "-c", code, *map(str, args)]


def test_killed_and_run_again_equals_uninterrupted(tmp_path, source):
    out = tmp_path / "fine.tif"
    killed = subprocess.run(command(KILLED, source, out), check=False)
    assert killed.returncode == -signal.SIGKILL
    record = folder_of(out) / "finished.jsonl"
    assert record.read_bytes().count(b"\n") > 1
    assert not out.exists()
    subprocess.run(command(RUN, source, out), check=True)
    subprocess.run(command(RUN, source, tmp_path / "whole.tif"), check=True)
    assert out.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def test_a_full_disk_is_one_line_and_the_work_is_kept(tmp_path, source):
    out = tmp_path / "fine.tif"
    done = subprocess.run(
        command(LIMITED, source, out), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "could not be written" in done.stderr
    assert not out.exists()
    subprocess.run(command(RUN, source, out), check=True)
    assert out.exists()
    assert not folder_of(out).exists()
