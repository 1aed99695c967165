"""``no2sr downscale``: files in, finer files out."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.batch import LOG, Log, Outcome, attempt, run_batch
from no2sr.cli.display import grid_in_words, print_table, progress_bar
from no2sr.cli.guard import guarded
from no2sr.cli.jobs import Job, check_folder, check_out, is_folder, plan, unit_to_write
from no2sr.cli.messages import wants_debug
from no2sr.errors import OversampledWarning

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.cli.batch import Work

__all__ = ["command"]


@click.command("downscale", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT")
@options.interpreting
@options.region
@options.refining
@options.native
@options.writing
@options.skip
@options.log
@options.quiet
@options.debug
@click.pass_context
def command(
    ctx: click.Context, /, inputs: tuple[Path, ...], out: str, *, log: Path | None, **settings: Any
) -> None:
    """Make each input SCALE times finer.

    IN is a Sentinel-5P L2 swath, a gridded NetCDF or a GeoTIFF. OUT is a file (.tif, .nc or
    .zarr): several swaths are then merged on one grid. Where OUT is a folder, or ends in /, each
    input is worked on alone and written there as <name>_x<SCALE>.tif; one that fails does not stop
    the others. The exit code is 1 if any failed.

    \b
    Examples:
      no2sr downscale S5P_OFFL_L2__NO2_20231027.nc fine.tif
      no2sr downscale orbit1.nc orbit2.nc merged.tif --bbox 76 27.5 78.5 29.5
      no2sr downscale tempo.tif fine.nc --scale 2 --unit umol
      no2sr downscale granules/*.nc fine/ --qa 0.5 --resolution 0.04
    """
    from no2sr.networks import load_model

    jobs = plan(inputs, out, scale=settings["scale"], log=log)
    batch, skip = is_folder(out), settings.pop("skip_existing")
    # What can be refused at once is refused before the long work.
    if batch:
        check_folder(jobs[0].out)
    elif not (skip and jobs[0].out.exists()):
        check_out(jobs[0].out, overwrite=settings["overwrite"])
    model = load_model(settings["model"], scale=settings["scale"])
    notes = Log(log or (Path(out) / LOG if batch else None), settings)
    work = partial(_run, **{**settings, "model": model})
    how = {"log": notes, "skip": skip, "quiet": settings["quiet"]}
    if not batch:
        _run_one(jobs[0], work, **how)
    elif run_batch(jobs, work, debug=wants_debug(ctx), **how):
        ctx.exit(1)


def _run_one(job: Job, work: Work, *, log: Log, skip: bool, quiet: bool) -> None:
    """Do a job that stands alone and say what was done."""
    outcome = attempt(job, work, skip=skip)
    log.note(outcome)
    if outcome.error is not None:
        raise outcome.error
    if not quiet:
        if outcome.facts:
            print_table(_summary(outcome))
        click.echo(job.out)


def _run(job: Job, *, quiet: bool, **settings: Any) -> dict[str, Any]:
    """Do one job and return what is to be said of it."""
    import no2sr
    from no2sr.provenance import noted
    from no2sr.writers import check_suffix

    check_out(job.out, overwrite=settings["overwrite"])
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
        no2sr.write(fine, job.out, **writing)
    grids = {"grid_in": grid_in_words(coarse), "grid_out": grid_in_words(fine)}
    return {**grids, "source": fine.attrs.get("source"), **noted(fine.attrs)}


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


def _summary(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the rows of the table that ends the work."""
    facts = outcome.facts
    return [
        ("read", "\n".join(path.name for path in outcome.job.sources)),
        ("grid in", facts["grid_in"]),
        ("grid out", facts["grid_out"]),
        ("gaps", f"{facts['no2sr_gap_share']:.1%}"),
        (
            "largest conservation residual",
            f"{facts['no2sr_closure_max']:.1e} standard deviations of the input",
        ),
        ("seconds", f"{outcome.seconds:.1f}"),
    ]
