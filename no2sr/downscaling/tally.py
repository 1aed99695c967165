"""What is counted while an image is worked on block by block: cells, gaps, spread, residual.

References
----------
T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance: analysis
and recommendations", The American Statistician 37 (1983) 242-247: how moments of parts are merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Tally"]


class Tally(NamedTuple):
    """Counts of a part of an image; parts merged in the same order give the same bits.

    Attributes
    ----------
    cells, valid : int
        All cells, and those observed.
    mean, squares : float
        Mean of the observed cells, and the sum of their squared deviations from it.
    residual : float
        Largest deviation of a block mean from what it is held to, in units of the image.
    noisy : int
        Observed cells whose noise is known and not zero.
    departures : float
        Sum of their squared departures from the observation, in standard deviations of the noise.
    departure : float
        Largest of their departures.
    """

    cells: int = 0
    valid: int = 0
    mean: float = 0.0
    squares: float = 0.0
    residual: float = 0.0
    noisy: int = 0
    departures: float = 0.0
    departure: float = 0.0

    @classmethod
    def of(cls, coarse: NDArray[np.floating], *, residual: float = 0.0) -> Tally:
        """Count the cells of one block, (y, x), NaN in gaps."""
        known = coarse[np.isfinite(coarse)].astype(np.float64)
        if not known.size:
            return cls(cells=coarse.size, residual=residual)
        mean = float(known.mean())
        squares = float(((known - mean) ** 2).sum())
        return cls(coarse.size, known.size, mean, squares, residual)

    def add_departures(
        self, departures: NDArray[np.floating], noise: NDArray[np.floating] | None
    ) -> Tally:
        """Return the tally with departures from the observation.

        Parameters
        ----------
        departures : array, (y, x)
            What block means are held to less the observation; NaN in gaps.
        noise : array, (y, x), or None
        """
        if noise is None:
            return self
        noisy = np.isfinite(departures) & (noise > 0)
        if not noisy.any():
            return self
        ratios = departures[noisy].astype(np.float64) / noise[noisy]
        return self._replace(
            noisy=int(noisy.sum()),
            departures=float((ratios**2).sum()),
            departure=float(np.abs(ratios).max()),
        )

    def merge(self, other: Tally) -> Tally:
        """Return the tally of both parts together."""
        valid = self.valid + other.valid
        share = other.valid / valid if valid else 0.0
        apart = other.mean - self.mean
        return Tally(
            cells=self.cells + other.cells,
            valid=valid,
            mean=self.mean + apart * share,
            squares=self.squares + other.squares + apart**2 * self.valid * share,
            residual=max(self.residual, other.residual),
            noisy=self.noisy + other.noisy,
            departures=self.departures + other.departures,
            departure=max(self.departure, other.departure),
        )

    @property
    def gap_share(self) -> float:
        """Share of the cells that are gaps."""
        return (self.cells - self.valid) / self.cells if self.cells else 0.0

    @property
    def closure_max(self) -> float:
        """Largest residual in standard deviations of the observed cells; unscaled if that is 0."""
        spread = (self.squares / self.valid) ** 0.5 if self.valid else 0.0
        return self.residual / (spread or 1.0)

    def facts(self) -> dict[str, float]:
        """Return the facts that a fine image records."""
        told = {"closure_max": self.closure_max, "gap_share": self.gap_share}
        if self.noisy:
            told["departure_rms"] = (self.departures / self.noisy) ** 0.5
            told["departure_max"] = self.departure
        return told
