"""The guard: what crashes the child is one line in the parent; everything else is as ever."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings

import click
import pytest

from no2sr.cli import guard, limits
from no2sr.core.errors import FileUnreadableError, NoValidPixelsError, RepairWarning

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guard forks on Linux only")


def _guarded(function, source="file.nc", *, on=True, **settings):
    with click.Context(click.Command("test")) as ctx:
        guard.set_guard(ctx, None, on)
        return guard.call_guarded(function, source, **settings)


@pytest.mark.parametrize("kind", ["folder", "pattern", "store"])
def test_the_limit_is_by_all_that_is_read(kind, monkeypatch, tmp_path):
    folder = tmp_path / ("a.zarr" if kind == "store" else "granules")
    folder.mkdir()
    names = (".zgroup", "0.0", "0.1") if kind == "store" else ("a.nc", "b.nc", "c.nc")
    for name in names:
        (folder / name).write_bytes(b"1" * 1_000_000)
    monkeypatch.setattr(limits, "_READING_MB", 1000)

    def allowed(_):
        return resource.getrlimit(resource.RLIMIT_CPU)[0]

    source = folder / "*.nc" if kind == "pattern" else folder
    assert 3000 < _guarded(allowed, source) < 3600


def test_each_step_has_its_own_time_and_own_work_has_no_limit(monkeypatch):
    def spend(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def work(_, *, progress):
        for step in range(2):
            spend(1.2)
            progress(step, 2)
        limits.lift_limit()
        return resource.getrlimit(resource.RLIMIT_CPU)

    monkeypatch.setattr(limits, "_READING", 2)
    soft, hard = _guarded(work, progress=lambda *_: None)
    assert soft == hard


def test_it_returns_what_the_function_returns_from_another_process():
    def read(source, *, factor):
        return source, factor, os.getpid()

    assert _guarded(read, factor=3)[:2] == ("file.nc", 3)
    assert _guarded(read, factor=3)[2] != os.getpid()
    assert _guarded(read, on=False, factor=3)[2] == os.getpid()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE])
def test_a_crash_is_an_error_that_names_the_file(number):
    def crash(source):
        os.kill(os.getpid(), number)

    with pytest.raises(
        FileUnreadableError, match=f"bad.nc crashed .*{signal.Signals(number).name}"
    ):
        _guarded(crash, "bad.nc")


def test_a_child_that_leaves_without_an_answer_is_an_error():
    def leave(source):
        os._exit(7)

    with pytest.raises(FileUnreadableError, match="exit code 7"):
        _guarded(leave)


def test_a_file_that_takes_for_ever_to_open_is_given_up(monkeypatch, tmp_path):
    from no2sr.readers.kit import netcdf as _netcdf

    path = tmp_path / "endless.nc"
    path.write_bytes(b"\x89HDF and more")
    monkeypatch.setattr(limits, "_OPENING", 1)
    monkeypatch.setattr(_netcdf, "open_netcdf", lambda _: 1 in iter(int, 1))
    with pytest.raises(FileUnreadableError, match="busy without end"):
        _guarded(lambda _: 1, path)


def test_reading_without_end_is_given_up(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "_READING", 1)
    with pytest.raises(FileUnreadableError, match="busy without end"):
        _guarded(lambda _: 1 in iter(int, 1), tmp_path / "endless.nc")


def test_a_child_that_is_killed_speaks_of_memory():
    def killed(source):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(FileUnreadableError, match=r"stopped by the system.*memory"):
        _guarded(killed)


def test_errors_come_with_the_place_where_they_arose():
    def fail(source):
        raise NoValidPixelsError("all gaps")

    with pytest.raises(NoValidPixelsError, match="all gaps") as caught:
        _guarded(fail)
    assert "in fail" in caught.value.__notes__[0]


def test_warnings_and_progress_reach_the_caller():
    def read(source, *, progress):
        progress(1, 2)
        warnings.warn("3 pixels mended", RepairWarning, stacklevel=1)
        progress(2, 2)

    steps = []
    with pytest.warns(RepairWarning, match="3 pixels mended"):
        _guarded(read, progress=lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]


def test_filters_of_the_caller_hold():
    def read(source):
        warnings.warn("3 pixels mended", RepairWarning, stacklevel=1)
        return 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairWarning)
        assert _guarded(read) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", RepairWarning)
        with pytest.raises(RepairWarning):
            _guarded(read)


def test_a_child_does_not_wait_for_threads_that_only_its_parent_has():
    import dask.array

    def total(source):
        return int(dask.array.ones((40, 40), chunks=10).sum().compute())

    assert total("") == 1600  # which starts a pool of threads here
    assert _guarded(total) == 1600


def test_no_child_outlives_its_parent_s_interest():
    def wait(source, *, progress):
        progress(os.getpid(), 0)
        time.sleep(60)

    seen = []

    def interrupt(pid, _):
        seen.append(pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _guarded(wait, progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_the_command_line_reads_behind_the_guard(no2sr_command, grid_file, tmp_path, monkeypatch):
    import no2sr

    def crash(*_, **__):
        os.kill(os.getpid(), signal.SIGSEGV)

    for name in ("grid", "open_no2"):
        monkeypatch.setattr(no2sr, name, crash, raising=False)
    monkeypatch.setattr("no2sr.readers.opening.describe.describe", crash)
    for name in ("grid", "open_no2"):
        monkeypatch.setattr(f"no2sr.readers.opening.opener.{name}", crash)
    monkeypatch.setattr("no2sr.readers.pictures.open_picture", crash)
    for command in (
        ["info", grid_file],
        ["downscale", grid_file, tmp_path / "fine.tif"],
        ["grid", grid_file, tmp_path / "grid.nc"],
        ["evaluate", grid_file],
        ["plot", grid_file, tmp_path / "map.png"],
        ["render", grid_file, tmp_path / "map.png"],
        ["report", grid_file, grid_file, "-o", tmp_path / "page.html"],
        ["enhance", grid_file, tmp_path / "larger.png"],
    ):
        refused = no2sr_command(*command)
        assert refused.code == 1
        assert len(refused.errors) == 1
        assert "india.nc crashed the library that reads it (SIGSEGV)" in refused.err
