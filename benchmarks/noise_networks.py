"""The networks of the noise step in PyTorch, and what they are trained for.

`Network` has the layers of `no2sr.networks.architectures.denoiser`; `prepare`, `bound` and
`variances` do for a batch of tensors what `no2sr.networks` does for one block of arrays.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch
from noise_scenes import SCALES
from torch import nn

from no2sr.networks.noise_step import DETAIL_KNEE, KNEES, LEAST_SHARE, LOGARITHMS
from no2sr.networks.training.symmetry import ELEMENTS, Symmetry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    Scenes = dict[str, np.ndarray]

WIDTH_90 = 1.6449  # standard deviations to either side that hold 90 % of a Gaussian
ZERO, ONE = torch.zeros(()), torch.ones(())


class Network(nn.Module):
    """The network of `no2sr.networks.architectures.denoiser`, in PyTorch."""

    def __init__(
        self, inputs: int, outputs: int, dilations: Sequence[int], filters: int = 32
    ) -> None:
        super().__init__()
        self.dilations, self.radius = dilations, 3 + 2 * sum(dilations)
        self.head = nn.Conv2d(inputs, filters, 5)
        self.first, self.second = (
            nn.ModuleList(nn.Conv2d(filters, filters, 3, dilation=d) for d in dilations)
            for _ in range(2)
        )
        self.last = nn.Conv2d(filters, outputs, 3)
        with torch.no_grad():
            for layer in self.second:
                layer.weight.mul_(0.5)
            self.last.weight.mul_(0.3)
            self.last.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, inputs, y, x) to (b, outputs, y - 2 radius, x - 2 radius)."""
        x = torch.relu(self.head(x))
        for first, second, d in zip(self.first, self.second, self.dilations, strict=True):
            x = trim(x, 2 * d) + second(torch.relu(first(x)))
        return self.last(x)

    def layers(self) -> list[tuple[str, nn.Conv2d]]:
        """List names and layers in the order of Keras."""
        named = [("head", self.head)]
        for k, pair in enumerate(zip(self.first, self.second, strict=True)):
            named += [(f"block_{k}_{part}", layer) for part, layer in zip("ab", pair, strict=True)]
        return [*named, ("correction", self.last)]

    def save(self, path: Path) -> None:
        """Write the weights as Keras has them: kernels are (y, x, in, out)."""
        weights = {}
        for name, layer in self.layers():
            weights[f"{name}/kernel"] = layer.weight.detach().numpy().transpose(2, 3, 1, 0)
            weights[f"{name}/bias"] = layer.bias.detach().numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **weights)

    @torch.no_grad()
    def load(self, path: Path) -> Network:
        """Read what `save` wrote."""
        found = np.load(path)
        for name, layer in self.layers():
            kernel = found[f"{name}/kernel"].transpose(3, 2, 0, 1).copy()
            layer.weight.copy_(torch.from_numpy(kernel))
            layer.bias.copy_(torch.from_numpy(found[f"{name}/bias"]))
        return self


class Symmetric:
    """The turns and mirrorings of `no2sr.networks.training.symmetry`, for a PyTorch network."""

    def __init__(self, network: Network) -> None:
        self.layers = [layer for _, layer in network.layers()]
        as_keras = [
            SimpleNamespace(name=name, weights=True, kernel=layer.weight.permute(2, 3, 1, 0))
            for name, layer in network.layers()
        ]
        self.moves = Symmetry(SimpleNamespace(layers=as_keras), cells=1).moves
        outputs = np.tile(np.arange(len(self.layers[-1].bias)), (len(ELEMENTS), 1))
        self.moves[-2][-1] = self.moves[-1][0] = outputs  # no output has a direction

    @torch.no_grad()
    def impose(self, *, gradients: bool = False, factor: float = 1.0) -> None:
        """Replace kernels and biases, or their gradients, by the means over all eight."""
        moves = iter(self.moves)
        for layer in self.layers:
            for weight in (layer.weight, layer.bias):
                values = weight.grad if gradients else weight
                grown = factor if weight is layer.weight else 1.0
                values.copy_(grown * _mean_of_turned(values, next(moves)))


