"""EDSR: residual blocks without batch normalisation, here on the coarse grid and mass-neutral.

Its output is a correction to the bicubic image, and has no block mean.

References
----------
B. Lim, S. Son, H. Kim, S. Nah and K. M. Lee, "Enhanced deep residual networks for single image
super-resolution", CVPR Workshops (2017) 1132-1140.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

__all__ = ["GRID", "build"]

GRID = "coarse"


def build(*, scale: int = 4, filters: int = 32, blocks: int = 3) -> keras.Model:
    """Build an EDSR with fresh weights.

    Parameters
    ----------
    scale : int
    filters : int
        Feature maps of every layer.
    blocks : int
        Residual blocks of two 3 x 3 convolutions.

    Returns
    -------
    keras.Model
        ``(batch, y, x, 1)`` to ``(batch, scale * y, scale * x, 1)``.
    """
    import keras

    from no2sr.networks.layers import DepthToSpace, ZeroMean

    def convolution(width: int, name: str, activation: str | None = None) -> keras.layers.Layer:
        return keras.layers.Conv2D(width, 3, padding="same", activation=activation, name=name)

    image = keras.Input((None, None, 1), name="image")
    x = convolution(filters, "head")(image)
    for number in range(blocks):
        inner = convolution(filters, f"block_{number}_a", "relu")(x)
        inner = convolution(filters, f"block_{number}_b")(inner)
        x = keras.layers.Add(name=f"block_{number}")([x, inner])
    x = convolution(scale**2, "cells")(x)
    x = DepthToSpace(scale, name="refine")(ZeroMean(name="conserve")(x))
    return keras.Model(image, x, name="edsr")
