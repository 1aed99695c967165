"""The luminance of a picture, the input of the networks for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import DimensionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WHITE", "luminance_of"]

WHITE = 255  # networks for pictures divide by this


def luminance_of(picture: NDArray[Any]) -> NDArray[np.float32]:
    """Return the luminance of a picture, as MATLAB's ``rgb2ycbcr`` does.

    Parameters
    ----------
    picture : array, (y, x) or (y, x, 3)
        Red, green and blue, 0..255. A plane without colours is already luminance and is returned.

    Returns
    -------
    array, (y, x), float32
        16 for black to 235 for white (ITU-R BT.601), not rounded.

    Raises
    ------
    DimensionError
        If it is neither a plane nor a picture of three colours.
    """
    values = np.asarray(picture, dtype=np.float64)
    if values.ndim == 2:
        return values.astype(np.float32)
    if values.ndim != 3 or values.shape[2] != 3:
        raise DimensionError(
            f"a picture has shape {values.shape}; give luminance (y, x), or red, green and blue "
            "(y, x, 3)"
        )
    shares = np.array([65.481, 128.553, 24.966]) / WHITE
    return (16 + values @ shares).astype(np.float32)
