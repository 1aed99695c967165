"""Options on what computes blocks; `downscale` and `reconstruct` share them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    Option = Callable[[Callable[..., None]], Callable[..., None]]

__all__ = ["list_running"]


def list_running(record: str) -> tuple[Option, ...]:
    """Return the options on what computes blocks, and whether from the beginning.

    They set the fields `workers`, `scheduler` and `resume` of the record of this name.
    """
    return (
        click.option(
            "--workers",
            f"{record}_workers",
            type=click.IntRange(1),
            metavar="N",
            help="Use N Dask processes.",
        ),
        click.option(
            "--scheduler",
            f"{record}_scheduler",
            metavar="ADDRESS",
            help="Use the workers of a Dask cluster, tcp://host:port.",
        ),
        click.option(
            "--resume/--no-resume",
            f"{record}_resume",
            default=True,
            help="Continue from what a killed run has left.  [default: resume]",
        ),
    )
