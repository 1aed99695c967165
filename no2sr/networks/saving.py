"""Save models: the folder that `no2sr.networks.store` loads."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from no2sr.core.errors import OutputExistsError, WriteError
from no2sr.core.names import check_name
from no2sr.networks.store import CARD, KERAS_FILE, ONNX_FILE, checksum_of, load_keras

if TYPE_CHECKING:
    from no2sr.networks.card import Model

__all__ = ["check_replaceable", "save_model"]

log = logging.getLogger("no2sr")


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
    """
    from no2sr.core.atomic import explain_refusals, replace_atomically

    folder = Path(path)
    check_replaceable(folder, overwrite=overwrite)
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


def _write_files(model: Model, folder: Path) -> None:
    """Write the network in each form that it has, and the card with their checksums."""
    from no2sr.networks.onnx_form import UnwritableError, to_onnx

    network = None if model.onnx else load_keras(model)
    reason = ""
    try:
        (folder / ONNX_FILE).write_bytes(model.onnx or to_onnx(network))
    except UnwritableError as error:
        reason = str(error)
        log.info("saved without an ONNX form: %s", reason)
    if network is not None:
        network.save(folder / KERAS_FILE)
    sums = {path.name: checksum_of(path) for path in sorted(folder.iterdir())}
    card = dataclasses.replace(model.card, files=sums, without_onnx=reason)
    (folder / CARD).write_text(card.to_json())
