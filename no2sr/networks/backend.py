"""Start Keras without what TensorFlow's libraries print before anyone can tell them not to."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["start_quietly"]


def start_quietly() -> None:
    """Import Keras and its backend, and let C++ print errors to nobody while they start.

    For command lines: it turns the process's standard error away for the time of the import.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent():
        import keras
        import tensorflow as tf

        keras.ops.zeros(1)  # the search for GPUs happens at the first use
        tf.data.Dataset.range(1)


@contextmanager
def _silent() -> Iterator[None]:
    """Send file descriptor 2 to nowhere."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
