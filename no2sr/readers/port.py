"""The reader port: what a reader receives, and what it returns.

A reader recognises its files by their structure, finds the variable and its metadata (unit, fills,
quality, corners), and returns it as a plain `xarray.Dataset`. It does *not* convert units, reorder
axes, wrap longitudes or grid pixels: `no2sr.open_no2` does that for all readers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from no2sr.core.units import spell_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from no2sr.core.earth import Box

__all__ = ["Paths", "ReadOptions", "Reader"]

QA_MIN = 0.75  # the threshold if the caller states none: what the product advises
Paths = str | Path | Iterable[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Options of a reader.

    Attributes
    ----------
    variable : str or None
        The variable to read; None for the tropospheric NO2 column.
    qa_min : float or None
        Quality, 0..1, that a pixel must exceed, if the caller states one; `quality` is the one to
        apply. Only readers whose attribute ``has_quality`` is true receive one. Other products have
        their own screens, which their readers list in ``criteria``.
    unit : str or None
        The unit that the caller states. Grids are converted after reading, swaths by their reader.
    chunks : mapping, int, "auto" or None
        Passed to xarray. If it is not None, the values stay lazy.
    bbox : (west, south, east, north) or None
        Degrees, west less than east. Values outside are not used: a reader of large files may leave
        them out, but must keep the cells that touch the box, and their neighbours.
    nodata : float or None
        Undeclared fill, as stored in the file.
    limits : mapping of str to float, or None
        Limits of a product's own screens, by the name of the variable, in place of the defaults.
        Only readers whose attribute ``criteria`` holds the name receive one.
    """

    variable: str | None = None
    qa_min: float | None = None
    unit: str | None = None
    chunks: Any = None
    bbox: Box | None = None
    nodata: float | None = None
    limits: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Replace the short name of a unit by its full name."""
        if isinstance(self.unit, str):
            object.__setattr__(self, "unit", spell_out(self.unit))

    @property
    def quality(self) -> float:
        """Quality, 0..1, that a pixel must exceed: what the caller states, else 0.75."""
        return QA_MIN if self.qa_min is None else self.qa_min


@runtime_checkable
class Reader(Protocol):
    """A reader: any object with these four members."""

    name: str
    product: str  # description of what it reads

    def recognises(self, path: Path) -> bool:
        """Tell quickly, by the structure and not the name of a file, whether this reader reads it.

        Raises
        ------
        FileUnreadableError
            If the file has the format of this reader but is broken.
        """
        ...

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read a file as a grid or a swath.

        A grid has one column on 1-D axes that can be told apart, gaps as NaN or as fills beyond
        1e29, and ``units`` if the file states them; its values may be lazy. It may have companions
        with the names in `no2sr.core.layers` (``<column>_uncertainty_random``,
        ``<column>_uncertainty_systematic``, ``<column>_uncertainty``, ``coverage``, ``count``), on
        the same dimensions; uncertainties are in the unit of the column.

        A swath has the dimensions ``(scanline, ground_pixel)`` and the form that
        `no2sr.swaths.gridding.grid_swaths` takes: ``column`` in mol m-2, NaN where the quality is
        too low, ``latitude`` and ``longitude``, the ``_bounds`` of the pixels if there are any,
        and ``uncertainty_random`` and ``uncertainty_systematic`` as far as they are known, which
        `no2sr.readers.kit.uncertainty.add_uncertainties` adds. Its attributes may be ``source``,
        ``variable``, ``screening`` and ``processor_version``.
        """
        ...
