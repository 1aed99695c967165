"""Measure speed and memory, ours and the others' in turn, and write ``docs/performance.md``.

    make benchmark
    python benchmarks/performance.py --only gdal --only kills

takes about 35 minutes on a quiet machine of two cores. Each section leaves its figures in
``out/performance`` as JSON as soon as it is done; ``--only`` measures some sections anew, and
``--page`` none. The page is written from all that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import performance_sections as sections
from performance_page import page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
FIGURES = ROOT / "out" / "performance"
PACKAGES = ("numpy", "onnxruntime", "openvino", "tensorflow", "rasterio", "dask")


def about_machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    model = platform.processor()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def measured(name: str, *, rounds: int) -> None:
    """Measure one section and keep its figures."""
    print(f"{name} ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="no2sr-benchmark-") as folder:
        figures = sections.SECTIONS[name](Path(folder), rounds)
    figures = {"machine": about_machine(), "rounds": rounds, **figures}
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Measure what was asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(sections.SECTIONS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    options = parser.parse_args()
    for name in [] if options.page else options.only or sections.SECTIONS:
        try:
            measured(name, rounds=options.rounds)
        except (OSError, RuntimeError, ImportError) as error:  # the others are still worth having
            print(f"{name} could not be measured: {error}", flush=True)
    there = {path.stem: json.loads(path.read_text()) for path in sorted(FIGURES.glob("*.json"))}
    PAGE.write_text(page(there), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
