"""Options that commands share. Each group of options builds one record, once.

An option whose parameter is called ``<record>_<field>`` sets that field of the record; the command
receives the record and never sees the single options.
"""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli.display import set_progress
from no2sr.cli.guard import set_guard
from no2sr.cli.messages import set_debug
from no2sr.cli.parsing import check_box, check_unit, parse_limits
from no2sr.cli.records import Saving, Working
from no2sr.cli.running import list_running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Command = Callable[..., None]
    Option = Callable[[Command], Command]

__all__ = [
    "MODEL",
    "PATH",
    "SCALE",
    "add_reading",
    "add_reading_of_swaths",
    "add_reading_of_values",
    "add_record",
    "add_saving",
    "add_working",
    "add_writing",
    "debug",
    "guard",
    "native",
    "progress",
    "quiet",
]

PATH = click.Path(path_type=Path)
SCALE, MODEL = 4, "srcnn"

_QUIET = "Print only warnings and errors."
quiet = click.option("--quiet", "-q", is_flag=True, help=_QUIET)
progress = click.option(
    "--progress",
    type=click.Choice(["bar", "lines"]),
    default="bar",
    show_default=True,
    expose_value=False,
    callback=set_progress,
    help="Show a bar on a terminal, or print lines on stderr for other programs.",
)
native = click.option(
    "--coarsen-to-native",
    "reading_coarsen_to_native",
    is_flag=True,
    help="First average an oversampled grid to its effective resolution; see no2sr info.",
)
debug = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=set_debug,
    help="Show logs, and the traceback of an error.",
)
guard = click.option(
    "--guard/--no-guard",
    default=None,
    expose_value=False,
    callback=set_guard,
    help="Read files in a separate process, so that a malformed file cannot crash the command.  "
    "[default: on Linux only, where it takes almost no time]",
)

_VALUES = (
    click.option(
        "--reader", "reading_reader", metavar="NAME", help="Reader to use.  [default: by structure]"
    ),
    click.option(
        "--variable", "reading_variable", metavar="NAME", help="Variable or band to read."
    ),
    click.option(
        "--unit-in",
        "reading_unit",
        metavar="UNIT",
        help="Unit of the values in the file, if the file does not state it; short names as for "
        "--unit.",
    ),
    click.option(
        "--nodata",
        "reading_nodata",
        type=float,
        metavar="VALUE",
        help="What marks a gap in the file, where it does not say so, such as -999 or 0.",
    ),
    click.option(
        "--qa",
        "reading_qa_min",
        type=click.FloatRange(0, 1),
        metavar="0..1",
        help="Quality that a swath pixel must exceed.  [default: 0.75]",
    ),
    click.option(
        "--limit",
        "reading_limits",
        metavar="NAME=VALUE",
        multiple=True,
        callback=parse_limits,
        help="Change a limit of the screening of TEMPO or GEMS; repeatable.",
    ),
    guard,
)
_SWATHS = (
    *_VALUES,
    click.option(
        "--bbox",
        "reading_bbox",
        nargs=4,
        type=float,
        metavar="WEST SOUTH EAST NORTH",
        callback=check_box,
        help="Region to read, in degrees; also as W,S,E,N.",
    ),
    click.option(
        "--resolution",
        "reading_resolution",
        type=click.FloatRange(min=0, min_open=True),
        metavar="DEGREES",
        help="Cell size of the grid for swaths.  [default: 0.05; for a swath of no known product, "
        "the size of its pixels]",
    ),
)
_STATED_TIME = click.option(
    "--time",
    "reading_time",
    metavar="TIME",
    help="When it was observed, if the files do not say so, such as 2020-06.",
)
_READING = (
    *_SWATHS,
    click.option(
        "--time",
        "reading_time",
        metavar="TIME",
        help="Time to read from a grid with several, such as 2023-10-31T04:00. For a file without "
        "times: when it was observed, such as 2020-06 or 2020-06-01/2020-06-14.",
    ),
)
_WRITING = (
    click.option(
        "--unit",
        "writing_unit",
        metavar="UNIT",
        callback=check_unit,
        help="Unit to write: umol, mol, molec, Pmolec, or a full name.  [default: umol m-2 in a "
        "GeoTIFF, mol m-2 in other files]",
    ),
    click.option(
        "--style/--no-style",
        "writing_style",
        default=True,
        show_default=True,
        help="Write a style for QGIS (.qml) beside a GeoTIFF.",
    ),
    click.option(
        "--range",
        "writing_limits",
        nargs=2,
        type=float,
        metavar="LOW HIGH",
        help="Ends of the colours of the style, in the unit shown: one scale for several files.",
    ),
    click.option(
        "--overwrite", "writing_overwrite", is_flag=True, help="Replace OUT if it exists."
    ),
)
_SAVING = (
    click.option(
        "--overwrite", "saving_overwrite", is_flag=True, help="Replace the output if it exists."
    ),
    click.option("--quiet", "-q", "saving_quiet", is_flag=True, help=_QUIET),
)
_BATCH = (
    click.option(
        "--skip-existing",
        "working_skip_existing",
        is_flag=True,
        help="Skip inputs whose output exists.",
    ),
    click.option(
        "--log",
        "working_log",
        type=PATH,
        metavar="FILE",
        help="Append one line of JSON per input to FILE.  [default: no2sr-log.jsonl in OUT, if OUT "
        "is a folder]",
    ),
    click.option("--quiet", "-q", "working_quiet", is_flag=True, help=_QUIET),
)


def add_reading(command: Command) -> Command:
    """Add the options on how files are opened; the command receives `reading`."""
    return add_record(command, "reading", _build_reading, _READING)


def add_reading_of_swaths(command: Command) -> Command:
    """Add the options of `reading` that apply to swaths."""
    return add_record(command, "reading", _build_reading, (*_SWATHS, _STATED_TIME))


def add_reading_of_values(command: Command) -> Command:
    """Add the options of `reading` that say what the values of a file are."""
    return add_record(command, "reading", _build_reading, _VALUES)


def add_writing(command: Command) -> Command:
    """Add the options on how a map is written; the command receives `writing`."""

    def build(**given: Any) -> object:
        from no2sr.downscaling.settings import Writing

        return Writing(**given)

    return add_record(command, "writing", build, _WRITING)


def add_saving(command: Command) -> Command:
    """Add ``--overwrite`` and ``--quiet``; the command receives `saving`."""
    return add_record(command, "saving", Saving, _SAVING)


def add_working(command: Command) -> Command:
    """Add the options on how a batch is worked through; the command receives `working`."""
    return add_record(command, "working", Working, (*list_running("working"), *_BATCH))


def _build_reading(**given: Any) -> object:
    from no2sr.downscaling.settings import Reading

    return Reading(**given)


def add_record(
    command: Command, name: str, build: Callable[..., object], chosen: Iterable[Option]
) -> Command:
    """Add options to a command, which receives one record instead of them.

    Parameters
    ----------
    command : callable
    name : str
        The argument by which the command receives the record. The options whose parameters are
        called ``<name>_<field>`` set its fields.
    build : callable
        Makes the record of its fields.
    chosen : iterable of decorators
        The options.
    """
    prefix = f"{name}_"

    @wraps(command)
    def call(*args: Any, **given: Any) -> None:
        fields = {key: given.pop(key) for key in list(given) if key.startswith(prefix)}
        record = build(**{key.removeprefix(prefix): value for key, value in fields.items()})
        command(*args, **{name: record}, **given)

    built: Command = call
    for option in reversed(tuple(chosen)):
        built = option(built)
    return built
