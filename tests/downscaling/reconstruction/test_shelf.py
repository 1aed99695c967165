"""Overpasses beyond the limit of memory lie in a temporary file, and nothing else changes."""

from __future__ import annotations

import gc
import tempfile

import numpy as np
from skies import BOX

from no2sr.downscaling.reconstruction import reading
from no2sr.downscaling.reconstruction.entry import reconstruct_swaths
from no2sr.downscaling.reconstruction.reading import Shelf


def test_pixels_beyond_the_limit_are_read_from_disk(swaths, tmp_path, monkeypatch):
    whole = Shelf(swaths, BOX, 0.6)
    size = sum(array.nbytes for array in whole.overpasses[0].pixels)
    monkeypatch.setattr(reading, "ROOM", 3.5 * size)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shelf = Shelf(swaths, BOX, 0.6)
    stored = [isinstance(one.pixels.column, np.memmap) for one in shelf.overpasses]
    assert any(stored)
    assert not all(stored)
    for one, other in zip(shelf.overpasses, whole.overpasses, strict=True):
        assert one.name == other.name
        for there, here in zip(one.pixels, other.pixels, strict=True):
            np.testing.assert_array_equal(there, here)
    (folder,) = tmp_path.iterdir()
    assert list(folder.iterdir())
    del shelf, one, other
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_map_does_not_depend_on_where_pixels_lie(swaths, settings, monkeypatch):
    expected = reconstruct_swaths(swaths, bbox=BOX, settings=settings)
    monkeypatch.setattr(reading, "ROOM", 0)
    assert reconstruct_swaths(swaths, bbox=BOX, settings=settings).identical(expected)
