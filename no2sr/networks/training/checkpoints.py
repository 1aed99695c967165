"""Checkpoints: the state of a training run in one file, which appears only when complete."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.atomic import replace_atomically
from no2sr.core.errors import CardMismatchError
from no2sr.networks.legacy import DAMAGE

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from no2sr.networks.training.settings import Progress

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where the state of a run is kept, and which run it belongs to.

    Attributes
    ----------
    path : Path
        File to continue from if it exists; written again at every check.
    fingerprint : str
        Checksum of settings and data; another run must not continue from this file.
    """

    path: Path
    fingerprint: str


def save_checkpoint(checkpoint: Checkpoint, network: keras.Model, done: Progress) -> None:
    """Write weights, optimiser and progress.

    Parameters
    ----------
    checkpoint : Checkpoint
    network : keras.Model
        Compiled, with its optimiser built.
    done : Progress
    """
    facts = {
        "fingerprint": checkpoint.fingerprint,
        "step": done.step,
        "best": done.best,
        "stale": done.stale,
        "curve": done.curve,
    }
    parts = {"weights": network.weights, "state": network.optimizer.variables, "best": done.weights}
    arrays = {
        f"{name}_{k}": np.asarray(values)
        for name, group in parts.items()
        for k, values in enumerate(group)
    }
    with replace_atomically(checkpoint.path, overwrite=True) as work, work.open("wb") as file:
        np.savez(file, allow_pickle=False, facts=np.array(json.dumps(facts)), **arrays)


def load_checkpoint(checkpoint: Checkpoint, network: keras.Model, done: Progress) -> None:
    """Restore a network, its optimiser and the progress from a checkpoint.

    Parameters
    ----------
    checkpoint : Checkpoint
    network : keras.Model
        Compiled, with its optimiser built.
    done : Progress
        Filled in.

    Raises
    ------
    CardMismatchError
        If the file is damaged, or was made with other settings or data.
    """
    path = checkpoint.path
    facts, held = _read(path)
    if facts["fingerprint"] != checkpoint.fingerprint:
        raise CardMismatchError(
            f"{path} was made with other images or settings; "
            "use the same ones again, or delete it to train from the start"
        )
    try:
        for name, variables in (
            ("weights", network.weights),
            ("state", network.optimizer.variables),
        ):
            for k, variable in enumerate(variables):
                variable.assign(held[f"{name}_{k}"])
        done.step, done.best, done.stale = facts["step"], facts["best"], facts["stale"]
        done.curve = [tuple(point) for point in facts["curve"]]
        done.weights = [held[f"best_{k}"] for k in range(len(network.weights))]
    except (KeyError, TypeError, ValueError) as error:
        raise _damage_error(path, error) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the facts and the arrays of a checkpoint."""
    try:
        # From bytes, because numpy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            held: dict[str, Any] = dict(file)
        facts = json.loads(str(held.pop("facts")))
        facts["fingerprint"]
    except (*DAMAGE, zipfile.BadZipFile) as error:
        raise _damage_error(path, error) from error
    return facts, held


def _damage_error(path: Path, error: Exception) -> CardMismatchError:
    return CardMismatchError(
        f"{path} is no checkpoint of a training run of no2sr ({error}); "
        "delete it to train from the start"
    )
