"""Checks of HDF5 files: none may take its values from another file, or contain itself.

Links to other files, values that are stored in or mapped from other files, and dangling links are
refused: the HDF5 library would follow them to any file that the user can read, and a map would
hold values that were never in its file. A group inside itself makes the NetCDF library recurse
until it crashes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from no2sr.core.errors import FileUnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

__all__ = ["check_closed"]

DEPTH = 64  # groups within groups; products have five


def check_closed(path: Path) -> None:
    """Refuse an HDF5 file that points outside itself, or has a group inside itself.

    Raises
    ------
    FileUnreadableError
    """
    now = path.stat()
    fault = _fault(str(path), now.st_ino, now.st_mtime_ns, now.st_size)
    if fault:
        raise FileUnreadableError(
            f"{path.name} has {fault}; copy all of its values into one file, for example with "
            "h5repack or nccopy"
        )


@lru_cache(maxsize=256)  # every reader that looks into the file opens it again
def _fault(path: str, *_state: int) -> str:
    """Describe the fault of a file, whose state is part of the cache key; empty if it has none."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return _fault_in(file, {h5py.h5o.get_info(file.id).addr})
    except (LookupError, RuntimeError, UnicodeError, ValueError) as damaged:
        raise OSError(str(damaged)) from damaged  # h5py raises many kinds of error for damage


def _fault_in(group: h5py.Group, above: set[int]) -> str:
    """Find the first fault in a group; `above` holds its address and those of its parents."""
    if len(above) > DEPTH:
        return f"groups more than {DEPTH} deep ({group.name[:40]}...)"
    return next(filter(None, (_fault_of(group, name, above) for name in group)), "")


def _fault_of(group: h5py.Group, name: str, above: set[int]) -> str:
    """Find the fault of one member of a group."""
    import h5py

    where = f"{group.name.rstrip('/')}/{name}"
    if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
        return f"a link to another file ({where})"
    try:
        found = group[name]
    except KeyError:
        return f"a dangling link ({where})"
    if isinstance(found, h5py.Group):
        address = h5py.h5o.get_info(found.id).addr
        inside = address in above
        return f"a group inside itself ({where})" if inside else _fault_in(found, above | {address})
    elsewhere = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
    return f"values that lie in another file ({where})" if elsewhere else ""
