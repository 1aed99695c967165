"""``no2sr downscale``: make files finer."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.batch import LOG, Log, Outcome, attempt, run_batch
from no2sr.cli.display import describe_grid, print_table, progress_bar
from no2sr.cli.guard import call_guarded
from no2sr.cli.jobs import Job, check_folder, check_out, is_folder, plan, unit_to_write
from no2sr.cli.messages import start_backend, wants_debug
from no2sr.cli.parsing import BoxCommand
from no2sr.cli.refining import add_refining
from no2sr.core.errors import FileUnreadableError
from no2sr.core.names import check_name

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.cli.batch import Work
    from no2sr.cli.records import Working
    from no2sr.downscaling.settings import Reading, Refining, Running, Writing

__all__ = ["command"]


@click.command("downscale", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT")
@options.native
@options.add_reading
@add_refining
@options.add_working
@options.add_writing
@options.progress
@options.debug
def command(
    inputs: tuple[Path, ...],
    out: str,
    *,
    reading: Reading,
    refining: Refining,
    writing: Writing,
    working: Working,
) -> None:
    """Make each input SCALE times finer.

    IN is a Sentinel-5P L2 swath, a gridded NetCDF or a GeoTIFF. OUT is a file (.tif, .nc or
    .zarr); several swaths are then merged on one grid. If OUT is a folder, or ends in /, each
    input is processed separately and written there as <name>_x<SCALE>.tif. One that fails does not
    stop the others; the exit code is 1 if any failed.

    \b
    Examples:
      no2sr downscale S5P_OFFL_L2__NO2_20231027.nc fine.tif
      no2sr downscale orbit1.nc orbit2.nc merged.tif --bbox 76 27.5 78.5 29.5
      no2sr downscale tempo.tif fine.nc --scale 2 --unit umol
      no2sr downscale granules/*.nc fine/ --qa 0.5 --resolution 0.04
      no2sr downscale global.tif fine.tif --model espcn --workers 4
      no2sr downscale day.nc fine.nc --history year.nc

    A run that is killed leaves its finished part in the folder .OUT.no2sr-work beside OUT. The same
    command continues from there.
    """
    from no2sr.downscaling.cluster import lend_cluster
    from no2sr.downscaling.settings import Running
    from no2sr.networks.store import load_model

    jobs = plan(inputs, out, scale=refining.scale, log=working.log)
    batch = is_folder(out)
    # Refuse what can be refused before the long work.
    if batch:
        check_folder(jobs[0].out)
    elif not (working.skip_existing and jobs[0].out.exists()):
        check_out(jobs[0].out, overwrite=writing.overwrite)
    log = Log(
        working.log or (Path(out) / LOG if batch else None), _settings(reading, refining, writing)
    )
    refining = replace(refining, model=load_model(str(refining.model), scale=refining.scale))
    with lend_cluster(workers=working.workers, scheduler=working.scheduler) as lent:
        running = Running(workers=lent, resume=working.resume)
        work = partial(_run, records=(reading, refining, writing, running), quiet=working.quiet)
        if not batch:
            _run_one(jobs[0], work, log=log, working=working)
            return
        ctx = click.get_current_context()
        skip, debug = working.skip_existing, wants_debug(ctx)
        if run_batch(jobs, work, log=log, skip=skip, quiet=working.quiet, debug=debug):
            ctx.exit(1)


def _settings(*records: Reading | Refining | Writing) -> dict[str, Any]:
    """Return the settings that the log repeats on every line."""
    return {name: value for record in records for name, value in asdict(record).items()}


def _run_one(job: Job, work: Work, *, log: Log, working: Working) -> None:
    """Do the only job and print a summary of it."""
    outcome = attempt(job, work, skip=working.skip_existing)
    log.note(outcome)
    if outcome.error is not None:
        raise outcome.error
    if not working.quiet:
        if outcome.facts:
            print_table(_summarise(outcome))
        click.echo(job.out)


def _run(
    job: Job, *, records: tuple[Reading, Refining, Writing, Running], quiet: bool
) -> dict[str, Any]:
    """Do one job and return the facts for the summary and the log."""
    from no2sr.core.door import choose_variable
    from no2sr.core.provenance import select_own
    from no2sr.downscaling.history import open_history
    from no2sr.downscaling.inputs import open_input
    from no2sr.downscaling.to_file import refine_input
    from no2sr.writers.dispatch import check_suffix

    reading, refining, writing, running = records
    for path in job.sources:
        check_name(path, FileUnreadableError)
    check_out(job.out, overwrite=writing.overwrite)
    with progress_bar(job.out.name, quiet=quiet) as progress:
        given = open_input(job.sources, reading, call=call_guarded)
        column = choose_variable(given.scene)
        check_suffix(job.out, times=column.sizes.get("time", 1))
        unit = unit_to_write(column, job.out, asked=writing.unit)
        if refining.history is not None:
            refining = replace(refining, history=call_guarded(open_history, refining.history))
        if running.workers is None:  # otherwise the workers run the network
            start_backend(refining.model, engine=refining.engine)
        coarse, fine = refine_input(
            given,
            job.out,
            refining=_convert_noise(refining, column),
            writing=replace(writing, unit=unit),
            running=running,
            progress=progress,
        )
    grids = {"grid_in": describe_grid(coarse), "grid_out": describe_grid(fine)}
    return {**grids, "source": fine.attrs.get("source"), **select_own(fine.attrs)}


def _describe_noise(facts: dict[str, Any]) -> str:
    """Describe what was done about noise, or what the user can do."""
    if "no2sr_noise" not in facts:
        return "unknown; if you know it, pass --noise NUMBER (umol m-2) to remove it"
    if "no2sr_departure_rms" not in facts:
        return "zero; nothing was removed"
    return (
        f"removed: cells moved by {facts['no2sr_departure_rms']:.2f} standard deviations of it on "
        f"average, by {facts['no2sr_departure_max']:.1f} at most"
    )


def _convert_noise(refining: Refining, column: xr.DataArray) -> Refining:
    """Convert a noise in umol m-2 to the unit of the column."""
    from no2sr.core.units import factor, is_column

    units = str(column.attrs.get("units", ""))
    if not isinstance(refining.noise, float) or not is_column(units):
        return refining
    return replace(refining, noise=refining.noise * factor("umol m-2", units))


def _summarise(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the rows of the table that is printed at the end."""
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
        ("noise", _describe_noise(facts)),
        ("seconds", f"{outcome.seconds:.1f}"),
    ]
