"""What a file is downscaled from: the scene, and how a changed input is told from the same one.

Large grids stay in their files, to be read by window. What they depend on is sealed: a killed run
continues only on the same input, and a file that changes while it is read is refused.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from no2sr.core.door import choose_variable
from no2sr.core.errors import FileUnreadableError, No2srWarning, OversampledWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    from no2sr.downscaling.settings import Reading

__all__ = ["Input", "call_directly", "open_input", "seal", "seal_all"]

_ENDS = 1 << 20  # bytes of either end of a file that are looked at: headers and indices lie there
_MANY_CELLS = 1 << 24  # 64 MiB: what is larger is read by window
_CHUNK = "4MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A scene, and what its values depend on.

    Attributes
    ----------
    scene : Dataset or DataArray
        In memory, or dask-backed to be read by window.
    origin : optional
        What the values of a dask-backed scene depend on, such as the `seal` of its files and how
        they were read. Without it a killed run cannot be told to be the same. Values in memory are
        compared themselves.
    recheck : callable, optional
        Called when all is computed and nothing is written; raises if the input is no longer what
        it was. What was computed is then forgotten.
    """

    scene: xr.Dataset | xr.DataArray
    origin: Any = None
    recheck: Callable[[], None] | None = None


def call_directly(function: Callable[..., Any], source: Any, **settings: Any) -> Any:
    """Call a function that reads files here, in this process."""
    return function(source, **settings)


def open_input(
    sources: tuple[Path, ...], reading: Reading, *, call: Callable[..., Any] = call_directly
) -> Input:
    """Open what is to be downscaled.

    Parameters
    ----------
    sources : tuple of Path
        Files that are read together.
    reading : Reading
    call : callable
        Calls a function that reads files, as `call_directly` does; the command line calls it in a
        process of its own.

    Returns
    -------
    Input

    Raises
    ------
    ReadError, ImageError, SettingsError
        As for `no2sr.open_no2`.
    """
    seals = seal_all(sources)
    scene = _open(sources, reading, call)
    # Where nothing distinguishes one input from another, a killed run is not continued.
    origin = {"files": seals, "reading": reading.arguments()} if all(seals) else None
    lazy = choose_variable(scene).chunks is not None
    recheck = partial(_check_unchanged, sources, seals) if lazy else None
    return Input(scene=scene, origin=origin, recheck=recheck)


def _open(sources: tuple[Path, ...], reading: Reading, call: Callable[..., Any]) -> xr.Dataset:
    """Open the scene; average it to what it resolves if that was asked for."""
    from no2sr.readers.opening.opener import open_no2
    from no2sr.steps.sampling import coarsen_to_native

    settings = reading.arguments()
    if reading.coarsen_to_native:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OversampledWarning)  # it is being acted upon
            fine: xr.Dataset = call(open_no2, _unwrap_single(sources), **settings)
            return coarsen_to_native(fine)
    scene: xr.Dataset | None = call(_read, sources, **settings)
    if scene is not None:
        return scene
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)  # they were given when it was looked at
        return _open_by_window(sources, **settings)


def _unwrap_single(sources: tuple[Path, ...]) -> Path | tuple[Path, ...]:
    return sources[0] if len(sources) == 1 else sources


def _read(sources: tuple[Path, ...], **settings: Any) -> xr.Dataset | None:
    """Read a scene, or only check that it could be read if it is large."""
    from no2sr.readers.opening.doubts import doubt_sample
    from no2sr.readers.opening.extent import cells_in
    from no2sr.readers.opening.opener import open_no2

    if cells_in(sources) <= _MANY_CELLS:
        return open_no2(_unwrap_single(sources), **settings)
    scene = _open_by_window(sources, **settings)
    column = choose_variable(scene)
    if column.chunks is None:  # its reader knows no windows
        return scene
    doubt_sample(column)
    return None


def _open_by_window(sources: tuple[Path, ...], **settings: Any) -> xr.Dataset:
    """Open a scene whose values stay in the file."""
    import dask

    from no2sr.readers.opening.opener import open_no2

    with dask.config.set({"array.chunk-size": _CHUNK}):
        return open_no2(_unwrap_single(sources), chunks="auto", **settings)


def seal_all(sources: tuple[Path, ...]) -> list[list[dict[str, Any]]]:
    """Seal the files of each source; a pipe has no seal."""
    from no2sr.readers.opening.paths import find_files

    seals: list[list[dict[str, Any]]] = [[] for _ in sources]
    for path, sealed in zip(sources, seals, strict=True):
        with suppress(OSError):  # reading will say what may not be read
            sealed += [seal(file) for file in find_files(path)]
    return seals


def _check_unchanged(sources: tuple[Path, ...], seals: list[list[dict[str, Any]]]) -> None:
    """Refuse files that were changed while they were read piece by piece.

    Raises
    ------
    FileUnreadableError
        If that is so.
    """
    for path, before, after in zip(sources, seals, seal_all(sources), strict=True):
        if before != after:
            raise FileUnreadableError(
                f"{path.name} was changed or removed while it was read; run again when it is "
                "complete"
            )


def seal(path: Path) -> dict[str, Any]:
    """Return a seal of a file or a Zarr store: facts that change if it changes.

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
