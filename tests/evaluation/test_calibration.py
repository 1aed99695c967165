"""Coverage and CRPS are what their definitions say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from no2sr.evaluation.calibration import LEVELS, measure_coverage, measure_crps


@pytest.mark.parametrize("level", LEVELS)
def test_a_right_uncertainty_covers_its_share(level):
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 2, 200_000)
    errors = spread * rng.normal(size=spread.size)
    assert measure_coverage(errors, spread, level / 100) == pytest.approx(level / 100, abs=0.004)
    assert measure_coverage(errors, 0.5 * spread, level / 100) < level / 100 - 0.1


def test_coverage_is_counted_by_hand():
    # One standard deviation either side holds 0.6827 of a normal distribution.
    errors = np.array([0.5, -0.99, 1.01, -3.0])
    assert measure_coverage(errors, np.ones(4), math.erf(1 / math.sqrt(2))) == 0.5


def test_crps_is_the_integral_that_defines_it():
    # Of (F(x) - [x >= truth])**2 over x, for a normal distribution 0.7 beside the truth.
    x = np.linspace(-12, 12, 240_001)
    below = 0.5 * (1 + np.vectorize(math.erf)(x / (1.3 * math.sqrt(2))))
    integral = np.trapezoid((below - (x >= 0.7)) ** 2, x)
    assert measure_crps(np.array([0.7]), np.array([1.3])) == pytest.approx(integral, rel=1e-4)


def test_the_right_uncertainty_has_the_least_crps():
    errors = np.random.default_rng(0).normal(size=50_000)
    scores = [measure_crps(errors, np.full(errors.shape, s)) for s in (0.5, 0.8, 1.0, 1.25, 2.0)]
    assert np.argmin(scores) == 2


def test_certainty_is_scored_by_the_size_of_the_error():
    assert measure_crps(np.array([-2.0, 1.0]), np.zeros(2)) == 1.5


def test_what_is_not_stated_does_not_count():
    errors, stated = np.array([0.1, np.nan, 9.0]), np.array([1.0, 1.0, np.nan])
    assert measure_coverage(errors, stated, 0.9) == 1
    assert math.isnan(measure_coverage(errors, np.full(3, np.nan), 0.9))
    assert math.isnan(measure_crps(errors, np.full(3, np.nan)))
