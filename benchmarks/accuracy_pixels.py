"""The section of the accuracy page on real pixels: refined with the history of other overpasses.

Real overpasses of south-east Sicily, averaged over 2 x 2 pixels, are refined and compared with the
pixels themselves. The history is a reconstruction of every second overpass; the others are judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from accuracy_words import word_span
from gems import DATA
from reconstruct import NONE, SICILY, Overpass, read, swath_of

import no2sr
from no2sr.core.layers import RANDOM
from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.evaluation.bootstrap import ratio_interval
from no2sr.swaths.footprints import build_operator
from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.overlap import Frame, Pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

COARSE, SCALE = 0.08, 4
MOST = {"history": 120, "judged": 60}
LEAST = 150  # pixels of an overpass in the region
TEXT = """
### Real pixels of Sentinel-5P

Overpasses of south-east Sicily are averaged over 2 x 2 pixels, put on a grid of {coarse} degree,
refined {scale} times, and compared with the pixels themselves, through their footprints. The
history is a reconstruction of {history} other overpasses. Over {judged} overpasses the error with
the history is **{ratio:.3f}** ({span}) of that without. The noise of the pixels that judge is in
both; it is {share:.0%} of the squared error, so that this test can tell little.
"""


class Squares(NamedTuple):
    """Sums of squares of one overpass, in units of its noise."""

    told: float
    alone: float
    pixels: int


def judge_pixels() -> Iterator[str]:
    """Yield the section."""
    paths = sorted((DATA / "overpasses").glob("*.nc"))
    past, judged = (
        [one for one in map(read, some) if count_inside(one) > LEAST][:most]
        for some, most in zip((paths[0::2], paths[1::2]), MOST.values(), strict=True)
    )
    history = reconstruct_swaths(
        [swath_of(one) for one in past],
        bbox=SICILY,
        settings=Settings(resolution=COARSE / SCALE),
    )
    found = [judge(one, history) for one in judged]
    told, alone, pixels = (np.array(each) for each in zip(*found, strict=True))
    yield TEXT.format(
        coarse=COARSE,
        scale=SCALE,
        history=len(past),
        judged=len(found),
        ratio=np.sqrt(told.sum() / alone.sum()),
        span=word_span(*ratio_interval(told, alone)),
        share=min(1.0, pixels.sum() / alone.sum()),
    )


def count_inside(overpass: Overpass) -> int:
    """Count the pixels whose middle lies in the region."""
    west, south, east, north = SICILY
    x, y = overpass.longitude.mean(axis=1), overpass.latitude.mean(axis=1)
    return int(((x > west) & (x < east) & (y > south) & (y < north)).sum())


def judge(overpass: Overpass, history: xr.Dataset) -> Squares:
    """Refine an overpass of halved resolution with and without a history."""
    scene = grid_swaths([average_pixels(overpass)], bounds=SICILY, resolution=COARSE)
    alone = no2sr.downscale(scene, scale=SCALE)["column"]
    told = no2sr.downscale(scene, scale=SCALE, history=history)["column"]
    half = COARSE / SCALE / 2
    frame = Frame(float(alone["x"][0]) - half, float(alone["y"][0]) + half, 2 * half)
    pixels = Pixels(overpass.column, NONE, NONE, overpass.latitude, overpass.longitude)
    footprints = build_operator(pixels, frame, alone.shape)
    gaps = footprints.matrix @ np.isnan(alone.values).ravel().astype(float)
    good = (footprints.inside > 0.999) & (gaps < 1e-6)
    squares = []
    for image in (told, alone):
        seen = footprints.matrix[good] @ np.nan_to_num(image.values).ravel()
        squares.append(float((((seen - overpass.column[good]) / overpass.noise) ** 2).sum()))
    return Squares(squares[0], squares[1], int(good.sum()))


def average_pixels(overpass: Overpass) -> xr.Dataset:
    """Average pixels that share a corner, four by four; others are left out."""
    places = np.round(np.stack([overpass.latitude, overpass.longitude], axis=-1), 3)
    corners = [[(float(y), float(x)) for y, x in places[:, k]] for k in range(4)]
    first = {corner: k for k, corner in enumerate(corners[0])}
    used: set[int] = set()
    fours = []
    for k, (east, north) in enumerate(zip(corners[1], corners[3], strict=True)):
        beside, above = first.get(east), first.get(north)
        if beside is None or above is None:
            continue
        across = first.get(corners[1][above])
        four = [k, beside, across, above]
        if across is None or used & set(four) or first.get(corners[3][beside]) != across:
            continue
        used |= set(four)
        fours.append(four)
    chosen = np.array(fours, dtype=int).reshape(-1, 4)
    corner = np.arange(4)
    noise = np.full(len(chosen), overpass.noise / 2)
    return xr.Dataset(
        {
            "column": ("pixel", overpass.column[chosen].mean(axis=1), {"units": "mol m-2"}),
            RANDOM: ("pixel", noise, {"units": "mol m-2"}),
            "latitude_bounds": (("pixel", "corner"), overpass.latitude[chosen, corner]),
            "longitude_bounds": (("pixel", "corner"), overpass.longitude[chosen, corner]),
        }
    )
