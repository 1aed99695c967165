"""Noise is added as asked for, and stated as a product would state it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from no2sr.core.errors import SettingsError
from no2sr.evaluation.adding import add_noise, check_noise


def _image(values):
    return xr.DataArray(np.asarray(values, np.float32), dims=("y", "x"), attrs={"units": "mol m-2"})


def test_its_size_follows_the_true_column():
    values = np.repeat([0.0, 4.0, -4.0], 40_000).reshape(300, 400)
    noisy, _ = add_noise(_image(values), (0.3, 0.1), np.random.default_rng(0))
    added = noisy.values - values
    for column, expected in ((0, 0.3), (4, 0.5), (-4, 0.3)):
        assert added[values == column].std() == pytest.approx(expected, rel=0.02)


def test_stated_noise_is_that_of_the_noisy_column_over_nine_cells():
    noisy, stated = add_noise(_image(np.full((6, 6), 4.0)), (0.3, 0.1), np.random.default_rng(0))
    mean = noisy.values[1:4, 2:5].astype(np.float64).mean()
    assert stated.values[2, 3] == pytest.approx(np.hypot(0.3, 0.1 * mean), rel=1e-6)


def test_gaps_stay_and_are_left_out_of_the_mean():
    values = np.full((5, 5), 4.0)
    values[0, :] = np.nan
    noisy, stated = add_noise(_image(values), (0.0, 0.1), np.random.default_rng(0))
    assert np.isnan(noisy.values[0]).all()
    assert np.isnan(stated.values[0]).all()
    mean = noisy.values[1:3, 1:4].astype(np.float64).mean()
    assert stated.values[1, 2] == pytest.approx(0.1 * mean, rel=1e-6)


def test_layers_do_not_mix():
    layers = xr.concat([_image(np.full((4, 4), v)) for v in (1.0, 100.0)], dim="time")
    _, stated = add_noise(layers, (0.0, 0.01), np.random.default_rng(0))
    assert stated.values[0].max() < 0.02 < stated.values[1].min()


def test_no_noise_changes_nothing():
    image = _image(np.random.default_rng(1).normal(size=(5, 5)))
    noisy, stated = add_noise(image, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(noisy.values, image.values)
    assert not stated.values.any()


def test_a_number_is_a_constant_noise():
    assert check_noise(2) == (2.0, 0.0)
    assert check_noise([1, 0.5]) == (1.0, 0.5)


@pytest.mark.parametrize(
    "noise", [-1, (1, -0.1), float("nan"), (1, 2, 3), (1,), "auto", (True, 0.1), (1, "x")]
)
def test_other_noise_is_refused(noise):
    with pytest.raises(SettingsError, match="one standard deviation in the unit"):
        check_noise(noise)
