"""Options that commands share, each written once."""

from __future__ import annotations

import math
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from no2sr.cli.display import set_progress
from no2sr.cli.guard import set_guard
from no2sr.cli.messages import set_debug

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MODEL",
    "PATH",
    "RAMPS",
    "SCALE",
    "BoxCommand",
    "colouring",
    "debug",
    "gridding",
    "interpreting",
    "log",
    "native",
    "overwriting",
    "progress",
    "quiet",
    "reading",
    "refining",
    "region",
    "running",
    "skip",
    "writing",
]

Command = TypeVar("Command", bound="Callable[..., Any]")


class BoxCommand(click.Command):
    """A command whose ``--bbox`` takes four numbers, or the four joined by commas."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take ``--bbox=W,S,E,N`` and ``--bbox W,S,E,N`` apart before click sees them."""
        return super().parse_args(ctx, _split_box(args))


def _split_box(args: list[str]) -> list[str]:
    split: list[str] = []
    for arg in args:
        if arg.startswith("--bbox="):
            split += ["--bbox", *arg.removeprefix("--bbox=").replace(",", " ").split()]
        elif split[-1:] == ["--bbox"] and arg.count(",") == 3:
            split += arg.replace(",", " ").split()
        else:
            split.append(arg)
    return split


def _check_box(
    _ctx: click.Context, _option: click.Parameter, box: tuple[float, float, float, float] | None
) -> tuple[float, float, float, float] | None:
    if box is not None and not (box[1] < box[3] and box[0] != box[2]):
        raise click.BadParameter(
            f"{box} encloses nothing; the order is WEST SOUTH EAST NORTH, as 76 27.5 78.5 29.5"
        )
    return box


def _parse_limits(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, float] | None:
    limits = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            limits[name.strip()] = float(value)
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is no limit; give a name and a number, as eff_cloud_fraction=0.5"
            ) from None
    return limits or None


def _parse_noise(_ctx: click.Context, _option: click.Parameter, text: str) -> str | float | None:
    if text in ("auto", "estimate"):
        return text
    if text == "none":
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise click.BadParameter(
            f"{text!r} is no noise; give auto, none, estimate, or one standard deviation, as 7"
        )
    return number


def _check_unit(_ctx: click.Context, _option: click.Parameter, unit: str | None) -> str | None:
    from no2sr.core.units import asked_unit

    return None if unit is None else asked_unit(unit)


PATH = click.Path(path_type=Path)
SCALE, MODEL = 4, "srcnn"
# Those of no2sr.core.colours, which imports numpy.
RAMPS = ("cividis", "cividis_r", "magma", "magma_r", "viridis", "viridis_r")

log = click.option(
    "--log",
    type=PATH,
    metavar="FILE",
    help="Append one line of JSON a file.  [default: no2sr-log.jsonl in OUT, if OUT is a folder]",
)
skip = click.option(
    "--skip-existing", is_flag=True, help="Leave inputs alone whose output is there already."
)
quiet = click.option("--quiet", "-q", is_flag=True, help="Print warnings and errors only.")
overwriting = click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
progress = click.option(
    "--progress",
    type=click.Choice(["bar", "lines"]),
    default="bar",
    show_default=True,
    expose_value=False,
    callback=set_progress,
    help="A bar on a terminal, or lines on stderr for other programs to read.",
)
native = click.option(
    "--coarsen-to-native",
    is_flag=True,
    help="Average an oversampled grid to what it resolves first; see no2sr info.",
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
    help="Read in a process of its own, which alone a malformed file can crash.  "
    "[default: on Linux, where it costs next to nothing]",
)

