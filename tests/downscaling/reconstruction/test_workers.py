"""Blocks on Dask workers: the same map, by Python and by the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import xarray as xr
from skies import BOX

import no2sr
from no2sr.core.errors import ClusterError, ConvergenceError, SettingsError
from no2sr.downscaling.cluster import cluster
from no2sr.downscaling.reconstruction import blocks
from no2sr.downscaling.reconstruction.entry import reconstruct_swaths

pytestmark = pytest.mark.filterwarnings("ignore")  # what distributed leaves open is its own affair


@pytest.fixture(scope="module")
def cut(settings):
    """Return settings of four blocks, with all layers."""
    return replace(settings, block=0.3, uncertainty=True, smoothness=0.5)


@pytest.fixture(scope="module")
def local(swaths, cut):
    return reconstruct_swaths(swaths, bbox=BOX, settings=cut)


def test_two_workers_make_the_same_map_also_after_one_died(swaths, cut, local):
    pids, killed = [], []

    def kill_one(done, total):
        if done == 1:
            os.kill(pids[0], signal.SIGKILL)
            killed.append((done, total))

    class Lent:
        """A cluster that tells its processes."""

        def __enter__(self):
            self.cluster = cluster(workers=2)
            workers = self.cluster.__enter__()
            assert workers.threads == 2
            pids.extend(workers.executor.client.run(os.getpid).values())
            return workers

        def __exit__(self, *error):
            return self.cluster.__exit__(*error)

    scene = reconstruct_swaths(swaths, bbox=BOX, settings=cut, workers=Lent(), progress=kill_one)
    assert killed == [(1, 4)]
    assert scene.identical(local)


def test_a_run_that_workers_began_goes_on_without_them(swaths, cut, local, tmp_path, monkeypatch):
    work, solved, solve = tmp_path / "work", [], blocks.solve_block

    def stop(done, _total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconstruct_swaths(
            swaths, bbox=BOX, settings=cut, work=work, workers=cluster(workers=2), progress=stop
        )
    monkeypatch.setattr(blocks, "solve_block", lambda *a: solved.append(a[1]) or solve(*a))
    scene = reconstruct_swaths(swaths, bbox=BOX, settings=cut, work=work)
    assert len(solved) == 2
    assert scene.identical(local)


def test_an_error_on_a_worker_is_that_of_the_block(swaths, cut, monkeypatch):
    def fail(*_):
        raise ConvergenceError("the equations did not converge")

    monkeypatch.setattr(blocks, "solve_block", fail)
    with pytest.raises(ConvergenceError, match="did not converge"):
        reconstruct_swaths(swaths, bbox=BOX, settings=cut, workers=cluster(workers=1))


def test_the_command_line_makes_the_same_file_on_workers(folder, tmp_path):
    """In a process of its own: a fork of this one would lack the threads that Dask has started."""
    given = ["reconstruct", str(folder), "--bbox", *map(str, BOX), "--resolution", "0.03"]
    for name, more in (("a.nc", []), ("b.nc", ["--workers", "2"])):
        call = [sys.executable, "-m", "no2sr", *given, str(tmp_path / name), "--quiet", *more]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    with xr.open_dataset(tmp_path / "a.nc") as one, xr.open_dataset(tmp_path / "b.nc") as other:
        assert one.drop_attrs().identical(other.drop_attrs())
        assert one.attrs["no2sr_smoothness_km2"] == other.attrs["no2sr_smoothness_km2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nc", "b.nc"]


def test_a_scheduler_that_is_none_is_refused_before_anything_is_read(
    folder, tmp_path, no2sr_command
):
    steps = []
    with pytest.raises(ClusterError, match="check the address"):
        no2sr.reconstruct(
            folder, scheduler="tcp://127.0.0.1:9", progress=lambda *step: steps.append(step)
        )
    assert not steps
    refused = no2sr_command(
        "reconstruct", folder, tmp_path / "map.nc", "--scheduler", "tcp://127.0.0.1:9"
    )
    assert (refused.code, len(refused.errors)) == (1, 1)
    assert "does not answer" in refused.errors[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workers": 1, "scheduler": "tcp://a:1"}, "give exactly one of them"),
        ({"workers": 0}, "workers is 0; give a positive number"),
    ],
)
def test_workers_that_make_no_sense_are_refused(folder, given, said):
    with pytest.raises(SettingsError, match=said):
        no2sr.reconstruct(folder, **given)
