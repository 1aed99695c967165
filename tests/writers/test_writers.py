"""The writers: what other programs read in our files, and what stays when writing fails."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import warnings
import weakref
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rio_cogeo.cogeo import cog_validate

import no2sr.core.errors as err
from no2sr.core.atomic import replace_atomically
from no2sr.core.door import enter
from no2sr.core.grid import georeference, regular_grid
from no2sr.core.image import COLUMN_ATTRS
from no2sr.writers.dispatch import check_suffix, write
from no2sr.writers.geotiff import write_geotiff
from no2sr.writers.netcdf import write_netcdf
from no2sr.writers.zarr import write_zarr

SUFFIXES = [".tif", ".nc", ".zarr"]


def make(shape: tuple[int, int] = (16, 20)) -> xr.DataArray:
    """Make an image of noise around a plausible column, some of it negative, one corner missing."""
    ny, nx = shape
    grid = regular_grid((76, 29.5 - 0.0125 * ny, 76 + 0.0125 * nx, 29.5), 0.0125)
    values = np.random.default_rng(0).normal(3e-5, 3e-5, shape).astype(np.float32)
    values[:3, :4] = np.nan
    provenance = {"source": "simulated", "history": "no2sr: b\nno2sr: a", "no2sr_scale": 4}
    image = grid.copy(data=values).assign_attrs(COLUMN_ATTRS, **provenance)
    return image.assign_attrs(no2sr_closure_max=2e-12, no2sr_model="srcnn").rename("no2")


@pytest.fixture
def image() -> xr.DataArray:
    return make()


@pytest.fixture
def utm(image) -> xr.DataArray:
    transform = Affine(3218.37, 0, 232153.3523, 0, -3218.19, 3856746.1228)
    return georeference(image, transform, "EPSG:32611")


def read(path: Path) -> xr.DataArray:
    """Read the values and attributes back with what an ordinary user has."""
    if path.suffix == ".tif":
        with xr.open_dataarray(path, engine="rasterio") as file:
            return file.isel(band=0).load()
    options = {"engine": "zarr"} if path.suffix == ".zarr" else {}
    with xr.open_dataset(path, decode_coords="all", **options) as file:
        return file["no2"].load()


def contents(path: Path) -> dict[str, bytes]:
    """Return the bytes of a file, or of every file of a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(f.relative_to(path)): f.read_bytes() for f in files if f.is_file()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_values_come_back_bit_for_bit(image, suffix, tmp_path):
    path = write(image, tmp_path / f"out{suffix}")
    assert path == tmp_path / f"out{suffix}"
    back = read(path)
    assert back.dtype == np.float32
    assert image.values.tobytes() == back.values.tobytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


