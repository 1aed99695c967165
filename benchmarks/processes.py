"""Whole processes, measured: wall time, CPU time and peak memory, ours and the other in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# A process inherits the peak memory of the one that starts it: so a small one does.
_LAUNCHER = """
import json, os, sys, time
began = time.perf_counter()
null = os.open(os.devnull, os.O_WRONLY)
moves = [(os.POSIX_SPAWN_DUP2, null, 1)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=moves)
_, status, used = os.wait4(child, 0)
wall = time.perf_counter() - began
code = os.waitstatus_to_exitcode(status)
print(json.dumps([code, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


class Run(NamedTuple):
    """What a process took: seconds, seconds of all its cores, MiB of the largest process in it."""

    wall: float
    cpu: float
    memory: float


def run(command: Sequence[object]) -> Run:
    """Run a command to its end; it must succeed."""
    words = [sys.executable, "-c", _LAUNCHER, *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    code, *used = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {code}: {done.stderr}")
    return Run(*used)


def in_turn(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Call each in turn, round after round and every other one backwards; return what they gave.

    A machine that others use as well then slows all of them alike.
    """
    results: dict[str, list[Any]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in list(calls)[:: -1 if number % 2 else 1]:
            results[name].append(calls[name]())
    return results


def median_ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    """Return the median over the rounds of ours divided by the other."""
    return statistics.median(a / b for a, b in zip(ours, other, strict=True))


def no2sr(*arguments: object) -> list[object]:
    """Return the command that runs no2sr with this interpreter."""
    return [sys.executable, "-m", "no2sr", *arguments]


def fresh(path: Path) -> Path:
    """Return a path of which nothing is left from an earlier round."""
    path.unlink(missing_ok=True)
    return path
