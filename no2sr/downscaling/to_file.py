"""Downscale into a file without ever holding the fine scene, and continue after being killed.

Strips of the coarse scene are read, made finer on all cores or on a cluster, and appended to a work
folder beside the output. The output is then written from there, and put in its place when it is
complete. It is the file that `no2sr.downscale` and `no2sr.write` would make, byte for byte.
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from no2sr.core.atomic import check_free, explain_refusals, scratch_in
from no2sr.core.errors import NoValidPixelsError
from no2sr.core.grid import transform_of
from no2sr.core.image import crs_of
from no2sr.core.version import __version__
from no2sr.downscaling.blocks import Strips
from no2sr.downscaling.describing import describe_fine
from no2sr.downscaling.inputs import Input, open_input
from no2sr.downscaling.kernel import NetworkMethod
from no2sr.downscaling.pipeline import plan_task
from no2sr.downscaling.run import lend_workers, run
from no2sr.downscaling.settings import Reading, Refining, Running, Writing
from no2sr.downscaling.workfolder import WorkFolder
from no2sr.writers.dispatch import check_fits, write
from no2sr.writers.prepare import check_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from no2sr.downscaling.task import Task

__all__ = ["Refined", "downscale_file", "refine_input"]


class Refined(NamedTuple):
    """What became of an input.

    Attributes
    ----------
    coarse : DataArray
        The strict image of the column.
    fine : DataArray
        Coordinates and attributes of the fine column; its values are in the file.
    """

    coarse: xr.DataArray
    fine: xr.DataArray


def downscale_file(
    source: str | Path | Iterable[str | Path] | xr.Dataset | xr.DataArray,
    target: str | Path,
    *,
    reading: Reading | None = None,
    refining: Refining | None = None,
    writing: Writing | None = None,
    running: Running | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Downscale a file, or a scene, into a file; memory does not grow with the scene.

    Parameters
    ----------
    source : path, iterable of paths, Dataset or DataArray
        What `no2sr.open_no2` takes, or a scene as it returns it. A dask-backed scene is read strip
        by strip, and so are large grids in files that can be.
    target : str or Path
        As for `no2sr.write`, but the folder is made if it is not there.
    reading : Reading, optional
        How files are opened; not used for a scene.
    refining : Refining, optional
        Scale, model and what else `no2sr.downscale` takes.
    writing : Writing, optional
        Unit, style, and whether to overwrite.
    running : Running, optional
        Workers, and whether to continue from what a killed run of the same task has left.
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of fine pixels.

    Returns
    -------
    Path
        Where the complete file is.

    Raises
    ------
    ReadError
        As for `no2sr.open_no2`.
    ImageError, ModelError, SettingsError
        As for `no2sr.downscale`.
    NoValidPixelsError
        If every cell is a gap. No work is left behind.
    UnitsError
        If the column cannot be converted to the unit asked for.
    OutputExistsError, WriteError
        As for `no2sr.write`. Finished strips stay in the work folder.

    Warns
    -----
    RefinedInputWarning
        As for `no2sr.downscale`.
    No2srWarning
        If unfinished work of another task is removed.

    Examples
    --------
    >>> from no2sr.downscaling.settings import Refining, Writing
    >>> no2sr.downscale_file(  # doctest: +SKIP
    ...     "day.nc", "fine.tif", refining=Refining(scale=2), writing=Writing(overwrite=True)
    ... )
    """
    if isinstance(source, xr.Dataset | xr.DataArray):
        given = Input(scene=source)
    else:
        paths = (source,) if isinstance(source, str | Path) else tuple(source)
        given = open_input(tuple(map(Path, paths)), reading or Reading())
    out = Path(target)
    refine_input(
        given,
        out,
        refining=refining or Refining(),
        writing=writing or Writing(),
        running=running or Running(),
        progress=progress,
    )
    return out


def refine_input(
    given: Input,
    out: Path,
    *,
    refining: Refining,
    writing: Writing,
    running: Running,
    progress: Callable[[int, int], None] | None = None,
) -> Refined:
    """Downscale an input into a file; see `downscale_file`."""
    task = plan_task(given.scene, refining)
    strips = Strips(task.canvas, task.method)
    check_fits(out, strips.shape)
    check_unit(task.image, writing.unit)
    with explain_refusals(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    check_free(out, overwrite=writing.overwrite)
    record = _record(task, origin=given.origin)
    fields = ("values", "uncertainty") if task.method.states_uncertainty else ("values",)
    work = WorkFolder(out, record, strips.shape, fields=fields, resume=running.resume)
    with explain_refusals(out), work as folder:
        _compute(strips, folder, running=running, progress=progress)
        if given.recheck is not None:
            with folder.forget_on_failure():
                given.recheck()
        fine = describe_fine(task, *map(folder.read, fields), **folder.tally.facts())
        with scratch_in(folder.path):
            write(
                fine,
                out,
                overwrite=writing.overwrite,
                unit=writing.unit,
                style=writing.styling,
            )
    return Refined(task.image, fine[str(task.image.name)])


def _compute(
    strips: Strips,
    folder: WorkFolder,
    *,
    running: Running,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Make the strips finer that are not finished, and add them to the folder."""
    tally, done, total = folder.tally, folder.pixels, int(np.prod(strips.shape, dtype=np.int64))
    parts: list[list[NDArray[np.float32]]] = [[] for _ in folder.fields]
    with lend_workers(running.workers) as workers:
        for _, place, estimate in run(strips, workers, first=folder.finished):
            parts[0].append(estimate.values)
            if estimate.uncertainty is not None:
                parts[1].append(estimate.uncertainty)
            tally = tally.merge(estimate.tally)
            if place.columns.stop * strips.method.scale == strips.shape[2]:
                folder.append([np.concatenate(part, axis=1) for part in parts], tally)
                for part in parts:
                    part.clear()
            done += estimate.values.size
            if progress is not None:
                progress(done, total)
    if not tally.valid:
        with folder.forget_on_failure():
            raise NoValidPixelsError(
                f"all {tally.cells} cells are gaps; choose another region or time"
            )


def _record(task: Task, *, origin: Any) -> dict[str, Any]:
    """Return the facts that determine the fine values and their attributes."""
    image = task.image
    fields = task.canvas.fields
    if image.chunks is None:
        digests = [
            hashlib.sha256(np.ascontiguousarray(f).data).hexdigest() for f in fields.values()
        ]
        values = "-".join(digests)
    else:
        values = "unread" if origin is not None else uuid.uuid4().hex
    if task.place is not None:
        values += hashlib.sha256(task.place.fine.data).hexdigest()
    return {
        "version": __version__,
        "origin": origin,
        "fields": list(fields),
        "values": values,
        "shape": image.shape,
        "transform": transform_of(image)[:6],
        "crs": crs_of(image).to_wkt(),
        "attrs": image.attrs,
        "edges": task.refining.edges,
        "method": _identity(task),
    }


def _identity(task: Task) -> Any:
    """Return a hashable identity for the method of a task; a random one if it has none."""
    method = task.method
    if isinstance(method, NetworkMethod) and method.network.card.files:
        return method.identity
    return uuid.uuid4().hex
