"""The section of the accuracy page on the history of a place, and on time neighbours."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import accuracy_overpasses as overpasses
import gems
import numpy as np
from accuracy_noise import LEVELS, UNIT, word_level
from accuracy_words import stack_hours, word_span, word_table
from scipy.special import ndtri

from no2sr.core.errors import HistoryError, No2srWarning
from no2sr.core.layers import RANDOM, TOTAL, layer_name
from no2sr.downscaling.history import align_history
from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.evaluation.bootstrap import ratio_interval
from no2sr.evaluation.comparison import compare_observations, observe
from no2sr.evaluation.measures import squared_errors
from no2sr.evaluation.records import Judging
from no2sr.swaths.gridding import grid_swaths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr

    from no2sr.downscaling.history import Aligned
    from no2sr.evaluation.records import Comparison, Observation

    Place = xr.Dataset | xr.DataArray

NETWORK = "srcnn"
WITH = f"{NETWORK} with history"
NEIGHBOURS = f"{NETWORK} with neighbours"
BOTH = f"{NETWORK} with history and neighbours"
NUMBER = 20  # overpasses of a history
EVERY = 6  # places to one in which overpasses are simulated
# RMSE with over RMSE without to reach, by scale, history and level of noise.
AIMS = {
    (4, "mean of the other days"): (0.91, 0.86, 0.83),
    (4, "reconstruction"): (1.00, 0.91, 0.87),
    (2, "mean of the other days"): (0.94, 0.88, 0.85),
}
SHIFT = 20  # cells, 1 degree
PROVINCE = (150, -230)  # cells south and east
SHOWN = ((0.0, 0.0), LEVELS[1], LEVELS[2])
TEXT = """
## A place's own history

The mean of other days on the fine grid is told to the network as a history. The tables give RMSE
with history over RMSE without, for srcnn with the noise step; below 1 the history helps. Noise is
written as above. GEMS hours of 2023-10-31 are judged; histories come from 2023-10-27..30, never
from the same day. Intervals are of 95 %; places are drawn. Measured on {date}.

- **mean of the other days**: the mean of all hours of the four days, without noise.
- **reconstruction, average**: of {number} overpasses of such hours, with real footprints, as if the
  cells of GEMS had 1.1 km, and with the noise of the instrument, by `no2sr.reconstruct` and by
  gridding; both with the uncertainty that they state. In {some} of the {count} places.
- **shifted**: the mean, moved by one degree. **another province**: the mean from elsewhere.
  **inverted**: the mean, its sign changed. **noise**: white noise.
