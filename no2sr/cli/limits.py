"""Limits to the computing of the guard's child: some files make their library go in circles."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["limit", "reading_time", "try_to_open", "unhurried"]

# Seconds of computing. To open a file takes some hundredths, however large it is; to read it takes
# a second for 30 MB or more, and once some ten for compiling the kernel of swaths.
_OPENING, _READING, _READING_MB = 3, 120, 1


def reading_time(source: Any) -> float:
    """Return how many seconds of computing reading all the sources may take, at most."""
    from no2sr.readers.opening.paths import found

    files = (file for path in found(source) for file in _inside(path))
    return _READING + _READING_MB * sum(file.stat().st_size for file in files) / 1e6


def try_to_open(source: Any) -> None:
    """Open the NetCDF files among the sources once, each under a tight limit."""
    from no2sr.core.errors import ReadError
    from no2sr.readers.kit.netcdf import is_netcdf, opened
    from no2sr.readers.opening.paths import found

    for path in filter(Path.is_file, found(source)):
        if is_netcdf(path):
            limit(_OPENING)
            with suppress(ReadError), opened(path):  # the error will be met again
                pass


def unhurried() -> None:
    """Lift the limit in a child that has read its files and goes on to work of its own."""
    from multiprocessing import parent_process

    if parent_process() is not None:
        limit(math.inf)


def limit(seconds: float) -> None:
    """End this process when it has computed for so long from now on."""
    if sys.platform != "linux":
        return
    from resource import RLIM_INFINITY, RLIMIT_CPU, getrlimit, setrlimit

    most = getrlimit(RLIMIT_CPU)[1]
    until = most if math.isinf(seconds) else math.ceil(process_time() + seconds)
    setrlimit(RLIMIT_CPU, (until if most == RLIM_INFINITY else min(until, most), most))


def _inside(path: Path) -> Iterator[Path]:
    """Yield the file itself, or those of a Zarr store."""
    from no2sr.readers.formats.zarr_store import READER

    entries = path.rglob("*") if READER.recognises(path) else [path]
    yield from filter(Path.is_file, entries)
