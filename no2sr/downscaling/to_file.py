"""Downscale into a file without ever holding the fine image, and go on after being killed.

Strips of the coarse image are read, made finer on all cores or on a cluster, and appended to a work
folder beside the output. The output is then written from there, and put in its place when it is
complete. It is the file that `no2sr.downscale` and `no2sr.write` would make, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from no2sr.core.atomic import check_free, refusals, scratch_in
from no2sr.core.door import enter
from no2sr.core.errors import NoValidPixelsError
from no2sr.core.grid import transform_of
from no2sr.core.image import crs_of
from no2sr.core.provenance import doubt_refined
from no2sr.core.version import __version__
from no2sr.downscaling.blocks import Strips, pool
from no2sr.downscaling.pipeline import check_size, chosen_kernel, placed
from no2sr.downscaling.workfolder import WorkFolder
from no2sr.writers.dispatch import check_fits, write
from no2sr.writers.prepare import check_unit

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.downscaling.blocks import Workers
    from no2sr.downscaling.kernel import Kernel
    from no2sr.networks.card import Model
    from no2sr.steps.conserve import Kind

__all__ = ["refine_to_file", "seal"]

_ENDS = 1 << 20  # bytes of either end of a file that are looked at: headers and indices lie there


def refine_to_file(  # noqa: PLR0913 - those of downscale and of write
    image: xr.DataArray,
    path: str | Path,
    *,
    scale: int = 4,
    model: str | Path | Model | None = None,
    conserve: Kind = "additive",
    edges: Literal["pad", "shave"] = "pad",
    engine: str = "onnxruntime",
    precision: str = "float32",
    unit: str | None = None,
    overwrite: bool = False,
    style: bool = False,
    origin: Any = None,
    resume: bool = True,
    workers: Workers | None = None,
    recheck: Callable[[], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.DataArray:
    """Downscale an image into a file; memory does not grow with the image.

    Parameters
    ----------
    image : DataArray, (y, x) or (time, y, x)
        As `no2sr.open_no2` returns it. A dask-backed one is read strip by strip.
    path : str or Path
        As for `no2sr.write`, but the folder is made if it is not there.
    scale, model, conserve, edges, engine, precision
        As for `no2sr.downscale`.
    unit, overwrite, style
        As for `no2sr.write`.
    origin : optional
        What the values of a dask-backed image depend on, such as the `seal` of its files and how
        they were read: without it a killed run cannot be told to be the same. Values in memory are
        compared themselves.
    resume : bool
        Whether to go on from what a killed run of the same task has left.
    workers : Workers, optional
        Where blocks are made finer, as `no2sr.downscaling.cluster.cluster` lends them; by default
        all cores.
    recheck : callable, optional
        Called when all is computed and nothing is written: it is to raise if the input is no
        longer what it was. What was computed is then forgotten.
    progress : callable, optional
        As for `no2sr.downscale`.

    Returns
    -------
    DataArray
        The fine image's coordinates and attributes; its values are in the file.

    Raises
    ------
    ImageError, ModelError, SettingsError
        As for `no2sr.downscale`.
    NoValidPixelsError
        If every cell is a gap. No work is left behind.
    UnitsError
        If the image cannot be converted to `unit`.
    OutputExistsError, WriteError
        As for `no2sr.write`. Strips that were finished stay in the work folder.

    Warns
    -----
    RefinedInputWarning
        As for `no2sr.downscale`.
    No2srWarning
        If unfinished work of another task is removed.
    """
    out = Path(path)
    kernel = chosen_kernel(
        model, scale=scale, conserve=conserve, engine=engine, precision=precision
    )
    earlier = doubt_refined(str(image.name), image.attrs, {})
    image = enter(image)
    check_size(image, kernel, edges=edges)
    strips = Strips(image, kernel)
    check_fits(out, strips.shape)
    check_unit(image, unit)
    with refusals(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    check_free(out, overwrite=overwrite)
    task = {**_task(image, kernel, origin=origin), "edges": edges}
    with refusals(out), WorkFolder(out, task, strips.shape, resume=resume) as folder:
        _compute(strips, folder, workers=workers, progress=progress)
        if recheck is not None:
            with folder.forgetting():
                recheck()
        values = folder.values().reshape(*image.shape[:-2], *strips.shape[1:])
        facts = folder.tally.facts()
        fine = placed(values, image, kernel, edges=edges, earlier=earlier, **facts)
        with scratch_in(folder.path):
            write(fine, out, overwrite=overwrite, unit=unit, style=style)
    return fine


def _compute(
    strips: Strips,
    folder: WorkFolder,
    *,
    workers: Workers | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Make the strips finer that are not finished, and add them to the folder."""
    tally, done, total = folder.tally, folder.pixels, int(np.prod(strips.shape, dtype=np.int64))
    strip: list[NDArray[np.float32]] = []
    with pool(workers) as there:
        for _, place, result in strips.refined(there, first=folder.finished):
            strip.append(result.values)
            tally = tally.merged(result.tally)
            if place.columns.stop * strips.scale == strips.shape[2]:
                folder.append(np.concatenate(strip, axis=1), tally)
                strip.clear()
            done += result.values.size
            if progress is not None:
                progress(done, total)
    if not tally.valid:
        with folder.forgetting():
            raise NoValidPixelsError(
                f"all {tally.cells} cells are gaps, expected observed ones; choose another region"
            )


def _task(image: xr.DataArray, kernel: Kernel, *, origin: Any) -> dict[str, Any]:
    """Return what the fine values and the attributes depend on."""
    card = kernel.model.card
    if image.chunks is None:
        values = hashlib.sha256(np.ascontiguousarray(image.values).data).hexdigest()
    else:
        values = "unread" if origin is not None else uuid.uuid4().hex
    return {
        "version": __version__,
        "origin": origin,
        "values": values,
        "shape": image.shape,
        "transform": transform_of(image)[:6],
        "crs": crs_of(image).to_wkt(),
        "attrs": image.attrs,
        "model": card.files or uuid.uuid4().hex,
        "card": hashlib.sha256(card.to_json().encode()).hexdigest(),
        "conserve": kernel.conserve,
        "engine": kernel.engine,
        "precision": kernel.precision,
    }


def seal(path: Path) -> dict[str, Any]:
    """Return what tells a file or a Zarr store from a changed one without reading it all.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        Path, size, time of change, and a checksum of both ends; of a store, which has a file a
        chunk, the number of its files and a checksum of their names, sizes and times.
    """
    if path.is_dir():
        files = [entry for entry in sorted(path.rglob("*")) if entry.is_file()]
        abouts = [(str(entry.relative_to(path)), entry.stat()) for entry in files]
        listed = [[name, about.st_size, about.st_mtime_ns] for name, about in abouts]
        digest = hashlib.sha256(json.dumps(listed).encode()).hexdigest()
        return {"path": str(path.resolve()), "files": len(listed), "sha256": digest}
    about = path.stat()
    with path.open("rb") as file:
        ends = file.read(_ENDS)
        file.seek(max(0, about.st_size - _ENDS))
        ends += file.read(_ENDS)
    return {
        "path": str(path.resolve()),
        "size": about.st_size,
        "changed": about.st_mtime_ns,
        "sha256": hashlib.sha256(ends).hexdigest(),
    }
