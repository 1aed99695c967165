"""Save and load models: a folder with ``network.keras``, ``network.onnx`` and ``card.json``.

Loading never runs code from the file: Keras' safe mode refuses Lambda layers and foreign classes,
and both network files are compared with the SHA-256 on the card first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from no2sr.core.errors import CardMismatchError, OutputExistsError, UnknownModelError, WriteError
from no2sr.core.names import check_name
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.legacy import load_legacy

if TYPE_CHECKING:
    import keras

__all__ = [
    "available_models",
    "check_replaceable",
    "found_here",
    "load_keras",
    "load_model",
    "save_model",
    "shipped",
]

CARD = "card.json"
KERAS_FILE = "network.keras"
ONNX_FILE = "network.onnx"


def available_models() -> list[ModelCard]:
    """Return the cards of all shipped models, sorted by network and scale."""
    folders = (Path(str(entry)) for entry in files("no2sr").joinpath("weights").iterdir())
    cards = [_read_card(folder) for folder in folders if (folder / CARD).is_file()]
    return sorted(cards, key=lambda card: (card.name, card.scale))


def load_model(name_or_path: str | Path, *, scale: int | None = None) -> Model:
    """Load a model, or SRCNN weights of another program.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a shipped network, such as ``"srcnn"``, or the folder of a saved model; or a file
        of SRCNN weights, Keras 1 HDF5 or the authors' MATLAB, as a model for luminance.
    scale : int, optional
        Needed with a name and with foreign weights; with a folder it is compared with the card.

    Returns
    -------
    Model
        Its Keras network is not loaded yet; the engine that needs it does that.

    Raises
    ------
    UnknownModelError
        If there is no such network, or none for the scale; names those there are.
    CardMismatchError
        If a file is missing, damaged, or made for another scale.
    """
    path = Path(name_or_path)
    known = {card.name for card in available_models()}
    # Not Path.exists(), which raises over names that cannot be.
    if str(name_or_path) in known or not os.path.exists(path):  # noqa: PTH110
        return _load_folder(shipped(str(name_or_path), scale))
    if path.is_file():
        return load_legacy(path, scale)
    model = _load_folder(path)
    if scale is not None and model.card.scale != scale:
        raise CardMismatchError(
            f"model {path} was trained for scale {model.card.scale}, expected scale {scale}; "
            f"use scale={model.card.scale} or another model"
        )
    return model


def shipped(name: str, scale: int | None) -> Path:
    """Return the folder of shipped weights.

    Raises
    ------
    UnknownModelError
        Naming what there is.
    """
    cards = available_models()
    there = ", ".join(f"{card.name} (scale {card.scale})" for card in cards) or "none"
    scales = sorted(card.scale for card in cards if card.name == name)
    if not scales:
        raise UnknownModelError(
            f"no model {name!r}; expected the name of a shipped network or the folder of a "
            f"saved one; there are: {there}"
        )
    if scale not in scales:
        raise UnknownModelError(
            f"network {name!r} has no weights for scale {scale}; there are weights for "
            f"scale {', '.join(map(str, scales))}; choose one of these or train your own"
        )
    return Path(str(files("no2sr").joinpath("weights"))) / f"{name}_x{scale}"


def found_here(model: Model) -> Model:
    """Return a model that came from another machine: its folder may lie elsewhere here.

    Raises
    ------
    UnknownModelError, CardMismatchError
        If neither its folder nor the same shipped model is there.
    """
    if model.folder is None or model.folder.is_dir():
        return model
    here = _load_folder(shipped(model.card.name, model.card.scale))
    if here.card.files != model.card.files:
        raise CardMismatchError(
            f"{model.folder} is not on this machine and the {model.card.name} shipped here is "
            "another, expected the same model everywhere; copy the folder there"
        )
    return here


def save_model(model: Model, path: str | Path, *, overwrite: bool = False) -> Path:
    """Save a model as a folder of its own.

    Parameters
    ----------
    model : Model
    path : str or Path
        The folder to make; it appears only when complete.
    overwrite : bool
        Replace a model that is there.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputExistsError
        If the folder exists and may not be replaced.
    WriteError
        If it cannot be written.
    """
    from no2sr.core.atomic import refusals, replacing

    folder = Path(path)
    check_replaceable(folder, overwrite=overwrite)
    with refusals(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with replacing(folder, overwrite=overwrite) as work:
        work.mkdir()
        _write_files(model, work)
    return folder


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Refuse to save a model where anything is but a model that may be replaced.

    Raises
    ------
    OutputExistsError
        If that is so.
    WriteError
        If the name of the folder cannot be.
    """
    check_name(folder, WriteError)
    if folder.exists() and not (overwrite and (folder / CARD).is_file()):
        raise OutputExistsError(
            f"{folder} exists; expected a new folder; choose another name"
            + (
                " (it is no model, so it is not replaced)"
                if overwrite
                else " or pass overwrite=True"
            )
        )


def load_keras(model: Model) -> keras.Model:
    """Return the Keras network of a model, loading it in safe mode if need be."""
    if model.build is not None:
        return model.build()
    if model.network is not None or model.folder is None:
        return model.network
    import keras

    from no2sr.networks import layers  # noqa: F401 - registers our layers with Keras

    path = model.folder / KERAS_FILE
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as unsafe:  # Keras refuses foreign code by errors of many kinds
        raise CardMismatchError(
            f"{path} cannot be loaded safely ({unsafe}), expected layers of Keras and no2sr only; "
            "use a model of no2sr.save_model, from somebody you trust"
        ) from unsafe


def _write_files(model: Model, folder: Path) -> None:
    """Write both network forms and the card with their checksums."""
    from no2sr.networks.onnx_form import to_onnx

    network = load_keras(model)
    network.save(folder / KERAS_FILE)
    (folder / ONNX_FILE).write_bytes(to_onnx(network))
    sums = {name: _sha256(folder / name) for name in (KERAS_FILE, ONNX_FILE)}
    (folder / CARD).write_text(dataclasses.replace(model.card, files=sums).to_json())


def _load_folder(folder: Path) -> Model:
    """Read the card and compare the files with it."""
    card = _read_card(folder)
    for name in (KERAS_FILE, ONNX_FILE):
        path = folder / name
        if not path.is_file() or _sha256(path) != card.files.get(name):
            state = "differs from its card" if path.is_file() else "is missing"
            raise CardMismatchError(
                f"{path} {state}; expected the file that was saved with {folder / CARD}; "
                "copy the model again"
            )
    return Model(card=card, folder=folder)


def _read_card(folder: Path) -> ModelCard:
    """Read ``card.json`` of a folder."""
    path = folder / CARD
    if not path.is_file():
        raise CardMismatchError(
            f"{folder} holds no {CARD}; expected the folder that no2sr.save_model writes; "
            "point to such a folder or name a shipped network"
        )
    return ModelCard.from_json(path.read_text(encoding="utf-8"), str(path))


def _sha256(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
