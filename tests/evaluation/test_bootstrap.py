"""Bootstrap intervals against the binomial distribution."""

from __future__ import annotations

import numpy as np
import pytest

from no2sr.evaluation.bootstrap import LEAST_SCENES, ratio_interval


def test_a_constant_ratio_is_certain():
    against = np.random.default_rng(0).gamma(1, size=40)
    assert ratio_interval(0.81 * against, against) == pytest.approx((0.9, 0.9), rel=1e-12)


def test_interval_of_a_coin():
    # Half of 100 scenes have the error 4 and half none, against 1 everywhere: a draw with k of the
    # former has the ratio sqrt(4 k / 100), and k is binomial(100, 1/2). P(k <= 39) = 0.0176 and
    # P(k <= 40) = 0.0284, so that the percentiles 2.5 and 97.5 are k = 40 and k = 60.
    errors = np.repeat([0.0, 4.0], 50)
    low, high = ratio_interval(errors, np.ones(100), repeats=20000)
    assert low == pytest.approx(np.sqrt(1.6))
    assert high == pytest.approx(np.sqrt(2.4))


def test_pairing_makes_it_narrow():
    # Scenes differ a hundredfold; the methods by 10 % with little scatter.
    rng = np.random.default_rng(1)
    against = 10 ** rng.uniform(-1, 1, 200)
    errors = against * rng.normal(0.81, 0.02, 200)
    paired = ratio_interval(errors, against)
    shuffled = ratio_interval(rng.permutation(errors), against)
    assert paired[0] < 0.9 < paired[1] < 1 < shuffled[1]


def test_draws_are_the_same_each_time():
    errors, against = np.random.default_rng(2).gamma(1, size=(2, 30))
    assert ratio_interval(errors, against) == ratio_interval(errors, against)
    assert ratio_interval(errors, against) != ratio_interval(errors, against, seed=1)


def test_nothing_is_said_of_few_scenes_or_of_no_error():
    few = np.ones(LEAST_SCENES - 1)
    assert np.isnan(ratio_interval(few, few)).all()
    assert np.isnan(ratio_interval(np.ones(20), np.zeros(20))).all()
