"""``no2sr grid``: many swaths in, one level 3 grid out."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.jobs import check_layers, make_one_output, write_scene
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    from no2sr.downscaling.settings import Reading, Writing

__all__ = ["command"]


@click.command("grid", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@options.add_reading_of_swaths
@click.option(
    "--by",
    type=click.Choice(["day", "month", "season", "year"]),
    help="Write one mean for each day, month, season or year (UTC), to a .nc or .zarr.",
)
@options.add_writing
@options.progress
@options.quiet
@options.debug
def command(
    inputs: tuple[Path, ...],
    out: Path,
    *,
    reading: Reading,
    by: str | None,
    writing: Writing,
    quiet: bool,
) -> None:
    """Put many swaths on one grid, weighted by the areas that pixels and cells share.

    IN is a level 2 file or a folder of them; files are read one at a time. OUT holds the column
    and, where they are known, its companions: _uncertainty_random (the error that is independent
    between pixels, "noise"), _uncertainty_systematic (the error that pixels share),
    _uncertainty (both together), coverage (share of a cell that was observed) and count (number of
    pixels). A .nc or .zarr holds all of them. A .tif holds one field: OUT is the column, and
    OUT_coverage.tif and so on lie beside it. With --overwrite, layers of an earlier run that this
    one does not write are removed.

    Pixels are screened as their product advises. --qa sets the threshold where there is a quality
    value, --limit moves the screens of TEMPO and GEMS. The history of OUT says what was applied.

    \b
    Examples:
      no2sr grid S5P_OFFL_L2__NO2_*.nc month.nc --bbox 76 27.5 78.5 29.5
      no2sr grid granules/ l3.tif --resolution 0.1 --qa 0.5 --unit Pmolec
      no2sr grid granules/ months.nc --by month
    """
    if by is not None and out.suffix.lower() in (".tif", ".tiff"):
        raise click.UsageError(f"a GeoTIFF holds one time; with --by {by}, make OUT a .nc or .zarr")
    check_layers(out, inputs, overwrite=writing.overwrite)
    settings = reading.arguments() | {"freq": by}
    make_one_output(_grid, inputs, out, quiet=quiet, settings=settings, writing=writing)


def _grid(
    source: Path | tuple[Path, ...],
    *,
    out: Path,
    scratch: Path,
    settings: dict[str, Any],
    writing: Writing,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[tuple[str, str]], list[Path]]:
    """Grid and write slab by slab; return the rows of the final table and the files written.

    All of this happens in the guarded process: a globe is too large to be handed over.
    """
    import no2sr
    from no2sr.cli.limits import lift_limit

    # On another core, while the first file is unpacked.
    Thread(target=_load_kernel).start()
    scene = no2sr.grid(source, **settings, lazy=True, progress=progress)
    lift_limit()
    written = write_scene(scene, out, writing, scratch=scratch)
    return _summarise(scene), written


def _load_kernel() -> None:
    from no2sr.swaths.overlap import load

    load()


def _summarise(scene: xr.Dataset) -> list[tuple[str, str]]:
    """Return the rows of the table that is printed at the end."""
    from no2sr.cli.display import describe_grid
    from no2sr.core.times import describe_times
    from no2sr.writers.layers import column_name

    column, count, observed = scene[column_name(scene)], scene["count"], describe_times(scene)
    steps = str(column.attrs["history"]).splitlines()
    seen = int((count > 0).sum())
    mean = int(count.sum()) / max(seen, 1)
    return [
        ("read", steps[-1].removeprefix("no2sr: read ")),
        *([("time", observed)] if observed else []),
        ("grid", describe_grid(column)),
        ("gaps", f"{1 - seen / count.size:.1%}"),
        ("pixels to a cell", f"up to {int(count.max())}, on average {mean:.1f}"),
    ]
