"""Paths of users: files, folders and patterns; and the shards of one export."""

from __future__ import annotations

import glob
import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from no2sr.core.errors import No2srWarning, ReadError, SettingsError, UnknownFormatError
from no2sr.core.layers import LAYERS
from no2sr.readers.kit.files import is_there
from no2sr.readers.registry import find_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["expand", "find_files", "group_shards", "separate", "shard_of"]

# Earth Engine names shards after the row and column of their first cell.
_SHARD = re.compile(r"(.+?)-?(\d{10})-(\d{10})(\.tiff?)", re.IGNORECASE)
_COMPANIONS = {"LatLonGrid.ncf"}  # read with the files beside it, never alone


def expand(
    given: str | Path | Iterable[str | Path], reader: str | None
) -> list[tuple[Path, str | None]]:
    """List the files that paths, folders and patterns mean, with their readers if looked up.

    A folder means the files directly in it, without hidden ones; a Zarr store is not a folder.

    Raises
    ------
    SettingsError
        If a pattern matches nothing, or a folder or pattern contains several products.
    UnknownFormatError
        If a folder contains nothing that can be read.
    FileUnreadableError
        If a path is impossible, or is not UTF-8.

    Warns
    -----
    No2srWarning
        If files of a folder are left out because no reader recognises them.
    """
    paths = [given] if isinstance(given, str | Path) else given
    return [entry for path in paths for entry in _expand(Path(path), reader)]


def find_files(given: str | Path | Iterable[str | Path]) -> Iterator[Path]:
    """Yield every file and Zarr store that `expand` looks at, without opening them.

    They include files that no reader recognises, and files that are read together with others, but
    not paths that cannot be accessed; reading them will raise an error.
    """
    paths = [given] if isinstance(given, str | Path) else given
    for path in map(Path, paths):
        inside: list[Path] = []
        with suppress(OSError, ValueError):  # no permission, a name too long or with a zero byte
            inside = [p for p in _list_named(path) if p.is_file() or _is_store(p)]
        yield from inside


def separate(path: Path) -> list[tuple[Path, ...]]:
    """List the inputs in a folder or of a pattern, each of which is read on its own.

    The shards of one export are one input. Products may be mixed, and broken files are included.

    Parameters
    ----------
    path : Path
        A folder or a pattern; any other path means itself.

    Raises
    ------
    UnknownFormatError
        If there is nothing that can be read.

    Warns
    -----
    No2srWarning
        If files are left out because no reader recognises them.
    """
    if path.is_file() or (path.is_dir() and _is_store(path)):
        return [(path,)]
    known: list[tuple[Path, str | None]] = []
    unknown = []
    for file in filter(_may_be_data, _list_named(path)):
        try:
            find_reader(file)
        except UnknownFormatError:
            unknown.append(file.name)
            continue
        except ReadError:
            pass  # reading it will explain the error
        known.append((file, None))
    if not known:
        raise _no_data_error(path, unknown)
    _warn_of_unknown(path, unknown)
    return [tuple(file for file, _ in group) for group in group_shards(known)]


def _list_named(path: Path) -> list[Path]:
    """List the entries of a folder, a path itself, or the paths that match a pattern."""
    if path.is_dir() and not _is_store(path):
        return sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    return [path] if path.exists() else _matches(path)


