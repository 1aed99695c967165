"""Scenes in files: every layer is written, in its unit, and a set of files appears as a whole."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from rio_cogeo.cogeo import cog_validate

import no2sr.core.errors as err
from no2sr.core.grid import regular_grid
from no2sr.core.image import COLUMN_ATTRS
from no2sr.core.layers import (
    COUNT,
    COVERAGE,
    LAYERS,
    RANDOM,
    RESOLUTION,
    SYSTEMATIC,
    TOTAL,
    assemble_scene,
)
from no2sr.writers.dispatch import write
from no2sr.writers.layers import enter_layer, layer_path, layers_in, list_outputs

SUFFIXES = [".tif", ".nc", ".zarr"]


@pytest.fixture
def column() -> xr.DataArray:
    grid = regular_grid((76, 29.3, 76.25, 29.5), 0.0125)
    values = np.random.default_rng(0).normal(3e-5, 3e-5, grid.shape).astype(np.float32)
    values[:3, :4] = np.nan
    told = {"source": "simulated", "title": "mine", "history": "no2sr: a", "no2sr_scale": 4}
    return grid.copy(data=values).assign_attrs(COLUMN_ATTRS, **told).rename("no2")


@pytest.fixture
def scene(column) -> xr.Dataset:
    numbers = np.random.default_rng(1)

    def like(values: np.ndarray) -> xr.DataArray:
        field = column.drop_attrs(deep=False).copy(data=values.astype(np.float32))
        return field.where(np.isfinite(column))

    layers = {
        RANDOM: like(numbers.uniform(5e-6, 1e-5, column.shape)),
        SYSTEMATIC: like(numbers.uniform(1e-6, 2e-6, column.shape)),
        TOTAL: like(numbers.uniform(5e-6, 1.2e-5, column.shape)),
        COVERAGE: like(numbers.uniform(0.5, 1, column.shape)),
        COUNT: like(numbers.integers(1, 9, column.shape)),
        RESOLUTION: like(numbers.uniform(2, 6, column.shape)),
    }
    return assemble_scene(column, layers)


def contents(path: Path) -> dict[str, bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else list_outputs(path)
    return {f.name: f.read_bytes() for f in files if f.is_file()}


def read(path: Path, layer: str, column: str = "no2") -> tuple[np.ndarray, str]:
    """Read the values and the unit of a layer with what an ordinary user has."""
    if path.suffix == ".tif":
        with rasterio.open(layer_path(path, layer)) as raster:
            return raster.read(1), raster.units[0]
    options = {"engine": "zarr"} if path.suffix == ".zarr" else {}
    with xr.open_dataset(path, **options) as file:
        field = file[layer if layer in (COVERAGE, COUNT, RESOLUTION) else f"{column}_{layer}"]
        return field.to_numpy(), field.attrs["units"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("lazy", [False, True])
def test_every_layer_is_written_in_its_unit(scene, suffix, lazy, tmp_path):
    given = scene.chunk(y=5, x=-1) if lazy else scene
    path = write(given, tmp_path / f"a{suffix}", unit="umol")
    assert path == tmp_path / f"a{suffix}"
    for layer in LAYERS:
        values, unit = read(path, layer)
        plain = layer in (COVERAGE, COUNT, RESOLUTION)
        own = "km" if layer == RESOLUTION else "1"
        assert unit == (own if plain else "umol m-2")
        wanted = enter_layer(scene, layer).values * (1 if plain else 1e6)
        if layer == COUNT and suffix != ".tif":
            wanted = np.nan_to_num(wanted)
        np.testing.assert_allclose(values, wanted, rtol=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_scenes_give_equal_bytes(scene, suffix, tmp_path):
    (tmp_path / "x").mkdir()
    first = contents(write(scene, tmp_path / f"a{suffix}"))
    time.sleep(1.1)
    second = contents(write(scene.chunk(y=7), tmp_path / "x" / f"a{suffix}"))
    if suffix == ".zarr":  # dask rechunks: the chunks are equal, their order of writing is not
        assert first.keys() == second.keys()
    else:
        assert first == second


def test_netcdf_describes_the_layers_as_cf_does(scene, tmp_path):
    path = write(scene, tmp_path / "a.nc")
    names = ["no2_uncertainty_random", "no2_uncertainty_systematic", "no2_uncertainty"]
    with netCDF4.Dataset(path) as file:
        assert file["no2"].ancillary_variables.split() == [
            *names,
            "coverage",
            "count",
            "resolution",
        ]
        assert file["no2_uncertainty"].standard_name == (
            "troposphere_mole_content_of_nitrogen_dioxide standard_error"
        )
        assert file["no2_uncertainty"].long_name.startswith("standard uncertainty of the tropo")
        assert file["no2_uncertainty_random"].dtype == np.float32
        assert file["count"].dtype == np.int32
        assert "_FillValue" not in file["count"].ncattrs()
        assert file["count"].standard_name == "number_of_observations"
        assert all(
            file[name].grid_mapping == "crs" for name in [*names, "coverage", "count", "resolution"]
        )
        assert file.no2sr_scale == 4
        assert "history" not in file["no2_uncertainty"].ncattrs()


@pytest.mark.parametrize("kind", ["plain", "times", "another"])
def test_netcdf_complies_with_cf(scene, kind, tmp_path):
    if kind == "times":
        dates = np.array(["2023-10-27T05", "2023-10-27T06"], "M8[ns]")
        scene = xr.concat([scene, scene], xr.DataArray(dates, dims="time", name="time"))
    if kind == "another":
        column = scene["no2"].drop_attrs(deep=False).assign_attrs(units="mol m-2").rename("SO2 map")
        scene = assemble_scene(column, {COVERAGE: scene["coverage"], TOTAL: column})
    path = write(scene, tmp_path / "a.nc")
    program = Path(sys.executable).with_name("compliance-checker")
    line = [program, "-t", "cf:1.11", "-c", "strict", path]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "All tests passed!" in done.stdout, done.stdout


def test_a_geotiff_says_which_layer_it_is(scene, tmp_path):
    path = write(scene, tmp_path / "a.tif", unit="umol", style=True)
    described = {
        "a.tif": "NO2 troposphere [umol m-2]",
        "a_uncertainty.tif": "uncertainty of NO2 troposphere [umol m-2]",
        "a_uncertainty_random.tif": "random uncertainty of NO2 troposphere [umol m-2]",
        "a_uncertainty_systematic.tif": "systematic uncertainty of NO2 troposphere [umol m-2]",
        "a_coverage.tif": "coverage [1]",
        "a_count.tif": "count of pixels [1]",
        "a_resolution.tif": "local resolution [km]",
    }
    styles = {Path(name).with_suffix(".qml").name for name in described}
    assert {p.name for p in tmp_path.iterdir()} == {*described, *styles}
    assert [p.name for p in list_outputs(path)] == [
        "a.tif",
        *(f"a_{layer}.tif" for layer in LAYERS),
    ]
    for place in list_outputs(path):
        assert cog_validate(place, strict=True) == (True, [], [])
        with rasterio.open(place) as raster:
            assert raster.descriptions == (described[place.name],)
            told = raster.tags()
        layer = place.stem.removeprefix("a").removeprefix("_")
        assert told.get("no2sr_layer", "") == layer
        assert (told["history"], told["source"]) == ("no2sr: a", "simulated")
        assert told["no2sr_scale"] == "4"


def test_an_uncertainty_has_colours_of_its_own(scene, tmp_path):
    path = write(scene, tmp_path / "a.tif", unit="umol", style=True)
    ends = {}
    for place in list_outputs(path):
        text = place.with_suffix(".qml").read_text(encoding="utf-8")
        ends[place.stem] = text.split('color="#')[1][:6], text.split('color="#')[17][:6]
    assert ends["a_uncertainty"] == ends["a_uncertainty_random"] == ("fee838", "00224e")
    assert len({ends["a"], ends["a_uncertainty"], ends["a_coverage"]}) == 3
    text = path.with_name("a_uncertainty.qml").read_text(encoding="utf-8")
    assert " µmol m⁻²" in text


@pytest.mark.parametrize("taken", ["a.tif", "a_uncertainty.tif"])
def test_a_taken_name_stops_the_whole_set(scene, taken, tmp_path):
    (tmp_path / taken).write_text("precious")
    with pytest.raises(err.OutputExistsError, match=taken):
        write(scene, tmp_path / "a.tif", style=True)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {taken: "precious"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failing_write_leaves_nothing(scene, suffix, tmp_path, monkeypatch):
    calls = []

    def fail(image, *args, **options):
        calls.append(image)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(image, *args, **options)

    module, name = {
        ".tif": ("no2sr.writers.geotiff", "_write_cog"),
        ".nc": ("no2sr.writers.netcdf", "_store"),
        ".zarr": ("no2sr.writers.zarr", "chunks_of"),
    }[suffix]
    real = getattr(sys.modules[module], name)
    monkeypatch.setattr(f"{module}.{name}", fail)
    with pytest.raises(err.WriteError, match="No space left"):
        write(scene, tmp_path / f"a{suffix}", style=suffix == ".tif")
    assert list(tmp_path.iterdir()) == []


def test_overwriting_removes_layers_of_the_earlier_set_only(scene, column, tmp_path):
    path = write(scene, tmp_path / "a.tif", style=True)
    (tmp_path / "a_notes.tif").write_text("precious")
    column_of_mine = write(column, tmp_path / "b.tif")
    column_of_mine.replace(tmp_path / "a_count.tif")  # ours, but not written as a layer
    write(scene[["no2", "no2_uncertainty"]], path, overwrite=True, style=True)
    kept = {"a.tif", "a_uncertainty.tif", "a.qml", "a_uncertainty.qml"}
    there = {p.name for p in tmp_path.iterdir()}
    assert there == {*kept, "a_notes.tif", "a_count.tif", "a_count.qml"}
    write(column, path, overwrite=True)
    assert not (tmp_path / "a_uncertainty.tif").exists()


def test_a_column_alone_is_written_as_ever(scene, column, tmp_path):
    path = write(column, tmp_path / "a.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    again = write(scene[["no2"]], tmp_path / "b.tif")
    with rasterio.open(path) as one, rasterio.open(again) as other:
        assert one.tags() == other.tags()
        assert one.read().tobytes() == other.read().tobytes()


def test_the_column_of_another_gas_is_found_among_its_companions(scene, tmp_path):
    column = scene["no2"].drop_attrs(deep=False).assign_attrs(units="mol m-2").rename("so2")
    layers = {TOTAL: abs(column).assign_attrs(units="umol m-2"), COVERAGE: scene["coverage"]}
    other = assemble_scene(column, layers)
    assert layers_in(other) == [TOTAL, COVERAGE]
    values, unit = read(write(other, tmp_path / "a.nc"), TOTAL, "so2")
    assert unit == "mol m-2"  # that of the column
    np.testing.assert_allclose(values, 1e-6 * abs(column).values, rtol=1e-6)


def test_a_layer_on_another_grid_is_refused(scene, tmp_path):
    odd = scene.drop_vars("no2_uncertainty")
    odd["no2_uncertainty"] = ("row", "cell"), np.ones((8, 20)), {"units": "mol m-2"}
    with pytest.raises(err.DimensionError, match="put both on one grid"):
        write(odd, tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_is_not_there_is_named(scene, column):
    with pytest.raises(err.MissingVariableError, match="no2_uncertainty"):
        enter_layer(scene[["no2", "count"]], TOTAL)
    with pytest.raises(err.MissingVariableError, match="DataArray"):
        enter_layer(column, TOTAL)
