"""``no2sr models``: the shipped networks and their accuracy on data outside their training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.display import print_table

if TYPE_CHECKING:
    from no2sr.networks.card import ModelCard

__all__ = ["command"]

_HEAD = ("network", "scale", "RMSE / bicubic", "best classical / bicubic", "PSNR dB (bicubic)")
_STEP_HEAD = ("noise step", "weights", "inputs", "RMSE / bicubic")


@click.command("models")
@options.debug
def command() -> None:
    """List the shipped networks with the accuracy stated on their cards.

    A ratio of root mean square errors below 1 is better than bicubic interpolation. no2sr enhance
    uses the networks for pictures (luminance). The networks of the noise step follow in a second
    table.

    \b
    Example:
      no2sr models
    """
    from no2sr.networks.store import available_models

    cards = available_models()
    print_table([_row(card) for card in cards], head=_HEAD)
    _echo_references(cards)
    steps = [card for card in available_models(role=None) if card.role != "super-resolution"]
    if steps:
        click.echo()
        print_table([_step_row(card) for card in steps], head=_STEP_HEAD)
        _echo_references(steps)


def _echo_references(cards: list[ModelCard]) -> None:
    """Print the data sets on which the accuracy was measured."""
    for reference in sorted({str(card.metrics.get("reference", "")) for card in cards} - {""}):
        click.echo(f"  measured on {reference}")


def _step_row(card: ModelCard) -> tuple[str, ...]:
    """Return the row of a network that keeps the coarse grid."""
    figure = card.metrics.get("rmse_over_bicubic")
    return (
        card.name,
        f"{card.parameters}",
        ", ".join(card.inputs),
        "-" if figure is None else f"{figure:.3f}",
    )


def _row(card: ModelCard) -> tuple[str, ...]:
    """Return the row of a network for super-resolution."""
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
