"""The files of one call, read one after the other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from no2sr.errors import ManyGapsWarning, NoValidPixelsError, SettingsError
from no2sr.readers import find_reader
from no2sr.readers._files import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import xarray as xr

    from no2sr.readers import ReadOptions
    from no2sr.readers._time import Moment

__all__ = ["Source", "is_swath", "refuse", "sources"]


class Source(NamedTuple):
    """One file as its reader understood it."""

    path: Path
    reader: str
    dataset: xr.Dataset


def is_swath(dataset: xr.Dataset) -> bool:
    """Tell a swath from a grid."""
    return {"scanline", "ground_pixel"} <= set(dataset.dims)


def sources(
    path_or_paths: str | Path | Iterable[str | Path], reader: str | None, options: ReadOptions
) -> tuple[Source, Iterator[Source]]:
    """Read the first file, and promise the others.

    An empty granule among several is left out with a warning: over a small region some are.

    Raises
    ------
    NoValidPixelsError
        If every file is empty.
    SettingsError
        If there is no file, or the quality threshold is out of range.
    """
    one = isinstance(path_or_paths, str | Path)
    paths = [Path(path_or_paths)] if one else [Path(path) for path in path_or_paths]  # type: ignore[arg-type,union-attr]
    if not paths:
        raise SettingsError("there is no file to open, expected at least one; check the pattern")
    if not 0 <= options.qa_min <= 1:
        raise SettingsError(
            f"the quality threshold is {options.qa_min!r}, expected 0 to 1; "
            "give 0.75, the product's advice, or 0.5 to keep cloudy scenes"
        )
    found = _read(paths, reader, options)
    first = next(found, None)
    if first is None:
        raise NoValidPixelsError(
            f"all {len(paths)} files are empty, expected pixels in one at least; choose other days"
        )
    return first, found


def _read(paths: list[Path], reader: str | None, options: ReadOptions) -> Iterator[Source]:
    for path in paths:
        with readable(path):
            chosen = find_reader(path, reader)
            try:
                yield Source(path, chosen.name, chosen.read(path, options))
            except NoValidPixelsError as empty:
                if len(paths) == 1:
                    raise
                warnings.warn(f"{empty}; it is left out", ManyGapsWarning, stacklevel=4)


def refuse(*, time: Moment | None = None, resolution: float | None = None) -> None:
    """Refuse an argument that does not apply, rather than ignore it."""
    if time is not None:
        raise SettingsError(
            f"time={time!r} was given for a swath, expected a grid with several steps; leave it out"
        )
    if resolution is not None:
        raise SettingsError(
            f"resolution={resolution!r} was given for a grid, expected a swath; leave it out: a "
            "grid has its own"
        )
