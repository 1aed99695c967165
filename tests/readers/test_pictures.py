"""Picture files: what is written is read again, in its place, tagged, and refused as data."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from opening import open_column
from PIL import Image
from rasterio.enums import ColorInterp

import no2sr
from no2sr.core.colours import PICTURE
from no2sr.core.door import enter
from no2sr.core.errors import (
    DimensionError,
    FileUnreadableError,
    IrregularGridError,
    No2srError,
    OutputExistsError,
    SettingsError,
    UnknownFormatError,
    UnknownModelError,
)
from no2sr.core.grid import georeference, transform_of
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.registry import build_network
from no2sr.networks.saving import save_model
from no2sr.readers.pictures import open_picture
from no2sr.views.rendering import render

PLACES = {
    "degrees": ("EPSG:4326", Affine(1 / 30, 0, 76.1, 0, -1 / 30, 29.5)),
    "metres": ("EPSG:32643", Affine(3000, 0, 400_000.5, 0, -2500, 3_100_000)),
    "nowhere named": (None, Affine(0.1, 0, 76, 0, -0.1, 29.5)),
    "nowhere": (None, None),
}


def _picture(place="degrees", *, bands=3):
    values = np.random.default_rng(1).integers(0, 256, (bands, 18, 22), dtype=np.uint8)
    picture = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={"band": ["red", "green", "blue", "alpha"][:bands]},
        attrs={PICTURE: "a test"},
    )
    crs, transform = PLACES[place]
    return picture if transform is None else georeference(picture, transform, crs)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bands", [3, 4])
@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_what_is_written_is_read_again(tmp_path, place, bands, suffix):
    if suffix == ".jpg" and bands == 4:
        pytest.skip("JPEG has no alpha, which is refused")
    picture = _picture(place, bands=bands)
    path = no2sr.write(picture, tmp_path / f"map{suffix}")
    found = open_picture(path)
    assert found.attrs[PICTURE] == "a test"
    if suffix == ".jpg":
        assert found.shape == picture.shape
    else:
        np.testing.assert_array_equal(found.values, picture.values)
    assert list(found["band"].values) == list(picture["band"].values)
    crs, transform = PLACES[place]
    if transform is None:
        assert "x" not in found.coords
        return
    assert found.rio.crs == crs
    np.testing.assert_allclose(transform_of(found)[:6], transform[:6], rtol=1e-13)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_gis_programs_find_the_place(tmp_path, suffix):
    path = no2sr.write(_picture("metres"), tmp_path / f"map{suffix}")
    with rasterio.open(path) as raster:
        assert raster.crs == "EPSG:32643"
        np.testing.assert_allclose(raster.transform[:6], PLACES["metres"][1][:6], rtol=1e-13)
    world = path.with_suffix({".png": ".pgw", ".jpg": ".jgw"}[suffix])
    # The corner of a world file is the centre of the first pixel.
    lines = [float(line) for line in world.read_text().splitlines()]
    assert lines == [3000, 0, 0, -2500, 401_500.5, 3_098_750]
    path.with_name(f"{path.name}.aux.xml").unlink()
    with rasterio.open(path) as raster:
        np.testing.assert_allclose(raster.transform[:6], PLACES["metres"][1][:6], rtol=1e-13)


def test_a_geotiff_says_which_band_is_which(tmp_path):
    with rasterio.open(no2sr.write(_picture(bands=4), tmp_path / "map.tif")) as raster:
        kinds = ("red", "green", "blue", "alpha")
        assert raster.colorinterp == tuple(ColorInterp[kind] for kind in kinds)
        assert raster.tags()[PICTURE] == "a test"


def test_png_and_jpeg_say_what_they_are(tmp_path):
    with Image.open(no2sr.write(_picture(), tmp_path / "map.png")) as file:
        assert file.info[PICTURE] == "a test"
    with Image.open(no2sr.write(_picture(), tmp_path / "map.jpg")) as file:
        assert file.info["comment"] == f"{PICTURE}: a test".encode()


def test_equal_pictures_are_equal_files(tmp_path):
    for suffix in (".tif", ".png", ".jpg"):
        paths = [no2sr.write(_picture(), tmp_path / f"{name}{suffix}") for name in "ab"]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_nothing_is_replaced_unasked_and_no_stale_place_stays(tmp_path):
    path = no2sr.write(_picture(), tmp_path / "map.png")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(before) == 3
    with pytest.raises(OutputExistsError, match="overwrite"):
        no2sr.write(_picture("metres"), path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    no2sr.write(_picture("nowhere"), path, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("beside", ["map.jgw", "map.jpg.aux.xml"])
def test_what_lies_beside_is_not_replaced_unasked(tmp_path, beside):
    (tmp_path / beside).write_text("of another picture", encoding="utf-8")
    for place in ("degrees", "nowhere"):
        with pytest.raises(OutputExistsError, match=beside):
            no2sr.write(_picture(place), tmp_path / "map.jpg")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of another picture"]
    no2sr.write(_picture(), tmp_path / "map.jpg", overwrite=True)
    assert (tmp_path / beside).read_text() != "of another picture"


def test_a_picture_takes_no_style_of_the_values_that_were_there(tmp_path, grid):
    path = no2sr.write(grid, tmp_path / "map.tif", style=True)
    assert path.with_suffix(".qml").exists()
    no2sr.write(_picture(), path, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_format_cannot_hold_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"transparent.*\.png or \.tif"):
        no2sr.write(_picture(bands=4), tmp_path / "map.jpg")
    with pytest.raises(SettingsError, match=r"\.gif; choose one of \.tif"):
        no2sr.write(_picture(), tmp_path / "map.gif")
    with pytest.raises(DimensionError, match="3 or 4 bands of uint8"):
        no2sr.write(_picture().astype("float32"), tmp_path / "map.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_a_rendered_picture_is_refused_as_data(tmp_path, grid, suffix):
    picture = render(enter(grid).fillna(0))
    path = no2sr.write(picture, tmp_path / f"map{suffix}")
    with pytest.raises(UnknownFormatError, match=r"is a picture.*the picture was made from"):
        open_column(path)


def test_a_tagged_picture_is_refused_in_any_type(tmp_path):
    path = tmp_path / "float.tif"
    _write(path, np.ones((9, 9), np.float32), tags={PICTURE: "NO2 from 0 to 1"})
    with pytest.raises(UnknownFormatError, match=r"picture \(NO2 from 0 to 1\)"):
        open_column(path, unit="mol m-2")


def test_foreign_rgb_is_refused_as_data(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (20, 20), "red").save(path)
    with pytest.raises(UnknownFormatError, match=r"photo\.png is a picture"):
        open_column(path)


def test_palettes_are_opened_as_their_colours(tmp_path):
    path = tmp_path / "palette.png"
    rgb = Image.new("RGB", (8, 6), (250, 10, 20))
    rgb.putpixel((2, 3), (1, 200, 7))
    rgb.quantize(4).save(path)
    found = open_picture(path)
    assert found.values[:, 3, 2].tolist() == [1, 200, 7]
    tiff = tmp_path / "palette.tif"
    _write(tiff, np.arange(48, dtype=np.uint8).reshape(6, 8), nodata=0)
    with rasterio.open(tiff, "r+") as file:
        file.write_colormap(1, {n: (n, 2 * n, 255 - n, 255) for n in range(48)})
    found = open_picture(tiff)
    assert found.values[:, 1, 1].tolist() == [9, 18, 246, 255]
    assert found.values[3, 0, 0] == 0


def _write(path, values, *, tags=None, **profile):
    """Write a plain GeoTIFF of one band."""
    rows, columns = values.shape
    profile |= {"width": columns, "height": rows, "count": 1, "dtype": values.dtype.name}
    place = {"crs": "EPSG:4326", "transform": Affine(1, 0, 5, 0, -1, 9)}
    with rasterio.open(path, "w", driver="GTiff", **place, **profile) as file:
        file.write(values, 1)
        file.update_tags(**(tags or {}))


def _of_four(path, names):
    values = np.arange(4 * 48, dtype=np.uint8).reshape(4, 6, 8)
    profile = {"width": 8, "height": 6, "count": 4, "dtype": "uint8", "crs": "EPSG:4326"}
    transform = Affine(1, 0, 5, 0, -1, 9)
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **profile) as file:
        file.colorinterp = [ColorInterp[name] for name in names.split()]
        file.write(values)
    return values


@pytest.mark.parametrize(("fourth", "bands"), [("alpha", 4), ("undefined", 3), ("gray", 3)])
def test_a_fourth_band_is_alpha_only_where_it_says_so(tmp_path, fourth, bands):
    values = _of_four(tmp_path / "four.tif", f"red green blue {fourth}")
    found = open_picture(tmp_path / "four.tif")
    assert list(found["band"].values) == ["red", "green", "blue", "alpha"][:bands]
    np.testing.assert_array_equal(found.values, values[:bands])


def test_four_bands_of_no_colour_are_refused(tmp_path):
    _of_four(tmp_path / "four.tif", "gray undefined undefined undefined")
    with pytest.raises(UnknownFormatError, match=r"tagged as gray, .*; write only red"):
        open_picture(tmp_path / "four.tif")


@pytest.mark.parametrize(
    ("mode", "advice"),
    [("L", "convert it to RGB"), ("I;16", "use downscale for measured values"), ("LA", "to RGB")],
)
def test_a_map_without_colours_is_refused(tmp_path, mode, advice):
    path = tmp_path / "grey.png"
    Image.new(mode, (20, 20)).save(path)
    with pytest.raises(UnknownFormatError, match=f"no colours.*{advice}"):
        open_picture(path)


def test_measured_values_are_sent_to_downscale(tmp_path, grid):
    path = no2sr.write(grid, tmp_path / "column.tif")
    with pytest.raises(UnknownFormatError, match=r"1 x float32.*use downscale for measured values"):
        open_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("kept", [0.6, 0.05])
def test_broken_pictures_are_refused(tmp_path, suffix, kept):
    path = no2sr.write(_picture("nowhere"), tmp_path / f"map{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: max(int(kept * len(content)), 9)])
    with pytest.raises(FileUnreadableError, match="map"):
        open_picture(path)


def test_what_is_no_picture_at_all_is_refused(tmp_path):
    path = tmp_path / "map.png"
    path.write_bytes(b"this is text, not a picture")
    with pytest.raises(UnknownFormatError, match="so it is not a GeoTIFF, PNG or JPEG; convert it"):
        open_picture(path)
    with pytest.raises(FileUnreadableError, match="does not exist"):
        open_picture(tmp_path / "none.png")


@pytest.mark.parametrize(
    ("place", "numbers"),
    [
        ("degrees", "3000 0 0 -2500 401500 3098750"),  # metres beside degrees
        ("metres", "0.1 0 0 -0.1 76.05 29.45"),  # and the other way around
        ("metres", "3000 0 0 -2500 501500 3098750"),  # another place
    ],
)
def test_a_world_file_that_contradicts_is_refused(tmp_path, place, numbers):
    path = no2sr.write(_picture(place), tmp_path / "map.tif")
    path.with_suffix(".tfw").write_text("\n".join(numbers.split()))
    with pytest.raises(IrregularGridError, match=r"world file.*wrong"):
        open_picture(path)


@pytest.mark.parametrize(
    ("place", "numbers"),
    [("degrees", "3000 0 0 -2500 401500 3098750"), ("metres", "0.1 0 0 -0.1 76.05 29.45")],
)
def test_a_world_file_that_contradicts_the_crs_alone_is_refused(tmp_path, place, numbers):
    path = no2sr.write(_picture(place), tmp_path / "map.png")
    path.with_suffix(".pgw").write_text("\n".join(numbers.split()))
    beside = path.with_name("map.png.aux.xml")
    text = beside.read_text()
    start, end = text.index("  <GeoTransform>"), text.index("</GeoTransform>\n") + 16
    beside.write_text(text[:start] + text[end:])
    with pytest.raises(IrregularGridError, match=r"contradicts the CRS.*correct the one"):
        open_picture(path)


def test_rounded_world_files_are_no_contradiction(tmp_path):
    path = no2sr.write(_picture("metres"), tmp_path / "map.tif")
    path.with_suffix(".tfw").write_text("3000\n0\n0\n-2500\n401501\n3098750\n")
    assert transform_of(open_picture(path)) == PLACES["metres"][1]


@pytest.mark.parametrize("text", ["1 0 0 -1 5", "a b c d e f", ""])
def test_a_broken_world_file_is_refused(tmp_path, text):
    path = no2sr.write(_picture("nowhere"), tmp_path / "map.png")
    path.with_suffix(".pgw").write_text(text)
    with pytest.raises(FileUnreadableError, match=r"not a world file of six numbers"):
        open_picture(path)


def test_a_rotated_picture_is_refused(tmp_path):
    path = no2sr.write(_picture("nowhere"), tmp_path / "map.png")
    path.with_suffix(".wld").write_text("1\n0.2\n0.2\n-1\n76\n29\n")
    with pytest.raises(IrregularGridError, match=r"rotated.*warp it first"):
        open_picture(path)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """Return a saved network for luminance, small and untrained."""
    network = build_network("srcnn", scale=3, filters=(4, 2))
    card = ModelCard(network="srcnn", scale=3, radius=7, shrink=6, domain="luminance")
    return save_model(Model(card=card, network=network), tmp_path_factory.mktemp("m") / "luminance")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_render_and_enhance_on_the_command_line(
    no2sr_command, grid_file, model_folder, tmp_path, suffix
):
    out = tmp_path / "new" / f"map{suffix}"
    done = no2sr_command("render", grid_file, out, "--ramp", "viridis", "--range", 0, 150)
    legend = out.with_name("map_legend.png")
    assert (done.code, done.errors, done.out) == (0, [], f"{out}\n{legend}\n")
    assert legend.exists()
    larger = tmp_path / "new" / f"larger{suffix}"
    done = no2sr_command("enhance", out, larger, "--model", model_folder)
    assert (done.code, done.errors, done.out) == (0, [], f"{larger}\n")
    with rasterio.open(larger) as raster:
        assert raster.shape == (72, 60)
        assert raster.crs == "EPSG:4326"
        np.testing.assert_allclose(raster.bounds, (76, 27.1, 78, 29.5), atol=1e-9)
        assert raster.count == 4
    refused = no2sr_command("enhance", out, larger, "--model", model_folder)
    assert refused.code == 1
    assert "--overwrite" in refused.err
    refused = no2sr_command("downscale", larger, tmp_path / "fine.tif")
    assert (refused.code, len(refused.errors)) == (1, 1)
    assert "is a picture" in refused.err


def test_rendered_cells_can_have_several_pixels(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "map.png"
    done = no2sr_command("render", grid_file, out, "--pixels", 4, "--no-legend", "--quiet")
    assert (done.code, done.out) == (0, "")
    picture = open_picture(out)
    assert picture.shape == (4, 96, 80)
    assert (picture.values[:, ::4, ::4] == picture.values[:, 3::4, 3::4]).all()
    assert not (tmp_path / "map_legend.png").exists()


def test_bad_calls_leave_nothing(no2sr_command, grid_file, tmp_path):
    (tmp_path / "out").mkdir()
    grey = tmp_path / "grey.png"
    Image.new("L", (20, 20)).save(grey)
    values = no2sr.write(open_column(grid_file), tmp_path / "values.tif")
    legend = tmp_path / "a_legend.png"  # where that of a.png goes
    legend.write_bytes(grey.read_bytes())
    for args, code in (
        (["render", grid_file, tmp_path / "out" / "map.gif"], 1),
        (["render", grid_file, tmp_path / "out" / "map.png", "--range", 5, 1], 1),
        (["render", grey, tmp_path / "out" / "map.png"], 1),
        (["enhance", grey, tmp_path / "out" / "map.png"], 1),
        (["enhance", grid_file, tmp_path / "out" / "map.png"], 1),
        (["enhance", grey, grey, "--overwrite"], 2),
        (["render", values, values, "--overwrite"], 2),
        (["render", legend, tmp_path / "a.png", "--overwrite"], 2),
        (["plot", legend, legend, "--overwrite"], 2),
    ):
        refused = no2sr_command(*args)
        assert refused.code == code
        assert code == 2 or len(refused.errors) == 1
    assert not list((tmp_path / "out").iterdir())


def test_scales_without_weights_are_refused_with_those_there_are():
    with pytest.raises(UnknownModelError, match="luminance"):
        no2sr.enhance(_picture(), scale=7)


# GDAL logs broken bytes of the file, which Python's logging cannot decode.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_mutants_of_pictures_are_read_or_refused(tmp_path, suffix):
    whole = no2sr.write(_picture(), tmp_path / f"whole{suffix}").read_bytes()
    rng = np.random.default_rng(7)
    mutant = tmp_path / f"mutant{suffix}"
    refused = []
    for _ in range(150):
        content = bytearray(whole)
        reach = rng.choice([60, len(content)])  # headers are short, and worth most
        for place in rng.integers(0, reach, rng.integers(1, 6)):
            content[place] = rng.integers(256)
        mutant.write_bytes(content)
        try:
            assert open_picture(mutant).dtype == np.uint8
        except No2srError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert all(mutant.name in message for message in refused)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    path = no2sr.write(_picture(), tmp_path / "map.png")
    for most in (300, 100):  # 396 pixels: more than the limit, and than twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(FileUnreadableError, match="cut it into parts"):
            open_picture(path)
