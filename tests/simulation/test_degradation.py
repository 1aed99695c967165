"""Degrading: the area mean a coarser sensor would have seen."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.errors import SettingsError
from no2sr.core.grid import bounds_of, georeference, refine
from no2sr.simulation.degrading import degrade


def _image(values, *, step=1.0, north=50.0):
    image = xr.DataArray(
        np.asarray(values, np.float32), dims=("y", "x"), attrs={"units": "mol m-2"}
    )
    return georeference(image, Affine(step, 0, 10, 0, -step, north), "EPSG:4326")


def test_degrading_undoes_refining():
    coarse = _image(np.random.default_rng(0).normal(size=(5, 4)))
    back = degrade(refine(coarse, 3), 3)
    np.testing.assert_allclose(back.values, coarse.values, rtol=1e-6)
    assert bounds_of(back) == pytest.approx(bounds_of(coarse), abs=1e-12)


def test_rows_weigh_by_their_area():
    # Rows 50..49 and 49..48 N: areas sin 50 - sin 49 and sin 49 - sin 48, so the mean of 0 and 1 is
    # (sin 49 - sin 48) / (sin 50 - sin 48) = 0.5050...: the southern row is the larger.
    sines = np.sin(np.deg2rad([50, 49, 48]))
    expected = (sines[1] - sines[2]) / (sines[0] - sines[2])
    assert expected > 0.5
    assert degrade(_image([[0, 0], [1, 1]]), 2).item() == pytest.approx(expected, rel=1e-6)


def test_a_block_with_a_gap_is_a_gap():
    values = np.ones((4, 4))
    values[0, 0] = np.nan
    np.testing.assert_array_equal(np.isnan(degrade(_image(values), 2).values), [[1, 0], [0, 0]])


def test_sizes_are_trimmed_to_the_scale():
    assert degrade(_image(np.ones((7, 5))), 2).shape == (3, 2)


def test_the_blur_has_the_transfer_asked_for():
    # A wave of two coarse cells (8 fine ones): after the blur its amplitude is the transfer at
    # Nyquist, after the mean over 4 cells another factor, the discrete mean of a wave: sin(pi/2) /
    # (4 sin(pi/8)).
    wave = np.cos(2 * np.pi * (np.arange(160) + 0.5) / 8 - np.pi / 4)
    image = _image(np.tile(wave, (16, 1)), step=0.01, north=0.08)
    plain, blurred = degrade(image, 4), degrade(image, 4, psf=(0.9, 0.44))
    inner = slice(10, 30)
    ratio = blurred.values[1, inner] / plain.values[1, inner]
    np.testing.assert_allclose(ratio, 0.44, rtol=2e-3)


@pytest.mark.parametrize("psf", [(0, 0.5), (0.5, 1), (2, 0.5)])
def test_a_transfer_out_of_range_is_refused(psf):
    with pytest.raises(SettingsError, match="between 0 and 1"):
        degrade(_image(np.ones((4, 4))), 2, psf=psf)
