"""Pixels of pictures to learn from: no place on the earth, no column."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import FileUnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["PICTURES", "read_pixels"]

PICTURES = (".bmp", ".jpeg", ".jpg", ".png")


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """Read a PNG, BMP or JPEG as red, green and blue.

    Parameters
    ----------
    path : Path

    Returns
    -------
    array, (y, x, 3), uint8
        Grey pictures three times the same; what is transparent as it lies in the file.

    Raises
    ------
    FileUnreadableError
        If it is missing, damaged or no such picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "BMP", "JPEG")) as file:
                return np.asarray(file.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise FileUnreadableError(
            f"{path} cannot be read ({error}), expected a complete PNG, BMP or JPEG of less than "
            f"{Image.MAX_IMAGE_PIXELS} pixels; leave it out, or fetch it again"
        ) from error
