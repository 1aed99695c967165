"""``no2sr downscale``: files in, finer files out."""

from __future__ import annotations

import warnings
from contextlib import nullcontext, suppress
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
from no2sr.core.errors import FileUnreadableError, No2srWarning, OversampledWarning
from no2sr.core.names import check_name

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import xarray as xr

    from no2sr.cli.batch import Work
    from no2sr.downscaling.blocks import Workers

__all__ = ["command"]

_REFINING = ("scale", "model", "edges", "conserve", "engine", "precision")
_RUNNING = (*_REFINING, "overwrite", "style", "resume", "workers")
_MANY_CELLS = 1 << 24  # 64 MiB: what is larger is read by window
_CHUNK = "4MiB"


@click.command("downscale", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT")
@options.interpreting
@options.region
@options.refining
@options.running
@options.native
@options.writing
@options.skip
@options.log
@options.progress
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
      no2sr downscale global.tif fine.tif --model espcn --workers 4

    A run that was killed leaves a folder .OUT.no2sr-work beside OUT, with what was finished; the
    same command goes on from there.
    """
    from no2sr.networks.store import load_model

    jobs = plan(inputs, out, scale=settings["scale"], log=log)
    batch, skip = is_folder(out), settings.pop("skip_existing")
    # What can be refused at once is refused before the long work.
    if batch:
        check_folder(jobs[0].out)
    elif not (skip and jobs[0].out.exists()):
        check_out(jobs[0].out, overwrite=settings["overwrite"])
    model = load_model(settings["model"], scale=settings["scale"])
    notes = Log(log or (Path(out) / LOG if batch else None), settings)
    where = {name: settings.pop(name) for name in ("workers", "scheduler")}
    how = {"log": notes, "skip": skip, "quiet": settings["quiet"]}
    with _lent(**where) as workers:
        work = partial(_run, **{**settings, "model": model, "workers": workers})
        if not batch:
            _run_one(jobs[0], work, **how)
        elif run_batch(jobs, work, debug=wants_debug(ctx), **how):
            ctx.exit(1)


def _lent(**where: Any) -> AbstractContextManager[Workers | None]:
    """Return the workers of a cluster if one was asked for."""
    if not any(where.values()):
        return nullcontext()
    from no2sr.downscaling.cluster import cluster

    return cluster(**where)


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
    from no2sr.core.provenance import noted
    from no2sr.downscaling.to_file import refine_to_file
    from no2sr.writers.dispatch import check_suffix

    for path in job.sources:
        check_name(path, FileUnreadableError)
    check_out(job.out, overwrite=settings["overwrite"])
    running = {name: settings.pop(name) for name in _RUNNING}
    unit = settings.pop("unit_out")
    reading = {**settings, "unit": settings["unit_in"]}
    del reading["unit_in"]
    with progress_bar(job.out.name, quiet=quiet) as progress:
        seals = _seals(job.sources)
        coarse = _opened(job.sources, **reading)
        check_suffix(job.out, times=coarse.sizes.get("time", 1))  # before the long work
        running["unit"] = unit_to_write(coarse, job.out, asked=unit)
        # Where nothing tells one input from another, a killed run is not gone on with.
        running["origin"] = {"files": seals, "reading": reading} if all(seals) else None
        if coarse.chunks is not None:
            running["recheck"] = partial(_check_unchanged, job.sources, seals)
        if running["workers"] is None:  # else they run the network
            start_backend(running["model"], engine=running["engine"])
        fine = refine_to_file(coarse, job.out, progress=progress, **running)
    grids = {"grid_in": grid_in_words(coarse), "grid_out": grid_in_words(fine)}
    return {**grids, "source": fine.attrs.get("source"), **noted(fine.attrs)}


def _seals(sources: tuple[Path, ...]) -> list[list[dict[str, Any]]]:
    """Return what tells the files of each source from changed ones; nothing for a pipe."""
    from no2sr.downscaling.to_file import seal
    from no2sr.readers.opening.paths import found

    seals: list[list[dict[str, Any]]] = [[] for _ in sources]
    for path, sealed in zip(sources, seals, strict=True):
        with suppress(OSError):  # reading will say in words what may not be read
            sealed += [seal(file) for file in found(path)]
    return seals


def _check_unchanged(sources: tuple[Path, ...], seals: list[list[dict[str, Any]]]) -> None:
    """Refuse files that were changed while they were read piece by piece.

    Raises
    ------
    FileUnreadableError
        If that is so.
    """
    for path, before, after in zip(sources, seals, _seals(sources), strict=True):
        if before != after:
            raise FileUnreadableError(
                f"{path.name} was changed or removed while it was read, expected it to stay as it "
                "was; run again when it is complete"
            )


def _opened(sources: tuple[Path, ...], *, coarsen_to_native: bool, **reading: Any) -> xr.DataArray:
    """Open what is to be refined, averaged to what it resolves if that was asked for.

    Large grids stay in their files, to be read by window.
    """
    import no2sr
    from no2sr.core.door import choose_variable

    if coarsen_to_native:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OversampledWarning)  # it is being heeded
            scene = guarded(no2sr.open_no2, _source(sources), **reading)
            return no2sr.coarsen_to_native(choose_variable(scene))
    image = guarded(_read, sources, **reading)
    if image is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", No2srWarning)  # the child has told them
            return _by_window(sources, **reading)
    return image


def _source(sources: tuple[Path, ...]) -> Path | tuple[Path, ...]:
    return sources[0] if len(sources) == 1 else sources


def _read(sources: tuple[Path, ...], **reading: Any) -> xr.DataArray | None:
    """Read a grid, or only see to it that it could be read if it is large."""
    import no2sr
    from no2sr.core.door import choose_variable
    from no2sr.readers.opening.doubts import doubt_sample
    from no2sr.readers.opening.extent import cells_in

    if cells_in(sources) <= _MANY_CELLS:
        return choose_variable(no2sr.open_no2(_source(sources), **reading))
    image = _by_window(sources, **reading)
    if image.chunks is None:  # its reader knows no windows
        return image
    doubt_sample(image)
    return None


def _by_window(sources: tuple[Path, ...], **reading: Any) -> xr.DataArray:
    """Open a grid whose values stay in the file."""
    import dask

    import no2sr
    from no2sr.core.door import choose_variable

    with dask.config.set({"array.chunk-size": _CHUNK}):
        return choose_variable(no2sr.open_no2(_source(sources), chunks="auto", **reading))


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
