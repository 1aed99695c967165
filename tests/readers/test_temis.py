"""TEMIS text: fields of four characters, latitudes in lines of their own, months in names."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.registry import find_reader

PER_UNIT = 1e13 / 6.02214076e19
LATITUDE = -87.5 + 5 * np.arange(36)
LONGITUDE = -175 + 10.0 * np.arange(36)


@pytest.fixture
def temis(tmp_path):
    """Return a writer of global grids of 5 x 10 degrees, twenty fields a line."""

    def make(name="no2_202304.asc", *, values=None, latitude=LATITUDE, cut=None):
        own = 1000 + latitude[:, None] + LONGITUDE[None]
        values = np.rint(own if values is None else np.broadcast_to(values, own.shape))
        lines = ["TROPOMI tropospheric NO2", "April 2023", "unit 10^13 molec/cm2", "0.125 degree"]
        for north, row in zip(latitude, values.astype(int), strict=True):
            text = "".join(f"{value:4d}" for value in row)
            lines += [f"lat={north:9.4f}", *(text[k : k + 80] for k in range(0, len(text), 80))]
        content = ("\n".join(lines) + "\n").encode()
        path = tmp_path / name
        content = content[:cut]
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return make


@pytest.mark.parametrize("name", ["no2_202304.asc", "no2_202304.asc.gz"])
@pytest.mark.parametrize("north_first", [False, True])
def test_every_cell_lands_where_it_says(temis, name, north_first):
    path = temis(name, latitude=LATITUDE[::-1] if north_first else LATITUDE)
    assert find_reader(path).name == ("packed" if name.endswith("gz") else "temis")
    image = check_image(open_column(path))
    assert image.rio.bounds() == (-180, -90, 180, 90)
    own = np.rint(1000 + image["y"] + image["x"]) * PER_UNIT
    np.testing.assert_allclose(image, own, rtol=1e-6)
    assert image["time"] == np.datetime64("2023-04-01")
    assert image.attrs["units"] == "mol m-2"


def test_values_that_touch(temis):
    # -999-999 are two gaps, and 9998 follows them without a blank: split() would see one word.
    row = np.full(36, 7.0)
    row[:5] = -999, -999, 9998, -123, 4321
    path = temis(values=row)
    assert "-999-9999998-1234321   7" in path.read_text()
    image = open_column(path)
    expected = [np.nan, np.nan, 9998 * PER_UNIT, -123 * PER_UNIT, 4321 * PER_UNIT, 7 * PER_UNIT]
    np.testing.assert_allclose(image[0, :6], expected, rtol=1e-6)
    assert int(np.isnan(image).sum()) == 2 * 36


@pytest.mark.parametrize("cut", [3000, 3006])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_truncated_text(temis, cut, suffix):
    with pytest.raises(no2sr.FileUnreadableError, match="truncated"):
        open_column(temis(f"no2_202304.asc{suffix}", cut=cut))


@pytest.mark.parametrize("broken", ["-45...000", "", "-", "."])
def test_a_damaged_latitude(temis, broken):
    path = temis()
    text = path.read_text()
    last = re.findall("lat=.*", text)[-2]
    path.write_text(text.replace(last, f"lat= {broken}"))
    with pytest.raises(no2sr.FileUnreadableError, match="has fields at lat="):
        open_column(path)


def test_truncated_gzip(temis):
    path = temis("no2_202304.asc.gz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(no2sr.FileUnreadableError, match=r"cannot be unpacked.*truncated"):
        open_column(path)


def test_without_a_month_in_the_name(temis):
    assert "time" not in open_column(temis("renamed.txt")).coords


def test_months_are_stacked(temis):
    image = open_column([temis("no2_202305.asc"), temis("no2_202304.asc")])
    assert image["time"].values.astype("M8[M]").astype(str).tolist() == ["2023-04", "2023-05"]


def test_there_is_one_variable(temis):
    with pytest.raises(no2sr.MissingVariableError, match="only tropospheric_NO2"):
        open_column(temis(), variable="ozone")
