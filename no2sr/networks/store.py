"""Load models: a folder with ``network.keras``, ``network.onnx`` and ``card.json``.

Loading never runs code: Keras' safe mode refuses Lambda layers and foreign classes, and both files
are first compared with the SHA-256 on the card. If the ONNX writer does not know a layer, there is
no ``network.onnx``, and the card says why. A model from an ONNX file has no ``network.keras``.
"""

from __future__ import annotations

import hashlib
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import (
    CardMismatchError,
    SettingsError,
    UnknownModelError,
)
from no2sr.core.grid import check_scale
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.foreign import EXPORT, FOREIGN, is_from, load_foreign, name_kind
from no2sr.networks.keras_files import read_keras
from no2sr.networks.legacy import load_legacy

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from no2sr.networks.card import Role

__all__ = [
    "CARD",
    "KERAS_FILE",
    "ONNX_FILE",
    "available_models",
    "checksum_of",
    "find_here",
    "find_shipped",
    "load_keras",
    "load_model",
]

CARD = "card.json"
KERAS_FILE = "network.keras"
ONNX_FILE = "network.onnx"
_OF_TORCH = {".ckpt", ".pt", ".pth", ".safetensors"}


def available_models(*, role: Role | None = "super-resolution") -> list[ModelCard]:
    """List the cards of the shipped models, sorted by name and scale.

    Parameters
    ----------
    role : {"super-resolution", "denoiser", "uncertainty"}, optional
        What the models are for; None lists all.
    """
    folders = (Path(str(entry)) for entry in files("no2sr").joinpath("weights").iterdir())
    cards = [_read_card(folder) for folder in folders if (folder / CARD).is_file()]
    chosen = [card for card in cards if role in (None, card.role)]
    return sorted(chosen, key=lambda card: (card.name, card.scale))


def load_model(
    name_or_path: str | os.PathLike[str] | keras.Model,
    *,
    scale: int | None = None,
    card: ModelCard | Mapping[str, Any] | None = None,
) -> Model:
    """Load a shipped model, a saved one, or a network from elsewhere.

    Parameters
    ----------
    name_or_path : str, Path or keras.Model
        Name of a shipped network, such as ``"srcnn"``; the folder of a saved model; a ``.keras`` or
        ``.onnx`` file or a Keras network in memory, with `card`; or a file of SRCNN weights, Keras
        1 HDF5 or the authors' MATLAB, which becomes a model for luminance. Load a network in memory
        again after training it further.
    scale : int, optional
        Fine cells along each side of a coarse one. Needed with a name and with SRCNN weights; with
        a folder or a card it is compared with the card. The denoiser needs none.
    card : ModelCard or mapping, optional
        Needed with a network from elsewhere. A mapping needs ``scale``, and for ONNX also
        ``radius`` and ``shrink``; ``predicts`` is ``"correction"`` if it is left out. See
        `no2sr.networks.card.ModelCard`.

    Returns
    -------
    Model
        Only the engine that needs the Keras network of a folder loads it.

    Raises
    ------
    UnknownModelError
        If there is no such network, or none for the scale; the message lists those there are.
    CardMismatchError
        If a file is missing, damaged, made for another scale, or does not fit its card.
    SettingsError
        If a card is given with anything but a network from elsewhere, or an argument is of another
        kind.
    """
    scale = None if scale is None else check_scale(scale)
    if not isinstance(name_or_path, str | os.PathLike):
        return load_foreign(_check_network(name_or_path), card, scale)
    path = Path(name_or_path)
    known = {entry.name for entry in available_models(role=None)}
    # Not Path.exists(), which raises for impossible names.
    there = str(name_or_path) not in known and os.path.exists(name_or_path)  # noqa: PTH110
    if path.suffix.lower() in FOREIGN and not (there and path.is_dir()):
        if not there:
            raise UnknownModelError(f"there is no file {path}; check its name and folder")
        return load_foreign(path, card, scale)
    if there and path.suffix.lower() in _OF_TORCH:
        raise CardMismatchError(f"{path} is a file of PyTorch; {EXPORT}")
    if card is not None:
        raise SettingsError(
            f"{name_or_path} is not a .keras or .onnx file; leave card= out, or give such a file"
        )
    if not there:
        return _load_folder(find_shipped(str(name_or_path), scale))
    return load_legacy(path, scale) if path.is_file() else _load_saved(path, scale)


