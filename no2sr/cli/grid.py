"""``no2sr grid``: many swaths in, one level 3 grid out."""

from __future__ import annotations

import time as clock
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.display import print_table, progress_bar
from no2sr.cli.guard import guarded
from no2sr.cli.jobs import check_no_input, check_out, unit_to_write

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
    from no2sr.core.atomic import scratch_beside
    from no2sr.writers.level3 import outputs

    for path in outputs(out):  # what can be refused at once is refused before the long work
        check_out(path, overwrite=overwrite)
    check_no_input(outputs(out), inputs)
    began = clock.perf_counter()
    quiet, unit, asked = (settings.pop(name) for name in ("quiet", "unit_in", "unit_out"))
    source = inputs if len(inputs) > 1 else inputs[0]
    writing = {"overwrite": overwrite, "style": style, "asked": asked}
    with progress_bar(out.name, quiet=quiet) as progress, scratch_beside(out) as scratch:
        rows, written = guarded(
            partial(_gridded, out=out, scratch=scratch, writing=writing),
            source,
            unit=unit,
            progress=progress,
            **settings,
        )
    if not quiet:
        print_table([*rows, ("seconds", f"{clock.perf_counter() - began:.1f}")])
        click.echo("\n".join(map(str, written)))


def _gridded(
    source: Any, *, out: Path, scratch: Path, writing: dict[str, Any], **reading: Any
) -> tuple[list[tuple[str, str]], list[Path]]:
    """Grid and write, slab by slab, and return what is to be said of it.

    All in one process, the guarded one: a globe is too large to be handed on.
    """
    from no2sr.cli.limits import unhurried
    from no2sr.core.atomic import scratch_in
    from no2sr.core.door import choose_variable
    from no2sr.readers.opening.opener import grid_no2
    from no2sr.writers.level3 import write_level3

    # On another core, while the first file is unpacked.
    Thread(target=_load_kernel).start()
    gridded = grid_no2(source, lazy=True, **reading)
    unhurried()
    unit = unit_to_write(choose_variable(gridded), out, asked=writing.pop("asked"))
    with scratch_in(scratch):
        written = write_level3(gridded, out, unit=unit, **writing)
    return _summary(gridded), written


def _load_kernel() -> None:
    from no2sr.swaths.overlap import load

    load()


def _summary(gridded: xr.Dataset) -> list[tuple[str, str]]:
    """Return the rows of the table that ends the work."""
    from no2sr.cli.display import grid_in_words
    from no2sr.core.door import choose_variable

    column, count = choose_variable(gridded), gridded["count"]
    steps = str(column.attrs["history"]).splitlines()
    seen = int((count > 0).sum())
    mean = int(count.sum()) / max(seen, 1)
    return [
        ("read", steps[-1].removeprefix("no2sr: read ")),
        ("grid", grid_in_words(column)),
        ("gaps", f"{1 - seen / count.size:.1%}"),
        ("pixels to a cell", f"up to {int(count.max())}, on average {mean:.1f}"),
    ]
