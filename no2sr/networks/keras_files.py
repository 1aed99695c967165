"""Read ``.keras`` files without running code from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from no2sr.core.errors import CardMismatchError
from no2sr.networks.backend import need_keras
from no2sr.networks.causes import state_cause

if TYPE_CHECKING:
    from pathlib import Path

    import keras

__all__ = ["read_keras"]


def read_keras(path: Path) -> keras.Model:
    """Read a ``.keras`` file in Keras' safe mode.

    Parameters
    ----------
    path : Path

    Returns
    -------
    keras.Model

    Raises
    ------
    CardMismatchError
        If it holds layers of others than Keras and no2sr, or is damaged.
    MissingDependencyError
        If Keras or its backend is not installed.
    """
    need_keras(f"{path.name}, a Keras network,")
    import keras

    from no2sr.networks import layers  # noqa: F401 - registers our layers with Keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as unsafe:  # Keras refuses foreign code by errors of many kinds
        raise CardMismatchError(
            f"{path} cannot be loaded safely ({state_cause(unsafe)}); only layers of Keras "
            "and no2sr are allowed; use a model of no2sr.save_model, from somebody you trust"
        ) from unsafe
