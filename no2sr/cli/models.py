"""``no2sr models``: the shipped networks and what they reached on data they never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.display import print_table

if TYPE_CHECKING:
    from no2sr.networks.card import ModelCard

__all__ = ["command"]

_HEAD = ("network", "scale", "RMSE / bicubic", "best classical / bicubic", "PSNR dB (bicubic)")


@click.command("models")
@options.debug
def command() -> None:
    """List the shipped networks with the figures on their cards.

    A ratio of root mean square errors below 1 beats bicubic interpolation. Networks for pictures
    (luminance) are what no2sr enhance uses.

    \b
    Example:
      no2sr models
    """
    from no2sr.networks.store import available_models

    cards = available_models()
    print_table([_row(card) for card in cards], head=_HEAD)
    for reference in sorted({str(card.metrics["reference"]) for card in cards}):
        click.echo(f"  judged on {reference}")


def _row(card: ModelCard) -> tuple[str, ...]:
    figures = card.metrics
    of_columns = card.domain == "column"
    return (
        card.name,
        str(card.scale),
        f"{figures['rmse_over_bicubic']:.3f}" if of_columns else "-",
        f"{figures['best_classical_over_bicubic']:.3f} ({figures['best_classical']})"
        if of_columns
        else "-",
        f"{figures['psnr_db']:.2f} ({figures['psnr_db_bicubic']:.2f})",
    )
