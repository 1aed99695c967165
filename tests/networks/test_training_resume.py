"""Checkpoints: a run that was killed and continued ends as one that was not."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from no2sr.core.errors import CardMismatchError
from no2sr.networks.card import ModelCard
from no2sr.networks.training import trainer as training
from no2sr.networks.training.settings import TrainSettings
from no2sr.networks.training.trainer import train
from no2sr.simulation.scenes import scene

SETTINGS = TrainSettings(
    steps=40,
    batch=4,
    samples=12,
    reuse=2,
    window_size=32,
    check_every=5,
    held_out=0.5,
    average=0.9,
    weight_decay=0.01,
    noise=0.1,
    gaps=0.3,
    amplitude=2.0,
    simulated=1,
    hyperparameters={"filters": (8, 4)},
)
SCRIPT = """
import sys, dataclasses
sys.path.insert(0, {folder!r})
import test_training_resume as case
case.run_and_die(sys.argv[1])
"""


def run(checkpoint=None, **changed):
    """Train on two simulated scenes."""
    images = [scene((96, 96), seed=k) for k in range(2)]
    settings = dataclasses.replace(SETTINGS, **changed)
    return train(images, scale=4, settings=settings, checkpoint=checkpoint)


def run_and_die(checkpoint):
    """Train as `run` does, up to the second checkpoint: then this process kills itself."""
    from no2sr.networks.training import fitting

    save, saved = fitting.save_checkpoint, []

    def saved_and_killed(*args, **settings):
        save(*args, **settings)
        saved.append(args)
        if len(saved) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    fitting.save_checkpoint = saved_and_killed
    run(checkpoint)


def test_a_killed_run_continued_gives_the_same_weights(tmp_path, request):
    checkpoint = tmp_path / "run.npz"
    script = SCRIPT.format(folder=str(request.path.parent))
    killed = subprocess.run([sys.executable, "-c", script, str(checkpoint)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with np.load(checkpoint) as file:
        assert '"step": 10' in str(file["facts"])
    whole, continued = run(), run(checkpoint)
    for a, b in zip(whole.network.get_weights(), continued.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert whole.card.training == continued.card.training


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    checkpoint = tmp_path / "run.npz"
    run(checkpoint, steps=5)
    with pytest.raises(CardMismatchError, match="made with other images or settings"):
        run(checkpoint, steps=6)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-200])
    with pytest.raises(CardMismatchError, match="is no checkpoint of a training"):
        run(checkpoint, steps=5)


def test_what_is_watched_belongs_to_the_run():
    pairs = [np.full((4, 4), value, dtype=np.float32) for value in (1, 2)]

    def mark(watched):
        samples = SimpleNamespace(batch=lambda _: pairs, hold_out=lambda: watched)
        card = ModelCard(network="srcnn", scale=4, radius=7, shrink=6)
        return training._fingerprint(card, samples, None)

    assert mark(pairs) == mark(list(pairs))
    assert len({mark(None), mark(pairs), mark(pairs[::-1])}) == 3


@pytest.mark.parametrize("lost", ["facts", "weights_0", "state_1", "best_0"])
def test_a_checkpoint_without_a_part_is_refused(tmp_path, lost):
    checkpoint = tmp_path / "run.npz"
    run(checkpoint, steps=5)
    with np.load(checkpoint) as file:
        kept = {name: values for name, values in file.items() if name != lost}
    np.savez(checkpoint, **kept)
    with pytest.raises(CardMismatchError, match="no checkpoint of a training"):
        run(checkpoint, steps=5)


def test_training_stops_early_and_keeps_the_best(monkeypatch):
    # From the second look on every look is worse than the first.
    from no2sr.networks.training import fitting

    seen = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    kept = []

    def worse(network, *_):
        kept.append(network.get_weights())
        return next(seen)

    monkeypatch.setattr(fitting, "_loss_on", worse)
    model = run(patience=2)
    assert model.card.training["steps_done"] == 15
    assert model.card.training["curve"]["held_out"] == [1.0, 2.0, 3.0]
    for a, b in zip(model.network.get_weights(), kept[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_can_start_from_another():
    first = run(steps=1, learning_rate=1e-12)
    other = train(
        [scene((96, 96), seed=9)],
        scale=4,
        settings=dataclasses.replace(SETTINGS, steps=1, learning_rate=1e-12, seed=3),
        start=first,
    )
    for a, b in zip(first.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
