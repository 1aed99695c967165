"""The steps before and after over one block: what they tell of the noise in a step between.

Hours and days that follow each other show much the same sources, with other noise. A network on the
coarse grid sees the column, what the noise step made of it, and the columns before and after, each
with its noise. It returns a further correction, to be added to that of the noise step before it is
bounded. Where both neighbours are gaps, nothing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.networks.channels import divide_by_spread
from no2sr.steps.normalise import normalise
from no2sr.steps.tiles import trim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from no2sr.networks.engines.port import Engine
    from no2sr.networks.prepared import Prepared

    Floats = NDArray[np.float32]

__all__ = ["INPUTS", "NEIGHBOURS", "follow_neighbours", "stack_neighbours"]

NEIGHBOURS = ("before", "after")
INPUTS = (
    "column",
    "moved",
    "noise",
    "noise_mean",
    "presence",
    *(f"{side}{part}" for side in NEIGHBOURS for part in ("", "_noise", "_presence")),
)


def stack_neighbours(block: Prepared, moved: Floats, beside: Mapping[str, Floats]) -> Floats:
    """Stack the input channels of the network.

    Parameters
    ----------
    block : Prepared
        With a layer ``"noise"``.
    moved : array, (y, x)
        How far the noise step moved each cell, in the unit of the column.
    beside : mapping of str to array, (y, x)
        ``before``, ``after``, ``before_noise`` and ``after_noise``, in the unit of the column; NaN
        in gaps.

    Returns
    -------
    array, (y, x, channels), float32
    """
    by, limit = block.statistics, np.float32(block.card.window)
    channels = block.own_channels(moved)
    for side in NEIGHBOURS:
        known = np.isfinite(beside[side])
        about = normalise(np.where(known, beside[side], by.mean), by)
        told = np.where(known, np.nan_to_num(beside[f"{side}_noise"]), np.float32(0))
        over = divide_by_spread(told.astype(np.float32), by.spread)
        channels += [np.clip(about, -limit, limit), over, known.astype(np.float32)]
    return np.stack(channels, axis=-1)


def follow_neighbours(
    block: Prepared, moved: Floats, beside: Mapping[str, Floats], engine: Engine
) -> Floats:
    """Run the network over a block.

    Parameters
    ----------
    block, moved, beside
        As for `stack_neighbours`, with ``block.card.halo`` cells around the block; of `moved` only
        the ``radius`` cells around it count.
    engine : Engine

    Returns
    -------
    array, (y, x), float32
        To be added to what `no2sr.networks.noise_step.find_correction` returns.
    """
    card, halo = block.card, block.halo
    image = trim(stack_neighbours(block, moved, beside), halo - card.radius)
    found = engine(image)
    found = trim(found if found.ndim == 2 else found[..., 0], card.rim)
    known = np.isfinite(beside["before"]) | np.isfinite(beside["after"])
    return np.where(trim(known, halo), found, np.float32(0))
