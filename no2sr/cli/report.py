"""``no2sr report``: one page on a fine map and the file that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.messages import start_backend

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("report", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("path", metavar="IN", type=options.PATH)
@click.argument("fine", metavar="FINE", type=options.PATH)
@click.option(
    "-o",
    "--output",
    "out",
    type=options.PATH,
    metavar="REPORT",
    help="Page to write.  [default: FINE with the suffix .html]",
)
@click.option("--title", default="", help="Heading of the page.")
@click.option(
    "--model",
    metavar="NAME|FOLDER",
    help="Model to judge on IN.  [default: the one that FINE names]",
)
@options.interpreting
@options.region
@options.overwriting
@options.quiet
@options.debug
def command(path: Path, fine: Path, *, out: Path | None, **settings: Any) -> None:
    """Report on the FINE map that was made of IN: one HTML file that opens without network.

    The page has a map to swipe between both and, if FINE has it, the uncertainty; values under the
    cursor, a legend, a histogram, how well the model does on IN by Wald's protocol, gaps, the
    conservation residual, and the provenance. Give IN with the options that FINE was made with.

    \b
    Examples:
      no2sr report tempo.tif fine.tif -o report.html
      no2sr report S5P_OFFL_L2__NO2_20231027.nc fine.tif --title "Delhi, 27 October"
    """
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.cli.pairs import add_uncertainty, open_pair
    from no2sr.views.report.page import write_report

    page = out or fine.with_suffix(".html")
    overwrite, quiet = settings.pop("overwrite"), settings.pop("quiet")
    telling = {name: settings.pop(name) for name in ("title", "model")}
    check_no_input([page], [path, fine])
    check_free(page, overwrite=overwrite)
    time = settings["time"]
    before, after = open_pair(path, fine, **settings)
    after = add_uncertainty(after, fine, time=time)
    start_backend(telling["model"])
    page.parent.mkdir(parents=True, exist_ok=True)
    written = write_report(before, after, page, overwrite=overwrite, **telling)
    if not quiet:
        click.echo(written)
