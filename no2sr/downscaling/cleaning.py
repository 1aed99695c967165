"""The noise step over a block, alone or with the steps before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.networks.neighbour_step import NEIGHBOURS, follow_neighbours
from no2sr.networks.noise_step import apply_correction, find_correction
from no2sr.networks.prepared import Prepared
from no2sr.steps.tiles import trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.downscaling.method import Block
    from no2sr.downscaling.runner import Runner
    from no2sr.networks.card import ModelCard

    Floats = NDArray[np.float32]

__all__ = ["Cleaned", "Cleaner"]


class Cleaned(NamedTuple):
    """A block after the noise step.

    Attributes
    ----------
    values : array, (y, x), float32
        NaN in gaps.
    prepared : Prepared, optional
        What the noise step saw; None if it did nothing.
    correction : array like `values`, optional
        What the noise step returned, before it was bounded.
    """

    values: Floats
    prepared: Prepared | None = None
    correction: Floats | None = None


class Cleaner(NamedTuple):
    """The noise step, and the network of time neighbours if there is one."""

    denoiser: Runner
    neighbours: Runner | None = None

    @property
    def halo(self) -> int:
        """Coarse cells beyond those that are cleaned that it needs."""
        alone = self.denoiser.card.halo
        if self.neighbours is None:
            return alone
        return max(alone + self.neighbours.card.radius, self.neighbours.card.halo)

    def clean(self, block: Block, cut: int) -> Cleaned:
        """Clean a block; without noise there is nothing to do.

        Parameters
        ----------
        block : Block
        cut : int
            Cells of the block's rim that are not cleaned; at least `halo`.
        """
        if block.noise is None:
            return Cleaned(trim(block.values, cut))
        near = self.neighbours if block.before is not None else None
        more = near.card.radius if near else 0
        ready = _prepare(block.values, block.noise, self.denoiser.card, cut - more)
        correction = find_correction(ready, self.denoiser.load())
        if near is not None:
            before = apply_correction(ready, correction)
            moved = np.nan_to_num(before - trim(block.values, cut - more))
            step = np.pad(moved, near.card.halo - near.card.radius)
            beside = _cut_neighbours(block, cut - near.card.halo)
            around = _prepare(block.values, block.noise, near.card, cut)
            further = follow_neighbours(around, step, beside, near.load())
            correction = trim(correction, more) + further
        return Cleaned(apply_correction(ready, correction), ready, correction)


def _prepare(values: Floats, noise: Floats, card: ModelCard, cut: int) -> Prepared:
    """Prepare a block for a network that returns all but `cut` cells of its rim."""
    rim = cut - card.halo
    return Prepared(trim(values, rim), card, layers={"noise": trim(noise, rim)})


def _cut_neighbours(block: Block, rim: int) -> dict[str, Floats]:
    """Return the columns before and after and their noise."""
    names = [f"{side}{part}" for side in NEIGHBOURS for part in ("", "_noise")]
    return {name: trim(getattr(block, name), rim) for name in names}
