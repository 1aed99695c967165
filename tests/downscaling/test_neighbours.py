"""Time neighbours: by their times, cell by cell, the same in memory, by window and on Dask."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine
from scipy.ndimage import gaussian_filter

import no2sr
from no2sr.core.grid import georeference
from no2sr.downscaling.neighbours import find_neighbours, order_steps
from no2sr.downscaling.settings import Refining, Writing

NOISE = 0.5


@pytest.fixture(scope="module")
def stack():
    """Return six noisy hours of one field, spread 1, with their truth."""
    rng = np.random.default_rng(0)
    truth = gaussian_filter(rng.normal(size=(30, 34)), 1.2)
    truth = 3 + truth / truth.std()
    values = truth + NOISE * rng.normal(size=(6, 30, 34))
    attrs = {"units": "mol m-2"}
    times = pd.date_range("2023-10-31", periods=6, freq="h")
    image = xr.DataArray(
        values.astype("float32"),
        dims=("time", "y", "x"),
        coords={"time": times},
        attrs=attrs,
        name="no2",
    )
    return georeference(image, Affine(0.1, 0, 10, 0, -0.1, 45), "EPSG:4326"), truth


def refine(image, **how):
    return no2sr.downscale(image, noise=NOISE, **how)


def error(fine, truth):
    blocks = fine.values.reshape(len(fine), 30, 4, 34, 4).mean(axis=(2, 4))
    return float(np.sqrt(np.nanmean((blocks - truth) ** 2)))


def test_the_order_is_that_of_the_times():
    before, after = order_steps(np.array([3.0, 1.0, 2.0, 9.0, 8.0]))
    np.testing.assert_array_equal(before, [2, -1, 1, 4, -1])
    np.testing.assert_array_equal(after, [-1, 2, 0, -1, 3])


def test_steps_at_the_same_time_are_no_neighbours():
    before, after = order_steps(np.array([1.0, 1.0]))
    assert (before == -1).all()
    assert (after == -1).all()


def test_neighbours_take_noise_off(stack):
    image, truth = stack
    assert error(refine(image, neighbours=1), truth) < 0.97 * error(refine(image), truth)


def test_the_order_of_steps_does_not_matter(stack):
    image, _ = stack
    order = [3, 0, 5, 1, 4, 2]
    shuffled = refine(image.isel(time=order), neighbours=1)
    np.testing.assert_array_equal(shuffled.values, refine(image, neighbours=1).values[order])


def test_a_step_that_is_far_away_is_none(stack):
    image, _ = stack
    times = image["time"].values.copy()
    times[3:] += np.timedelta64(6, "h")
    late = refine(image.assign_coords(time=times), neighbours=1)
    halves = [refine(image[part], neighbours=1) for part in (slice(0, 3), slice(3, 6))]
    np.testing.assert_array_equal(late.values, np.concatenate([half.values for half in halves]))


def test_where_both_neighbours_are_gaps_nothing_changes(stack):
    image, _ = stack
    lone = image.copy(deep=True)
    lone.values[[1, 3]] = np.nan
    told, plain = refine(lone, neighbours=1), refine(lone)
    np.testing.assert_array_equal(told.values[2], plain.values[2])
    half = image.copy(deep=True)
    half.values[[1, 3], :, 20:] = np.nan
    told, plain = (refine(half, neighbours=n).values[2] for n in (1, 0))
    block_means = [each.reshape(30, 4, 34, 4).mean(axis=(1, 3)) for each in (told, plain)]
    np.testing.assert_allclose(block_means[0][:, 20:], block_means[1][:, 20:], atol=1e-5)
    assert np.abs(block_means[0] - block_means[1])[:, :20].max() > 0.01


def test_a_single_step_is_as_without(stack):
    image, _ = stack
    one = refine(image[2], neighbours=1)
    np.testing.assert_array_equal(one.values, refine(image[2]).values)
    assert "no2sr_neighbours" not in one.attrs


def test_dask_and_window_give_the_same(stack, tmp_path):
    image, _ = stack
    whole = refine(image, neighbours=1)
    lazy = refine(image.chunk({"time": 2, "y": 12}), neighbours=1)
    np.testing.assert_allclose(lazy.values, whole.values, atol=1e-6)
    refining = Refining(noise=NOISE, neighbours=1)
    path = no2sr.downscale_file(
        image.chunk({"time": 1}),
        tmp_path / "fine.nc",
        refining=refining,
        writing=Writing(unit="mol m-2"),
    )
    with xr.open_dataset(path) as written:
        np.testing.assert_allclose(written["no2"].values, whole.values, atol=1e-5)
        assert "neighbours=1" in written.attrs["history"]


def test_without_times_it_is_refused(stack):
    image, _ = stack
    with pytest.raises(no2sr.SettingsError, match="no times"):
        find_neighbours(image.drop_vars("time"), image)


def test_another_number_is_refused(stack):
    with pytest.raises(no2sr.SettingsError, match="choose 0 or 1"):
        refine(stack[0], neighbours=2)
