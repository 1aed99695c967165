"""Train a network on fine images: degrade, downscale, compare, conserve inside the loss.

Samples are random windows of the images given. Each is degraded to the coarse grid and taken
through the very steps of `downscale`: gaps filled, locally normalised, enlarged. The network's
correction is made mass-neutral block by block, as the conservation step will do, before it is
compared with what bicubic interpolation plus conservation left over; cells that were not observed
do not count. Only Keras operations are used, so any Keras backend trains the same network.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from no2sr import __version__
from no2sr.conserve import block_mean, conserve
from no2sr.errors import NoValidPixelsError, SettingsError
from no2sr.grid import check_scale
from no2sr.image import check_image
from no2sr.inference import Prepared, trim
from no2sr.networks import Model, ModelCard, build_network, footprint, grid_of
from no2sr.tiles import Tile

if TYPE_CHECKING:
    from collections.abc import Iterable

    import keras
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["TrainSettings", "draw_samples", "train"]

logger = logging.getLogger("no2sr")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """Everything that decides what training gives.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    batch : int
        Windows a step.
    samples : int
        Windows drawn once and reused, flipped and turned at random each time.
    window_size : int
        Side of a window in fine pixels, trimmed to a multiple of the scale.
    learning_rate : float
        Of Adam at the start; it falls to zero along a half cosine.
    least_valid : float
        Smallest observed share of a window, 0..1.
    normalisation : int
        Side of the normalisation window in coarse cells.
    precision : {"float32", "bfloat16"}
        Of the layers while training; weights are float32 in either case.
    seed : int
    hyperparameters : dict
        Passed to the network's ``build``.
    """

    steps: int = 4000
    batch: int = 16
    samples: int = 4000
    window_size: int = 64
    learning_rate: float = 3e-4
    least_valid: float = 0.5
    normalisation: int = 9
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0
    hyperparameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with.

        Raises
        ------
        SettingsError
            Naming the first setting out of range.
        """
        counts = ("steps", "batch", "samples", "window_size")
        rules = [
            *((name, getattr(self, name) >= 1, "at least 1") for name in counts),
            ("learning_rate", self.learning_rate > 0, "a positive number"),
            ("least_valid", 0 <= self.least_valid <= 1, "a share, 0..1"),
            (
                "normalisation",
                self.normalisation >= 3 and self.normalisation % 2 == 1,
                "an odd number of at least 3",
            ),
            ("precision", self.precision in ("float32", "bfloat16"), "'float32' or 'bfloat16'"),
        ]
        for name, fine, wanted in rules:
            if not fine:
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r}, expected {wanted}; "
                    "change it in the settings"
                )


