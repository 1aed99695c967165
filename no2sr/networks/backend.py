"""Keras and its backend: check that they are installed, and start them quietly.

TensorFlow's libraries print messages while they start.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from no2sr.core.dependencies import require

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["need_keras", "need_training", "start_quietly"]


def need_keras(purpose: str) -> None:
    """Choose the backend of Keras, and check that both are installed.

    Parameters
    ----------
    purpose : str
        What needs them: the subject of the message.

    Raises
    ------
    MissingDependencyError
        If Keras or the backend is missing.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    require("keras", backend, purpose=purpose)


def need_training(*more: str) -> None:
    """Check that everything that training and saving need is installed.

    Parameters
    ----------
    *more : str
        Packages that are needed as well.

    Raises
    ------
    MissingDependencyError
        If a package is missing; the message lists them all.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # tf.data feeds the batches, whatever the backend.
    packages = ("keras", backend, "tensorflow", "onnx", *more)
    require(*packages, purpose="training", extra="train")


def start_quietly() -> None:
    """Import Keras and its backend and discard what their C++ libraries print.

    For command lines only: standard error of the whole process is discarded during the import.

    Raises
    ------
    MissingDependencyError
        If Keras or the backend is missing.
    """
    need_keras("a network that runs on Keras")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silence():
        import keras

        keras.ops.zeros(1)  # the search for GPUs happens at the first use
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.data.Dataset.range(1)


@contextmanager
def _silence() -> Iterator[None]:
    """Redirect file descriptor 2 to the null device."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
