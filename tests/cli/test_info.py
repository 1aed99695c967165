"""``no2sr info`` and ``no2sr readers``: the truth about files, and doubts nobody else voices."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import rasterio
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core.errors import No2srWarning
from no2sr.core.grid import refine
from no2sr.readers.opening.describe import describe
from no2sr.readers.opening.doubts import doubt_negatives, doubt_zeros

RNG = np.random.default_rng(5)


def _file(grid, path, values):
    column = grid["tropospheric_NO2_column"]
    size = values.shape
    step = 2.0 / size[1]
    made = xr.Dataset(
        {column.name: (column.dims, values.astype("float32"), column.attrs)},
        coords={
            "latitude": ("latitude", 29 - step * np.arange(size[0]), grid["latitude"].attrs),
            "longitude": ("longitude", 76 + step * np.arange(size[1]), grid["longitude"].attrs),
        },
    )
    made.to_netcdf(path)
    return path


def _facts(no2sr_command, *args):
    shown = no2sr_command("info", *args, "--json")
    return json.loads(shown.out)


def _doubts(doubt, values):
    image = xr.DataArray(np.asarray(values), dims=("y", "x"), name="no2")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        doubt(image)
    return [str(w.message) for w in caught if issubclass(w.category, No2srWarning)]


def test_an_oversampled_file_is_told_and_can_be_averaged(no2sr_command, grid, tmp_path):
    noisy = RNG.normal(5e-5, 2e-5, (30, 30))
    path = _file(grid, tmp_path / "copies.nc", np.kron(noisy, np.ones((5, 5))))
    facts = _facts(no2sr_command, path)
    # 150 cells over 2 degrees in blocks of 5: 1/15 degree; n blocks have n - 1 borders.
    assert facts["effective_resolution"] == pytest.approx([1 / 15, 1 / 15], rel=0.05)
    assert facts["oversampling"] == {"factor": 5, "evidence": "copies"}
    assert facts["downscale"]["shape"] == [600, 600]
    assert "coarsen_to_native" in facts["warnings"][0]
    shown = no2sr_command("info", path)
    assert "(copies)" in shown.out
    assert "add --coarsen-to-native to average 5 x 5" in " ".join(shown.out.split())

    plain = no2sr_command("downscale", path, tmp_path / "plain.tif")
    assert "is oversampled" in plain.err
    averaged = no2sr_command("downscale", path, tmp_path / "fine.tif", "--coarsen-to-native")
    assert (averaged.code, averaged.err) == (0, "")
    with rasterio.open(tmp_path / "fine.tif") as raster:
        assert raster.shape == (120, 120)  # 30 x 30 blocks, four times finer
        assert raster.bounds == pytest.approx(no2sr_bounds(path))


def no2sr_bounds(path):
    with pytest.warns(no2sr.OversampledWarning):
        return open_column(path).rio.bounds()


def test_a_plain_grid_has_no_trace(no2sr_command, grid_file):
    facts = _facts(no2sr_command, grid_file)
    assert facts["effective_resolution"] == facts["spacing"]
    assert (facts["oversampling"], facts["warnings"], facts["made_by"]) == (None, [], None)
    assert facts["downscale"] == {
        "scale": 4,
        "model": "srcnn",
        "approximate": False,
        "shape": [96, 80],
        "spacing": pytest.approx([0.025, 0.025]),
        "problem": None,
    }


def test_what_downscale_would_do_is_what_it_does(no2sr_command, grid_file, tmp_path):
    told = _facts(no2sr_command, grid_file)["downscale"]
    assert no2sr_command("downscale", grid_file, tmp_path / "fine.tif").code == 0
    with rasterio.open(tmp_path / "fine.tif") as raster:
        assert list(raster.shape) == told["shape"]
        assert raster.res == pytest.approx(told["spacing"])


def test_of_a_swath_the_grid_is_told_roughly(no2sr_command, samples):
    (path,) = samples.glob("S5P*")
    facts = _facts(no2sr_command, path)
    image = open_column(path)
    assert facts["downscale"]["approximate"]
    assert facts["downscale"]["shape"] == pytest.approx([4 * n for n in image.shape], rel=0.02)
    assert facts["processor_version"] == "2.6.0"
    assert facts["screening"] == "pixels with qa_value above 0.75"
    # TROPOMI since August 2019: 5.5 km along the track, 3.5 km across at nadir; the sample is
    # simulated 7 km along, and pixels widen towards the edges of the swath.
    assert facts["pixel_km"] == pytest.approx([7.1, 4.3], rel=0.02)


def test_a_grid_too_small_is_told(no2sr_command, grid, tmp_path):
    path = tmp_path / "small.nc"
    grid.isel(latitude=slice(8, 10)).to_netcdf(path)
    assert "too small: 2 x 20" in _facts(no2sr_command, path)["downscale"]["problem"]
    assert "not possible: too small" in no2sr_command("info", path).out


@pytest.mark.parametrize("suffix", [".tif", ".nc"])
def test_an_own_output_says_what_was_done(no2sr_command, grid_file, tmp_path, suffix):
    out = tmp_path / f"fine{suffix}"
    no2sr_command("downscale", grid_file, out)
    facts = _facts(no2sr_command, out)
    assert facts["made_by"]["no2sr_scale"] == "4"
    assert facts["made_by"]["no2sr_model"] == "srcnn"
    assert facts["effective_resolution"] == pytest.approx([0.1, 0.1])
    assert facts["oversampling"] is None
    assert "4 times finer by no2sr" in facts["warnings"][0]
    shown = no2sr_command("info", out).out
    for told in ("scale: 4", "model: srcnn", "edges: pad", "share of gaps: 1.9%"):
        assert told in shown


def test_a_unit_that_contradicts_the_values(no2sr_command, grid, tmp_path):
    path = tmp_path / "wrong.nc"
    grid["tropospheric_NO2_column"] *= 6.02214076e19
    grid["tropospheric_NO2_column"].attrs["units"] = "10^15molec/cm2"
    grid.to_netcdf(path)
    assert "read as molecules cm-2" in _facts(no2sr_command, path)["warnings"][0]


def test_without_a_unit_the_place_is_told_all_the_same(no2sr_command, grid, tmp_path):
    path = tmp_path / "unitless.nc"
    grid["tropospheric_NO2_column"] *= 1e6
    del grid["tropospheric_NO2_column"].attrs["units"]
    grid.to_netcdf(path)
    facts = _facts(no2sr_command, path)
    assert "states no unit" in facts["problem"]
    assert facts["shape"] == [24, 20]
    assert facts["gap_share"] == pytest.approx(9 / 480)
    assert (facts["range"], facts["downscale"]) == (None, None)


def test_zeros_are_doubted_where_they_stand_out():
    values = RNG.normal(5e-5, 1e-5, (40, 40))
    assert _doubts(doubt_zeros, values) == []
    values[:2] = 0  # 2 rows of 40: 5 %
    (said,) = _doubts(doubt_zeros, values)
    assert said.startswith("5.0% of the values of no2 are exactly 0")
    rounded = np.round(RNG.normal(0, 2, (40, 40)))  # counts: zero is one step among others
    assert _doubts(doubt_zeros, rounded) == []


def test_removed_negatives_are_doubted_where_there_is_noise():
    noisy = RNG.normal(2e-5, 1.5e-5, (200, 200))  # one in eleven is negative
    assert _doubts(doubt_negatives, noisy) == []
    for removed in (np.where(noisy < 0, np.nan, noisy), np.clip(noisy, 0, None)):
        (said,) = _doubts(doubt_negatives, removed)
        assert "has no negative value" in said
    # A model's field reaches 0 without noise; one far from 0 has no reason to be negative.
    y, x = np.mgrid[:200, :200] / 100 - 1
    assert _doubts(doubt_negatives, 1e-4 * (x**2 + y**2) ** 2 + 1e-12) == []
    assert _doubts(doubt_negatives, 1e-4 + noisy) == []


def test_doubts_reach_info(no2sr_command, grid, tmp_path):
    noisy = RNG.normal(2e-5, 1.5e-5, (120, 120))
    path = _file(grid, tmp_path / "clipped.nc", np.clip(noisy, 0, None))
    told = " ".join(_facts(no2sr_command, path)["warnings"])
    assert "exactly 0" in told
    assert "no negative value" in told


def test_several_files_and_their_processors(no2sr_command, grid_file, samples, tmp_path):
    (swath,) = samples.glob("S5P*")
    assert len(_facts(no2sr_command, swath, grid_file)) == 2
    older = tmp_path / "older.nc"
    older.write_bytes(swath.read_bytes())
    import netCDF4

    with netCDF4.Dataset(older, "a") as file:
        file.processor_version = "1.4.0"
    shown = no2sr_command("info", swath, older)
    assert "processor versions 1.4, 2.6" in shown.err
    assert shown.code == 0
    assert no2sr_command("info", swath, swath).err == ""


def test_one_bad_file_among_several_is_told_last(no2sr_command, grid_file):
    shown = no2sr_command("info", "absent.nc", grid_file)
    assert shown.code == 1
    assert "grid of tropospheric_NO2_column" in shown.out
    assert shown.errors == ["Error: absent.nc does not exist; check the path"]


def test_long_lists_of_variables_are_cut(no2sr_command, samples):
    (swath,) = samples.glob("S5P*")
    shown = no2sr_command("info", swath)
    assert "more; --json lists all" in shown.out
    assert "nitrogendioxide_tropospheric_column [mol m-2]" in shown.out


def test_readers_are_listed_with_what_they_read(no2sr_command, monkeypatch):
    shown = no2sr_command("readers")
    assert shown.code == 0
    for name in no2sr.available_readers():
        assert f" {name} " in shown.out
    assert "Sentinel-5P TROPOMI level 2 swath" in shown.out
    monkeypatch.setattr(
        "no2sr.readers.registry._registry", lambda: {"lost": "no_such_package:READER"}, raising=True
    )
    assert "cannot be loaded" in no2sr_command("readers").out


@pytest.mark.real_data
def test_real_files_of_unknown_unit_are_told_to_be_oversampled(real_data):
    facts = describe(real_data / "s5p_l3/gee_tacna_2019.tif")
    assert "states no unit" in facts["problem"]
    assert facts["oversampling"] == {"factor": 3, "evidence": "pixel size"}


@pytest.mark.real_data
def test_no_doubts_about_sound_real_files(real_data):
    sound = [*real_data.glob("harp/*"), *real_data.glob("tempo_utm/tempo_vcd*")]
    for path in [*sound, real_data / "omi/omno2d_giovanni_mean_2010_2017.nc"]:
        assert describe(path)["warnings"] == [], path.name


def test_an_image_read_back_after_refining_raises_no_alarm(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "fine.tif"
    no2sr_command("downscale", grid_file, out)
    with warnings.catch_warnings():
        warnings.simplefilter("error", no2sr.OversampledWarning)
        fine = open_column(out)
    assert fine.shape == refine(open_column(grid_file), 4).shape


def test_a_raster_without_a_crs_is_told_to_be_oversampled(no2sr_command, tmp_path):
    path = tmp_path / "nowhere.tif"
    cells = np.kron(RNG.normal(5e-5, 2e-5, (30, 30)), np.ones((5, 5))).astype("float32")
    place = rasterio.Affine(0.1, 0, 20, 0, -0.1, 50)
    size = {"width": 150, "height": 150, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", transform=place, **size) as raster:
        raster.write(cells, 1)
    facts = _facts(no2sr_command, path)
    assert "no CRS" in facts["problem"]
    assert facts["oversampling"] == {"factor": 5, "evidence": "copies"}
    # 30 blocks of 5 cells of 0.1; n blocks have n - 1 borders.
    assert facts["effective_resolution"] == pytest.approx([0.5, 0.5], rel=0.05)
    assert facts["bounds"] == pytest.approx([20, 35, 35, 50])
    assert (facts["crs"], facts["range"], facts["downscale"]) == (None, None, None)
    shown = no2sr_command("info", path)
    assert shown.code == 1
    assert "map units" in " ".join(shown.out.split())
    assert "has no CRS" in shown.errors[0]


@pytest.mark.real_data
def test_real_files_without_a_crs_are_told_to_be_oversampled(real_data):
    facts = describe(real_data / "s5p_l3/czechia_mmol_no_crs.tif")
    assert "no CRS" in facts["problem"]
    assert facts["oversampling"] == {"factor": 5, "evidence": "interpolation"}
    source = describe(real_data / "s5p_l3/czechia_source_0063deg.tif")
    assert source["oversampling"] is None
    assert facts["effective_resolution"] == pytest.approx(source["spacing"], rel=0.02)


def test_a_folder_is_told_as_what_it_is_read_as(no2sr_command, samples, tmp_path):
    (swath,) = samples.glob("S5P*")
    for name in ("a.nc", "b.nc"):
        (tmp_path / name).write_bytes(swath.read_bytes())
    for given in (tmp_path, tmp_path / "*.nc"):
        shown = no2sr_command("info", given)
        assert (shown.code, shown.err) == (0, "")
        assert "2, read as one; the other rows describe a.nc" in shown.out
        assert "Sentinel-5P TROPOMI level 2 swath" in shown.out
    assert "read as one" not in no2sr_command("info", swath).out
    assert no2sr_command("info", tmp_path / "*.tif").code == 1


@pytest.mark.real_data
def test_a_real_folder_with_empty_granules(no2sr_command, real_data):
    facts = _facts(no2sr_command, real_data / "s5p_l2")
    assert (facts["files"], facts["reader"], facts["problem"]) == (23, "s5p_l2", None)
    assert facts["first"].startswith("S5P_OFFL_L2__NO2____20190808T064623")


def test_limits_of_screens_are_told(no2sr_command, samples):
    (swath,) = samples.glob("S5P*")
    refused = no2sr_command("info", swath, "--limit", "cloud=0.5")
    assert refused.code == 1
    assert "a limit of cloud was given for Sentinel-5P" in refused.errors[0]
    assert refused.errors[0].endswith("with --qa")
    for wrong in ("cloud", "cloud=", "=much", "cloud=much"):
        assert no2sr_command("info", swath, "--limit", wrong).code == 2


def test_a_reader_that_is_named_is_taken(samples, capsys):
    grid = samples / "simulated_no2_l3_monthly.nc"
    facts = describe(grid, reader="s5p_l2")
    assert facts["reader"] == "s5p_l2"
    assert "is not a file for the reader 's5p_l2'" in facts["problem"]
    assert describe(grid, reader="cf_grid")["problem"] is None
    assert "choose one of s5p_l2" in describe(grid, reader="nobody")["problem"]
