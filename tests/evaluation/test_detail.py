"""Improvement, omission and hallucination, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from no2sr.core.errors import NoValidPixelsError
from no2sr.evaluation.detail import judge_detail

VALUES = st.lists(st.integers(-50, 50), min_size=6, max_size=6)


def test_shares_by_hand():
    # Above an interpolated 10 the reference has the detail 2, 2, -2, 0, the estimate 1, 3, 1, 1.
    # Shared: 1, 2, 0, 0. Missed: 1, 0, 2, 0. Made up: 0, 1, 1, 1. Three thirds.
    judged = judge_detail(
        np.array([11, 13, 11, 11]), np.array([12, 12, 8, 10]), np.full(4, 10, dtype=np.float32)
    )
    assert judged == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_the_extremes():
    reference, base = np.array([1.0, 5.0, 2.0]), np.array([2.0, 3.0, 2.5])
    assert judge_detail(reference, reference, base) == (1, 0, 0)
    assert judge_detail(base, reference, base) == (0, 1, 0)
    opposite = 2 * base - reference
    assert judge_detail(opposite, reference, base) == (0, 0.5, 0.5)
    assert np.isnan(judge_detail(base, base, base)).all()


@given(VALUES, VALUES, VALUES)
def test_what_is_missed_or_made_up_is_the_error(estimate, reference, base):
    estimate, reference, base = np.array([estimate, reference, base], dtype=np.float64)
    judged = judge_detail(estimate, reference, base)
    detail = np.abs(reference - base).sum() + np.abs(estimate - base).sum()
    if detail > 0:
        # The detail of both counts what they share twice: divided by what is counted once, it is
        # 2 improvement + omission + hallucination.
        whole = detail / (1 + judged.improvement)
        error = np.abs(estimate - reference).sum()
        assert (judged.omission + judged.hallucination) * whole == pytest.approx(error, abs=1e-9)


def test_gaps_do_not_count():
    images = np.array([[1.0, 9.0, np.nan], [2.0, np.nan, 3.0], [0.0, 0.0, 0.0]])
    assert judge_detail(*images) == judge_detail(*images[:, :1])
    with pytest.raises(NoValidPixelsError, match="all cover"):
        judge_detail(*images[:, 1:])
