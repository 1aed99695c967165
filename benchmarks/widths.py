"""Choose the widths of the Gaussian baseline and the length of optimal interpolation.

    python benchmarks/widths.py

On GEMS windows of the training days with added noise of many levels, cells are sorted by noise
over spread of their neighbourhood. For every class it prints the width of the Gaussian that leaves
the smallest error after bicubic interpolation, and for every length of correlation the error of
optimal interpolation. The figures stand in ``no2sr/downscaling/smoothing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import gems
import numpy as np

from no2sr.core.units import factor
from no2sr.downscaling import smoothing
from no2sr.evaluation.adding import add_noise
from no2sr.simulation.degrading import degrade
from no2sr.steps.gaps import fill_gaps
from no2sr.steps.resample import upsample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Values = NDArray[np.floating]

LEVELS = [(0.15, 0.05), (0.3, 0.1), (0.6, 0.2), (1.0, 0.3), (1.2, 0.4), (2.0, 0.3)]
EDGES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 9.0]
GRID = [0.0, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0]
LENGTHS = [1.0, 1.5, 2.0, 3.0]
EVERY = 18  # of the windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A noisy coarse field and the fine field behind it, in 1e15 molecules cm-2."""

    scale: int
    level: int
    values: Values
    noise: Values
    truth: Values

    def judge(self, coarse: Values) -> Values:
        """Return squared errors after bicubic interpolation, 0 where there is no truth."""
        filled = fill_gaps(np.asarray(coarse, np.float32), 8)
        errors = upsample(filled, self.scale).astype(np.float64) - self.truth
        return np.where(np.isfinite(errors), errors, 0) ** 2


def make_cases() -> Iterator[Case]:
    """Degrade windows of the training days and add noise."""
    rng = np.random.default_rng(0)
    unit = factor("1e15 molecules cm-2")
    listed = [scene for day in gems.TRAINING_DAYS for scene in gems.find(day)]
    for window in gems.cut(listed[::EVERY]):
        for scale in (2, 4):
            clean = degrade(window, scale)
            seen = np.isfinite(clean.values).repeat(scale, axis=0).repeat(scale, axis=1)
            truth = np.where(seen, window.values[: seen.shape[0], : seen.shape[1]], np.nan) / unit
            for level, (constant, relative) in enumerate(LEVELS):
                noisy, noise = add_noise(clean, (constant * unit, relative), rng)
                values, stated = noisy.values / unit, noise.values / unit
                yield Case(scale=scale, level=level, values=values, noise=stated, truth=truth)


def main() -> None:
    """Print the best width of each class, and the error by length."""
    squares = np.zeros((len(EDGES) - 1, len(GRID)))
    by_length = {scale: np.zeros((len(LEVELS), len(LENGTHS))) for scale in (2, 4)}
    for case in make_cases():
        ratio = smoothing.compare_with_spread(case.values, case.noise)
        ratio = ratio.repeat(case.scale, axis=0).repeat(case.scale, axis=1)
        place = np.clip(np.digitize(ratio, EDGES) - 1, 0, len(EDGES) - 2).ravel()
        for column, width in enumerate(GRID):
            errors = case.judge(smoothing.blur(case.values, width)).ravel()
            squares[:, column] += np.bincount(place, errors, len(EDGES) - 1)
        for column, length in enumerate(LENGTHS):
            errors = case.judge(smoothing.krige(case.values, case.noise, length=length))
            by_length[case.scale][case.level, column] += errors.sum()
    for (low, high), row in zip(pairwise(EDGES), squares, strict=True):
        print(f"noise / spread {low:.1f}..{high:.1f}: width {GRID[int(row.argmin())]:.2f}")
    for scale, rows in by_length.items():
        for level, row in zip(LEVELS, rows, strict=True):
            shown = " ".join(f"{root:.4f}" for root in np.sqrt(row / row.min()))
            print(f"x{scale}, noise {level}: error by length {LENGTHS} over the least: {shown}")


if __name__ == "__main__":
    main()
