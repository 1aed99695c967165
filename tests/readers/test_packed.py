"""Gzipped and zipped files of any product."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.registry import find_reader


def _gzipped(path):
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def _zipped(*paths):
    packed = paths[0].with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in paths:
            archive.write(path, f"folder/{path.name}")
    return packed


@pytest.mark.parametrize("pack", [_gzipped, _zipped])
def test_every_cell_lands_where_it_says(make_grid, make_tiff, pack):
    for path in (make_grid(), make_tiff()):
        packed = pack(path)
        assert find_reader(packed).name == "packed"
        image = check_image(open_column(packed))
        np.testing.assert_array_equal(image, open_column(path))
        assert image.rio.transform() == open_column(path).rio.transform()


def test_swaths(make_s5p):
    path = make_s5p()
    plain, packed = (no2sr.grid(p, resolution=0.0625) for p in (path, _gzipped(path)))
    assert packed.equals(plain)


@pytest.mark.parametrize("pack", [_gzipped, _zipped])
def test_damaged_archives(make_grid, pack):
    packed = pack(make_grid())
    packed.write_bytes(packed.read_bytes()[:-300])
    with pytest.raises(no2sr.FileUnreadableError, match="truncated"):
        open_column(packed)


def test_several_files_in_one_archive(make_grid):
    packed = _zipped(make_grid("a.nc"), make_grid("b.nc"))
    with pytest.raises(no2sr.UnknownFormatError, match=r"holds 2 files.*a\.nc.*unpack it"):
        open_column(packed)


def test_foreign_content(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("nothing of ours")
    with pytest.raises(no2sr.UnknownFormatError, match=r"notes\.txt"):
        open_column(_gzipped(path))
