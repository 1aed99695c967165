"""The reader port: what a reader is told, and what is asked of it.

A reader recognises its files by their structure, finds the variable and what the file says of it
(unit, fills, quality, corners), and hands it on as a plain `xarray.Dataset`. It is *not* concerned
with units, directions, longitudes or gridding: `no2sr.open_no2` sees to that alike for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from no2sr.core.earth import Box

__all__ = ["Paths", "ReadOptions", "Reader"]

Paths = str | Path | Iterable[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a reader is told.

    Attributes
    ----------
    variable : str or None
        The variable to read; None for the tropospheric NO2 column.
    qa_min : float
        Quality, 0..1, that a pixel must exceed. Only readers whose attribute ``has_quality`` is
        true are given another one than the default; other products have screens of their own,
        which their readers state.
    unit : str or None
        The unit that the caller states. Grids are converted after reading; a swath by its reader.
    chunks : mapping, int, "auto" or None
        Passed to xarray: not None means that values are to stay unread.
    bbox : (west, south, east, north) or None
        No value outside will be looked at, east lying east of west: a reader of large files may
        leave those out, but cells touching the box and their neighbours are to stay.
    nodata : float or None
        What marks a gap in the file, in the numbers that it stores, where it does not say so.
    limits : mapping of str to float, or None
        Limits of a product's own screens, by the name of the variable, in place of the defaults.
        Only readers whose attribute ``criteria`` holds the name are given one.
    """

    variable: str | None = None
    qa_min: float = 0.75
    unit: str | None = None
    chunks: Any = None
    bbox: Box | None = None
    nodata: float | None = None
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

        A grid has one column on 1-D axes that say what they are, gaps as NaN or as fills beyond
        1e29, and ``units`` if the file states them; its values may be unread. Beside it may lie
        its companions, called as in `no2sr.core.layers` (``<column>_uncertainty_random``,
        ``<column>_uncertainty_systematic``, ``<column>_uncertainty``, ``coverage``, ``count``), on
        the same dimensions and, uncertainties, in the unit of the column.

        A swath has the dimensions ``(scanline, ground_pixel)`` and is what
        `no2sr.swaths.gridding.grid_swaths` takes: ``column`` in mol m-2 with pixels of too low
        quality set to NaN, ``latitude`` and ``longitude``, the ``_bounds`` of the pixels where
        there are any, and ``uncertainty_random`` and ``uncertainty_systematic`` of a pixel as far
        as they are known, which `no2sr.readers.kit.uncertainty.add_uncertainties` sees to. Its
        attributes may say ``source``, ``variable``, ``screening`` and ``processor_version``.
        """
        ...