def _matches(path: Path) -> list[Path]:
    return [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207


def _expand(path: Path, reader: str | None) -> list[tuple[Path, str | None]]:
    there = is_there(path)
    if there and path.is_dir() and reader is None and not _is_store(path):
        inside = [p for p in sorted(path.iterdir()) if _may_be_data(p)]
        return _find_one_product(inside, path)
    if there or not glob.has_magic(str(path)):
        return [(path, reader)]
    matches = _matches(path)
    if not matches:
        raise SettingsError(f"no file matches {path}; check the pattern and the folder")
    return _find_one_product(matches, path) if reader is None else [(p, reader) for p in matches]


def _may_be_data(path: Path) -> bool:
    plain = not path.name.startswith(".") and path.name not in _COMPANIONS
    return plain and (path.is_file() or _is_store(path))


def _is_store(path: Path) -> bool:
    from no2sr.readers.formats.zarr_store import READER

    return READER.recognises(path)


def _is_layer(path: Path, *, among: set[Path]) -> bool:
    """Tell whether a raster is a layer of another one in the list."""
    return path.suffix.lower() in (".tif", ".tiff") and any(
        path.stem.endswith(f"_{layer}")
        and path.with_stem(path.stem.removesuffix(f"_{layer}")) in among
        for layer in LAYERS
    )


def _find_one_product(paths: list[Path], source: Path) -> list[tuple[Path, str | None]]:
    """Find the readers of files in a folder or of a pattern.

    Layers beside their column, such as ``day_uncertainty.tif`` beside ``day.tif``, are left out.
    """
    paths = [path for path in paths if not _is_layer(path, among=set(paths))]
    readers: dict[str, list[Path]] = {}
    unknown = []
    for path in paths:
        try:
            readers.setdefault(find_reader(path).name, []).append(path)
        except UnknownFormatError:
            unknown.append(path.name)
    if len(readers) > 1:
        _count_empty_ones_with_the_others(readers)
    if not readers:
        raise _no_data_error(source, unknown)
    if len(readers) > 1:
        kinds = [f"{name} ({_list([p.name for p in found])})" for name, found in readers.items()]
        raise SettingsError(
            f"{source} contains several products: {'; '.join(kinds)}; give a pattern that matches "
            "one of them, or name the files"
        )
    _warn_of_unknown(source, unknown)
    ((name, found),) = readers.items()
    return [(path, name) for path in found]


def _no_data_error(source: Path, unknown: list[str]) -> UnknownFormatError:
    """Return the error for a folder or pattern without data."""
    return UnknownFormatError(
        f"{source} is a folder or pattern without a file that no2sr reads (it has "
        f"{_list(unknown) or 'no files'}); give another one"
    )


def _warn_of_unknown(source: Path, unknown: list[str]) -> None:
    if unknown:
        warnings.warn(
            f"{len(unknown)} of the files in {source} are left out because no reader recognises "
            f"them: {_list(unknown)}",
            No2srWarning,
            stacklevel=6,
        )


def _count_empty_ones_with_the_others(readers: dict[str, list[Path]]) -> None:
    """Move files without variables from the reader of CF grids to that of the only product.

    Nothing in an empty granule says which product it is; it is left out when it is read.
    """
    from no2sr.readers.kit.netcdf import open_netcdf, walk

    empty = []
    for path in readers.get("cf_grid", []):
        with open_netcdf(path) as file:
            if next(walk(file), None) is None:
                empty.append(path)
    named = [name for name in readers if name != "cf_grid"]
    if len(named) == 1 and len(empty) == len(readers.get("cf_grid", [])):
        readers[named[0]] = sorted(readers[named[0]] + empty)
        readers.pop("cf_grid", None)


def _list(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def shard_of(path: Path) -> str | None:
    """Return the name of the export that a file is a shard of, by Earth Engine's naming."""
    match = _SHARD.fullmatch(path.name)
    return f"{match[1]}{match[4]}" if match else None


def group_shards(
    entries: list[tuple[Path, str | None]],
) -> list[list[tuple[Path, str | None]]]:
    """Group the shards of each export; every other file is a group of its own."""
    groups: dict[Path, list[tuple[Path, str | None]]] = {}
    for path, reader in entries:
        whole = shard_of(path)
        key = path if whole is None else path.parent / whole
        if whole is None and key in groups:  # the same file twice is two files
            key = path / str(len(groups))
        groups.setdefault(key, []).append((path, reader))
    return list(groups.values())
