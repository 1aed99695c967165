"""Train the network of time neighbours on the scenes of neighbour_scenes.py.

    python benchmarks/neighbour_scenes.py DATA pool.npz 6000 1
    python benchmarks/train_neighbours.py new/neighbours.npz pool.npz --steps 9000
    python benchmarks/ship_history.py new

PyTorch is needed, which no2sr does not depend on; all runs on a CPU. The shipped weights saw 14,000
scenes, 6,000 of seed 1 and 8,000 of seed 2.
"""

from __future__ import annotations

import argparse
import copy
import math
from pathlib import Path

import numpy as np
import torch
from noise_networks import Network
from train_history import DILATIONS, RADIUS, draw, pad

FILTERS = 32
NAMES = ("channels", "raw", "unit", "filled", "noise", "truth")


def errors(network: Network, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean square errors of the cells with and without neighbours, over noise and spread."""
    channels = batch["channels"]
    with torch.autocast("cpu", torch.bfloat16, enabled=network.training):
        found = network(pad(channels, RADIUS)).float()
    known = ((channels[:, 7:8] > 0) | (channels[:, 10:11] > 0)).float()
    good = torch.isfinite(batch["truth"]) & torch.isfinite(batch["noise"])
    count = good.sum(dim=(1, 2, 3)).clamp(min=1)
    truth = torch.where(good, batch["truth"], 0.0)
    size = (torch.where(good, batch["noise"], 0.0) ** 2).sum(dim=(1, 2, 3)) / count + 1e-4
    both = []
    for more in (found * known, 0.0):
        cells = batch["filled"] + 3 * torch.tanh(batch["raw"] + more) * batch["unit"]
        both.append((torch.where(good, cells - truth, 0.0) ** 2).sum(dim=(1, 2, 3)) / count / size)
    return both[0], both[1]


def main() -> None:
    """Train the network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("pool", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    files = [np.load(path) for path in arguments.pool]
    scenes = {name: np.concatenate([file[name] for file in files]) for name in NAMES}
    scenes = {name: x if name == "channels" else x[:, None] for name, x in scenes.items()}
    count = len(scenes["raw"])
    held, train = np.arange(count)[-(count // 12) :], np.arange(count)[: -(count // 12)]
    network = Network(scenes["channels"].shape[1], 1, DILATIONS, FILTERS)
    mean = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), arguments.rate, weight_decay=1e-3)
    for step in range(1, arguments.steps + 1):
        for group in optimiser.param_groups:
            cosine = 0.5 + 0.5 * math.cos(math.pi * step / arguments.steps)
            group["lr"] = arguments.rate * min(step / 100, 1) * (cosine + 0.003)
        batch = draw(scenes, rng.choice(train, arguments.batch, replace=False), rng)
        new, _ = errors(network, batch)
        optimiser.zero_grad()
        new.clamp(max=20).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        keep = min(0.998, step / (step + 9))
        with torch.no_grad():
            for a, b in zip(mean.parameters(), network.parameters(), strict=True):
                a.lerp_(b, 1 - keep)
        if step % 500 == 0 or step == arguments.steps:
            with torch.no_grad():
                new, old = errors(mean, draw(scenes, held))
            print(step, f"held out {float((new.sum() / old.sum()).sqrt()):.4f}", flush=True)
            mean.save(arguments.out)


if __name__ == "__main__":
    main()
