"""The sample files: structure of the real products, values of the known truth."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr

from no2sr.core.grid import regular_grid, transform_of
from no2sr.simulation.orbit import pixel_means
from no2sr.simulation.scenes import northern_india, truth

if TYPE_CHECKING:
    from types import ModuleType

GEOLOCATIONS = "PRODUCT/SUPPORT_DATA/GEOLOCATIONS"
COLUMN = "nitrogendioxide_tropospheric_column"
GRID_COLUMN = "tropospheric_NO2_column_number_density"
PER_CM2 = 6.02214076e19  # molecules cm-2 in one mol m-2


@pytest.fixture(scope="module")
def script(samples) -> ModuleType:
    """Return the script that makes the files, as a module."""
    spec = importlib.util.spec_from_file_location("samples", samples / "make_sample_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def files(samples) -> dict[str, Path]:
    """Return the three sample files."""
    (swath,) = samples.glob("S5P_*.nc")
    return {
        "swath": swath,
        "grid": samples / "simulated_no2_l3_monthly.nc",
        "export": samples / "simulated_no2_earth_engine.tif",
    }


@pytest.fixture(scope="module")
def raw(files) -> dict[str, np.ndarray]:
    """Return the stored values of every number in the swath file, by path, nothing decoded."""
    with netCDF4.Dataset(files["swath"]) as file:
        return dict(numbers(file))


def numbers(group: netCDF4.Group):
    """Yield path and stored values of every numeric variable below a group."""
    for name, variable in group.variables.items():
        if variable.dtype is not str:
            variable.set_auto_maskandscale(False)
            yield f"{group.path}/{name}".lstrip("/"), variable[:]
    for below in group.groups.values():
        yield from numbers(below)


def chi_square(z: np.ndarray) -> float:
    """Return how many standard deviations the sum of z^2 lies from its expectation."""
    return ((z**2).sum() - z.size) / math.sqrt(2 * z.size)


def test_all_files_together_stay_under_3_mb(samples, files):
    assert all(path.is_file() for path in files.values())
    everything = [path for path in samples.rglob("*") if "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in everything if path.is_file()) < 3e6


def test_every_file_says_that_it_is_simulated(files):
    for name in ("swath", "grid"):
        with netCDF4.Dataset(files[name]) as file:
            for attribute in ("title", "source", "comment", "history"):
                assert "SIMULATED" in file.getncattr(attribute)
    with rasterio.open(files["export"]) as file:
        assert "SIMULATED" in file.tags()["source"]
        assert "SIMULATED" in file.tags()["TIFFTAG_IMAGEDESCRIPTION"]


def test_the_readme_names_the_files_and_says_the_word(samples, files):
    text = (samples / "README.md").read_text()
    assert "simulated" in text
    assert files["grid"].name in text
    assert files["export"].name in text
    assert files["swath"].name[:28] in text


def test_the_swath_file_has_the_name_of_a_product(files):
    name = files["swath"].stem
    kind, start, end, orbit = name[:20], name[20:35], name[36:51], name[52:57]
    assert kind == "S5P_OFFL_L2__NO2____"
    assert start < end
    assert orbit == "00000", "no real orbit has this number"
    with netCDF4.Dataset(files["swath"]) as file:
        assert file.id == files["swath"].stem
        first = f"{file['PRODUCT/time_utc'][0, 0]}"
        assert first[:19].replace("-", "").replace(":", "") == start


def test_the_swath_is_large_and_over_northern_india(raw):
    latitude, longitude = raw["PRODUCT/latitude"], raw["PRODUCT/longitude"]
    assert latitude.shape[0] == 1
    assert latitude.shape[1] >= 300
    assert latitude.shape[2] == 450
    assert (latitude.min() < 20) & (latitude.max() > 33)
    assert (longitude.min() < 70) & (longitude.max() > 90)


@pytest.mark.real_data
def test_every_variable_is_as_in_the_real_product(real_data, files):
    (path,) = (real_data / "s5p_l2").glob("*_16399_*.nc4")
    with netCDF4.Dataset(path) as real, netCDF4.Dataset(files["swath"]) as made:
        assert set(made.groups) == set(real.groups)
        for name in (COLUMN, f"{COLUMN}_precision", "qa_value", "latitude", "longitude"):
            assert name in made["PRODUCT"].variables
        pairs = [
            (ours, real[group].variables[name])
            for group in ("PRODUCT", "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS")
            for name, ours in made[group].variables.items()
            if name in real[group].variables
        ]
        assert len(pairs) >= 12
        for ours, theirs in pairs:
            assert described(ours) == described(theirs)


def described(variable: netCDF4.Variable) -> dict[str, object]:
    """Return what makes a reader understand a variable, with the types of the packing's numbers."""
    texts = ("units", "standard_name", "bounds")
    found = {name: variable.getncattr(name) for name in texts if name in variable.ncattrs()}
    if found.get("units", "").startswith("milliseconds since"):
        del found["units"]  # of another day
    for name in ("_FillValue", "scale_factor", "add_offset"):
        if name in variable.ncattrs() and variable.dtype is not str:
            value = variable.getncattr(name)
            found[name] = (type(value), value)
    return found | {
        "name": variable.name,
        "type": variable.dtype,
        "dimensions": variable.dimensions,
    }


