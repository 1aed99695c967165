"""Enlarge the luminance of a picture with a network that was trained on pictures.

This is the classic use of SRCNN, for pictures only: nothing is conserved, and no number that was
ever a colour returns to the data.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import numpy as np

from no2sr.core.errors import CardMismatchError, SettingsError
from no2sr.networks.engines.make import make_engine
from no2sr.networks.inference import TILE
from no2sr.steps.luminance import WHITE
from no2sr.steps.resample import upsample
from no2sr.steps.tiles import Tile, cut_tiles, trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import Model
    from no2sr.networks.engines.port import Engine

__all__ = ["enlarge_luminance"]


def enlarge_luminance(
    plane: NDArray[np.floating],
    model: Model,
    *,
    edges: Literal["pad", "shave"] = "pad",
    tile: int = TILE["fine"],
) -> NDArray[np.float32]:
    """Enlarge one plane of luminance: bicubic interpolation plus what the network adds.

    Parameters
    ----------
    plane : array, (y, x)
        Luminance, 0..255.
    model : Model
        A model for luminance, such as ``load_model("luminance", scale=3)``.
    edges : {"pad", "shave"}
        ``pad`` repeats the pixels at the edge outwards, ``shave`` cuts every pixel that these
        repeated pixels affected: ``card.radius`` on each side.
    tile : int
        Side of the network's tiles in fine pixels; it never changes the result.

    Returns
    -------
    array, (scale * y, scale * x), float32
        Clipped to 0..255, not rounded; smaller by ``2 * card.radius`` with ``edges="shave"``.

    Raises
    ------
    CardMismatchError
        If the model was trained for columns.
    SettingsError
        If `edges` is unknown.
    """
    card = model.card
    if edges not in ("pad", "shave"):
        raise SettingsError(f"edges is {edges!r}, expected 'pad' or 'shave'")
    if card.domain != "luminance":
        raise CardMismatchError(
            f"the model {card.name} was trained for {card.domain}s, not for luminance; "
            'use load_model("luminance", scale=...), or downscale for measured values'
        )
    upsampled = upsample(np.asarray(plane, dtype=np.float32) / WHITE, card.scale)
    estimate = _run(upsampled, model, make_engine(model), tile=tile)
    return trim(estimate, card.radius) if edges == "shave" else estimate


def _run(
    upsampled: NDArray[np.float32], model: Model, engine: Engine, *, tile: int
) -> NDArray[np.float32]:
    """Run the network on the enlarged plane, tile by tile."""
    card = model.card
    wide = np.pad(upsampled, card.radius, mode="edge")
    result = np.empty_like(upsampled)

    def work(part: Tile) -> None:
        seen = wide[part.shift(card.radius).grow(card.radius).window]
        found = trim(engine(seen), card.rim)
        whole = found if card.predicts == "image" else upsampled[part.window] + found
        result[part.window] = np.clip(whole * WHITE, 0, WHITE)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, cut_tiles(upsampled.shape, tile)))  # a list: errors are raised here
    return result
