"""Files before their format is known, and when they turn out to be broken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from no2sr.errors import FileUnreadableError, No2srError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["beginning", "check_there", "readable"]


def beginning(path: Path, count: int = 4) -> bytes:
    """Return the first bytes of a file, none of a folder."""
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        return stream.read(count)


def check_there(path: Path) -> None:
    """Refuse what is missing, or too short to be anything.

    Raises
    ------
    FileUnreadableError
    """
    if not path.exists():
        raise FileUnreadableError(f"{path} does not exist, expected a file; check the path")
    if path.is_file() and path.stat().st_size < 8:
        raise FileUnreadableError(
            f"{path.name} is {path.stat().st_size} bytes long, expected a data file; fetch it again"
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the libraries raise over a broken file into `FileUnreadableError`."""
    try:
        yield
    except No2srError:
        raise
    except (OSError, RuntimeError) as broken:
        if isinstance(broken, RuntimeError) and "NetCDF" not in str(broken):
            raise  # netCDF4 raises bare RuntimeError over bad data; any other is a bug
        raise FileUnreadableError(
            f"{path.name} cannot be read ({broken}), expected a complete file; "
            "it may be truncated: fetch it again"
        ) from broken
