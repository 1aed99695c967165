"""Choose the widths of the Gaussian baseline and the length of optimal interpolation.

    python benchmarks/widths.py

On GEMS windows of the training days with added noise of many levels, cells are sorted by noise
over local spread. For every class it prints the width of the Gaussian that leaves the smallest
error of coarse cells, and for every length of correlation the error of optimal interpolation. The
figures stand in ``no2sr/downscaling/smoothing.py``.
"""

from __future__ import annotations

import gems
import numpy as np

from no2sr.core.units import factor
from no2sr.downscaling import smoothing
from no2sr.evaluation.adding import add_noise
from no2sr.simulation.degrading import degrade

LEVELS = [(0.15, 0.05), (0.3, 0.1), (0.6, 0.2), (1.0, 0.3), (1.2, 0.4), (2.0, 0.3)]
EDGES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0]
GRID = [0.0, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0]
LENGTHS = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
EVERY = 6  # of the windows


def main() -> None:
    """Sort cells, print the best width of each class and the error by length."""
    rng = np.random.default_rng(0)
    unit = factor("1e15 molecules cm-2")
    squares = np.zeros((len(EDGES) - 1, len(GRID)))
    by_length = np.zeros((2, len(LEVELS), len(LENGTHS)))
    windows = gems.cut([scene for day in gems.TRAINING_DAYS for scene in gems.find(day)][::EVERY])
    print(len(windows), "windows")
    for window in windows:
        for at, scale in enumerate((2, 4)):
            clean = degrade(window, scale)
            if np.isfinite(clean.values).sum() < 16:
                continue
            for number, level in enumerate(LEVELS):
                noisy, noise = add_noise(clean, (level[0] * unit, level[1]), rng)
                values, stated, truth = noisy.values, noise.values, clean.values
                seen = np.isfinite(truth)
                _, spread = smoothing.look_around(values)
                ratio = np.divide(stated, spread, out=np.zeros_like(spread), where=spread > 0)
                place = np.digitize(ratio[seen], EDGES) - 1
                kept = place < len(EDGES) - 1
                for width, step in enumerate(GRID):
                    errors = (smoothing.blur(values, step) - truth)[seen] / unit
                    np.add.at(squares[:, width], place[kept], errors[kept] ** 2)
                for k, length in enumerate(LENGTHS):
                    errors = smoothing.krige(values, stated, length=length) - truth
                    by_length[at, number, k] += np.nansum((errors / unit) ** 2)
    for low, high, row in zip(EDGES, EDGES[1:], squares, strict=False):
        print(f"noise / spread {low:.1f}..{high:.1f}: width {GRID[int(row.argmin())]:.2f}")
    for scale, rows in zip((2, 4), by_length, strict=True):
        for level, row in zip(LEVELS, rows, strict=True):
            shown = " ".join(f"{root:.4f}" for root in np.sqrt(row / row.min()))
            print(f"x{scale} {level}: error by length {LENGTHS}, over the least: {shown}")


if __name__ == "__main__":
    main()
