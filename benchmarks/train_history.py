"""Train the history networks on the scenes of history_scenes.py.

    python benchmarks/history_scenes.py DATA POOL 350 1
    python benchmarks/train_history.py new/history_x4.npz 4 POOL/x4_*.npz --steps 6000
    python benchmarks/calibrate_history.py new 5 POOL
    python benchmarks/ship_history.py new new/shares.json

The shipped weights: scenes of seeds 1 to 4, 350 groups each. Scale 4 was trained for 3,000 steps on
those of seeds 1 and 2, then for 6,000 and 3,000 on all; scale 3 for 3,500 and 4,500; scale 2 for
3,500 and 7,000. Only in the last run of each were cells dropped where the history hardly agrees.
They were drawn by an earlier form of history_scenes.py, so that a seed now gives other scenes.

PyTorch is needed, which no2sr does not depend on; all runs on a CPU. The network sees what
`no2sr.networks.history_step.guide` shows it, and its outputs are put together as there and in
`no2sr.downscaling.kernel.NetworkMethod`, with the same resampling.
"""

from __future__ import annotations

import argparse
import copy
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from noise_networks import Network, trim
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from no2sr.networks.history_step import GATE, LEAST_FIT, MOST_DETAIL, RIM, WITHOUT
from no2sr.steps.resample import upsample

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    Scenes = dict[str, np.ndarray]

CELLS, RADIUS, FILTERS = 24, 7, 48
DILATIONS = (1, 1)


def pad(x: Tensor, cells: int) -> Tensor:
    """Continue by reflection."""
    size = x.shape[-1]
    order = torch.from_numpy(np.pad(np.arange(size), cells, mode="symmetric"))
    return x.index_select(-1, order).index_select(-2, order)


def interpolator(scale: int, method: str) -> Tensor:
    """Return the matrix that enlarges cells along one axis and cuts the rim."""
    wide = CELLS + 2 * RIM
    rows = [upsample(np.eye(wide)[:, k : k + 1], scale, method=method)[:, 0] for k in range(wide)]
    return torch.from_numpy(np.stack(rows, axis=1)[RIM * scale : -RIM * scale].astype(np.float32))


