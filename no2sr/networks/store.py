"""Save and load models: a folder with ``network.keras``, ``network.onnx`` and ``card.json``.

Loading never runs code: Keras' safe mode refuses Lambda layers and foreign classes, and both files
are first compared with the SHA-256 on the card. If the ONNX writer does not know a layer, there is
no ``network.onnx``, and the card says why.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import (
    CardMismatchError,
    ModelError,
    OutputExistsError,
    SettingsError,
    UnknownModelError,
    WriteError,
)
from no2sr.core.names import check_name
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.foreign import FOREIGN, load_foreign
from no2sr.networks.keras_files import read_keras
from no2sr.networks.legacy import load_legacy

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from no2sr.networks.card import Role

__all__ = [
    "available_models",
    "check_replaceable",
    "find_here",
    "find_shipped",
    "load_keras",
    "load_model",
    "save_model",
]

log = logging.getLogger("no2sr")
CARD = "card.json"
KERAS_FILE = "network.keras"
ONNX_FILE = "network.onnx"


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
    name_or_path: str | Path,
    *,
    scale: int | None = None,
    card: ModelCard | Mapping[str, Any] | None = None,
) -> Model:
    """Load a shipped model, a saved one, or a network from elsewhere.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a shipped network, such as ``"srcnn"``; the folder of a saved model; a ``.keras`` or
        ``.onnx`` file, with `card`; or a file of SRCNN weights, Keras 1 HDF5 or the authors'
        MATLAB, which becomes a model for luminance.
    scale : int, optional
        Fine cells along each side of a coarse one. Needed with a name and with SRCNN weights; with
        a folder or a card it is compared with the card. The denoiser needs none.
    card : ModelCard or mapping, optional
        Needed with a ``.keras`` or ``.onnx`` file. A mapping needs ``scale``, and for ONNX also
        ``radius`` and ``shrink``.

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
        If a card is given with anything but a ``.keras`` or ``.onnx`` file.
    """
    path = Path(name_or_path)
    known = {entry.name for entry in available_models(role=None)}
    # Not Path.exists(), which raises for impossible names.
    there = str(name_or_path) not in known and os.path.exists(path)  # noqa: PTH110
    if there and path.is_file() and path.suffix in FOREIGN:
        return load_foreign(path, card, scale)
    if card is not None:
        raise SettingsError(
            f"{name_or_path} is not a .keras or .onnx file that is there; leave card= out, "
            "or give such a file"
        )
    if not there:
        return _load_folder(find_shipped(str(name_or_path), scale))
    if path.is_file():
        return load_legacy(path, scale)
    model = _load_folder(path)
    if scale is not None and model.card.scale != scale:
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
        if card.name == name and card.role != "super-resolution" and scale in (None, 1):
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


def save_model(model: Model, path: str | Path, *, overwrite: bool = False) -> Path:
    """Save a model as a folder.

    Parameters
    ----------
    model : Model
    path : str or Path
        The folder to make; it appears only when it is complete.
    overwrite : bool
        Replace a model that is there.

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError
        If the folder exists and may not be replaced.
    WriteError
        If it cannot be written.
    ModelError
        If the model comes from an ONNX file.
    """
    from no2sr.core.atomic import explain_refusals, replace_atomically

    folder = Path(path)
    check_replaceable(folder, overwrite=overwrite)
    if model.onnx is not None:
        raise ModelError(
            f"model {model.card.name} comes from an ONNX file and has no Keras network to save; "
            "keep the file and its card"
        )
    with explain_refusals(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(folder, overwrite=overwrite) as work:
        work.mkdir()
        _write_files(model, work)
    return folder


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Refuse to save a model over anything but a model that may be replaced.

    Raises
    ------
    OutputExistsError
        If the folder exists and may not be replaced.
    WriteError
        If no folder can have this name.
    """
    check_name(folder, WriteError)
    if folder.exists() and not (overwrite and (folder / CARD).is_file()):
        advice = "pass overwrite=True or choose another name"
        if overwrite:
            advice = "it is no model, so it is not replaced; choose another name"
        raise OutputExistsError(f"{folder} exists already; {advice}")


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


def _write_files(model: Model, folder: Path) -> None:
    """Write both network forms and the card with their checksums."""
    from no2sr.networks.onnx_form import UnwritableError, to_onnx

    network = load_keras(model)
    network.save(folder / KERAS_FILE)
    names, reason = [KERAS_FILE], ""
    try:
        (folder / ONNX_FILE).write_bytes(to_onnx(network))
        names.append(ONNX_FILE)
    except UnwritableError as error:
        reason = str(error)
        log.info("saved without an ONNX form: %s", reason)
    sums = {name: _sha256(folder / name) for name in names}
    card = dataclasses.replace(model.card, files=sums, without_onnx=reason)
    (folder / CARD).write_text(card.to_json())


def _load_folder(folder: Path) -> Model:
    """Read the card and compare the files with it."""
    card = _read_card(folder)
    for name in (KERAS_FILE,) if card.without_onnx else (KERAS_FILE, ONNX_FILE):
        path = folder / name
        if not path.is_file() or _sha256(path) != card.files.get(name):
            state = "differs from its card" if path.is_file() else "is missing"
            raise CardMismatchError(
                f"{path} {state}, {folder / CARD}; copy the whole folder of the model again"
            )
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


def _sha256(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