def train(
    images: Iterable[xr.DataArray],
    *,
    network: str = "srcnn",
    scale: int = 4,
    settings: TrainSettings | None = None,
) -> Model:
    """Train a network to downscale images like the ones given.

    Parameters
    ----------
    images : iterable of DataArray, (y, x) or (time, y, x)
        Fine images, gaps as NaN, any unit: normalisation is local.
    network : str
        Name of an architecture, see `no2sr.networks.NETWORKS`.
    scale : int
    settings : TrainSettings, optional

    Returns
    -------
    Model
        Its card holds the settings; `no2sr.save_model` writes it.

    Raises
    ------
    NoValidPixelsError
        If no window is observed well enough.
    UnknownModelError, SettingsError
        For an unknown network or a setting out of range.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    settings = settings or TrainSettings()
    scale = check_scale(scale, least=2)
    keras.utils.set_random_seed(settings.seed)
    blank = build_network(network, scale=scale, **settings.hyperparameters)
    radius, shrink = footprint(blank)
    card = ModelCard(
        network=network,
        scale=scale,
        radius=radius,
        shrink=shrink,
        grid=grid_of(network),
        hyperparameters=settings.hyperparameters,
        window=settings.normalisation,
        parameters=blank.count_params(),
        training={"settings": dataclasses.asdict(settings)},
        version=__version__,
    )
    inputs, targets = draw_samples(images, card, settings)
    logger.info("training %s x%d on %d windows", network, scale, len(inputs))
    trained = _fit(card, settings, inputs, targets)
    blank.set_weights(trained.get_weights())
    return Model(card=card, network=blank)


def _fit(
    card: ModelCard,
    settings: TrainSettings,
    inputs: NDArray[np.float32],
    targets: NDArray[np.float32],
) -> keras.Model:
    """Run the optimiser."""
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if settings.precision == "bfloat16" else settings.precision
    )
    try:
        keras.utils.set_random_seed(settings.seed)
        network = build_network(card.network, scale=card.scale, **settings.hyperparameters)
        schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.steps)
        network.compile(
            optimizer=keras.optimizers.Adam(schedule),
            loss=conserving_loss(card),
            # On 2 cores compiling costs more than it gains, and oneDNN is quicker than XLA.
            jit_compile=False,
        )
        rng = np.random.default_rng(settings.seed)
        for step in range(settings.steps):
            chosen = rng.integers(len(inputs), size=settings.batch)
            turn, flip = int(rng.integers(4)), bool(rng.integers(2))
            loss = network.train_on_batch(
                _turned(inputs[chosen], turn=turn, flip=flip),
                _turned(targets[chosen], turn=turn, flip=flip),
            )
            if step % 100 == 99:
                logger.info("step %d of %d: loss %.4f", step + 1, settings.steps, float(loss))
    finally:
        keras.config.set_dtype_policy(policy)
    return network


def conserving_loss(card: ModelCard) -> Any:
    """Return the mean squared error of the conserved estimate over observed cells.

    The reference has three channels: what bicubic plus conservation left over, the local spread,
    and 1 where the cell was observed. With r the network's correction in units of the spread s,
    the conserved estimate is off by ``(s r - blockmean(s r)) - left over``.
    """
    from keras import ops

    scale, rim = card.scale, card.rim

    def loss(reference: Any, correction: Any) -> Any:
        inner = ops.cast(correction, "float32")[:, rim:-rim, rim:-rim] if rim else correction
        left, spread, seen = (reference[..., k : k + 1] for k in range(3))
        added = spread * inner
        means = ops.average_pool(added, scale, strides=scale)
        means = ops.repeat(ops.repeat(means, scale, axis=1), scale, axis=2)
        return ops.sum(seen * ops.square(added - means - left)) / (ops.sum(seen) + 1)

    return loss


def draw_samples(
    images: Iterable[xr.DataArray], card: ModelCard, settings: TrainSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut training windows out of images, spread evenly over everything that was observed.

    Returns
    -------
    inputs : array, (samples, m, m, 1)
        What the network sees: the normalised image on its grid, a radius wider than the window.
    targets : array, (samples, n, n, 3)
        See `conserving_loss`; residual and spread are in units of the root mean square residual.

    Raises
    ------
    NoValidPixelsError
        If no window reaches ``least_valid``.
    """
    rng = np.random.default_rng(settings.seed)
    side = settings.window_size // card.scale * card.scale
    rim = card.halo * card.scale
    if side < card.scale:
        raise SettingsError(
            f"window_size is {settings.window_size}, expected at least the scale, {card.scale}"
        )
    fields = [
        np.pad(layer, rim, constant_values=np.nan)
        for image in images
        for layer in check_image(image).values.reshape(-1, *image.shape[-2:])
    ]
    places = [
        (k, row, column)
        for k, layer in enumerate(fields)
        for row, column in _observed_windows(layer, rim, side, settings.least_valid)
    ]
    if not places:
        raise NoValidPixelsError(
            f"no window of {side} x {side} cells is {settings.least_valid:.0%} observed; "
            "give larger or fuller images, or lower window_size or least_valid"
        )
    drawn = []
    for index in rng.integers(len(places), size=settings.samples):
        k, row, column = places[index]
        top = int(
            np.clip(row + rng.integers(max(side // 4, 1)), rim, fields[k].shape[0] - rim - side)
        )
        left = int(
            np.clip(column + rng.integers(max(side // 4, 1)), rim, fields[k].shape[1] - rim - side)
        )
        drawn.append(
            _sample(fields[k][top - rim : top + side + rim, left - rim : left + side + rim], card)
        )
    inputs = np.stack([sample[0] for sample in drawn])[..., None]
    targets = np.stack([sample[1] for sample in drawn])
    left_over, seen = targets[..., 0], targets[..., 2]
    size = math.sqrt(float((left_over**2).sum() / max(seen.sum(), 1)))
    targets[..., :2] /= size or 1.0
    return inputs, targets


def _observed_windows(
    layer: NDArray[np.float32], rim: int, side: int, least_valid: float
) -> list[tuple[int, int]]:
    """Return corners, a quarter window apart, of the windows that are observed well enough."""
    valid = np.pad(np.isfinite(layer), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    corners = []
    for row in range(rim, layer.shape[0] - rim - side + 1, max(side // 4, 1)):
        for column in range(rim, layer.shape[1] - rim - side + 1, max(side // 4, 1)):
            seen = (
                valid[row + side, column + side]
                - valid[row, column + side]
                - valid[row + side, column]
                + valid[row, column]
            )
            if seen >= least_valid * side**2 and seen > 0:
                corners.append((row, column))
    return corners


def _sample(
    window: NDArray[np.float32], card: ModelCard
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Degrade one window and take it through the steps of `downscale`."""
    scale, halo = card.scale, card.halo
    coarse = block_mean(window, scale, np.ones(window.shape[0])).astype(np.float32)
    cells = coarse.shape[0] - 2 * halo
    tile = Tile(rows=slice(halo, halo + cells), columns=slice(halo, halo + cells))
    prepared = Prepared(coarse, card)
    upsampled, by = prepared.fine_window(tile)
    inner, reference = coarse[tile.window], trim(window, halo * scale)
    left_over = reference - conserve(upsampled, inner, np.ones(cells * scale))
    observed = np.repeat(np.repeat(np.isfinite(inner), scale, axis=0), scale, axis=1)
    target = np.stack([np.where(observed, left_over, 0), by.spread, observed], axis=-1)
    return prepared.network_input(tile), target.astype(np.float32)


def _turned(batch: NDArray[np.float32], *, turn: int, flip: bool) -> NDArray[np.float32]:
    """Turn a batch by quarter circles and mirror it: the atmosphere has no preferred side."""
    turned = np.rot90(batch, turn, axes=(1, 2))
    return np.ascontiguousarray(turned[:, ::-1] if flip else turned)
