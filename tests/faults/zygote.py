"""Runs of the command line in forked children, to which all manner of things happen.

A child begins with everything imported, so that a run takes tenths of a second and a hundred kills
a minute or two. Nothing here starts a thread before it forks. As a program this reads one request
a line from stdin, the keyword arguments of `run` as JSON, and answers one line each.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path

NOBODY = 65534
PRELOADED = (
    "no2sr.cli no2sr.cli.downscale no2sr.downscaling.to_file no2sr.writers.dispatch "
    "no2sr.readers.opening.opener no2sr.readers.opening.grids no2sr.readers.opening.swaths "
    "no2sr.readers.formats.cf_grid rich.table rich.console rich.progress rich.box dask.array "
    "no2sr.downscaling.cluster zarr netCDF4 rasterio rioxarray onnxruntime xarray.backends.zarr "
    "rasterio.shutil xarray.backends.netCDF4_ scipy.ndimage no2sr.steps.sampling"
)


def preload() -> None:
    """Import what a run needs."""
    for name in PRELOADED.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run(
    args: list[str],
    *,
    happens: str = "",
    subject: str = "",
    kill_after: float | None = None,
    limit: float = 120,
) -> dict:
    """Run the command line in a child and return what came of it.

    Parameters
    ----------
    args : list of str
    happens : str
        One of `EVENTS`, which the child is prepared for.
    subject : str
        A path that the event is about.
    kill_after : float, optional
        Seconds, after which the child is killed, which it cannot notice.
    limit : float
        Seconds, after which a run counts as hanging.

    Returns
    -------
    dict
        ``code`` (negative for a signal), ``err`` and ``out`` (what it said), ``seconds``.
    """
    pipes = [os.pipe() for _ in ("out", "err")]  # no files: a full disk must not silence them
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _live(args, [into for _, into in pipes], happens, subject)
    for _, into in pipes:
        os.close(into)
    code = _ended(child, kill_after, limit)
    texts = []
    for out_of, _ in pipes:
        os.set_blocking(out_of, False)  # an orphan of a killed run may hold the other end
        with os.fdopen(out_of, "rb", buffering=0) as stream:
            texts.append((stream.read(1 << 16) or b"").decode(errors="replace"))
    return {"code": code, "out": texts[0], "err": texts[1], "seconds": time.monotonic() - began}


def _live(args: list[str], said: list[int], happens: str, subject: str) -> None:
    """Be the child."""
    for file, stream in zip(said, (1, 2), strict=True):
        os.dup2(file, stream)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - until the end
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    # Shells let what they start in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 70
    try:
        from no2sr.cli import main

        if happens:
            EVENTS[happens](subject)
        main(args, prog_name="no2sr")
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is to hear of it
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ended(child: int, kill_after: float | None, limit: float) -> int:
    """Wait for a child, or kill it, and return its exit code or minus the signal."""
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -99


# ---- what can happen to a run -----------------------------------------------------------------


def _after_a_strip(action) -> None:
    """Let something happen when the first strip is finished."""
    from no2sr.downscaling.workfolder import WorkFolder

    append, happened = WorkFolder.append, []

    def appended(self, *strip) -> None:
        append(self, *strip)
        if not happened:
            happened.append(True)
            action()

    WorkFolder.append = appended


def _before_writing(action) -> None:
    """Let something happen when all is computed and the output is to be written."""
    from no2sr.downscaling import to_file

    write = to_file.write

    def written(*args, **settings):
        action()
        return write(*args, **settings)

    to_file.write = written


def _before_the_move(action) -> None:
    """Let something happen when the output is complete but not yet in its place."""
    from no2sr.core import atomic

    move = atomic._move

    def moved(*args, **settings):
        action()
        return move(*args, **settings)

    atomic._move = moved


def _signal_self(number: int):
    return lambda: os.kill(os.getpid(), number)


def _no_more_room(size: int = 1) -> None:
    """Let no file grow beyond some bytes, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _become_nobody() -> None:
    """Lose the rights of the administrator, who may write anywhere."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _by_window() -> None:
    """Leave even small grids in their files."""
    from no2sr.downscaling import inputs

    inputs._MANY_CELLS = 100
    inputs._CHUNK = "20KiB"


def _input_changes(subject: str) -> None:
    """Let another file take the place of the input under way, in place and with its times."""

    def change() -> None:
        path = Path(subject)
        about = path.stat()
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 20_000] = bytes(20_000)
        path.write_bytes(data)
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 1))

    _by_window()
    _after_a_strip(change)


def _input_goes(subject: str) -> None:
    _by_window()
    _after_a_strip(Path(subject).unlink)


def _little_memory(subject: str) -> None:
    """Allow so many MB more than there are now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + int(float(subject) * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))


def _another_run(subject: str) -> None:
    """Start a second run of the same output, and keep what it said."""

    def start() -> None:
        answer = run(json.loads(subject))
        Path(json.loads(subject)[-1] + ".second").write_text(json.dumps(answer))

    _after_a_strip(start)


EVENTS = {
    "interrupted": lambda _: _after_a_strip(_signal_self(signal.SIGINT)),
    "terminated": lambda _: _after_a_strip(_signal_self(signal.SIGTERM)),
    "interrupted while writing": lambda _: _before_the_move(_signal_self(signal.SIGINT)),
    "terminated while writing": lambda _: _before_the_move(_signal_self(signal.SIGTERM)),
    "killed after a strip": lambda _: _after_a_strip(_signal_self(signal.SIGKILL)),
    "killed before writing": lambda _: _before_writing(_signal_self(signal.SIGKILL)),
    "killed before the move": lambda _: _before_the_move(_signal_self(signal.SIGKILL)),
    "disk full from the start": lambda _: _no_more_room(),
    "disk full after a strip": lambda _: _after_a_strip(_no_more_room),
    "disk full while writing": lambda _: _before_writing(_no_more_room),
    "no rights": lambda _: _become_nobody(),
    "rights lost while writing": lambda _: _before_writing(_become_nobody),
    "input changes": _input_changes,
    "input goes": _input_goes,
    "little memory": _little_memory,
    "another run": _another_run,
}


# ---- scenes -----------------------------------------------------------------------------------


def make_input(path: Path, shape: tuple[int, int] = (300, 150)) -> Path:
    """Write a grid of three strips at scale 4, with negatives and gaps."""
    import numpy as np
    import xarray as xr

    rng = np.random.default_rng(1)
    values = rng.normal(3e-5, 1e-5, shape).astype(np.float32)
    values[rng.random(shape) < 0.1] = np.nan
    y, x = 62 - 0.05 * (np.arange(shape[0]) + 0.5), 76 + 0.05 * (np.arange(shape[1]) + 0.5)
    attrs = {"units": "mol m-2", "long_name": "tropospheric NO2 column"}
    grid = xr.Dataset(
        {"no2": (("latitude", "longitude"), values, attrs)},
        coords={
            "latitude": ("latitude", y, {"units": "degrees_north"}),
            "longitude": ("longitude", x, {"units": "degrees_east"}),
        },
    )
    grid.to_netcdf(path)
    return path


def contents(path: Path) -> object:
    """Return the bytes of a file, or of all files in a folder; None if there is nothing."""
    if path.is_dir():
        files = sorted(entry for entry in path.rglob("*") if entry.is_file())
        return [(str(entry.relative_to(path)), entry.read_bytes()) for entry in files]
    return path.read_bytes() if path.exists() else None


def remove(path: Path) -> None:
    """Remove a file or a folder, should there be one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def serve() -> None:
    """Answer requests until stdin ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(**json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    preload()
    serve()
