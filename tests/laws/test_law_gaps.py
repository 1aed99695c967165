"""Fourth law: gaps are gaps, exactly there, and are felt nowhere beyond the stated radius."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scenes import LAW, NETWORKS, SCALES, images

from no2sr import downscale
from no2sr.networks.store import load_model
from no2sr.steps.gaps import fill_gaps, restore_gaps


@LAW
@given(images(times=True), SCALES, NETWORKS)
def test_gaps_are_gaps_exactly_there(image, scale, network):
    expected = np.isnan(image.values).repeat(scale, axis=-2).repeat(scale, axis=-1)
    fine = downscale(image, scale=scale, model=network)
    np.testing.assert_array_equal(np.isnan(fine.values), expected)
    assert fine.attrs["no2sr_gap_share"] == np.isnan(image.values).mean()


@LAW
@given(images(gaps=False, least=30, most=40), SCALES, NETWORKS, st.data())
def test_a_gap_is_not_felt_beyond_the_halo(image, scale, network, data):
    halo = load_model(network, scale=scale).card.halo
    row = data.draw(st.integers(0, image.sizes["y"] - 1))
    column = data.draw(st.integers(0, image.sizes["x"] - 1))
    gappy = image.copy(deep=True)
    gappy.values[row, column] = np.nan
    before, after = (downscale(each, scale=scale, model=network).values for each in (image, gappy))
    distance = np.maximum(
        np.abs(np.arange(image.sizes["y"]) - row)[:, None],
        np.abs(np.arange(image.sizes["x"]) - column),
    )
    far = (distance > halo).repeat(scale, axis=0).repeat(scale, axis=1)
    np.testing.assert_array_equal(after[far], before[far])


@LAW
@given(images(), st.integers(1, 8))
def test_filled_cells_lie_between_the_observed_around_them(image, radius):
    values = image.values
    filled = fill_gaps(values, radius)
    valid = np.isfinite(values)
    assert np.isfinite(filled).all()
    wide = np.pad(values, radius, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (2 * radius + 1,) * 2)
    flat = windows.reshape(*values.shape, -1)
    seen = np.isfinite(flat).any(axis=-1)
    low = np.where(np.isfinite(flat), flat, np.inf).min(axis=-1)
    high = np.where(np.isfinite(flat), flat, -np.inf).max(axis=-1)
    room = 1e-6 * np.nanmax(np.abs(values))
    assert (filled[~seen] == 0).all()
    assert (filled[seen] >= low[seen] - room).all()
    assert (filled[seen] <= high[seen] + room).all()
    np.testing.assert_array_equal(restore_gaps(filled, valid), values)
