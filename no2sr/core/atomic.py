"""Outputs that appear under their final name only when complete."""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
import uuid
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from no2sr.core.errors import No2srError, OutputExistsError, WriteError
from no2sr.core.names import LONGEST_NAME, check_name, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_free", "refusals", "replacing", "scratch_beside", "scratch_in"]

# What GDAL keeps beside a raster: after an overwrite it would describe the file that was.
_SIDECARS = (".aux.xml", ".ovr", ".msk")
_STEM = 128  # bytes of a name that temporary ones begin with: libraries append to those
# renameat2(2): relative to the working folder; only if the name is free; both names exchanged.
_HERE, _IF_FREE, _EXCHANGE = -100, 1, 2
_SCRATCH: ContextVar[Path | None] = ContextVar("scratch", default=None)


@contextmanager
def replacing(path: str | Path, *, overwrite: bool) -> Iterator[Path]:
    """Lend a temporary path, and rename it to the final one if the block succeeds.

    Parameters
    ----------
    path : str or Path
        The final name of a file, or of a folder such as a Zarr store.
    overwrite : bool

    Yields
    ------
    Path
        In the same folder, with the same suffix. Whatever else in the folder begins with its name
        is scratch, and is removed like itself if the block fails.

    Raises
    ------
    OutputExistsError
        If the final name is taken and `overwrite` is false.
    WriteError
        If the folder is missing, or the system refuses to write.
    """
    final = Path(path)
    check_free(final, overwrite=overwrite)
    temporary = (_SCRATCH.get() or final.parent) / f"{_partial(final)}{final.suffix}"
    try:
        with refusals(final):
            yield temporary
            check_free(final, overwrite=overwrite)
            _move(temporary, final, overwrite=overwrite)
    finally:
        for scratch in temporary.parent.glob(f"{glob.escape(temporary.name)}*"):
            _remove(scratch)


@contextmanager
def scratch_in(folder: Path) -> Iterator[None]:
    """Let temporary paths lie in a folder, on the same disk, instead of beside the final ones."""
    token = _SCRATCH.set(folder)
    try:
        yield
    finally:
        _SCRATCH.reset(token)


@contextmanager
def scratch_beside(final: Path) -> Iterator[Path]:
    """Lend a folder for `scratch_in` to another process, which may be killed.

    Yields
    ------
    Path
        Beside the final name, whose own folder is made if it is not there. It is removed at the
        end, whatever is in it; so are folders that were made and stayed empty.
    """
    made = [folder for folder in final.absolute().parents if not folder.exists()]
    with refusals(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        folder = final.with_name(_partial(final))
        folder.mkdir()
    try:
        yield folder
    finally:
        _remove(folder)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def _partial(final: Path) -> str:
    """Return the beginning of a temporary name, however long the final one is."""
    return f".{shortened(final.stem, _STEM)}.{uuid.uuid4().hex[:8]}.partial"


@contextmanager
def refusals(final: Path) -> Iterator[None]:
    """Say in our words why the system refused to write.

    Raises
    ------
    WriteError
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, No2srError):
            raise
        reason = error.strerror or error.__cause__ or error
        if error.errno == errno.ENAMETOOLONG:  # some file systems allow less than others
            raise WriteError(
                f"{final} could not be written ({reason}), expected a name as short as its file "
                "system wants it; choose a shorter one"
            ) from error
        raise WriteError(
            f"{final} could not be written ({reason}), expected a writable folder with room; "
            "check its permissions and free space, or write elsewhere"
        ) from error


def check_free(final: Path, *, overwrite: bool) -> None:
    """Refuse a missing folder, a taken name, and one that cannot be.

    Raises
    ------
    OutputExistsError
        If the name is taken and `overwrite` is false.
    WriteError
        If the folder is missing, or as `no2sr.core.names.check_name` says.
    """
    check_name(final, WriteError)
    if not final.parent.is_dir():
        raise WriteError(
            f"folder {final.parent} is not there, expected an existing one for {final.name}; "
            "create it first"
        )
    if final.exists() and not overwrite:
        raise OutputExistsError(
            f"{final} exists already, expected a free name; choose another, or state overwrite "
            "to replace it"
        )


def _move(temporary: Path, final: Path, *, overwrite: bool) -> None:
    """Put the finished output in its place, in one step wherever the system can do that.

    Raises
    ------
    OutputExistsError
        If somebody else has just taken the name and `overwrite` is false.
    """
    if not overwrite:
        try:
            if not _renamed(temporary, final, how=_IF_FREE):
                temporary.replace(final)
        except FileExistsError:
            check_free(final, overwrite=False)
            raise
    elif not (final.is_dir() and temporary.is_dir()):
        temporary.replace(final)
    elif not _renamed(temporary, final, how=_EXCHANGE):  # else the old one is scratch now
        _move_folder(temporary, final)
    for sidecar in (final.with_name(final.name + suffix) for suffix in _SIDECARS):
        if len(os.fsencode(sidecar.name)) <= LONGEST_NAME:
            sidecar.unlink(missing_ok=True)


def _renamed(old: Path, new: Path, *, how: int) -> bool:
    """Rename as only Linux can, and tell whether it could.

    Raises
    ------
    OSError
        If the renaming itself is refused.
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if renameat2(_HERE, os.fsencode(old), _HERE, os.fsencode(new), how) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):  # not on this file system
        return False
    raise OSError(code, os.strerror(code), str(new))


def _move_folder(temporary: Path, final: Path) -> None:
    """Exchange a folder, which takes two steps, for another."""
    aside = temporary.with_name(f"{temporary.name}.old")
    final.rename(aside)
    try:
        temporary.rename(final)
    except OSError:
        aside.rename(final)
        raise


def _remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