def test_equal_images_give_equal_bytes(image, tmp_path):
    first = [contents(write(image, tmp_path / f"a{suffix}")) for suffix in SUFFIXES]
    time.sleep(1.1)  # formats that embed the time of creation count it in seconds
    copy = image.copy(deep=True)
    second = [contents(write(copy, tmp_path / f"b{suffix}")) for suffix in SUFFIXES]
    assert first == second


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_output_is_replaced_only_on_request(image, suffix, tmp_path):
    path = write(image, tmp_path / f"out{suffix}")
    before = contents(path)
    with pytest.raises(err.OutputExistsError, match="overwrite"):
        write(image + 1, path)
    assert contents(path) == before
    write((image + 1).assign_attrs(image.attrs), path, overwrite=True)
    np.testing.assert_array_equal(read(path), image + 1)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failure_leaves_nothing_behind(image, suffix, tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("no2sr.core.atomic._move", fail)
    with pytest.raises(err.WriteError, match=r"No space left on device.*write elsewhere"):
        write(image, tmp_path / f"out{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_under_netcdf_is_told_from_other_trouble(image, tmp_path, monkeypatch):
    def fail_with(words):
        def fail(_dataset, path, **_options):
            path.write_text("half")
            raise RuntimeError(words)

        return fail

    monkeypatch.setattr("no2sr.writers.netcdf._define", fail_with("NetCDF: HDF error"))
    with pytest.raises(err.WriteError, match="NetCDF: HDF error"):
        write(image, tmp_path / "out.nc")
    monkeypatch.setattr("no2sr.writers.netcdf._define", fail_with("the network broke"))
    with pytest.raises(RuntimeError, match="the network broke"):
        write(image, tmp_path / "out.nc")
    assert list(tmp_path.iterdir()) == []


def large(times: int = 1) -> xr.DataArray:
    """Return an image of several chunks, the first of which is a gap altogether."""
    values = np.random.default_rng(0).normal(size=(times, 600, 1100)).astype(np.float32)
    values[:, :512, :512] = np.nan
    stack = xr.DataArray(
        values,
        dims=("time", "y", "x"),
        coords={"time": np.arange(times) * np.timedelta64(1, "D") + np.datetime64("2023-01-01")},
        attrs={"units": "mol m-2"},
        name="no2",
    )
    return georeference(stack, Affine(0.05, 0, 10, 0, -0.05, 40), "EPSG:4326")


@pytest.mark.parametrize("times", [1, 2])
def test_netcdf_holds_all_chunks_but_those_of_gaps(times, tmp_path):
    stack = large(times)
    path = write(stack, tmp_path / "out.nc")
    np.testing.assert_array_equal(read(path).values.reshape(stack.shape), stack)
    with h5py.File(path) as file:
        stored = file["no2"]
        assert stored.chunks[-2:] == (512, 512)
        # Two rows and three columns of chunks, the first of them not stored.
        assert stored.id.get_num_chunks() == 5 * times
        assert (stored.compression, stored.compression_opts, stored.shuffle) == ("gzip", 1, True)


@pytest.mark.parametrize("chunks", [-1, 100, {"time": 1, "x": 77}, {"time": 1, "y": 512}])
def test_netcdf_is_the_same_however_the_image_is_held(chunks, tmp_path):
    stack = large(2)
    whole = write(stack, tmp_path / "whole.nc")
    parts = write(stack.chunk(chunks), tmp_path / "parts.nc")
    assert whole.read_bytes() == parts.read_bytes()


def test_netcdf_is_written_without_all_of_it_in_memory(tmp_path):
    """Chunks of the file are asked for once each, and let go of before the last is asked for."""
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def made(block: np.ndarray) -> np.ndarray:
        nonlocal most
        fresh = block + np.float32(1)
        alive.append(weakref.ref(fresh))
        most = max(most, sum(each() is not None for each in alive))
        return fresh

    stack = large(12)
    lazy = stack.copy(data=stack.chunk({"time": 1}).data.map_blocks(made, dtype=np.float32))
    path = write(lazy, tmp_path / "out.nc")
    np.testing.assert_array_equal(read(path), stack + 1)
    assert len(alive) == 13  # and once by dask, to see what it gets
    assert most <= 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_folder_is_refused(image, suffix, tmp_path):
    with pytest.raises(
        err.WriteError, match=r"folder .*nowhere for .* does not exist; create it first"
    ):
        write(image, tmp_path / "nowhere" / f"out{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_that_cannot_be_written_is_refused(image, suffix, tmp_path):
    # Even root cannot make files in /proc.
    folder = Path("/proc") if Path("/proc/self").exists() else tmp_path
    tmp_path.chmod(0o500)
    with pytest.raises(err.WriteError, match="check the permissions"):
        write(image, folder / f"out{suffix}")


@pytest.mark.parametrize(
    ("suffix", "other"), [(".tif", "folder"), (".nc", "folder"), (".zarr", "file")]
)
def test_a_folder_and_a_file_do_not_replace_each_other(image, suffix, other, tmp_path):
    path = tmp_path / f"out{suffix}"
    path.mkdir() if other == "folder" else path.write_text("text")
    with pytest.raises(err.WriteError, match="could not be written"):
        write(image, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("unit", "factor"),
    [("umol/m2", 1e6), ("molec/cm2", 6.02214076e19), ("Pmolec/cm2", 6.02214076e4)],
)
def test_values_are_converted_with_their_unit(image, *, suffix, unit, factor, tmp_path):
    path = write(image, tmp_path / f"out{suffix}", unit=unit)
    back = read(path)
    # One rounding of the factor and one of the product: an ulp each of float32.
    np.testing.assert_allclose(back, image.values.astype(float) * factor, rtol=1.2e-7)
    spelt = {"umol/m2": "umol m-2", "molec/cm2": "molecules cm-2"}
    told = back.attrs["units"]
    assert told == spelt.get(unit, "1e15 molecules cm-2")


def globals_of(path: Path) -> dict[str, object]:
    """Return the attributes of a NetCDF file or Zarr store as a whole."""
    with xr.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else None) as file:
        return dict(file.attrs)


@pytest.mark.parametrize("writer", [write_geotiff, write_netcdf, write_zarr])
def test_another_quantity_keeps_its_unit_and_is_not_converted(image, writer, tmp_path):
    surface = image.assign_attrs(units="ug m-3")
    with pytest.raises(err.UnitsError, match="'ug m-3' is not a column unit"):
        writer(surface, tmp_path / "a", unit="mol m-2")
    with pytest.raises(err.UnitsError, match="'furlong'"):
        writer(image, tmp_path / "a", unit="furlong")
    assert list(tmp_path.iterdir()) == []
    assert writer(surface, tmp_path / "a").exists()


def test_a_spelling_that_units_libraries_do_not_know_is_mended(image, tmp_path):
    given = image.assign_attrs(units="10^15molec/cm2")
    assert read(write(given, tmp_path / "a.nc")).attrs["units"] == "1e15 molecules cm-2"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_friendly_datasets_are_written_north_up(suffix, tmp_path):
    # South first, 0..360, and the provenance on the Dataset rather than on its variable.
    dataset = xr.Dataset(
        {"no2": (("lon", "lat"), np.arange(12.0).reshape(4, 3), {"units": "DU"})},
        {"lat": [0.5, 1.5, 2.5], "lon": [350.5, 351.5, 352.5, 353.5]},
        {"institution": "here", "title": "mine", "foo": "bar"},
    )
    path = write(dataset, tmp_path / f"out{suffix}")
    back = read(path)
    np.testing.assert_array_equal(back.values, np.arange(12.0).reshape(4, 3).T[::-1])
    np.testing.assert_array_equal(back[back.dims[1]], [-9.5, -8.5, -7.5, -6.5])
    told = back.attrs if suffix == ".tif" else globals_of(path)
    assert (told["institution"], told["title"]) == ("here", "mine")
    assert "foo" not in told


def test_the_history_of_a_dataset_goes_on_below_that_of_its_variable(image, tmp_path):
    dataset = image.assign_attrs(history="no2sr: refined").to_dataset()
    dataset.attrs = {"history": "made elsewhere", "source": ""}
    told = globals_of(write(dataset, tmp_path / "a.nc"))
    assert told["history"] == "no2sr: refined\nmade elsewhere"
    assert told["source"] == "simulated"
    dataset["no2"].attrs["history"] = "no2sr: refined\nmade elsewhere"
    told = globals_of(write(dataset, tmp_path / "b.nc"))
    assert told["history"] == "no2sr: refined\nmade elsewhere"


@pytest.mark.parametrize("name", ["out.png", "out", "out.tif.gz", ".nc"])
def test_other_suffixes_are_refused(image, name, tmp_path):
    with pytest.raises(err.SettingsError, match=r"choose one of \.tif, \.tiff, \.nc, \.zarr"):
        write(image, tmp_path / name)


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.TIF", ".tif"), ("a.tiff", ".tiff"), ("b.c.nc", ".nc")]
)
def test_suffixes_are_read_in_any_case(name, suffix):
    assert check_suffix(name) == suffix


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_in_pieces_gives_the_same_file(suffix, tmp_path):
    pytest.importorskip("dask")
    image = make((1100, 30))  # more rows than two tiles
    whole = write(image, tmp_path / f"whole{suffix}")
    pieces = write(image.chunk(y=300, x=11), tmp_path / f"pieces{suffix}")
    np.testing.assert_array_equal(read(whole), read(pieces))
    if suffix == ".tif":
        assert whole.read_bytes() == pieces.read_bytes()


def test_a_geotiff_is_a_valid_cog_that_says_what_it_holds(image, tmp_path):
    path = write(image, tmp_path / "out.tif")
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.dtypes == ("float32",)
        assert np.isnan(file.nodata)
        assert file.profile["compress"] == "deflate"
        assert file.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "3"  # of floating point numbers
        assert file.descriptions == ("NO2 troposphere [mol m-2]",)
        assert file.units == ("mol m-2",)
        assert file.tags(1) == {
            "units": "mol m-2",
            "long_name": "tropospheric vertical column of nitrogen dioxide",
            "standard_name": "troposphere_mole_content_of_nitrogen_dioxide",
        }
        assert file.tags() == {
            "AREA_OR_POINT": "Area",
            "source": "simulated",
            "history": "no2sr: b\nno2sr: a",
            "no2sr_scale": "4",
            "no2sr_closure_max": "2e-12",
            "no2sr_model": "srcnn",
        }
        assert file.transform == Affine(0.0125, 0, 76, 0, -0.0125, 29.5)


def test_overviews_average_what_was_observed(tmp_path):
    image = make((1024, 1024))
    with rasterio.open(write(image, tmp_path / "out.tif")) as file:
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2]
        half = file.read(1, out_shape=(512, 512))
    # Blocks of 2 x 2; the missing corner is 3 rows x 4 columns: row pair 1 is half observed.
    blocks = image.values.reshape(512, 2, 512, 2)
    assert np.isnan(half[0, :2]).all()
    np.testing.assert_allclose(half[1, :2], blocks[1, 1, :2].mean(axis=-1), rtol=1e-5)
    assert np.isfinite(half).sum() == 512 * 512 - 2
    full = np.isfinite(blocks).all(axis=(1, 3))
    np.testing.assert_allclose(half[full], blocks.mean(axis=(1, 3))[full], rtol=1e-4, atol=1e-11)


