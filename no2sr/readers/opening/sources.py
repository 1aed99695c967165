"""The files of one call, read one after the other."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import ManyGapsWarning, NoValidPixelsError, SettingsError, UnknownFormatError
from no2sr.readers.kit.files import explain_read_errors
from no2sr.readers.kit.netcdf import check_filled, hold_open
from no2sr.readers.kit.screens import check_limits, check_quality
from no2sr.readers.opening.own import name_own
from no2sr.readers.opening.paths import expand, group_shards
from no2sr.readers.opening.source import Source
from no2sr.readers.registry import find_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from no2sr.readers.port import ReadOptions

    Entry = tuple[Path, str | None]  # a file, and its reader if it is known

__all__ = ["read_sources", "refuse"]


def read_sources(
    path_or_paths: str | Path | Iterable[str | Path],
    reader: str | None,
    options: ReadOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Source, Iterator[Source]]:
    """Read the first file, and the others on demand; the shards of an export count as one.

    An empty granule among several is left out with a warning: some are empty in a small region.

    Raises
    ------
    NoValidPixelsError
        If every file is empty.
    SettingsError
        If there is no file, or the quality threshold is out of range.
    """
    paths = group_shards(expand(path_or_paths, reader))
    if not paths:
        raise SettingsError("there is no file to open; check the pattern")
    if not 0 <= options.quality <= 1:
        raise SettingsError(
            f"the quality threshold is {options.qa_min!r}; give a number from 0 to 1, such as "
            "0.75, which the product recommends, or 0.5 to keep cloudy scenes"
        )
    found = _read(_count(paths, progress), options, alone=len(paths) == 1)
    first = next(found, None)
    if first is None:
        raise NoValidPixelsError(f"all {len(paths)} files are empty; choose other days")
    return first, found


def _count(
    groups: list[list[Entry]], progress: Callable[[int, int], None] | None
) -> Iterator[list[Entry]]:
    """Report progress whenever the next group is requested."""
    for done, group in enumerate(groups):
        if progress is not None:
            progress(done, len(groups))
        yield group
    if progress is not None:
        progress(len(groups), len(groups))


def _read(groups: Iterator[list[Entry]], options: ReadOptions, *, alone: bool) -> Iterator[Source]:
    for group in groups:
        if len(group) > 1:
            from no2sr.readers.opening.mosaic import join_shards

            yield join_shards([_read_one(path, reader, options) for path, reader in group])
            continue
        try:
            yield _read_one(*group[0], options)
        except NoValidPixelsError as empty:
            if alone:
                raise
            warnings.warn(f"{empty}; it is left out", ManyGapsWarning, stacklevel=4)


def _read_one(path: Path, reader: str | None, options: ReadOptions) -> Source:
    with explain_read_errors(path), hold_open(path):
        chosen = find_reader(path, reader)
        if reader is not None or options.limits:  # readers of products do not expect empty files
            check_filled(path)
        if reader is not None and not chosen.recognises(path):
            raise UnknownFormatError(
                f"{path.name} is not a file for the reader {reader!r} ({chosen.product}); leave "
                "reader= out to let the file decide"
            )
        options = name_own(path, options)
        check_limits(chosen, options.limits)
        check_quality(chosen, options.qa_min)
        return Source(path, chosen.name, chosen.read(path, options), options.variable)


def refuse(*, resolution: float | None = None, chunks: Any = None) -> None:
    """Refuse an argument that does not apply, rather than ignore it."""
    if chunks is not None and chunks != "auto":  # "auto" means: where that is possible
        raise SettingsError(
            f"chunks was given as {chunks!r}, and swaths are put on their grid at once; leave it "
            "out, or grid them into a file with no2sr grid and open that with chunks="
        )
    if resolution is not None:
        raise SettingsError(
            f"resolution={resolution!r} applies to swaths, and this is a grid; leave it out"
        )
