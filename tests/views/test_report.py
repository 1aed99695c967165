"""The report as text: complete, small, inert, and honest about what it does not know."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from affine import Affine

import no2sr
from no2sr.core.door import enter
from no2sr.core.errors import IrregularGridError, NoValidPixelsError, OutputExistsError
from no2sr.core.grid import georeference, refine
from no2sr.core.layers import TOTAL, assemble_scene, layer_name
from no2sr.views.report.page import make_report, write_report
from no2sr.views.report.rasters import embed

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{data}}"


@pytest.fixture
def coarse(grid):
    return enter(grid)


@pytest.fixture
def fine(coarse):
    return no2sr.downscale(coarse, scale=2)


class _Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attrs, self.words, self.scripts, self._open = [], [], [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs += attrs
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        inert = self._open and self._open[-1] in {"script", "style"}
        (self.scripts if inert else self.words).append(data)

    @property
    def data(self):
        return json.loads(next(text for text in self.scripts if text.startswith("{")))


def _values(raster):
    flat = np.frombuffer(base64.b64decode(raster["values"]), "<f4")
    return flat.reshape(raster["rows"], raster["columns"])


def test_page_tells_what_was_done(coarse, fine):
    page = _Page(make_report(coarse, fine))
    for words in (
        "48 x 40 cells, 2 x 2 for each observed cell",
        "1.9% of the cells",  # 9 gaps of 480
        "76 27.1 78 29.5 (west, south, east, north)",
        "root mean square error / µmol m⁻²",
        "ratio to bicubic",
        "SHA-256 of the model",
        "downscale scale=2 model=srcnn",
        "estimate, not an observation",
    ):
        assert words in page.text
    assert re.search(r"residual \d\.\de-\d\d of the input's spread", page.text)


def test_embedded_rasters_are_those_of_the_files(coarse, fine):
    data = _Page(make_report(coarse, fine)).data
    for name, image in (("coarse", coarse), ("fine", fine)):
        np.testing.assert_allclose(_values(data[name]), 1e6 * image.values, rtol=1e-6)
        raster = data[name]
        found = raster["west"], raster["north"], raster["dx"], raster["dy"]
        t = image.rio.transform()
        np.testing.assert_allclose(found, (t.c, t.f, t.a, t.e), rtol=1e-12)
    assert data["unit"] == "µmol m⁻²"
    assert data["geographic"] is True
    assert len(data["ramp"]) == 256


def test_judgement_is_that_of_evaluate(coarse, fine):
    table = no2sr.evaluate(coarse, scale=2, methods=["bicubic", "srcnn"])
    page = _Page(make_report(coarse, fine))
    for row in ("bicubic", "srcnn"):
        assert f"{1e6 * table.loc[row, 'rmse']:.4g}" in page.text
    assert f"{table.loc['srcnn', 'rmse / bicubic']:.3f}" in page.text


def test_files_cannot_put_script_into_the_page(coarse, fine):
    names = ("source", "history", "comment", "long_name", "title", "no2sr_model", "no2sr_odd")
    hostile = fine.assign_attrs(dict.fromkeys(names, HOSTILE), standard_name="x")
    page = _Page(make_report(coarse, hostile, title=HOSTILE))
    plain = _Page(make_report(coarse, fine))
    assert page.tags.count("script") == plain.tags.count("script") == 2
    assert "img" not in page.tags
    assert not [name for name, _ in page.attrs if name.startswith("on")]
    assert page.text.count(HOSTILE) >= 5  # shown as it is
    assert page.data["unit"] == "µmol m⁻²"


def test_hostile_units_are_text_too(coarse):
    odd = coarse.assign_attrs(units=HOSTILE)
    page = _Page(make_report(odd, no2sr.downscale(odd, scale=2)))
    assert page.tags.count("script") == 2
    assert page.data["unit"] == HOSTILE


def test_policy_lets_only_the_pages_own_script_and_style_act(coarse, fine):
    text = make_report(coarse, fine)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    for kind, content in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_page_loads_nothing(coarse, fine):
    page = _Page(make_report(coarse, fine))
    links = [value for name, value in page.attrs if name in {"src", "href", "srcset", "data"}]
    assert links == ["data:,"]
    assert not re.search(r"url\((?!#)|@import|https?://", make_report(coarse, fine))


def _large(shape):
    values = np.random.default_rng(0).normal(1e-5, 1e-6, shape).astype(np.float32)
    image = xr.DataArray(values, dims=("y", "x"), attrs={"units": "mol m-2"})
    image.values[:7, :9] = np.nan
    return georeference(image, Affine(1000, 0, 5e5, 0, -1000, 4e6), "EPSG:32643")


@pytest.fixture
def scene(fine):
    sigma = abs(fine).drop_attrs(deep=False) * np.float32(0.2) + np.float32(1e-6)
    return assemble_scene(fine, {TOTAL: sigma})


def test_a_scene_with_uncertainty_has_a_third_view(coarse, fine, scene):
    plain = _Page(make_report(coarse, fine))
    assert "uncertainty" not in plain.data
    assert ("name", "view") not in plain.attrs
    assert "standard deviation of the error" not in plain.text
    page = _Page(make_report(coarse, scene))
    assert page.attrs.count(("name", "view")) == 2
    sigma = scene[layer_name(fine.name, TOTAL)]
    found = _values(page.data["uncertainty"])
    np.testing.assert_allclose(found, 1e6 * sigma.values, rtol=1e-5)
    mean = 1e6 * float(np.nanmean(sigma.values))
    for words in (
        f"mean uncertainty {mean:.4g} µmol m⁻²",
        "cells larger than 2 times their uncertainty",
        "uncertainty (one standard deviation) / µmol m⁻²",
        "one standard deviation of the error of a fine cell",
    ):
        assert words in page.text
    identifiers = [value for name, value in page.attrs if name == "id"]
    assert len(identifiers) == len(set(identifiers))


def test_means_within_noise_raise_no_doubt(coarse, fine):
    loose = (fine * np.float32(1.01)).assign_attrs(fine.attrs, no2sr_conserve="noise")
    page = _Page(make_report(coarse, loose))
    assert "Was it made of another file" not in page.text
    assert "largest departure from the observed means" in page.text


def test_command_finds_the_uncertainty_beside_a_geotiff(no2sr_command, grid_file, tmp_path, scene):
    path = no2sr.write(scene, tmp_path / "fine.tif", unit="umol")
    done = no2sr_command("report", grid_file, path)
    assert (done.code, done.errors) == (0, [])
    page = _Page(path.with_suffix(".html").read_text(encoding="utf-8"))
    assert "uncertainty" in page.data
    assert page.data["uncertaintyLimits"][1] > page.data["uncertaintyLimits"][0] > 0


def test_large_images_are_averaged_and_the_page_stays_small():
    coarse = _large((900, 1100))
    text = make_report(coarse, refine(coarse, 2))
    assert len(text.encode()) < 5_000_000
    page = _Page(text)
    # 1800 x 2200 cells are 7.07 times the most there may be: blocks of 3.
    assert page.data["fine"]["block"] == 3
    # 900 x 1100 are 7.07 times a quarter of that.
    assert page.data["coarse"]["block"] == 3
    assert "mean of 3 x 3 observed cells, each value after of 3 x 3 fine ones" in page.text
    assert page.data["geographic"] is False


def test_averages_are_over_observed_cells_and_cover_the_edge():
    image = _large((11, 14))
    found = embed(image, 1e6, cells=30)
    assert (found["rows"], found["columns"], found["block"]) == (4, 5, 3)
    values = _values(found)
    assert np.isnan(values[:2, :3]).all()
    whole = 1e6 * image.values.astype(np.float64)
    assert values[2, 0] == pytest.approx(np.nanmean(whole[6:9, :3]), rel=1e-6)
    assert values[3, 4] == pytest.approx(whole[9:, 12:].mean(), rel=1e-6)
    assert (found["dx"], found["dy"]) == (3000, -3000)


def test_another_input_is_doubted(coarse, fine):
    assert "Was it made of another file" not in _Page(make_report(coarse, fine)).text
    assert "Was it made of another file" in _Page(make_report(coarse * 1.1, fine)).text


def test_what_cannot_be_judged_is_said(coarse, fine, grid):
    bare = fine.copy()
    bare.attrs = {"units": "mol m-2"}
    assert "does not name its model" in _Page(make_report(coarse, bare)).text
    other = fine.assign_attrs(no2sr_model_sha256="0" * 64)
    assert "ships other weights of srcnn" in _Page(make_report(coarse, other)).text
    assert "ratio to bicubic" in _Page(make_report(coarse, other, model="srcnn")).text
    gone = fine.assign_attrs(no2sr_model="unknown")
    assert "Not judged: no model 'unknown'" in _Page(make_report(coarse, gone)).text
    small = coarse[6:12, 6:12]
    text = _Page(make_report(small, no2sr.downscale(small, scale=2))).text
    assert "Not judged: " in text


def test_other_pairs_are_refused_and_nothing_is_written(coarse, fine, tmp_path):
    with pytest.raises(IrregularGridError, match="give its own input"):
        write_report(coarse.isel(x=slice(0, 9)), fine, tmp_path / "report.html")
    with pytest.raises(NoValidPixelsError):
        write_report(coarse.where(False), fine, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_report_replaces_nothing_unasked_and_is_the_same_each_time(coarse, fine, tmp_path):
    path = write_report(coarse, fine, tmp_path / "report.html")
    first = path.read_bytes()
    with pytest.raises(OutputExistsError, match="overwrite"):
        write_report(coarse, fine, path)
    write_report(coarse, fine, path, overwrite=True)
    assert path.read_bytes() == first


def test_command_writes_the_report_of_what_it_made(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "fine.tif"
    assert no2sr_command("downscale", grid_file, out, "--scale", 2, "--quiet").code == 0
    done = no2sr_command("report", grid_file, out, "-o", tmp_path / "new" / "page.html")
    assert (done.code, done.errors) == (0, [])
    page = _Page((tmp_path / "new" / "page.html").read_text(encoding="utf-8"))
    assert "srcnn" in page.text
    assert "Was it made of another" not in page.text
    done = no2sr_command("report", grid_file, out, "--title", "Two plumes", "--quiet")
    assert (done.code, done.out) == (0, "")
    assert "Two plumes" in (tmp_path / "fine.html").read_text(encoding="utf-8")
    refused = no2sr_command("report", grid_file, out)
    assert refused.code == 1
    assert "--overwrite" in refused.err


def test_command_reports_on_a_swath(no2sr_command, samples, tmp_path):
    (swath,) = samples.glob("S5P_*.nc")
    out = tmp_path / "fine.tif"
    box = ["--bbox", "76.5,28,77.5,29"]
    assert no2sr_command("downscale", swath, out, *box, "--quiet").code == 0
    done = no2sr_command("report", swath, out)
    assert (done.code, done.errors) == (0, [])
    page = _Page(out.with_suffix(".html").read_text(encoding="utf-8"))
    assert "Was it made of another" not in page.text
    assert "SIMULATED" in page.text


@pytest.mark.parametrize(("copies", "edges"), [(2, "pad"), (2, "shave"), (3, "pad")])
def test_command_averages_the_input_as_the_fine_map_says(
    no2sr_command, grid, tmp_path, copies, edges
):
    column = enter(grid)
    noisy = np.random.default_rng(5).normal(5e-5, 2e-5, column.shape).astype(np.float32)
    path = no2sr.write(refine(column.copy(data=noisy), copies), tmp_path / "copies.nc")
    out = tmp_path / "fine.tif"
    made = ["--coarsen-to-native", "--edges", edges, "--quiet"]
    assert no2sr_command("downscale", path, out, *made).code == 0
    done = no2sr_command("report", path, out)
    assert (done.code, done.err) == (0, "")
    page = _Page(out.with_suffix(".html").read_text(encoding="utf-8"))
    assert "Was it made of another" not in page.text
    assert "4 times finer" in page.text
    assert "4 x 4 for each observed cell" in page.text
    assert f"mean over {copies} x {copies} cells of the file" in page.text
    assert "ships other weights" not in page.text
    assert ("ratio to bicubic" in page.text) is (edges == "pad")  # what is left is too small
    plotted = no2sr_command("plot", path, out, tmp_path / "both.png", "--dpi", 40)
    assert (plotted.code, plotted.err) == (0, "")


@pytest.mark.real_data
@pytest.mark.parametrize("file", ["NO2_box_1_1_20250801.nc", "gee_tacna_2019.tif"])
def test_command_reports_on_real_files_that_are_oversampled(
    no2sr_command, real_data, tmp_path, file
):
    path, out = real_data / "s5p_l3" / file, tmp_path / "fine.tif"
    unit = ["--unit-in", "mol" if file.endswith(".nc") else "umol"]
    made = no2sr_command("downscale", path, out, "--coarsen-to-native", "--quiet", *unit)
    assert made.code == 0
    assert no2sr_command("report", path, out, *unit).code == 0
    page = _Page(out.with_suffix(".html").read_text(encoding="utf-8"))
    assert "Was it made of another" not in page.text
    assert "4 times finer" in page.text
    assert "Not judged" not in page.text
