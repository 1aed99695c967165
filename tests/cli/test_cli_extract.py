"""``no2sr extract``: a table beside the table, and one line for what is wrong."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine
from PIL import Image
from shapely.geometry import Point, box

import no2sr
from no2sr.core.grid import georeference
from no2sr.core.layers import TOTAL, assemble_scene


@pytest.fixture
def fine(grid_file, no2sr_command, tmp_path):
    """Return a refined GeoTIFF with its uncertainty beside it."""
    path = tmp_path / "fine.tif"
    assert no2sr_command("downscale", grid_file, path, "--scale", 2, "--quiet").code == 0
    return path


@pytest.fixture
def wards(tmp_path):
    path = tmp_path / "wards.geojson"
    shapes = [box(76.4, 27.4, 77.0, 28.0), box(77.0, 28.3, 77.6, 28.9), box(77.2, 27.5, 77.8, 28.1)]
    table = {"code": ["007", "008", "009"], "ground": [12.0, 31.5, 8.0]}
    gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326").to_file(path)
    return path


def test_a_table_of_wards(fine, wards, no2sr_command, tmp_path):
    out = tmp_path / "new" / "wards.csv"
    done = no2sr_command("extract", fine, out, "--polygons", wards, "--compare", "ground")
    assert (done.code, done.errors) == (0, [])
    assert str(out) in done.out
    assert "bias, if ground is in µmol m⁻²" in done.out
    table = pd.read_csv(out, dtype={"code": str})
    assert table.code.tolist() == ["007", "008", "009"]
    assert set(table.unit) == {"umol m-2"}
    scene = no2sr.open_no2(fine.with_name("fine_uncertainty.tif"), variable="1")
    assert float(scene.to_dataarray().min()) > 0
    assert (table.uncertainty > 0).all()
    expected = no2sr.extract(no2sr.open_no2(fine), polygons=wards, unit="umol")
    np.testing.assert_allclose(table.value, expected.value, rtol=1e-5)
    with Image.open(tmp_path / "new" / "wards_compare.png") as picture:
        assert picture.size[0] > 400
    again = no2sr_command("extract", fine, out, "--polygons", wards)
    assert again.code == 1
    assert "already exists" in again.err


def test_netcdf_and_geotiff_give_one_table(grid_file, fine, wards, no2sr_command, tmp_path):
    other = tmp_path / "fine.nc"
    assert no2sr_command("downscale", grid_file, other, "--scale", 2, "--quiet").code == 0
    for source in (fine, other):
        out = source.with_suffix(".nc.csv" if source is other else ".tif.csv")
        done = no2sr_command("extract", source, out, "--polygons", wards, "--quiet")
        assert (done.code, done.out) == (0, "")
    one, two = (pd.read_csv(tmp_path / f"fine.{kind}.csv") for kind in ("tif", "nc"))
    pd.testing.assert_frame_equal(one, two, rtol=1e-4)


def test_stations_of_a_csv(fine, no2sr_command, tmp_path):
    stations = tmp_path / "stations.csv"
    stations.write_text("id;lon;lat\n01;76.5;27.6\n02;77.2;28.6\n03;;28.6\n04;10;10\n")
    out = tmp_path / "out.csv"
    done = no2sr_command("extract", fine, out, "--points", stations, "--unit", "mol")
    assert (done.code, done.errors) == (0, [])
    assert "1 of 4 points have no coordinates" in done.err
    assert "1 of 4 points lie outside the map" in done.err
    table = pd.read_csv(out, dtype={"id": str})
    assert table.id.tolist() == ["01", "02", "03", "04"]
    assert table.value.isna().tolist() == [False, False, True, True]
    # The larger plume of the fixture has a peak of 2e-4 mol m-2.
    assert 5e-5 < table.value[1] < 2.5e-4
    assert set(table.unit) == {"mol m-2"}


def test_the_uncertainty_of_a_region_is_complete(no2sr_command, tmp_path):
    """A grid with a step of many digits, as Earth Engine exports it, cut to a region."""
    step = 0.0125000561
    field = np.random.default_rng(0).gamma(4, 1e-5, (180, 204)).astype("f4")
    column = georeference(
        xr.DataArray(field, dims=("y", "x"), name="no2", attrs={"units": "mol m-2"}),
        Affine(step, 0, 81.50045, 0, -step, 25.20013),
        "EPSG:4326",
    )
    sigma = column.copy(data=column.values / 4).drop_attrs(deep=False)
    no2sr.write(assemble_scene(column, {TOTAL: sigma}), tmp_path / "map.tif")
    stations = tmp_path / "stations.csv"
    places = [f"{x:.4f},{y:.4f}" for x in np.arange(82.25, 83.2, 0.0125) for y in (23.6, 24.1)]
    stations.write_text("\n".join(["lon,lat", *places]))
    box = ("--bbox", 82.2, 23.5, 83.3, 24.5)
    for given, out in ((box, "cut.csv"), ((), "whole.csv")):
        done = no2sr_command(
            "extract", tmp_path / "map.tif", tmp_path / out, "--points", stations, *given
        )
        assert (done.code, done.errors) == (0, [])
    cut, whole = (pd.read_csv(tmp_path / name) for name in ("cut.csv", "whole.csv"))
    assert whole.uncertainty.notna().all()
    pd.testing.assert_frame_equal(cut, whole, rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "give either --points FILE or --polygons FILE"),
        (["--points", "{points}", "--polygons", "{wards}"], 2, "give either"),
        (["--polygons", "{missing}"], 1, "does not exist"),
        (
            ["--polygons", "{points}"],
            1,
            "points.geojson holds shapes of type Point instead of Polygon",
        ),
        (["--polygons", "{broken}"], 1, "broken.geojson cannot be read as a vector file"),
        (["--polygons", "{wards}", "--compare", "no2"], 1, "no column is called 'no2'"),
        (["--polygons", "{wards}", "--compare", "code"], 0, ""),
        (["--polygons", "{far}"], 1, "no polygon lies on the map"),
        (["--polygons", "{wards}", "--unit", "parsec"], 1, "not a column unit"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    fine, wards, no2sr_command, tmp_path, arguments, code, text
):
    paths = {name: tmp_path / f"{name}.geojson" for name in ("points", "far", "broken", "missing")}
    one = {"id": [1]}
    gpd.GeoDataFrame(one, geometry=[Point(77, 28)], crs=4326).to_file(paths["points"])
    gpd.GeoDataFrame(one, geometry=[box(0, 0, 1, 1)], crs=4326).to_file(paths["far"])
    paths["broken"].write_text('{"type": "FeatureCollection", "features": [')
    given = [argument.format(wards=wards, **paths) for argument in arguments]
    out = tmp_path / "out.csv"
    done = no2sr_command("extract", fine, out, *given)
    assert done.code == code
    assert "points=" not in done.err
    if code == 1:
        assert len(done.errors) == 1
    assert text in done.err
    assert out.exists() == (code == 0)
    assert (tmp_path / "out_compare.png").exists() == (code == 0)


def test_the_output_is_a_csv(fine, wards, no2sr_command, tmp_path):
    done = no2sr_command("extract", fine, tmp_path / "out.xlsx", "--polygons", wards)
    assert done.code == 2
    assert "its suffix must be .csv" in done.err
