"""Folders, globs, and the shards of one export."""

from __future__ import annotations

import re

import netCDF4
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.opening.describe import describe

DAYS = np.array(["2023-10-30", "2023-10-31"], dtype="M8[ns]")
BAND = "tropospheric_NO2_column_number_density"


# ------------------------------------------------------------------------------- folders, globs


@pytest.mark.parametrize("how", [str, lambda folder: folder, lambda folder: f"{folder}/*.nc"])
def test_a_folder_or_a_pattern_stands_for_its_files(make_grid, tmp_path, how):
    for day in (1, 0):
        make_grid(f"{day}.nc", times=DAYS[day : day + 1])
    (tmp_path / ".hidden.nc").write_bytes(b"not looked at")
    image = check_image(open_column(how(tmp_path)))
    np.testing.assert_array_equal(image["time"], DAYS)
    assert image.equals(open_column([tmp_path / "0.nc", tmp_path / "1.nc"]))


def test_swaths_of_a_folder_are_merged(make_s5p, tmp_path):
    make_s5p("a.nc", west=77.0)
    make_s5p("b.nc", west=77.375)
    image = open_column(tmp_path, resolution=0.0625)
    assert image.rio.bounds() == (77.0, 28.0, 77.75, 28.25)
    own = np.broadcast_to(1e-6 * image["x"], image.shape)
    np.testing.assert_allclose(image, own, rtol=1e-6)


def test_mixed_products_are_named(make_grid, make_s5p, make_tiff, tmp_path):
    make_grid("grid.nc"), make_s5p("swath.nc"), make_tiff("raster.tif")
    message = r"contains several products: .*s5p_l2 \(swath\.nc\).*pattern"
    with pytest.raises(no2sr.SettingsError, match=message):
        open_column(tmp_path)
    with pytest.raises(no2sr.SettingsError, match=r"cf_grid \(grid\.nc\)"):
        open_column(f"{tmp_path}/*.nc")
    assert open_column(f"{tmp_path}/g*.nc").shape == (6, 8)


def test_files_that_nobody_knows_are_left_out_aloud(make_grid, tmp_path):
    make_grid()
    (tmp_path / "README.txt").write_text("what these files are")
    with pytest.warns(no2sr.No2srWarning, match=r"1 of the files .* left out.*README\.txt"):
        assert open_column(tmp_path).shape == (6, 8)


def test_broken_files_of_a_folder_are_not_left_out(make_grid, tmp_path):
    make_grid()
    (tmp_path / "cut.nc").write_bytes(b"\r\n")
    with pytest.raises(no2sr.FileUnreadableError, match=r"cut\.nc is 2 bytes long"):
        open_column(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(no2sr.SettingsError, match="no file matches"):
        open_column(f"{tmp_path}/*.nc")
    with pytest.raises(no2sr.UnknownFormatError, match="it has no files"):
        open_column(tmp_path)


def test_a_file_whose_name_looks_like_a_pattern(make_grid):
    assert open_column(make_grid("grid[1].nc")).shape == (6, 8)


def test_a_forced_reader_reads_all_that_match(make_grid, tmp_path):
    make_grid("a.nc", times=DAYS[:1])
    make_grid("b.nc", times=DAYS[1:])
    assert open_column(f"{tmp_path}/?.nc", reader="cf_grid").shape == (2, 6, 8)


# ------------------------------------------------------------------------------- shards


@pytest.fixture
def shards(make_tiff):
    """Return a writer of a 7 x 9 export, cells of half a degree from 20 E, 12 N, cut in four.

    Values are 1e-6 * longitude + 1e-7 * latitude, so each says where it belongs.
    """

    def make(*, name="no2_2023", gaps=(), shift=0.0, repeat=False, dtype="float64"):
        x, y = 20.25 + 0.5 * np.arange(9), 11.75 - 0.5 * np.arange(7)
        whole = 1e-6 * x[None] + 1e-7 * y[:, None]
        paths = []
        for row, rows in ((0, slice(0, 4)), (4, slice(4, 7))):
            for column, columns in ((0, slice(0, 5)), (5, slice(5, 9))):
                part = whole[rows, columns]
                empty = (row, column) in gaps
                east = 20 + 0.5 * column + (shift if row else 0)
                paths.append(
                    make_tiff(
                        f"{name}-{row:010d}-{column:010d}.tif",
                        bands=np.full_like(part, np.nan)[None] if empty else part[None],
                        transform=Affine(0.5, 0, east, 0, -0.5, 12 - 0.5 * row),
                        dtype=dtype,
                        descriptions=(BAND,),
                        tags={},
                    )
                )
        return [*paths, paths[0]] if repeat else paths

    return make


def _own(image):
    return (1e-6 * image["x"] + 1e-7 * image["y"]).transpose("y", "x")


@pytest.mark.parametrize("order", [1, -1])
def test_shards_are_put_together(shards, order):
    image = check_image(open_column(shards()[::order]))
    assert image.shape == (7, 9)
    assert image.rio.bounds() == pytest.approx((20, 8.5, 24.5, 12))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)
    assert "no2_2023.tif as geotiff, from 4 shards" in image.attrs["history"]
    assert image.name == BAND