def test_qa_is_a_byte_in_hundredths(files):
    with netCDF4.Dataset(files["swath"]) as file:
        qa = file["PRODUCT/qa_value"]
        qa.set_auto_maskandscale(False)
        codes = qa[:]
        assert (qa.scale_factor, qa.add_offset) == (np.float32(0.01), 0)
        assert qa.getncattr("_FillValue") == 255
    assert codes.dtype == np.uint8
    assert set(np.unique(codes)) == {0, 18, 74, 100}
    assert 0.6 < (codes > 75).mean() < 0.85
    with xr.open_dataset(files["swath"], group="PRODUCT") as decoded:
        assert float(decoded.qa_value.max()) == 1.0
        assert int((decoded.qa_value > 0.75).sum()) == (codes > 75).sum()


def test_failed_pixels_hold_the_fill_value(raw):
    fill = np.float32(9.96921e36)
    failed = raw["PRODUCT/qa_value"] == 0
    assert failed.sum() > 100
    for name in (COLUMN, f"{COLUMN}_precision"):
        np.testing.assert_array_equal(raw[f"PRODUCT/{name}"] == fill, failed)


def test_corners_enclose_their_centres_counter_clockwise(raw):
    corners = np.stack(
        [raw[f"{GEOLOCATIONS}/{axis}_bounds"][0] for axis in ("longitude", "latitude")], axis=-1
    ).astype(float)
    centre = np.stack([raw[f"PRODUCT/{axis}"][0] for axis in ("longitude", "latitude")], axis=-1)
    ahead = np.roll(corners, -1, axis=2) - corners
    inward = centre[:, :, None] - corners
    # The cross product of each edge with the way to the centre: the centre lies to the left.
    assert (ahead[..., 0] * inward[..., 1] - ahead[..., 1] * inward[..., 0] > 0).all()
    np.testing.assert_array_equal(corners[:, :-1, 1], corners[:, 1:, 0])
    np.testing.assert_array_equal(corners[:-1, :, 3], corners[1:, :, 0])


def test_times_follow_from_scanline_to_scanline(files):
    with xr.open_dataset(files["swath"], group="PRODUCT") as product:
        assert str(product.time.values[0])[:19] == "2024-01-15T00:00:00"
        steps = np.diff(product.delta_time.values[0]) / np.timedelta64(1, "ms")
        assert set(np.unique(steps)) <= {839.0, 840.0, 841.0}
        assert str(product.time_utc.values[0, 0]).startswith("2024-01-15T07:")


def test_the_noise_of_the_swath_is_that_of_its_precision(raw, script):
    rows = slice(100, 160)
    bounds = {
        f"{axis}_bounds": (
            ("scanline", "ground_pixel", "corner"),
            raw[f"{GEOLOCATIONS}/{axis}_bounds"][0, rows],
        )
        for axis in ("longitude", "latitude")
    }
    exact = pixel_means(xr.Dataset(bounds), northern_india())
    valid = raw["PRODUCT/qa_value"][0, rows] > 0
    precision = raw[f"PRODUCT/{COLUMN}_precision"][0, rows][valid].astype(float)
    z = (raw[f"PRODUCT/{COLUMN}"][0, rows][valid] - exact[valid]) / precision
    # Rounding adds script.COLUMN^2 / 12 to the variance, and up to COLUMN / 2 to a precision:
    # shares of 1e-4 in all, where 5 standard deviations of chi-square are 0.043.
    assert precision.min() ** 2 > 1e4 * script.COLUMN**2 / 12
    assert abs(chi_square(z)) < 5
    assert abs(z.mean()) < 5 / math.sqrt(z.size)


