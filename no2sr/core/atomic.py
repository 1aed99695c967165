"""Outputs that appear under their final name only when they are complete."""

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
from no2sr.core.names import LONGEST_NAME, check_name, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_free", "explain_refusals", "replace_atomically", "scratch_beside", "scratch_in"]

# Files that GDAL keeps beside a raster. After an overwrite they would describe the old one.
_SIDECARS = (".aux.xml", ".ovr", ".msk")
_STEM = 128  # bytes of a name that temporary names begin with; libraries append to them
# Of renameat2(2): relative to the working folder; only if the name is free; exchange both names.
_HERE, _IF_FREE, _EXCHANGE = -100, 1, 2
_SCRATCH: ContextVar[Path | None] = ContextVar("scratch", default=None)


@contextmanager
def replace_atomically(path: str | Path, *, overwrite: bool) -> Iterator[Path]:
    """Lend a temporary path, and rename it to the final one if the block succeeds.

    Parameters
    ----------
    path : str or Path
        The final name of a file, or of a folder such as a Zarr store.
    overwrite : bool

    Yields
    ------
    Path
        In the same folder, with the same suffix. If the block fails, it is removed, with every
        other file in the folder whose name begins with its name.

    Raises
    ------
    OutputExistsError
        If the final name is taken and `overwrite` is false.
    WriteError
        If the folder does not exist, or the system refuses to write.
    """
    final = Path(path)
    check_free(final, overwrite=overwrite)
    temporary = (_SCRATCH.get() or final.parent) / f"{_partial(final)}{final.suffix}"
    try:
        with explain_refusals(final):
            yield temporary
            check_free(final, overwrite=overwrite)
            _move(temporary, final, overwrite=overwrite)
    finally:
        for scratch in temporary.parent.glob(f"{glob.escape(temporary.name)}*"):
            _remove(scratch)


@contextmanager
def scratch_in(folder: Path) -> Iterator[None]:
    """Put temporary paths into a folder on the same disk instead of beside the final ones."""
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
        Beside the final name, whose folder is made if it does not exist. It is removed at the end
        with its content, as are folders that were made and stayed empty.
    """
    made = [folder for folder in final.absolute().parents if not folder.exists()]
    with explain_refusals(final):
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
    """Return the beginning of a temporary name."""
    return f".{shorten(final.stem, _STEM)}.{uuid.uuid4().hex[:8]}.partial"


@contextmanager
def explain_refusals(final: Path) -> Iterator[None]:
    """Explain why the system refused to write.

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
                f"{final} could not be written ({reason}): its file system allows only shorter "
                "names; choose a shorter one"
            ) from error
        raise WriteError(
            f"{final} could not be written ({reason}); check the permissions and the free space "
            "of its folder, or write elsewhere"
        ) from error


def check_free(final: Path, *, overwrite: bool) -> None:
    """Refuse a folder that does not exist, and a name that is taken or impossible.

    Raises
    ------
    OutputExistsError
        If the name is taken and `overwrite` is false.
    WriteError
        If the folder does not exist, or as `no2sr.core.names.check_name` says.
    """
    check_name(final, WriteError)
    if not final.parent.is_dir():
        raise WriteError(
            f"the folder {final.parent} for {final.name} does not exist; create it first"
        )
    if final.exists() and not overwrite:
        raise OutputExistsError(
            f"{final} already exists; choose another name, or pass overwrite=True to replace it"
        )


def _move(temporary: Path, final: Path, *, overwrite: bool) -> None:
    """Move the finished output to its place, in one step where the system can do that.

    Raises
    ------
    OutputExistsError
        If another program has just taken the name and `overwrite` is false.
    """
    if not overwrite:
        try:
            if not _rename(temporary, final, how=_IF_FREE):
                temporary.replace(final)
        except FileExistsError:
            check_free(final, overwrite=False)
            raise
    elif not (final.is_dir() and temporary.is_dir()):
        temporary.replace(final)
    elif not _rename(temporary, final, how=_EXCHANGE):  # otherwise the old one is scratch now
        _move_folder(temporary, final)
    for sidecar in (final.with_name(final.name + suffix) for suffix in _SIDECARS):
        if len(os.fsencode(sidecar.name)) <= LONGEST_NAME:
            sidecar.unlink(missing_ok=True)


def _rename(old: Path, new: Path, *, how: int) -> bool:
    """Rename with the flags that only Linux has, and tell whether the system could.

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
    """Replace a folder by another, which takes two steps."""
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
