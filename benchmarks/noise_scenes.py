"""Simulated scenes to train the noise step on: a fine truth, seen by overpasses with noise.

A scene is a fine truth seen through footprints with noise and gridded by area of overlap, so that
neighbouring cells share pixels and their noise is correlated; some scenes have white noise on the
blocks. The truth comes from GEMS hours of 2023-10-27..29 (10-30 is held out, 10-31 is never read),
from the first 300 rows, from the north, of a 1.1 km model field, and from simulated landscapes.
The footprints are those of every second file of real overpasses, and of simulated orbits.

The folder of data holds ``gems/2023/<day>.parquet``, ``truth_1km/cosmo_west.nc`` and
``overpasses/*.nc``. Columns are in 1e15 molecules cm-2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pandas as pd
import xarray as xr
from scipy.ndimage import gaussian_filter

from no2sr.core.earth import KM_PER_DEGREE
from no2sr.simulation.orbit import orbit_geometry
from no2sr.simulation.scenes import scene
from no2sr.steps.tiles import trim
from no2sr.swaths.overlap import Pixels, accumulate
from no2sr.swaths.sums import make_empty_sums

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    Array = NDArray[Any]

CELLS, MARGIN = 40, 4  # coarse cells along a scene, and of truth around it
SCALES = (2, 3, 4)
MICROMOLE = 1 / 16.6  # umol m-2 in 1e15 molecules cm-2
TRAINING_DAYS, HELD_DAYS = ("20231027", "20231028", "20231029"), ("20231030",)
MODEL_ROWS = 300
LANDSCAPES, HELD_LANDSCAPES = 500, 100
# Noise that products have: a constant, and a share of the column. The first two are for overpasses.
LEVELS = np.array([(0.42, 0.15), (0.105, 0.0375), (0.25, 0.05), (0.6, 0.2), (1.0, 0.3)])
MODEL, GEMS, LANDSCAPE = range(3)  # kinds of truth


def read_gems(folder: Path, days: Sequence[str]) -> list[Array]:
    """Read hours of GEMS as images of 0.05 degree."""
    hours = []
    for day in days:
        table = pd.read_parquet(folder / "gems" / "2023" / f"{day}.parquet")
        row = np.round((48.0 - table["lat"].to_numpy()) / 0.05).astype(int)
        column = np.round((table["lon"].to_numpy() - 74) / 0.05).astype(int)
        for _, places in sorted(table.groupby("time").indices.items()):
            image = np.full((901, 1184), np.nan, np.float32)
            image[row[places], column[places]] = table["gems_no2"].to_numpy()[places]
            hours.append(image)
    return hours


def read_model_field(folder: Path) -> Array:
    """Read the part of the model field that training may see."""
    with xr.open_dataset(folder / "truth_1km" / "cosmo_west.nc") as field:
        column = field["tropospheric_NO2_column_number_density"].load()
    if column["latitude"][0] < column["latitude"][-1]:
        raise SystemExit("cosmo_west.nc starts in the south; turn it, or test rows are trained on")
    return (column.values[:MODEL_ROWS] * 1e6 * MICROMOLE).astype(np.float32)


class Landscapes:
    """Simulated landscapes of 224 x 224 cells, made when they are first used."""

    def __init__(self, count: int, seed: int) -> None:
        self.seed, self.made = seed, dict[int, "Array"]()
        self.spacings = np.random.default_rng(seed).choice([0.03, 0.04, 0.05, 0.05, 0.08], count)

    def draw(self, rng: Generator) -> Array:
        """Return one of them."""
        k = int(rng.integers(len(self.spacings)))
        if k not in self.made:
            spacing, seed = float(self.spacings[k]), self.seed * 100_000 + k
            image = scene((56, 56), spacing=spacing, scale=4, seed=seed)
            self.made[k] = image.values * np.float32(1e6 * MICROMOLE)
        return self.made[k]


class Truth:
    """Fine windows of all kinds of truth, for training or held out."""

    def __init__(self, folder: Path, rng: Generator, *, held_out: bool) -> None:
        self.rng = rng
        self.gems = read_gems(folder, HELD_DAYS if held_out else TRAINING_DAYS)
        self.model_field = read_model_field(folder)
        self.landscapes = Landscapes(HELD_LANDSCAPES, 2) if held_out else Landscapes(LANDSCAPES, 1)

    def draw(self, scale: int, *, only_gems: bool = False) -> tuple[Array | None, int]:
        """Return a window, (CELLS + 2 MARGIN) * scale along, and its kind; None if full of gaps."""
        rng, size = self.rng, (CELLS + 2 * MARGIN) * scale
        kind = GEMS if only_gems else int(np.searchsorted([0.42, 0.75], rng.random()))
        field = self._field(kind, scale)
        ny, nx = (min(size, side) for side in field.shape)
        for _ in range(30):
            y, x = rng.integers(0, np.subtract(field.shape, (ny, nx)) + 1)
            window = field[y : y + ny, x : x + nx]
            if np.isfinite(window).mean() > 0.55:
                break
        else:
            return None, kind
        window = np.pad(window, ((0, size - ny), (0, size - nx)), mode="symmetric")
        window = np.rot90(window, int(rng.integers(4)))
        window = window[::-1] if rng.random() < 0.5 else window
        if rng.random() < 0.15:  # an excess over a background, as some products have it
            window = window - np.nanpercentile(window, 20) * rng.random()
        return np.ascontiguousarray(window, dtype=np.float32), kind

    def _field(self, kind: int, scale: int) -> Array:
        """Return a whole field of a kind, made stronger or weaker."""
        rng = self.rng
        if kind == MODEL:
            field = self.model_field * np.exp(rng.normal(0, 0.6))
            return halve(field) if rng.random() < 0.2 else field
        if kind == GEMS:
            field = self.gems[rng.integers(len(self.gems))]
            return field * np.exp(rng.normal(0, 0.35)) if rng.random() < 0.5 else field
        field = self.landscapes.draw(rng) * np.exp(rng.normal(0, 0.4))
        return halve(field) if scale == 2 else field


def halve(field: Array) -> Array:
    """Average blocks of 2 x 2."""
    ny, nx = (side // 2 * 2 for side in field.shape)
    return field[:ny, :nx].reshape(ny // 2, 2, nx // 2, 2).mean(axis=(1, 3))


class Footprints:
    """Pixels of real overpasses and of simulated orbits, corners in km east and south."""

    def __init__(self, folder: Path, rng: Generator) -> None:
        self.rng = rng
        paths = sorted((folder / "overpasses").glob("*.nc"))[::2]  # the others are for tests
        self.real = [found for found in map(_read_overpass, paths) if found]
        self.orbits = [
            orbit_geometry((10.0, latitude), scanlines=110)
            for latitude in (-35.0, -5.0, 10.0, 25.0, 35.0, 42.0, 50.0, 57.0)
        ]

    def draw(self, half: float) -> tuple[Array, Array]:
        """Return x and y, (n, 4), of the clear pixels of one overpass up to `half` km away."""
        rng = self.rng
        x, y, clear = self._real() if rng.random() < 0.45 else self._simulated()
        x = -x if rng.random() < 0.3 else x
        y = -y if rng.random() < 0.3 else y
        near = (np.abs(x).max(axis=1) < half + 15) & (np.abs(y).max(axis=1) < half + 15)
        x, y, clear = x[near], y[near], clear[near]
        if rng.random() < 0.5 and len(x):
            clouds = make_waves(rng, 64, rng.uniform(1.5, 8)) > rng.normal(0.9, 0.6)
            column, row = (
                np.clip(((a.mean(axis=1) / half + 1) * 32).astype(int), 0, 63) for a in (x, y)
            )
            clear = clear & ~clouds[row, column]
        return x[clear], y[clear]

    def _real(self) -> tuple[Array, Array, Array]:
        """Return a real overpass, moved; in half of all cases under its own clouds."""
        rng = self.rng
        x, y, clear = self.real[rng.integers(len(self.real))]
        x, y = x + rng.uniform(-35, 35), y + rng.uniform(-70, 70)
        return x, y, clear if rng.random() < 0.5 else np.ones(len(x), dtype=bool)

    def _simulated(self) -> tuple[Array, Array, Array]:
        """Return the pixels of an orbit around one of its ground pixels."""
        rng = self.rng
        orbit = self.orbits[rng.integers(len(self.orbits))]
        middle = orbit.isel(scanline=55, ground_pixel=int(rng.integers(450)))
        latitude, longitude = float(middle["latitude"]), float(middle["longitude"])
        east = (orbit["longitude_bounds"].values - longitude + 180) % 360 - 180
        x = (east * KM_PER_DEGREE * math.cos(math.radians(latitude))).reshape(-1, 4)
        y = -(orbit["latitude_bounds"].values.reshape(-1, 4) - latitude) * KM_PER_DEGREE
        x, y = x + rng.uniform(-8, 8), y + rng.uniform(-8, 8)
        return x, y, np.ones(len(x), dtype=bool)


def _read_overpass(path: Path) -> tuple[Array, Array, Array] | None:
    """Read the corners of pixels and which are clear; None if few are."""
    with netCDF4.Dataset(path) as data:
        validity = np.array(data["tropospheric_NO2_column_number_density_validity"][:])
        latitude = np.array(data["latitude_bounds"][:])
        longitude = np.array(data["longitude_bounds"][:])
    known = np.isfinite(latitude).all(axis=1) & np.isfinite(longitude).all(axis=1)
    clear = validity >= 75
    if (clear & known).sum() < 250:
        return None
    x = (longitude - 15.1) * KM_PER_DEGREE * np.cos(np.radians(36.6))
    return x[known], -(latitude - 36.6)[known] * KM_PER_DEGREE, clear[known]


def make_waves(rng: Generator, side: int, width: float) -> Array:
    """Return smooth noise of unit spread."""
    field = gaussian_filter(rng.standard_normal((side, side)), width, mode="wrap")
    return field / field.std()


def pixel_means(fine: Array, x: Array, y: Array, points: int = 8) -> Array:
    """Average fine cells over quadrilaterals (n, 4), point by point; NaN where one is unknown."""
    u, v = (np.indices((points, points)).reshape(2, -1) + 0.5) / points
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v])
    column, row = (np.floor(a @ weights).astype(int) for a in (x, y))
    inside = (column >= 0) & (row >= 0) & (column < fine.shape[1]) & (row < fine.shape[0])
    values = fine[np.where(inside, row, 0), np.where(inside, column, 0)]
    return np.where(inside, values, np.nan).mean(axis=1, dtype=np.float64)


def draw_cell(rng: Generator) -> float:
    """Draw the side of a coarse cell in km: 0.04 degree, 5.5 km, or any."""
    which = rng.random()
    if which < 0.4:
        return 4.45 * np.exp(rng.normal(0, 0.1))
    if which < 0.6:
        return 5.5 * np.exp(rng.normal(0, 0.1))
    return np.exp(rng.uniform(np.log(2.6), np.log(10)))


def draw_number(rng: Generator) -> int:
    """Draw the number of overpasses: mostly one, at most a hundred."""
    many = rng.random()
    bounds = (1, 1) if many < 0.55 else (2, 12) if many < 0.92 else (12, 100)
    return int(np.exp(rng.uniform(*np.log(bounds))))


def see_overpasses(
    rng: Generator, footprints: Footprints, truth: Array, scale: int, *, level: tuple[float, float]
) -> tuple[Array, Array]:
    """Return the column and the noise that gridding makes of some overpasses."""
    number, cell, spacing = draw_number(rng), draw_cell(rng), 0.04  # degrees: only overlaps matter
    sums = make_empty_sums((0.0, 0.0, CELLS * spacing, CELLS * spacing), spacing, random=True)
    told_truly = rng.random() < 0.4
    for _ in range(number):
        x, y = (a / cell + CELLS / 2 for a in footprints.draw((CELLS / 2 + MARGIN) * cell))
        true = pixel_means(truth, (x + MARGIN) * scale, (y + MARGIN) * scale)
        known = np.isfinite(true)
        if known.sum() < 10:
            continue
        x, y, true = x[known], y[known], true[known]
        sigma = state_noise(level, true)
        found = true + sigma * rng.standard_normal(len(true))
        stated = sigma if told_truly else state_noise(level, found)
        corners = sums.frame.north - y * spacing, sums.frame.west + x * spacing
        accumulate(Pixels(found, stated, np.empty(0), *corners), sums)
    hit = sums.number > 0
    if rng.random() < 0.5:  # only cells that were seen to some part
        hit &= sums.weight > 0.3 * rng.random()
    with np.errstate(all="ignore"):
        column = np.where(hit, sums.weighted / sums.weight, np.nan)
        noise = np.where(hit, np.sqrt(sums.variance) / sums.weight, np.nan)
    return column, noise


def state_noise(level: Sequence[Any], column: Array) -> Array:
    """Return the noise of a column: a constant, and a share of it."""
    return np.hypot(level[0], level[1] * np.maximum(column, 0))


def see_blocks(
    rng: Generator, mean: Array, level: tuple[float, float], *, gaps: bool
) -> tuple[Array, Array]:
    """Return blocks with white noise, and the noise stated from what was measured or is true."""
    true = state_noise(level, mean)
    column = mean + true * rng.standard_normal(mean.shape)
    how, noise = rng.random(), true
    if how < 0.65:
        measured = column if how < 0.3 else mean_of_nine(column[None])[0]
        noise = state_noise(level, measured)
    if gaps:
        lost = make_waves(rng, CELLS, rng.uniform(1, 5)) > rng.normal(1.6, 0.6)
        column = np.where(lost, np.nan, column)
    return column, np.where(np.isfinite(column), noise, np.nan)


def mean_of_nine(values: Array) -> Array:
    """Average what was observed among each cell and its neighbours, (b, y, x)."""
    valid = np.isfinite(values)
    rim, known = ((0, 0), (1, 1), (1, 1)), np.where(valid, values, 0)
    wide = [np.pad(a, rim, mode="symmetric") for a in (known, valid.astype(float))]
    rows = [a[:, :-2] + a[:, 1:-1] + a[:, 2:] for a in wide]
    total, count = (a[:, :, :-2] + a[:, :, 1:-1] + a[:, :, 2:] for a in rows)
    return total / np.maximum(count, 1)


def draw_level(rng: Generator, spread: float) -> tuple[float, float]:
    """Draw a constant and a share of the column: a known setting, or any; sometimes no noise."""
    usual = rng.random()
    factor = 1.0 if rng.random() < 0.6 else (spread + 0.1) * np.exp(rng.normal(-0.3, 0.5))
    if usual < 0.25:
        constant, share = LEVELS[rng.integers(len(LEVELS))]
        return constant * np.exp(rng.normal(0, 0.1)), share
    if usual > 0.97:
        return 0.0, 0.0
    constant = np.exp(rng.uniform(np.log(0.06), np.log(2))) * factor
    return constant, 0.0 if rng.random() < 0.25 else rng.uniform(0, 0.35)


def observe(
    rng: Generator, footprints: Footprints, window: Array, scale: int, *, kind: int, white: bool
) -> dict[str, Array] | None:
    """Make a scene: column, noise, true mean and variance within each coarse cell."""
    blocks = trim(window, MARGIN * scale).reshape(CELLS, scale, CELLS, scale)
    mean, within = blocks.mean(axis=(1, 3)), blocks.var(axis=(1, 3))
    level = draw_level(rng, float(np.nanstd(mean)))
    if white and rng.random() < 0.25:  # the head for columns without known noise needs some
        level = 0.0, 0.0
    if white or rng.random() < (0.5 if kind == GEMS else 0.12):
        gaps = kind != GEMS or rng.random() < 0.3
        column, noise = see_blocks(rng, mean, level, gaps=gaps)
    else:
        column, noise = see_overpasses(rng, footprints, window, scale, level=level)
    if np.isfinite(column).mean() < 0.45:
        return None
    noise = noise * np.exp(rng.normal(0, 0.3)) if rng.random() < 0.15 else noise
    found = {"column": column, "noise": noise, "mean": mean, "within": within}
    return {key: value.astype(np.float32) for key, value in found.items()}


def make_scenes(
    folder: Path, count: int, seed: int, *, held_out: bool, fine: bool, white: bool
) -> dict[str, Array]:
    """Make scenes, with their fine truth if asked for; `white` makes them of GEMS blocks alone."""
    rng = np.random.default_rng(seed)
    truth, footprints = Truth(folder, rng, held_out=held_out), Footprints(folder, rng)
    made: list[dict[str, Any]] = []
    while len(made) < count:
        scale = int(rng.choice([2, 3, 4, 4]))
        window, kind = truth.draw(scale, only_gems=white)
        if window is None:
            continue
        found = observe(rng, footprints, window, scale, kind=kind, white=white)
        if found is None:
            continue
        made.append({**found, "scale": scale, "kind": kind})
        if fine:
            inner, room = trim(window, MARGIN * scale), (0, CELLS * (SCALES[-1] - scale))
            made[-1]["fine"] = np.pad(inner, (room, room), constant_values=np.nan)
    return {key: np.stack([one[key] for one in made]) for key in made[0]}


class WhiteGems:
    """White noise, drawn anew each time, on blocks of GEMS windows."""

    def __init__(self, folder: Path, rng: Generator) -> None:
        self.rng, self.hours = rng, read_gems(folder, TRAINING_DAYS)
        self.places = {scale: self._places(CELLS * scale) for scale in SCALES}

    def _places(self, size: int) -> Array:
        """List hour, row and column of windows that are observed to 40 % or more."""
        found = []
        for k, hour in enumerate(self.hours):
            total = np.pad(np.isfinite(hour), ((1, 0), (1, 0))).astype(int).cumsum(0).cumsum(1)
            rows, columns = (np.arange(0, side - size, 8) for side in hour.shape)
            y, x = np.meshgrid(rows, columns, indexing="ij")
            seen = total[y + size, x + size] - total[y, x + size] - total[y + size, x] + total[y, x]
            good = seen > 0.4 * size**2
            found.append(np.stack([np.full(good.sum(), k), y[good], x[good]], axis=1))
        return np.concatenate(found)

    def draw(self, count: int) -> dict[str, Array]:
        """Return column, noise, mean and within, each (count, CELLS, CELLS)."""
        rng, shape = self.rng, (count, CELLS, CELLS)
        mean, within = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for i in range(count):
            scale = int(rng.choice([2, 2, 3, 4, 4]))
            size = CELLS * scale
            k, *place = self.places[scale][rng.integers(len(self.places[scale]))]
            limits = (side - size for side in self.hours[k].shape)
            y, x = (min(a + rng.integers(8), most) for a, most in zip(place, limits, strict=True))
            blocks = self.hours[k][y : y + size, x : x + size].reshape(CELLS, scale, CELLS, scale)
            mean[i], within[i] = blocks.mean(axis=(1, 3)), blocks.var(axis=(1, 3))
        level = self._levels(count)
        true = np.hypot(level[0], level[1] * mean)
        column = mean + true * rng.standard_normal(shape)
        raw, smooth = (state_noise(level, values) for values in (column, mean_of_nine(column)))
        how = rng.random(count)[:, None, None]
        noise = np.select([how < 0.12, how < 0.3], [true, raw], smooth)
        wrong = np.where(rng.random(count) < 0.15, np.exp(rng.normal(0, 0.3, count)), 1)
        noise = np.where(np.isfinite(column), noise * wrong[:, None, None], np.nan)
        return {"column": column, "noise": noise, "mean": mean, "within": within}

    def _levels(self, count: int) -> list[Array]:
        """Draw constants and shares of the column, each (count, 1, 1)."""
        rng = self.rng
        usual = rng.random(count) < 0.35
        known = LEVELS[[2, 3, 3, 4, 4]][rng.integers(0, 5, count)]
        constant = np.exp(rng.uniform(np.log(0.06), np.log(2.2), count))
        share = np.where(rng.random(count) < 0.2, 0, rng.uniform(0, 0.36, count))
        drawn = zip(known.T, (constant, share), strict=True)
        return [np.where(usual, a, b)[:, None, None] for a, b in drawn]
