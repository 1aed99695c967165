"""The noise step: a network that takes off what the instrument's noise adds to a coarse image.

It sees the normalised column, its noise and where something was observed. It returns how far each
cell is to be moved, in units of its noise, before a hyperbolic tangent bounds it. It is a short
EDSR whose second block has dilated kernels, so that few weights see far. Nothing is padded. The
same architecture, with other channels, states the uncertainty.

References
----------
K. Zhang, W. Zuo and L. Zhang, "FFDNet: toward a fast and flexible solution for CNN-based image
denoising", IEEE Trans. Image Process. 27 (2018) 4608-4622: a noise map as an input.
F. Yu and V. Koltun, "Multi-scale context aggregation by dilated convolutions", ICLR (2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

__all__ = ["GRID", "ROLE", "build"]

GRID = "coarse"
ROLE = "denoiser"


def build(
    *,
    channels: int = 4,
    outputs: int = 1,
    filters: int = 32,
    dilations: Sequence[int] = (1, 2),
) -> keras.Model:
    """Build a denoiser with fresh weights.

    Parameters
    ----------
    channels, outputs : int
        Channels of the image and of the result.
    filters : int
        Feature maps of every layer between them.
    dilations : sequence of int
        Step between the taps of the two 3 x 3 convolutions of each residual block.

    Returns
    -------
    keras.Model
        ``(batch, y, x, channels)`` to ``(batch, y - 2 r, x - 2 r, outputs)`` with
        r = 3 + 2 * sum(dilations).
    """
    import keras

    from no2sr.networks.layers import Trim

    image = keras.Input((None, None, channels), name="image")
    x = keras.layers.Conv2D(filters, 5, activation="relu", name="head")(image)
    for number, step in enumerate(dilations):
        inner = keras.layers.Conv2D(
            filters, 3, dilation_rate=step, activation="relu", name=f"block_{number}_a"
        )(x)
        inner = keras.layers.Conv2D(filters, 3, dilation_rate=step, name=f"block_{number}_b")(inner)
        x = keras.layers.Add(name=f"block_{number}")(
            [Trim(2 * step, name=f"skip_{number}")(x), inner]
        )
    x = keras.layers.Conv2D(outputs, 3, name="correction")(x)
    return keras.Model(image, x, name="denoiser")
