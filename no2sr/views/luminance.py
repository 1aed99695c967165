"""Enlarge the luminance of a picture with a network that was trained on pictures.

This is the classic use of SRCNN, for pictures only: nothing is conserved, and no number that was
ever a colour returns to the data.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from no2sr.core.errors import CardMismatchError, SettingsError
from no2sr.downscaling.blocks import Canvas
from no2sr.downscaling.method import Estimate, WholeScene
from no2sr.downscaling.run import collect
from no2sr.downscaling.tally import Tally
from no2sr.networks.engines.make import make_engine
from no2sr.networks.inference import TILE
from no2sr.steps.gaps import fill_gaps, restore_gaps
from no2sr.steps.luminance import WHITE
from no2sr.steps.resample import upsample
from no2sr.steps.tiles import Tile, cut_tiles, trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.downscaling.method import Block
    from no2sr.networks.card import Model

__all__ = ["LuminanceMethod", "enlarge_luminance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LuminanceMethod(WholeScene):
    """A network for pictures as a method: bicubic interpolation plus what the network adds.

    It sees the whole picture, because the network's input is continued beyond the edges of the
    enlarged picture. Values are luminance, 0..255; those of the estimate are clipped to that range,
    and not rounded.

    Attributes
    ----------
    model : Model
        A model for luminance, such as ``load_model("luminance", scale=3)``.
    tile : int
        Side of the network's tiles in fine pixels; it never changes the result.

    Raises
    ------
    CardMismatchError
        If the model was trained for columns.
    """

    model: Model
    tile: int = TILE["fine"]

    def __post_init__(self) -> None:
        """Refuse a model for columns."""
        card = self.model.card
        if card.domain != "luminance":
            raise CardMismatchError(
                f"the model {card.name} was trained for {card.domain}s, not for luminance; "
                'use load_model("luminance", scale=...), or downscale for measured values'
            )

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.model.card.name

    @property
    def scale(self) -> int:
        """Fine pixels along each side of a coarse one."""
        return self.model.card.scale

    @property
    def reach(self) -> int:
        """Coarse pixels beyond the picture that its values can depend on."""
        return self.model.card.reach

    def __call__(self, block: Block) -> Estimate:
        """Enlarge a picture; gaps are filled for the network, and put back."""
        filled = fill_gaps(block.values, self.model.card.margin)
        fine = self._enlarge(upsample(np.asarray(filled, dtype=np.float32) / WHITE, self.scale))
        valid = np.isfinite(block.values)
        return Estimate(restore_gaps(fine, valid, scale=self.scale), None, Tally.of(block.values))

    def _enlarge(self, upsampled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on the enlarged plane, tile by tile."""
        card, engine = self.model.card, make_engine(self.model)
        wide = np.pad(upsampled, card.radius, mode="edge")
        result = np.empty_like(upsampled)

        def work(part: Tile) -> None:
            seen = wide[part.shift(card.radius).grow(card.radius).window]
            found = trim(engine(seen), card.rim)
            whole = found if card.predicts == "image" else upsampled[part.window] + found
            result[part.window] = np.clip(whole * WHITE, 0, WHITE)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(work, cut_tiles(upsampled.shape, self.tile)))  # list() raises errors
        return result


def enlarge_luminance(
    plane: NDArray[np.floating],
    model: Model,
    *,
    edges: Literal["pad", "shave"] = "pad",
) -> NDArray[np.float32]:
    """Enlarge one plane of luminance by `LuminanceMethod`.

    Parameters
    ----------
    plane : array, (y, x)
        Luminance, 0..255.
    model : Model
        A model for luminance.
    edges : {"pad", "shave"}
        ``pad`` keeps all pixels; the network's input is continued beyond the edges by the pixels
        at the edge. ``shave`` cuts every pixel that this affects: ``card.radius`` on each side.

    Returns
    -------
    array, (scale * y, scale * x), float32
        Smaller by ``2 * card.radius`` with ``edges="shave"``.

    Raises
    ------
    CardMismatchError
        If the model was trained for columns.
    SettingsError
        If `edges` is unknown.
    """
    if edges not in ("pad", "shave"):
        raise SettingsError(f"edges is {edges!r}; choose 'pad' or 'shave'")
    method = LuminanceMethod(model=model)
    rows = np.ones(method.scale * plane.shape[0])  # the pixels of a picture have no area
    canvas = Canvas(fields={"values": plane[None]}, areas=rows, around=False)
    fine = collect(canvas, method).values[0]
    return trim(fine, model.card.radius) if edges == "shave" else fine
