"""What an HDF5 file may not do: take its values from elsewhere, or lie inside itself.

Links to other files, values stored in or mapped from other files, and links to nothing are refused:
the HDF5 library would follow them anywhere that the user can read, and a map would hold what was
never in its file. Groups inside themselves make the NetCDF library call itself until it crashes.
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
    """Refuse an HDF5 file that points outside itself, or goes around in circles.

    Raises
    ------
    FileUnreadableError
    """
    now = path.stat()
    fault = _fault(str(path), now.st_ino, now.st_mtime_ns, now.st_size)
    if fault:
        raise FileUnreadableError(
            f"{path.name} has {fault}, expected a file that holds all of its values itself; copy "
            "them into one file, for example with h5repack or nccopy"
        )


@lru_cache(maxsize=256)  # each reader that is asked opens the file anew
def _fault(path: str, *_state: int) -> str:
    """Describe what is wrong with a file in a certain state; empty if nothing is."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return _fault_in(file, {h5py.h5o.get_info(file.id).addr})
    except (LookupError, RuntimeError, UnicodeError, ValueError) as damaged:
        raise OSError(str(damaged)) from damaged  # h5py has many words for a damaged file


def _fault_in(group: h5py.Group, above: set[int]) -> str:
    """Look through a group; `above` holds the addresses of the groups around it, and its own."""
    if len(above) > DEPTH:
        return f"groups more than {DEPTH} deep ({group.name[:40]}...)"
    return next(filter(None, (_fault_of(group, name, above) for name in group)), "")


def _fault_of(group: h5py.Group, name: str, above: set[int]) -> str:
    """Look at what a name in a group stands for."""
    import h5py

    where = f"{group.name.rstrip('/')}/{name}"
    if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
        return f"a link to another file ({where})"
    try:
        found = group[name]
    except KeyError:
        return f"a link to nothing ({where})"
    if isinstance(found, h5py.Group):
        address = h5py.h5o.get_info(found.id).addr
        inside = address in above
        return f"a group inside itself ({where})" if inside else _fault_in(found, above | {address})
    elsewhere = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
    return f"values that lie in another file ({where})" if elsewhere else ""
