"""`downscale`: what goes in comes out, finer; what cannot is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr import downscale, load_model
from no2sr.core.errors import (
    CardMismatchError,
    NoValidPixelsError,
    SettingsError,
    TooSmallError,
    UnknownModelError,
)
from no2sr.core.grid import georeference
from no2sr.steps.resample import upsample


def _image(shape, transform=None, crs="EPSG:4326"):
    values = np.random.default_rng(0).gamma(2, 2e-5, shape).astype(np.float32)
    dims = ("time", "y", "x")[-len(shape) :]
    image = xr.DataArray(values, dims=dims, name="no2", attrs={"units": "mol m-2"})
    return georeference(image, transform or Affine(0.1, 0, 70, 0, -0.1, 40), crs)


def test_every_time_is_downscaled_as_if_alone():
    image = _image((3, 9, 8)).assign_coords(time=np.arange("2024-01", "2024-04", dtype="M8[M]"))
    image = image.assign_coords(time=image["time"].astype("M8[ns]"))
    fine = downscale(image, scale=2)
    assert fine.dims == ("time", "y", "x")
    xr.testing.assert_equal(fine["time"], image["time"])
    for k in range(3):
        alone = downscale(image.isel(time=k, drop=True), scale=2)
        np.testing.assert_array_equal(fine.values[k], alone.values)


def test_progress_counts_over_all_times():
    calls = []
    downscale(_image((2, 9, 8)), scale=4, progress=lambda *call: calls.append(call))
    assert calls[-1] == (2 * 9 * 8 * 16, 2 * 9 * 8 * 16)


def test_a_global_grid_is_continued_around_the_earth():
    image = _image((18, 36), Affine(10, 0, -180, 0, -10, 90))
    turned = image.copy(data=np.roll(image.values, 7, axis=1))
    np.testing.assert_allclose(
        downscale(turned, scale=2).values,
        np.roll(downscale(image, scale=2).values, 14, axis=1),
        atol=1e-9,
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_rows_centred_on_the_poles_end_there(scale):
    # 19 rows at -90, -80 ... 90: half of the first and the last does not exist.
    image = _image((19, 36), Affine(10, 0, -180, 0, -10, 95))
    fine = downscale(image, scale=scale)
    assert np.isfinite(fine.values).all()
    assert np.abs(fine["y"].values).max() <= 90 + 1e-9
    assert fine.sizes["y"] == 19 * scale - 2 * (scale // 2)
    assert fine.attrs["no2sr_closure_max"] < 1e-6


def test_nothing_observed_is_refused():
    image = _image((9, 8))
    empty = image.copy(data=np.full(image.shape, np.nan, np.float32))
    with pytest.raises(NoValidPixelsError, match=r"pixels of .* are gaps"):
        downscale(empty)


def test_no_spread_leaves_the_upsampled_image():
    # One odd cell in an otherwise constant image: where its neighbourhood does not reach, the
    # result is the constant, not a correction of nothing.
    values = np.full((40, 40), 3e-5)
    values[5, 5] = 9e-5
    fine = downscale(_image((40, 40)).copy(data=values.astype(np.float32)), scale=4).values
    halo = load_model("srcnn", scale=4).card.halo
    beyond = (5 + halo + 1) * 4
    np.testing.assert_allclose(fine[beyond:], 3e-5, rtol=1e-6)


def test_the_network_changes_the_bicubic_image():
    image = _image((20, 20))
    fine = downscale(image, scale=4).values
    assert np.abs(fine - upsample(image.values, 4)).max() > 0.01 * np.std(image.values)


def test_facts_are_written_down():
    image = _image((9, 8))
    image.values[0, 0] = np.nan
    fine = downscale(image, scale=3, edges="pad", conserve="multiplicative")
    assert fine.attrs["no2sr_model"] == "srcnn"
    assert fine.attrs["no2sr_scale"] == 3
    assert fine.attrs["no2sr_conserve"] == "multiplicative"
    assert fine.attrs["no2sr_edges"] == "pad"
    assert len(fine.attrs["no2sr_model_sha256"]) == 64
    assert fine.attrs["no2sr_gap_share"] == pytest.approx(1 / 72)
    assert fine.attrs["history"].startswith("no2sr: downscale scale=3 model=srcnn")


def test_multiplicative_keeps_positive_blocks_positive():
    values = np.full((12, 12), 1e-6)
    values[6, 6] = 3e-4  # a source on clean air: bicubic overshoots below zero around it
    image = _image((12, 12)).copy(data=values.astype(np.float32))
    assert downscale(image, scale=4).values.min() < 0
    # The network's own overshoot within a block can remain; scaling never adds to it.
    block_means = downscale(image, scale=4, conserve="multiplicative").values
    assert block_means.reshape(12, 4, 12, 4).mean(axis=(1, 3)).min() > 0


@pytest.mark.parametrize("edges", ["pad", "shave"])
def test_too_small_grids_are_refused(edges):
    with pytest.raises(TooSmallError, match="choose a larger region"):
        downscale(_image((3, 16)), scale=4, edges=edges)


def test_wrong_settings_are_refused():
    image = _image((9, 8))
    with pytest.raises(SettingsError, match="choose 'pad' or 'shave'"):
        downscale(image, edges="mirror")
    for scale in (1, 0, -2, 2.5):
        with pytest.raises(SettingsError, match="whole number of at least 2"):
            downscale(image, scale=scale)
    with pytest.raises(SettingsError, match="additive"):
        downscale(image, conserve="soft")


def test_a_scale_without_weights_is_refused():
    with pytest.raises(UnknownModelError, match=r"weights for scale 2, 3, 4"):
        downscale(_image((9, 8)), scale=5)


def test_a_model_for_another_scale_is_refused():
    model = load_model("srcnn", scale=4)
    with pytest.raises(CardMismatchError, match="use scale=4 or another model"):
        downscale(_image((9, 8)), scale=2, model=model)
    assert downscale(_image((9, 8)), scale=4, model=model).shape == (36, 32)


def test_a_model_is_a_frozen_record():
    model = load_model("srcnn", scale=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.card = None