def test_the_grid_is_south_first_and_in_molecules(files, script):
    with xr.open_dataset(files["grid"], decode_coords="all") as grid:
        column = grid[GRID_COLUMN]
        assert column.dims == ("latitude", "longitude")
        assert (np.diff(grid.latitude) > 0).all()
        assert column.attrs["units"] == "molecules cm-2"
        assert "GEOGCRS" in grid[column.encoding["grid_mapping"]].attrs["crs_wkt"]
        values = column.values[::-1] / PER_CM2
    exact = truth(script.GRID_BOUNDS, script.GRID_RESOLUTION, landscape=northern_india())
    z = (values - exact.values) / script.MONTHLY_NOISE
    assert 0.03 < np.isnan(z).mean() < 0.09
    # Rounding to 2^42 molecules cm-2 adds (0.073 / 1.5)^2 / 12 = 2e-4 to the variance.
    assert abs(chi_square(z[np.isfinite(z)])) < 5


def test_the_grid_passes_the_compliance_checker(files):
    checker = Path(sys.executable).with_name("compliance-checker")
    command = [checker, "-t", "cf:1.11", "-c", "strict", files["grid"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "All tests passed" in done.stdout


def test_the_geotiff_is_like_an_export_of_earth_engine(files, script):
    with rasterio.open(files["export"]) as file:
        assert file.crs.to_epsg() == 4326
        assert file.nodata is None
        assert file.dtypes == ("float32",)
        assert file.descriptions == (GRID_COLUMN,)
        assert file.units == (None,)
        transform, values = file.transform, file.read(1)
    # The origin is a whole number of pixels from 0 E, 0 N, as Earth Engine has it.
    assert transform.a == pytest.approx(5566 / 111319.49079327357, rel=1e-15)
    assert transform.c / transform.a == pytest.approx(1599, abs=1e-9)
    assert transform.f / transform.e == pytest.approx(-530, abs=1e-9)
    grid = regular_grid(script.TIFF_BOUNDS, script.TIFF_RESOLUTION)
    assert transform == transform_of(grid)
    exact = truth(script.TIFF_BOUNDS, script.TIFF_RESOLUTION, landscape=northern_india())
    z = (values - exact.values) / script.MONTHLY_NOISE
    assert 0.01 < np.isnan(z).mean() < 0.05
    # Rounding to 2^-23 adds (0.119 / 1.5)^2 / 12 = 5e-4 to the variance.
    assert abs(chi_square(z[np.isfinite(z)])) < 5
    assert 1e-4 < np.nanmax(values) < 4e-4


@pytest.mark.slow
def test_made_again_the_files_hold_the_same_values(files, raw, script, tmp_path):
    script.main(tmp_path)
    made = {path.name: path for path in tmp_path.iterdir()}
    assert set(made) == {path.name for path in files.values()}
    with netCDF4.Dataset(made[files["swath"].name]) as file:
        again = dict(numbers(file))
    assert set(again) == set(raw)
    for name, values in raw.items():
        assert_same(again[name], values, name)
    for name, path in files.items():
        if name == "grid":
            with xr.open_dataset(path) as old, xr.open_dataset(made[path.name]) as new:
                assert_same(new[GRID_COLUMN].values, old[GRID_COLUMN].values, name)
        elif name == "export":
            with rasterio.open(path) as old, rasterio.open(made[path.name]) as new:
                assert_same(new.read(1), old.read(1), name)


def assert_same(new: np.ndarray, old: np.ndarray, name: str) -> None:
    """Compare values that were rounded: another processor's exp may tip one in ten thousand."""
    assert (new.dtype, new.shape) == (old.dtype, old.shape), name
    equal = (new == old) | ((new != new) & (old != old))  # noqa: PLR0124 - a NaN equals a NaN here
    assert equal.mean() > 1 - 1e-4, name
