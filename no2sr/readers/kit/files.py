"""Files whose format is not known yet, and files that turn out to be broken."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from no2sr.core.errors import FileUnreadableError, No2srError, UnknownFormatError
from no2sr.core.names import check_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "check_no_picture",
    "check_room",
    "check_there",
    "explain_read_errors",
    "is_picture_name",
    "is_there",
    "picture_kind",
    "read_beginning",
]


# Pictures: their first bytes, and the suffixes of those that networks can be trained on.
_PICTURES = {
    "PNG": (b"\x89PN", {".png"}),
    "JPEG": (b"\xff\xd8\xff", {".jpg", ".jpeg"}),
    "BMP": (b"BM", {".bmp"}),
    "GIF": (b"GIF", set[str]()),
}


def read_beginning(path: Path, count: int = 4) -> bytes:
    """Return the first bytes of a file; none for a folder."""
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        return stream.read(count)


def is_there(path: Path) -> bool:
    """Tell whether anything is at a path.

    Raises
    ------
    FileUnreadableError
        If it cannot be looked up.
    """
    check_name(path, FileUnreadableError)
    try:
        return path.exists()
    except OSError as unusable:  # a loop of links, a folder without permission
        raise FileUnreadableError(
            f"{path} cannot be accessed ({unusable}); check the path and its permissions"
        ) from unusable


def check_there(path: Path) -> None:
    """Refuse a path that is impossible, does not exist, is not a file, or is too short for data.

    Raises
    ------
    FileUnreadableError
    """
    if not is_there(path):
        raise FileUnreadableError(f"{path} does not exist; check the path")
    if not (path.is_file() or path.is_dir()):  # opening a pipe would wait for its writer
        raise FileUnreadableError(
            f"{path} is a pipe, a socket or a device; write its data to a file first"
        )
    if path.is_file() and path.stat().st_size < 8:
        raise FileUnreadableError(
            f"{path.name} is {path.stat().st_size} bytes long; download it again"
        )


def check_room(size: int, path: Path) -> None:
    """Refuse values that would fill the memory: a small file can declare any number of them.

    Parameters
    ----------
    size : int
        In bytes.
    path : Path

    Raises
    ------
    FileUnreadableError
        If it is more than half of the memory: processing needs room besides the values.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system says it
        return
    if size > memory / 2:
        raise FileUnreadableError(
            f"{path.name} declares {size / 1e9:.3g} GB of values, more than half of the "
            f"{memory / 1e9:.3g} GB of memory; read a part of it with bbox=, or lazily with chunks="
        )


def picture_kind(path: Path) -> str:
    """Return ``"PNG"``, ``"JPEG"``, ``"BMP"`` or ``"GIF"`` by the first bytes of a file, or ``""``.

    Parameters
    ----------
    path : Path
    """
    first = read_beginning(path, 3)
    return next((kind for kind, (magic, _) in _PICTURES.items() if first.startswith(magic)), "")


def is_picture_name(path: Path) -> bool:
    """Tell by its suffix whether a file is a picture that `read_pixels` can read.

    Parameters
    ----------
    path : Path
    """
    return any(path.suffix.lower() in endings for _, endings in _PICTURES.values())


def check_no_picture(path: Path) -> None:
    """Refuse a picture: no column can be read from colours.

    Raises
    ------
    UnknownFormatError
    """
    kind = picture_kind(path)
    if kind:
        raise UnknownFormatError(
            f"{path.name} is a picture ({kind}), and no column can be read from colours; give the "
            "file that the picture was made from, or enlarge the picture with no2sr enhance"
        )


@contextmanager
def explain_read_errors(path: Path) -> Iterator[None]:
    """Convert the errors that libraries raise for a broken file to `FileUnreadableError`."""
    try:
        yield
    except No2srError:
        raise
    except MemoryError as large:
        raise FileUnreadableError(
            f"{path.name} needs more memory than there is ({str(large) or 'none is left'}); read a "
            "part of it with bbox=, or lazily with chunks="
        ) from large
    except Exception as broken:
        if not _is_of_data(broken):
            raise
        raise FileUnreadableError(
            f"{path.name} cannot be read ({_reason(broken)}); it may be truncated: download it "
            "again"
        ) from broken


def _reason(error: Exception) -> object:
    """Return the message of GDAL if rasterio only says that there was one."""
    return error.__cause__ if error.__cause__ and "previous exception" in str(error) else error


def _is_of_data(error: Exception) -> bool:
    """Tell whether a library raised an error because of bad data; any other error is a bug."""
    if isinstance(error, RuntimeError | AttributeError):  # netCDF4 raises these bare
        return "NetCDF" in str(error)
    # GDAL's errors derive from Exception directly, and rasterio does not turn all into OSError.
    return isinstance(error, OSError | UnicodeError | OverflowError) or type(
        error
    ).__module__.startswith("rasterio.")
