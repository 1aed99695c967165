"""Limits on the computing time of the guard's child: some files make their library loop forever."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["lift_limit", "limit", "reading_time", "try_to_open"]

# Seconds of computing. Opening a file of any size takes a few hundredths. Reading takes a second
# per 30 MB or more, and once some ten seconds to compile the kernel for swaths.
_OPENING, _READING, _READING_MB = 3, 120, 1


def reading_time(source: Any) -> float:
    """Return the largest number of seconds of computing that reading all sources may take."""
    from no2sr.readers.opening.paths import find_files

    files = (file for path in find_files(source) for file in _list_files(path))
    return _READING + _READING_MB * sum(file.stat().st_size for file in files) / 1e6


def try_to_open(source: Any) -> None:
    """Open the NetCDF files among the sources once, each under a tight limit."""
    from no2sr.core.errors import ReadError
    from no2sr.readers.kit.netcdf import is_netcdf, open_netcdf
    from no2sr.readers.opening.paths import find_files

    for path in filter(Path.is_file, find_files(source)):
        if is_netcdf(path):
            limit(_OPENING)
            with suppress(ReadError), open_netcdf(path):  # the error will occur again
                pass


def lift_limit() -> None:
    """Lift the limit in a child that has read its files and continues with other work."""
    from multiprocessing import parent_process

    if parent_process() is not None:
        limit(math.inf)


def limit(seconds: float) -> None:
    """End this process after this much more computing time."""
    if sys.platform != "linux":
        return
    from resource import RLIM_INFINITY, RLIMIT_CPU, getrlimit, setrlimit

    most = getrlimit(RLIMIT_CPU)[1]
    until = most if math.isinf(seconds) else math.ceil(process_time() + seconds)
    setrlimit(RLIMIT_CPU, (until if most == RLIM_INFINITY else min(until, most), most))


def _list_files(path: Path) -> Iterator[Path]:
    """Yield the file itself, or those of a Zarr store."""
    from no2sr.readers.formats.zarr_store import READER

    entries = path.rglob("*") if READER.recognises(path) else [path]
    yield from filter(Path.is_file, entries)
