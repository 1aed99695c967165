"""ESRI ASCII grids: north first, no CRS, no unit."""

from __future__ import annotations

import gzip
import logging

import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.registry import find_reader


def _write(path, *, west=-180.0, south=-90.0, cell=30.0, shape=(6, 12), values=None, upper=False):
    x = west + cell * (np.arange(shape[1]) + 0.5)
    y = south + cell * (np.arange(shape[0])[::-1] + 0.5)
    own = 1000 + x[None] + y[:, None] if values is None else np.broadcast_to(values, shape)
    header = {
        "ncols": shape[1],
        "nrows": shape[0],
        "xllcorner": west,
        "yllcorner": south,
        "cellsize": cell,
        "NODATA_value": -999,
    }
    words = [f"{key.upper() if upper else key} {value}" for key, value in header.items()]
    text = "\n".join(words + [" ".join(f"{v:g}" for v in row) for row in own]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["no2_200510.grd", "no2_200510.grd.gz"])
@pytest.mark.parametrize("west", [-180.0, 0.0])
@pytest.mark.parametrize("upper", [False, True])
def test_every_cell_lands_where_it_says(tmp_path, caplog, name, west, upper):
    path = _write(tmp_path / name, west=west, upper=upper)
    assert find_reader(path).name == ("packed" if name.endswith("gz") else "esri_ascii")
    with caplog.at_level(logging.INFO, "no2sr"):
        image = check_image(open_column(path, unit="1e13 molecules cm-2"))
    assert "no2_200510.grd states no CRS; its degrees are taken as EPSG:4326" in caplog.text
    assert image.rio.bounds() == (-180, -90, 180, 90)
    longitude = image["x"] if west else image["x"] % 360  # as the file counts it
    own = 1000 + image["y"] + longitude
    np.testing.assert_allclose(image, own * 1e13 / 6.02214076e19, rtol=1e-6)
    assert image["time"] == np.datetime64("2005-10-01")


def test_gaps_and_negative_values(tmp_path):
    row = np.array([-999, -5.5, 0, 12, *([7.25] * 8)])
    image = open_column(_write(tmp_path / "a.grd", values=row), unit="1e13 molecules cm-2")
    expected = row * 1e13 / 6.02214076e19
    expected[0] = np.nan
    np.testing.assert_allclose(image, np.broadcast_to(expected, (6, 12)), rtol=1e-6)


def test_a_unit_is_asked_for(tmp_path):
    with pytest.raises(no2sr.UnitsError, match=r"states no unit.*unit="):
        open_column(_write(tmp_path / "a.grd"))
    with pytest.warns(no2sr.UnverifiedUnitsWarning, match="read as molecules cm-2"):
        open_column(_write(tmp_path / "b.grd", values=3e15))


@pytest.mark.parametrize(("west", "south"), [(5e5, 5e6), (0.0, 500.0), (0.0, -500.0), (350, 0)])
def test_metres_are_no_degrees(tmp_path, west, south):
    path = _write(tmp_path / "a.grd", west=west, south=south, cell=10.0)
    with pytest.raises(no2sr.MissingCRSError, match=r"no CRS, and its bounds.*\.prj"):
        open_column(path, unit="umol m-2")


def test_there_is_one_variable(tmp_path):
    with pytest.raises(no2sr.MissingVariableError, match="only NO2; leave"):
        open_column(_write(tmp_path / "a.grd"), variable="ozone")


def test_a_truncated_grid(tmp_path):
    path = _write(tmp_path / "a.grd")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(no2sr.FileUnreadableError, match="truncated"):
        open_column(path, unit="umol m-2")