"""


class Found(NamedTuple):
    """A ratio with its interval, and the share of cells inside the stated interval of 90 %."""

    value: float
    low: float
    high: float
    cover: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({word_span(self.low, self.high)})"


def judge_history(date: str) -> Iterator[str]:
    """Yield the section."""
    images, mean = stack_hours(gems.judging_scenes()), average_days()
    wrong = make_misfits(mean)
    some = len(images[::EVERY])
    yield TEXT.format(date=date, number=NUMBER, some=some, count=len(images))
    for scale in (4, 2):
        some = images[::EVERY]
        histories = {"mean of the other days": (images, [mean] * len(images))}
        if scale == 4:
            histories |= {name: (some, found) for name, found in make_histories(some).items()}
        histories |= {name: (images, [one] * len(images)) for name, one in wrong.items()}
        yield f"### GEMS, 2023-10-31, x{scale}\n\n{judge_scale(histories, scale)}"
    yield judge_neighbours(images, mean)


def average_days() -> xr.DataArray:
    """Average all hours of the training days, where two or more saw something."""
    hours = [hour for day in gems.TRAINING_DAYS for hour in gems.read_day(day).values()]
    stack = np.stack([hour.values for hour in hours])
    count = np.isfinite(stack).sum(axis=0)
    total = np.nansum(stack, axis=0)
    mean = np.where(count >= 2, total / np.maximum(count, 1), np.nan)
    return hours[0].copy(data=mean.astype(np.float32))


def make_misfits(mean: xr.DataArray) -> dict[str, xr.DataArray]:
    """Make histories that do not fit."""
    white = np.random.default_rng(7).standard_normal(mean.shape)
    made = {
        "shifted": np.roll(mean.values, (SHIFT, SHIFT), axis=(0, 1)),
        "another province": np.roll(mean.values, PROVINCE, axis=(0, 1)),
        "inverted": -mean.values,
        "noise": white.astype(np.float32),
    }
    return {name: mean.copy(data=values) for name, values in made.items()}


def make_histories(images: Sequence[xr.DataArray]) -> dict[str, list[xr.Dataset]]:
    """Reconstruct and average overpasses of the other days, for every place."""
    days = [hour for day in gems.TRAINING_DAYS for hour in gems.read_day(day).values()]
    footprints = overpasses.read_footprints()
    found: dict[str, list[xr.Dataset]] = {"reconstruction": [], "average": []}
    for number, image in enumerate(images):
        rng = np.random.default_rng(number)
        for name, scene in _observe_place(image, days, footprints, rng).items():
            found[name].append(scene)
        print(f"histories of place {number + 1} of {len(images)}", flush=True)
    return found


def _observe_place(
    image: xr.DataArray,
    days: Sequence[xr.DataArray],
    footprints: Sequence[overpasses.Footprints],
    rng: np.random.Generator,
) -> dict[str, xr.Dataset]:
    """Let overpasses see hours of a place as if its cells had 0.01 degree at the equator."""
    whole, side = days[0], image.sizes["y"]
    row = int(np.argmin(np.abs(whole["y"].values - float(image["y"][0]))))
    column = int(np.argmin(np.abs(whole["x"].values - float(image["x"][0]))))
    margin = overpasses.MARGIN
    swaths: list[xr.Dataset] = []
    while len(swaths) < NUMBER:
        field = np.pad(days[rng.integers(len(days))].values, margin, constant_values=np.nan)
        window = field[row : row + side + 2 * margin, column : column + side + 2 * margin]
        pixels = _move(footprints[rng.integers(len(footprints))], rng, side)
        if not len(pixels[0]):
            continue
        values = overpasses.average_pixels(window / UNIT, *pixels)
        good = np.isfinite(values)
        if good.sum() < 30:
            continue
        values, pixels = values[good], (pixels[0][good], pixels[1][good])
        constant, share = LEVELS[1]
        values += np.hypot(constant, share * values) * rng.standard_normal(values.size)
        stated = np.hypot(constant, share * np.maximum(values, 0))
        swath = overpasses.make_swath(values * UNIT, stated * UNIT, pixels, (0.0, 0.0))
        swaths.append(swath.assign_attrs(source=f"overpass {len(swaths)}"))
    box = (0.0, -0.01 * side, 0.01 * side, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)
        flat = [swath.expand_dims("scanline", 1) for swath in swaths]
        made = {
            "reconstruction": reconstruct_swaths(flat, bbox=box, settings=Settings()),
            "average": grid_swaths(swaths, bounds=box, resolution=0.01),
        }
    return {name: _place(scene, image) for name, scene in made.items()}


def _move(
    pixels: overpasses.Footprints, rng: np.random.Generator, side: int
) -> overpasses.Footprints:
    """Move footprints over a window of `side` cells with a margin; return rows and columns."""
    margin, spacing = overpasses.MARGIN, overpasses.SPACING
    rows = -pixels[0] / spacing + margin + side / 2 + rng.uniform(-40, 40)
    columns = pixels[1] / spacing + margin + side / 2 + rng.uniform(-25, 25)
    inside = np.logical_and.reduce(
        [(a.min(axis=1) >= 0) & (a.max(axis=1) <= side + 2 * margin) for a in (rows, columns)]
    )
    return rows[inside], columns[inside]


def _place(scene: xr.Dataset, image: xr.DataArray) -> xr.Dataset:
    """Put a map on the coordinates of an image, with its uncertainty."""
    name = next(iter(scene.data_vars))
    layer = next(
        layer_name(str(name), kind)
        for kind in (RANDOM, TOTAL)
        if layer_name(str(name), kind) in scene
    )
    flat = image.isel(time=0, drop=True) if "time" in image.dims else image
    column = flat.copy(data=scene[name].values.astype(np.float32)).rename("column")
    own = flat.copy(data=scene[layer].values.astype(np.float32))
    return column.to_dataset().assign({layer_name("column", RANDOM): own})


def judge_scale(
    histories: dict[str, tuple[Sequence[xr.DataArray], Sequence[Place]]], scale: int
) -> str:
    """Judge all histories, each in some places, at all levels of noise."""
    rows = []
    for name, (images, places) in histories.items():
        found = [judge(images, places, scale, level) for level in SHOWN]
        aims = AIMS.get((scale, name))
        aim = " / ".join(f"{each:.2f}" for each in aims) if aims else "at most 1"
        covers = " / ".join(f"{one.cover:.2f}" for one in found)
        rows.append([name, *map(str, found), aim, covers])
        print(f"x{scale}, {name}", *found, flush=True)
    head = ["history", *map(word_level, SHOWN), "to reach", "inside the 90 % interval"]
    return word_table(head, rows)


def judge(
    images: Sequence[xr.DataArray],
    places: Sequence[Place],
    scale: int,
    level: tuple[float, float],
) -> Found:
    """Compare the network with and without a history at one level of noise."""
    judging = Judging(noise=(level[0] * UNIT, level[1]), seed=5, uncertainty=True)
    told = [
        replace(one, place=_align(place, one.coarse, scale))
        for one, place in zip(observe(images, scale, judging), places, strict=True)
    ]
    comparison = compare(told, scale, judging)
    return divide(comparison, WITH, NETWORK)


def _align(place: Place, coarse: xr.DataArray, scale: int) -> Aligned | None:
    """Align a history; None where it knows nothing of the place."""
    try:
        return align_history(place, coarse, scale)
    except HistoryError:
        return None


def compare(observations: list[Observation], scale: int, judging: Judging) -> Comparison:
    """Compare the network with itself."""
    methods = ["bicubic", NETWORK]
    return compare_observations(observations, scale=scale, methods=methods, judging=judging)


def divide(comparison: Comparison, label: str, base: str) -> Found:
    """Return the ratio of two methods; places are drawn."""
    corners = [scene.bounds for scene in comparison.scenes]
    _, places = np.unique(corners, axis=0, return_inverse=True)
    new, old = (
        np.bincount(
            places.ravel(),
            squared_errors(comparison, [scene.estimates[each] for scene in comparison.scenes]),
        )
        for each in (label, base)
    )
    inside, count = 0, 0
    for scene in comparison.scenes:
        size = np.abs(scene.estimates[label] - scene.reference) / scene.uncertainties[label]
        known = np.isfinite(size)
        inside += int((size[known] <= ndtri(0.95)).sum())
        count += int(known.sum())
    value = float(np.sqrt(new.sum() / old.sum()))
    return Found(value, *ratio_interval(new, old), inside / max(count, 1))


def judge_neighbours(images: Sequence[xr.DataArray], mean: xr.DataArray) -> str:
    """Judge the hours before and after, alone and with the mean of the other days."""
    rows = []
    timed = [image for image in images if image.sizes["time"] > 1]
    for level in LEVELS:
        judging = Judging(noise=(level[0] * UNIT, level[1]), seed=5, uncertainty=True, neighbours=1)
        told = [
            replace(one, place=align_history(mean, one.coarse, 4))
            for one in observe(timed, 4, judging)
        ]
        comparison = compare(told, 4, judging)
        found = [divide(comparison, label, NETWORK) for label in (NEIGHBOURS, BOTH)]
        aims = ("0.88", "0.80") if level == LEVELS[1] else ("-", "-")
        rows.append(
            [
                word_level(level),
                *(text for pair in zip(map(str, found), aims, strict=True) for text in pair),
            ]
        )
        print("neighbours", rows[-1], flush=True)
    head = ["noise", "hours before and after", "to reach", "with history", "to reach"]
    return (
        "### The hours before and after, x4\n\nRMSE over that of one hour alone, in places seen in "
        f"several hours:\n\n{word_table(head, rows)}"
    )
