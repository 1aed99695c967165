"""Training: samples are what `downscale` sees, the loss conserves, a small network learns."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.errors import NoValidPixelsError, SettingsError, UnknownModelError
from no2sr.core.grid import georeference
from no2sr.evaluation.tables import evaluate
from no2sr.networks.card import ModelCard
from no2sr.networks.training.columns import ColumnSamples, conserving_loss, draw_samples
from no2sr.networks.training.settings import TrainSettings
from no2sr.networks.training.trainer import train
from no2sr.networks.training.windows import sample
from no2sr.simulation.scenes import add_noise, scene
from no2sr.steps.conserve import closure, conserve

CARD = ModelCard(network="srcnn", scale=4, radius=7, shrink=6)
SMALL = TrainSettings(
    samples=12, window_size=32, steps=3, batch=4, hyperparameters={"filters": (8, 4)}
)


def _image(values):
    image = xr.DataArray(values.astype(np.float32), dims=("y", "x"), attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.05, 0, 76, 0, -0.05, 30), "EPSG:4326")


@pytest.fixture(scope="module")
def gappy():
    values = np.random.default_rng(0).gamma(2, 1e-5, (120, 130))
    values[40:60, 20:70] = np.nan
    return _image(values)


def test_samples_are_finite_and_sized(gappy):
    inputs, targets = draw_samples([gappy], CARD, SMALL)
    assert inputs.shape == (12, 32 + 2 * 7, 32 + 2 * 7, 1)
    assert targets.shape == (12, 32, 32, 3)
    assert np.isfinite(inputs).all()
    assert np.isfinite(targets).all()
    assert set(np.unique(targets[..., 2])) <= {0, 1}
    assert (targets[..., 1] >= 0).all()


def test_what_is_left_over_has_no_block_mean(gappy):
    # Both the reference and the conserved bicubic image have the block means of the coarse one.
    _, targets = draw_samples([gappy], CARD, SMALL)
    for target in targets:
        means = closure(target[..., 0], np.zeros((8, 8)), np.ones(32))
        assert np.abs(means).max() < 1e-4  # of a root mean square of 1


def test_the_same_seed_draws_the_same_samples(gappy):
    first, second = (draw_samples([gappy], CARD, SMALL)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = draw_samples([gappy], CARD, dataclasses.replace(SMALL, seed=1))[0]
    assert (other != first).any()


def test_the_loss_is_the_error_of_the_conserved_estimate():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(16, 16)).astype(np.float32)
    reference = rng.normal(size=(16, 16)).astype(np.float32)
    coarse = reference.reshape(4, 4, 4, 4).mean(axis=(1, 3))
    spread = rng.uniform(0.5, 2, (16, 16)).astype(np.float32)
    correction = rng.normal(size=(18, 18)).astype(np.float32)
    seen = np.ones((16, 16), np.float32)
    seen[:4, :4] = 0
    inner = correction[1:-1, 1:-1]
    estimate = conserve(base + spread * inner, coarse, np.ones(16))
    wanted = (seen * (estimate - reference) ** 2).sum() / (seen.sum() + 1)
    left_over = reference - conserve(base, coarse, np.ones(16))
    target = np.stack([left_over, spread, seen], axis=-1)[None]
    found = conserving_loss(CARD)(target, correction[None, :, :, None])
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_only_observed_windows_are_drawn(gappy):
    _, targets = draw_samples([gappy], CARD, dataclasses.replace(SMALL, least_valid=1.0))
    assert (targets[..., 2] == 1).mean() > 0.5
    with pytest.raises(NoValidPixelsError, match="lower window_size or least_valid"):
        draw_samples([_image(np.full((64, 64), np.nan))], CARD, SMALL)


@pytest.mark.parametrize("count", [1, 12])
def test_what_is_held_out_shares_no_cell_with_what_is_learnt(count):
    images = [_image(np.random.default_rng(k).gamma(2, 1, (120, 130))) for k in range(count)]
    samples = ColumnSamples(images, CARD, dataclasses.replace(SMALL, held_out=0.3))
    learnt, watched = np.zeros((2, count, *samples.fields[0].shape), bool)
    rng = np.random.default_rng(0)
    for place in samples.places * 3:  # windows are moved at random: look where they end up
        k, row, column = samples.shift(place, rng)
        learnt[k, row : row + 32, column : column + 32] = True
    for k, row, column in samples.held_out:
        watched[k, row : row + 32, column : column + 32] = True
    assert learnt.any()
    assert watched.any()
    assert not (learnt & watched).any()


def test_holding_out_too_little_to_watch_is_refused(gappy):
    assert ColumnSamples([gappy], CARD, dataclasses.replace(SMALL, held_out=0.1)).held_out
    with pytest.raises(NoValidPixelsError, match="leaves no window of 64 x 64 cells to watch"):
        ColumnSamples([gappy], CARD, dataclasses.replace(SMALL, held_out=0.1, window_size=64))


def test_windows_are_drawn_anew_when_they_have_been_reused(gappy):
    # 12 samples x 2 uses in batches of 4: others from step 6 on.
    settings = dataclasses.replace(SMALL, reuse=2)
    samples = ColumnSamples([gappy], CARD, settings)
    first = samples.drawn[0]
    samples.batch(5)
    assert samples.drawn[0] is first
    later = samples.batch(6)
    assert (samples.drawn[0] != first).any()
    for one, other in zip(ColumnSamples([gappy], CARD, settings).batch(6), later, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gaps_and_noise_are_injected(gappy):
    plain, changed = (
        draw_samples([gappy], CARD, dataclasses.replace(SMALL, seed=2, **more))
        for more in ({}, {"gaps": 1.0})
    )
    assert changed[1][..., 2].mean() < plain[1][..., 2].mean()
    noisy = draw_samples([gappy], CARD, dataclasses.replace(SMALL, seed=2, noise=0.5))
    assert (noisy[0] != plain[0]).any()
    # Noise in a coarse cell is an error of its block mean, which no network can or should mend.
    closures = [closure(target[..., 0], np.zeros((8, 8)), np.ones(32)) for target in noisy[1]]
    assert np.abs(closures).max() > 0.1


@pytest.mark.parametrize("count", [1, 12])
def test_simulated_scenes_are_as_varied_and_never_held_out(count):
    images = [_image(np.random.default_rng(k).gamma(2, 3e3, (120, 130))) for k in range(count)]
    settings = dataclasses.replace(SMALL, simulated=3, held_out=0.3)
    samples = ColumnSamples(images, CARD, settings)
    assert len(samples) == count + 3
    spread = np.mean([image.values.std() for image in images])
    for field in samples.fields[count:]:
        assert np.nanstd(field) == pytest.approx(spread, rel=0.02)
    assert {k for k, _, _ in samples.places} >= {count, count + 1, count + 2}
    assert max(k for k, _, _ in samples.held_out) < count


def test_amplitude_alone_changes_nothing_a_network_sees(gappy):
    # Local normalisation is blind to it; beside injected noise it is not.
    def inputs(**more):
        return draw_samples([gappy], CARD, dataclasses.replace(SMALL, **more))[0]

    samples = ColumnSamples([gappy], CARD, dataclasses.replace(SMALL, amplitude=8.0))
    window = samples._window(samples.places[0])
    np.testing.assert_allclose(
        sample(window, CARD)[0], sample(8 * window, CARD)[0], rtol=0, atol=1e-4
    )
    assert (inputs(amplitude=8.0, noise=0.5) != inputs(noise=0.5)).mean() > 0.5


def test_settings_and_networks_out_of_range_are_refused(gappy):
    with pytest.raises(SettingsError, match="use at least the scale"):
        draw_samples([gappy], CARD, dataclasses.replace(SMALL, window_size=3))
    with pytest.raises(UnknownModelError, match="use one of denoiser, edsr, espcn, srcnn"):
        train([gappy], network="vdsr", settings=SMALL)
    with pytest.raises(SettingsError, match="whole number of at least 2"):
        train([gappy], scale=1, settings=SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch": 0},
        {"samples": -1},
        {"window_size": 0},
        {"learning_rate": 0},
        {"least_valid": 1.5},
        {"normalisation": 4},
        {"precision": "float16"},
        {"check_every": 0},
        {"reuse": -1},
        {"average": 1.0},
        {"held_out": 1.0},
        {"gaps": 2},
        {"noise": -0.1},
        {"amplitude": 0.5},
        {"mirrored": -0.1},
        {"weight_decay": -1e-3},
        {"simulated": -1},
        {"patience": 3},
    ],
    ids=str,
)
def test_every_setting_has_its_range(wrong):
    with pytest.raises(SettingsError, match=f"{next(iter(wrong))} is .* in the settings; use"):
        TrainSettings(**wrong)


def test_a_setting_that_does_not_exist_is_named():
    with pytest.raises(SettingsError, match="there is no setting 'step'; use steps"):
        TrainSettings(step=5)
    with pytest.raises(SettingsError, match="no setting 'colour'; there are steps, batch, samp"):
        TrainSettings(colour=5)
    with pytest.raises(SettingsError, match="steps is '5' in the settings; use a number"):
        TrainSettings(steps="5")
    assert copy.deepcopy(TrainSettings(steps=5)) == dataclasses.replace(TrainSettings(), steps=5)


def test_unknown_hyperparameters_are_refused(gappy):
    settings = dataclasses.replace(SMALL, hyperparameters={"depth": 99})
    with pytest.raises(SettingsError, match="no hyperparameter depth; use filters, kernels"):
        train([gappy], settings=settings)


def test_training_is_repeatable_and_documented(gappy):
    import keras

    first, second = (train([gappy], scale=4, settings=SMALL) for _ in range(2))
    assert keras.config.dtype_policy().name == "float32"
    assert first.card.training["settings"]["steps"] == 3
    assert (first.card.radius, first.card.shrink) == (7, 6)
    assert first.card.parameters == first.network.count_params()
    for a, b in zip(first.network.get_weights(), second.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_small_network_learns_to_beat_bicubic_with_correction():
    train_on = [add_noise(scene((96, 96), seed=k), 1e-6, seed=k) for k in range(12)]
    judge_on = [add_noise(scene((96, 96), seed=k), 1e-6, seed=k) for k in range(100, 106)]
    settings = TrainSettings(
        steps=300,
        batch=8,
        samples=400,
        window_size=48,
        learning_rate=1e-3,
        hyperparameters={"filters": (24, 16)},
    )
    model = train(train_on, scale=4, settings=settings)
    methods = {"bicubic": "bicubic", "corrected": "bicubic + correction", "ours": model}
    table = evaluate(judge_on, scale=4, methods=methods, metrics=["rmse", "closure"])
    assert table.loc["ours", "rmse"] < table.loc["corrected", "rmse"] < table.loc["bicubic", "rmse"]
