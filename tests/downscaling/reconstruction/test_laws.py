"""What must hold of every reconstruction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skies import BOX, NOISE, fly_over, truth_on

from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.downscaling.reconstruction.layers import COLUMN
from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.overlap import Frame


def _map(swaths, settings, **more):
    return reconstruct_swaths(iter(swaths), bbox=BOX, settings=settings, **more)


def _truth(scene):
    spacing = 0.02
    fine = truth_on(Frame(BOX[0], BOX[3], spacing / 4), tuple(4 * n for n in scene[COLUMN].shape))
    ny, nx = scene[COLUMN].shape
    return fine.reshape(ny, 4, nx, 4).mean(axis=(1, 3))


def test_it_is_nearer_to_the_truth_than_the_average(swaths, settings):
    scene = _map(swaths, settings)
    average = grid_swaths(swaths, bounds=BOX, resolution=0.02)["column"].values
    truth = _truth(scene)
    ours, theirs = (np.sqrt(np.mean((v - truth) ** 2)) for v in (scene[COLUMN].values, average))
    assert ours < 0.8 * theirs


def test_the_order_of_overpasses_changes_nothing(swaths, settings):
    assert _map(swaths, settings).identical(_map(swaths[::-1], settings))


@pytest.mark.parametrize("uncertainty", [False, True])
def test_a_constant_is_reproduced(settings, uncertainty):
    flat = [fly_over(seed, noise=0, constant=-2e-5) for seed in range(4)]
    with pytest.warns(UserWarning, match="4 overpasses"):
        scene = _map(flat, replace(settings, uncertainty=uncertainty, smoothness=0.5))
    assert scene[COLUMN].values == pytest.approx(-2e-5, rel=1e-5)


def test_negative_values_stay(swaths, settings):
    assert _map(swaths, settings)[COLUMN].min() < -1e-6


def test_values_in_another_unit_give_the_same_map(swaths, settings):
    plain = _map(swaths, settings)[COLUMN].values
    turned = [
        s.assign(column=(2e-5 - 3 * s["column"]).assign_attrs(s["column"].attrs)) for s in swaths
    ]
    other = _map(turned, settings)[COLUMN].values
    assert (2e-5 - other) / 3 == pytest.approx(plain, abs=0.1 * NOISE)


def test_one_pixel_a_cell_and_no_noise_return_the_input(settings):
    rng = np.random.default_rng(5)
    field = rng.standard_normal((60, 60)) * 1e-5
    i, j = np.mgrid[:60, :60]
    lat = 45.9 - 0.02 * (i[..., None] + np.array([1, 1, 0, 0]))
    lon = 9.7 + 0.02 * (j[..., None] + np.array([0, 1, 1, 0]))
    swath = fly_over(0).isel(scanline=[0], ground_pixel=[0])
    dims = ("scanline", "ground_pixel")
    swath = swath.drop_dims(dims).assign(
        column=(dims, field, {"units": "mol m-2"}),
        latitude_bounds=((*dims, "corner"), lat),
        longitude_bounds=((*dims, "corner"), lon),
    )
    box = (10.0, 45.02, 10.6, 45.6)
    with pytest.warns(UserWarning, match="one overpass"):
        scene = reconstruct_swaths([swath], bbox=box, settings=replace(settings, smoothness=1e-9))
    assert scene[COLUMN].values == pytest.approx(field[15:44, 15:45], abs=1e-9)


def test_a_noise_that_grows_with_the_value_does_not_bias_means_low(settings):
    """Weights made of the measured value would: low measurements would seem the more precise."""
    rng = np.random.default_rng(6)
    swaths = []
    for seed in range(16):
        swath = fly_over(seed, noise=0, constant=1e-4)
        column = swath["column"]
        noisy = column.values * (1 + 0.3 * rng.standard_normal(column.shape))
        swath["column"] = column.copy(data=noisy)
        swath["precision"] = column.copy(data=np.maximum(0.3 * noisy, 1e-6))
        swaths.append(swath)
    scene = _map(swaths, settings)
    naive = np.average(
        np.concatenate([s["column"].values.ravel() for s in swaths]),
        weights=np.concatenate([s["precision"].values.ravel() ** -2 for s in swaths]),
    )
    assert naive < 0.9e-4
    assert float(scene[COLUMN].mean()) == pytest.approx(1e-4, rel=0.02)


def test_blocks_fit_together(swaths):
    whole = Settings(resolution=0.02, block=1.0)
    cut = replace(whole, block=0.3)
    one, four = (_map(swaths, s) for s in (whole, cut))
    sigma = one[f"{COLUMN}_uncertainty"].values
    apart = np.abs(one[COLUMN].values - four[COLUMN].values) / sigma
    assert np.sqrt(np.mean(apart**2)) < 0.01
    assert np.array_equal(one["count"].values, four["count"].values)


def test_more_noise_is_more_uncertain(settings):
    settings = replace(settings, uncertainty=True, smoothness=0.5)
    means = []
    for noise in (NOISE, 4 * NOISE):
        scene = _map([fly_over(seed, noise=noise) for seed in range(12)], settings)
        means.append(float(scene[f"{COLUMN}_uncertainty"].mean()))
    assert means[1] > 1.5 * means[0]


def test_what_is_known_of_a_cell_comes_with_it(swaths):
    scene = _map(swaths, Settings(resolution=0.02))
    sigma, truth = scene[f"{COLUMN}_uncertainty"].values, _truth(scene)
    inside = np.abs(scene[COLUMN].values - truth) < 1.645 * sigma
    assert 0.75 < inside.mean() <= 1
    assert (scene["resolution"] >= 1.5).all()
    assert (scene["resolution"] < 30).all()
    assert scene["count"].min() >= 12
    assert scene[COLUMN].attrs["ancillary_variables"].split() == [
        f"{COLUMN}_uncertainty",
        "count",
        "resolution",
    ]


def test_beyond_reach_is_a_gap(swaths, settings):
    half = [s.where(s["longitude_bounds"].max("corner") < 10.3) for s in swaths]
    column = _map(half, settings)[COLUMN]
    assert column.sel(x=slice(None, 10.2)).notnull().all()
    assert column.sel(x=slice(10.4, None)).isnull().all()
