"""Write docs/reliability.md: what was tried to break this package, how often, and how it went.

    python benchmarks/reliability.py [--measure]

With ``--measure`` the fast tests are run first, with coverage, and their counts are recorded. All
other figures come from the records in ``benchmarks/records`` that their own commands write.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import mutation
import records

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
ASKED = 95  # percent of lines and branches
# What the folders of tests are about.
KINDS = {
    "tests/hostile": "hostile inputs",
    "tests/laws": "laws on random scenes",
    "tests/faults": "faults during a run",
}


def measure(workers: int) -> None:
    """Run the fast tests with coverage and record what came of them."""
    with tempfile.TemporaryDirectory() as folder:
        report, counts = Path(folder) / "coverage.json", Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-m", "not slow"]
        command += ["--cov=no2sr", "--cov-branch", "--cov-report", f"json:{report}"]
        subprocess.run(  # noqa: S603 - our own command
            [*command, f"--junitxml={counts}"], cwd=ROOT, check=False
        )
        keep(report, counts)


def keep(report: Path, counts: Path) -> None:
    """Record the coverage and the counts of tests from pytest's own reports."""
    found = json.loads(report.read_text())
    whole = found["totals"]
    low = {
        name: round(about["summary"]["percent_covered"], 1)
        for name, about in found["files"].items()
        if about["summary"]["percent_covered"] < ASKED
    }
    records.renew(
        "suite",
        {
            "coverage": {
                "lines": whole["num_statements"],
                "lines covered": whole["covered_lines"],
                "branches": whole["num_branches"],
                "branches covered": whole["covered_branches"],
                "below": dict(sorted(low.items())),
            },
            "tests": _counted(counts),
        },
    )


def _counted(path: Path) -> dict[str, dict[str, int]]:
    """Return how many tests of each kind passed, were skipped and failed."""
    kinds: dict[str, Counter[str]] = {}
    for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
        module = case.get("classname", "").replace(".", "/")
        kind = next((words for start, words in KINDS.items() if module.startswith(start)), "others")
        ends = {child.tag for child in case} & {"failure", "error", "skipped"}
        end = "skipped" if ends == {"skipped"} else "failed" if ends else "passed"
        kinds.setdefault(kind, Counter())[end] += 1
    return {kind: dict(ends) for kind, ends in sorted(kinds.items())}


def written() -> str:
    """Return the page."""
    parts = [_HEAD, _tests(), _fuzzing(), _kills(), _mutants(), _coverage()]
    return "\n".join(parts)


_HEAD = """# Reliability

What was tried to break no2sr, how often, and how it went. This page is written by
`benchmarks/reliability.py` (`make reliability`) and never by hand; the figures that take long come
from the records in `benchmarks/records`, which the commands named here write anew.
"""


def _tests() -> str:
    found = records.read("suite").get("tests")
    if not found:
        return _absent("Tests", "make reliability")
    rows = [
        f"| {kind} | {ends.get('passed', 0)} | {ends.get('failed', 0)} | {ends.get('skipped', 0)} |"
        for kind, ends in found.items()
        if isinstance(ends, dict)
    ]
    return "\n".join(
        [
            f"## Tests, among them the catalogue of hostile inputs ({found['date']})\n",
            "Every hostile input has one exact outcome: the right map, a named warning, or a",
            "named error in one line with exit code 1. `tests/hostile` makes them on the fly.",
            "Laws are tried on the same few random scenes; `make laws N=1000` tries new ones.\n",
            "| kind | passed | failed | skipped |",
            "|---|--:|--:|--:|",
            *rows,
            "\nReproduce: `make reliability`.\n",
        ]
    )


def _fuzzing() -> str:
    found = records.read("fuzz")
    if not found:
        return _absent("Fuzzing", "make fuzz N=10000")
    ends = ", ".join(f"{count} {end}" for end, count in found["ends"].items())
    limits = found["limits"]
    return (
        "## Fuzzing\n\n"
        f"{found['cases']} mutants of {found['good_files']} good files (seed {found['seed']}) went "
        f"through the command line: **{found['failures']} failures**. A failure is a traceback, a "
        f"signal, more than {limits['seconds']} s or more than "
        f"{limits['memory_bytes'] / 1e9:.1f} GB. They ended so: {ends}. "
        f"{found.get('remark', '')}\n\n"
        f"Reproduce: `make fuzz N={found['cases']} SEED={found['seed']}`.\n"
    )