def _mean_of_turned(values: Tensor, moves: list[np.ndarray]) -> Tensor:
    """Average over the eight; a kernel is moved as (taps, in, out), as Keras has it."""
    kernel = values.dim() > 1
    flat = values.permute(2, 3, 1, 0).flatten(0, 1) if kernel else values
    total = torch.zeros_like(flat)
    for element in range(len(ELEMENTS)):
        moved = flat
        for axis, indices in enumerate(moves):
            moved = moved.index_select(axis, torch.from_numpy(indices[element].copy()))
        total += moved / len(ELEMENTS)
    return total.permute(2, 1, 0).reshape(values.shape) if kernel else total


def trim(x: Tensor, rim: int) -> Tensor:
    """Cut a rim."""
    return x[..., rim:-rim, rim:-rim]


def add_near(x: Tensor, *, blur: bool) -> Tensor:
    """Sum (b, 1, y, x) by the Gaussian of `no2sr.steps.gaps`, or over 9 x 9 cells."""

    def weigh(size: int) -> Tensor:
        away = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        taps = np.where(away <= 9, np.exp(-0.5 * away**2.0), 0) if blur else away <= 4
        return torch.from_numpy(taps.astype(np.float64))

    return weigh(x.shape[-2]) @ x @ weigh(x.shape[-1])


def fill(x: Tensor, valid: Tensor) -> Tensor:
    """Fill gaps as `no2sr.steps.gaps.fill_gaps` does, for a batch."""
    total = add_near(torch.where(valid, x.double(), 0.0), blur=True)
    weight = add_near(valid.double(), blur=True)
    means = torch.where(weight > 0, total / weight.clamp(min=1e-300), 0.0).float()
    return torch.where(valid, x, means)


