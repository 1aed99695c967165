"""Our rasters in real QGIS: in their place, with their values, in the colours of their style."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from affine import Affine
from opening import open_column
from PIL import Image
from rasterio import features

import no2sr
from no2sr.cli import main
from no2sr.core.grid import georeference

pytestmark = pytest.mark.qgis
BOX = ("--bbox", "76", "26", "80", "29")


def run(*args: object) -> None:
    """Run the command line here."""
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in args], prog_name="no2sr")
    assert stop.value.code == 0


def assert_seen_as_it_is(seen, path) -> None:
    """Check place and values against what rasterio reads."""
    with rasterio.open(path) as raster:
        values = raster.read(1).astype(float)
        assert seen["valid"]
        assert seen["bands"] == 1
        assert np.allclose(seen["extent"], raster.bounds, rtol=0, atol=1e-9)
        assert seen["size"] == [raster.width, raster.height]
        assert seen["crs"] == f"EPSG:{raster.crs.to_epsg()}"
        assert seen["band"] == f"Band 1: {raster.descriptions[0]}"
        assert raster.units[0] in seen["metadata"]
    assert seen["count"] == np.isfinite(values).sum()
    for name, function in (("minimum", np.nanmin), ("maximum", np.nanmax), ("mean", np.nanmean)):
        assert seen[name] == pytest.approx(function(values), rel=1e-6), name


def assert_styled(seen, path, *, label: str) -> None:
    """Check that QGIS took the style that lies beside the raster."""
    assert seen["renderer"] == "singlebandpseudocolor"
    text = path.with_suffix(".qml").read_text(encoding="utf-8")
    items = re.findall(r'<item value="([^"]+)" label="([^"]+)" color="([^"]+)"', text)
    assert len(items) == 17
    assert seen["items"] == [[float(value), words, colour] for value, words, colour in items]
    assert seen["limits"] == [seen["items"][0][0], seen["items"][-1][0]]
    assert seen["legend"] == [items[0][1], items[-1][1]]
    assert all(words.endswith(label) for words in seen["legend"])
    assert seen["drawn"]["saved"]
    assert seen["drawn"]["errors"] == []
    assert seen["drawn"]["colours"] > 20


@pytest.mark.parametrize("name", ["swath", "netcdf", "geotiff"])
def test_a_downscaled_sample(qgis, inputs, tmp_path, name):
    out = tmp_path / 'it\'s "finer" ø.tif'
    run("downscale", inputs[name], out, *(BOX if name == "swath" else ()))
    seen = qgis.look(out, tmp_path / "a.png")
    assert_seen_as_it_is(seen, out)
    assert_styled(seen, out, label=" µmol m⁻²")
    assert "no2sr" in seen["metadata"]  # where the values come from


@pytest.mark.parametrize(
    ("unit", "label"),
    [
        ("mol", " µmol m⁻²"),
        ("Pmolec", " \N{MULTIPLICATION SIGN} 10¹⁵ molecules cm⁻²"),
        ("molec", " \N{MULTIPLICATION SIGN} 10¹⁵ molecules cm⁻²"),
    ],
)
def test_values_in_any_unit_have_labels_that_read_well(qgis, inputs, tmp_path, unit, label):
    out = tmp_path / "a.tif"
    run("downscale", inputs["geotiff"], out, "--scale", 2, "--unit", unit)
    seen = qgis.look(out, tmp_path / "a.png")
    assert_seen_as_it_is(seen, out)
    assert_styled(seen, out, label=label)


def test_gridded_swaths_and_what_goes_with_them(qgis, inputs, tmp_path):
    out = tmp_path / "l3.tif"
    run("grid", inputs["swath"], out, *BOX)
    rasters = sorted(tmp_path.glob("*.tif"))
    assert {"l3", "l3_coverage", "l3_count"} <= {path.stem for path in rasters}
    for path in rasters:
        seen = qgis.look(path, tmp_path / "a.png")
        assert_seen_as_it_is(seen, path)
        share = path.stem in ("l3_coverage", "l3_count")
        assert seen["limits"][0] == 0 or not share
        # Few pixels of this size reach a cell of 0.05 degree: their count has few colours.
        seen["drawn"]["colours"] += 20 if path.stem == "l3_count" else 0
        assert_styled(seen, path, label="" if share else " µmol m⁻²")


def test_projected_rasters_lie_where_they_are(qgis, tmp_path):
    values = np.random.default_rng(0).gamma(2, 2e-5, (40, 30)).astype(np.float32)
    bare = xr.DataArray(values, dims=("y", "x"), attrs={"units": "mol m-2"}, name="no2")
    place = Affine(3218.37, 0, 232153.3523, 0, -3218.19, 3856746.1228)  # cells are not square
    plain = no2sr.write(georeference(bare, place, "EPSG:32611"), tmp_path / "utm.tif")
    out = tmp_path / "fine.tif"
    run("downscale", plain, out, "--scale", 3)
    seen = qgis.look(out, tmp_path / "a.png")
    assert_seen_as_it_is(seen, out)
    assert seen["crs"] == "EPSG:32611"
    assert_styled(seen, out, label=" µmol m⁻²")


def test_without_a_style_qgis_draws_grey(qgis, inputs, tmp_path):
    out = tmp_path / "a.tif"
    run("downscale", inputs["geotiff"], out, "--scale", 2, "--no-style")
    assert qgis.look(out, tmp_path / "a.png")["renderer"] == "singlebandgray"


def test_a_style_that_was_saved_in_qgis_is_kept(qgis, inputs, tmp_path):
    out = tmp_path / "a.tif"
    run("downscale", inputs["geotiff"], out, "--scale", 2)
    saved = out.with_suffix(".qml")
    qgis.look(out, tmp_path / "a.png", saved)
    theirs = saved.read_text(encoding="utf-8")
    run("downscale", inputs["geotiff"], out, "--scale", 2, "--overwrite", "--unit", "mol")
    assert saved.read_text(encoding="utf-8") == theirs


def test_statistics_that_qgis_left_do_not_outlive_the_raster(qgis, inputs, tmp_path):
    out = tmp_path / "a.tif"
    run("downscale", inputs["geotiff"], out, "--scale", 2)
    options = [f"--INPUT={out}", "--BAND=1"]
    assert qgis.process("run", "native:rasterlayerstatistics", *options).code == 0
    assert list(tmp_path.glob("*.aux.xml"))
    run("downscale", inputs["geotiff"], out, "--scale", 2, "--overwrite", "--unit", "mol")
    assert not list(tmp_path.glob("*.aux.xml"))
    assert_seen_as_it_is(qgis.look(out, tmp_path / "a.png"), out)


def test_a_netcdf_file_opens_by_its_path(qgis, inputs, tmp_path):
    out = tmp_path / "a.nc"
    # Of a file with a second variable, the uncertainty, GDAL wants the name of one.
    run("downscale", inputs["geotiff"], out, "--scale", 2, "--no-uncertainty")
    seen = qgis.look(out, tmp_path / "a.png")
    image = open_column(out)
    assert (seen["valid"], seen["bands"], seen["crs"]) == (True, 1, "EPSG:4326")
    assert np.allclose(seen["extent"], image.rio.bounds(), rtol=0, atol=1e-9)
    assert seen["maximum"] == pytest.approx(float(image.max()), rel=1e-6)
    assert seen["mean"] == pytest.approx(float(image.astype(float).mean()), rel=1e-6)


def test_the_guide_makes_a_page_and_qgis_writes_it_again(qgis, inputs, tmp_path, root):
    out = tmp_path / "fine.tif"
    run("downscale", inputs["geotiff"], out, "--scale", 2)
    for name in ("page.pdf", "page.png"):
        line = [
            "/usr/bin/python3",
            root / "docs" / "qgis_layout.py",
            out,
            tmp_path / name,
            "A title",
        ]
        subprocess.run(line, env=qgis.environment, check=True)
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "page.png") as page:
        assert page.width / page.height == pytest.approx(297 / 210, abs=0.01)
        shown = page.convert("RGB").crop((100, 120, 750, 650))  # inside the map
        assert len(shown.getcolors(1 << 20)) > 100  # a map without an extent is white
    again = tmp_path / "again.pdf"
    options = [f"--PROJECT_PATH={tmp_path / 'page.qgz'}", "--LAYOUT=NO2", f"--OUTPUT={again}"]
    done = qgis.process("run", "native:printlayouttopdf", *options)
    assert done.code == 0, done.err
    assert again.read_bytes().startswith(b"%PDF")


def test_zonal_statistics_of_the_guide(qgis, inputs, tmp_path):
    out, wards, table = (tmp_path / name for name in ("fine.tif", "wards.geojson", "wards.csv"))
    run("downscale", inputs["geotiff"], out, "--scale", 2)
    corners = [[80.01, 24.01], [80.99, 24.01], [80.99, 24.99], [80.01, 24.99], [80.01, 24.01]]
    ward = {"type": "Polygon", "coordinates": [corners]}
    feature = {"type": "Feature", "properties": {"ward": "A"}, "geometry": ward}
    wards.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    options = [f"--INPUT={wards}", f"--INPUT_RASTER={out}", "--RASTER_BAND=1"]
    options.append("--COLUMN_PREFIX=no2_")
    done = qgis.process("run", "native:zonalstatisticsfb", *options, f"--OUTPUT={table}")
    assert done.code == 0, done.err
    found = pd.read_csv(table).iloc[0]
    with rasterio.open(out) as raster:
        inside = features.geometry_mask([ward], raster.shape, raster.transform, invert=True)
        values = raster.read(1)[inside]
    assert found["no2_count"] == np.isfinite(values).sum()
    assert found["no2_mean"] == pytest.approx(np.nanmean(values), rel=1e-6)
