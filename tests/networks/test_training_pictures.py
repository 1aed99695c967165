"""Training on pictures: pairs by MATLAB's bicubic, the plain loss, held-out pictures."""

from __future__ import annotations

import numpy as np
import pytest

from no2sr.core.errors import NoValidPixelsError, SettingsError
from no2sr.networks.card import ModelCard
from no2sr.networks.training.pictures import PictureSamples
from no2sr.networks.training.settings import TrainSettings
from no2sr.networks.training.trainer import train
from no2sr.steps.luminance import WHITE, luminance_of
from no2sr.steps.resample import resize, upsample
from no2sr.views.luminance import enlarge_luminance

CARD = ModelCard(network="srcnn", scale=3, radius=7, shrink=6, domain="luminance")
SMALL = TrainSettings(
    steps=3, batch=4, window_size=16, check_every=2, hyperparameters={"filters": (8, 4)}
)


def _pictures(count=3):
    """Return pictures of a few sharp rectangles on a slope."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        picture = np.add.outer(np.arange(64), np.arange(70))[..., None] * np.ones(3)
        for _ in range(6):
            top, left = rng.integers(0, 50, 2)
            picture[top : top + rng.integers(4, 20), left : left + rng.integers(4, 20)] = (
                rng.integers(0, 256, 3)
            )
        found.append(picture.astype(np.uint8))
    return found


def test_windows_are_a_picture_before_and_after():
    samples = PictureSamples(_pictures(1), CARD, SMALL)
    inputs, targets = samples.batch(0)
    assert inputs.shape == (4, 30, 30, 1)
    assert targets.shape == (4, 16, 16, 1)
    # Input plus target is the picture: every window is found in it, in one of its eight positions
    # and at one of five sizes; the whole-size pair is the picture's own.
    plane = luminance_of(_pictures(1)[0])[:63, :69]
    pair = samples.pairs[0]
    np.testing.assert_allclose(pair.reference[7:-7, 7:-7] * WHITE, plane, atol=1e-4)
    np.testing.assert_allclose(
        pair.upsampled[7:-7, 7:-7] * WHITE, upsample(resize(plane, (21, 23)), 3), atol=1e-4
    )
    whole = inputs[:, 7:-7, 7:-7, 0] + targets[..., 0] * samples.size
    places = [
        np.lib.stride_tricks.sliding_window_view(p.reference, (16, 16)) for p in samples.pairs
    ]
    for window in whole:
        turns = [np.rot90(w, k) for w in (window, window[:, ::-1]) for k in range(4)]
        gaps = [np.abs(place - turn).max(axis=(2, 3)).min() for place in places for turn in turns]
        assert min(gaps) < 1e-5


def test_batches_depend_on_seed_and_step_alone():
    first, again = (PictureSamples(_pictures(), CARD, SMALL) for _ in range(2))
    first.batch(0)
    for one, other in zip(first.batch(5), again.batch(5), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first.batch(5)[0] != first.batch(6)[0]).any()


def test_the_loss_is_one_for_bicubic_interpolation():
    # In units of what bicubic leaves over, doing nothing costs the mean square of the targets.
    samples = PictureSamples(_pictures(), CARD, SMALL)
    _, targets = samples.batch(0)
    nothing = np.zeros((4, 18, 18, 1), np.float32)
    assert float(samples.loss()(targets, nothing)) == pytest.approx(np.mean(targets**2), rel=1e-5)
    right = np.pad(targets * samples.size, [(0, 0), (1, 1), (1, 1), (0, 0)])
    assert float(samples.loss()(targets, right)) == pytest.approx(0, abs=1e-8)


def test_held_out_pictures_are_never_learnt_from():
    settings = TrainSettings(window_size=16, held_out=0.34)
    samples = PictureSamples(_pictures(6), CARD, settings)
    watched = [pair.reference for pair in samples._watched]
    assert len(watched) == 2
    for pair in samples.pairs:
        assert all(
            pair.reference.shape != other.shape or (pair.reference != other).any()
            for other in watched
        )


def test_a_trained_network_goes_to_work():
    model = train(_pictures(), scale=3, settings=SMALL, domain="luminance")
    assert (model.card.domain, model.card.name) == ("luminance", "luminance")
    assert enlarge_luminance(np.full((20, 20), 99.0), model).shape == (60, 60)
    assert model.card.training["curve"]["step"] == [2, 3]


def test_what_cannot_learn_from_pictures_is_refused():
    with pytest.raises(SettingsError, match="conserves them, which pictures do not"):
        train(_pictures(), network="espcn", scale=3, settings=SMALL, domain="luminance")
    with pytest.raises(NoValidPixelsError, match="no picture has 64 x 64 pixels"):
        train([np.zeros((20, 20))], scale=3, domain="luminance")
    with pytest.raises(NoValidPixelsError, match="10% of 3 pictures leaves none to watch"):
        PictureSamples(_pictures(), CARD, TrainSettings(window_size=16, held_out=0.1))
    with pytest.raises(SettingsError, match="domain is 'colour'; use"):
        train(_pictures(), settings=SMALL, domain="colour")


@pytest.mark.slow
def test_a_small_network_learns_to_beat_bicubic_interpolation():
    settings = TrainSettings(
        steps=400,
        batch=16,
        window_size=24,
        learning_rate=2e-3,
        hyperparameters={"filters": (16, 8)},
    )
    model = train(_pictures(20), scale=2, settings=settings, domain="luminance")
    plane = luminance_of(_pictures(23)[22])
    small = resize(plane, (32, 35))
    error = [
        np.square(found - plane).mean()
        for found in (enlarge_luminance(small, model), np.clip(upsample(small, 2), 0, 255))
    ]
    assert error[0] < 0.9 * error[1]
