"""A network over one block of any size, at full speed.

A block is a coarse array with a halo. It is filled, normalised and enlarged, and the network adds
its correction tile by tile: small tiles keep the working set in the cache and the memory flat, and
because every tile sees its whole receptive field, tiled and whole results are the same. `engines`
holds what runs a network, `kernel` the whole step from a coarse block to its fine values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.steps.gaps import fill_gaps
from no2sr.steps.normalise import Normaliser, local_statistics, normalise
from no2sr.steps.resample import KERNEL_REACH, upsample
from no2sr.steps.tiles import Tile, cut_tiles, trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine

__all__ = ["TILE", "Prepared", "corrected", "super_resolve"]

# Fine pixels along a tile. On the fine grid the throughput is flat from 128 up and memory is not;
# on the coarse grid a tile is small in cells, and its rim would be most of it.
TILE = {"fine": 256, "coarse": 512}
# What networks for pictures, where white is 1, see for one local spread of a column: normalised
# values, at most 9 with the usual window, then stay between black and white.
GREY_STEP = 0.05


class Prepared:
    """A coarse block made ready for networks: gaps filled, neighbourhoods measured.

    Parameters
    ----------
    coarse : array, (y + 2 halo, x + 2 halo)
        NaN in gaps, halo included.
    card : ModelCard
    """

    def __init__(self, coarse: NDArray[np.floating], card: ModelCard) -> None:
        self.card = card
        self.filled = fill_gaps(np.asarray(coarse, dtype=np.float32), card.margin)
        found = local_statistics(coarse, card.window)
        self.statistics = Normaliser(
            mean=fill_gaps(found.mean, card.extension),
            spread=fill_gaps(found.spread, card.extension),
        )

    def network_input(self, tile: Tile) -> NDArray[np.float32]:
        """Return the normalised image on the network's grid, a radius wider than the tile.

        No cell lies farther than ``sqrt(n - 1)`` spreads from the mean of the n cells of its own
        window (Samuelson's inequality), so values beyond the side of the window are cut off: they
        arise where a window has next to no spread, and the network knows nothing of them.

        Parameters
        ----------
        tile : Tile
            In cells of the array given, at least a margin away from its edges.

        Returns
        -------
        array, (y, x)
        """
        card = self.card
        if card.grid == "fine":
            values, by = self.fine_window(tile, rim=card.radius)
        else:
            window = tile.grown(card.radius).window
            values = self.filled[window]
            by = Normaliser(
                mean=self.statistics.mean[window], spread=self.statistics.spread[window]
            )
        return np.clip(normalise(values, by), -card.window, card.window)

    def fine_window(self, tile: Tile, *, rim: int = 0) -> tuple[NDArray[np.float32], Normaliser]:
        """Return the upsampled image and its normaliser over a tile and a rim around it.

        Parameters
        ----------
        tile : Tile
            In cells of the array given, at least a margin away from its edges.
        rim : int
            In fine pixels.

        Returns
        -------
        upsampled : array, (scale * rows + 2 rim, scale * columns + 2 rim)
        by : Normaliser
            Of the same shape.
        """
        mean = self._fine(self.statistics.mean, tile, rim=rim, method="bilinear")
        by = Normaliser(mean=mean, spread=self.fine_spread(tile, rim=rim))
        return self.upsampled(tile, rim=rim), by

    def upsampled(self, tile: Tile, *, rim: int = 0) -> NDArray[np.float32]:
        """Return the bicubic image of `fine_window`."""
        return self._fine(self.filled, tile, rim=rim, method="bicubic")

    def fine_spread(self, tile: Tile, *, rim: int = 0) -> NDArray[np.float32]:
        """Return the spread of `fine_window`."""
        return self._fine(self.statistics.spread, tile, rim=rim, method="bilinear")

    def _fine(
        self, field: NDArray[np.float32], tile: Tile, *, rim: int, method: str
    ) -> NDArray[np.float32]:
        scale = self.card.scale
        reach = -(-rim // scale) + KERNEL_REACH["bicubic"]
        offset = reach * scale - rim
        return trim(upsample(field[tile.grown(reach).window], scale, method=method), offset)


def super_resolve(
    coarse: NDArray[np.floating], card: ModelCard, engine: Engine, *, tile: int | None = None
) -> NDArray[np.float32]:
    """Enlarge a block: bicubic plus the network's correction, not yet conserved.

    Parameters
    ----------
    coarse : array, (y + 2 halo, x + 2 halo)
        The block with ``card.halo`` cells around it; NaN in gaps.
    card : ModelCard
    engine : Engine
    tile : int, optional
        Side of the network's tiles in fine pixels. It changes speed and memory, never the result.

    Returns
    -------
    array, (scale * y, scale * x), float32
        Finite everywhere, gaps filled.
    """
    prepared = Prepared(coarse, card)
    scale, halo = card.scale, card.halo
    shape = (coarse.shape[0] - 2 * halo, coarse.shape[1] - 2 * halo)
    fine = np.empty((shape[0] * scale, shape[1] * scale), dtype=np.float32)
    for part in cut_tiles(shape, max(1, (tile or TILE[card.grid]) // scale)):
        fine[part.refined(scale).window] = _estimate(prepared, part.moved(halo), engine)
    return fine


def _estimate(prepared: Prepared, tile: Tile, engine: Engine) -> NDArray[np.float32]:
    """Return the fine pixels of one tile.

    Normalising the upsampled image, adding the correction and denormalising come to this. Where
    the spread is 0 the upsampled value stands.
    """
    card = prepared.card
    correction = trim(corrected(prepared.network_input(tile), card, engine), card.rim)
    estimate: NDArray[np.float32] = correction * prepared.fine_spread(tile)
    estimate += prepared.upsampled(tile)
    return estimate


def corrected(image: NDArray[np.float32], card: ModelCard, engine: Engine) -> NDArray[np.float32]:
    """Return the correction of a normalised image; a network for pictures sees it around grey.

    Parameters
    ----------
    image : array, (y, x)
        As `Prepared.network_input` returns it.
    card : ModelCard
    engine : Engine

    Returns
    -------
    array, in spreads
        Of the shape that the engine gives; its outer ``card.rim`` pixels are to be cut.
    """
    if card.domain == "column":
        return engine(image)
    grey = 0.5 + GREY_STEP * image
    found = engine(grey)
    return (found - trim(grey, card.shrink) if card.predicts == "image" else found) / GREY_STEP
