"""The reader port: one file a product, each turning a file into a grid or a swath.

A reader recognises its files by their structure, finds the variable and what the file says of it
(unit, fills, quality, corners), and hands it on as a plain `xarray.Dataset`. It is *not* concerned
with units, directions, longitudes or gridding: `open_no2` sees to that alike for all.

Readers are registered as ``module:attribute`` strings, so that none is imported before it is used.
Other packages add theirs through the entry-point group ``no2sr.readers``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from no2sr.errors import SettingsError, UnknownFormatError
from no2sr.readers._files import beginning, check_no_picture, check_there

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import xarray as xr

    from no2sr.readers._time import Moment

    Box = tuple[float, float, float, float]
    Paths = str | Path | Iterable[str | Path]

__all__ = [
    "ReadOptions",
    "Reader",
    "available_readers",
    "cells_in",
    "describe",
    "doubt_sample",
    "find_reader",
    "grid_no2",
    "load_reader",
    "open_no2",
]

log = logging.getLogger("no2sr")

# In the order they are asked: products, then plug-ins, then what any file may be.
_PRODUCTS = {
    "s5p_l2": "no2sr.readers.s5p_l2:READER",
    "harp": "no2sr.readers.harp:READER",
    "tempo_l2": "no2sr.readers.tempo_l2:READER",
    "tempo_l3": "no2sr.readers.tempo_l3:READER",
    "gems_l2": "no2sr.readers.gems_l2:READER",
    "omno2d": "no2sr.readers.omno2d:READER",
    "haqast": "no2sr.readers.haqast:READER",
    "cams": "no2sr.readers.cams:READER",
    "temis": "no2sr.readers.temis:READER",
}
_GENERIC = {
    "geotiff": "no2sr.readers.geotiff:READER",
    "esri_ascii": "no2sr.readers.esri_ascii:READER",
    "zarr": "no2sr.readers.zarr_store:READER",
    "packed": "no2sr.readers.packed:READER",
    "cf_grid": "no2sr.readers.cf_grid:READER",
}
_GROUP = "no2sr.readers"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a reader is told.

    Attributes
    ----------
    variable : str or None
        The variable to read; None for the tropospheric NO2 column.
    qa_min : float
        Quality, 0..1, that a pixel of Sentinel-5P level 2 must exceed. Other products have screens
        of their own, which their readers state.
    unit : str or None
        The unit that the caller states. Grids are converted after reading; a swath by its reader.
    chunks : mapping, int, "auto" or None
        Passed to xarray: not None means that values are to stay unread.
    bbox : (west, south, east, north) or None
        No value outside will be looked at, east lying east of west: a reader of large files may
        leave those out, but cells touching the box and their neighbours are to stay.
    limits : mapping of str to float, or None
        Limits of a product's own screens, by the name of the variable, in place of the defaults.
        Only readers whose attribute ``criteria`` holds the name are given one.
    """

    variable: str | None = None
    qa_min: float = 0.75
    unit: str | None = None
    chunks: Any = None
    bbox: Box | None = None
    limits: Mapping[str, float] | None = None


