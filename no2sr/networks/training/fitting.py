"""The loop of the optimiser: batches in, checkpoints out.

Every batch depends only on the seed and the number of the step, and a checkpoint holds the whole
state of the optimiser. A run that was killed and continued therefore ends with the same weights,
bit for bit, as one that was not.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from no2sr.networks.training.checkpoints import load_checkpoint, save_checkpoint
from no2sr.networks.training.settings import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras
    from numpy.typing import NDArray

    from no2sr.networks.training.checkpoints import Checkpoint
    from no2sr.networks.training.settings import TrainSettings
    from no2sr.networks.training.symmetry import Symmetry

    Batch = tuple[NDArray[np.float32], NDArray[np.float32]]

__all__ = ["Samples", "fit"]

logger = logging.getLogger("no2sr")


class Samples(Protocol):
    """A source of batches."""

    def batch(self, step: int) -> Batch:
        """Return inputs and targets of a step; the same step gives the same ones."""

    def hold_out(self) -> Batch | None:
        """Return the windows that are held out, or None."""

    def loss(self) -> Any:
        """Return the Keras loss that compares a network's output with targets."""


def fit(
    network: keras.Model,
    samples: Samples,
    *,
    settings: TrainSettings,
    symmetry: Symmetry | None = None,
    checkpoint: Checkpoint | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Progress:
    """Run the optimiser, from the start or from a checkpoint.

    Parameters
    ----------
    network : keras.Model
    samples : Samples
    settings : TrainSettings
    symmetry : Symmetry, optional
        Symmetry that the weights already have and keep.
    checkpoint : Checkpoint, optional
        Where the run continues from and what it leaves.
    report : callable, optional
        Called as ``report(steps_done, steps_total)``.

    Returns
    -------
    Progress
        Holds the weights to keep.
    """
    optimiser = _optimiser(settings, symmetry)
    # On 2 cores compiling costs more than it saves, and oneDNN is faster than XLA.
    network.compile(optimizer=optimiser, loss=samples.loss(), jit_compile=False)
    optimiser.build(network.trainable_variables)
    done = Progress()
    if checkpoint is not None and checkpoint.path.is_file():
        load_checkpoint(checkpoint, network, done)
        logger.info("continuing after step %d of %s", done.step, checkpoint.path)
    watched, losses = samples.hold_out(), []
    for inputs, targets in _feed(samples, done.step, settings.steps):
        if settings.patience and done.stale >= settings.patience:
            break
        losses.append(float(network.train_on_batch(inputs, targets)))
        done.step += 1
        if report is not None:
            report(done.step, settings.steps)
        if done.step % settings.check_every == 0 or done.step == settings.steps:
            _look(network, watched, done, settings=settings, losses=losses)
            losses.clear()
            if checkpoint is not None:
                save_checkpoint(checkpoint, network, done)
    return done


def _optimiser(settings: TrainSettings, symmetry: Symmetry | None) -> keras.optimizers.Optimizer:
    """Make Adam with these settings; symmetric gradients make symmetric steps."""
    import keras

    class Optimiser(keras.optimizers.AdamW):  # type: ignore[misc]
        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            super().apply(symmetry.part(grads) if symmetry else grads, trainable_variables)

    rate = settings.learning_rate
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if settings.warmup else rate,
        decay_steps=max(settings.steps - settings.warmup, 1),
        warmup_target=rate if settings.warmup else None,
        warmup_steps=settings.warmup,
    )
    optimiser = Optimiser(
        schedule,
        weight_decay=settings.weight_decay,
        use_ema=settings.average > 0,
        ema_momentum=settings.average,
    )
    optimiser.exclude_from_weight_decay(var_names=["bias"])
    return optimiser


def _feed(samples: Samples, first: int, last: int) -> Iterator[Batch]:
    """Prepare batches ahead of the optimiser, in order, for any Keras backend."""
    import tensorflow as tf

    batches = tf.data.Dataset.range(first, last).map(
        lambda step: tf.numpy_function(samples.batch, [step], (tf.float32, tf.float32)),
        num_parallel_calls=1,
        deterministic=True,
    )
    yield from batches.prefetch(4).as_numpy_iterator()


def _look(
    network: keras.Model,
    watched: Batch | None,
    done: Progress,
    *,
    settings: TrainSettings,
    losses: list[float],
) -> None:
    """Measure the loss on the held-out windows, and keep the weights if they are the best."""
    raw = network.get_weights()
    if settings.average:
        network.optimizer.finalize_variable_values(network.trainable_variables)
    seen = math.nan if watched is None else _loss_on(network, watched, settings.batch)
    if watched is None or seen < done.best:
        done.best, done.stale, done.weights = seen, 0, network.get_weights()
    else:
        done.stale += 1
    network.set_weights(raw)
    loss = float(np.mean(losses))
    done.curve.append((done.step, loss, seen))
    logger.info("step %d of %d: loss %.4f, held out %.4f", done.step, settings.steps, loss, seen)


def _loss_on(network: keras.Model, watched: Batch, batch: int) -> float:
    """Return the mean loss over the held-out windows."""
    inputs, targets = watched
    parts = [slice(start, start + batch) for start in range(0, len(inputs), batch)]
    losses = [float(network.test_on_batch(inputs[part], targets[part])) for part in parts]
    return float(np.average(losses, weights=[len(inputs[part]) for part in parts]))
