"""The uncertainty of a mean over a place, compared with errors drawn as they correlate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from no2sr.evaluation.areal import Parts, mean_over, uncertainty_of_mean

SHAPE = (24, 32)
DRAWS = 20_000


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def weights(rng):
    """Return an irregular place, with cells of partial weight and a hole."""
    y, x = np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij")
    inside = (y - 11) ** 2 / 60 + (x - 14) ** 2 / 120 < 1
    return np.where(inside & ~((y > 12) & (x > 16)), rng.uniform(0.2, 1, SHAPE), 0.0)


@pytest.fixture(scope="module")
def sigma(rng):
    return rng.uniform(1, 5, SHAPE)


def _scatter(errors, weights):
    """Return the standard deviation of the weighted mean of many fields of errors."""
    share = weights / weights.sum()
    return float(np.std([(share * error).sum() for error in errors]))


def _stated(weights, **parts):
    return uncertainty_of_mean(weights, np.ones(SHAPE), Parts(**parts))


def test_shared_errors_do_not_average_out(weights, sigma, rng):
    errors = (sigma * rng.normal() for _ in range(DRAWS))
    assert _stated(weights, shared=sigma) == pytest.approx(_scatter(errors, weights), rel=0.03)


def test_independent_errors_average_out(weights, sigma, rng):
    errors = (sigma * rng.normal(size=SHAPE) for _ in range(DRAWS))
    assert _stated(weights, noise=sigma) == pytest.approx(_scatter(errors, weights), rel=0.03)


@pytest.mark.parametrize("side", [2, 4, 5])
def test_cells_of_an_observed_block_share_their_noise(weights, sigma, rng, side):
    def draw():
        blocks = rng.normal(size=[-(-size // side) for size in SHAPE])
        return blocks.repeat(side, 0).repeat(side, 1)[: SHAPE[0], : SHAPE[1]]

    errors = (sigma * draw() for _ in range(DRAWS))
    stated = _stated(weights, noise=sigma, block=side)
    assert stated == pytest.approx(_scatter(errors, weights), rel=0.03)
    assert stated > 1.5 * _stated(weights, noise=sigma)


def test_smoothing_spreads_the_noise_of_blocks(rng):
    # The same, for blocks of 2 x 2 cells.
    width = 1.2
    reach = float(np.sqrt(4 * np.pi) * width)
    weights = np.zeros(SHAPE)
    weights[5:19, 7:26] = 1.0

    def draw():
        field = gaussian_filter(rng.normal(size=(12 + 16, 16 + 16)), width)[8:-8, 8:-8]
        return (reach * field).repeat(2, 0).repeat(2, 1)

    fields = [draw() for _ in range(4000)]
    stated = _stated(weights, noise=np.ones(SHAPE), block=2, reach=(reach, reach))
    assert stated == pytest.approx(_scatter(fields, weights), rel=0.05)


def test_cells_of_a_resolved_cell_share_their_noise(weights, rng):
    # White noise through a Gaussian of this width has an autocorrelation sqrt(2) times as wide,
    # whose integral, 4 pi width**2, is the area of a resolved cell.
    width = 1.5
    reach = float(np.sqrt(4 * np.pi) * width)

    def draw():
        field = gaussian_filter(rng.normal(size=[size + 16 for size in SHAPE]), width)[8:-8, 8:-8]
        return field * reach

    fields = [draw() for _ in range(4000)]
    assert np.std(fields) == pytest.approx(1, rel=0.02)
    stated = _stated(weights, noise=np.ones(SHAPE), reach=(reach, reach))
    assert stated == pytest.approx(_scatter(fields, weights), rel=0.05)


def test_parts_add_in_squares(weights, sigma):
    both = _stated(weights, shared=sigma, noise=sigma, block=4)
    parts = _stated(weights, shared=sigma), _stated(weights, noise=sigma, block=4)
    assert both == pytest.approx(np.hypot(*parts))


def test_detail_does_not_move_the_mean_of_an_observed_block(sigma, rng):
    whole = np.zeros(SHAPE)
    whole[4:12, 8:20] = 1.0
    assert _stated(whole, detail=sigma, block=4) == pytest.approx(0, abs=1e-12)
    assert _stated(whole, noise=sigma, block=4) > 0.3


def test_detail_is_never_understated(weights, sigma, rng):
    def draw():
        field = gaussian_filter(rng.normal(size=SHAPE), 1.0)
        blocks = field.reshape(SHAPE[0] // 4, 4, SHAPE[1] // 4, 4)
        return (blocks - blocks.mean(axis=(1, 3), keepdims=True)).reshape(SHAPE)

    fields = np.array([draw() for _ in range(4000)])
    spread = fields.std(axis=0)
    stated = _stated(weights, detail=spread, block=4)
    found = _scatter(fields, weights)
    assert found <= stated < _stated(weights, noise=spread, block=4)
    point = np.zeros(SHAPE)
    point[9, 9] = 1.0
    assert _stated(point, detail=spread, block=4) == pytest.approx(spread[9, 9])


def test_one_cell_has_its_own_uncertainty(sigma):
    point = np.zeros(SHAPE)
    point[5, 6] = 0.3
    for part in ("shared", "noise", "detail"):
        assert _stated(point, **{part: sigma}, block=4) == pytest.approx(sigma[5, 6])


def test_gaps_and_unknown_parts():
    weights = np.ones(SHAPE)
    assert np.isnan(_stated(weights))
    unknown = np.full(SHAPE, np.nan)
    assert np.isnan(_stated(weights, noise=unknown))
    assert np.isnan(_stated(np.zeros(SHAPE), noise=np.ones(SHAPE)))
    half = np.where(np.arange(SHAPE[1]) < 16, 2.0, np.nan) + np.zeros(SHAPE)
    assert mean_over(half, weights) == 2
    assert np.isnan(mean_over(unknown, weights))
    # What is unknown outside the place does not matter.
    place = np.where(np.isfinite(half), 1.0, 0.0)
    for part in ("shared", "noise", "detail"):
        assert np.isfinite(_stated(place, **{part: half}, block=4))
