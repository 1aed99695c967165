"""``no2sr info``: the contents of a file, how no2sr reads it, and what downscale makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.advice import advise, describe_advice
from no2sr.cli.display import describe_values, print_table
from no2sr.cli.guard import call_guarded
from no2sr.cli.messages import report, reword, wants_debug
from no2sr.cli.parsing import BoxCommand, check_box
from no2sr.cli.places import describe_history, judge_history
from no2sr.core.errors import No2srError, ReadError
from no2sr.core.provenance import list_labelled, refinement_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from no2sr.core.earth import Box
    from no2sr.downscaling.settings import Reading

__all__ = ["command"]

_SHOWN = 12  # variables in the table; level 2 files have two hundred


@click.command("info", cls=BoxCommand, no_args_is_help=True)
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=options.PATH)
@options.add_reading_of_values
@click.option(
    "--bbox",
    nargs=4,
    type=float,
    metavar="WEST SOUTH EAST NORTH",
    callback=check_box,
    help="Count the overpasses that have valid pixels in this region, in degrees.",
)
@click.option(
    "--history",
    type=options.PATH,
    metavar="FILE",
    help="Tell whether this fine map fits as a history of the place; reads both.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@options.debug
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    *,
    reading: Reading,
    bbox: Box | None,
    history: Path | None,
    as_json: bool,
) -> None:
    """Show what each FILE holds, how no2sr reads it, and what downscale would make of it.

    FILE may also be a folder or a quoted pattern. The product and the number of files are then
    shown, and the contents of the first file that is not empty. If a file cannot be read as NO2,
    the exit code is 1 and the reason is printed on stderr. With --json, one FILE gives an object,
    several give a list. For several swaths the command also recommends downscale or reconstruct by
    their number; --bbox counts those that cover a region, which reads them all.

    \b
    Examples:
      no2sr info S5P_OFFL_L2__NO2_20231027.nc
      no2sr info tempo.tif --json
      no2sr info granules/*.nc
      no2sr info granules/ --bbox 14.6 36.6 15.8 37.9
      no2sr info counts.tif --unit-in "umol m-2"
      no2sr info day.nc --history year.nc
    """
    from no2sr.readers.opening.describe import describe
    from no2sr.readers.port import ReadOptions

    told = ReadOptions(
        variable=reading.variable,
        unit=reading.unit,
        nodata=reading.nodata,
        qa_min=reading.qa_min,
        limits=reading.limits,
    )
    all_facts = []
    for path in paths:
        facts = call_guarded(describe, path, reader=reading.reader, options=told)
        facts["downscale"] = _plan(facts)
        facts["overpasses"] = call_guarded(advise, path, facts=facts, reading=reading, bbox=bbox)
        known = None if facts["problem"] else history
        facts["history_fit"] = judge_history(path, known, reading=reading, scale=options.SCALE)
        all_facts.append(facts)
        if not as_json and facts["reader"]:
            print_table(_rows(facts))
    if as_json:
        click.echo(json.dumps(all_facts if len(paths) > 1 else all_facts[0], indent=2))
    mixed = _warn_of_mixture(all_facts)
    if mixed:
        click.echo(f"Warning: {mixed}", err=True)
    problems = [ReadError(facts["problem"]) for facts in all_facts if facts["problem"]]
    if len(paths) == 1 and problems:
        raise problems[0]
    for problem in problems:
        report(problem, debug=wants_debug(ctx))
    if problems:
        ctx.exit(1)


def _plan(facts: dict[str, Any]) -> dict[str, Any] | None:
    """Compute what ``no2sr downscale`` would make of the file with its default settings."""
    from no2sr.downscaling.pipeline import LEAST_CELLS

    if facts["problem"]:
        return None
    grid = _coarse_grid(facts)
    if grid is None:
        return None
    (ny, nx), (dx, dy) = grid
    small = f"too small: {ny} x {nx} cells, of at least {LEAST_CELLS} along each axis"
    return {
        "scale": options.SCALE,
        "model": options.MODEL,
        "approximate": facts["kind"] == "swath",
        "shape": [ny * options.SCALE, nx * options.SCALE],
        "spacing": [dx / options.SCALE, dy / options.SCALE],
        "problem": small if min(ny, nx) < LEAST_CELLS else _missing_weights(),
    }


def _coarse_grid(facts: dict[str, Any]) -> tuple[tuple[int, int], tuple[float, float]] | None:
    """Return rows and columns, and the spacing (x, y), of the grid that would be refined."""
    if facts["kind"] == "grid":
        ny, nx = facts["shape"][-2:]
        return (ny, nx), tuple(facts["spacing"])
    if facts["bounds"] is None:
        return None
    west, south, east, north = facts["bounds"]
    step = facts["resolution"]
    return (round((north - south) / step) + 1, round((east - west) / step) + 1), (step, step)


def _missing_weights() -> str | None:
    from no2sr.networks.store import load_model

    try:
        load_model(options.MODEL, scale=options.SCALE)
    except No2srError as missing:
        return str(missing)
    return None


def _warn_of_mixture(all_facts: list[dict[str, Any]]) -> str:
    """Return a warning if the files come from processors whose columns differ."""
    versions = {str(facts["processor_version"] or "") for facts in all_facts} - {""}
    series = sorted({".".join(version.split(".")[:2]) for version in versions})
    if len(series) < 2:
        return ""
    return (
        f"the files come from processor versions {', '.join(series)}, whose columns differ "
        "systematically; use a reprocessed collection"
    )


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of the table of known facts; a problem goes to stderr instead."""
    rows = {
        "file": facts["file"],
        "files": _files(facts),
        "product": facts["product"],
        "source": facts["source"],
        "variables": "\n".join(_variables(facts["variables"] or [])),
        "read as": _fill_in("{kind} of {variable}", facts, "kind"),
        "unit": facts["unit"],
        "processor": facts["processor_version"],
        "size": " x ".join(map(str, facts["shape"] or [])),
        "CRS": facts["crs"],
        "bounds": _numbers(facts["bounds"], " "),
        "spacing": _numbers(facts["spacing"], " x "),
        "resolves": _resolution(facts),
        "pixels": f"{_numbers(facts['pixel_km'], ' x ', 3)} km" if facts["pixel_km"] else "",
        "time": facts["observed"],
        "gaps": _fill_in("{gap_share:.1%}", facts, "gap_share"),
        "quality": _fill_in("{screening}", facts, "screening"),
        "values": describe_values(facts["range"], facts["range_unit"], stored=facts["unit"]),
        "noise": "\n".join(_noise(facts)),
        "noted by no2sr": "\n".join(
            f"{name}: {text}" for name, text in list_labelled(facts["made_by"] or {})
        ),
        "downscale": _downscale(facts["downscale"], facts),
        "overpasses": describe_advice(facts["overpasses"]),
        "history": describe_history(facts["history_fit"]),
        "warnings": "\n".join(map(reword, facts["warnings"])),
    }
    return [(name, text) for name, text in rows.items() if text]


def _files(facts: dict[str, Any]) -> str:
    """Describe the files of a folder or pattern, and the one that the other rows describe."""
    if (facts["files"] or 1) == 1:
        return ""
    first = facts["first"]
    return f"{facts['files']}, read as one" + (
        f"; the other rows describe {first}" if first else ""
    )


def _fill_in(text: str, facts: dict[str, Any], name: str) -> str:
    return text.format(**facts) if facts[name] is not None else ""


def _numbers(values: list[float] | None, joint: str, digits: int = 7) -> str:
    return joint.join(f"{value:.{digits}g}" for value in values or [])


def _resolution(facts: dict[str, Any]) -> str:
    """Describe the effective resolution, and how it was found if it is not the spacing."""
    if facts["effective_resolution"] is None:
        return ""
    there, trace = _numbers(facts["effective_resolution"], " x ", 3), facts["oversampling"]
    if trace:
        return f"about {there} ({trace['evidence']})"
    if refinement_of(facts["made_by"] or {}) > 1:
        return f"{there} (before refining)"
    return f"{there} (no trace of a coarser one)"


_KINDS = {
    "uncertainty_random": "random",
    "uncertainty_systematic": "systematic",
    "uncertainty": "total",
}


def _noise(facts: dict[str, Any]) -> Iterator[str]:
    """Format the known uncertainties and where they come from."""
    if not facts["range"]:
        return
    known = facts["noise"] or {}
    for layer, kind in _KINDS.items():
        if layer in known:
            median, comment = known[layer]["median"], known[layer]["comment"]
            source = comment or "from the file"
            yield f"{kind}: median {median:.3g} {facts['range_unit']}, {source}"
    if "uncertainty_random" not in known:
        yield "random part: not known, neither from the file nor from neighbouring pixels"


def _downscale(plan: dict[str, Any] | None, facts: dict[str, Any]) -> str:
    """Describe what downscale would make by default, and any problem with it."""
    if plan is None:
        return ""
    if plan["problem"]:
        return f"not possible: {plan['problem']}"
    size = " x ".join(map(str, plan["shape"]))
    text = (
        f"{'about ' if plan['approximate'] else ''}{size} cells of "
        f"{_numbers(plan['spacing'], ' x ')} (scale {plan['scale']}, model {plan['model']})"
    )
    if facts["oversampling"]:
        factor = facts["oversampling"]["factor"]
        text += (
            f"\nbut not really sharper: add --coarsen-to-native to average {factor} x {factor} "
            "cells first"
        )
    return text


def _variables(variables: list[dict[str, Any]]) -> Iterator[str]:
    """Describe the variables; if there are many, those that mention NO2 first."""
    from no2sr.core.columns import mentions_no2

    if len(variables) > _SHOWN:
        variables = sorted(variables, key=lambda variable: not mentions_no2(variable["name"]))
    yield from map(_variable, variables[:_SHOWN])
    if len(variables) > _SHOWN:
        yield f"and {len(variables) - _SHOWN} more; --json lists all"


def _variable(variable: dict[str, Any]) -> str:
    unit = f" [{variable['unit']}]" if variable["unit"] else ""
    sizes = zip(variable["dims"], variable["shape"], strict=True)
    return f"{variable['name']}{unit} {' x '.join(f'{dim} {size}' for dim, size in sizes)}".rstrip()
