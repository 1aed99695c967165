"""The main job from file to file, through the library and the command line, and its refusals."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from affine import Affine
from opening import open_column

import no2sr
from no2sr.core.door import choose_variable
from no2sr.core.grid import bounds_of, cell_areas
from no2sr.core.units import factor
from no2sr.steps.conserve import block_mean

SAMPLES = Path(__file__).parents[2] / "sample_data"
SAMPLE_FILES = sorted(path for path in SAMPLES.iterdir() if path.suffix in {".nc", ".tif"})
BOXES = {".nc": (77.0, 26.0, 79.5, 28.0), ".tif": (81.0, 22.0, 84.0, 24.5)}

# The real files of the main job, with the region that is worked on here: all but the small ones are
# cut, because the laws do not depend on the size.
REAL = {
    "s5p_l3/NO2_box_3_1_20250801.nc": (114, -8, 115, -7.2),
    "tempo_utm/tempo_vcd_troposphere_utm11_clipped.tif": None,
    "omi/omno2d_giovanni_mean_2010_2017.nc": (60, 5, 100, 40),
    "s5p_l2/*20191027T063822*": None,
}


def assert_lawful(coarse: xr.DataArray, out: Path, *, scale: int, unit: str = "umol m-2") -> None:
    """Check what every output promises, as another program reads it.

    The unit is that of the command line; the library keeps that of the image.
    """
    with rasterio.open(out) as raster:
        fine = raster.read(1).astype(np.float64) * factor(unit)
        bounds, crs = raster.bounds, raster.crs
        assert raster.count == 1
        assert np.isnan(raster.nodata)
        assert raster.units == (unit,)
    step = abs(coarse.rio.transform().a)
    assert np.allclose(bounds, bounds_of(coarse), atol=1e-6 * step, rtol=0)
    assert crs == coarse.rio.crs
    observed = np.isfinite(coarse.values)
    # Gaps are gaps, exactly there ...
    assert np.array_equal(np.isfinite(fine), observed.repeat(scale, 0).repeat(scale, 1))
    # ... and elsewhere block means are what was observed, to 1e-6 of the spread of the image and
    # the rounding of its own float32 values.
    means = block_mean(np.nan_to_num(fine), scale, cell_areas(coarse, refined=scale))
    residual = np.abs(means - coarse.values)[observed].max()
    spread = np.nanstd(coarse.values, dtype=np.float64)
    assert residual <= 1e-6 * spread + np.finfo(np.float32).eps * np.nanmax(np.abs(coarse.values))


def test_samples_are_there_and_small():
    assert {path.suffix for path in SAMPLE_FILES} == {".nc", ".tif"}
    assert sum(path.stat().st_size for path in SAMPLE_FILES) < 3e6


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.name[:20])
def test_sample_through_the_library(path, scale, tmp_path):
    coarse = open_column(path, bbox=BOXES[path.suffix])
    fine = no2sr.downscale(coarse, scale=scale)
    out = no2sr.write(fine, tmp_path / "fine.tif")
    assert_lawful(coarse, out, scale=scale, unit="mol m-2")
    assert fine.shape == tuple(scale * size for size in coarse.shape)


@pytest.mark.parametrize("suffix", [".tif", ".nc", ".zarr"])
def test_command_line_gives_what_the_library_gives(no2sr_command, tmp_path, suffix):
    path, box = SAMPLE_FILES[0], BOXES[".nc"]
    out = tmp_path / f"fine{suffix}"
    done = no2sr_command("downscale", path, out, "--bbox", *box, "--quiet")
    assert (done.code, done.errors) == (0, [])
    scene = no2sr.downscale(no2sr.open_no2(path, bbox=box), scale=4)
    assert f"{choose_variable(scene).name}_uncertainty" in scene
    fine = choose_variable(scene)
    back = open_column(out) if suffix != ".zarr" else _from_zarr(out)
    if suffix == ".tif":  # in umol m-2: a rounding there and one back, of float32
        assert np.allclose(back.values, fine.values, rtol=2.5e-7, atol=0, equal_nan=True)
    else:
        assert np.array_equal(back.values, fine.values, equal_nan=True)
    assert np.allclose(bounds_of(back), bounds_of(fine), atol=1e-9)


def _from_zarr(path: Path) -> xr.DataArray:
    from no2sr.core.door import enter

    with xr.open_zarr(path, decode_coords="all", consolidated=False) as store:
        return enter(store.load()).squeeze("time")  # a dated map has an axis of one time


def test_equal_runs_write_equal_bytes(no2sr_command, tmp_path):
    box = BOXES[".nc"]
    outs = [tmp_path / "first.tif", tmp_path / "second.tif"]
    for out in outs:
        assert no2sr_command("downscale", SAMPLE_FILES[0], out, "--bbox", *box).code == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_swaths_merge_on_one_grid(no2sr_command, tmp_path):
    swath, box = SAMPLE_FILES[0], BOXES[".nc"]
    twin = tmp_path / "twin.nc"
    twin.write_bytes(swath.read_bytes())
    once, twice = tmp_path / "once.tif", tmp_path / "twice.tif"
    # Two overpasses have less noise than one, so nothing is taken off here.
    settings = ("--bbox", *box, "--noise", "none")
    assert no2sr_command("downscale", swath, once, *settings).code == 0
    done = no2sr_command("downscale", swath, twin, twice, *settings)
    assert done.code == 0
    assert "twin.nc" in done.out
    one, two = open_column(swath, bbox=box).values, open_column([swath, twin], bbox=box).values
    # The weighted mean of a swath and itself is the swath, up to the rounding of the sums; only at
    # its rim do two grazes of a cell make the least coverage that counts.
    assert np.isnan(one).sum() - np.isnan(two).sum() in range(200)
    inner = ~np.isnan(one)
    differs = np.abs(two[inner] - one[inner]) > 1e-5 * np.nanstd(one)
    assert differs.mean() < 0.005


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore::no2sr.No2srWarning")  # units inferred, oversampled grids
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("name", REAL)
def test_real_file_through_the_command_line(no2sr_command, real_data, tmp_path, name, scale):
    (path,) = real_data.glob(name)
    box = REAL[name]
    out = tmp_path / "fine.tif"
    region = ["--bbox", *box] if box else []
    done = no2sr_command("downscale", path, out, "--scale", scale, *region)
    assert (done.code, done.errors) == (0, [])
    assert_lawful(open_column(path, bbox=box), out, scale=scale)


@pytest.mark.real_data
@pytest.mark.parametrize("scale", [2, 4])
def test_gems_hour_written_as_netcdf(no2sr_command, real_data, tmp_path, scale):
    table = pd.read_parquet(real_data / "gems" / "2023" / "20231031.parquet")
    table = table[(table.time.astype(str) == "2023103104") & table.lat.between(22, 26)]
    table = table[table.lon.between(110, 116)].round({"lat": 3, "lon": 3})
    field = table.set_index(["lat", "lon"])["gems_no2"].to_xarray()
    regular = {name: np.arange(f.min(), f.max() + 0.01, 0.05) for name, f in field.coords.items()}
    field = field.reindex(regular, method="nearest", tolerance=0.01)
    field.attrs = {"units": "1e15 molecules cm-2", "long_name": "tropospheric NO2 column"}
    path, out = tmp_path / "gems.nc", tmp_path / "fine.tif"
    field.to_netcdf(path)
    done = no2sr_command("downscale", path, out, "--scale", scale)
    assert (done.code, done.errors) == (0, [])
    assert_lawful(open_column(path), out, scale=scale)


@pytest.mark.real_data
def test_folder_of_real_granules(no2sr_command, real_data, tmp_path):
    granules = sorted((real_data / "s5p_l2").glob("*.nc4"))
    done = no2sr_command("downscale", *granules, tmp_path, "--scale", 2)
    # Among them are empty ones, cloudy ones, and some too small to be gridded.
    made = {path.name for path in tmp_path.glob("*_x2.tif")}
    assert done.code == 1
    assert 0 < len(made) < len(granules)
    assert len(made) + len(done.errors) == len(granules)
    assert made < {f"{path.stem}_x2.tif" for path in granules}
    styled = {path.stem for path in tmp_path.glob("*_x2.qml")}
    assert styled == {Path(name).stem for name in made}


# Below: bad input gets one line and exit code 1, and leaves nothing.


def _save(grid: xr.Dataset, folder: Path) -> Path:
    path = folder / "bad.nc"
    grid.to_netcdf(path)
    return path


def _raster(folder: Path, values: np.ndarray, **profile: object) -> Path:
    path = folder / "bad.tif"
    place = {"crs": "EPSG:4326", "transform": Affine(0.1, 0, 76, 0, -0.1, 30)} | profile
    shape = dict(zip(("height", "width"), values.shape, strict=True))
    with rasterio.open(
        path, "w", driver="GTiff", count=1, dtype=values.dtype, **shape, **place
    ) as f:
        f.write(values, 1)
        f.set_band_description(1, "tropospheric_NO2_column")
        f.set_band_unit(1, "mol m-2")
    return path


def missing(_grid, folder):
    return folder / "bad.nc"


def truncated(grid, folder):
    path = _save(grid, folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def two_bytes(_grid, folder):
    (folder / "bad.nc").write_bytes(b"\x89H")
    return folder / "bad.nc"


def text(_grid, folder):
    (folder / "bad.nc").write_text("<html>403 Forbidden</html>")
    return folder / "bad.nc"


def a_folder(_grid, folder):
    (folder / "bad.nc").mkdir()
    return folder / "bad.nc"


def without_no2(grid, folder):
    grid["tropospheric_NO2_column"].attrs["long_name"] = "surface pressure"
    return _save(grid.rename(tropospheric_NO2_column="pressure"), folder)


def other_species(grid, folder):
    grid["tropospheric_NO2_column"].attrs["long_name"] = "column of ozone"
    return _save(grid.rename(tropospheric_NO2_column="O3_column"), folder)


def several_no2(grid, folder):
    return _save(grid.assign(NO2_tropospheric_b=grid["tropospheric_NO2_column"]), folder)


def no_crs(grid, folder):
    return _raster(folder, grid["tropospheric_NO2_column"].values, crs=None)


def rotated(grid, folder):
    turned = Affine(0.1, 0.02, 76, 0.02, -0.1, 30)
    return _raster(folder, grid["tropospheric_NO2_column"].values, transform=turned)


def irregular(grid, folder):
    latitude = 29.45 - 2.3 * np.linspace(0, 1, 24) ** 2
    return _save(grid.assign_coords(latitude=("latitude", latitude, grid.latitude.attrs)), folder)


def unknown_unit(grid, folder):
    grid["tropospheric_NO2_column"].attrs["units"] = "furlong"
    return _save(grid, folder)


def all_gaps(grid, folder):
    grid["tropospheric_NO2_column"][:] = np.nan
    return _save(grid, folder)


def too_small(grid, folder):
    return _save(grid.isel(latitude=slice(0, 3), longitude=slice(0, 3)), folder)


def empty_granule(_grid, folder):
    with netCDF4.Dataset(folder / "bad.nc", "w") as file:
        file.title = "TROPOMI/S5P NO2 1-Orbit L2 Swath"
        file.createGroup("PRODUCT")
    return folder / "bad.nc"


def picture(_grid, folder):
    return _raster(folder, np.arange(480, dtype=np.uint8).reshape(24, 20))


BAD = {
    missing: "does not exist",
    truncated: "download it again",
    two_bytes: "download it again",
    text: "not in a format that no2sr reads",
    a_folder: "is a folder or pattern without a file that no2sr reads",
    without_no2: "pressure",  # the variables that are there are named
    other_species: "O3_column",
    several_no2: "--variable",
    no_crs: "CRS",
    rotated: "rotated",
    irregular: "regular",
    unknown_unit: "furlong",
    all_gaps: "gap",
    too_small: "3 x 3",
    empty_granule: "is empty",
    picture: "uint8",
}


@pytest.mark.parametrize(("spoil", "said"), BAD.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_bad_input(no2sr_command, grid, tmp_path, spoil, said):
    path = spoil(grid, tmp_path)
    out = tmp_path / "out" / "fine.tif"
    refused = no2sr_command("downscale", path, out)
    assert refused.code == 1
    assert refused.out == ""
    assert len(refused.errors) == 1, refused.err
    assert refused.errors[0].startswith("Error: ")
    assert said in refused.errors[0]
    assert {path.name for path in tmp_path.iterdir()} <= {path.name}


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "s5p_l3/NO2_Indonesia_Daily_20250801_merged.nc",
        "s5p_l3/czechia_mmol_no_crs.tif",
        "s5p_l3/openeo_int16.tif",
        "s5p_l2_other/*",
        "tempo_l2/*",
        "ground_level/*.tif",
        "loader_traps/*",
    ],
)
def test_real_file_that_is_not_no2(no2sr_command, real_data, tmp_path, name):
    paths = sorted(real_data.glob(name))
    assert paths
    for path in paths:
        refused = no2sr_command("downscale", path, tmp_path / "fine.tif")
        assert refused.code == 1, path.name
        assert len(refused.errors) == 1, refused.err
        assert refused.errors[0].startswith("Error: ")
        assert not list(tmp_path.iterdir())
