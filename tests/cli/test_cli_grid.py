"""``no2sr grid``: swaths in, one level 3 grid out."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr

import no2sr
from no2sr.core.layers import COUNT, COVERAGE, LAYERS, RANDOM, layer_name
from no2sr.writers.dispatch import write
from no2sr.writers.layers import column_name, enter_layer, layers_in

BOX = ("--bbox", "76", "26", "80", "29")


@pytest.fixture
def swath(samples):
    (path,) = samples.glob("S5P*")
    return path


@pytest.fixture
def gridded(swath):
    return no2sr.grid(swath, bbox=(76, 26, 80, 29), resolution=0.1)


def _raster(path):
    with rasterio.open(path) as raster:
        return raster.read(1), raster.units, raster.count, raster.bounds, raster.tags()


def test_netcdf_holds_all_that_is_known(no2sr_command, swath, gridded, tmp_path):
    out = tmp_path / "l3.nc"
    done = no2sr_command("grid", swath, out, *BOX, "--resolution", "0.1")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == str(out)
    assert "30 x 40 cells of 0.1 x 0.1 degree" in done.out
    assert "qa_value above 0.75" in done.out
    layers = layers_in(gridded)
    assert {COVERAGE, COUNT} <= set(layers)
    column = enter_layer(gridded)
    with netCDF4.Dataset(out) as file:
        name = next(n for n, v in file.variables.items() if "ancillary_variables" in v.ncattrs())
        names = [layer_name(name, layer) for layer in layers]
        assert file[name].ancillary_variables.split() == names
        assert file[name].units == "mol m-2"
        np.testing.assert_array_equal(np.ma.filled(file[name][0], np.nan), column)
        for layer, variable in zip(layers, names, strict=True):
            values = np.ma.filled(file[variable][0].astype("f4"), np.nan)
            np.testing.assert_array_equal(values, enter_layer(gridded, layer))
        assert file["count"].dtype == np.int32


def test_netcdf_is_cf(no2sr_command, swath, tmp_path):
    out = tmp_path / "l3.nc"
    no2sr_command("grid", swath, out, *BOX, "--resolution", "0.1")
    program = Path(sys.executable).with_name("compliance-checker")
    line = [program, "--test", "cf:1.11", out]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    assert "All tests passed!" in done.stdout, done.stdout


def test_netcdf_is_read_back_as_the_column(no2sr_command, swath, gridded, tmp_path):
    out = tmp_path / "l3.nc"
    no2sr_command("grid", swath, out, *BOX, "--resolution", "0.1", "--unit", "umol m-2")
    back = no2sr.open_no2(out)
    np.testing.assert_allclose(enter_layer(back), enter_layer(gridded), rtol=1e-6)
    assert back.rio.bounds() == pytest.approx((76, 26, 80, 29))


def test_geotiff_is_one_file_a_layer(no2sr_command, swath, gridded, tmp_path):
    out = tmp_path / "deep" / "l3.tif"
    done = no2sr_command("grid", swath, out, *BOX, "--resolution", "0.1")
    layers = layers_in(gridded)
    names = ["l3.tif", *(f"l3_{layer}.tif" for layer in layers)]
    assert done.out.splitlines()[-len(names) :] == [str(out.with_name(name)) for name in names]
    styles = [name.replace(".tif", ".qml") for name in names]
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([*names, *styles])
    for name, layer in zip(names, ("column", *layers), strict=True):
        values, units, count, bounds, tags = _raster(out.with_name(name))
        micro = layer not in {COVERAGE, COUNT}
        ratio = 1e6 if micro else 1
        np.testing.assert_allclose(values, ratio * enter_layer(gridded, layer), rtol=1e-6)
        assert count == 1
        assert units == ("umol m-2" if micro else "1",)
        assert bounds == pytest.approx((76, 26, 80, 29))
        assert "qa_value above 0.75" in tags["history"]


def test_several_orbits_are_summed(no2sr_command, swath, tmp_path):
    once, twice = tmp_path / "once.nc", tmp_path / "twice.nc"
    for out, inputs in ((once, [swath]), (twice, [swath, swath])):
        assert no2sr_command("grid", *inputs, out, *BOX, "--quiet").out == ""
    with netCDF4.Dataset(once) as one, netCDF4.Dataset(twice) as two:
        np.testing.assert_array_equal(two["count"][...], 2 * one["count"][...])
    scenes = [no2sr.open_no2(path) for path in (once, twice)]
    # Two equal, independent sets halve the variance of the random error; gridding leaves out cells
    # of which almost nothing was seen, which are fewer after two orbits.
    for layer, ratio in (("column", 1), (RANDOM, np.sqrt(0.5))):
        first, second = (enter_layer(scene, layer).values for scene in scenes)
        seen = np.isfinite(first)
        assert np.isfinite(second[seen]).all()
        np.testing.assert_allclose(second[seen], ratio * first[seen], rtol=1e-5)


def test_quality_threshold_counts(no2sr_command, swath, tmp_path):
    strict, loose = tmp_path / "strict.nc", tmp_path / "loose.nc"
    no2sr_command("grid", swath, strict, *BOX)
    no2sr_command("grid", swath, loose, *BOX, "--qa", "0.5")
    with netCDF4.Dataset(strict) as few, netCDF4.Dataset(loose) as many:
        assert many["count"][...].sum() > few["count"][...].sum() > 0
        assert "qa_value above 0.5" in many.history


@pytest.mark.parametrize("taken", ["l3.tif", "l3_count.tif"])
def test_existing_outputs_are_refused_before_anything_is_read(no2sr_command, tmp_path, taken):
    (tmp_path / taken).write_text("precious")
    refused = no2sr_command("grid", "absent.nc", tmp_path / "l3.tif")
    assert refused.code == 1
    assert "pass --overwrite" in refused.errors[0]
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_overwrite_replaces(no2sr_command, swath, tmp_path):
    out = tmp_path / "l3.nc"
    out.write_text("stale")
    assert no2sr_command("grid", swath, out, *BOX, "--overwrite").code == 0
    assert enter_layer(no2sr.open_no2(out)).shape == (60, 80)  # 3 x 4 degrees at 0.05


@pytest.mark.parametrize(
    ("args", "advice"),
    [
        (["l3.png"], "choose one of .tif, .tiff, .nc, .zarr"),
        (["l3.nc", "--unit", "furlong"], "mol m-2"),
        (["l3.nc"], "absent.nc does not exist"),
    ],
)
def test_bad_requests_are_one_line(no2sr_command, tmp_path, args, advice):
    refused = no2sr_command("grid", "absent.nc", tmp_path / args[0], *args[1:])
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert advice in refused.errors[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("args", [["only.nc"], ["a.nc", "b.nc", "--resolution", "0"]])
def test_wrong_calls_exit_2(no2sr_command, args):
    assert no2sr_command("grid", *args).code == 2


def test_an_input_is_never_the_output(no2sr_command, grid_file):
    before = grid_file.read_bytes()
    refused = no2sr_command("grid", grid_file, grid_file, "--overwrite")
    assert refused.code == 2
    assert grid_file.read_bytes() == before


def test_a_grid_is_refused(no2sr_command, grid_file, tmp_path):
    refused = no2sr_command("grid", grid_file, tmp_path / "l3.nc")
    assert refused.code == 1
    assert "is already a grid" in refused.errors[0]


def test_a_truncated_file_is_named(no2sr_command, swath, tmp_path):
    bad = tmp_path / "bad.nc"
    bad.write_bytes(swath.read_bytes()[:2])
    refused = no2sr_command("grid", swath, bad, tmp_path / "l3.nc")
    assert refused.code == 1
    assert "bad.nc is 2 bytes long" in refused.errors[0]
    assert not (tmp_path / "l3.nc").exists()


def test_coordinates_that_are_all_fill(no2sr_command, swath, tmp_path):
    lost = tmp_path / "lost.nc"
    lost.write_bytes(swath.read_bytes())
    with netCDF4.Dataset(lost, "a") as file:
        places = file["PRODUCT/SUPPORT_DATA/GEOLOCATIONS"]
        for axis in ("latitude", "longitude"):
            file[f"PRODUCT/{axis}"][...] = np.ma.masked
            places[f"{axis}_bounds"][...] = np.ma.masked
    refused = no2sr_command("grid", lost, tmp_path / "l3.nc")
    assert refused.code == 1
    assert "no pixel has a value and four corners" in refused.errors[0]


@pytest.mark.real_data
def test_real_subsets_become_one_grid(no2sr_command, real_data, tmp_path):
    paths = sorted((real_data / "s5p_l2").glob("*NO2____2019*"))
    done = no2sr_command("grid", *paths, tmp_path / "l3.nc")
    assert done.code == 0
    assert "is empty: it has no variables" in done.err
    assert np.isfinite(enter_layer(no2sr.open_no2(tmp_path / "l3.nc"))).any()


@pytest.mark.real_data
def test_a_real_folder_becomes_one_grid(no2sr_command, real_data, tmp_path):
    done = no2sr_command("grid", real_data / "s5p_l2", tmp_path / "l3.nc")
    assert done.code == 0
    assert done.err.count("is empty: it has no variables") == 4  # of 23
    assert "and 16 more as s5p_l2" in " ".join(done.out.split())
    assert np.isfinite(enter_layer(no2sr.open_no2(tmp_path / "l3.nc"))).any()


def test_a_store_holds_all_that_is_known(no2sr_command, swath, tmp_path):
    out = tmp_path / "l3.zarr"
    assert no2sr_command("grid", swath, out, *BOX).code == 0
    with xr.open_dataset(out, engine="zarr") as store:
        assert {"coverage", "count"} <= set(store.data_vars)


def test_overwrite_removes_layers_of_an_earlier_run(no2sr_command, swath, gridded, tmp_path):
    out = tmp_path / "l3.tif"
    assert no2sr_command("grid", swath, out, *BOX).code == 0
    (tmp_path / "l3_notes.tif").write_text("precious")
    column = gridded[[column_name(gridded)]]
    with pytest.raises(no2sr.OutputExistsError):
        write(column, out)
    write(column, out, overwrite=True, style=True)
    assert {path.name for path in tmp_path.iterdir()} == {"l3.tif", "l3.qml", "l3_notes.tif"}


def test_help_names_the_layers(no2sr_command):
    shown = " ".join(no2sr_command("grid", "--help").out.split())
    assert all(layer in shown for layer in LAYERS)


def test_a_bar_is_drawn_over_the_files(no2sr_command, swath, tmp_path, monkeypatch):
    calls, labels = [], []

    @contextmanager
    def bar(label, *, quiet):
        labels.append((label, quiet))
        yield lambda *call: calls.append(call)

    monkeypatch.setattr("no2sr.cli.jobs.progress_bar", bar)
    out = tmp_path / "l3.nc"
    assert no2sr_command("grid", swath, swath, out, *BOX, "--quiet").code == 0
    assert labels == [("l3.nc", True)]
    assert calls == [(0, 2), (1, 2), (2, 2)]


def test_limits_of_screens_reach_the_readers(no2sr_command, tmp_path):
    path = tmp_path / "tempo.nc"
    y, x = np.mgrid[40:40.4:0.05, -75:-74.6:0.05]
    fields = {
        "geolocation/latitude": y,
        "geolocation/longitude": x,
        "product/vertical_column_troposphere": np.full(y.shape, 3e15),
        "support_data/eff_cloud_fraction": np.where(x < -74.8, 0.1, 0.4),
    }
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("mirror_step", y.shape[0])
        file.createDimension("xtrack", y.shape[1])
        for name, values in fields.items():
            file.createVariable(name, "f4", ("mirror_step", "xtrack"))[:] = values
        file["product/vertical_column_troposphere"].units = "molecules/cm^2"
    shares = []
    for limits in ([], ["--limit", "eff_cloud_fraction=0.5"]):
        out = tmp_path / f"l3{len(limits)}.nc"
        done = no2sr_command("grid", path, out, *limits)
        assert done.code == 0
        with netCDF4.Dataset(out) as file:
            shares.append(int(file["count"][...].sum()))
            assert f"eff_cloud_fraction <= 0.{5 if limits else 2}" in file.history
    assert shares[1] > shares[0] > 0
    refused = no2sr_command("downscale", path, tmp_path / "x.tif", "--limit", "cloud=1")
    assert refused.code == 1
    assert (
        "has no screen 'cloud'; give a limit for one of main_data_quality_flag" in refused.errors[0]
    )


def test_one_mean_a_month(no2sr_command, swath, tmp_path):
    out = tmp_path / "months.nc"
    done = no2sr_command("grid", swath, out, *BOX, "--resolution", "0.1", "--by", "month")
    assert (done.code, done.err) == (0, "")
    with netCDF4.Dataset(out) as file:
        assert file["count"].shape == (1, 30, 40)
        assert file["time_bnds"].shape == (1, 2)
    refused = no2sr_command("grid", swath, tmp_path / "months.tif", "--by", "month")
    assert refused.code == 2
    assert "make OUT a .nc or .zarr" in refused.err
