"""The noise of a swath, from the scatter of its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from no2sr.swaths.scatter import FEWEST, estimate_noise


def plane(shape):
    """Return latitudes and longitudes of a leaning swath, 0.05 degree apart."""
    i, j = np.mgrid[: shape[0], : shape[1]]
    return 30 + 0.05 * i + 0.01 * j, 70 + 0.06 * j - 0.01 * i


def smooth(latitude, longitude):
    """Return a field with a gradient and a wide plume."""
    plume = np.exp(-((latitude - 31) ** 2 + (longitude - 72) ** 2) / 0.5)
    return 1e-5 * (latitude - 30) + 1e-4 * plume


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sigma", [3e-7, 1e-5])
def test_white_noise_on_a_smooth_field_is_recovered(seed, sigma):
    place = plane((80, 90))
    noise = np.random.default_rng(seed).normal(0, sigma, place[0].shape)
    found = estimate_noise(smooth(*place) + noise, *place)
    assert found.shape == place[0].shape
    assert np.median(found) == pytest.approx(sigma, rel=0.1)
    assert np.abs(found / sigma - 1).max() < 0.3  # in every place


def test_noise_that_varies_is_followed():
    place = plane((200, 200))
    sigma = 1e-6 * (1 + (np.arange(200) >= 100))
    noise = np.random.default_rng(0).normal(0, 1, (200, 200)) * sigma
    found = estimate_noise(noise, *place)
    assert np.median(found[:, :70]) == pytest.approx(1e-6, rel=0.1)
    assert np.median(found[:, 130:]) == pytest.approx(2e-6, rel=0.1)


def test_stripes_and_plumes_are_no_noise():
    place = plane((60, 60))
    stripes = np.random.default_rng(1).normal(0, 1e-4, (1, 60))
    column = np.broadcast_to(stripes, (60, 60)).copy()
    column[20:22, 30:33] += 1e-2  # a power plant
    assert estimate_noise(column, *place).max() < 1e-10


def test_a_list_of_pixels_is_judged_along_its_scanlines():
    # 30 scanlines one behind the other: each end is followed by a jump, which is no noise.
    latitude, longitude = plane((30, 40))
    noise = np.random.default_rng(2).normal(0, 2e-6, latitude.shape)
    column = 1e-3 * longitude + noise  # a jump of 2.4e-3 at every end
    flat = (a.reshape(-1, 1) for a in (column, latitude, longitude))
    found = estimate_noise(*flat)
    assert found.shape == (1200, 1)
    assert np.median(found) == pytest.approx(2e-6, rel=0.1)


def test_a_list_across_the_antimeridian():
    longitude = (179 + 0.02 * np.arange(400) + 180) % 360 - 180
    noise = np.random.default_rng(3).normal(0, 1, (1, 400))
    found = estimate_noise(noise, np.zeros((1, 400)), longitude[None])
    assert np.median(found) == pytest.approx(1, rel=0.15)


def test_gaps_count_for_nothing():
    place = plane((80, 90))
    draw = np.random.default_rng(4)
    column = draw.normal(0, 1e-6, place[0].shape)
    column[draw.random(column.shape) < 0.4] = np.nan
    found = estimate_noise(column, *place)
    assert np.isfinite(found).all()
    assert np.median(found) == pytest.approx(1e-6, rel=0.15)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 2), (4, 6), (FEWEST, 1), (0, 5)])
def test_too_few_neighbours_say_nothing(shape):
    assert estimate_noise(np.ones(shape), *plane(shape)) is None
    assert estimate_noise(np.full((50, 50), np.nan), *plane((50, 50))) is None
