"""Tiles that cover every cell of a raster exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Kind = TypeVar("Kind", bound=np.generic)

__all__ = ["Tile", "cut_tiles", "trim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A window of a raster.

    Attributes
    ----------
    rows, columns : slice
        Cells of the window, counted from the north-west corner.
    """

    rows: slice
    columns: slice

    def grow(self, cells: int) -> Tile:
        """Return the window with `cells` more on every side."""
        return Tile(
            rows=slice(self.rows.start - cells, self.rows.stop + cells),
            columns=slice(self.columns.start - cells, self.columns.stop + cells),
        )

    def shift(self, cells: int) -> Tile:
        """Return the window shifted south and east by `cells`."""
        return Tile(
            rows=slice(self.rows.start + cells, self.rows.stop + cells),
            columns=slice(self.columns.start + cells, self.columns.stop + cells),
        )

    def refine(self, scale: int) -> Tile:
        """Return the same window counted in cells `scale` times finer."""
        return Tile(
            rows=slice(self.rows.start * scale, self.rows.stop * scale),
            columns=slice(self.columns.start * scale, self.columns.stop * scale),
        )

    @property
    def window(self) -> tuple[slice, slice]:
        """The pair of slices that indexes a ``(y, x)`` array."""
        return self.rows, self.columns


def cut_tiles(shape: tuple[int, int], side: int) -> Iterator[Tile]:
    """Yield tiles of at most `side` x `side` cells, row by row.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the raster.
    side : int

    Yields
    ------
    Tile
        Together they cover every cell once. Those at the south and east edges may be smaller.
    """
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield Tile(
                rows=slice(top, min(top + side, shape[0])),
                columns=slice(left, min(left + side, shape[1])),
            )


def trim(values: NDArray[Kind], rim: int) -> NDArray[Kind]:
    """Cut `rim` pixels off every side."""
    return values[rim : values.shape[0] - rim, rim : values.shape[1] - rim]
