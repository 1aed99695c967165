"""Scenes to train the network of time neighbours on: GEMS hours with those before and after.

    python benchmarks/neighbour_scenes.py DATA out.npz 6000 1

A scene is blocks of one hour with white noise. Its neighbours are the hours before and after, now
and then hours of other days, moved ones, or none. Columns are in 1e15 molecules cm-2. Days are
2023-10-27..30; 10-31 is never read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from history_scenes import CELLS, DAYS, RADIUS
from noise_scenes import draw_level, make_waves, mean_of_nine, read_gems, state_noise

from no2sr.downscaling.runner import Runner
from no2sr.networks.card import ModelCard
from no2sr.networks.channels import MOST_NOISE, limit_noise
from no2sr.networks.neighbour_step import INPUTS, stack_neighbours
from no2sr.networks.noise_step import find_correction
from no2sr.networks.prepared import Prepared
from no2sr.networks.store import load_model
from no2sr.steps.tiles import trim

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Array = NDArray[Any]


def make_card() -> ModelCard:
    """Write the card of the network that is still to be trained."""
    return ModelCard(
        network="denoiser", scale=1, grid="coarse", radius=RADIUS, shrink=RADIUS, inputs=INPUTS
    )


def observe(rng: Generator, mean: Array, level: Any) -> tuple[Array, Array]:
    """Add white noise to blocks, and state it."""
    column = mean + state_noise(level, mean) * rng.standard_normal(mean.shape)
    noise = state_noise(level, mean_of_nine(column[None])[0])
    if rng.random() < 0.25:
        lost = make_waves(rng, CELLS, rng.uniform(1, 4)) > rng.normal(1.4, 0.6)
        column = np.where(lost, np.nan, column)
    return column.astype(np.float32), np.where(np.isfinite(column), noise, np.nan).astype(
        np.float32
    )


def measure(
    column: Array, noise: Array, beside: dict[str, Array], denoiser: Runner
) -> dict[str, Array]:
    """Return the channels, and all that the result is made of."""
    card, halo = make_card(), denoiser.card.halo
    around, noisy = (np.pad(a, halo, mode="symmetric") for a in (column, noise))
    ready = Prepared(around, denoiser.card, layers={"noise": noisy})
    raw = find_correction(ready, denoiser.load())
    unit = limit_noise(trim(ready.layer("noise"), halo), trim(ready.statistics.spread, halo))
    moved = np.float32(MOST_NOISE) * np.tanh(raw) * unit
    rim = card.halo
    block, told, step = (np.pad(a, rim, mode="symmetric") for a in (column, noise, moved))
    prepared = Prepared(block, card, layers={"noise": told})
    wide = {name: np.pad(a, rim, mode="symmetric") for name, a in beside.items()}
    channels = trim(stack_neighbours(prepared, step, wide), rim)
    return {
        "channels": np.moveaxis(channels, -1, 0).astype(np.float16),
        "raw": raw,
        "unit": unit,
        "filled": trim(ready.filled, halo),
    }


class Place:
    """A window of the hours of a day, averaged to blocks."""

    def __init__(self, rng: Generator) -> None:
        self.scale = int(rng.choice([2, 3, 4]))
        self.side = CELLS * self.scale
        self.corner = rng.integers(0, 901 - self.side), rng.integers(0, 1184 - self.side)

    def cut(self, hour: Array, away: tuple[int, int] = (0, 0)) -> Array:
        """Average the blocks of an hour; `away` moves the window."""
        top, left = (
            int(np.clip(c + a, 0, most - self.side))
            for c, a, most in zip(self.corner, away, (901, 1184), strict=True)
        )
        window = hour[top : top + self.side, left : left + self.side]
        return window.reshape(CELLS, self.scale, CELLS, self.scale).mean(axis=(1, 3))


def choose_neighbours(
    rng: Generator, days: list[list[Array]], day: list[Array], k: int
) -> dict[str, tuple[Array, tuple[int, int]] | None]:
    """Draw the hours before and after the k-th of a day, or others, and how far they are moved."""
    kind, found = rng.random(), {}
    for name, j in (("before", k - 1), ("after", k + 1)):
        hour, away = (day[j] if 0 <= j < len(day) else None), (0, 0)
        if kind > 0.8:
            other = days[rng.integers(len(days))]
            hour = other[rng.integers(len(other))]
        elif kind > 0.72:
            away = (int(rng.integers(-40, 41)), int(rng.integers(-40, 41)))
        missing = hour is None or rng.random() < 0.25
        found[name] = None if missing else (hour, away)
    return found


def make_scene(
    rng: Generator, days: list[list[Array]], denoiser: Runner
) -> dict[str, Array] | None:
    """Make a scene, if enough of it is seen."""
    day = days[rng.integers(len(days))]
    k, place = int(rng.integers(len(day))), Place(rng)
    mean = place.cut(day[k])
    if np.isfinite(mean).mean() < 0.5:
        return None
    level = draw_level(rng, float(np.nanstd(mean)))
    column, noise = observe(rng, mean, level)
    if np.isfinite(column).mean() < 0.4:
        return None
    beside, nothing = {}, np.full((CELLS, CELLS), np.nan, np.float32)
    for name, chosen in choose_neighbours(rng, days, day, k).items():
        seen = (nothing, nothing) if chosen is None else observe(rng, place.cut(*chosen), level)
        beside[name], beside[f"{name}_noise"] = seen
    found = measure(column, noise, beside, denoiser)
    return {**found, "noise": noise, "truth": mean.astype(np.float32)}


def make_scenes(folder: Path, count: int, seed: int) -> dict[str, Array]:
    """Make scenes."""
    rng = np.random.default_rng(seed)
    days = [read_gems(folder, [day]) for day in DAYS]
    denoiser = Runner(model=load_model("denoiser"))
    made: list[dict[str, Array]] = []
    while len(made) < count:
        found = make_scene(rng, days, denoiser)
        if found is not None:
            made.append(found)
    return {name: np.stack([one[name] for one in made]) for name in made[0]}


if __name__ == "__main__":
    np.savez(sys.argv[2], **make_scenes(Path(sys.argv[1]), *map(int, sys.argv[3:5])))
