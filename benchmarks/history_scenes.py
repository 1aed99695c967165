"""Scenes to train the history networks on: GEMS hours, and histories made of other days.

A group is a place and a day. Its histories come from the hours of the three other days: their mean,
the average of simulated noisy overpasses, and a least-squares reconstruction of such overpasses. A
scene is one hour of the day, seen as blocks with white noise or through footprints. Its history is
one of those of the group, now and then blurred, or one that does not fit: shifted, of another
place, inverted, of another pattern, or noise. Sources that the history does not know are added to
some scenes. Columns are in 1e15 molecules cm-2. Days are 2023-10-27..30; 10-31 is never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from noise_scenes import (
    LEVELS,
    Footprints,
    draw_level,
    make_waves,
    mean_of_nine,
    pixel_means,
    read_gems,
    state_noise,
)
from scipy import sparse
from scipy.ndimage import gaussian_filter, shift
from scipy.sparse.linalg import LinearOperator, cg

from no2sr.downscaling.runner import Runner
from no2sr.networks.card import ModelCard
from no2sr.networks.channels import MOST_NOISE, divide_by_spread, limit_noise
from no2sr.networks.channels import mean_of_nine as smooth_noise
from no2sr.networks.history_step import RIM, list_inputs, list_outputs, read_history
from no2sr.networks.inference import super_resolve
from no2sr.networks.noise_step import find_correction
from no2sr.networks.prepared import Prepared
from no2sr.networks.store import load_model
from no2sr.steps.normalise import normalise
from no2sr.steps.tiles import trim
from no2sr.swaths.footprints import build_operator
from no2sr.swaths.overlap import Frame, Pixels, accumulate
from no2sr.swaths.sums import make_empty_sums

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    Array = NDArray[Any]
    History = tuple[Array, Array]  # a map and its uncertainty

DAYS = ("20231027", "20231028", "20231029", "20231030")
CELLS, MARGIN = 24, 16  # coarse cells along a scene; fine cells of truth around the window
SIDE = 96  # fine cells along a window
SPACING = 0.01  # degrees of a fine cell in the swath: only overlaps matter
RADIUS = 7


def make_card(scale: int) -> ModelCard:
    """Write the card of a history network that is still to be trained."""
    return ModelCard(
        network="denoiser",
        scale=scale,
        grid="coarse",
        radius=RADIUS,
        shrink=RADIUS,
        inputs=list_inputs(scale),
        outputs=list_outputs(scale),
    )


def see(
    rng: Generator, footprints: Footprints, truth: Array, *, per: int, km: float, level: Any
) -> Pixels | None:
    """Return the pixels of one overpass over a window with a margin.

    `per` fine cells make a cell of `km`; the corners are in degrees of SPACING a fine cell.
    """
    side = truth.shape[0]
    x, y = (a / km * per + side / 2 for a in footprints.draw(side / 2 / per * km))
    true = pixel_means(truth, x, y)
    known = np.isfinite(true)
    if known.sum() < 10:
        return None
    x, y, true = x[known], y[known], true[known]
    sigma = state_noise(level, true)
    found = true + sigma * rng.standard_normal(len(true))
    stated = state_noise(level, found)
    return Pixels(found, stated, np.empty(0), -(y - MARGIN) * SPACING, (x - MARGIN) * SPACING)


def average(passes: list[Pixels], cells: int, per: int) -> tuple[Array, Array]:
    """Grid overpasses: the mean and its noise."""
    spacing = SPACING * per
    sums = make_empty_sums((0.0, -cells * spacing, cells * spacing, 0.0), spacing, random=True)
    for pixels in passes:
        accumulate(pixels, sums)
    hit = sums.weight > 0.05
    with np.errstate(all="ignore"):
        column = np.where(hit, sums.weighted / sums.weight, np.nan)
        noise = np.where(hit, np.sqrt(sums.variance) / sums.weight, np.nan)
    return column, noise


class Solver:
    """Least squares with a smoothness prior on a window with half its margin."""

    def __init__(self) -> None:
        self.pad = MARGIN // 2
        self.side = SIDE + 2 * self.pad
        one = sparse.diags([1, -2, 1], [-1, 0, 1], shape=(self.side,) * 2).tolil()
        one[0, 0] = one[-1, -1] = -1
        eye = sparse.identity(self.side)
        rough = sparse.kron(one, eye) + sparse.kron(eye, one)
        self.rough = (rough.T @ rough).tocsr()
        west = -self.pad * SPACING
        self.frame = Frame(west, -west, SPACING)

    def reconstruct(
        self, rng: Generator, passes: list[Pixels], strength: float
    ) -> tuple[Array, Array]:
        """Return the map and its uncertainty, from three perturbed solutions."""
        shape = (self.side, self.side)
        rows, values, sigmas = [], [], []
        for pixels in passes:
            footprints = build_operator(pixels, self.frame, shape)
            whole = footprints.inside > 0.99
            rows.append(footprints.matrix[whole])
            values.append(pixels.column[whole])
            sigmas.append(np.full(whole.sum(), np.median(pixels.random)))
        matrix, y, sigma = sparse.vstack(rows).tocsr(), *map(np.concatenate, (values, sigmas))
        weight = 1 / sigma**2
        normal = (matrix.T @ sparse.diags(weight) @ matrix).tocsr() + strength * self.rough
        inverse = 1 / normal.diagonal()
        pre = LinearOperator(normal.shape, lambda v: inverse * v)
        draws = [y, *(sigma * rng.standard_normal(len(y)) for _ in range(3))]
        found = [
            cg(normal, matrix.T @ (weight * d), M=pre, rtol=1e-2, maxiter=60)[0].reshape(shape)
            for d in draws
        ]
        power = gaussian_filter(np.mean(np.square(found[1:]), axis=0), 3)
        seen = gaussian_filter((matrix.T @ np.ones(len(y))).reshape(shape), 2) > 1e-3
        field, noise = (trim(a, self.pad) for a in (found[0], np.sqrt(power)))
        seen = trim(seen, self.pad)
        return np.where(seen, field, np.nan), np.where(seen, noise, np.nan)


def make_histories(
    rng: Generator, footprints: Footprints, solver: Solver, others: list[Array]
) -> list[History]:
    """Make the histories of a group from the windows of other days, with their uncertainty."""
    stack = np.stack(others)
    count = np.isfinite(stack).sum(axis=0)
    with np.errstate(all="ignore"):
        mean = np.where(count >= 2, np.nanmean(stack, axis=0), np.nan)
        scatter = np.nanstd(stack, axis=0) / np.sqrt(np.maximum(count - 1, 1))
    made = [
        (trim(mean, MARGIN), np.where(count >= 2, scatter, np.nan)[MARGIN:-MARGIN, MARGIN:-MARGIN])
    ]
    for solved in (False, True):
        if solved and rng.random() < 0.35:
            continue
        number = int(np.exp(rng.uniform(np.log(5), np.log(50 if solved else 80))))
        km = float(np.exp(rng.uniform(np.log(0.9), np.log(3.0))))
        level = LEVELS[rng.integers(len(LEVELS))] * np.exp(rng.normal(0, 0.2))
        passes = [
            see(rng, footprints, others[rng.integers(len(others))], per=1, km=km, level=level)
            for _ in range(number)
        ]
        kept = [pixels for pixels in passes if pixels is not None]
        if len(kept) < 3:
            continue
        if solved:
            strength = 10 ** rng.uniform(-1.0, 1.0) * 4 / np.median(kept[0].random) ** 2
            made.append(solver.reconstruct(rng, kept, strength))
        else:
            made.append(average(kept, SIDE, 1))
    return made


def add_sources(rng: Generator, window: Array) -> Array:
    """Add plumes that no history knows."""
    side, spread = window.shape[0], float(np.nanstd(window)) + 0.3
    y, x = np.indices(window.shape, dtype=float)
    for _ in range(int(rng.integers(1, 4))):
        along, across = rng.uniform(2, 9), rng.uniform(1, 3)
        angle = rng.uniform(0, np.pi)
        dy, dx = y - rng.uniform(0, side), x - rng.uniform(0, side)
        u, v = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        window = window + spread * rng.uniform(1, 6) * np.exp(
            -((u / along) ** 2 + (v / across) ** 2) / 2
        )
    return window


def choose_history(
    rng: Generator, own: list[History], other: list[History]
) -> tuple[Array, Array | None]:
    """Draw a history for a scene, and its uncertainty if it has one."""
    fine, noise = own[rng.integers(len(own))]
    kind = rng.random()
    if kind > 0.7:
        fine, noise = make_misfit(rng, (fine, noise), other)
    elif kind > 0.62:
        filled = np.nan_to_num(fine, nan=float(np.nanmean(fine)))
        fine = shift(filled, rng.uniform(-2, 2, 2), order=1, mode="nearest")
    elif kind > 0.5:
        fine = blur(fine, rng.uniform(0.5, 3))
    if rng.random() < 0.1:
        fine = np.sign(fine) * np.abs(fine) ** rng.uniform(0.5, 1.5)
        noise = np.full_like(fine, np.nan)
    if rng.random() < 0.15:
        waves = make_waves(rng, SIDE, rng.uniform(2, 12))
        fine = np.where(waves > rng.normal(1.2, 0.6), np.nan, fine)
    return fine, noise if rng.random() < 0.65 else None


def make_misfit(rng: Generator, own: History, other: list[History]) -> History:
    """Make a history that does not fit."""
    fine, noise = own
    wrong = int(rng.integers(8))
    if wrong == 0:
        away = rng.integers(6, 40, 2) * rng.choice([-1, 1], 2)
        return np.roll(fine, away, axis=(0, 1)), np.roll(noise, away, axis=(0, 1))
    if wrong in (1, 2):
        return other[rng.integers(len(other))]
    if wrong == 3:
        return -fine, noise
    if wrong in (4, 5):
        width = float(np.exp(rng.uniform(np.log(0.3), np.log(6))))
        white = rng.standard_normal((SIDE, SIDE))
        fine = make_waves(rng, SIDE, width) if rng.random() < 0.4 else white
        return fine, np.full_like(fine, rng.uniform(0, 1))
    waves = make_waves(rng, SIDE, rng.uniform(0.3, 3))
    return fine + waves * np.nanstd(fine) * rng.uniform(0.5, 3), noise


def blur(fine: Array, width: float) -> Array:
    """Blur a map that has gaps."""
    known = np.isfinite(fine)
    weight = gaussian_filter(known.astype(float), width)
    blurred = gaussian_filter(np.where(known, fine, 0), width) / np.maximum(weight, 1e-9)
    return np.where(known, blurred, np.nan)


def observe(
    rng: Generator, footprints: Footprints, window: Array, scale: int
) -> tuple[Array, Array] | None:
    """See a window with a margin as coarse cells: blocks with white noise, or footprints."""
    side = CELLS * scale
    low = MARGIN + (SIDE - side) // 2
    inner = window[low : low + side, low : low + side]
    mean = inner.reshape(CELLS, scale, CELLS, scale).mean(axis=(1, 3))
    if np.isfinite(mean).mean() < 0.45:
        return None
    level = draw_level(rng, float(np.nanstd(mean)))
    if rng.random() < 0.28:
        level = (0.0, 0.0)
    if rng.random() < 0.75 or level == (0.0, 0.0):
        column = mean + state_noise(level, mean) * rng.standard_normal(mean.shape)
        noise = state_noise(level, mean_of_nine(column[None])[0])
        if rng.random() < 0.2:
            lost = make_waves(rng, CELLS, rng.uniform(1, 4)) > rng.normal(1.6, 0.6)
            column = np.where(lost, np.nan, column)
    else:
        number = int(rng.choice([1, 1, 1, 2, 5, 10]))
        km = 4.45 * np.exp(rng.normal(0, 0.25))
        cut = window[low - MARGIN : low + side + MARGIN, low - MARGIN : low + side + MARGIN]
        passes = [see(rng, footprints, cut, per=scale, km=km, level=level) for _ in range(number)]
        kept = [pixels for pixels in passes if pixels is not None]
        if not kept:
            return None
        column, noise = average(kept, CELLS, scale)
    if np.isfinite(column).mean() < 0.4:
        return None
    return column.astype(np.float32), np.where(np.isfinite(column), noise, np.nan).astype(
        np.float32
    )


class Base:
    """The noise step and the shipped network, without a history."""

    def __init__(self, scale: int) -> None:
        self.network = Runner(model=load_model("srcnn", scale=scale))
        self.denoiser = Runner(model=load_model("denoiser"))
        self.card = make_card(scale)

    def measure(
        self, column: Array, noise: Array, history: Array, own: Array | None
    ) -> dict[str, Array]:
        """Return the channels of a history network, and all that its result is made of."""
        scale, card = self.card.scale, self.card
        need = self.network.card.halo
        wide = need + self.denoiser.card.halo
        around, noisy = (np.pad(a, wide, mode="symmetric") for a in (column, noise))
        ready = Prepared(around, self.denoiser.card, layers={"noise": noisy})
        raw = find_correction(ready, self.denoiser.load())
        halo = self.denoiser.card.halo
        unit = limit_noise(trim(ready.layer("noise"), halo), trim(ready.statistics.spread, halo))
        moved = np.float32(MOST_NOISE) * np.tanh(raw) * unit
        filled = trim(ready.filled, halo)
        clean = np.where(trim(ready.observed, halo), filled + moved, np.nan)
        fine = super_resolve(clean, self.network.card, self.network.load())
        rim = card.halo + RIM
        block, told = (np.pad(a, rim, mode="symmetric") for a in (column, noise))
        prepared = Prepared(block, card, layers={"noise": told})
        found = read_history(
            np.pad(history, rim * scale, mode="symmetric"),
            block,
            card,
            noise=None if own is None else np.pad(own, rim, mode="symmetric"),
        )
        by, near = prepared.statistics, prepared.layer("noise")
        steps = np.pad(trim(moved, need), rim)
        steps = np.divide(steps, by.spread, out=np.zeros_like(steps), where=by.spread > 0)
        channels = [
            np.clip(normalise(prepared.filled, by), -9, 9),
            np.clip(steps, -9, 9),
            divide_by_spread(near, by.spread),
            divide_by_spread(smooth_noise(near), by.spread),
            prepared.observed.astype(np.float32),
            *found.channels(scale)[:5],
        ]
        return {
            "channels": np.stack([trim(c, rim) for c in channels]).astype(np.float16),
            "history": trim(found.detail, rim * scale).astype(np.float16),
            "raw": trim(raw, need),
            "unit": trim(unit, need),
            "filled": trim(filled, need),
            "spread": trim(by.spread, rim),
            "base": fine.astype(np.float32),
        }


class Maker:
    """Makes the scenes of one group after another."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.days = [read_gems(folder, [day]) for day in DAYS]
        self.footprints, self.solver = Footprints(folder, self.rng), Solver()
        self.bases = {scale: Base(scale) for scale in (2, 3, 4)}
        self.made: dict[int, list[dict[str, Array]]] = {scale: [] for scale in self.bases}
        self.before: list[History] = []

    def draw_place(self) -> tuple[list[Array], list[Array]]:
        """Draw the hours of a day at a place, and those of the other days."""
        rng, wide = self.rng, SIDE + 2 * MARGIN
        while True:
            y, x = rng.integers(0, 901 - wide), rng.integers(0, 1184 - wide)
            day = int(rng.integers(len(DAYS)))
            cut = [[h[y : y + wide, x : x + wide] for h in hours] for hours in self.days]
            seen = [h for h in cut[day] if np.isfinite(h).mean() > 0.5]
            away = [h for k, hours in enumerate(cut) if k != day for h in hours]
            others = [h for h in away if np.isfinite(h).mean() > 0.3]
            if seen and len(others) >= 3:
                return seen, others

    def add_group(self) -> None:
        """Make the scenes of a place and a day."""
        seen, others = self.draw_place()
        histories = make_histories(self.rng, self.footprints, self.solver, others)
        for k in self.rng.permutation(len(seen))[:4]:
            for scale in (2, 3, 4, 4):
                self.add_scene(seen[k], histories, scale)
        self.before = histories

    def add_scene(self, window: Array, histories: list[History], scale: int) -> None:
        """Make a scene, if enough of the window is seen."""
        rng = self.rng
        window = window * np.exp(rng.normal(0, 0.3)) if rng.random() < 0.4 else window
        window = add_sources(rng, window) if rng.random() < 0.2 else window
        observed = observe(rng, self.footprints, window, scale)
        if observed is None:
            return
        side = CELLS * scale
        low = (SIDE - side) // 2
        fine, noise = choose_history(rng, histories, self.before or histories)
        fine = fine[low : low + side, low : low + side]
        own = None
        if noise is not None:
            blocks = noise[low : low + side, low : low + side]
            own = blocks.reshape(CELLS, scale, CELLS, scale).mean(axis=(1, 3))
        found = self.bases[scale].measure(*observed, fine, own)
        low += MARGIN
        found["truth"] = window[low : low + side, low : low + side].astype(np.float32)
        found["valid"] = np.isfinite(observed[0])
        self.made[scale].append(found)


def make_scenes(folder: Path, groups: int, seed: int) -> dict[int, dict[str, Array]]:
    """Make scenes of all scales."""
    maker = Maker(folder, seed)
    for number in range(groups):
        maker.add_group()
        if number % 20 == 0:
            print(number, {s: len(m) for s, m in maker.made.items()}, flush=True)
    return {
        scale: {name: np.stack([one[name] for one in some]) for name in some[0]}
        for scale, some in maker.made.items()
    }


if __name__ == "__main__":
    import sys
    from pathlib import Path

    data, out, groups, seed = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5])
    for scale, scenes in make_scenes(data, groups, seed).items():
        np.savez(out / f"x{scale}_{seed}.npz", **scenes)
