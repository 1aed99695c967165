"""A network over one block of any size, at full speed.

A block is a coarse array with a halo. It is filled, normalised and interpolated, and the network
adds its correction tile by tile. Small tiles keep the working set in the cache and the memory flat.
Every tile covers the whole receptive field, so tiled and whole results are the same. `engines`
runs a network; `no2sr.downscaling.kernel` takes a coarse block to its fine values.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import CardMismatchError
from no2sr.networks.prepared import Prepared
from no2sr.steps.normalise import denormalise
from no2sr.steps.tiles import Tile, cut_tiles, trim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine

    Layers = Mapping[str, NDArray[np.floating]]

__all__ = ["TILE", "run_network", "super_resolve"]

# Fine pixels along a tile. On the fine grid the speed does not depend on it from 128 up, but the
# memory does. On the coarse grid a tile has few cells, and its rim would be most of it.
TILE = {"fine": 256, "coarse": 512}
# The range that networks for pictures, where white is 1, see for one local spread of a column:
# normalised values, at most 9 with the usual window, then stay between black and white.
GREY_STEP = 0.05


def super_resolve(
    coarse: NDArray[np.floating],
    card: ModelCard,
    engine: Engine,
    *,
    tile: int | None = None,
    layers: Layers = MappingProxyType({}),
) -> NDArray[np.float32]:
    """Refine a block: bicubic plus the network's correction, not yet conserved.

    Parameters
    ----------
    coarse : array, (y + 2 halo, x + 2 halo)
        The block with ``card.halo`` cells around it; NaN in gaps.
    card : ModelCard
    engine : Engine
    tile : int, optional
        Side of the network's tiles in fine pixels. It changes speed and memory, never the result.
    layers : mapping of str to array, (y + 2 halo, x + 2 halo), optional
        Other layers that the card names as inputs, see `Prepared`.

    Returns
    -------
    array, (scale * y, scale * x), float32
        Finite everywhere, gaps filled.

    Raises
    ------
    CardMismatchError
        If the network is not for super-resolution.
    """
    if card.role != "super-resolution":
        raise CardMismatchError(
            f"model {card.name} is for {card.role} and keeps the coarse grid; "
            "use a network for super-resolution, such as srcnn"
        )
    prepared = Prepared(coarse, card, layers=layers)
    scale, halo = card.scale, card.halo
    shape = (coarse.shape[0] - 2 * halo, coarse.shape[1] - 2 * halo)
    fine = np.empty((shape[0] * scale, shape[1] * scale), dtype=np.float32)
    for part in cut_tiles(shape, max(1, (tile or TILE[card.grid]) // scale)):
        fine[part.refine(scale).window] = _estimate(prepared, part.shift(halo), engine)
    return fine


def _estimate(prepared: Prepared, tile: Tile, engine: Engine) -> NDArray[np.float32]:
    """Estimate the fine pixels of one tile.

    This equals normalising the upsampled image, adding the correction and denormalising. Where the
    spread is 0 the upsampled value stands.
    """
    card = prepared.card
    found = trim(run_network(prepared.network_input(tile), card, engine), card.rim)
    if card.domain == "column" and card.predicts == "image":
        return denormalise(found, prepared.fine_window(tile)[1])
    estimate: NDArray[np.float32] = found * prepared.fine_spread(tile)
    estimate += prepared.upsample_image(tile)
    return estimate


def run_network(image: NDArray[np.float32], card: ModelCard, engine: Engine) -> NDArray[np.float32]:
    """Run a network on a normalised image; a network for pictures sees it around grey.

    Parameters
    ----------
    image : array, (y, x) or (y, x, inputs)
        As `Prepared.network_input` returns it.
    card : ModelCard
    engine : Engine

    Returns
    -------
    array, (y', x'), in spreads
        The correction, or of a network for columns that predicts the image, the normalised image.
        Cut its outer ``card.rim`` pixels.
    """
    if card.domain == "column":
        found = engine(image)
        return found if found.ndim == 2 else found[..., card.outputs.index("correction")]
    grey = np.asarray(0.5 + GREY_STEP * image, dtype=np.float32)
    found = engine(grey)
    return (found - trim(grey, card.shrink) if card.predicts == "image" else found) / GREY_STEP
