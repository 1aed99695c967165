"""Layers that Keras lacks: channels to finer cells, no block mean, no rim."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["DepthToSpace", "Trim", "ZeroMean"]


@keras.saving.register_keras_serializable(package="no2sr")
class DepthToSpace(keras.layers.Layer):  # type: ignore[misc]
    """Spread ``scale**2`` channels over blocks of ``scale`` x ``scale`` cells, row by row.

    Parameters
    ----------
    scale : int

    References
    ----------
    W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", CVPR (2016) 1874-1883.
    """

    def __init__(self, scale: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        """Map ``(batch, y, x, scale**2)`` to ``(batch, scale * y, scale * x, 1)``."""
        _, y, x, _ = ops.shape(inputs)
        blocks = ops.reshape(inputs, (-1, y, x, self.scale, self.scale))
        rows = ops.transpose(blocks, (0, 1, 3, 2, 4))
        return ops.reshape(rows, (-1, y * self.scale, x * self.scale, 1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Multiply the sides."""
        batch, y, x, _ = input_shape
        return batch, y and y * self.scale, x and x * self.scale, 1

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the layer."""
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="no2sr")
class ZeroMean(keras.layers.Layer):  # type: ignore[misc]
    """Subtract the mean of all channels, so that the block they become has mean 0."""

    def call(self, inputs: Any) -> Any:
        """Keep the shape."""
        return inputs - ops.mean(inputs, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Keep the shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="no2sr")
class Trim(keras.layers.Layer):  # type: ignore[misc]
    """Cut a rim, as the ``valid`` convolutions beside it do.

    Parameters
    ----------
    rim : int
        Pixels off each side.
    """

    def __init__(self, rim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rim = rim

    def call(self, inputs: Any) -> Any:
        """Map ``(batch, y, x, c)`` to ``(batch, y - 2 rim, x - 2 rim, c)``."""
        return inputs[:, self.rim : -self.rim, self.rim : -self.rim]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shorten the sides."""
        batch, y, x, channels = input_shape
        return batch, y and y - 2 * self.rim, x and x - 2 * self.rim, channels

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the layer."""
        return {**super().get_config(), "rim": self.rim}
