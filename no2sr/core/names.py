"""Names of files: which ones the system can have and the libraries under no2sr can be given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from no2sr.core.errors import No2srError

__all__ = ["LONGEST_NAME", "LONGEST_PATH", "check_name", "printable", "shortened"]

# In bytes, on the file systems of Linux and macOS; shorter limits show when a file is made.
LONGEST_NAME, LONGEST_PATH = 255, 4095
_SHOWN = 60  # characters of a long name that a message shows


def check_name(path: str | Path, error: type[No2srError]) -> None:
    """Refuse a path that no file can have, or that cannot be handed on to the libraries.

    GDAL and NetCDF take names as UTF-8 only. One that is not comes from another system, or from an
    archive made there.

    Parameters
    ----------
    path : str or Path
    error : type
        What is to be raised.

    Raises
    ------
    No2srError
        Of the type given.
    """
    whole = os.path.abspath(path)  # noqa: PTH100 - libraries make it so, and links stay as they are
    parts = Path(whole).parts
    bad = max(parts, key=_length)
    if "\0" in whole:
        raise error(f"{_cut(path)} has a zero byte in it, expected none; check the path")
    if os.name != "nt" and _length(bad) > LONGEST_NAME:
        raise error(
            f"the name {_cut(bad)} is too long: {_length(bad)} bytes, expected at most "
            f"{LONGEST_NAME}; choose a shorter one"
        )
    if os.name != "nt" and _length(whole) > LONGEST_PATH:
        raise error(
            f"the path of {_cut(parts[-1])} is too long: {_length(whole)} bytes, expected at most "
            f"{LONGEST_PATH}; choose a shorter one"
        )
    if printable(whole) != whole:
        bad = next(part for part in parts if printable(part) != part)
        raise error(
            f"{_cut(bad)}{'' if bad == parts[-1] else f' in the path of {_cut(parts[-1])}'} is no "
            "name in UTF-8, expected one: the libraries that read and write maps take no other; "
            "rename it, or choose another"
        )


def printable(path: str | Path) -> str:
    r"""Return a path as any terminal can show it: bytes that are not UTF-8 become ``\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def shortened(stem: str, length: int) -> str:
    """Return the beginning of a name that takes so many bytes at most."""
    return os.fsencode(stem)[:length].decode("utf-8", "ignore")


def _length(name: str) -> int:
    return len(os.fsencode(name))


def _cut(path: str | Path) -> str:
    """Return a name as a message shows it, the middle of a long one left out."""
    text = printable(path)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 20]}...{text[-17:]}"
