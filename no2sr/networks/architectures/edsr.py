"""EDSR: residual blocks without batch normalisation, on the coarse grid.

Its output is a correction to the bicubic image with a mean of 0 in every block. Nothing is padded:
every layer cuts its rim, so that no work goes into cells that would be discarded.

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
        Fine cells along each side of a coarse one.
    filters : int
        Feature maps of every layer.
    blocks : int
        Residual blocks of two 3 x 3 convolutions.

    Returns
    -------
    keras.Model
        ``(batch, y, x, 1)`` to ``(batch, scale * (y - 2 r), scale * (x - 2 r), 1)`` with
        r = 2 * blocks + 2.
    """
    import keras

    from no2sr.networks.layers import DepthToSpace, Trim, ZeroMean

    def convolution(width: int, name: str, activation: str | None = None) -> keras.layers.Layer:
        return keras.layers.Conv2D(width, 3, activation=activation, name=name)

    image = keras.Input((None, None, 1), name="image")
    x = convolution(filters, "head")(image)
    for number in range(blocks):
        inner = convolution(filters, f"block_{number}_a", "relu")(x)
        inner = convolution(filters, f"block_{number}_b")(inner)
        x = keras.layers.Add(name=f"block_{number}")([Trim(2, name=f"skip_{number}")(x), inner])
    x = convolution(scale**2, "cells")(x)
    x = DepthToSpace(scale, name="refine")(ZeroMean(name="conserve")(x))
    return keras.Model(image, x, name="edsr")
