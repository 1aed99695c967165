"""The test that super-resolution papers report: Set5, luminance, in decibels.

Protocol of the SRCNN authors: crop to a multiple of the scale, luminance by BT.601, shrink and
enlarge by MATLAB's antialiased bicubic, enlarge, round to grey levels, leave out a border as wide
as the scale, and average the peak signal-to-noise ratio (peak 255) of the five pictures.

The pictures lie in ``$NO2SR_REAL_DATA/sr`` and are not part of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gems import DATA
from PIL import Image

from no2sr.steps.luminance import luminance_of
from no2sr.steps.resample import resize, upsample
from no2sr.views.luminance import enlarge_luminance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from no2sr.networks.card import Model

    Plane = NDArray[np.float32]

SCALES = (2, 3, 4)
SET5, TRAINING = DATA / "sr" / "Set5", DATA / "sr" / "91-image"


def pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """Return all pictures of a folder, (y, x, 3), by name."""
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.bmp"))]


def psnr(enlarge: Callable[[Plane], Plane], scale: int) -> float:
    """Return the mean PSNR in dB of what enlarges a plane of luminance ``scale`` times."""
    found = []
    for picture in pictures(SET5):
        ny, nx = (size // scale * scale for size in picture.shape[:2])
        plane = luminance_of(picture)[:ny, :nx]
        estimate = enlarge(resize(plane, (ny // scale, nx // scale)))
        inner = np.s_[scale:-scale, scale:-scale]
        error = np.round(np.clip(estimate, 0, 255))[inner] - np.round(plane)[inner]
        found.append(20 * np.log10(255 / np.sqrt(np.mean(np.square(error, dtype=np.float64)))))
    return float(np.mean(found))


def bicubic_psnr(scale: int) -> float:
    """Return the PSNR of bicubic interpolation."""
    return psnr(lambda plane: upsample(plane, scale), scale)


def model_psnr(model: Model) -> float:
    """Return the PSNR of a model for luminance."""
    return psnr(lambda plane: enlarge_luminance(plane, model), model.card.scale)
