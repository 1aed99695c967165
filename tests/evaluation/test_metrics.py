"""Metrics against hand-derived numbers and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from no2sr.core.errors import NoValidPixelsError
from no2sr.evaluation import metrics

REFERENCE = np.array([0.0, 1.0, 2.0, 3.0])
ESTIMATE = np.array([1.0, 1.0, 2.0, 1.0])  # errors 1, 0, 0, -2


def test_errors_by_hand():
    assert metrics.mse(ESTIMATE, REFERENCE) == pytest.approx(5 / 4)
    assert metrics.rmse(ESTIMATE, REFERENCE) == pytest.approx(np.sqrt(5 / 4))
    assert metrics.mae(ESTIMATE, REFERENCE) == pytest.approx(3 / 4)
    assert metrics.bias(ESTIMATE, REFERENCE) == pytest.approx(-1 / 4)
    # 10 log10(3^2 / 1.25): the range of the reference is 3.
    assert metrics.psnr(ESTIMATE, REFERENCE) == pytest.approx(10 * np.log10(9 / 1.25))


def test_correlation_by_hand():
    # Deviations (-1.5,-.5,.5,1.5) and (-.25,-.25,.75,-.25): the sum of products is 0.5,
    # the sums of squares are 5 and 0.75.
    assert metrics.correlation(ESTIMATE, REFERENCE) == pytest.approx(0.5 / np.sqrt(5 * 0.75))
    assert np.isnan(metrics.correlation(np.ones(4), REFERENCE))


def test_gaps_do_not_count():
    estimate = np.append(ESTIMATE, [np.nan, 100.0])
    reference = np.append(REFERENCE, [100.0, np.nan])
    for name in ("mse", "mae", "bias", "psnr", "correlation"):
        metric = metrics.METRICS[name]
        assert metric(estimate, reference) == metric(ESTIMATE, REFERENCE)


def test_a_perfect_estimate():
    assert metrics.psnr(REFERENCE, REFERENCE) == np.inf
    field = np.random.default_rng(0).normal(size=(12, 12))
    assert metrics.ssim(field, field) == pytest.approx(1)


def test_ssim_is_scikit_images_without_gaps():
    rng = np.random.default_rng(1)
    reference, estimate = rng.normal(size=(2, 20, 30))
    expected = structural_similarity(
        reference, estimate, data_range=np.ptp(reference), win_size=metrics.SSIM_WINDOW
    )
    assert metrics.ssim(estimate, reference) == pytest.approx(expected, rel=1e-9)


def test_ssim_leaves_out_windows_with_gaps():
    rng = np.random.default_rng(1)
    reference, estimate = rng.normal(size=(2, 30, 30))
    reference[:, :15][0, 0] = reference.min()  # the range stays when the right half goes
    reference[1, 1] = reference.max()
    expected = structural_similarity(
        reference[:, :15], estimate[:, :15], data_range=np.ptp(reference), win_size=7
    )
    estimate[:, 15:] = np.nan
    reference[:, 15:] = np.nan
    assert metrics.ssim(estimate, reference) == pytest.approx(expected, rel=1e-9)


def test_nothing_in_common_is_refused():
    with pytest.raises(NoValidPixelsError, match="in common"):
        metrics.rmse(np.array([np.nan, 1]), np.array([1, np.nan]))


def test_peak_error_by_hand():
    # The highest cell is 10, the median 2, the estimate 6 there: 4 of 8 are missing. That the
    # estimate is higher elsewhere does not help.
    reference = np.array([[1.0, 10.0, 2.0], [2.0, 3.0, np.nan]])
    estimate = np.array([[1.0, 6.0, 12.0], [2.0, 3.0, 99.0]])
    assert metrics.peak_error(estimate, reference) == pytest.approx(-0.5)
    assert metrics.peak_error(reference, reference) == 0
    assert np.isnan(metrics.peak_error(estimate, np.ones((2, 3))))


def test_plume_mass_by_hand():
    # 40 cells, of which 10 and 20 stand out: percentile 95 lies at place 37.05 of 0..39, between 0
    # and 10. With areas 1 and 3 the mass is 1 * 10 + 3 * 20 = 70, and 1 * (10 - 4) is missing.
    reference = np.zeros((2, 20))
    reference[0, 3], reference[1, 7] = 10, 20
    estimate = reference.copy()
    estimate[0, 3], estimate[0, 4] = 4, 6
    areas = np.array([1.0, 3.0])
    assert metrics.plume_mass_error(estimate, reference, areas) == pytest.approx(-6 / 70)
    assert metrics.plume_mass_error(reference + 1, reference, areas) == pytest.approx(4 / 70)
    # Unit and offset of both do not matter.
    moved = metrics.plume_mass_error(7 * estimate + 3, 7 * reference + 3, areas)
    assert moved == pytest.approx(-6 / 70)
    assert np.isnan(metrics.plume_mass_error(estimate, np.ones((2, 20)), areas))


def test_cells_beside_gaps():
    coarse = np.ones((4, 4))
    coarse[0, 0] = np.nan
    expected = np.zeros((4, 4), dtype=bool)
    expected[[0, 1, 1], [1, 0, 1]] = True
    np.testing.assert_array_equal(
        metrics.mark_beside_gaps(coarse, 3), expected.repeat(3, axis=0).repeat(3, axis=1)
    )
    assert not metrics.mark_beside_gaps(np.ones((4, 4)), 2).any()
