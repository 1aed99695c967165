"""Feed mutants of good files to the command line, and see that it stays a command line.

    python tests/hostile/fuzz.py --number 10000 --seed 1 --json fuzz.json

Each mutant goes through ``no2sr info`` and ``no2sr downscale``, each in a process of its own with
limits of time and memory. What must not happen: a traceback, a signal, an exit code other than 0
and 1, another number of error lines than one, a run over the time or the memory, an output without
success or success without output, anything left beside it. Mutants that did it are kept. So are
those whose refusal is in order but vague, as no reader foresaw what they hold: these are counted
and named, and deserve words of their own.

The parent imports everything once and forks for each run: a run costs some hundredths of a second.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import random
import re
import resource
import selectors
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

import makers

from no2sr.cli import main

ROOT = Path(__file__).parents[2]
SECONDS = 20  # of computing; a busy machine may take its time, up to PATIENCE
PATIENCE = 100
MEMORY = 2 << 30
MADE = 0.7  # share of mutants of files made here
REAL = 1 << 18  # bytes; larger real files would tell nothing new, but take long
SUFFIXES = {".nc", ".nc4", ".h5", ".he5", ".tif"}
NUMBERS = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 24, (1 << 31) - 1, 1 << 31, -(1 << 31))
HEAD = 4096  # most of what a library must understand stands in the beginning
TEXT = {".asc", ".grd"}
RESULT = ["fine.qml", "fine.tif", "fine_uncertainty.qml", "fine_uncertainty.tif"]


def seeds(folder: Path) -> list[Path]:
    """Return the good files: made here, the samples, and the small ones among real files."""
    made = [make(folder / name) for name, make in makers.KINDS.items()]
    samples = [p for p in sorted((ROOT / "sample_data").iterdir()) if p.suffix in SUFFIXES]
    real = Path(os.environ.get("NO2SR_REAL_DATA", ROOT / "../shared/data"))
    found = [p for p in sorted(real.rglob("*")) if p.suffix in SUFFIXES and p.is_file()]
    return made + samples + [p for p in found if 1024 < p.stat().st_size < REAL]


def mutant(good: bytes, other: bytes, dice: random.Random) -> bytes:
    """Return a file with one to four things wrong."""
    data = bytearray(good)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 4))):
        _MUTATIONS[dice.randrange(len(_MUTATIONS))](data, other, dice)
    return bytes(data)


def _place(data: bytearray, dice: random.Random) -> int:
    end = max(1, len(data))
    return dice.randrange(min(end, HEAD) if dice.random() < 0.6 else end)


def _flip(data: bytearray, _: bytes, dice: random.Random) -> None:
    for _count in range(dice.choice((1, 2, 8, 32))):
        if data:
            data[_place(data, dice)] ^= 1 << dice.randrange(8)


def _number(data: bytearray, _: bytes, dice: random.Random) -> None:
    """Write an extreme number over what was there."""
    size, order = dice.choice("BHIQ"), dice.choice("<>")
    width = struct.calcsize(size)
    value = dice.choice(NUMBERS) % (1 << (8 * width))
    place = _place(data, dice)
    data[place : place + width] = struct.pack(order + size, value)


def _truncate(data: bytearray, _: bytes, dice: random.Random) -> None:
    del data[dice.randrange(len(data) + 1) :]


def _splice(data: bytearray, other: bytes, dice: random.Random) -> None:
    """Put a piece of another file over, or between, its bytes."""
    length = dice.choice((4, 16, 64, 512, 4096))
    start = dice.randrange(max(1, len(other) - length))
    place = _place(data, dice)
    data[place : place + (length if dice.random() < 0.7 else 0)] = other[start : start + length]


def _cut(data: bytearray, _: bytes, dice: random.Random) -> None:
    place = _place(data, dice)
    del data[place : place + dice.choice((1, 2, 4, 8, 64, 512))]


def _blank(data: bytearray, _: bytes, dice: random.Random) -> None:
    place, length = _place(data, dice), dice.choice((4, 8, 32, 256, 1024))
    length = min(length, len(data) - place)
    data[place : place + length] = bytes([dice.choice((0, 255))]) * length


def _repeat(data: bytearray, _: bytes, dice: random.Random) -> None:
    place, length = _place(data, dice), dice.choice((1, 4, 16, 256))
    data[place:place] = data[place : place + length] * dice.choice((1, 2, 16))


_MUTATIONS = (_flip, _flip, _number, _number, _truncate, _splice, _cut, _blank, _repeat)


def run(args: list[str], said: Path) -> tuple[int | str, int]:
    """Run the command line in a child; return exit code or what ended it, and bytes of memory."""
    child = os.fork()
    if not child:
        _become(args, said)
    gone = os.pidfd_open(child)
    with selectors.DefaultSelector() as watch:
        watch.register(gone, selectors.EVENT_READ)
        late = not watch.select(PATIENCE)
    os.close(gone)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL) if late else None
    _, status, usage = os.wait4(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # nothing it started lives on
    code = os.waitstatus_to_exitcode(status)
    late = late or usage.ru_utime + usage.ru_stime > SECONDS
    ended = f"over {SECONDS} s" if late else signal.Signals(-code).name if code < 0 else code
    return ended, usage.ru_maxrss * 1024


def _become(args: list[str], said: Path) -> None:
    """Be the child."""
    os.setsid()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    with said.open("wb") as stderr, open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(stderr.fileno(), 2)
        os.dup2(nowhere.fileno(), 1)
    code = 70
    try:
        main(args, prog_name="no2sr")
    except SystemExit as leave:
        code = int(leave.code or 0)
    except BaseException:  # noqa: BLE001 - it is what is looked for
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def verdict(code: int | str, memory: int, said: str) -> str:
    """Say what is wrong with a run, or nothing."""
    lines = [line for line in said.splitlines() if not line.startswith("Warning: ")]
    if "Traceback" in said:
        return f"traceback: {lines[-1] if lines else ''}"
    if code not in (0, 1):
        return f"ended by {code}: {' | '.join(lines[-2:])}"
    if memory > MEMORY:
        return f"took {memory >> 20} MB"
    errors = [line for line in lines if line.startswith("Error: ")]
    if len(errors) != code or len(lines) != code:
        return f"exit code {code} with the lines {lines[:3]}"
    return ""


def judged(path: Path, folder: Path) -> tuple[str, str, list[str]]:
    """Run both commands on a file; return what is wrong, how it ended, and vague refusals."""
    out, said = folder / "out" / "fine.tif", folder / "stderr"
    out.parent.mkdir()
    end, vague = "", []
    for args in (["info", str(path)], ["downscale", str(path), str(out), "--quiet"]):
        code, memory = run(args, said)
        text = said.read_text(errors="replace")
        wrong = verdict(code, memory, text)
        if wrong:
            return f"{args[0]} {wrong}", "failed", []
        end = "read" if code == 0 else _refusal(text)
        vague += [f"{args[0]}: {line}" for line in _vague(text)]
    there = sorted(p.name for p in out.parent.iterdir())
    if there != (RESULT if end == "read" else []):
        return f"downscale {end} and left {there}", "failed", []
    return "", end, vague


def _vague(text: str) -> list[str]:
    """Return what was found, of the lines that say no more of it than its error."""
    found = re.findall(
        r"unexpected error in its reader \((.*?)\);|^Error: (\w+ while processing .*)", text
    )
    return ["".join(parts) for parts in found]


def _refusal(text: str) -> str:
    """Say in which way a file was refused."""
    ways = {
        " crashed the library": "crash held",
        "unexpected error in its reader": "refused, unforeseen",
    }
    return next((way for phrase, way in ways.items() if phrase in text), "refused")


def fuzz(number: int, seed: int, *, first: int = 0, keep: Path) -> dict[str, object]:
    """Try mutants and count how they ended."""
    ends: Counter[str] = Counter()
    failures: list[dict[str, object]] = []
    vague: Counter[str] = Counter()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="no2sr-fuzz-") as place:
        folder = Path(place)
        (folder / "good").mkdir()
        good = seeds(folder / "good")
        for path in good:  # also loads everything before the first fork
            ends_well = _warm(path, folder)
            print(f"{path.name}: {ends_well}") if ends_well else None
        _import_all(folder)
        contents = [path.read_bytes() for path in good]
        made = len(makers.KINDS)
        for case in range(first, first + number):
            dice = random.Random(f"{seed}-{case}")  # noqa: S311
            # The small ones that were made here are read to the end more often, and quicker.
            which = dice.randrange(made if dice.random() < MADE else len(good))
            other = dice.randrange(len(good))
            case_folder = folder / str(case)
            case_folder.mkdir()
            path = case_folder / good[which].name
            path.write_bytes(mutant(contents[which], contents[other], dice))
            wrong, end, unforeseen = judged(path, case_folder)
            ends[end] += 1
            vague.update(unforeseen)
            if wrong:
                failures.append({"case": case, "file": path.name, "wrong": wrong})
            if wrong or unforeseen:
                print(f"case {case} of {path.name}: {wrong or unforeseen}", flush=True)
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, keep / f"{seed}-{case}-{path.name}")
            shutil.rmtree(case_folder)
    return {
        "seed": seed,
        "cases": number,
        "good_files": len(good),
        "ends": dict(sorted(ends.items())),
        "failures": len(failures),
        "failed": failures,
        "vague": dict(vague.most_common()),
        "seconds": round(time.perf_counter() - began),
        "limits": {"seconds": SECONDS, "memory_bytes": MEMORY},
    }


def _warm(path: Path, folder: Path) -> str:
    """Read a good file here, so that what is imported and compiled for it is there already."""
    from no2sr.readers.opening.describe import describe

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(describe(path)["problem"] or "")


def _import_all(folder: Path) -> None:
    """Import here whatever a run imports."""
    names = folder / "modules"
    out = folder / "warm.tif"
    if not os.fork():
        with suppress(SystemExit):
            main(["downscale", str(folder / "good" / "grid.nc"), str(out), "--no-guard", "-q"])
        names.write_text("\n".join(sys.modules))
        os._exit(0)
    os.wait()
    for name in names.read_text().splitlines():
        if name not in sys.modules and not name.startswith("__"):
            with suppress(ImportError):
                importlib.import_module(name)
    gc.freeze()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", "-n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--json", type=Path, help="write the counts there")
    parser.add_argument("--keep", type=Path, default=ROOT / "out" / "fuzz")
    asked = parser.parse_args()
    found = fuzz(asked.number, asked.seed, first=asked.first, keep=asked.keep)
    text = json.dumps(found, indent=2) + "\n"
    print(text)
    if asked.json:
        asked.json.write_text(text)
    sys.exit(bool(found["failures"]))
