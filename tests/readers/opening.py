"""What many tests want of a file: its column alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from no2sr.readers.opening.grids import column_of
from no2sr.readers.opening.opener import open_no2

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["open_column"]


def open_column(*paths: Any, **settings: Any) -> xr.DataArray:
    """Return the column of what `no2sr.open_no2` opens."""
    return column_of(open_no2(*paths, **settings))
