"""A history at the door: opened, aligned, and refused in one line where it cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from scipy.ndimage import gaussian_filter

import no2sr
from no2sr.core.door import enter
from no2sr.core.grid import georeference
from no2sr.downscaling.cluster import cluster
from no2sr.downscaling.history import align_history, measure_fit, open_history
from no2sr.downscaling.settings import Refining, Running, Writing

SCALE = 4


def make_map(values, *, west=10.0, north=45.0, step=0.025, crs="EPSG:4326", name="no2"):
    attrs = {"units": "mol m-2"}
    image = xr.DataArray(np.asarray(values, "float32"), dims=("y", "x"), name=name, attrs=attrs)
    return georeference(image, Affine(step, 0, west, 0, -step, north), crs)


@pytest.fixture(scope="module")
def fine():
    field = gaussian_filter(np.random.default_rng(3).normal(size=(96, 112)), 2)
    return make_map(1e-4 + 2e-4 * field / np.ptp(field))


@pytest.fixture(scope="module")
def coarse(fine):
    values = fine.values.reshape(24, SCALE, 28, SCALE).mean(axis=(1, 3))
    return make_map(values, step=0.1)


def rms(a, b):
    return float(np.sqrt(np.nanmean((a - b) ** 2)))


def align(history, image):
    return align_history(history, enter(image), SCALE)


def test_a_map_on_the_fine_grid_is_taken_as_it_is(fine, coarse):
    found = align(fine, coarse)
    np.testing.assert_allclose(
        found.fine * fine.values.std() + fine.values.mean(), fine.values, rtol=1e-4
    )
    assert found.resolution == pytest.approx(1 / SCALE)
    assert found.noise is None


def test_a_finer_map_is_averaged_by_area(fine, coarse):
    finer = make_map(np.kron(fine.values, np.ones((3, 3))) + 0.0, step=0.025 / 3)
    noisy = finer + 1e-5 * np.random.default_rng(0).normal(size=finer.shape).astype("float32")
    noisy.attrs = finer.attrs
    found, exact = align(noisy, coarse), align(fine, coarse)
    blocks = noisy.values.reshape(96, 3, 112, 3).mean(axis=(1, 3))
    expected = (blocks - noisy.values.mean()) / noisy.values.std()
    np.testing.assert_allclose(found.fine, expected, atol=2e-4)
    assert np.corrcoef(found.fine.ravel(), exact.fine.ravel())[0, 1] > 0.99


def test_another_projection_is_reprojected(fine, coarse):
    utm = fine.rio.reproject("EPSG:32632", nodata=np.nan)
    utm.attrs = fine.attrs
    found = align(utm, coarse)
    inside = np.isfinite(found.fine)
    assert inside.mean() > 0.9
    assert np.corrcoef(found.fine[inside], fine.values[inside])[0, 1] > 0.97


def test_repeated_cells_are_averaged_first(fine, coarse):
    blocks = fine.values.reshape(48, 2, 56, 2).mean(axis=(1, 3))
    blocky = make_map(np.kron(blocks, np.ones((2, 2))))
    assert align(blocky, coarse).resolution == pytest.approx(0.5, rel=0.01)


def test_orientation_and_dimension_names_do_not_matter(fine, coarse):
    turned = fine.rename(y="lat", x="lon").isel(lat=slice(None, None, -1)).transpose("lon", "lat")
    np.testing.assert_array_equal(align(turned, coarse).fine, align(fine, coarse).fine)


def test_the_layer_of_uncertainty_is_used(fine, coarse):
    own = fine.copy(data=np.full(fine.shape, 3e-6, "float32"))
    scene = fine.to_dataset().assign(no2_uncertainty_random=own)
    found = align(scene, coarse)
    np.testing.assert_allclose(found.noise, 3e-6 / fine.values.std(), rtol=1e-4)


def test_the_fit_tells_overlap_and_correlation(fine, coarse):
    image = enter(coarse)
    fit = measure_fit(align(fine.isel(x=slice(0, 56)), coarse), image, SCALE)
    assert fit.overlap == pytest.approx(0.5, abs=0.04)
    assert fit.correlation > 0.99
    white = make_map(np.random.default_rng(1).normal(size=fine.shape))
    assert abs(measure_fit(align(white, coarse), image, SCALE).correlation) < 0.2


def test_a_history_that_fits_helps_and_its_uncertainty_falls(fine, coarse):
    scene = coarse.to_dataset()
    noise = 0.3 * float(coarse.std())
    rng = np.random.default_rng(5)
    scene["no2"] = scene["no2"] + (noise * rng.normal(size=coarse.shape)).astype("float32")
    scene["no2"].attrs = coarse.attrs
    plain = no2sr.downscale(scene, noise=noise)
    told = no2sr.downscale(scene, noise=noise, history=fine)
    white = make_map(rng.normal(size=fine.shape))
    misled = no2sr.downscale(scene, noise=noise, history=white)
    assert rms(told["no2"].values, fine.values) < 0.9 * rms(plain["no2"].values, fine.values)
    assert rms(misled["no2"].values, fine.values) < 1.01 * rms(plain["no2"].values, fine.values)
    layer = "no2_uncertainty"
    assert float(told[layer].mean()) < 0.97 * float(plain[layer].mean())
    assert float(misled[layer].mean()) > 0.99 * float(plain[layer].mean())
    assert told["no2"].attrs["no2sr_place_history"] == "no2"
    assert "history=no2" in told["no2"].attrs["history"]


def test_a_new_source_is_still_found(fine, coarse):
    y, x = np.mgrid[:96, :112]
    plume = 2.5e-4 * np.exp(-(((x - 60) / 9) ** 2 + ((y - 40) / 5) ** 2) / 2)
    values = (fine.values + plume).reshape(24, SCALE, 28, SCALE).mean(axis=(1, 3))
    noise = 4e-6
    noisy = values + noise * np.random.default_rng(2).normal(size=values.shape)
    scene = make_map(noisy, step=0.1).to_dataset()
    plain, told = (
        no2sr.downscale(scene, noise=noise, history=history)["no2"].values
        for history in (None, fine)
    )
    around = plume > 0.1 * plume.max()
    mass = [(each - fine.values)[around].sum() for each in (plain, told)]
    peak = [(each - fine.values)[around].max() for each in (plain, told)]
    assert mass[1] >= 0.95 * mass[0]
    assert peak[1] >= 0.95 * peak[0]


def check_refusal(history, image, match, **how):
    with pytest.raises(no2sr.HistoryError, match=match) as caught:
        no2sr.downscale(image, history=history, **how)
    assert "\n" not in str(caught.value)


def test_no_overlap(fine, coarse):
    check_refusal(make_map(fine.values, west=50.0), coarse, "does not overlap the scene")


def test_coarser_than_half_the_scale(coarse):
    check_refusal(coarse, coarse, "times as large as those of the scene")


def test_no_crs(fine, coarse):
    plain = xr.DataArray(fine.values, dims=("y", "x"), name="no2")
    check_refusal(plain, coarse, "the history cannot be used")


def test_all_gaps(fine, coarse):
    check_refusal(fine * np.nan, coarse, "all gaps")


def test_several_times(fine, coarse):
    check_refusal(xr.concat([fine, fine], dim="time"), coarse, "2 times")


def test_several_variables(fine, coarse):
    both = xr.Dataset({"a": fine, "b": fine})
    check_refusal(both, coarse, "several variables.*a.*b")


def test_a_method_that_takes_none(fine, coarse):
    with pytest.raises(no2sr.SettingsError, match="bicubic takes no history"):
        no2sr.downscale(coarse, history=fine, model="bicubic")


def test_its_own_output(coarse):
    scene = coarse.assign_attrs(history="no2sr: read day.nc as cf, all")
    own = no2sr.downscale(scene)
    check_refusal(own, scene, r"made of the very observation.*day\.nc")


def test_an_output_of_several_days_is_warned_of(fine, coarse):
    attrs = {
        "no2sr_version": "0.1.0",
        "no2sr_overpass_times": "2023-10-27T04:00:00Z; 2023-10-28T04:00:00Z",
        "source": "day.nc; other.nc",
        "units": "mol m-2",
    }
    scene = coarse.assign_attrs(history="no2sr: read day.nc as cf, all")
    with pytest.warns(no2sr.No2srWarning, match=r"made of day\.nc as well"):
        no2sr.downscale(scene, history=fine.assign_attrs(attrs))


def test_a_raster_of_anything_is_opened(tmp_path, fine, coarse):
    path = tmp_path / "lights.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    transform = Affine(0.025, 0, 10, 0, -0.025, 45)
    with rasterio.open(path, "w", width=112, height=96, transform=transform, **profile) as file:
        file.write(fine.values * 1e6, 1)
    found = align(open_history(path), coarse)
    np.testing.assert_allclose(found.fine, align(fine, coarse).fine, atol=1e-4)
    assert found.name == "lights.tif"


def test_a_netcdf_of_several_maps_names_them(tmp_path, fine):
    both = xr.Dataset({"roads": fine, "lights": fine}).drop_vars("spatial_ref")
    for name in both:
        both[name].attrs = {"units": "1"}
        both[name].encoding = {}
    both.to_netcdf(tmp_path / "guides.nc")
    with pytest.raises(no2sr.AmbiguousVariableError, match=r"roads.*lights|lights.*roads"):
        open_history(tmp_path / "guides.nc")


def test_by_window_into_a_file_gives_the_same(tmp_path, fine, coarse):
    scene = coarse.to_dataset()
    refining = Refining(noise=5e-6, history=fine)
    whole = no2sr.downscale(scene, noise=5e-6, history=fine)
    path = no2sr.downscale_file(
        scene.chunk({"y": 7, "x": 9}),
        tmp_path / "fine.nc",
        refining=refining,
        writing=Writing(unit="mol m-2"),
    )
    with xr.open_dataset(path) as written:
        for layer in ("no2", "no2_uncertainty"):
            np.testing.assert_allclose(written[layer].values, whole[layer].values, atol=1e-10)


def test_a_killed_run_continues_only_with_the_same_history(tmp_path, fine, coarse):
    def killed(done, total):
        raise KeyboardInterrupt

    scene, out = coarse.to_dataset(), tmp_path / "fine.tif"
    with pytest.raises(KeyboardInterrupt):
        no2sr.downscale_file(scene, out, refining=Refining(history=fine), progress=killed)
    with pytest.warns(no2sr.No2srWarning, match="another"):
        no2sr.downscale_file(scene, out, refining=Refining(history=-fine))
    with rasterio.open(out) as written:
        other = no2sr.downscale(scene, history=-fine)["no2"].values
        np.testing.assert_allclose(written.read(1), other, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")  # what distributed leaves open is its own affair
def test_two_workers_give_the_same(tmp_path, fine, coarse):
    scene = coarse.to_dataset()
    refining = Refining(history=fine)
    alone = no2sr.downscale_file(scene, tmp_path / "a.tif", refining=refining)
    with cluster(workers=2) as lent:
        running = Running(workers=lent)
        shared = no2sr.downscale_file(scene, tmp_path / "b.tif", refining=refining, running=running)
    with rasterio.open(alone) as a, rasterio.open(shared) as b:
        np.testing.assert_array_equal(a.read(1), b.read(1))


def test_evaluate_judges_networks_with_and_without(fine):
    table = no2sr.evaluate(fine, scale=2, methods=["bicubic", "srcnn"], history=fine)
    assert list(table.index) == ["bicubic", "srcnn", "srcnn with history"]
    assert table.loc["srcnn with history", "rmse"] < table.loc["srcnn", "rmse"]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32632"])
def test_cells_are_compared_at_the_latitude_of_the_scene(crs):
    # In the middle of a map from 20 to 70 N cells are 1.5 times as wide as at 65 N.
    rng = np.random.default_rng(0)
    wide = make_map(rng.normal(size=(1000, 60)), west=8.0, north=70.0, step=0.05)
    if crs == "EPSG:4326":
        scene = make_map(rng.normal(size=(12, 14)), west=8.5, north=66.0, step=0.1)
        expected = 0.5
    else:  # cells of 0.05 degree at 65 N: 5.56 x 2.35 km
        scene = make_map(rng.normal(size=(12, 14)), west=4e5, north=7.25e6, step=8000, crs=crs)
        expected = np.sqrt(5.56 * 2.35) / 8
    assert align(wide, scene).resolution == pytest.approx(expected, rel=0.02)
