"""Spectra against waves and noise whose power is known."""

from __future__ import annotations

import numpy as np
import pytest

from no2sr.evaluation.spectra import (
    cut_whole_windows,
    effective_resolution,
    power_spectrum,
    ring_frequencies,
)


def test_frequencies_end_where_a_wave_has_two_cells():
    np.testing.assert_allclose(ring_frequencies(8), [1 / 8, 2 / 8, 3 / 8, 4 / 8])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_has_its_power_in_its_ring(axis):
    wave = np.cos(2 * np.pi * 5 * np.indices((32, 32))[axis] / 32)
    power = power_spectrum(wave)
    assert power.argmax() == 5 - 1
    # The taper spreads a wave over the next frequencies, sqrt(6^2 + 1) = 6.08 at most, and no more.
    np.testing.assert_allclose(power[6:], 0, atol=1e-20 * power.max() + 1e-25)


def test_white_noise_has_its_variance_in_every_ring():
    noise = np.random.default_rng(0).normal(0, 3, (2000, 16, 16))
    power = np.mean([power_spectrum(window) for window in noise], axis=0)
    # Without the mean, the taper's own transform W is missing from ring 1: |W|^2 / (n^2 sum w^2) is
    # (n^2/8)^2 / (n^2 9 n^2/64) = 1/9 at 4 of its 8 places and a quarter of that at the corners.
    assert power[0] == pytest.approx(9 * (1 - (4 / 9 + 4 / 36) / 8), rel=0.03)
    np.testing.assert_allclose(power[1:], 9, rtol=0.03)


def test_resolution_is_where_the_error_has_half_the_power():
    # Frequencies 1/8, 2/8, 3/8, 4/8; the share passes 1/2 midway between 2/8 and 3/8, at 5/16:
    # half a wavelength there is 16/10 cells. Only the first crossing counts.
    error = np.array([0.0, 0.5, 1.5, 0.2])
    assert effective_resolution(error, np.full(4, 2.0)) == pytest.approx(1.6)


def test_resolution_at_its_ends():
    reference = np.array([4.0, 2.0, 1.0, 0.5])
    assert effective_resolution(0.4 * reference, reference) == 1
    assert effective_resolution(0.6 * reference, reference) == np.inf
    assert effective_resolution(np.zeros(4), np.zeros(4)) == np.inf


def test_windows_have_no_gap_in_any_image():
    first, second = np.arange(24.0).reshape(4, 6), np.ones((4, 6))
    first[0, 0] = second[3, 5] = np.nan
    corners = [window[0, 0] for window, _ in cut_whole_windows(first, second, side=2)]
    assert corners == [2, 4, 12, 14]
    assert not list(cut_whole_windows(first, second, side=5))
