"""``no2sr downscale``: files in, finer files out."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.batch import LOG, Log, Outcome, attempt, run_batch
from no2sr.cli.display import grid_in_words, print_table, progress_bar
from no2sr.cli.guard import guarded
from no2sr.cli.jobs import Job, check_folder, check_out, is_folder, plan, unit_to_write
from no2sr.cli.messages import start_backend, wants_debug
from no2sr.core.errors import FileUnreadableError
from no2sr.core.names import check_name

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import xarray as xr

    from no2sr.cli.batch import Work
    from no2sr.downscaling.run import Workers
    from no2sr.downscaling.settings import Reading, Refining, Running, Writing

__all__ = ["command"]


@click.command("downscale", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT")
@options.native
@options.reading
@options.refining
@options.running
@options.writing
@options.skip
@options.log
@options.progress
@options.quiet
@options.debug
@click.pass_context
def command(  # noqa: PLR0913 - records, and what decides about the batch
    ctx: click.Context,
    /,
    inputs: tuple[Path, ...],
    out: str,
    *,
    reading: Reading,
    refining: Refining,
    writing: Writing,
    workers: int | None,
    scheduler: str | None,
    resume: bool,
    skip_existing: bool,
    log: Path | None,
    quiet: bool,
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
      no2sr downscale global.tif fine.tif --model espcn --workers 4

    A run that was killed leaves a folder .OUT.no2sr-work beside OUT, with what was finished; the
    same command goes on from there.
    """
    from no2sr.downscaling.settings import Running
    from no2sr.networks.store import load_model

    jobs = plan(inputs, out, scale=refining.scale, log=log)
    batch = is_folder(out)
    # What can be refused at once is refused before the long work.
    if batch:
        check_folder(jobs[0].out)
    elif not (skip_existing and jobs[0].out.exists()):
        check_out(jobs[0].out, overwrite=writing.overwrite)
    asked = {"workers": workers, "scheduler": scheduler}
    notes = Log(log or (Path(out) / LOG if batch else None), _settings(reading, refining, writing))
    refining = replace(refining, model=load_model(str(refining.model), scale=refining.scale))
    with _lend(asked) as lent:
        running = Running(workers=lent, resume=resume)
        work = partial(_run, records=(reading, refining, writing, running), quiet=quiet)
        if not batch:
            _run_one(jobs[0], work, log=notes, skip=skip_existing, quiet=quiet)
            return
        debug = wants_debug(ctx)
        if run_batch(jobs, work, log=notes, skip=skip_existing, quiet=quiet, debug=debug):
            ctx.exit(1)


def _settings(*records: Reading | Refining | Writing) -> dict[str, Any]:
    """Return the settings that the log repeats."""
    return {name: value for record in records for name, value in asdict(record).items()}


def _lend(asked: dict[str, Any]) -> AbstractContextManager[Workers | None]:
    """Lend the workers of a cluster if one was asked for."""
    if not any(asked.values()):
        return nullcontext()
    from no2sr.downscaling.cluster import cluster

    return cluster(**asked)


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


def _run(
    job: Job, *, records: tuple[Reading, Refining, Writing, Running], quiet: bool
) -> dict[str, Any]:
    """Do one job and return what is to be said of it."""
    from no2sr.core.door import choose_variable
    from no2sr.core.provenance import noted
    from no2sr.downscaling.inputs import open_input
    from no2sr.downscaling.to_file import refine_input
    from no2sr.writers.dispatch import check_suffix

    reading, refining, writing, running = records
    for path in job.sources:
        check_name(path, FileUnreadableError)
    check_out(job.out, overwrite=writing.overwrite)
    with progress_bar(job.out.name, quiet=quiet) as progress:
        given = open_input(job.sources, reading, call=guarded)
        column = choose_variable(given.scene)
        check_suffix(job.out, times=column.sizes.get("time", 1))  # before the long work
        unit = unit_to_write(column, job.out, asked=writing.unit)
        if running.workers is None:  # else they run the network
            start_backend(refining.model, engine=refining.engine)
        coarse, fine = refine_input(
            given,
            job.out,
            refining=_in_unit_of(column, refining),
            writing=replace(writing, unit=unit),
            running=running,
            progress=progress,
        )
    grids = {"grid_in": grid_in_words(coarse), "grid_out": grid_in_words(fine)}
    return {**grids, "source": fine.attrs.get("source"), **noted(fine.attrs)}


def _noise_in_words(facts: dict[str, Any]) -> str:
    """Say what was done about noise, or what could be."""
    if "no2sr_noise" not in facts:
        return "not known; if you know it, --noise NUMBER (umol m-2) takes it off"
    if "no2sr_departure_rms" not in facts:
        return "zero; nothing was taken off"
    return (
        f"taken off: cells moved by {facts['no2sr_departure_rms']:.2f} standard deviations of it "
        f"on average, {facts['no2sr_departure_max']:.1f} at most"
    )


def _in_unit_of(column: xr.DataArray, refining: Refining) -> Refining:
    """Return the settings with a noise in the unit of the column, not in umol m-2."""
    from no2sr.core.units import factor, is_column

    units = str(column.attrs.get("units", ""))
    if not isinstance(refining.noise, float) or not is_column(units):
        return refining
    return replace(refining, noise=refining.noise * factor("umol m-2", units))


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
        ("noise", _noise_in_words(facts)),
        ("seconds", f"{outcome.seconds:.1f}"),
    ]
