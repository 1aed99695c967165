"""``no2sr plot`` and ``no2sr animate``: maps for a paper and for a council."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from PIL import Image
from shapely.geometry import box


@pytest.fixture
def wards(tmp_path):
    path = tmp_path / "wards.geojson"
    shapes = gpd.GeoDataFrame({"id": [1]}, geometry=[box(76.4, 27.4, 77, 28)], crs="EPSG:4326")
    shapes.to_crs("EPSG:3857").to_file(path.with_suffix(".gpkg"))
    shapes.to_file(path)
    return path


@pytest.fixture
def series(grid, tmp_path):
    """Return a file of two days, the second with twice the columns."""
    days = np.array(["2023-10-30", "2023-10-31T04:30"], "datetime64[ns]")
    both = xr.concat([grid, 2 * grid], xr.DataArray(days, dims="time", name="time"))
    for name, variable in grid.variables.items():
        both[name].attrs = variable.attrs
    path = tmp_path / "days.nc"
    both.to_netcdf(path)
    return path


def test_a_page_with_title_and_outlines(grid_file, wards, no2sr_command, tmp_path):
    texts = []
    for name in ("one", "two"):
        out = tmp_path / f"{name}.svg"
        given = ["--title", "A & B", "--overlay", wards, "--overlay", wards.with_suffix(".gpkg")]
        done = no2sr_command("plot", grid_file, out, *given)
        assert (done.code, done.errors) == (0, [])
        texts.append(out.read_text())
    assert "A &amp; B</text>" in texts[0]  # letters, not their outlines
    assert texts[0] == texts[1]
    assert no2sr_command("plot", grid_file, tmp_path / "page.pdf", "--title", "A").code == 0
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--overlay", "{missing}"], 1, "does not exist"),
        (["--overlay", "{broken}"], 1, "cannot be read as a vector file"),
        (["--overlay", "{wards}", "--kind", "histogram"], 2, "--overlay and --coastlines go with"),
    ],
)
def test_overlays_that_cannot_be_drawn(
    grid_file, wards, no2sr_command, tmp_path, arguments, code, text
):
    broken = tmp_path / "broken.geojson"
    broken.write_text('{"type": ')
    paths = {"wards": wards, "broken": broken, "missing": tmp_path / "none.geojson"}
    given = [argument.format(**paths) for argument in arguments]
    done = no2sr_command("plot", grid_file, tmp_path / "map.png", *given)
    assert done.code == code
    assert text in done.err
    assert not (tmp_path / "map.png").exists()


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_series_is_animated_in_one_scale(series, wards, no2sr_command, tmp_path, suffix):
    out = tmp_path / f"days{suffix}"
    done = no2sr_command("animate", series, out, "--fps", 5, "--overlay", wards)
    assert (done.code, done.errors) == (0, [])
    assert done.out.strip() == str(out)
    if suffix == ".gif":
        with Image.open(out) as picture:
            assert picture.n_frames == 2
            assert picture.info["duration"] == 200
            first = np.asarray(picture.convert("L"), float)
            picture.seek(1)
            second = np.asarray(picture.convert("L"), float)
        # One scale: twice the columns are darker.
        assert second.mean() < first.mean() - 1
    else:
        assert out.read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("name", "given", "code", "text"),
    [
        ("days.avi", [], 1, "animation days.avi has the suffix .avi; choose one of .gif, .mp4"),
        ("days.gif", ["--time", "2023-10-30"], 1, "an animation needs at least 2"),
    ],
)
def test_series_that_cannot_be_animated(series, no2sr_command, tmp_path, name, given, code, text):
    done = no2sr_command("animate", series, tmp_path / name, *given)
    assert (done.code, len(done.errors)) == (code, 1)
    assert text in done.err
    assert not (tmp_path / name).exists()


def test_maps_of_different_places_are_no_series(grid, grid_file, no2sr_command, tmp_path):
    other = tmp_path / "other.nc"
    grid.assign_coords(longitude=grid.longitude + 1).to_netcdf(other)
    done = no2sr_command("animate", grid_file, other, tmp_path / "a.gif")
    assert done.code == 1
    assert "india and other differ in place" in done.err


@pytest.mark.parametrize("command", ["plot", "render"])
def test_maps_in_a_folder_have_one_scale(grid, grid_file, no2sr_command, tmp_path, command):
    double = tmp_path / "double.nc"
    twice = 2 * grid
    for name, variable in grid.variables.items():
        twice[name].attrs = variable.attrs
    twice.to_netcdf(double)
    folder = f"{tmp_path / 'maps'}/"
    done = no2sr_command(command, grid_file, double, folder)
    assert (done.code, done.errors) == (0, [])
    shades = []
    for name in ("india", "double"):
        with Image.open(tmp_path / "maps" / f"{name}.png") as picture:
            shades.append(np.asarray(picture.convert("L"), float).mean())
    assert shades[1] < shades[0] - 1
    again = no2sr_command(command, grid_file, double, folder)
    assert (again.code, len(again.errors)) == (1, 1)
    same = no2sr_command(command, grid_file, grid_file, f"{tmp_path / 'other'}/")
    assert same.code == 2
    assert "two inputs would become india.png" in same.err


def test_several_pictures_need_a_folder(grid_file, no2sr_command, tmp_path):
    done = no2sr_command("render", grid_file, grid_file, tmp_path / "map.png")
    assert done.code == 2
    assert "end OUT with / to name a folder" in done.err