class Maker:
    """What the outputs of the network make of a scene."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.bicubic, self.bilinear = (interpolator(scale, m) for m in ("bicubic", "bilinear"))

    def near(self, x: Tensor) -> Tensor:
        """Repeat cells."""
        return x.repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)

    def means(self, x: Tensor) -> Tensor:
        """Average blocks."""
        return torch.nn.functional.avg_pool2d(x, self.scale)

    def conserve(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Shift every block to its mean."""
        return fine + self.near(coarse - self.means(fine))

    def image(self, scenes: dict[str, Tensor]) -> Tensor:
        """Return the input of the network, continued around the scene."""
        rim = RADIUS + RIM
        detail = pixel_unshuffle(pad(scenes["history"], rim * self.scale), self.scale)
        return torch.cat([pad(scenes["channels"], rim), detail], dim=1)

    def __call__(
        self, found: Tensor, scenes: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the fine values with and without a history, and the coarse ones likewise."""
        s = self.scale
        present = pad(scenes["channels"][:, 9:10], RIM)
        kept = found * present
        raw, unit, filled = (pad(scenes[name], RIM) for name in ("raw", "unit", "filled"))
        before = filled + 3 * torch.tanh(raw) * unit
        after = filled + 3 * torch.tanh(raw + kept[:, :1]) * unit
        spread = pad(scenes["spread"], RIM)
        gate = self.bilinear @ (kept[:, 1:2].clamp(*GATE) * spread) @ self.bilinear.T
        without = self.bilinear @ kept[:, 2:3].clamp(*WITHOUT) @ self.bilinear.T
        own = pixel_shuffle(trim(kept[:, 3:].clamp(-MOST_DETAIL, MOST_DETAIL) * spread, RIM), s)
        base = scenes["base"]
        smooth = self.bicubic @ before @ self.bicubic.T
        moved = self.bicubic @ (after - before) @ self.bicubic.T
        fine = base + moved - without * (base - smooth) + own + gate * scenes["history"]
        fine = torch.where(self.near(trim(present, RIM)) > 0, fine, base)
        before, after = trim(before, RIM), trim(after, RIM)
        return self.conserve(fine, after), self.conserve(base, before), after, before


def read(paths: list[Path]) -> Scenes:
    """Read scenes from files."""
    files = [np.load(path) for path in paths]
    names = ("channels", "history", "raw", "unit", "filled", "spread", "base", "truth", "valid")
    found = {}
    for name in names:
        whole = np.concatenate([file[name] for file in files])
        found[name] = whole if name == "channels" else whole[:, None]
    drop_misfits(found)
    return found


def drop_misfits(scenes: Scenes) -> None:
    """Remove the history where it hardly agrees, as `no2sr.networks.history_step` does."""
    channels = scenes["channels"]
    absent = np.abs(channels[:, 6]) < LEAST_FIT
    scale = scenes["base"].shape[-1] // CELLS
    for channel in (5, 7, 8, 9):
        channels[:, channel][absent] = 0
    scenes["history"][absent[:, None].repeat(scale, -1).repeat(scale, -2)] = 0


def draw(scenes: Scenes, some: Any, rng: Generator | None = None) -> dict[str, Tensor]:
    """Take some scenes, turned at random."""
    batch = {k: torch.from_numpy(v[some].astype(np.float32)) for k, v in scenes.items()}
    if rng is None:
        return batch
    axes = [axis for axis in (-1, -2) if rng.random() < 0.5]
    turned = rng.random() < 0.5
    if axes:
        batch = {name: x.flip(axes) for name, x in batch.items()}
    if turned:
        batch = {name: x.transpose(-1, -2).contiguous() for name, x in batch.items()}
    return batch


def errors(maker: Maker, found: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean square errors with and without a history, and the variance, by scene."""
    with_history, without, *_ = maker(found, batch)
    truth = batch["truth"]
    good = torch.isfinite(maker.means(truth)) & (batch["valid"] > 0)
    good = maker.near(good.float()) > 0
    count = good.sum(dim=(1, 2, 3)).clamp(min=1)
    known = torch.where(good, truth, 0.0)
    mean = known.sum(dim=(1, 2, 3)) / count
    deviation = torch.where(good, truth - mean[:, None, None, None], 0.0)
    parts = [torch.where(good, fine - known, 0.0) for fine in (with_history, without)]
    powers = [(part**2).sum(dim=(1, 2, 3)) / count for part in (*parts, deviation)]
    return powers[0], powers[1], powers[2]


def judge(network: Network, maker: Maker, scenes: Scenes, held: np.ndarray) -> str:
    """Compare errors with and without a history on held-out scenes: pooled, and typical."""
    with torch.no_grad():
        parts = [draw(scenes, some) for some in np.array_split(held, max(1, len(held) // 24))]
        found = [errors(maker, network(maker.image(part)), part) for part in parts]
    new, old, _ = (torch.cat(each) for each in zip(*found, strict=True))
    pooled = float((new.sum() / old.sum()).sqrt())
    typical = float(torch.exp((new / old.clamp(min=1e-6)).log().mean() / 2))
    return f"held out {pooled:.4f} {typical:.4f}"


def descend(network: Network, maker: Maker, scenes: Scenes, given: Any) -> None:
    """Train, and keep the running mean of the weights."""
    mean, rng, count = copy.deepcopy(network), np.random.default_rng(0), len(scenes["base"])
    held = np.arange(count)[-max(12, count // 16) :]
    optimiser = torch.optim.AdamW(network.parameters(), given.rate, weight_decay=1e-3)
    for step in range(1, given.steps + 1):
        for group in optimiser.param_groups:
            cosine = 0.5 + 0.5 * math.cos(math.pi * step / given.steps)
            group["lr"] = given.rate * min(step / 100, 1) * (cosine + 0.003)
        batch = draw(scenes, rng.choice(held[0], given.batch, replace=False), rng)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(maker.image(batch))
        new, old, power = errors(maker, found.float(), batch)
        optimiser.zero_grad()
        (new / (old + 0.03 * power + 0.01)).clamp(max=20).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        keep = min(0.998, step / (step + 9))
        with torch.no_grad():
            for a, b in zip(mean.parameters(), network.parameters(), strict=True):
                a.lerp_(b, 1 - keep)
        if step % 250 == 0 or step == given.steps:
            print(step, judge(mean, maker, scenes, held), flush=True)
            mean.save(given.out)


def main() -> None:
    """Train a network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("scale", type=int)
    parser.add_argument("pool", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", type=Path, help="weights to begin from")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    scale = given.scale
    network = Network(10 + scale**2, 3 + scale**2, DILATIONS, FILTERS)
    with torch.no_grad():
        network.last.weight.mul_(0.1)
    if given.start:
        network.load(given.start)
    descend(network, Maker(scale), read(given.pool), given)


if __name__ == "__main__":
    main()
