"""Kill runs at random moments and see what they leave: nothing lost, nothing half, nothing stray.

    python tests/faults/kills.py [--number 100] [--seed 1]

Each run makes a grid of three strips four times finer, as GeoTIFF, NetCDF or Zarr, over an older
output or where there is none, and is killed (SIGKILL, which it cannot notice) at a moment drawn
over the time that runs take. Then the output must be the older one, or none, or the new one, whole;
beside it there may be nothing but the work folder; and the next run must end with the very bytes of
a run that nobody killed. The record is ``benchmarks/records/kills.json``.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import zygote

SUFFIXES = (".tif", ".nc", ".zarr")
OLDER = b"what was there before"


class Case(NamedTuple):
    """What is killed: where it writes, over what, and what it would have written."""

    folder: Path
    out: Path
    older: bool
    whole: object

    @property
    def args(self) -> list[str]:
        """Return the command."""
        options = ["--model", "espcn", "--quiet", "--no-guard", "--overwrite"]
        return ["downscale", str(self.folder / "in.nc"), str(self.out), *options]


def prepared(case: Case) -> None:
    """Empty the folder but for the input and the older output."""
    for entry in case.folder.iterdir():
        if entry.name != "in.nc":
            zygote.remove(entry)
    if case.older and case.out.suffix == ".zarr":
        case.out.mkdir()
        (case.out / ".zattrs").write_bytes(OLDER)
    elif case.older:
        case.out.write_bytes(OLDER)


def left_by(case: Case) -> str:
    """Say in which state a killed run left things.

    Raises
    ------
    AssertionError
        If something is lost, half or stray.
    """
    work = case.folder / f".{case.out.name}.no2sr-work"
    stray = {e.name for e in case.folder.iterdir()} - {
        "in.nc",
        case.out.name,
        work.name,
        case.out.with_suffix(".qml").name,
        *(f"{case.out.stem}_uncertainty{suffix}" for suffix in (".tif", ".qml")),
    }
    assert not stray, f"stray: {stray}"
    found = zygote.contents(case.out)
    older = [(".zattrs", OLDER)] if case.out.suffix == ".zarr" else OLDER
    assert found in (case.whole, older if case.older else None), "the output is neither nor"
    if found == case.whole:
        return "complete"
    record = work / "finished.jsonl"
    strips = len(record.read_text().splitlines()) if record.exists() else 0
    writing = work.exists() and any(".partial" in e.name for e in work.iterdir())
    return "writing" if writing else f"{strips} strips" if work.exists() else "not begun"


def survive(case: Case, moment: float, seconds: list[float]) -> str:
    """Kill one run, look at what it left, and let another one finish; note how long that took.

    Raises
    ------
    AssertionError
        If it did not survive.
    """
    prepared(case)
    killed = zygote.run(case.args, kill_after=moment)
    assert killed["code"] in (-9, 0), killed
    state = left_by(case)
    again = zygote.run(case.args)
    assert again["code"] == 0, again
    assert again["err"] == "", again
    assert zygote.contents(case.out) == case.whole, "the next run made something else"
    assert left_by(case) == "complete"
    assert not (case.folder / f".{case.out.name}.no2sr-work").exists(), "the work folder stayed"
    seconds.append(again["seconds"])
    return state if killed["code"] else "too late"


def cases(folder: Path) -> tuple[list[Case], list[float]]:
    """Return all that is to be killed, and what whole runs took."""
    zygote.make_input(folder / "in.nc")
    found, seconds = [], []
    for suffix in SUFFIXES:
        case = Case(folder, folder / f"out{suffix}", older=False, whole=None)
        prepared(case)
        told = zygote.run(case.args)
        assert told["code"] == 0, told
        seconds.append(told["seconds"])
        whole = zygote.contents(case.out)
        found += [case._replace(whole=whole, older=older) for older in (False, True)]
    return found, seconds


def kill_many(number: int, *, seed: int) -> dict:
    """Kill so many runs and return how many survived, and in which states they were found."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    states: Counter[str] = Counter()
    failures = []
    with tempfile.TemporaryDirectory(prefix="no2sr-kills-") as name:
        there, seconds = cases(Path(name))
        killed = 0
        while killed < number:
            case = draw.choice(there)
            # A run that ended before it was killed counts for nothing.
            moment = draw.uniform(0.0, statistics.median(seconds[-9:]))
            try:
                state = survive(case, moment, seconds)
            except AssertionError as failure:
                failures.append(f"{case.out.name} after {moment:.3f} s: {failure}")
                state = "failed"
            states[state] += 1
            killed += state != "too late"
    return {
        "kills": number,
        "survived": number - len(failures),
        "failures": failures,
        "found": dict(states),
        "seed": seed,
    }


def main() -> None:
    """Kill as many runs as asked for, keep the record, and fail if one did not survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    root = Path(__file__).parents[2]
    sys.path.insert(0, str(root / "benchmarks"))
    import records

    zygote.preload()
    found = kill_many(asked.number, seed=asked.seed)
    sources = records.digest(records.KEEPING)
    records.renew("kills", {"random moments": {**found, "sources": sources}})
    sys.stdout.write(f"{found['survived']} of {found['kills']} survived: {found['found']}\n")
    for failure in found["failures"]:
        sys.stdout.write(f"  {failure}\n")
    sys.exit(bool(found["failures"]))


if __name__ == "__main__":
    main()
