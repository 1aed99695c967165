"""Styles for QGIS: colours and labels are those of the values; styles go with their rasters.

What QGIS itself makes of them is tested in `tests/qgis`.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import no2sr.core.errors as err
from no2sr.core.colours import ramp, robust_limits
from no2sr.core.grid import regular_grid
from no2sr.core.image import COLUMN_ATTRS
from no2sr.core.layers import TOTAL, assemble_scene
from no2sr.writers.dispatch import write
from no2sr.writers.geotiff import write_geotiff
from no2sr.writers.netcdf import write_netcdf
from no2sr.writers.qgis_style import style_of

if TYPE_CHECKING:
    import xarray as xr


def make(values: np.ndarray, **attrs: str) -> xr.DataArray:
    ny, nx = values.shape
    grid = regular_grid((76, 29.5 - 0.05 * ny, 76 + 0.05 * nx, 29.5), 0.05)
    return grid.copy(data=values.astype(np.float32)).assign_attrs(COLUMN_ATTRS | attrs)


@pytest.fixture
def image() -> xr.DataArray:
    values = np.random.default_rng(0).gamma(2, 2e-5, (40, 50)) - 1e-5
    values[:3, :4] = np.nan
    values[20, 20] = 1  # a hot pixel
    return make(values)


def parsed(path) -> ET.Element:
    return ET.fromstring(path.with_suffix(".qml").read_text(encoding="utf-8"))  # noqa: S314


def items(path) -> list[tuple[float, str, str]]:
    found = parsed(path).iter("item")
    return [(float(i.get("value")), i.get("label"), i.get("color")) for i in found]


def test_the_ramp_runs_between_the_robust_limits_of_the_values(image, tmp_path):
    path = write_geotiff(image, tmp_path / "a.tif", unit="umol", style=True)
    low, high = robust_limits(1e6 * image.values)
    values, labels, colours = zip(*items(path), strict=True)
    assert np.allclose(values, np.linspace(low, high, 17), rtol=1e-6, atol=0)
    assert high < 1e3  # the hot pixel has 1e6
    assert labels[0] == f"{values[0]:.3g} µmol m⁻²"
    first, *_, last = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in ramp())
    assert (colours[0], colours[-1]) == (first, last)
    renderer = next(parsed(path).iter("rasterrenderer"))
    assert renderer.get("type") == "singlebandpseudocolor"
    assert float(renderer.get("classificationMin")) == values[0]
    assert float(renderer.get("classificationMax")) == values[-1]


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("mol", "µmol m⁻²"),
        ("umol", "µmol m⁻²"),
        ("Pmolec", "\N{MULTIPLICATION SIGN} 10¹⁵ molecules cm⁻²"),
        ("molec", "\N{MULTIPLICATION SIGN} 10¹⁵ molecules cm⁻²"),
    ],
)
def test_labels_read_well_whatever_the_unit_of_the_values(image, tmp_path, unit, shown):
    path = write_geotiff(image, tmp_path / "a.tif", unit=unit, style=True)
    numbers, names = zip(*(label.split(" ", 1) for _, label, _ in items(path)), strict=True)
    assert set(names) == {shown}
    assert 1 <= float(numbers[-1]) < 1e3
    settings = next(parsed(path).iter("rampLegendSettings"))
    assert settings.get("minimumLabel").endswith(shown)


def test_limits_in_the_unit_shown_give_several_files_one_scale(image, tmp_path):
    layers = {TOTAL: (0.1 * abs(image)).drop_attrs(deep=False).assign_attrs(units="mol m-2")}
    scene = assemble_scene(image.rename("no2"), layers)
    for unit, factor in (("mol m-2", 1e-6), ("umol m-2", 1)):
        path = write_geotiff(scene, tmp_path / "a.tif", unit=unit, style=(0, 150), overwrite=True)
        shader = parsed(path).find(".//colorrampshader")
        ends = [float(shader.get(name)) for name in ("minimumValue", "maximumValue")]
        assert ends == pytest.approx([0, 150 * factor])
        beside = parsed(tmp_path / "a_uncertainty.tif")
        most = float(beside.find(".//colorrampshader").get("maximumValue"))
        assert most < 50 * factor  # the uncertainty keeps limits of its own
    with pytest.raises(err.SettingsError, match="the lower one first"):
        write_geotiff(image, tmp_path / "b.tif", style=(150, 0))
    assert not (tmp_path / "b.tif").exists()


def test_a_large_raster_is_styled_by_what_an_overview_shows(image, tmp_path, monkeypatch):
    large = make(np.tile(np.nan_to_num(image.values[5:]), (30, 30)))
    path = write_geotiff(large, tmp_path / "a.tif", style=True)
    exact = items(path)[-1][0]
    monkeypatch.setattr("no2sr.writers.qgis_style._LOOK_AT", 400_000)
    rough = items(write_geotiff(large, path, style=True, overwrite=True))[-1][0]
    # Averages over 2 x 2 cells spread half as much.
    assert 0.5 * exact < rough < exact


def test_gaps_alone_have_a_style_too(tmp_path):
    unread = make(np.full((8, 8), np.nan)).chunk(x=4)  # nobody has seen yet that it is empty
    path = write_geotiff(unread, tmp_path / "a.tif", style=True)
    assert [value for value, _, _ in items(path)][:: 17 - 1] == [0, 1]


@pytest.mark.parametrize(("top", "end"), [(0.7, 1.0), (12, 12.0)])
def test_shares_and_counts_begin_at_zero(tmp_path, top, end):
    values = np.linspace(0.1, top, 64).reshape(8, 8)
    share = make(values, units="1", standard_name="", long_name="share")
    path = write_geotiff(share, tmp_path / "a.tif", style=True)
    first, *_, last = items(path)
    assert (first[0], last[0]) == (0, end)
    assert (first[1], last[1]) == ("0", f"{end:.3g}")
    assert first[2] == "#440154"  # another ramp than that of columns


def test_words_of_others_are_escaped(tmp_path):
    odd = make(np.random.default_rng(0).random((8, 8)), units="<\"&'>", standard_name="")
    path = write_geotiff(odd, tmp_path / "a.tif", style=True)
    assert items(path)[0][1].endswith(" <\"&'>")


def test_only_geotiffs_have_styles(image, tmp_path):
    write(image, tmp_path / "a.nc", style=True)
    write(image, tmp_path / "b.tif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nc", "b.tif"]


def test_equal_rasters_have_equal_styles(image, tmp_path):
    paths = [write(image, tmp_path / f"{name}.tif", style=True) for name in "ab"]
    one, other = (path.with_suffix(".qml").read_bytes() for path in paths)
    assert one == other
    assert style_of(paths[0]) == one.decode()


def test_a_style_goes_with_its_raster(image, tmp_path):
    path = write(image, tmp_path / "a.tif", style=True)
    before = path.with_suffix(".qml").read_text()
    write(2 * image.assign_attrs(image.attrs), path, style=True, overwrite=True)
    assert path.with_suffix(".qml").read_text() != before
    write(image, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("style", [True, False])
def test_a_style_that_a_user_saved_is_kept(image, tmp_path, style):
    path = write(image, tmp_path / "a.tif")
    path.with_suffix(".qml").write_text("<qgis>mine</qgis>")
    write(image, path, style=style, overwrite=True)
    assert path.with_suffix(".qml").read_text() == "<qgis>mine</qgis>"


def test_a_folder_in_the_place_of_the_style_is_left_alone(image, tmp_path):
    (tmp_path / "a.qml").mkdir()
    write(image, tmp_path / "a.tif", style=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.qml", "a.tif"]


def test_a_raster_that_is_refused_leaves_no_style(image, tmp_path):
    path = tmp_path / "a.tif"
    path.write_text("precious")
    with pytest.raises(err.OutputExistsError, match=r"a\.tif already exists"):
        write(image, path, style=True)
    with pytest.raises(err.WriteError, match=r"for a\.tif"):
        write(image, tmp_path / "nowhere" / "a.tif", style=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize(
    "broken", ["core.atomic._move", "writers.qgis_style.style_of", "writers.geotiff.copy"]
)
def test_a_failure_leaves_neither_raster_nor_style(image, tmp_path, monkeypatch, broken):
    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"no2sr.{broken}", fail)
    with pytest.raises(err.WriteError, match="No space left on device"):
        write(image, tmp_path / "a.tif", style=True)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_overwrite_keeps_raster_and_style(image, tmp_path, monkeypatch):
    path = write(image, tmp_path / "a.tif", style=True)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("no2sr.writers.qgis_style.style_of", fail)
    with pytest.raises(err.WriteError):
        write(image + 1, path, style=True, overwrite=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_style_of_a_copy_can_be_made_again(image, tmp_path):
    path = write(image, tmp_path / "a.tif", style=True)
    copy = shutil.copy(path, tmp_path / "b.tif")
    assert style_of(copy) == path.with_suffix(".qml").read_text(encoding="utf-8")
    write_netcdf(image, tmp_path / "b.nc")
