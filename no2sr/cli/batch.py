"""Many files, each worked on alone: what one does wrong, the others do not suffer.

Every file ends as one line of a log in JSON Lines, appended when the file is done, so that not even
a crash of the machine takes away what is known of the files before.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time as clock
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

import no2sr
from no2sr.cli.display import print_table
from no2sr.cli.messages import foreign, keeping_warnings, report, spoken
from no2sr.core.errors import No2srError, WriteError
from no2sr.core.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from no2sr.cli.jobs import Job

    Work = Callable[[Job], dict[str, Any]]

__all__ = ["LOG", "Log", "Outcome", "attempt", "run_batch"]

LOG = "no2sr-log.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one job."""

    job: Job
    result: Literal["done", "failed", "skipped"]
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: No2srError | None = None


class Log:
    """A file that one line of JSON a job is appended to.

    Parameters
    ----------
    path : Path or None
        None for no log. Lines that are there already stay.
    settings : dict
        Repeated in every line, so that each can be understood alone.

    Raises
    ------
    WriteError
        If the file cannot be written to; found out before the first job.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, _plain(settings)
        if path is not None:
            self._append("")

    def note(self, outcome: Outcome) -> None:
        """Append what became of a job."""
        if self.path is None:
            return
        error = outcome.error
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "no2sr": no2sr.__version__,
            "input": [str(source) for source in outcome.job.sources],
            "output": str(outcome.job.out) if outcome.result != "failed" else None,
            "result": outcome.result,
            "seconds": round(outcome.seconds, 3),
            "warnings": outcome.warnings,
            "error": None if error is None else _told(error),
            "facts": _plain(outcome.facts),
            "settings": self.settings,
        }
        self._append(json.dumps(entry, allow_nan=False) + "\n")

    def _append(self, line: str) -> None:
        """Write a line in one go, so that those of several runs do not mix."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as refused:
            raise WriteError(
                f"the log {self.path} cannot be written ({refused.strerror}), expected a writable "
                "folder with room; name another place with --log"
            ) from refused


def _told(error: No2srError) -> dict[str, Any]:
    """Return an error as the log has it: with its traceback if it should never have happened."""
    cause = error.__cause__
    told = {"kind": type(error).__name__, "message": spoken(error)}
    if cause is not None and type(error) is No2srError:
        told |= {"kind": type(cause).__name__}
        told |= {"traceback": "".join(traceback.format_exception(cause))}
    return told


def _plain(value: Any) -> Any:
    """Return what JSON can hold: it has no paths, no numbers of numpy, no NaN and no infinity."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None


def attempt(job: Job, work: Work, *, skip: bool = False, alone: bool = True) -> Outcome:
    """Do one job, whatever happens in it; only an interruption passes.

    Parameters
    ----------
    job : Job
    work : callable
        Does the job and returns what the log is to say of it.
    skip : bool
        Leave the job alone if its output is there.
    alone : bool
        Whether it is the only one; else warnings name the file.
    """
    if skip and os.path.exists(job.out):  # noqa: PTH110 - takes names that cannot be as they are
        return Outcome(job=job, result="skipped")
    began = clock.perf_counter()
    name = printable(job.sources[0].name)
    with keeping_warnings("" if alone else name) as kept:
        try:
            facts, error = work(job), None
        except No2srError as refused:
            facts, error = {}, refused
        except Exception as broken:  # noqa: BLE001 - of a thousand files one may find a fault of ours
            facts, error = {}, foreign(broken, name)
    return Outcome(
        job=job,
        result="done" if error is None else "failed",
        seconds=clock.perf_counter() - began,
        facts=facts,
        warnings=kept,
        error=error,
    )


def run_batch(
    jobs: list[Job],
    work: Work,
    *,
    log: Log,
    skip: bool = False,
    quiet: bool = False,
    debug: bool = False,
) -> int:
    """Do all jobs, say what became of each, and return how many failed.

    Parameters
    ----------
    jobs : list of Job
    work : callable
        As for `attempt`.
    log : Log
    skip : bool
        Leave out jobs whose output is there.
    quiet : bool
        Print nothing on stdout.
    debug : bool
        Show tracebacks.
    """
    outcomes: list[Outcome] = []
    try:
        for job in jobs:
            outcome = attempt(job, work, skip=skip, alone=False)
            outcomes.append(outcome)
            if outcome.error is not None:
                report(outcome.error, debug=debug, about=printable(job.sources[0].name))
            elif not quiet:
                click.echo(job.out)
            log.note(outcome)
    finally:  # of an interrupted batch, too, one wants to know how far it went
        if not quiet:
            _summarise(outcomes, of=len(jobs), log=log.path)
            sys.stdout.flush()
    return sum(outcome.result == "failed" for outcome in outcomes)


def _summarise(outcomes: list[Outcome], *, of: int, log: Path | None) -> None:
    """Print a line a file, and the sums; the reasons of failures were told in full before."""
    rows = [
        (
            printable(outcome.job.sources[0].name),
            outcome.result,
            outcome.facts.get("grid_out")
            or (_told(outcome.error)["kind"] if outcome.error else ""),
            f"{outcome.seconds:.1f}",
        )
        for outcome in outcomes
    ]
    print_table(rows, head=("file", "result", "made of it", "seconds"))
    counts: Counter[str] = Counter(outcome.result for outcome in outcomes)
    counts["not begun"] = of - len(outcomes)
    text = ", ".join(f"{count} {result}" for result, count in counts.items() if count)
    click.echo(f"{of} files: {text}" + (f"; log in {log}" if log else ""))
