"""The noise that was put in is the noise that is found."""

from __future__ import annotations

import numpy as np
import pytest

from no2sr.evaluation.noise import noise_floor, noise_level


def _smooth(shape=(120, 120)):
    y, x = np.indices(shape) / 20
    return 5 * np.sin(y) * np.cos(x) + 3 * x * y


@pytest.mark.parametrize("sigma", [0.3, 4.0])
def test_noise_on_a_smooth_field(sigma):
    noise = np.random.default_rng(0).normal(0, sigma, (120, 120))
    assert noise_level(_smooth() + noise) == pytest.approx(sigma, rel=0.03)


def test_a_surface_of_rows_and_columns_has_none():
    # f(y) + g(x) has no mixed difference whatever f and g are.
    rows, columns = np.random.default_rng(0).normal(size=(2, 30))
    assert noise_level(rows[:, None] + columns) == pytest.approx(0, abs=1e-12)


def test_a_single_difference_by_hand():
    # The mask on a lone 1 in the middle of 3 x 3 gives 4; |4| / (6 * 0.6745) = 0.9884.
    spot = np.zeros((3, 3))
    spot[1, 1] = 1
    assert noise_level(spot) == pytest.approx(4 / (6 * 0.6745), rel=1e-4)


def test_gaps_and_plumes_hardly_change_it():
    noisy = _smooth() + np.random.default_rng(0).normal(0, 1, (120, 120))
    noisy[:, :40] = np.nan
    noisy[50:60, 60:70] += 1000
    assert noise_level(noisy) == pytest.approx(1, rel=0.05)
    assert np.isnan(noise_level(np.full((5, 5), np.nan)))
    assert np.isnan(noise_level(np.ones((2, 9))))


def test_floor_is_what_the_block_means_leave():
    noise = np.random.default_rng(0).normal(0, 2, (400, 400))
    blocks = noise.reshape(100, 4, 100, 4)
    rest = blocks - blocks.mean(axis=(1, 3), keepdims=True)
    assert noise_floor(2, 4) == pytest.approx(np.sqrt(np.mean(rest**2)), rel=0.01)
    assert noise_floor(2, 2) == pytest.approx(np.sqrt(3))  # 2 sqrt(1 - 1/4)
