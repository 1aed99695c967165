"""The jobs of ``no2sr downscale``: which files are read together, and where the result goes."""

from __future__ import annotations

import glob
import os
import time as clock
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from no2sr.cli.display import print_table, progress_bar
from no2sr.cli.guard import call_guarded
from no2sr.core.errors import OutputExistsError, WriteError
from no2sr.core.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import xarray as xr

    from no2sr.downscaling.settings import Writing

__all__ = [
    "Job",
    "check_folder",
    "check_free",
    "check_layers",
    "check_no_input",
    "check_out",
    "is_folder",
    "make_one_output",
    "name_pictures",
    "plan",
    "unit_to_write",
    "write_scene",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Files that are read together, and the file made from them."""

    sources: tuple[Path, ...]
    out: Path


def plan(inputs: tuple[Path, ...], out: str, *, scale: int, log: Path | None = None) -> list[Job]:
    """Decide which files are read together and where the result goes.

    Where the output is a folder, each file is worked on alone: those of folders and patterns, too.

    Raises
    ------
    click.UsageError
        If two outputs would have the same name, or an output or the log is also an input.
    WriteError
        If the output has an impossible name.
    """
    target = Path(out)
    check_name(target, WriteError)
    if is_folder(out):
        groups = [group for path in inputs for group in _separate(path)]
        inputs = tuple(path for group in groups for path in group)
        jobs = [Job(sources=group, out=target / _fine_name(group, scale)) for group in groups]
    else:
        jobs = [Job(sources=inputs, out=target)]
    outs = [job.out.resolve() for job in jobs]
    taken = {Path(os.path.realpath(path)) for path in inputs}  # accepts loops of links
    for number, path in enumerate(outs):
        if path in taken or path in outs[:number]:
            also = "an input" if path in taken else "the output of another input"
            raise click.UsageError(f"{path.name} is also {also}; give one of them another name")
    if log is not None and log.resolve() in taken | set(outs):
        raise click.UsageError(f"the log {log} is also an input or output; give it another name")
    return jobs


def _separate(path: Path) -> list[tuple[Path, ...]]:
    """Return the inputs that a path stands for, each to be worked on alone."""
    from no2sr.readers.opening.paths import separate

    several = os.path.isdir(path) or (glob.has_magic(str(path)) and not os.path.exists(path))  # noqa: PTH110, PTH112 - take names that cannot be
    return call_guarded(separate, path) if several else [(path,)]


def _fine_name(group: tuple[Path, ...], scale: int) -> str:
    """Name the output of an input; the shards of an export have one name."""
    from no2sr.readers.opening.paths import shard_of

    whole = shard_of(group[0]) if len(group) > 1 else None
    return f"{Path(whole or group[0]).stem}_x{scale}.tif"


def name_pictures(inputs: tuple[Path, ...], out: str) -> list[Path]:
    """Name the pictures of inputs: OUT itself, or one .png for each input in the folder OUT.

    Raises
    ------
    click.UsageError
        If several inputs would share a name, or OUT is no folder for several inputs.
    """
    if not is_folder(out):
        if len(inputs) > 1:
            raise click.UsageError(
                f"{len(inputs)} inputs become as many pictures; end OUT with / to name a folder"
            )
        return [Path(out)]
    outs = [Path(out) / f"{path.stem}.png" for path in inputs]
    twice = [place.name for place in outs if outs.count(place) > 1]
    if twice:
        raise click.UsageError(f"two inputs would become {twice[0]}; give one of them another name")
    return outs


def is_folder(out: str) -> bool:
    """Tell whether each input gets its own output in this folder."""
    # A Zarr store is also a folder, but it is an output.
    # Not Path.is_dir(), which raises for impossible names.
    return out.endswith("/") or (os.path.isdir(out) and Path(out).suffix != ".zarr")  # noqa: PTH112


def check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse, before the long work, an output that could not be written.

    Raises
    ------
    SettingsError
        If no writer knows the suffix.
    OutputExistsError
        If it exists and may not be replaced.
    WriteError
        As for `check_folder`.
    """
    from no2sr.writers.dispatch import check_suffix

    check_suffix(out)
    check_free(out, overwrite=overwrite)


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse a name that is taken, or whose folder is not writable.

    Raises
    ------
    OutputExistsError
        If it exists and may not be replaced.
    WriteError
        If its folder is not writable, or the name is impossible.
    """
    check_name(out, WriteError)
    if out.exists() and not overwrite:
        raise OutputExistsError(f"{out} already exists; choose another name, or pass --overwrite")
    check_folder(out)


def check_no_input(outs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse an output that is also an input.

    Raises
    ------
    click.UsageError
        If it is.
    """
    taken = {os.path.realpath(path) for path in inputs}
    for out in outs:
        if os.path.realpath(out) in taken:
            raise click.UsageError(f"{out.name} is also an input; give one of them another name")


def check_folder(out: Path) -> None:
    """Refuse an output whose folder is not writable and cannot be made.

    Raises
    ------
    WriteError
        If its folder is not writable.
    """
    there = next(path for path in out.absolute().parents if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise WriteError(
            f"{there} is not a folder in which {out.name} can be written; write elsewhere"
        )


def unit_to_write(image: xr.DataArray, out: Path, *, asked: str | None) -> str | None:
    """Return the unit of an output: the one asked for, or the usual one of its format.

    GIS programs show few decimals: some show 3e-05 mol m-2 as 0, but all can show 30 umol m-2.
    Scientific programs expect the SI unit of the product, which is that of the image.
    """
    from no2sr.core.units import is_column

    if asked or out.suffix.lower() not in (".tif", ".tiff"):
        return asked
    return "umol m-2" if is_column(str(image.attrs["units"])) else None


def write_scene(scene: xr.Dataset, out: Path, writing: Writing, *, scratch: Path) -> list[Path]:
    """Write a scene in the usual unit of the format, and return the files written.

    Parameters
    ----------
    scene : Dataset
    out : Path
    writing : Writing
    scratch : Path
        Folder for temporary files.
    """
    import no2sr
    from no2sr.core.atomic import scratch_in
    from no2sr.writers.layers import column_name, layers_in, list_outputs

    unit = unit_to_write(scene[column_name(scene)], out, asked=writing.unit)
    with scratch_in(scratch):
        no2sr.write(scene, out, unit=unit, overwrite=writing.overwrite, style=writing.styling)
    return list_outputs(out, layers_in(scene))


def make_one_output(
    work: Callable[..., tuple[list[tuple[str, str]], list[Path]]],
    inputs: tuple[Path, ...],
    out: Path,
    *,
    quiet: bool,
    **settings: object,
) -> None:
    """Make one output of all inputs in the guarded process, and print a table of it.

    Parameters
    ----------
    work : callable
        Takes the inputs, or the only one, and ``out``, ``scratch``, ``progress`` and `settings`;
        returns the rows of the table and the files written.
    inputs : tuple of Path
    out : Path
    quiet : bool
    **settings
    """
    from no2sr.core.atomic import scratch_beside

    began = clock.perf_counter()
    source = inputs if len(inputs) > 1 else inputs[0]
    with progress_bar(out.name, quiet=quiet) as progress, scratch_beside(out) as scratch:
        rows, written = call_guarded(
            work, source, out=out, scratch=scratch, progress=progress, **settings
        )
    if not quiet:
        print_table([*rows, ("seconds", f"{clock.perf_counter() - began:.1f}")])
        click.echo("\n".join(map(str, written)))


def check_layers(out: Path, inputs: tuple[Path, ...], *layers: str, overwrite: bool) -> None:
    """Refuse what can be refused of an output of several layers before the long work.

    Raises
    ------
    WriteError, OutputExistsError
        As for `check_out`, for each file that would be written.
    """
    from no2sr.writers.layers import list_outputs

    outs = list_outputs(out, layers) if layers else list_outputs(out)
    for path in outs:
        check_out(path, overwrite=overwrite)
    check_no_input(outs, inputs)
