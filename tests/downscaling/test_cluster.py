"""Blocks on Dask: the same values, and clear words for what happens to schedulers and workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from opening import open_column
from runs import refine_to_file

from no2sr.core.errors import ClusterError, MissingDependencyError, SettingsError
from no2sr.core.grid import georeference
from no2sr.downscaling import inputs
from no2sr.downscaling.cluster import _Submitter, cluster
from no2sr.downscaling.workfolder import folder_of
from no2sr.writers.zarr import write_zarr

pytestmark = pytest.mark.filterwarnings("ignore")  # what distributed leaves open is its own affair


def make_image(shape=(300, 150)):
    values = np.random.default_rng(1).normal(3e-5, 1e-5, shape).astype(np.float32)
    values[10:20, 5:30] = np.nan
    image = xr.DataArray(values, dims=("y", "x"), name="no2", attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.05, 0, 76, 0, -0.05, 62), "EPSG:4326")


@pytest.fixture(scope="module")
def local_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("local") / "fine.tif"
    refine_to_file(make_image(), path, model="espcn")
    return path.read_bytes()


def test_two_workers_equal_local(tmp_path, local_file):
    out = tmp_path / "fine.tif"
    with cluster(workers=2) as workers:
        assert workers.threads == 2
        refine_to_file(make_image(), out, model="espcn", workers=workers)
        assert out.read_bytes() == local_file
        # A worker that dies takes a block with it, which another one is given.
        client = workers.executor.client
        pids = list(client.run(os.getpid).values())
        killed = []

        def kill_one(*_):
            if not killed:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])

        refine_to_file(
            make_image(), out, model="espcn", workers=workers, overwrite=True, progress=kill_one
        )
        assert killed
        assert out.read_bytes() == local_file


def test_workers_that_keep_dying_are_told():
    with (
        pytest.raises(ClusterError, match="several workers died while computing the same block"),
        cluster(workers=1) as workers,
    ):
        workers.executor.submit(os._exit, 1).result()


@pytest.fixture
def scheduler():
    """Return the address of a scheduler with one worker, and the process that runs it."""
    code = (
        "import distributed, time; c = distributed.LocalCluster(n_workers=1, threads_per_worker=1,"
        " dashboard_address=None); print(c.scheduler_address, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__':\n    {code}"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process.stdout.readline().strip(), process
    process.stdout.close()
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_running_scheduler_and_its_end(tmp_path, local_file, scheduler):
    address, process = scheduler
    out = tmp_path / "fine.tif"
    with cluster(scheduler=address) as workers:
        refine_to_file(make_image(), out, model="espcn", workers=workers)
    assert out.read_bytes() == local_file

    def stop(done, total):
        if done > total / 2 and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    lost = tmp_path / "lost.tif"
    with (
        pytest.raises(ClusterError, match="connection to the scheduler was lost"),
        cluster(scheduler=address) as workers,
    ):
        refine_to_file(make_image(), lost, model="espcn", workers=workers, progress=stop)
    assert folder_of(lost).exists()  # what was finished is kept
    refine_to_file(make_image(), lost, model="espcn")
    assert lost.read_bytes() == local_file


def test_a_silent_scheduler_is_given_up_soon(monkeypatch):
    monkeypatch.setattr("no2sr.downscaling.cluster.PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        with (
            pytest.raises(ClusterError, match="does not answer; check the address"),
            cluster(scheduler=f"tcp://127.0.0.1:{port}"),
        ):
            pass
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tcp://nowhere.invalid:1", "nonsense"])
def test_no_scheduler_there(address):
    with pytest.raises(ClusterError, match="check the address"), cluster(scheduler=address):
        pass
    assert da.ones(3).sum().compute() == 3  # Dask works on without it


@pytest.mark.parametrize("given", [{}, {"workers": 1, "scheduler": "tcp://a:1"}])
def test_exactly_one_kind_of_workers(given):
    with pytest.raises(SettingsError, match="give exactly one of them"), cluster(**given):
        pass


def test_without_distributed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"no2sr\[dask\]"), cluster(workers=1):
        pass


def test_the_command_line_works_on_workers(tmp_path, grid_file, no2sr_command):
    for name, more in (("a.nc", []), ("b.nc", ["--workers", "1"])):
        done = no2sr_command("downscale", grid_file, tmp_path / name, "--model", "espcn", *more)
        assert done.code == 0, done.err
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    refused = no2sr_command(
        "downscale", grid_file, tmp_path / "c.nc", "--scheduler", "tcp://127.0.0.1:9"
    )
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert "does not answer" in refused.errors[0]
    assert not (tmp_path / "c.nc").exists()


def test_stores_by_window_on_two_workers_equal_local(tmp_path, no2sr_command, monkeypatch):
    pytest.importorskip("zarr")
    source, outs = tmp_path / "in.zarr", [tmp_path / "local.zarr", tmp_path / "workers.zarr"]
    write_zarr(make_image(), source)
    monkeypatch.setattr(inputs, "_MANY_CELLS", 1000)
    monkeypatch.setattr(inputs, "_CHUNK", "40KiB")
    blocks = []
    submit = _Submitter.submit

    def submitted(self, *block):
        blocks.append(block)
        return submit(self, *block)

    monkeypatch.setattr(_Submitter, "submit", submitted)
    for out, more in zip(outs, ([], ["--workers", "2"]), strict=True):
        assert not blocks
        done = no2sr_command("downscale", source, out, "--model", "espcn", "--quiet", *more)
        assert (done.code, done.err) == (0, "")
    assert len(blocks) == 6  # three strips of two
    local, workers = (
        {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}
        for out in outs
    )
    assert local == workers
    fine = open_column(outs[1])
    assert fine.shape == (1200, 600)
    assert np.isnan(fine.values).mean() == pytest.approx(250 / 45000)
