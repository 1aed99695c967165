"""Start Keras without the messages that TensorFlow's libraries print while they start."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["start_quietly"]


def start_quietly() -> None:
    """Import Keras and its backend and discard what their C++ libraries print.

    For command lines only: standard error of the whole process is discarded during the import.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silence():
        import keras
        import tensorflow as tf

        keras.ops.zeros(1)  # the search for GPUs happens at the first use
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