def prepare(column: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the input, spread, filled column, filled noise and what is valid.

    This is `no2sr.networks.prepared.Prepared` for a batch.
    """
    valid = torch.isfinite(column)
    known = torch.where(valid, column, ZERO).double()
    count = add_near(valid.double(), blur=False)
    mean = add_near(known, blur=False) / count.clamp(min=1)
    power = add_near(known**2, blur=False) / count.clamp(min=1)
    spread = (power - mean**2).clamp(min=0).sqrt()
    spread = torch.where(spread > 1e-6 * power.sqrt(), spread, 0.0).float()
    mean, spread = fill(mean.float(), count > 0), fill(spread, count > 0)
    filled, noise = fill(column, valid), fill(noise, valid & torch.isfinite(noise))
    smooth = nn.functional.avg_pool2d(nn.functional.pad(noise, (1,) * 4, mode="replicate"), 3, 1)
    safe = torch.where(spread > 0, spread, ONE)

    def over_spread(x: Tensor) -> Tensor:
        alone = torch.where(x > 0, 3 * ONE, ZERO)
        return torch.where(spread > 0, x / safe, alone).clamp(0, 3)

    normal = torch.where(spread > 0, (filled - mean) / safe, ZERO).clamp(-9, 9)
    image = torch.cat([normal, over_spread(noise), over_spread(smooth), valid.float()], dim=1)
    return image, spread, filled, noise, valid


def bound(found: Tensor, noise: Tensor, spread: Tensor) -> Tensor:
    """Turn what the denoiser returns into a correction of at most three noises."""
    size = torch.sqrt(spread**2 + noise**2 / 9).clamp(min=1e-30)
    return 3 * torch.tanh(found) * torch.where(spread > 0, noise * spread / size, ZERO)


def average(x: Tensor, where: Tensor) -> Tensor:
    """Average each scene where something holds."""
    total = torch.where(where, x, ZERO).sum(dim=(1, 2, 3))
    return total / where.sum(dim=(1, 2, 3)).clamp(min=1)


def denoising_loss(network: Network, scenes: list[Tensor], *, fast: bool) -> Tensor:
    """Return the mean square error of the cells over noise and detail, by scene."""
    column, noise, mean, within = scenes
    image, spread, filled, noise, valid = prepare(column, noise)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        found = network(image)
    good = valid & torch.isfinite(mean) & torch.isfinite(within)
    missed, noise, spread, within, good = (
        trim(x, network.radius) for x in (filled - mean, noise, spread, within, good)
    )
    missed = torch.where(good, missed + bound(found.float(), noise, spread), ZERO)
    return average(missed**2, good) / (average(noise**2, good) + average(within, good) / 2 + 1e-6)


def variances(found: Tensor, noise: Tensor, spread: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return those of the cell, and of the detail by scale: with noise known, then without.

    This is `no2sr.networks.noise_step.estimate_uncertainty` for a batch.
    """
    weights = torch.softmax(found[:, :4], dim=1)
    ratio = (noise / spread.clamp(min=1e-30)).clamp(max=1e6) ** 2
    ratio = torch.where(spread > 0, ratio, 1e12 * ONE)
    shares = [knee**2 / (knee**2 + ratio) for knee in KNEES] + [ONE]
    share = sum(weights[:, k : k + 1] * one for k, one in enumerate(shares))
    grown = ratio / (ratio + DETAIL_KNEE**2)
    powers = torch.exp(found[:, 4:].clamp(*LOGARITHMS)).split(1, dim=1)
    detail = [powers[k] + powers[k + 1] * grown for k in (0, 2, 4)] + list(powers[6:])
    cell = noise**2 * (LEAST_SHARE + (1 - LEAST_SHARE) * share)
    return cell, [spread**2 * each for each in detail]


def score(error: Tensor, sigma: Tensor) -> Tensor:
    """Return the CRPS of a Gaussian, and half the pinball loss at 90 %."""
    z = error / sigma
    density = torch.exp(-z * z / 2) * 2 / math.sqrt(2 * math.pi)
    crps = sigma * (z * torch.erf(z / math.sqrt(2)) + density - 1 / math.sqrt(math.pi))
    over = error.abs() - WIDTH_90 * sigma
    return crps + 0.5 * torch.where(over > 0, 0.9 * over, -0.1 * over)


def uncertainty_loss(network: Network, scenes: Scenes) -> tuple[Tensor, Tensor]:
    """Score the stated errors of fine pixels and of coarse cells, by scene."""
    column, noise, denoised, mean = (
        torch.from_numpy(scenes[key])[:, None] for key in ("column", "noise", "denoised", "mean")
    )
    image, spread, _, noise, valid = prepare(column, noise)
    residual = torch.from_numpy(scenes["residual"]).permute(0, 3, 1, 2)
    noise, spread, good, missed, residual = (
        trim(x, network.radius)
        for x in (noise, spread, valid & torch.isfinite(mean), denoised - mean, residual)
    )
    cell, detail = variances(network(image[:, [0, 3]]), noise, spread)
    good = good & (spread > 0)
    spread = torch.where(good, spread, ONE)
    scale = torch.from_numpy(scenes["scale"])
    known_noise = torch.from_numpy(np.nan_to_num(scenes["noise"]).max(axis=(1, 2)) > 0)
    which = scale - SCALES[0] + len(SCALES) * ~known_noise
    total = cell * known_noise[:, None, None, None]
    total = total + torch.stack(detail)[which, torch.arange(len(scale))]
    sigma = torch.sqrt(torch.where(good, total.clamp(min=1e-20), ONE)) / spread
    known = torch.isfinite(residual) & good & (residual.abs() < 30)
    error = torch.where(known, residual, ZERO)
    typical = average(spread, good)[:, None, None, None].clamp(min=1e-30)
    size = average(error**2, known).sqrt() + 1e-3
    fine = average(score(error, sigma) * (spread / typical) ** 0.5, known) / size
    noisy = good & (cell > 1e-10)
    missed, stated = torch.where(noisy, missed, ZERO), torch.sqrt(torch.where(noisy, cell, ONE))
    coarse = average(score(missed, stated), noisy) / (average(missed**2, noisy).sqrt() + 1e-4)
    inside = (error.abs() < WIDTH_90 * sigma)[known].float().mean()
    return fine + 0.5 * coarse.clamp(max=5), inside