def _check_network(thing: Any) -> Any:
    """Refuse what is neither a name nor a Keras network."""
    if is_from("keras", thing) and hasattr(thing, "to_json"):
        return thing
    raise SettingsError(f"{name_kind(thing)} is no model; give a name, a path or a Keras network")


def _load_saved(path: Path, scale: int | None) -> Model:
    """Load a folder, which must be for the scale."""
    model = _load_folder(path)
    if scale not in (None, model.card.scale):
        raise CardMismatchError(
            f"model {path} was trained for scale {model.card.scale}, not {scale}; "
            f"use scale={model.card.scale} or another model"
        )
    return model


def find_shipped(name: str, scale: int | None) -> Path:
    """Find the folder of shipped weights.

    Parameters
    ----------
    name : str
    scale : int or None
        May be left out for a network that keeps the coarse grid.

    Raises
    ------
    UnknownModelError
        If there are no such weights.
    """
    cards = available_models(role=None)
    root = Path(str(files("no2sr").joinpath("weights")))
    for card in cards:
        if card.name == name and card.scale == 1 and scale in (None, 1):
            return root / name
    there = ", ".join(f"{card.name} (scale {card.scale})" for card in cards) or "none"
    scales = sorted(card.scale for card in cards if card.name == name)
    if not scales:
        raise UnknownModelError(
            f"no model {name!r}; give the name of a shipped network, or the folder or file of "
            f"another one; there are: {there}"
        )
    if scale not in scales:
        raise UnknownModelError(
            f"network {name!r} has no weights for scale {scale}; there are weights for "
            f"scale {', '.join(map(str, scales))}; choose one of these or train your own"
        )
    return root / f"{name}_x{scale}"


def find_here(model: Model) -> Model:
    """Find a model that came from another machine, where its folder may lie elsewhere.

    Raises
    ------
    UnknownModelError, CardMismatchError
        If neither its folder nor the same shipped model is on this machine.
    """
    if model.folder is None or model.folder.is_dir():
        return model
    here = _load_folder(find_shipped(model.card.name, model.card.scale))
    if here.card.files != model.card.files:
        raise CardMismatchError(
            f"{model.folder} is not on this machine, and the {model.card.name} shipped here is "
            "another model; copy the folder to the same place on every machine"
        )
    return here


def load_keras(model: Model) -> keras.Model:
    """Load the Keras network of a model, in safe mode if it comes from a file.

    Raises
    ------
    CardMismatchError
        If its file is damaged or holds foreign code.
    """
    if model.build is not None:
        return model.build()
    if model.network is not None or model.folder is None:
        return model.network
    return read_keras(model.folder / KERAS_FILE)


def _load_folder(folder: Path) -> Model:
    """Read the card and compare the files with it."""
    card = _read_card(folder)
    names = {KERAS_FILE, ONNX_FILE}
    if card.without_onnx:
        names.remove(ONNX_FILE)
    if set(card.files) == {ONNX_FILE}:  # saved from an ONNX file
        names.remove(KERAS_FILE)
    for name in sorted(names):
        path = folder / name
        if not path.is_file() or checksum_of(path) != card.files.get(name):
            state = "differs from its card" if path.is_file() else "is missing"
            raise CardMismatchError(
                f"{path} {state}, {folder / CARD}; copy the whole folder of the model again"
            )
    if KERAS_FILE not in names:
        return Model(card=card, onnx=(folder / ONNX_FILE).read_bytes())
    return Model(card=card, folder=folder)


def _read_card(folder: Path) -> ModelCard:
    """Read ``card.json`` of a folder."""
    path = folder / CARD
    if not path.is_file():
        raise CardMismatchError(
            f"{folder} holds no {CARD}; give a folder that no2sr.save_model wrote, "
            "or the name of a shipped network"
        )
    return ModelCard.from_json(path.read_text(encoding="utf-8"), str(path))


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
