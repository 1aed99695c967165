"""The registry of readers: lists them, and finds the one for a file.

Readers are registered as ``module:attribute`` strings, so that none is imported before it is used.
Other packages add theirs through the entry-point group ``no2sr.readers``.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from no2sr.core.errors import SettingsError, UnknownFormatError
from no2sr.readers.kit.files import check_no_picture, check_there, read_beginning

if TYPE_CHECKING:
    from no2sr.readers.port import Reader

__all__ = ["available_readers", "find_reader", "load_reader"]

log = logging.getLogger("no2sr")


# In the order in which they are tried: products, then plug-ins, then general formats.
_PRODUCTS = {
    "s5p_l2": "no2sr.readers.products.s5p_l2:READER",
    "harp": "no2sr.readers.products.harp:READER",
    "tempo_l2": "no2sr.readers.products.tempo_l2:READER",
    "tempo_l3": "no2sr.readers.products.tempo_l3:READER",
    "gems_l2": "no2sr.readers.products.gems_l2:READER",
    "omno2d": "no2sr.readers.products.omno2d:READER",
    "haqast": "no2sr.readers.products.haqast:READER",
    "cams": "no2sr.readers.products.cams:READER",
    "temis": "no2sr.readers.products.temis:READER",
}


_GENERIC = {
    "ioapi": "no2sr.readers.formats.ioapi:READER",
    "grib": "no2sr.readers.formats.grib:READER",
    "geotiff": "no2sr.readers.formats.geotiff:READER",
    "esri_ascii": "no2sr.readers.formats.esri_ascii:READER",
    "zarr": "no2sr.readers.formats.zarr_store:READER",
    "packed": "no2sr.readers.formats.packed:READER",
    "curvilinear": "no2sr.readers.formats.curvilinear:READER",
    "cf_grid": "no2sr.readers.formats.cf_grid:READER",
}


_GROUP = "no2sr.readers"


@cache
def _registry() -> dict[str, str]:
    plugins = {}
    for entry in entry_points(group=_GROUP):
        if entry.name in _PRODUCTS | _GENERIC:
            log.warning(
                "the reader %r of %s is ignored: its name is taken", entry.name, entry.value
            )
        else:
            plugins[entry.name] = entry.value
    return {**_PRODUCTS, **plugins, **_GENERIC}


def available_readers() -> tuple[str, ...]:
    """List the names of all readers, including plug-ins, in the order in which they are tried."""
    return tuple(_registry())


def load_reader(name: str) -> Reader:
    """Import the reader with a name from `available_readers`."""
    module, _, attribute = _registry()[name].partition(":")
    reader: Reader = getattr(import_module(module), attribute)
    return reader


def find_reader(path: str | Path, name: str | None = None) -> Reader:
    """Find the reader that recognises a file.

    Parameters
    ----------
    path : str or Path
    name : str, optional
        Use the reader with this name instead.

    Raises
    ------
    FileUnreadableError
        If the file does not exist, or is too short for data.
    UnknownFormatError
        If no reader recognises it; the message lists the readers.
    SettingsError
        If there is no reader of that name.
    """
    path = Path(path)
    check_there(path)
    if name is not None:
        if name not in _registry():
            raise SettingsError(
                f"there is no reader {name!r}; choose one of {', '.join(available_readers())}, or "
                "leave reader= out to let the file decide"
            )
        return load_reader(name)
    for reader in map(load_reader, available_readers()):
        if reader.recognises(path):
            return reader
    check_no_picture(path)
    what = f"begins with {read_beginning(path, 8)!r}" if path.is_file() else "is a folder"
    raise UnknownFormatError(
        f"{path.name} is not in a format that no2sr reads (it {what}); convert it to CF NetCDF or "
        f"GeoTIFF, or name its reader with reader=: {', '.join(available_readers())}"
    )
