"""Tiles cover every cell once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from no2sr.steps.tiles import Tile, cut_tiles


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_every_cell_is_covered_once(ny, nx, side):
    count = np.zeros((ny, nx), dtype=int)
    for tile in cut_tiles((ny, nx), side):
        assert 0 < tile.rows.stop - tile.rows.start <= side
        assert 0 < tile.columns.stop - tile.columns.start <= side
        count[tile.window] += 1
    assert (count == 1).all()


def test_growing_moving_and_refining():
    tile = Tile(rows=slice(2, 5), columns=slice(10, 12))
    assert tile.grow(2).window == (slice(0, 7), slice(8, 14))
    assert tile.shift(3).window == (slice(5, 8), slice(13, 15))
    assert tile.refine(4).window == (slice(8, 20), slice(40, 48))
