"""Check and parse what click cannot: boxes, limits, noise and units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from no2sr.core.earth import Box

__all__ = [
    "BoxCommand",
    "check_box",
    "check_unit",
    "parse_added_noise",
    "parse_limits",
    "parse_names",
    "parse_noise",
]


class BoxCommand(click.Command):
    """A command whose ``--bbox`` takes four numbers, or the four joined by commas."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split ``--bbox=W,S,E,N`` and ``--bbox W,S,E,N`` before click sees them."""
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


def check_box(_ctx: click.Context, _option: click.Parameter, box: Box | None) -> Box | None:
    """Refuse a box that encloses nothing."""
    if box is not None and not (box[1] < box[3] and box[0] != box[2]):
        raise click.BadParameter(
            f"{box} encloses nothing; the order is WEST SOUTH EAST NORTH, such as 76 27.5 78.5 29.5"
        )
    return box


def parse_limits(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, float] | None:
    """Parse ``eff_cloud_fraction=0.5``."""
    limits = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            limits[name.strip()] = float(value)
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is not a limit; give a name and a number, such as eff_cloud_fraction=0.5"
            ) from None
    return limits or None


def parse_noise(_ctx: click.Context, _option: click.Parameter, text: str) -> str | float | None:
    """Parse a number or one of the words for noise."""
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
            f"{text!r} is not a noise; give auto, none, estimate, or one standard deviation, such "
            "as 7"
        )
    return number


def check_unit(_ctx: click.Context, _option: click.Parameter, unit: str | None) -> str | None:
    """Replace the short name of a unit by its full name."""
    from no2sr.core.units import asked_unit

    return None if unit is None else asked_unit(unit)


def parse_names(
    _ctx: click.Context, _option: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    """Split a list at its commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else None


def parse_added_noise(
    _ctx: click.Context, _option: click.Parameter, text: str | None
) -> tuple[float, float] | None:
    """Read one standard deviation, or the constant and the relative part of one."""
    if text is None:
        return None
    try:
        parts = [float(part) for part in text.split(",")]
    except ValueError:
        parts = []
    if not (1 <= len(parts) <= 2 and all(math.isfinite(part) and part >= 0 for part in parts)):
        raise click.BadParameter(
            f"{text!r} is no noise; give one standard deviation, as 7, or its constant and its "
            "relative part, as 7,0.15"
        )
    return parts[0], parts[1] if len(parts) == 2 else 0.0