def test_one_geotiff_holds_one_time(image, tmp_path):
    times = np.array(["2023-10-27T05", "2023-10-27T06"], "M8[ns]")
    both = xr.concat([image, image], xr.DataArray(times, dims="time", name="time"))
    both = both.assign_attrs(image.attrs)
    with pytest.raises(err.DimensionError, match=r"2 times.*time=.*\.nc"):
        write(both, tmp_path / "out.tif")
    with rasterio.open(write(both.isel(time=[1]), tmp_path / "out.tif")) as file:
        assert file.tags()["time"] == "2023-10-27T06:00:00.000000000"
    with rasterio.open(write(both.isel(time=0), tmp_path / "first.tif")) as file:
        assert file.tags()["time"].startswith("2023-10-27T05:00")


def test_sidecars_of_the_file_that_was_are_removed(image, tmp_path):
    path = write(image, tmp_path / "out.tif")
    for suffix in (".aux.xml", ".ovr", ".msk"):
        path.with_name(path.name + suffix).write_text("stale")
    qml = path.with_suffix(".qml")
    qml.write_text("the user's own style")
    write(image, path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.qml", "out.tif"]


@pytest.mark.parametrize(
    ("attrs", "name", "description"),
    [
        ({"long_name": "SO2 column"}, "so2", "SO2 column [DU]"),
        ({}, "so2", "so2 [DU]"),
    ],
)
def test_another_gas_is_called_by_its_name(image, *, attrs, name, description, tmp_path):
    other = image.rename(name)
    other.attrs = {"units": "DU"} | attrs
    with rasterio.open(write(other, tmp_path / "out.tif")) as file:
        assert file.descriptions == (description,)


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="gdalinfo is not installed")
def test_gdalinfo_sees_a_north_up_raster_with_unit_and_crs(utm, tmp_path):
    path = write(utm, tmp_path / "out.tif")
    done = subprocess.run(["gdalinfo", "-json", path], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["geoTransform"] == [232153.3523, 3218.37, 0.0, 3856746.1228, 0.0, -3218.19]
    assert 'ID["EPSG",32611]' in told["coordinateSystem"]["wkt"]
    band = told["bands"][0]
    assert (band["unit"], band["description"]) == ("mol m-2", "NO2 troposphere [mol m-2]")
    assert band["noDataValue"] == "NaN"
    assert told["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"


def compliance(path: Path) -> str:
    """Return the report of the CF checker."""
    program = Path(sys.executable).with_name("compliance-checker")
    command = [program, "-t", "cf:1.11", "-c", "strict", path]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def many_images() -> dict[str, xr.DataArray]:
    image = make()
    times = np.array(["2023-10-27T05", "2023-10-27T06"], "M8[ns]")
    bare = image.copy()
    bare.attrs = {"units": "ug m-3"}
    made_up = {"standard_name": "columnamountno2", "valid_min": 0.0, "flag": True, "none": None}
    transform = Affine(3218.37, 0, 232153.3523, 0, -3218.19, 3856746.1228)
    return {
        "plain": image,
        "utm": georeference(image, transform, "EPSG:32611"),
        "times": xr.concat([image, image], xr.DataArray(times, dims="time", name="time")),
        "one_time": image.expand_dims(time=times[:1]),
        "bare": bare,
        "made_up": image.assign_attrs(made_up).assign_coords(band=1, orbit="x").rename("NO2 map"),
    }


@pytest.mark.parametrize(("kind", "image"), many_images().items(), ids=list(many_images()))
def test_netcdf_complies_with_cf(kind, image, tmp_path):
    assert "All tests passed!" in compliance(write(image, tmp_path / "out.nc"))


def test_the_checker_would_have_complained(image, tmp_path):
    with xr.open_dataset(write(image, tmp_path / "good.nc")) as file:
        broken = file.load()
    broken["no2"].attrs["standard_name"] = "made_up_by_us"
    broken.to_netcdf(tmp_path / "bad.nc")
    assert "made_up_by_us" in compliance(tmp_path / "bad.nc")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_cf_file_holds_one_field_on_named_axes(image, suffix, tmp_path):
    path = write(image, tmp_path / f"out{suffix}")
    engine = "zarr" if suffix == ".zarr" else None
    with xr.open_dataset(path, engine=engine, mask_and_scale=False) as file:
        raw = file.load()
    assert set(raw.variables) == {"no2", "crs", "latitude", "longitude"}
    assert raw["no2"].dims == ("latitude", "longitude")
    assert raw["no2"].attrs["grid_mapping"] == "crs"
    assert np.isnan(raw["no2"].attrs["_FillValue"])
    assert raw["no2"].attrs["standard_name"] == COLUMN_ATTRS["standard_name"]
    assert raw["no2"].attrs["cell_methods"] == "area: mean"
    assert {"crs_wkt", "grid_mapping_name", "GeoTransform"} <= set(raw["crs"].attrs)
    for axis in ("latitude", "longitude"):
        assert "_FillValue" not in raw[axis].attrs
        assert raw[axis].attrs["standard_name"] == axis
    assert raw.attrs == {
        "Conventions": "CF-1.11",
        "title": "tropospheric vertical column of nitrogen dioxide, 4 times refined",
        "institution": "not stated by the input",
        "source": "simulated",
        "history": "no2sr: b\nno2sr: a",
        "references": "not stated by the input",
        "comment": "Values of a refined grid are estimates, not observations.",
        "no2sr_scale": 4,
        "no2sr_closure_max": 2e-12,
        "no2sr_model": "srcnn",
    }


def test_projected_axes_keep_their_names(utm, tmp_path):
    back = read(write(utm, tmp_path / "out.nc"))
    assert back.dims == ("y", "x")
    assert back["x"].attrs["standard_name"] == "projection_x_coordinate"
    assert back.rio.crs.to_epsg() == 32611
    xr.testing.assert_allclose(enter(back)["x"], utm["x"])


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_times_come_back(suffix, tmp_path):
    several = many_images()["times"]
    back = read(write(several, tmp_path / f"out{suffix}"))
    np.testing.assert_array_equal(back["time"], several["time"])
    assert back.dims == ("time", "latitude", "longitude")
    one = read(write(several.isel(time=[1]), tmp_path / f"one{suffix}"))
    assert one.dims == ("latitude", "longitude")  # a GIS opens this by path, but no time axis
    assert one["time"].values == several["time"].values[1]


@pytest.mark.parametrize("name", ["NO2 map", "crs", None, 7, "latitude"])
def test_an_awkward_name_is_replaced(image, name, tmp_path):
    assert read(write(image.rename(name), tmp_path / "out.nc")).name == "no2"
    image.attrs = {"units": "DU"}
    with xr.open_dataset(write(image.rename(name), tmp_path / "other.nc")) as file:
        assert set(file.data_vars) == {"value", "crs"}


def test_zarr_without_its_package_names_the_extra(image, tmp_path, monkeypatch):
    monkeypatch.setattr("no2sr.writers.zarr.find_spec", lambda _name: None)
    with pytest.raises(err.MissingDependencyError, match=r"pip install 'no2sr\[zarr\]'"):
        write(image, tmp_path / "out.zarr")
    assert list(tmp_path.iterdir()) == []


def test_the_temporary_name_is_beside_the_final_one(tmp_path):
    final = tmp_path / "a[1].tif"
    with replace_atomically(final, overwrite=False) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".tif"
        assert temporary.name.startswith(".")
        temporary.write_text("whole")
        temporary.with_name(temporary.name + ".scratch").write_text("rest")
        assert not final.exists()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a[1].tif": "whole"}


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path):
    final = tmp_path / "a.tif"

    def lose_a_race():
        with replace_atomically(final, overwrite=False) as temporary:
            temporary.write_text("ours")
            final.write_text("theirs")

    with pytest.raises(err.OutputExistsError):
        lose_a_race()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.tif": "theirs"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_block_leaves_the_old_file(error, tmp_path):
    final = tmp_path / "a.tif"
    final.write_text("old")

    def break_off():
        with replace_atomically(final, overwrite=True) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        break_off()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.tif": "old"}


def test_a_store_that_cannot_be_exchanged_stays(tmp_path, monkeypatch):
    final = tmp_path / "a.zarr"
    final.mkdir()
    (final / "old").write_text("old")
    rename = Path.rename

    def refuse_second(self, target):
        if ".partial" in self.name and not self.name.endswith(".old"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    def exchange():
        with replace_atomically(final, overwrite=True) as temporary:
            temporary.mkdir()
            (temporary / "new").write_text("new")

    monkeypatch.setattr("no2sr.core.atomic._rename", lambda *_, **__: False)  # not Linux
    monkeypatch.setattr(Path, "rename", refuse_second)
    with pytest.raises(err.WriteError, match="Input/output error"):
        exchange()
    assert contents(tmp_path) == {"a.zarr/old": b"old"}


QGIS_SCRIPT = """
import json, os, sys
from qgis.core import QgsApplication, QgsRasterLayer
app = QgsApplication([], False)
app.initQgis()
layer = QgsRasterLayer(sys.argv[1], "x")
band = layer.dataProvider().bandStatistics(1)
box = layer.extent()
print(json.dumps({
    "valid": layer.isValid(), "crs": layer.crs().authid(), "bands": layer.bandCount(),
    "box": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
    "low": band.minimumValue, "high": band.maximumValue, "name": layer.bandName(1),
    "renderer": layer.renderer().type(),
}), flush=True)
os._exit(0)  # exitQgis with a live layer aborts
"""


def has_qgis() -> bool:
    python = Path("/usr/bin/python3")
    probe = [python, "-c", "import qgis.core"]
    return (
        python.exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.parametrize("suffix", [".tif", ".nc"])
def test_qgis_opens_the_file_by_its_path(image, suffix, tmp_path):
    if not has_qgis():
        pytest.skip("QGIS with its Python binding is not installed")
    path = write(image, tmp_path / f"out{suffix}", unit="umol m-2")
    environment = {
        "QT_QPA_PLATFORM": "offscreen",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }
    command = ["/usr/bin/python3", "-c", QGIS_SCRIPT, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seen = json.loads(done.stdout.splitlines()[-1])
    values = image.values[np.isfinite(image.values)].astype(float) * 1e6
    assert (seen["valid"], seen["crs"], seen["bands"]) == (True, "EPSG:4326", 1)
    assert seen["renderer"] == "singlebandgray"
    np.testing.assert_allclose(seen["box"], [76, 29.3, 76.25, 29.5], rtol=0, atol=1e-9)
    np.testing.assert_allclose([seen["low"], seen["high"]], [values.min(), values.max()], rtol=1e-6)
    if suffix == ".tif":
        assert seen["name"] == "Band 1: NO2 troposphere [umol m-2]"


def test_a_forked_child_waits_for_no_thread_of_gdal(tmp_path):
    image = make((1200, 1200))
    write(image, tmp_path / "parent.tif")  # of many tiles, so GDAL starts threads, for good
    fork = multiprocessing.get_context("fork")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and forks: the very point
        child = fork.Process(target=write, args=(image, tmp_path / "child.tif"))
        child.start()
    child.join(60)
    ended = child.exitcode
    child.kill()
    child.join()
    assert ended == 0
    assert (tmp_path / "child.tif").read_bytes() == (tmp_path / "parent.tif").read_bytes()
