"""``no2sr info``: what a file holds, and how it would be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.display import print_table
from no2sr.errors import ReadError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("info", no_args_is_help=True)
@click.argument("path", metavar="FILE", type=options.PATH)
@options.interpreting
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@options.debug
def command(path: Path, *, as_json: bool, **settings: Any) -> None:
    """Say what FILE holds and how it would be read.

    The exit code is 1, and the reason on stderr, where it cannot be read as NO2.

    \b
    Examples:
      no2sr info S5P_OFFL_L2__NO2_20231027.nc
      no2sr info tempo.tif --json
      no2sr info counts.tif --unit-in "umol m-2"
    """
    from no2sr.readers import describe

    settings["unit"] = settings.pop("unit_in")
    facts = describe(path, **settings)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    elif facts["reader"]:
        print_table(_rows(facts))
    if facts["problem"]:
        raise ReadError(facts["problem"])


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Word the facts that are known; the problem goes to stderr instead."""
    rows = {
        "file": facts["file"],
        "product": facts["product"],
        "variables": "\n".join(map(_variable, facts["variables"] or [])),
        "read as": _known("{kind} of {variable}", facts, "kind"),
        "unit": facts["unit"],
        "size": " x ".join(map(str, facts["shape"] or [])),
        "CRS": facts["crs"],
        "bounds": _numbers(facts["bounds"], " "),
        "spacing": _numbers(facts["spacing"], " x "),
        "time": " to ".join(dict.fromkeys(facts["time"] or [])),
        "gaps": _known("{gap_share:.1%}", facts, "gap_share"),
        "quality": _known("above {quality_threshold}", facts, "quality_threshold"),
        "values": _values(facts),
        "warnings": "\n".join(facts["warnings"]),
    }
    return [(name, text) for name, text in rows.items() if text]


def _known(text: str, facts: dict[str, Any], name: str) -> str:
    return text.format(**facts) if facts[name] is not None else ""


def _numbers(values: list[float] | None, joint: str) -> str:
    return joint.join(f"{value:.7g}" for value in values or [])


def _values(facts: dict[str, Any]) -> str:
    if not facts["range"]:
        return ""
    least, median, most = facts["range"]
    return f"{least:.3g} to {most:.3g}, median {median:.3g} {facts['range_unit']}"


def _variable(variable: dict[str, Any]) -> str:
    unit = f" [{variable['unit']}]" if variable["unit"] else ""
    sizes = zip(variable["dims"], variable["shape"], strict=True)
    return f"{variable['name']}{unit} {' x '.join(f'{dim} {size}' for dim, size in sizes)}".rstrip()
