"""Names of files: which ones the system and the libraries under no2sr accept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from no2sr.core.errors import No2srError

__all__ = ["LONGEST_NAME", "LONGEST_PATH", "check_name", "make_printable", "shorten"]

# In bytes, on the file systems of Linux and macOS; shorter limits show when a file is made.
LONGEST_NAME, LONGEST_PATH = 255, 4095
_SHOWN = 60  # characters of a long name that a message shows


def check_name(path: str | Path, error: type[No2srError]) -> None:
    """Refuse a path that no file can have, or that the libraries do not accept.

    GDAL and NetCDF accept only names in UTF-8. Another name comes from another system, or from an
    archive made there.

    Parameters
    ----------
    path : str or Path
    error : type
        Error to raise.

    Raises
    ------
    No2srError
        Of the type given.
    """
    whole = os.path.abspath(path)  # noqa: PTH100 - libraries make it so, and links stay as they are
    parts = Path(whole).parts
    bad = max(parts, key=_length)
    if "\0" in whole:
        raise error(f"{_cut(path)} contains a zero byte; check the path")
    if os.name != "nt" and _length(bad) > LONGEST_NAME:
        raise error(
            f"the name {_cut(bad)} is too long: {_length(bad)} bytes, of at most {LONGEST_NAME}; "
            "choose a shorter one"
        )
    if os.name != "nt" and _length(whole) > LONGEST_PATH:
        raise error(
            f"the path of {_cut(parts[-1])} is too long: {_length(whole)} bytes, of at most "
            f"{LONGEST_PATH}; choose a shorter one"
        )
    if make_printable(whole) != whole:
        bad = next(part for part in parts if make_printable(part) != part)
        raise error(
            f"{_cut(bad)}{'' if bad == parts[-1] else f' in the path of {_cut(parts[-1])}'} is not "
            "a name in UTF-8, which the libraries that read and write maps need; rename it, or "
            "choose another name"
        )


def make_printable(path: str | Path) -> str:
    r"""Return a path that any terminal can show: bytes that are not UTF-8 become ``\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def shorten(stem: str, length: int) -> str:
    """Shorten a name to at most `length` bytes."""
    return os.fsencode(stem)[:length].decode("utf-8", "ignore")


def _length(name: str) -> int:
    return len(os.fsencode(name))


def _cut(path: str | Path) -> str:
    """Shorten a long name for a message by leaving out its middle."""
    text = make_printable(path)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 20]}...{text[-17:]}"
