"""Conservation: block means of the fine image are the coarse image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from no2sr.core.errors import SettingsError
from no2sr.steps.conserve import block_mean, closure, conserve


@st.composite
def cases(draw):
    """Draw a fine field, a coarse field with gaps and negatives, and row areas."""
    scale = draw(st.integers(1, 4))
    ny, nx = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.normal(0.5, 1, (ny, nx)).astype(np.float32)
    coarse[rng.random((ny, nx)) < 0.3] = np.nan
    fine = rng.normal(0.5, 1, (ny * scale, nx * scale)).astype(np.float32)
    return fine, coarse, rng.uniform(0.1, 2, ny * scale)


@given(cases(), st.sampled_from(["additive", "multiplicative"]))
def test_block_means_equal_the_coarse_image(case, kind):
    fine, coarse, areas = case
    result = conserve(fine, coarse, areas, kind=kind)
    residual = closure(result, coarse, areas)[np.isfinite(coarse)]
    # Rounding to float32 of values up to about 5, times gains up to 100.
    assert np.abs(residual).max(initial=0) < (1e-6 if kind == "additive" else 5e-5)


def test_a_row_without_area_takes_nothing():
    # The upper half of a cell centred on the north pole does not exist.
    fine = np.random.default_rng(0).uniform(1, 2, (4, 8)).astype(np.float32)
    coarse, areas = np.array([[1.5, 1.25]], np.float32), np.array([0, 0, 1e-9, 1])
    result = conserve(fine, coarse, areas)
    assert np.abs(result).max() < 4
    assert np.abs(closure(result, coarse, areas)).max() < 1e-7


def test_rounding_is_evened_out_within_the_block():
    # Values near 1 are rounded to 6e-8, half a last digit; the mean over 16 cells, of which one
    # takes what is left over, is then off by no more than a sixteenth of that.
    fine = np.random.default_rng(0).uniform(1, 2, (400, 400)).astype(np.float32)
    coarse = np.random.default_rng(1).uniform(1, 2, (100, 100)).astype(np.float32)
    residual = closure(conserve(fine, coarse, np.ones(400)), coarse, np.ones(400))
    assert np.abs(residual).max() <= 1.01 * 2**-23 / 16


@given(cases())
def test_conserving_twice_changes_nothing(case):
    fine, coarse, areas = case
    once = conserve(fine, coarse, areas)
    np.testing.assert_allclose(conserve(once, coarse, areas), once, atol=1e-6)


@given(cases())
def test_blocks_in_gaps_are_left_alone(case):
    fine, coarse, areas = case
    scale = fine.shape[0] // coarse.shape[0]
    gap = np.repeat(np.repeat(np.isnan(coarse), scale, 0), scale, 1)
    np.testing.assert_allclose(conserve(fine, coarse, areas)[gap], fine[gap], atol=1e-6)


def test_means_are_weighted_by_area():
    # Rows of area 1 and 3: (1 * (0 + 4)/2 + 3 * (8 + 12)/2) / 4 = (2 + 30) / 4 = 8.
    fine = np.array([[0, 4], [8, 12]], dtype=np.float32)
    assert block_mean(fine, 2, np.array([1.0, 3.0])) == pytest.approx(np.array([[8.0]]))


def test_additive_shifts_and_multiplicative_scales():
    fine = np.array([[1, 3]], dtype=np.float32).repeat(2, axis=0)  # mean 2
    coarse, areas = np.array([[4]], dtype=np.float32), np.ones(2)
    np.testing.assert_allclose(conserve(fine, coarse, areas)[0], [3, 5])
    scaled = conserve(fine, coarse, areas, kind="multiplicative")
    np.testing.assert_allclose(scaled[0], [2, 6])


def test_multiplicative_falls_back_where_no_factor_is_defined():
    fine = np.array([[-1, 3]], dtype=np.float32).repeat(2, axis=0)  # mean 1
    negative = conserve(fine, np.array([[-2]], np.float32), np.ones(2), kind="multiplicative")
    np.testing.assert_allclose(negative[0], [-4, 0])


@pytest.mark.parametrize(
    ("mean", "target", "factor"),
    [
        (0.5, 100, False),  # 0.5 % of the target: a factor of 200 would make structure of noise
        (1.5, 100, True),  # 1.5 % of it
        (1, 0, False),  # a factor of nought would wipe out the block
        (1, -0.5, False),  # and one below nought turn it upside down
        (-1, 2, False),
        (3, 2, True),
    ],
)
def test_a_factor_is_used_from_a_hundredth_of_the_target_on(mean, target, factor):
    fine = np.array([[mean - 0.25, mean + 0.25]], dtype=np.float32).repeat(2, axis=0)
    coarse = np.array([[target]], dtype=np.float32)
    result = conserve(fine, coarse, np.ones(2), kind="multiplicative")
    expected = fine * (target / mean) if factor else fine + np.float32(target - mean)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_what_rounding_left_goes_into_the_largest_row_of_each_block():
    # 1e6 + 0.03125 n rounds to multiples of 0.0625: the first two columns are what rounding of
    # the shift gives, and only the cell in the largest row of each block may differ.
    rng = np.random.default_rng(5)
    fine = (1e6 * rng.normal(0, 1, (6, 4))).astype(np.float32)
    coarse = rng.normal(0, 1, (3, 2)).astype(np.float32)
    areas = np.array([1.0, 3.0, 2.0, 1.0, 1.0, 2.0])
    shift = coarse - block_mean(fine, 2, areas)
    plain = (fine + shift.repeat(2, axis=0).repeat(2, axis=1)).astype(np.float32)
    changed = conserve(fine, coarse, areas) != plain
    assert changed.any()
    largest = np.zeros_like(changed)
    largest[[1, 2, 5], ::2] = True
    assert not (changed & ~largest).any()


def test_unknown_kind_is_refused():
    with pytest.raises(SettingsError, match="choose 'additive' or 'multiplicative'"):
        conserve(np.ones((2, 2)), np.ones((1, 1)), np.ones(2), kind="soft")
