"""Models from elsewhere: a Keras or ONNX file, and a card that says what it is.

The file is tried once when it is loaded, so that a card that does not fit is found at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import CardMismatchError, ModelError
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.engines.keras_engine import keras_engine
from no2sr.networks.engines.onnx_engine import onnx_engine
from no2sr.networks.keras_files import read_keras
from no2sr.networks.receptive_field import footprint

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.networks.engines.port import Engine

__all__ = ["FOREIGN", "load_foreign"]

FOREIGN = {".keras", ".onnx"}
_SPARE = 8  # pixels along the output of the trial


def load_foreign(
    path: Path, card: ModelCard | Mapping[str, Any] | None, scale: int | None
) -> Model:
    """Load a ``.keras`` or ``.onnx`` file with a card.

    Parameters
    ----------
    path : Path
    card : ModelCard or mapping
        At least the ``scale``. ``radius`` and ``shrink`` are derived from a Keras network if its
        layers allow it; an ONNX file needs them stated.
    scale : int or None
        Compared with the card, or put on it.

    Returns
    -------
    Model
        In memory.

    Raises
    ------
    CardMismatchError
        If there is no card, it is incomplete, or the network does not do what it says.
    """
    if card is None:
        raise CardMismatchError(
            f"{path} has no card; give card={{'scale': 4, 'grid': 'fine', ...}} or a ModelCard"
        )
    if not isinstance(card, ModelCard | Mapping):
        raise CardMismatchError(
            f"card is a {type(card).__name__}; give a ModelCard or a dict of its fields"
        )
    content = path.read_bytes()
    network = read_keras(path) if path.suffix == ".keras" else None
    complete = _complete(card, path, network, scale)
    complete = replace(complete, files={path.name: hashlib.sha256(content).hexdigest()})
    if network is None:
        model = Model(card=complete, onnx=content)
        engine = onnx_engine(content, complete)
    else:
        model = Model(card=complete, network=network)
        engine = keras_engine(lambda: network, complete)
    _try(engine, complete, path)
    return model


def _complete(
    card: ModelCard | Mapping[str, Any], path: Path, network: Any, scale: int | None
) -> ModelCard:
    """Make a whole card of what was given."""
    if isinstance(card, ModelCard):
        complete = card
    else:
        facts = {"network": path.stem, **card}
        if scale is not None:
            facts.setdefault("scale", scale)
        if network is not None:
            facts.setdefault("parameters", network.count_params())
        if not {"radius", "shrink"} <= facts.keys():
            radius, shrink = _reach(network, path)
            facts = {"radius": radius, "shrink": shrink, **facts}
        try:
            complete = ModelCard(**facts)
        except TypeError as error:
            raise CardMismatchError(
                f"the card of {path} is not usable ({error}); use the fields of ModelCard"
            ) from error
    _check_values(complete, path)
    if scale not in (None, complete.scale):
        raise CardMismatchError(
            f"the card of {path} says scale {complete.scale}; use scale={complete.scale}"
        )
    return complete


def _reach(network: Any, path: Path) -> tuple[int, int]:
    """Derive radius and shrinkage, which only a Keras network allows."""
    if network is None:
        raise CardMismatchError(
            f"{path} does not say how far its network sees; state radius and shrink on the card"
        )
    try:
        return footprint(network)
    except ModelError as error:
        raise CardMismatchError(str(error)) from error


def _check_values(card: ModelCard, path: Path) -> None:
    """Refuse a card with values that no network can have."""
    counts = {name: getattr(card, name) for name in ("scale", "radius", "shrink", "window")}
    bad = {name: n for name, n in counts.items() if not isinstance(n, int) or n < 0}
    bad |= {name: value for name, value in {"grid": card.grid}.items() if value not in _GRIDS}
    if card.scale == 0 or bad or card.shrink > card.radius:
        found = ", ".join(f"{name} {value!r}" for name, value in (bad or counts).items())
        raise CardMismatchError(
            f"the card of {path} has {found}; use whole numbers, scale at least 1, shrink at most "
            "radius, and grid 'fine' or 'coarse'"
        )


def _try(engine: Engine, card: ModelCard, path: Path) -> None:
    """Run the network once and compare the shape of the result with the card."""
    side = 2 * card.radius + _SPARE
    channels = len(card.inputs)
    image = np.zeros((side, side) if channels == 1 else (side, side, channels), np.float32)
    grow = card.scale if card.grid == "coarse" else 1
    wanted: tuple[int, ...] = (grow * (side - 2 * card.shrink),) * 2
    wanted += () if len(card.outputs) == 1 else (len(card.outputs),)
    try:
        shape = engine(image).shape
    except Exception as broken:  # of Keras, TensorFlow or ONNX Runtime, of many kinds
        raise CardMismatchError(
            f"{path} cannot be run on an image of shape {image.shape} ({broken}); build it for "
            "images of every size, with the channels that the card names"
        ) from broken
    if shape != wanted:
        raise CardMismatchError(
            f"{path} maps an image of shape {image.shape} to {shape}; its card implies {wanted}; "
            "correct scale, grid, shrink or outputs on the card"
        )


_GRIDS = ("fine", "coarse")
