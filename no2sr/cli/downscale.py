"""``no2sr downscale``: files in, finer files out."""

from __future__ import annotations

import time as clock
import warnings
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.display import grid_in_words, print_table, progress_bar
from no2sr.cli.guard import guarded
from no2sr.cli.jobs import Job, check_out, plan, unit_to_write
from no2sr.cli.messages import report, wants_debug
from no2sr.errors import No2srError, OversampledWarning

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

__all__ = ["command"]


@click.command("downscale", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT")
@options.interpreting
@options.region
@options.refining
@options.native
@options.writing
@options.quiet
@options.debug
@click.pass_context
def command(
    ctx: click.Context, /, inputs: tuple[Path, ...], out: str, *, overwrite: bool, **settings: Any
) -> None:
    """Make each input SCALE times finer.

    IN is a Sentinel-5P L2 swath, a gridded NetCDF or a GeoTIFF. OUT is a file (.tif, .nc or
    .zarr): several swaths are then merged on one grid. Where OUT is a folder, or ends in /, each
    input is worked on alone and written there as <name>_x<SCALE>.tif.

    \b
    Examples:
      no2sr downscale S5P_OFFL_L2__NO2_20231027.nc fine.tif
      no2sr downscale orbit1.nc orbit2.nc merged.tif --bbox 76 27.5 78.5 29.5
      no2sr downscale tempo.tif fine.nc --scale 2 --unit umol
      no2sr downscale granules/*.nc fine/ --qa 0.5 --resolution 0.04
    """
    from no2sr.networks import load_model

    jobs = plan(inputs, out, scale=settings["scale"])
    # What can be refused at once is refused before the long work.
    for job in jobs:
        check_out(job.out, overwrite=overwrite)
    settings["model"] = load_model(settings["model"], scale=settings["scale"])
    failed = 0
    for job in jobs:
        try:
            _run(job, overwrite=overwrite, **settings)
        except No2srError as error:
            if len(jobs) == 1:
                raise
            # One bad granule must not stop a folder of good ones.
            report(error, debug=wants_debug(ctx))
            failed += 1
    if failed:
        ctx.exit(1)


def _run(job: Job, *, quiet: bool, **settings: Any) -> None:
    """Do one job and say what was done."""
    import no2sr
    from no2sr.writers import check_suffix

    began = clock.perf_counter()
    refining = {name: settings.pop(name) for name in ("scale", "model", "edges", "conserve")}
    writing = {name: settings.pop(name) for name in ("overwrite", "style")}
    unit = settings.pop("unit_out")
    reading = {**settings, "unit": settings["unit_in"]}
    del reading["unit_in"]
    source = job.sources[0] if len(job.sources) == 1 else job.sources
    with progress_bar(job.out.name, quiet=quiet) as progress:
        coarse = _opened(source, **reading)
        check_suffix(job.out, times=coarse.sizes.get("time", 1))  # before the long work
        fine = no2sr.downscale(coarse, progress=progress, **refining)
        job.out.parent.mkdir(parents=True, exist_ok=True)
        writing["unit"] = unit_to_write(fine, job.out, asked=unit)
        written = no2sr.write(fine, job.out, **writing)
    if not quiet:
        print_table(_summary(job, coarse, fine, seconds=clock.perf_counter() - began))
        click.echo(written)


def _opened(
    source: Path | tuple[Path, ...], *, coarsen_to_native: bool, **reading: Any
) -> xr.DataArray:
    """Open what is to be refined, averaged to what it resolves if that was asked for."""
    import no2sr

    if not coarsen_to_native:
        return guarded(no2sr.open_no2, source, **reading)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OversampledWarning)  # it is being heeded
        return no2sr.coarsen_to_native(guarded(no2sr.open_no2, source, **reading))


def _summary(
    job: Job, coarse: xr.DataArray, fine: xr.DataArray, *, seconds: float
) -> list[tuple[str, str]]:
    """Return the rows of the table that ends the work."""
    return [
        ("read", "\n".join(path.name for path in job.sources)),
        ("grid in", grid_in_words(coarse)),
        ("grid out", grid_in_words(fine)),
        ("gaps", f"{fine.attrs['no2sr_gap_share']:.1%}"),
        (
            "largest conservation residual",
            f"{fine.attrs['no2sr_closure_max']:.1e} standard deviations of the input",
        ),
        ("seconds", f"{seconds:.1f}"),
    ]
