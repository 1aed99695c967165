"""ESPCN: convolutions on the coarse grid; the last has a channel for every cell of a block.

It does once for a coarse cell what SRCNN does for every fine one, so it needs 16 to 56 times fewer
operations. Its output is a correction to the bicubic image with a mean of 0 in every block.

References
----------
W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
convolutional neural network", CVPR (2016) 1874-1883.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

__all__ = ["GRID", "build"]

GRID = "coarse"


def build(
    *, scale: int = 4, filters: Sequence[int] = (64, 32), kernels: Sequence[int] = (5, 3, 3)
) -> keras.Model:
    """Build an ESPCN with fresh weights.

    Parameters
    ----------
    scale : int
        Fine cells along each side of a coarse one.
    filters : (int, int)
        Feature maps of the first and second layer.
    kernels : (int, int, int)
        Sides of the three kernels, all odd.

    Returns
    -------
    keras.Model
        ``(batch, y, x, 1)`` to ``(batch, scale * y, scale * x, 1)``.
    """
    import keras

    from no2sr.networks.layers import DepthToSpace, ZeroMean

    image = keras.Input((None, None, 1), name="image")
    x = image
    for number, (width, side) in enumerate(zip(filters, kernels, strict=False)):
        x = keras.layers.Conv2D(
            width, side, padding="same", activation="relu", name=f"features_{number}"
        )(x)
    x = keras.layers.Conv2D(scale**2, kernels[-1], padding="same", name="cells")(x)
    x = DepthToSpace(scale, name="refine")(ZeroMean(name="conserve")(x))
    return keras.Model(image, x, name="espcn")