def test_shards_in_a_folder(shards, tmp_path):
    shards()
    assert open_column(tmp_path).shape == (7, 9)


def test_one_shard_is_an_image_of_its_own(shards):
    image = open_column(shards()[3])
    assert image.shape == (3, 4)
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


def test_empty_and_absent_shards_are_gaps(shards):
    expected = np.zeros((7, 9), dtype=bool)
    expected[:4, :5] = True
    image = open_column(shards(gaps=((0, 0),)))
    np.testing.assert_array_equal(np.isnan(image), expected)
    np.testing.assert_array_equal(np.isnan(open_column(shards()[1:])), expected)
    np.testing.assert_allclose(image.values[~expected], _own(image).values[~expected], rtol=1e-6)


def test_shards_that_do_not_fit(shards):
    with pytest.raises(no2sr.DimensionError, match="do not lie on the same grid"):
        open_column(shards(shift=0.2))
    with pytest.raises(no2sr.DimensionError, match="overlap"):
        open_column(shards(shift=0.0, repeat=True))


def test_a_damaged_shard_is_named(shards, tmp_path):
    paths = shards()
    packed = tmp_path / "packed"
    rasterio.shutil.copy(paths[2], packed, driver="GTiff", compress="deflate")
    with rasterio.open(packed) as raster:
        place = int(raster.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    data = bytearray(packed.read_bytes())
    data[place : place + 8] = b"\xff" * 8
    packed.unlink()
    paths[2].write_bytes(data)
    says = rf"{paths[2].name} cannot be read .*download it again"
    with pytest.raises(no2sr.FileUnreadableError, match=says):
        open_column(paths)
    assert re.search(says, describe(tmp_path)["problem"])


def test_two_exports_are_not_one(shards):
    with pytest.raises(no2sr.DimensionError, match="no time"):
        open_column([*shards(), *shards(name="no2_2024")])


# ------------------------------------------------------------------------------- empty files


def _empty(path):
    netCDF4.Dataset(path, "w").close()
    return path


def test_empty_files_of_a_folder_are_left_out(make_s5p, tmp_path):
    _empty(tmp_path / "a.nc"), make_s5p("b.nc"), _empty(tmp_path / "c.nc")
    with pytest.warns(no2sr.ManyGapsWarning, match=r"[ac]\.nc is empty.*left out") as caught:
        image = open_column(tmp_path, resolution=0.0625)
    ours = [str(w.message) for w in caught if issubclass(w.category, no2sr.No2srWarning)]
    assert [text[:4] for text in ours] == ["a.nc", "c.nc"]
    assert image.equals(open_column(tmp_path / "b.nc", resolution=0.0625))


def test_a_folder_of_empty_files(tmp_path):
    _empty(tmp_path / "a.nc"), _empty(tmp_path / "b.nc")
    with (
        pytest.warns(no2sr.ManyGapsWarning, match="is empty"),
        pytest.raises(no2sr.NoValidPixelsError, match="all 2 files are empty"),
    ):
        open_column(tmp_path)


@pytest.mark.parametrize("pattern", ["", "*.nc"])
def test_a_folder_or_a_pattern_described(make_s5p, tmp_path, pattern):
    _empty(tmp_path / "a.nc"), make_s5p("b.nc"), make_s5p("c.nc", west=77.375)
    facts = describe(tmp_path / pattern)
    alone = describe(tmp_path / "b.nc")
    assert (facts["problem"], facts["reader"]) == (None, "s5p_l2")
    assert (facts["files"], facts["first"]) == (3, "b.nc")
    assert (alone["files"], alone["first"]) == (1, None)
    assert facts["bytes"] == sum(path.stat().st_size for path in tmp_path.iterdir())
    for name in ("variables", "kind", "bounds", "range", "screening", "unit"):
        assert facts[name] == alone[name], name
    (warning,) = facts["warnings"]
    assert warning.startswith("a.nc is empty")


def test_shards_described_are_one(shards):
    paths = shards()
    facts = describe(paths[0].parent)
    assert (facts["files"], facts["first"], facts["shape"]) == (4, None, [7, 9])
    assert facts["variables"][0]["shape"] == [4, 5]  # of the first shard


def test_folders_that_cannot_be_opened_described(make_s5p, make_grid, tmp_path):
    make_s5p(), make_grid()
    assert "contains several products" in describe(tmp_path)["problem"]
    assert "no file matches" in describe(tmp_path / "*.tif")["problem"]


def test_layers_beside_their_column_are_no_grids_of_their_own(grid, tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    no2sr.write(no2sr.downscale(grid, scale=2), folder / "day.tif")
    assert {path.name for path in folder.iterdir()} == {"day.tif", "day_uncertainty.tif"}
    image = open_column(folder)
    assert image.shape == (48, 40)
