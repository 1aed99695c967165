"""Files before their format is known, and when they turn out to be broken."""

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


# Files of colours: what they begin with, and the endings of those that can be learnt from.
_PICTURES = {
    "PNG": (b"\x89PN", {".png"}),
    "JPEG": (b"\xff\xd8\xff", {".jpg", ".jpeg"}),
    "BMP": (b"BM", {".bmp"}),
    "GIF": (b"GIF", set[str]()),
}


def read_beginning(path: Path, count: int = 4) -> bytes:
    """Return the first bytes of a file, none of a folder."""
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
    except OSError as unusable:  # a loop of links, a folder that may not be looked into
        raise FileUnreadableError(
            f"{path} cannot be looked up ({unusable}), expected a file; check the path"
        ) from unusable


def check_there(path: Path) -> None:
    """Refuse what is missing, no file, too short to be anything, or has an impossible name.

    Raises
    ------
    FileUnreadableError
    """
    if not is_there(path):
        raise FileUnreadableError(f"{path} does not exist, expected a file; check the path")
    if not (path.is_file() or path.is_dir()):  # to open a pipe would be to wait
        raise FileUnreadableError(
            f"{path} is a pipe, a socket or a device, expected a file; write it to a file first"
        )
    if path.is_file() and path.stat().st_size < 8:
        raise FileUnreadableError(
            f"{path.name} is {path.stat().st_size} bytes long, expected a data file; fetch it again"
        )


def check_room(size: int, path: Path) -> None:
    """Refuse values that would fill the memory: a few bytes can declare any number of them.

    Parameters
    ----------
    size : int
        In bytes.
    path : Path

    Raises
    ------
    FileUnreadableError
        If it is more than half of what the machine has: working on values takes more than them.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not said by every system
        return
    if size > memory / 2:
        raise FileUnreadableError(
            f"{path.name} declares values of {size / 1e9:.3g} GB, expected less than half of the "
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
    """Tell by its ending whether a file is a picture that `read_pixels` takes.

    Parameters
    ----------
    path : Path
    """
    return any(path.suffix.lower() in endings for _, endings in _PICTURES.values())


def check_no_picture(path: Path) -> None:
    """Refuse what holds colours: no number that was ever a colour is a column.

    Raises
    ------
    UnknownFormatError
    """
    kind = picture_kind(path)
    if kind:
        raise UnknownFormatError(
            f"{path.name} is a picture ({kind}), expected measured values: no column can be read "
            "off colours; give the file that the picture was made of, or make the picture larger "
            "with no2sr enhance"
        )


@contextmanager
def explain_read_errors(path: Path) -> Iterator[None]:
    """Turn what the libraries raise over a broken file into `FileUnreadableError`."""
    try:
        yield
    except No2srError:
        raise
    except MemoryError as large:
        raise FileUnreadableError(
            f"{path.name} needs more memory than there is ({str(large) or 'none is left'}), "
            "expected values that fit; read a part of it with bbox=, or lazily with chunks="
        ) from large
    except Exception as broken:
        if not _is_of_data(broken):
            raise
        raise FileUnreadableError(
            f"{path.name} cannot be read ({_reason(broken)}), expected a complete file; "
            "it may be truncated: fetch it again"
        ) from broken


def _reason(error: Exception) -> object:
    """Return what GDAL said, of which rasterio may say no more than that there was something."""
    return error.__cause__ if error.__cause__ and "previous exception" in str(error) else error


def _is_of_data(error: Exception) -> bool:
    """Tell whether a library raised an error over bad data; any other is a bug."""
    if isinstance(error, RuntimeError | AttributeError):  # netCDF4 raises these bare
        return "NetCDF" in str(error)
    # The errors of GDAL derive from nothing but Exception, and not all are turned into OSError.
    return isinstance(error, OSError | UnicodeError | OverflowError) or type(
        error
    ).__module__.startswith("rasterio.")