def _kills() -> str:
    found = records.read("kills").get("random moments")
    if not found:
        return _absent("Kills", "make kills N=100")
    states = ", ".join(
        f"{_FOUND.get(state, f'{state} finished')}: {count}"
        for state, count in sorted(found["found"].items())
        if state != "too late"
    )
    day = found["date"]
    if found.get("sources") != records.digest(records.KEEPING):
        day += ", of earlier sources"
    return (
        "## Kills\n\n"
        f"**{found['survived']} of {found['kills']}** runs that were killed (`kill -9`) at random "
        f"moments survived ({day}, seed {found['seed']}): the older output was untouched "
        "or the new one complete, nothing stray lay about, and the next run ended with the bytes "
        f"of a run that nobody killed. What the kills met: {states}. Full disks, "
        "lost rights, signals, changed inputs, two runs at once and too little memory are in "
        "`tests/faults`.\n\n"
        f"Reproduce: `make kills N={found['kills']}`.\n"
    )


_FOUND = {
    "complete": "output in its place",
    "not begun": "starting, or reading",
    "writing": "writing the output",
}


def _mutants() -> str:
    found = records.read("mutation")
    if not found:
        return _absent("Changed code", "make mutation")
    rows, tried, killed = [], 0, 0
    for part, about in sorted(found.items()):
        tried, killed = tried + about["tried"], killed + about["killed"]
        share = about["killed"] / about["tried"]
        day = about["date"] + ("" if _is_current(part, about) else ", of earlier sources")
        there = about.get("places") or about["mutants"]
        rows.append(
            f"| `{part}` | {there} | {about['tried']} | {about['killed']} | {share:.0%} | {day} |"
        )
    return "\n".join(
        [
            "## Changed code\n",
            "An operator, a number, a condition is changed (by cosmic-ray), and the tests of the",
            "module are to notice. Of each module a random sample was tried, drawn by a fixed",
            "seed; what survived is listed in `benchmarks/records/mutation.json`.\n",
            "| module | places to change | tried | noticed | share | when |",
            "|---|--:|--:|--:|--:|---|",
            *rows,
            f"| all | | {tried} | {killed} | **{killed / tried:.0%}** | |",
            "\nReproduce: `make mutation`.\n",
        ]
    )


def _is_current(part: str, about: dict) -> bool:
    sources = [*mutation.files_of(part), *mutation.tests_of(part)]
    return records.digest(sources) == about["sources"]


def _coverage() -> str:
    found = records.read("suite").get("coverage")
    if not found:
        return _absent("Coverage", "make reliability")
    lines = found["lines covered"] / found["lines"]
    branches = found["branches covered"] / found["branches"]
    covered = found["lines covered"] + found["branches covered"]
    together = covered / (found["lines"] + found["branches"])
    low = [f"| `{name}` | {share} % |" for name, share in found["below"].items()]
    table = ["| file | lines and branches |", "|---|--:|", *low] if low else []
    return "\n".join(
        [
            f"## Coverage ({found['date']})\n",
            f"The fast tests run **{lines:.1%}** of {found['lines']} lines and",
            f"**{branches:.1%}** of {found['branches']} branches: **{together:.1%}** of both.",
            "Compiled kernels, and what runs in forked children, the measurement does not see.",
            f"Files below {ASKED} % of both:\n",
            *table,
            "\nReproduce: `make reliability`.\n",
        ]
    )


def _absent(title: str, command: str) -> str:
    return f"## {title}\n\nNot measured yet: `{command}`.\n"


def main() -> None:
    """Measure if asked to, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="run the fast tests first")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reports", type=Path, nargs=2, metavar=("JSON", "XML"), help="take these")
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.workers)
    if asked.reports:
        keep(*asked.reports)
    PAGE.write_text(written(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