@runtime_checkable
class Reader(Protocol):
    """What the port asks of a reader: any object with these four will do."""

    name: str
    product: str  # what it reads, in words

    def recognises(self, path: Path) -> bool:
        """Tell by structure, not by name, whether this reader is responsible; cheaply.

        Raises
        ------
        FileUnreadableError
            If the file is one of its formats but broken.
        """
        ...

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Return a grid or a swath.

        A grid has one data variable on 1-D axes that say what they are, gaps as NaN or as fills
        beyond 1e29, and ``units`` if the file states them; its values may be unread. A swath
        has the dimensions ``(scanline, ground_pixel)`` and is what `no2sr.swath.grid_swaths` takes:
        ``column`` in mol m-2 with pixels of too low quality set to NaN, ``latitude`` and
        ``longitude``, and where there are any ``precision`` and the ``_bounds`` of the pixels. Its
        attributes may say ``source``, ``variable``, ``screening`` and ``processor_version``.
        """
        ...


@cache
def _registry() -> dict[str, str]:
    plugins = {}
    for entry in entry_points(group=_GROUP):
        if entry.name in _PRODUCTS | _GENERIC:
            log.warning("reader %r of %s ignored: that name is taken", entry.name, entry.value)
        else:
            plugins[entry.name] = entry.value
    return {**_PRODUCTS, **plugins, **_GENERIC}


def available_readers() -> tuple[str, ...]:
    """Return the names of all readers, plug-ins included, in the order they are asked."""
    return tuple(_registry())


def load_reader(name: str) -> Reader:
    """Return the reader of a name in `available_readers`."""
    module, _, attribute = _registry()[name].partition(":")
    reader: Reader = getattr(import_module(module), attribute)
    return reader


def find_reader(path: str | Path, name: str | None = None) -> Reader:
    """Return the reader of a file.

    Parameters
    ----------
    path : str or Path
    name : str, optional
        Take this reader, whichever would be asked first.

    Raises
    ------
    FileUnreadableError
        If the file is missing, or too short to be anything.
    UnknownFormatError
        If no reader recognises it; the message lists those tried.
    SettingsError
        If there is no reader of that name.
    """
    path = Path(path)
    check_there(path)
    if name is not None:
        if name not in _registry():
            raise SettingsError(
                f"no reader {name!r}, expected one of {', '.join(available_readers())}; "
                "leave reader= out to let the file decide"
            )
        return load_reader(name)
    for reader in map(load_reader, available_readers()):
        if reader.recognises(path):
            return reader
    check_no_picture(path)
    what = f"begins with {beginning(path, 8)!r}" if path.is_file() else "is a folder"
    raise UnknownFormatError(
        f"{path.name} is not in a format that no2sr reads (it {what}), expected one of "
        f"{', '.join(available_readers())}; convert it to CF NetCDF or GeoTIFF, "
        "or name the one that can read it with reader="
    )


def open_no2(  # noqa: PLR0913 - one argument a question that a file can raise
    path_or_paths: Paths,
    *,
    reader: str | None = None,
    variable: str | None = None,
    unit: str | None = None,
    qa_min: float = 0.75,
    limits: Mapping[str, float] | None = None,
    bbox: Box | None = None,
    resolution: float | None = None,
    time: Moment | None = None,
    chunks: Any = None,
) -> xr.DataArray:
    """Open an NO2 file, or several, as one image.

    Parameters
    ----------
    path_or_paths : str, Path, or iterable of them
        A folder stands for the files in it, a pattern such as ``"2023/*.nc"`` for those that match;
        either may hold one product only. Several swaths are merged on one grid by summed weights,
        one at a time. Several grids must have equal axes and times of their own; they are stacked
        along ``time``, one of nothing but gaps, too. Shards of one Earth Engine export are put
        together.
    reader : str, optional
        Name of a reader (see `available_readers`); by default the structure of the file decides.
    variable : str, optional
        Which variable or band (name or number); by default the tropospheric NO2 column. Other gases
        and quantities are reached by name only, and keep a unit that is no column unit.
    unit : str, optional
        The unit of the values in the file, where the file says none or a wrong one. The image is in
        mol m-2 all the same.
    qa_min : float
        Quality, 0..1, that a pixel of Sentinel-5P level 2 must exceed; compared with the stored
        byte as ``byte > round(100 * qa_min)``. TEMPO and GEMS have screens of their own, recorded
        in ``history``; other grids carry no quality any more.
    limits : mapping of str to float, optional
        Other limits for the screens of TEMPO and GEMS, such as ``{"eff_cloud_fraction": 0.5}``;
        those not named keep their defaults. An infinite limit lets every known value pass.
    bbox : (west, south, east, north), optional
        Region in degrees, whatever the CRS; every cell that it touches is kept. West greater than
        east means across the antimeridian.
    resolution : float, optional
        Cell size in degrees of the grid for swaths, by default 0.05.
    time : str, datetime or datetime64, optional
        Take this step of a grid with several; a part such as ``"2023-10"`` takes all steps in it.
    chunks : optional
        Passed to xarray, to read grids lazily with dask.

    Returns
    -------
    DataArray, (y, x) or (time, y, x), mol m-2
        The image of `no2sr.image.check_image`. Negative columns are kept.

    Raises
    ------
    ReadError
        If the file is missing, broken, of unknown format, has no such variable, or no valid pixel.
    ImageError
        If its grid, CRS or unit cannot be understood.
    SettingsError
        If an argument is out of range or does not apply, such as `resolution` to a grid or `limits`
        to a product that has no such screen.

    Warns
    -----
    UnverifiedUnitsWarning
        If the unit was inferred from the size of the values, or contradicts it.
    RepairWarning
        If infinite values were set missing, or rows beyond a pole cut off.
    ManyGapsWarning
        If one of several files holds no pixels.
    OversampledWarning
        If the grid is finer than what it resolves; `no2sr.coarsen_to_native` averages it to that.
        Values that are left unread with `chunks` are not looked at.

    Notes
    -----
    The libraries under NetCDF are not thread-safe, and neither is this: read in one thread, or in
    several processes.
    """
    from no2sr.readers._doubts import doubt_resolution
    from no2sr.readers._grids import check_seen, checked_box, image_of
    from no2sr.readers._sources import is_swath, refuse, sources
    from no2sr.readers._stacks import stacked

    box = None if bbox is None else checked_box(bbox)
    options = ReadOptions(
        variable=variable, qa_min=qa_min, unit=unit, chunks=chunks, bbox=box, limits=limits
    )
    first, rest = sources(path_or_paths, reader, options)
    if is_swath(first.dataset):
        from no2sr.readers._swaths import merged  # compiles its kernel: no grid should wait for it

        refuse(time=time)
        gridded = merged(first, rest, options=options, bbox=bbox, resolution=resolution, lazy=True)
        column = gridded["column"].compute()
        column = column.rename(first.dataset.attrs.get("variable", "column"))
        doubt_resolution(column)
        return column
    refuse(resolution=resolution)
    second = next(rest, None)
    alone = second is None
    found = chain([first], filter(None, [second]), rest)  # read when its turn comes
    images = [image_of(s, options=options, time=time, bbox=bbox, alone=alone) for s in found]
    image = images[0] if alone else stacked(images)
    check_seen(image, first)
    doubt_resolution(image)
    return image


def grid_no2(  # noqa: PLR0913 - as for open_no2
    path_or_paths: Paths,
    *,
    reader: str | None = None,
    variable: str | None = None,
    unit: str | None = None,
    qa_min: float = 0.75,
    limits: Mapping[str, float] | None = None,
    bbox: Box | None = None,
    resolution: float | None = None,
    lazy: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Grid swaths as `open_no2` does, and return all that is known of each cell.

    Parameters
    ----------
    path_or_paths, reader, variable, unit, qa_min, limits, bbox, resolution
        As for `open_no2`.
    lazy : bool
        As for `no2sr.swath.grid_swaths`.
    progress : callable, optional
        Called with the number of files done and the number there are.

    Returns
    -------
    Dataset, (y, x)
        ``column`` (the image of `open_no2`), ``coverage`` (0..1), ``count`` (pixels), and where the
        swaths have it ``precision`` and ``precision_independent``; see `no2sr.swath.grid_swaths`.

    Raises
    ------
    SettingsError
        If the files are grids already, or as for `open_no2`.
    ReadError, ImageError
        As for `open_no2`.
    """
    from no2sr.readers._sources import is_swath, sources
    from no2sr.readers._swaths import merged

    options = ReadOptions(variable=variable, qa_min=qa_min, unit=unit, limits=limits)
    first, rest = sources(path_or_paths, reader, options, progress=progress)
    if not is_swath(first.dataset):
        first.dataset.close()
        raise SettingsError(
            f"{first.path.name} is a grid already, expected swaths; open it with open_no2"
        )
    return merged(first, rest, options=options, bbox=bbox, resolution=resolution, lazy=lazy)


def cells_in(path_or_paths: Paths) -> int:
    """Return the cells of all files; see `no2sr.readers._extent.cells_in`."""
    from no2sr.readers._extent import cells_in as counted

    return counted(path_or_paths)


def doubt_sample(image: xr.DataArray) -> None:
    """Doubt a lazy image by its middle; see `no2sr.readers._doubts.doubt_sample`."""
    from no2sr.readers._doubts import doubt_sample as doubted

    doubted(image)


def describe(path: str | Path, **settings: Any) -> dict[str, Any]:
    """Say what a file holds and how it would be read; see `no2sr.readers._describe.describe`."""
    from no2sr.readers._describe import describe as described

    return described(Path(path), **settings)
