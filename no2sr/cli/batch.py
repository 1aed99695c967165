"""Process many files separately: a bad file does not affect the others.

Every file becomes one line of a log in JSON Lines. It is appended when the file is done, so that
even a crash of the machine does not lose what is known about earlier files.
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
from no2sr.cli.messages import convert_foreign, keep_warnings, report, reword
from no2sr.core.errors import No2srError, WriteError
from no2sr.core.names import make_printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from no2sr.cli.jobs import Job

    Work = Callable[[Job], dict[str, Any]]

__all__ = ["LOG", "Log", "Outcome", "attempt", "run_batch"]

LOG = "no2sr-log.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one job."""

    job: Job
    result: Literal["done", "failed", "skipped"]
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: No2srError | None = None


class Log:
    """A file to which one line of JSON per job is appended.

    Parameters
    ----------
    path : Path or None
        None for no log. Existing lines are kept.
    settings : dict
        Repeated in every line, so that each line is complete.

    Raises
    ------
    WriteError
        If the file cannot be written; this is checked before the first job.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, _to_json(settings)
        if path is not None:
            self._append("")

    def note(self, outcome: Outcome) -> None:
        """Append the outcome of a job."""
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
            "error": None if error is None else _describe_error(error),
            "facts": _to_json(outcome.facts),
            "settings": self.settings,
        }
        self._append(json.dumps(entry, allow_nan=False) + "\n")

    def _append(self, line: str) -> None:
        """Write a line in one call, so that lines of several runs do not mix."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as refused:
            raise WriteError(
                f"the log {self.path} cannot be written ({refused.strerror}); "
                "choose another file with --log"
            ) from refused


def _describe_error(error: No2srError) -> dict[str, Any]:
    """Return an error in the form of the log, with its traceback if it is a bug."""
    cause = error.__cause__
    entry = {"kind": type(error).__name__, "message": reword(error)}
    if cause is not None and type(error) is No2srError:
        entry |= {"kind": type(cause).__name__}
        entry |= {"traceback": "".join(traceback.format_exception(cause))}
    return entry


def _to_json(value: Any) -> Any:
    """Convert a value to what JSON can hold: no paths, numpy numbers, NaN or infinity."""
    if isinstance(value, dict):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None


def attempt(job: Job, work: Work, *, skip: bool = False, alone: bool = True) -> Outcome:
    """Do one job and catch every error; only an interruption passes.

    Parameters
    ----------
    job : Job
    work : callable
        Does the job and returns the facts for the log.
    skip : bool
        Whether to skip the job if its output exists.
    alone : bool
        Whether it is the only one; otherwise warnings name the file.
    """
    if skip and os.path.exists(job.out):  # noqa: PTH110 - accepts impossible names
        return Outcome(job=job, result="skipped")
    began = clock.perf_counter()
    name = make_printable(job.sources[0].name)
    with keep_warnings("" if alone else name) as kept:
        try:
            facts, error = work(job), None
        except No2srError as refused:
            facts, error = {}, refused
        except Exception as broken:  # noqa: BLE001 - a bug must not stop the others
            facts, error = {}, convert_foreign(broken, name)
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
    """Do all jobs, report the outcome of each, and return the number of failures.

    Parameters
    ----------
    jobs : list of Job
    work : callable
        As for `attempt`.
    log : Log
    skip : bool
        Whether to skip jobs whose output exists.
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
                report(outcome.error, debug=debug, about=make_printable(job.sources[0].name))
            elif not quiet:
                click.echo(job.out)
            log.note(outcome)
    finally:  # also after an interruption
        if not quiet:
            _summarise(outcomes, of=len(jobs), log=log.path)
            sys.stdout.flush()
    return sum(outcome.result == "failed" for outcome in outcomes)


def _summarise(outcomes: list[Outcome], *, of: int, log: Path | None) -> None:
    """Print one line per file and the totals; the reasons of failures were printed before."""
    rows = [
        (
            make_printable(outcome.job.sources[0].name),
            outcome.result,
            outcome.facts.get("grid_out")
            or (_describe_error(outcome.error)["kind"] if outcome.error else ""),
            f"{outcome.seconds:.1f}",
        )
        for outcome in outcomes
    ]
    print_table(rows, head=("file", "result", "output", "seconds"))
    counts: Counter[str] = Counter(outcome.result for outcome in outcomes)
    counts["not started"] = of - len(outcomes)
    text = ", ".join(f"{count} {result}" for result, count in counts.items() if count)
    click.echo(
        f"{of} {'file' if of == 1 else 'files'}: {text}" + (f"; log in {log}" if log else "")
    )
