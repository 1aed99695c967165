"""``no2sr grid``: many swaths in, one level 3 grid out."""

from __future__ import annotations

import time as clock
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.display import print_table, progress_bar
from no2sr.cli.guard import guarded
from no2sr.cli.jobs import check_out, unit_to_write

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

__all__ = ["command"]


@click.command("grid", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@options.interpreting
@options.gridding
@options.writing
@options.progress
@options.quiet
@options.debug
def command(
    inputs: tuple[Path, ...], out: Path, *, overwrite: bool, style: bool, **settings: Any
) -> None:
    """Put many swaths on one grid, by the areas that pixels and cells share.

    IN is a level 2 file, or a folder of them; they are read one at a time. OUT holds the column,
    the coverage (share of a cell that was observed), the count of pixels, and the standard error
    of the column: precision if the errors of pixels are fully correlated, precision_independent
    if they are independent; the truth lies between. As .nc it is one CF file; as .tif, which
    holds one field, it is OUT for the column and OUT_coverage.tif and so on beside it; --overwrite
    also removes those of an earlier run that this one does not write.

    Pixels are screened as their product advises; --qa sets the threshold where there is a quality
    value, --limit moves the screens of TEMPO and GEMS. What was applied is in the history of OUT.

    \b
    Examples:
      no2sr grid S5P_OFFL_L2__NO2_*.nc month.nc --bbox 76 27.5 78.5 29.5
      no2sr grid granules/ l3.tif --resolution 0.1 --qa 0.5 --unit Pmolec
    """
    from no2sr.readers import grid_no2
    from no2sr.writers.level3 import outputs, write_level3

    for path in outputs(out):  # what can be refused at once is refused before the long work
        check_out(path, overwrite=overwrite)
    taken = {path.resolve() for path in inputs}
    if any(path.resolve() in taken for path in outputs(out)):
        raise click.UsageError(f"{out.name} is also an input; give one of them another name")
    began = clock.perf_counter()
    quiet, unit, asked = (settings.pop(name) for name in ("quiet", "unit_in", "unit_out"))
    source = inputs if len(inputs) > 1 else inputs[0]
    with progress_bar(out.name, quiet=quiet) as progress:
        gridded = guarded(grid_no2, source, unit=unit, progress=progress, **settings)
        out.parent.mkdir(parents=True, exist_ok=True)
        unit_out = unit_to_write(gridded["column"], out, asked=asked)
        written = write_level3(gridded, out, overwrite=overwrite, unit=unit_out, style=style)
    if not quiet:
        print_table(_summary(gridded, seconds=clock.perf_counter() - began))
        click.echo("\n".join(map(str, written)))


def _summary(gridded: xr.Dataset, *, seconds: float) -> list[tuple[str, str]]:
    """Return the rows of the table that ends the work."""
    from no2sr.cli.display import grid_in_words

    column, count = gridded["column"], gridded["count"].values
    steps = str(column.attrs["history"]).splitlines()
    return [
        ("read", steps[-1].removeprefix("no2sr: read ")),
        ("grid", grid_in_words(column)),
        ("gaps", f"{float(column.isnull().mean()):.1%}"),
        ("pixels to a cell", f"up to {count.max()}, on average {count[count > 0].mean():.1f}"),
        ("seconds", f"{seconds:.1f}"),
    ]
