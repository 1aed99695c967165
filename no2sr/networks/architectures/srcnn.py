"""SRCNN: three convolutions on the bicubic-upsampled image.

The default is the 9-3-5 network with 128 and 64 filters, ``valid``, ``same``, ``valid``. It cuts 6
pixels off each side, but its receptive radius is 7: the ``same`` layer pads its feature map with
zeros, so the outermost ring of every output is wrong and must be cut as well.

References
----------
C. Dong, C. C. Loy, K. He and X. Tang, "Image super-resolution using deep convolutional networks",
IEEE Trans. Pattern Anal. Mach. Intell. 38 (2016) 295-307.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

__all__ = ["GRID", "build"]

GRID = "fine"


def build(*, filters: Sequence[int] = (128, 64), kernels: Sequence[int] = (9, 3, 5)) -> keras.Model:
    """Build an SRCNN with fresh glorot-uniform weights.

    Parameters
    ----------
    filters : (int, int)
        Feature maps of the first and second layer.
    kernels : (int, int, int)
        Sides of the three kernels, all odd. The paper has (9, 1, 5) and (9, 5, 5) with (64, 32)
        filters.

    Returns
    -------
    keras.Model
        ``(batch, y, x, 1)`` to ``(batch, y - 2c, x - 2c, 1)`` with c = 6 for 9-3-5; linear output.
    """
    import keras

    first, second = filters
    image = keras.Input((None, None, 1), name="image")
    x = keras.layers.Conv2D(first, kernels[0], activation="relu", name="extraction")(image)
    x = keras.layers.Conv2D(second, kernels[1], padding="same", activation="relu", name="mapping")(
        x
    )
    x = keras.layers.Conv2D(1, kernels[2], name="reconstruction")(x)
    return keras.Model(image, x, name="srcnn")
