"""``no2sr report``: one page on a fine map and the file that it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.messages import start_backend
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from no2sr.cli.records import Saving
    from no2sr.downscaling.settings import Reading

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is written on the page, and where it goes.

    Attributes
    ----------
    out : Path, optional
        By default FINE with the suffix ``.html``.
    title : str
    model : str, optional
        Model to judge; by default the one that FINE names.
    """

    out: Path | None
    title: str
    model: str | None


def _add_page(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on the page; the command receives `page`."""
    chosen = (
        click.option(
            "-o",
            "--output",
            "page_out",
            type=options.PATH,
            metavar="REPORT",
            help="Page to write.  [default: FINE with the suffix .html]",
        ),
        click.option("--title", "page_title", default="", help="Heading of the page."),
        click.option(
            "--model",
            "page_model",
            metavar="NAME|FOLDER",
            help="Model to judge on IN.  [default: the one that FINE names]",
        ),
    )
    return options.add_record(command, "page", Page, chosen)


@click.command("report", cls=BoxCommand, no_args_is_help=True)
@click.argument("path", metavar="IN", type=options.PATH)
@click.argument("fine", metavar="FINE", type=options.PATH)
@_add_page
@options.add_reading
@options.add_saving
@options.debug
def command(path: Path, fine: Path, *, page: Page, reading: Reading, saving: Saving) -> None:
    """Report on the FINE map that was made of IN: one HTML file that opens without network.

    The page has a map to swipe between both and, if FINE has it, the uncertainty; values under the
    cursor, a legend, a histogram, how well the model does on IN by Wald's protocol, gaps, the
    conservation residual, and the provenance. Give IN with the options that FINE was made with,
    without --coarsen-to-native: FINE records that IN was averaged first, and IN is averaged again.

    \b
    Examples:
      no2sr report tempo.tif fine.tif -o report.html
      no2sr report S5P_OFFL_L2__NO2_20231027.nc fine.tif --title "Delhi, 27 October"
    """
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.cli.pairs import add_layers, open_pair
    from no2sr.core.layers import TOTAL
    from no2sr.views.report.page import write_report

    out = page.out or fine.with_suffix(".html")
    check_no_input([out], [path, fine])
    check_free(out, overwrite=saving.overwrite)
    before, after = open_pair(reading, path, fine)
    after = add_layers(after, fine, [TOTAL], time=reading.time)
    start_backend(page.model)
    out.parent.mkdir(parents=True, exist_ok=True)
    written = write_report(
        before, after, out, model=page.model, title=page.title, overwrite=saving.overwrite
    )
    if not saving.quiet:
        click.echo(written)
