"""NetCDF and HDF5 files, sound or broken, flat or in groups."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.columns import Field
from no2sr.core.errors import DimensionError, FileUnreadableError, NoValidPixelsError
from no2sr.readers.kit.files import check_room, explain_read_errors, read_beginning
from no2sr.readers.kit.links import check_closed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import netCDF4
    from numpy.typing import NDArray

__all__ = [
    "attribute",
    "check_filled",
    "check_values",
    "check_whole",
    "empty_file_error",
    "field_of",
    "fields_in",
    "find",
    "group_at",
    "hold_open",
    "is_netcdf",
    "open_netcdf",
    "read_floats",
    "walk",
]

_CLASSIC = (b"CDF\x01", b"CDF\x02")
_CDF = (*_CLASSIC, b"CDF\x05")
_SIGNATURES = (*_CDF, b"\x89HDF")


def is_netcdf(path: Path) -> bool:
    """Tell by the first bytes whether a file is NetCDF (3, 4 or 5) or HDF5."""
    return read_beginning(path) in _SIGNATURES


class _Held:
    """A file that is opened on its first use, and stays open until a block ends."""

    def __init__(self, until: ExitStack) -> None:
        self.until = until
        self.file: netCDF4.Dataset | None = None


_HELD: ContextVar[Mapping[Path, _Held]] = ContextVar("held", default={})  # noqa: B039 - never changed


@contextmanager
def hold_open(path: Path) -> Iterator[None]:
    """Keep a file open inside the block, so that `open_netcdf` opens it only once.

    Every reader looks into a file to tell whether it recognises it.

    Parameters
    ----------
    path : Path
    """
    held = _HELD.get()
    if path in held:
        yield
        return
    with ExitStack() as until:
        token = _HELD.set({**held, path: _Held(until)})
        try:
            yield
        finally:
            _HELD.reset(token)


@contextmanager
def open_netcdf(path: Path) -> Iterator[netCDF4.Dataset]:
    """Open a NetCDF or HDF5 file, or use the one that `hold_open` keeps open.

    Raises
    ------
    FileUnreadableError
        If it is truncated or damaged.
    """
    held = _HELD.get().get(path)
    if held is None:
        with _open(path) as file:
            yield file
        return
    if held.file is None:
        held.file = held.until.enter_context(_open(path))
    with explain_read_errors(path):
        try:
            yield held.file
        finally:
            held.file.set_auto_maskandscale(True)  # the state that the next reader expects


@contextmanager
def _open(path: Path) -> Iterator[netCDF4.Dataset]:
    import netCDF4

    with explain_read_errors(path):
        check_whole(path)
        if read_beginning(path) not in _CDF:
            check_closed(path)
        with netCDF4.Dataset(path.absolute()) as file:
            if read_beginning(path) == _CDF[-1]:
                _check_whole_cdf5(file, path)
            yield file


def _check_whole_cdf5(file: netCDF4.Dataset, path: Path) -> None:
    """Refuse a CDF-5 file that is shorter than its header and its values."""
    holders: list[Any] = [file, *file.variables.values()]
    size = 4 + 8 + 3 * 12 + 12 * len(file.variables)
    size += sum(16 + _pad(len(name.encode())) for name in file.dimensions)
    for name, variable in file.variables.items():
        size += 8 + _pad(len(name.encode())) + 8 + 8 * variable.ndim + 20
        size += variable.size * variable.dtype.itemsize
    for holder in holders:
        for key in holder.ncattrs():
            value = holder.getncattr(key)
            length = len(value.encode()) if isinstance(value, str) else np.asarray(value).nbytes
            size += 8 + _pad(len(key.encode())) + 12 + _pad(length)
    if path.stat().st_size < size:
        raise FileUnreadableError(
            f"{path.name} is truncated: it has {path.stat().st_size} of at least {size} bytes; "
            "download it again"
        )


def _pad(size: int) -> int:
    return -(-size // 4) * 4


def check_whole(path: Path) -> None:
    """Refuse a classic NetCDF file that is truncated.

    The NetCDF library silently reads the missing part as zeros; HDF5 detects it.
    """
    if read_beginning(path) not in _CLASSIC:
        return
    from scipy.io import netcdf_file

    try:
        with netcdf_file(path, mmap=True):  # maps every variable, which needs every byte
            pass
    except (TypeError, ValueError, LookupError, OverflowError, MemoryError) as short:
        raise FileUnreadableError(
            f"{path.name}, of {path.stat().st_size} bytes, is truncated or its header is damaged; "
            "download it again"
        ) from short


def check_filled(path: Path) -> None:
    """Refuse a NetCDF or HDF5 file without variables, which portals send for days without data.

    Raises
    ------
    NoValidPixelsError
    """
    if not is_netcdf(path):
        return
    with open_netcdf(path) as file:
        if next(walk(file), None) is None:
            raise empty_file_error(path)


def empty_file_error(path: Path) -> NoValidPixelsError:
    """Return the error for a file without variables."""
    return NoValidPixelsError(
        f"{path.name} is empty: it has no variables; download it again, or leave it out"
    )


def walk(group: netCDF4.Dataset | netCDF4.Group) -> Iterator[netCDF4.Variable[Any]]:
    """Yield every variable of a file or group, then those of its subgroups."""
    yield from group.variables.values()
    for child in group.groups.values():
        yield from walk(child)


def group_at(
    holder: netCDF4.Dataset | netCDF4.Group, path: str
) -> netCDF4.Dataset | netCDF4.Group | None:
    """Return the group at a path below a file or group, if it is there."""
    for step in path.split("/") if path else ():
        if step not in holder.groups:
            return None
        holder = holder.groups[step]
    return holder


def find(holder: netCDF4.Dataset | netCDF4.Group, path: str) -> netCDF4.Variable[Any] | None:
    """Return the variable at a path below a file or group, if it is there."""
    groups, _, name = path.rpartition("/")
    group = group_at(holder, groups)
    return None if group is None else group.variables.get(name)


def fields_in(group: netCDF4.Dataset | netCDF4.Group) -> list[Field]:
    """Describe every variable of a file or group and of its subgroups."""
    return [field_of(variable) for variable in walk(group)]


def field_of(variable: netCDF4.Variable[Any]) -> Field:
    """Describe one variable without reading its values."""
    group = variable.group().path.strip("/")
    texts = (attribute(variable, key) for key in ("long_name", "standard_name", "title", "Title"))
    return Field(
        name=variable.name,
        path=f"{group}/{variable.name}".lstrip("/"),
        unit=attribute(variable, "units") or attribute(variable, "Units"),  # HDF-EOS5 says Units
        dims=tuple(variable.dimensions),
        shape=tuple(variable.shape),
        text=" ".join(filter(None, texts)),
    )


def attribute(holder: Any, key: str) -> str:
    """Return an attribute of a file, group or variable as text, or an empty string."""
    return str(holder.getncattr(key)) if key in holder.ncattrs() else ""


def check_values(variable: netCDF4.Variable[Any]) -> None:
    """Refuse a variable that does not hold numbers, or would fill the memory.

    Raises
    ------
    DimensionError, FileUnreadableError
    """
    path = Path(variable.group().filepath())
    kind = variable.dtype if isinstance(variable.datatype, np.dtype) else None
    if kind is None or kind.kind not in "fiu":
        raise DimensionError(
            f"{variable.name} of {path.name} holds {variable.datatype} and not numbers; name "
            "another variable"
        )
    check_room(variable.size * kind.itemsize, path)


def read_floats(variable: netCDF4.Variable[Any]) -> NDArray[np.floating[Any]]:
    """Read decoded values, NaN where the file marks them as missing."""
    check_values(variable)
    values = variable[...]
    kind = values.dtype if values.dtype.kind == "f" else np.dtype("float64")
    return np.asarray(np.ma.filled(values.astype(kind, copy=False), np.nan))
