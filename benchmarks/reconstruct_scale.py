"""Time and memory of ``no2sr reconstruct`` against the area.

    python benchmarks/reconstruct_scale.py [--page]

Real pixels over one square degree of south-east Sicily are laid beside themselves, so that every
square degree is seen as often. Each area is a process of its own, everything included but the
reading of files. The figures go to benchmarks/records/reconstruct_scale.json and to a table of
docs/many_overpasses.md; --page writes the table without measuring. NO2SR_REAL_DATA names the folder
of real files.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "benchmarks/records/reconstruct_scale.json"
PAGE = ROOT / "docs/many_overpasses.md"
BEGIN, END = (f"<!-- {word} of benchmarks/reconstruct_scale.py -->" for word in ("begin", "end"))
AREAS = ((1, 1), (2, 1), (2, 2), (4, 2))  # degrees of longitude and latitude
NUMBER = 30  # overpasses
CORNER = (14.6, 36.6)  # of the square degree that is repeated


def main() -> None:
    """Measure, keep the figures and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="write the tables, measure nothing")
    parser.add_argument("--one", nargs=2, type=int, help="measure one area in this process")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(*given.one)))
        return
    if not given.page:
        areas = {str(width * height): _run(width, height) for width, height in AREAS}
        found = {"date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "areas": areas}
        RECORD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    write_table(json.loads(RECORD.read_text(encoding="utf-8")))


def _run(width: int, height: int) -> dict[str, float]:
    """Measure one area in a process of its own."""
    call = [sys.executable, __file__, "--one", str(width), str(height)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)  # noqa: S603
    print(width, height, done.stdout.strip(), flush=True)
    return json.loads(done.stdout)


def measure(width: int, height: int) -> dict[str, float]:
    """Reconstruct an area; return CPU seconds and peak memory."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).parent))
    import reconstruct as judge

    from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths

    files = iter(sorted((judge.DATA / "overpasses").glob("*.nc")))
    swaths = []
    while len(swaths) < NUMBER:
        overpass = judge.read(next(files))
        if overpass.column.size > judge.FEWEST:
            swaths.append(judge.swath_of(lay_beside(overpass, width, height)))
    west, south = CORNER
    before = time.process_time()
    reconstruct_swaths(
        swaths, bbox=(west, south, west + width, south + height), settings=Settings()
    )
    return {
        "cpu": time.process_time() - before,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def lay_beside(overpass: object, width: int, height: int) -> object:
    """Repeat the pixels of one square degree over an area and the margin around it."""
    x, y = (corners.mean(axis=1) for corners in (overpass.longitude, overpass.latitude))
    inside = [(axis >= low) & (axis < low + 1) for axis, low in zip((x, y), CORNER, strict=True)]
    own = inside[0] & inside[1]
    shifts = [(x, y) for x in range(-1, width + 1) for y in range(-1, height + 1)]
    return overpass._replace(
        column=np.concatenate([overpass.column[own] for _ in shifts]),
        longitude=np.concatenate([overpass.longitude[own] + x for x, _ in shifts]),
        latitude=np.concatenate([overpass.latitude[own] + y for _, y in shifts]),
    )


def write_table(found: dict) -> None:
    """Replace the table between its markers."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{describe(found)}\n{END}{after}", encoding="utf-8")


def describe(found: dict) -> str:
    """Write the table, and how far it is from linear."""
    areas = found["areas"]
    cells, times = [int(area) for area in areas], [one["cpu"] for one in areas.values()]
    more = (times[-1] - times[-2]) / (cells[-1] - cells[-2])
    steps = ", ".join(
        f"{after / before:.2f} times from {m} to {n}"
        for before, after, m, n in zip(times, times[1:], cells, cells[1:], strict=False)
    )
    rows = {
        f"square degrees, {NUMBER} overpasses": list(areas),
        "CPU, s": [f"{one['cpu']:.1f}" for one in areas.values()],
        "CPU, s a square degree": [f"{t / n:.1f}" for t, n in zip(times, cells, strict=True)],
        "peak, GB": [f"{one['gb']:.2f}" for one in areas.values()],
    }
    lines = [f"| {label} | {' | '.join(cells)} |" for label, cells in rows.items()]
    lines.insert(1, f"|---|{'--:|' * len(areas)}")
    return "\n".join(
        [
            f"Measured on {found['date']} by `benchmarks/reconstruct_scale.py`, without the",
            "reading of files: real pixels, cells of 0.01 degree, smoothness chosen, with the",
            "uncertainty and the local resolution.",
            "",
            *lines,
            "",
            f"Time grows {steps}:",
            "never faster than the area, as the smoothness is chosen on three blocks at most.",
            f"Each further square degree of the last step takes {more:.1f} s. Memory is that of",
            "the blocks on which the smoothness is chosen.",
        ]
    )


if __name__ == "__main__":
    main()
