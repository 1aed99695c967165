"""A network as a method: the whole step from a coarse block to its fine values.

Where noise is known, the noise step comes first: it takes off what the instrument's noise hides,
and block means are then held to what it returns. The method needs no other data than a block with
its halo, so where the blocks are cut changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from no2sr.downscaling.cleaning import Cleaned, Cleaner
from no2sr.downscaling.guiding import follow_history, reach_of
from no2sr.downscaling.method import Estimate
from no2sr.downscaling.tally import Tally
from no2sr.downscaling.uncertainty import estimate_total, share_left
from no2sr.networks.history_step import RIM
from no2sr.networks.inference import super_resolve
from no2sr.steps.conserve import closure, conserve
from no2sr.steps.gaps import restore_gaps
from no2sr.steps.tiles import trim

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from no2sr.downscaling.method import Block
    from no2sr.downscaling.runner import Runner
    from no2sr.steps.conserve import Kind

__all__ = ["NetworkMethod"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMethod:
    """Make blocks finer with a network.

    Attributes
    ----------
    network : Runner
    denoiser : Runner, optional
        Takes off noise first; needs blocks with noise.
    judge : Runner, optional
        Estimates the uncertainty. Without a denoiser it states that of the detail alone, and
        whatever errors the blocks carry.
    neighbours : Runner, optional
        Follows the steps before and after in the noise step, in blocks that have them.
    guide : Runner, optional
        Follows the history of the place, in blocks that have one.
    conserve : {"noise", "additive", "multiplicative"}
        ``noise`` lets a block mean leave the observation as far as the noise step does; the others
        restore the observation exactly.
    """

    network: Runner
    denoiser: Runner | None = None
    judge: Runner | None = None
    neighbours: Runner | None = None
    guide: Runner | None = None
    conserve: Literal["noise", "additive", "multiplicative"] = "additive"

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.network.card.name

    @property
    def scale(self) -> int:
        """Fine cells along each side of a coarse one."""
        return self.network.card.scale

    @property
    def reach(self) -> int:
        """Coarse cells beyond a block that its values can depend on."""
        alone = self._rim + (self._cleaner.halo if self._cleaner else 0)
        return max(alone, reach_of(self.guide)) if self.guide else alone

    @property
    def _cleaner(self) -> Cleaner | None:
        """The noise step, if there is one."""
        return Cleaner(self.denoiser, self.neighbours) if self.denoiser else None

    @property
    def _rim(self) -> int:
        """Coarse cells beyond a block that are needed after the noise step."""
        guided = self.guide.card.radius + RIM if self.guide else 0
        return max(self.network.card.halo, guided)

    @property
    def halo(self) -> int:
        """Coarse cells beyond a block that it needs: those of the uncertainty, too."""
        judged = self.judge.card.halo + 1 if self.judge else 0
        return max(self.reach, judged)

    @property
    def facts(self) -> dict[str, str | float]:
        """What outputs record of the method."""
        card = self.network.card
        told: dict[str, str | float] = {
            "model": card.name,
            "model_sha256": card.checksum,
            "conserve": self.conserve,
        }
        if self.denoiser is not None:
            told["noise"] = "taken off before refining"
            told["noise_step_sha256"] = self.denoiser.card.checksum
        if self.neighbours is not None:
            told["neighbours"] = "one step before and after"
            told["neighbours_sha256"] = self.neighbours.card.checksum
        if self.guide is not None:
            told["history_model_sha256"] = self.guide.card.checksum
        return told

    @property
    def states_uncertainty(self) -> bool:
        """Whether its estimates carry an uncertainty."""
        return self.judge is not None

    @property
    def identity(self) -> tuple[Hashable, ...]:
        """All that its results depend on."""
        return (*(runner and runner.identity for runner in self._runners), self.conserve)

    @property
    def _runners(self) -> tuple[Runner | None, ...]:
        """All networks."""
        return self.network, self.denoiser, self.judge, self.neighbours, self.guide

    def __dask_tokenize__(self) -> tuple[Hashable, ...]:
        """Return a hashable identity for this method."""
        return self.identity

    def load(self) -> None:
        """Make all engines now, so that what cannot be had is refused before the work."""
        for runner in self._runners:
            if runner is not None:
                runner.load()

    def __call__(self, block: Block) -> Estimate:
        """Take off noise, fill, enlarge, conserve, and put the gaps back.

        Parameters
        ----------
        block : Block

        Returns
        -------
        Estimate
        """
        coarse = trim(block.values, self.halo)
        valid = np.isfinite(coarse)
        shape = tuple(size * self.scale for size in coarse.shape)
        if not valid.any():
            nothing = np.full(shape, np.nan, dtype=np.float32)
            return Estimate(nothing, nothing if self.judge else None, Tally.of(coarse))
        clean = self._denoise(block)
        card = self.network.card
        rim = self._rim
        estimate = super_resolve(trim(clean.values, rim - card.halo), card, self.network.load())
        cells, fit = trim(clean.values, rim), None
        if self.guide is not None and block.history is not None:
            estimate, cells, fit = follow_history(block, clean, estimate, self.guide)
        target = cells if self.conserve == "noise" else coarse
        kind: Kind = "multiplicative" if self.conserve == "multiplicative" else "additive"
        whole = conserve(estimate, target, block.areas, kind=kind)
        residual = float(np.abs(closure(whole, target, block.areas)[valid]).max())
        noise = None if block.noise is None else trim(block.noise, self.halo)
        tally = Tally.of(coarse, residual=residual).add_departures(target - coarse, noise)
        if self.judge is None:
            return Estimate(_restore(whole, valid), None, tally)
        total = self._judge(block, self.judge, fit)
        return Estimate(_restore(whole, valid), _restore(total, valid), tally)

    def _denoise(self, block: Block) -> Cleaned:
        """Return the block with the cells around it that come after, clean where noise is known."""
        cut = self.halo - self._rim
        if self._cleaner is None:
            return Cleaned(trim(block.values, cut))
        return self._cleaner.clean(block, cut)

    def _judge(
        self, block: Block, judge: Runner, fit: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the uncertainty of the fine values, gaps filled."""
        rim = self.halo - judge.card.halo - 1
        layers = {"values": block.values, "noise": block.noise, "systematic": block.systematic}
        if self.denoiser is None:
            layers["noise"] = None
        cut = {name: trim(layer, rim) for name, layer in layers.items() if layer is not None}
        shares = None
        if fit is not None and self.guide is not None:
            shares = share_left(fit, self.guide.card, noisy="noise" in cut)
        return estimate_total(cut, self.scale, judge.card, judge.load(), shares=shares)


def _restore(fine: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Put the gaps back."""
    if valid.all():
        return fine
    return restore_gaps(fine, valid, scale=fine.shape[0] // len(valid))
