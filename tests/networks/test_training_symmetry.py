"""Symmetric training: what is learnt commutes with turns and mirrorings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.errors import SettingsError
from no2sr.core.grid import georeference
from no2sr.networks.registry import build_network
from no2sr.networks.training.columns import ColumnSamples, draw_samples
from no2sr.networks.training.settings import TrainSettings
from no2sr.networks.training.symmetry import Symmetry
from no2sr.networks.training.trainer import train

SMALL = {
    "srcnn": {"filters": (16, 8)},
    "espcn": {"filters": (16, 8)},
    "edsr": {"filters": 16, "blocks": 1},
}
SETTINGS = TrainSettings(
    samples=12, window_size=24, steps=6, batch=4, learning_rate=1e-2, average=0.5, symmetric=True
)


@pytest.fixture(scope="module")
def image():
    """Return an image with more structure along one axis than along the other."""
    values = np.random.default_rng(0).gamma(2, 1e-5, (90, 100)).cumsum(axis=1).astype(np.float32)
    image = xr.DataArray(values, dims=("y", "x"), attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.05, 0, 76, 0, -0.05, 30), "EPSG:4326")


def _asymmetry(network):
    """Return the largest change when an input is turned and mirrored and the output back."""
    given = np.random.default_rng(1).normal(size=(1, 21, 21, 1)).astype(np.float32)
    plain = np.asarray(network(given))
    found = []
    for turn in range(4):
        turned = np.rot90(given, turn, axes=(1, 2))
        for moved, back in ((turned, slice(None)), (turned[:, ::-1], slice(None, None, -1))):
            estimate = np.asarray(network(np.ascontiguousarray(moved)))[:, back]
            found.append(np.abs(np.rot90(estimate, -turn, axes=(1, 2)) - plain).max())
    return max(found) / np.abs(plain).max()


@pytest.fixture(scope="module")
def learnt(image):
    """Return a trained symmetric ESPCN."""
    settings = dataclasses.replace(SETTINGS, hyperparameters=SMALL["espcn"])
    return train([image], network="espcn", scale=2, settings=settings)


@pytest.mark.parametrize(("network", "scale"), [("srcnn", 2), ("edsr", 3)])
def test_what_is_learnt_commutes_with_turns_and_mirrorings(image, network, scale):
    settings = dataclasses.replace(SETTINGS, hyperparameters=SMALL[network])
    model = train([image], network=network, scale=scale, settings=settings)
    assert _asymmetry(model.network) < 1e-5


def test_symmetry_is_not_learnt_by_itself(image, learnt):
    assert _asymmetry(learnt.network) < 1e-5
    free = dataclasses.replace(SETTINGS, hyperparameters=SMALL["espcn"], symmetric=False)
    assert _asymmetry(train([image], network="espcn", scale=2, settings=free).network) > 0.01


def test_the_symmetric_part_is_a_projection_that_keeps_what_is_symmetric(image):
    network = build_network("edsr", scale=2, **SMALL["edsr"])
    symmetry = Symmetry(network, 2)
    once = [np.asarray(part) for part in symmetry.part(network.get_weights())]
    for first, second in zip(once, symmetry.part(once), strict=True):
        np.testing.assert_allclose(second, first, atol=1e-7)
    # A projection to the side: what is taken away is orthogonal to what stays.
    for weight, part in zip(network.get_weights(), once, strict=True):
        assert abs(((weight - part) * part).sum()) < 1e-5
    # The 3 x 3 taps of one channel to one group have as many free numbers as there are taps.
    assert len(np.unique(once[0].round(7))) == 9 * 16 / 8


def test_training_goes_on_from_a_model_without_blowing_it_up(image, learnt):
    settings = dataclasses.replace(SETTINGS, hyperparameters=SMALL["espcn"], learning_rate=1e-9)
    second = train([image], network="espcn", scale=2, settings=settings, start=learnt)
    for a, b in zip(learnt.network.get_weights(), second.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_feature_maps_that_do_not_group_are_refused(image):
    settings = dataclasses.replace(SETTINGS, hyperparameters={"filters": (12, 8)})
    with pytest.raises(SettingsError, match="symmetric network needs a multiple of 8"):
        train([image], network="espcn", scale=2, settings=settings)


def test_mirrored_windows_do_not_see_beyond_their_edges(image, learnt):
    settings = dataclasses.replace(SETTINGS, samples=30, window_size=32, mirrored=1.0)
    card = learnt.card
    inputs, _ = draw_samples([image], card, settings)
    rim = card.radius
    np.testing.assert_array_equal(inputs[:, rim - 1], inputs[:, rim])
    np.testing.assert_array_equal(inputs[:, :, -rim], inputs[:, :, -rim - 1])
    half = ColumnSamples([image], card, dataclasses.replace(settings, mirrored=0.5)).drawn[0]
    share = np.mean([np.array_equal(x[rim - 1], x[rim]) for x in half])
    assert 0 < share < 1
