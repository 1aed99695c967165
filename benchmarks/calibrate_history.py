"""Find what a history leaves of the variances, by how well it fits.

    python benchmarks/history_scenes.py DATA POOL 80 5
    python benchmarks/calibrate_history.py FOLDER 5 POOL

On scenes that were not trained on, squared errors with a history are divided by those without, in
classes of the local correlation of history and column: those of the denoised cell, those of the
detail inside it, and those of the detail where no noise is known. The cards hold these tables, for
`no2sr.downscaling.uncertainty.share_left`. FOLDER holds the weights and receives ``shares.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from noise_networks import Network
from train_history import DILATIONS, FILTERS, Maker, draw, read

EDGES = np.array([-1.0, -0.6, -0.3, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1.0])
LEAST = 0.1  # a share that no table goes below
FEWEST = 200  # cells in a class; others take the share of the nearest


@torch.no_grad()
def measure(scale: int, weights: Path, pool: Path) -> dict[str, list[float]]:
    """Measure the shares of one scale."""
    scenes, maker = read([pool]), Maker(scale)
    network = Network(10 + scale**2, 3 + scale**2, DILATIONS, FILTERS).load(weights)
    parts: list[np.ndarray] = []
    for some in np.array_split(np.arange(len(scenes["base"])), len(scenes["base"]) // 20 + 1):
        batch = draw(scenes, some)
        new, old, after, before = maker(network(maker.image(batch)), batch)
        truth = batch["truth"]
        mean = maker.means(truth)
        spread = batch["spread"].clamp(min=1e-6)
        inside = truth - maker.near(mean)
        rows = [
            ((after - mean) / spread) ** 2,
            ((before - mean) / spread) ** 2,
            maker.means((new - maker.near(after) - inside) ** 2) / spread**2,
            maker.means((old - maker.near(before) - inside) ** 2) / spread**2,
            batch["channels"][:, 6:7],
            batch["unit"] / spread,
        ]
        good = torch.isfinite(mean) & (batch["valid"] > 0) & (batch["channels"][:, 9:10] > 0)
        parts.append(torch.stack([row[good] for row in rows]).numpy())
    return tabulate(np.concatenate(parts, axis=1))


def tabulate(cells: np.ndarray) -> dict[str, list[float]]:
    """Divide errors by class of the correlation."""
    fit, unit = cells[4], cells[5]
    which = np.digitize(fit, EDGES[1:-1])
    table: dict[str, list[float]] = {"fit": ((EDGES[1:] + EDGES[:-1]) / 2).round(3).tolist()}
    for name, rows, kept in (
        ("cell", (0, 1), unit > 0.02),
        ("detail", (2, 3), unit > 0.02),
        ("alone", (2, 3), unit <= 0.02),
    ):
        shares = np.full(len(EDGES) - 1, np.nan)
        for k in range(len(shares)):
            cell = kept & (which == k)
            if cell.sum() >= FEWEST:
                new, old = (np.minimum(cells[row][cell], 25).sum() for row in rows)
                shares[k] = np.clip(new / old, LEAST, 1)
        known = np.flatnonzero(np.isfinite(shares))
        filled = np.interp(np.arange(len(shares)), known, shares[known])
        table[name] = filled.round(3).tolist()
    return table


def main(folder: Path, seed: int, pool: Path) -> None:
    """Measure all scales that have weights."""
    found = {}
    for path in sorted(folder.glob("history_x*.npz")):
        scale = int(path.stem.removeprefix("history_x"))
        found[str(scale)] = measure(scale, path, pool / f"x{scale}_{seed}.npz")
        print(scale, found[str(scale)])
    (folder / "shares.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