_INTERPRETING = (
    click.option("--reader", metavar="NAME", help="Reader to use, whichever would be asked first."),
    click.option("--variable", metavar="NAME", help="Variable or band to read."),
    click.option(
        "--unit-in", metavar="UNIT", help="Unit of the values in the file, where it says none."
    ),
    click.option(
        "--nodata",
        type=float,
        metavar="VALUE",
        help="What marks a gap in the file, where it does not say so, such as -999 or 0.",
    ),
    click.option(
        "--qa",
        "qa_min",
        type=click.FloatRange(0, 1),
        metavar="0..1",
        default=0.75,
        show_default=True,
        help="Quality that a swath pixel must exceed.",
    ),
    click.option(
        "--limit",
        "limits",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_parse_limits,
        help="Other limit of a screen of TEMPO or GEMS; repeatable.",
    ),
    guard,
)
_GRIDDING = (
    click.option(
        "--bbox",
        nargs=4,
        type=float,
        metavar="WEST SOUTH EAST NORTH",
        callback=_check_box,
        help="Region to read, in degrees; also as W,S,E,N.",
    ),
    click.option(
        "--resolution",
        type=click.FloatRange(min=0, min_open=True),
        metavar="DEGREES",
        help="Cell size of the grid that swaths are put on.  [default: 0.05; of a swath that is no "
        "known product, the size of its pixels]",
    ),
)
_REGION = (
    *_GRIDDING,
    click.option("--time", metavar="TIME", help="Step of a grid with several, 2023-10-31T04:00."),
)
_WRITING = (
    click.option(
        "--unit",
        "unit_out",
        metavar="UNIT",
        callback=_check_unit,
        help="Unit to write: umol, mol, molec, Pmolec, or spelt out.  [default: umol m-2 in a "
        "GeoTIFF, mol m-2 in other files]",
    ),
    click.option(
        "--style/--no-style",
        default=True,
        show_default=True,
        help="Put a style for QGIS (.qml) beside a GeoTIFF.",
    ),
    overwriting,
)
_COLOURING = (
    click.option(
        "--ramp",
        type=click.Choice(RAMPS),
        default="magma_r",
        show_default=True,
        help="Colours, from low to high.",
    ),
    click.option(
        "--range",
        "colour_limits",
        nargs=2,
        type=float,
        metavar="LOW HIGH",
        help="Where the colours end, in the unit shown.  [default: 0.5 % are beyond either]",
    ),
)
_REFINING = (
    click.option(
        "--scale", type=int, default=SCALE, show_default=True, help="Fine cells along a coarse one."
    ),
    click.option(
        "--model",
        metavar="NAME|FOLDER",
        default=MODEL,
        show_default=True,
        help="Shipped network, or folder of a saved one.",
    ),
    click.option(
        "--edges",
        type=click.Choice(["pad", "shave"]),
        default="pad",
        show_default=True,
        help="Keep the full extent, or cut the rim that saw padding.",
    ),
    click.option(
        "--noise",
        metavar="auto|none|estimate|NUMBER",
        default="auto",
        show_default=True,
        callback=_parse_noise,
        help="Noise of the input: what its own layer says, none, an estimate from the grid, or one "
        "standard deviation in umol m-2 (for another quantity, in its unit).",
    ),
    click.option(
        "--conserve",
        type=click.Choice(["auto", "noise", "additive", "multiplicative"]),
        default="auto",
        show_default=True,
        help="Hold block means to the observation within its noise, or exactly; auto is noise "
        "where noise is known, else additive.",
    ),
    click.option(
        "--uncertainty/--no-uncertainty",
        default=True,
        show_default=True,
        help="State the uncertainty of every value; in GeoTIFF as OUT_uncertainty.tif.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["onnxruntime", "tensorflow", "openvino"]),
        default="onnxruntime",
        show_default=True,
        help="What runs the network.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "int8"]),
        default="float32",
        show_default=True,
        help="Of the arithmetic in the network; fewer bits with openvino only.",
    ),
)
_REFINED = ("scale", "model", "edges", "noise", "conserve", "uncertainty", "engine", "precision")
_READ = (
    "reader",
    "variable",
    "nodata",
    "qa_min",
    "limits",
    "bbox",
    "resolution",
    "time",
    "coarsen_to_native",
)


_RUNNING = (
    click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        help="Work in N processes of Dask instead of threads.",
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Work on a Dask cluster, tcp://host:port."),
    click.option(
        "--resume/--no-resume",
        default=True,
        help="Go on from what a killed run left.  [default: resume]",
    ),
)


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options on how files are opened; the command gets them as `reading`, a record."""

    @wraps(command)
    def build(*args: Any, **given: Any) -> Any:
        from no2sr.downscaling.settings import Reading

        taken = {name: given.pop(name) for name in _READ if name in given}
        record = Reading(unit=given.pop("unit_in"), **taken)
        return command(*args, reading=record, **given)

    return _add((*_INTERPRETING, *_REGION), build)


def refining(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options on how a scene is made finer; the command gets them as `refining`."""

    @wraps(command)
    def build(*args: Any, **given: Any) -> Any:
        from no2sr.downscaling.settings import Refining

        record = Refining(**{name: given.pop(name) for name in _REFINED})
        return command(*args, refining=record, **given)

    return _add(_REFINING, build)


def writing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options on how the output is written; the command gets them as `writing`."""

    @wraps(command)
    def build(*args: Any, **given: Any) -> Any:
        from no2sr.downscaling.settings import Writing

        unit = given.pop("unit_out")
        record = Writing(unit=unit, overwrite=given.pop("overwrite"), style=given.pop("style"))
        return command(*args, writing=record, **given)

    return _add(_WRITING, build)


def interpreting(command: Command) -> Command:
    """Add the options that say what the values of a file are."""
    return _add(_INTERPRETING, command)


def gridding(command: Command) -> Command:
    """Add the options that say which grid swaths are put on."""
    return _add(_GRIDDING, command)


def region(command: Command) -> Command:
    """Add the options that say where and when to read."""
    return _add(_REGION, command)


def colouring(command: Command) -> Command:
    """Add the options that say how values are coloured."""
    return _add(_COLOURING, command)


def running(command: Command) -> Command:
    """Add the options that say what does the work, and whether from the beginning."""
    return _add(_RUNNING, command)


def _add(chosen: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(chosen):
        command = option(command)
    return command
