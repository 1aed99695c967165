"""The Keras network itself as an engine, on any backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.networks.backend import need_keras
from no2sr.networks.engines.port import as_batch, as_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine

__all__ = ["keras_engine"]


def keras_engine(load: Callable[[], Any], card: ModelCard) -> Engine:
    """Run a Keras network.

    Parameters
    ----------
    load : callable
        Returns the network; called once Keras knows which backend to take.
    card : ModelCard

    Returns
    -------
    Engine

    Raises
    ------
    MissingDependencyError
        If Keras or its backend is not installed.
    """
    need_keras(f"model {card.name} on the Keras engine")
    import keras

    network = load()
    on_tensorflow = keras.backend.backend() == "tensorflow"
    call = _compile(network, len(card.inputs)) if on_tensorflow else network

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = as_batch(image, card)
        found = np.asarray(keras.ops.convert_to_numpy(call(batch)), dtype=np.float32)
        return as_image(found, card, batch)

    return run


def _compile(network: Any, channels: int) -> Any:
    """Compile the network into one graph for images of every size, traced once."""
    import tensorflow as tf

    shape = tf.TensorSpec((1, None, None, channels), tf.float32)
    return tf.function(lambda batch: network(batch, training=False), input_signature=[shape])
