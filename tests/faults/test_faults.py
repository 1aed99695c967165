"""Full disks, kills, signals, lost rights, changed inputs, no memory: what each leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zygote

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork, limits and signals")

SUFFIXES = (".tif", ".nc", ".zarr")
OLD = b"precious"


@pytest.fixture(scope="module")
def run():
    """Return a function that runs the command line in a child of a process of its own."""
    program = [sys.executable, "-W", "ignore", zygote.__file__]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True) as server:

        def asked(*args, **happening):
            request = {"args": [str(arg) for arg in args], **happening}
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            return json.loads(server.stdout.readline())

        yield asked
        server.stdin.close()


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """Return the input, and what undisturbed runs make of it."""
    folder = tmp_path_factory.mktemp("whole")
    zygote.make_input(folder / "in.nc")
    results = {}
    for suffix in SUFFIXES:
        out = folder / f"out{suffix}"
        assert run("downscale", folder / "in.nc", out, "--model", "espcn")["code"] == 0
        results[suffix] = zygote.contents(out)
    return (folder / "in.nc").read_bytes(), results


@pytest.fixture
def folder(whole, tmp_path):
    """Return a folder with the input alone."""
    (tmp_path / "in.nc").write_bytes(whole[0])
    return tmp_path


def downscale(run, folder, suffix, *options, happens="", subject=""):
    """Make the input finer while something happens."""
    out = folder / f"out{suffix}"
    command = ("downscale", folder / "in.nc", out, "--model", "espcn", "--quiet", *options)
    return run(*command, happens=happens, subject=str(subject or folder / "in.nc"))


def names(folder):
    """Return what lies in a folder, without the layers and styles beside a raster."""
    beside = {"out.qml", "out_uncertainty.tif", "out_uncertainty.qml"}
    return {entry.name for entry in folder.iterdir()} - beside


def last_line(result):
    """Return what a run said at last; it never shows a traceback."""
    assert "Traceback" not in result["err"]
    return result["err"].splitlines()[-1]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("happens", "code", "says"),
    [
        ("interrupted", 130, "Interrupted."),
        ("terminated", 143, "Terminated."),
        ("interrupted while writing", 130, "Interrupted."),
        ("terminated while writing", 143, "Terminated."),
        ("killed after a strip", -9, None),
        ("killed before writing", -9, None),
        ("killed before the move", -9, None),
        ("disk full after a strip", 1, "Error: "),
        ("disk full while writing", 1, "Error: "),
    ],
)
def test_an_old_output_outlasts_whatever_happens(run, whole, folder, suffix, happens, code, says):
    out = folder / f"out{suffix}"
    if suffix == ".zarr":
        out.mkdir()
        (out / ".zattrs").write_bytes(OLD)
    else:
        out.write_bytes(OLD)
    before = zygote.contents(out)
    broken = downscale(run, folder, suffix, "--overwrite", happens=happens)
    assert broken["code"] == code
    if says:
        assert last_line(broken).startswith(says)
    assert zygote.contents(out) == before
    assert names(folder) <= {"in.nc", out.name, f".{out.name}.no2sr-work"}
    again = downscale(run, folder, suffix, "--overwrite")
    assert (again["code"], again["err"]) == (0, "")
    assert zygote.contents(out) == whole[1][suffix]
    assert names(folder) == {"in.nc", out.name}


def test_a_full_disk_is_said_so_and_leaves_nothing(run, folder):
    broken = downscale(run, folder, ".tif", happens="disk full from the start")
    assert broken["code"] == 1
    assert "check the permissions and the free space" in last_line(broken)
    assert names(folder) == {"in.nc"}


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts file systems")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_small_disk(run, whole, folder, suffix):
    # 1.5 MB: 300 x 150 cells at scale 4 are 2.9 MB.
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        out = disk / f"out{suffix}"
        full = run("downscale", folder / "in.nc", out, "--model", "espcn", "--quiet")
        assert full["code"] == 1
        assert "free space" in last_line(full)
        assert not list(disk.iterdir())
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused = run("downscale", folder / "in.nc", out, "--model", "espcn", "--quiet")
        assert refused["code"] == 1
        assert "write elsewhere" in last_line(refused)
        subprocess.run(["mount", "-o", "remount,rw,size=32m", str(disk)], check=True)
        done = run("downscale", folder / "in.nc", out, "--model", "espcn", "--quiet")
        assert (done["code"], done["err"]) == (0, "")
        assert zygote.contents(out) == whole[1][suffix]
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="drops rights")
@pytest.mark.parametrize("happens", ["no rights", "rights lost while writing"])
def test_a_folder_that_may_not_be_written_to(run, folder, happens):
    (folder / "out.tif").write_bytes(OLD)
    for parent in (folder, *folder.parents):  # pytest's folders are private, and are to be read
        with contextlib.suppress(PermissionError):
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o055)
    refused = downscale(run, folder, ".tif", "--overwrite", happens=happens)
    assert refused["code"] == 1
    assert "write elsewhere" in last_line(refused)
    assert (folder / "out.tif").read_bytes() == OLD
    assert names(folder) <= {"in.nc", "out.tif", ".out.tif.no2sr-work"}


@pytest.mark.parametrize("happens", ["input changes", "input goes"])
def test_an_input_that_changes_while_it_is_read_by_window(run, whole, folder, happens):
    refused = downscale(run, folder, ".tif", happens=happens)
    assert refused["code"] == 1
    assert "in.nc was changed or removed while it was read" in last_line(refused)
    assert names(folder) <= {"in.nc"}
    (folder / "in.nc").write_bytes(whole[0])
    assert downscale(run, folder, ".tif")["code"] == 0
    assert (folder / "out.tif").read_bytes() == whole[1][".tif"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_runs_at_once(run, whole, folder, suffix):
    out = folder / f"out{suffix}"
    second = ["downscale", str(folder / "in.nc"), "--model", "espcn", "--quiet", str(out)]
    first = downscale(run, folder, suffix, happens="another run", subject=json.dumps(second))
    assert (first["code"], first["err"]) == (0, "")
    assert zygote.contents(out) == whole[1][suffix]
    told = json.loads(Path(f"{out}.second").read_text())
    assert told["code"] == 1
    assert "another run is working in" in last_line(told)
    assert names(folder) == {"in.nc", out.name, f"{out.name}.second"}


@pytest.mark.parametrize("megabytes", [4, 16, 64])
def test_too_little_memory(run, folder, megabytes):
    zygote.make_input(folder / "in.nc", (2000, 1500))
    (folder / "out.nc").write_bytes(OLD)
    short = downscale(run, folder, ".nc", "--overwrite", happens="little memory", subject=megabytes)
    assert short["code"] == 1
    assert "memory" in last_line(short)
    assert (folder / "out.nc").read_bytes() == OLD
    assert names(folder) <= {"in.nc", "out.nc", ".out.nc.no2sr-work"}


def test_kills_at_random_moments(tmp_path):
    # `make kills N=100` does more of it.
    code = (
        "import json, zygote, kills; zygote.preload(); "
        "print(json.dumps(kills.kill_many(4, seed=2)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(zygote.__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failures"] == []
    assert found["survived"] == 4
