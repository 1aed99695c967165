"""Merge swaths on one grid while they are read."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import (
    MissingVariableError,
    No2srWarning,
    NoValidPixelsError,
    SettingsError,
)
from no2sr.core.layers import COUNT, COVERAGE, assemble_scene, companions_of
from no2sr.core.provenance import origin
from no2sr.core.spans import TIME_COVERAGE, parse_span
from no2sr.core.times import TIME, date_scene, describe_times, keep_bounds
from no2sr.core.units import CANONICAL
from no2sr.readers.kit.coverage import span_in
from no2sr.readers.kit.time import in_utc
from no2sr.readers.opening.cropping import check_box
from no2sr.readers.opening.doubts import doubt_values
from no2sr.readers.opening.grids import column_of
from no2sr.readers.opening.source import RESOLUTION, is_swath
from no2sr.readers.opening.sources import read_sources
from no2sr.readers.port import ReadOptions
from no2sr.readers.registry import load_reader
from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.moments import span_of
from no2sr.swaths.sums import CORRELATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr

    from no2sr.core.earth import Box
    from no2sr.readers.kit.time import Moment
    from no2sr.readers.opening.source import Source
    from no2sr.readers.port import Paths

__all__ = ["Gridding", "merge_swaths", "open_swaths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gridding:
    """The grid that swaths are put on; see `no2sr.readers.opening.opener.grid`.

    Attributes
    ----------
    bbox, resolution, time, freq, correlation, lazy
        As for `no2sr.readers.opening.opener.grid`.
    """

    bbox: Box | None = None
    resolution: float | None = None
    time: Moment | None = None
    freq: str | None = None
    correlation: float = CORRELATION
    lazy: bool = False


class _Merge:
    """An iterator over swaths that collects their names, versions and attributes."""

    def __init__(self, first: Source, rest: Iterator[Source], *, by_name: bool) -> None:
        self.first, self.rest, self.by_name = first, rest, by_name
        self.attrs: dict[str, str] = {}
        self.versions: set[str] = set()
        self.names: list[str] = []

    def __iter__(self) -> Iterator[xr.Dataset]:
        yield self._note(self.first)
        for source in self.rest:
            if not is_swath(source.dataset):
                raise SettingsError(
                    f"{source.path.name} is a grid, but {self.first.path.name} is a swath; open "
                    "each kind on its own"
                )
            yield self._note(source)

    def _note(self, source: Source) -> xr.Dataset:
        column = source.dataset["column"]
        attrs = {key: str(text) for key, text in column.attrs.items()}
        unit = attrs.get("units", CANONICAL)
        if self.names and unit != self.attrs["units"]:
            raise SettingsError(
                f"{source.path.name} is in {unit!r}, but {self.first.path.name} is in "
                f"{self.attrs['units']!r}; open them one at a time"
            )
        if not self.names:  # one warning is enough for all files
            doubt_values(column.rename(source.dataset.attrs.get("variable", "column")))
        self.attrs = self.attrs or {**attrs, "units": unit}
        self.names.append(source.path.name)
        self.versions.add(str(source.dataset.attrs.get("processor_version", "")))
        told = {"source": source.path.name, **source.dataset.attrs}
        told |= _date_by_name(source) if self.by_name else {}
        named = source.dataset.assign_attrs(told)
        # Means do not depend on the unit: values are gridded as mol m-2, and then get their own.
        return named.assign(column=column.assign_attrs(units=CANONICAL))


def merge_swaths(
    first: Source,
    rest: Iterator[Source],
    *,
    options: ReadOptions,
    gridding: Gridding,
) -> xr.Dataset:
    """Grid swaths, and record in ``history`` which files and pixels were used.

    Warns
    -----
    No2srWarning
        If the processor versions of the files differ in the major or minor number: their columns
        are not comparable.
    """
    # As in stacks of grids, names count where periods are asked for and nothing else dates a file.
    merge = _Merge(first, rest, by_name=gridding.freq is not None)
    usual = float(first.dataset.attrs.get("resolution", RESOLUTION))
    resolution = usual if gridding.resolution is None else gridding.resolution
    try:
        scene = grid_swaths(
            merge,
            bounds=None if gridding.bbox is None else check_box(gridding.bbox),
            resolution=resolution,
            correlation=gridding.correlation,
            lazy=gridding.lazy,
            freq=gridding.freq,
        )
    except NoValidPixelsError as none:
        raise NoValidPixelsError(f"{_list(merge.names)}: {none}") from none
    except MissingVariableError as absent:  # of the swath that was handed on last
        raise MissingVariableError(f"{merge.names[-1]}: {absent}") from absent
    versions = sorted(merge.versions - {""})
    _check_versions(versions)
    column = column_of(scene)
    if merge.attrs["units"] != CANONICAL or options.variable is not None:
        general = {k: column.attrs[k] for k in ("cell_methods", "source", "history")}
        column = column.drop_attrs(deep=False).assign_attrs(general | merge.attrs)
    screening = first.dataset.attrs.get("screening", "all pixels")
    step = f"no2sr: read {_list(merge.names)} as {first.reader}, {screening}"
    earlier = f"{column.attrs['history']}\n{step}"  # reading came before gridding
    told = first.dataset.attrs | {"processor_version": ", ".join(versions)}
    noted = origin(load_reader(first.reader).product, told)
    layers = {
        layer: field if layer in (COVERAGE, COUNT) else _strip(field)
        for layer, field in companions_of(scene, column.name).items()
    }
    whole = assemble_scene(column.assign_attrs(history=earlier, **noted), layers)
    return _date(keep_bounds(whole, scene), gridding.time)


def _date(scene: xr.Dataset, time: Moment | None) -> xr.Dataset:
    """Give a scene of undated swaths the time that the user states."""
    if time is None:
        return scene
    if TIME in scene.coords:
        raise SettingsError(
            f"time={time!r} was given, but the files say when they were observed, "
            f"{describe_times(scene)}; leave it out"
        )
    return date_scene(scene, parse_span(in_utc(time)))


def open_swaths(
    path_or_paths: Paths,
    *,
    reader: str | None = None,
    bbox: Box | None = None,
    progress: Callable[[int, int], None] | None = None,
    **interpreting: Any,
) -> Iterator[xr.Dataset]:
    """Read swaths one after the other, without gridding them.

    Parameters
    ----------
    path_or_paths, reader, bbox
        As for `no2sr.open_no2`.
    progress : callable, optional
        Called with the number of files done and the total.
    **interpreting : Any
        ``variable``, ``unit``, ``qa_min`` and ``limits``, as for `no2sr.open_no2`.

    Yields
    ------
    Dataset, (scanline, ground_pixel)
        As `no2sr.swaths.gridding.grid_swaths` takes them. The attribute ``source`` is the name of
        the file; its name says when the pixels were seen, as ``time_coverage_start`` and
        ``time_coverage_end``, if nothing in it does.

    Raises
    ------
    SettingsError
        If a file is a grid, or as for `no2sr.open_no2`.
    """
    box = None if bbox is None else check_box(bbox)
    options = ReadOptions(bbox=box, **interpreting)
    first, rest = read_sources(path_or_paths, reader, options, progress=progress)
    for source in chain([first], rest):
        if not is_swath(source.dataset):
            source.dataset.close()
            raise SettingsError(f"{source.path.name} is already a grid; open it with open_no2")
        told = {"product": load_reader(source.reader).product, "source": source.path.name}
        told |= _date_by_name(source)
        yield source.dataset.assign_attrs({**source.dataset.attrs, **told})


def _date_by_name(source: Source) -> dict[str, str]:
    """Return the attributes that say when a swath was seen, from its name if nothing else does."""
    named = span_in(source.path.name)
    if named is None or span_of(source.dataset) is not None:
        return {}
    return dict(zip(TIME_COVERAGE, named.texts(), strict=True))


def _strip(layer: xr.DataArray) -> xr.DataArray:
    """Drop the attributes that follow from the column."""
    kept = {key: layer.attrs[key] for key in ("comment", "cell_methods") if key in layer.attrs}
    return layer.drop_attrs(deep=False).assign_attrs(kept)


def _check_versions(versions: list[str]) -> None:
    # Major and minor: 1.4 of Sentinel-5P raised columns.
    series = sorted({".".join(version.split(".")[:2]) for version in versions})
    if len(series) > 1:
        warnings.warn(
            f"the files come from processor versions {', '.join(series)}, whose columns differ "
            "systematically; use a reprocessed collection",
            No2srWarning,
            stacklevel=4,
        )


def _list(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
