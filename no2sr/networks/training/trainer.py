"""Train a network on fine images: degrade, downscale, conserve and compare.

The loss compares the conserved estimate. Only Keras operations are used, so any Keras backend
trains the same network.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from no2sr.core.errors import CardMismatchError, SettingsError
from no2sr.core.grid import check_scale
from no2sr.core.version import __version__
from no2sr.networks.backend import need_training
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.registry import build_network, find_reach, grid_of, role_of
from no2sr.networks.training.checkpoints import Checkpoint
from no2sr.networks.training.columns import ColumnSamples, conserving_loss, draw_samples
from no2sr.networks.training.fitting import fit
from no2sr.networks.training.pictures import PictureSamples
from no2sr.networks.training.settings import Progress, TrainSettings
from no2sr.networks.training.symmetry import Symmetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import keras
    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.networks.registry import NetworkName

__all__ = ["TrainSettings", "conserving_loss", "draw_samples", "train"]

logger = logging.getLogger("no2sr")


def train(
    images: Iterable[xr.DataArray] | Iterable[NDArray[Any]],
    *,
    network: NetworkName | str = "srcnn",
    scale: int = 4,
    settings: TrainSettings | None = None,
    domain: Literal["column", "luminance"] = "column",
    start: Model | None = None,
    checkpoint: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Model:
    """Train a network to downscale images like the ones given.

    Parameters
    ----------
    images : iterable of DataArray, (y, x) or (time, y, x)
        Fine images, gaps as NaN, any unit: normalisation is local. For luminance, plain arrays:
        pictures ``(y, x, 3)`` in 0..255, or their luminance ``(y, x)``.
    network : str
        Name of an architecture, see `no2sr.networks.registry.available_networks`.
    scale : int
    settings : TrainSettings, optional
    domain : {"column", "luminance"}
        Whether the network is for data or for pictures.
    start : Model, optional
        Model of the same architecture, whose weights the training starts from instead of random
        ones.
    checkpoint : str or Path, optional
        File of the state of the run. If it exists, the run continues from it; the result is that of
        an uninterrupted run. It is not deleted at the end.
    progress : callable, optional
        Called as ``progress(steps_done, steps_total)``.

    Returns
    -------
    Model
        Its card holds the settings and the loss curve; `no2sr.save_model` writes it.

    Raises
    ------
    NoValidPixelsError
        If no window has enough observed cells.
    UnknownModelError, SettingsError
        If the network is unknown, or a setting is out of range.
    CardMismatchError
        If the checkpoint is damaged or belongs to another run, or `start` has another architecture.
    MissingDependencyError
        If packages that training and saving need are not installed; the message lists them.
    """
    need_training()
    import keras

    settings = settings or TrainSettings()
    card = _blank_card(network, check_scale(scale, least=2), settings, domain)
    make: Any = ColumnSamples if domain == "column" else PictureSamples
    samples = make(images, card, settings)
    logger.info("training %s x%d on %d images", network, scale, len(samples))
    keep = None
    if checkpoint is not None:
        fingerprint = _fingerprint(card, samples, start)
        keep = Checkpoint(path=Path(checkpoint), fingerprint=fingerprint)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if settings.precision == "bfloat16" else settings.precision
    )
    try:
        trainee, symmetry = _build(card, settings, start)
        done = fit(
            trainee,
            samples,
            settings=settings,
            symmetry=symmetry,
            checkpoint=keep,
            report=progress,
        )
    finally:
        keras.config.set_dtype_policy(policy)
    trained = build_network(network, scale=scale, **settings.hyperparameters)
    trained.set_weights(done.weights)
    if symmetry is not None:
        symmetry.impose(trained, fresh=False)  # steps were symmetric to rounding
    return Model(card=_add_curve(card, trained, done), network=trained)


def _blank_card(
    network: str, scale: int, settings: TrainSettings, domain: Literal["column", "luminance"]
) -> ModelCard:
    """Write the card of a network that is not trained yet."""
    if domain not in ("column", "luminance"):
        raise SettingsError(f"domain is {domain!r}; use 'column' or 'luminance'")
    if role_of(network) != "super-resolution":
        raise SettingsError(
            f"network {network} is a {role_of(network)}; train a network for super-resolution, "
            "such as espcn"
        )
    grid = grid_of(network)
    if domain == "luminance" and grid == "coarse":
        raise SettingsError(
            f"network {network} works on coarse cells and conserves them, which pictures do not "
            "need; choose one that works on the enlarged picture, such as srcnn"
        )
    chosen = settings.hyperparameters
    untrained = build_network(network, scale=scale, **chosen)
    radius, shrink = find_reach(network, untrained, scale=scale, **chosen)
    return ModelCard(
        network=network,
        scale=scale,
        radius=radius,
        shrink=shrink,
        grid=grid,
        domain=domain,
        hyperparameters=settings.hyperparameters,
        window=settings.normalisation,
        training={"settings": dataclasses.asdict(settings)},
        version=__version__,
    )


def _build(
    card: ModelCard, settings: TrainSettings, start: Model | None
) -> tuple[keras.Model, Symmetry | None]:
    """Build the network with its first weights, and the symmetry that training keeps."""
    import keras

    from no2sr.networks.store import load_keras

    keras.utils.set_random_seed(settings.seed)
    network = build_network(card.network, scale=card.scale, **settings.hyperparameters)
    if start is not None:
        weights = load_keras(start).get_weights()
        if [w.shape for w in weights] != [w.shape for w in network.get_weights()]:
            raise CardMismatchError(
                f"the model to start from, {start.card.name}, has other layers than the network to "
                "train; change network, scale or hyperparameters, or start from another model"
            )
        network.set_weights(weights)
    if not settings.symmetric:
        return network, None
    symmetry = Symmetry(network, card.scale if card.grid == "coarse" else 1)
    symmetry.impose(network, fresh=start is None)
    return network, symmetry


def _fingerprint(card: ModelCard, samples: Any, start: Model | None) -> str:
    """Return a checksum that two runs share only if they do the same."""
    data = (*samples.batch(0), *(samples.hold_out() or ()))
    facts = json.dumps([card.to_json(), start.card.to_json() if start else ""]).encode()
    return hashlib.sha256(facts + b"".join(a.tobytes() for a in data)).hexdigest()


def _add_curve(card: ModelCard, network: keras.Model, done: Progress) -> ModelCard:
    """Add the loss curve and the number of weights to the card."""
    curve = {
        "step": [point[0] for point in done.curve],
        "loss": [round(point[1], 5) for point in done.curve],
        "held_out": [round(point[2], 5) for point in done.curve if point[2] == point[2]],
    }
    return dataclasses.replace(
        card,
        parameters=network.count_params(),
        training=card.training | {"steps_done": done.step, "curve": curve},
    )
