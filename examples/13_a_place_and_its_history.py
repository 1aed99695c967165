"""A place's own history tells the network the detail that one overpass cannot show.

python examples/13_a_place_and_its_history.py [out folder]
"""

# %% Thirty towns, from day to day. With files: no2sr reconstruct year/*.nc year.nc, and then
# no2sr downscale day.nc fine.nc --history year.nc
import sys
from pathlib import Path

import numpy as np

import no2sr
from no2sr.core.layers import RANDOM
from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.simulation.orbit import orbit_geometry, swath
from no2sr.swaths.gridding import grid_swaths

out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "out")
out.mkdir(parents=True, exist_ok=True)
BOX, COARSE, NEW = (10.0, 44.6, 11.92, 46.2), 0.08, (11.0, 45.4)
towns = np.random.default_rng(1)
EAST, NORTH, SIZE = (towns.uniform(a, b, 30) for a, b in ((10, 11.9), (44.6, 46.2), (0.2, 1.0)))


def make_day(seed, accident=0.0):
    """Return the field of one day, mol m-2, as a function of longitude and latitude."""
    rng = np.random.default_rng(seed)
    strengths, drift = SIZE * rng.uniform(0.6, 1.4, SIZE.size), rng.normal(0, 0.01, 2)
    sources = [*zip(EAST + drift[0], NORTH + drift[1], 1.5e-4 * strengths, strict=True)]

    def field(longitude, latitude):
        total = 1e-5
        for x, y, size in [*sources, (*NEW, accident)]:
            total += size * np.exp(-(((longitude - x) / 0.04) ** 2) - ((latitude - y) / 0.03) ** 2)
        return total

    return field


def observe(day, field):
    """Return the pixels of one overpass; all of their stated error is noise."""
    geometry = orbit_geometry((10.95 + 0.9 * (day % 8 - 3.5), 45.4), scanlines=70)
    seen = swath(geometry, field, seed=day, cloudy=0).rename(precision=RANDOM)
    return seen.assign_attrs(source=f"day {day:02}")


# %% The history: one map from forty other days. Today there is a source that it does not know.
past = [observe(day, make_day(day)) for day in range(1, 41)]
history = reconstruct_swaths(past, bbox=BOX, settings=Settings(resolution=COARSE / 4))
today = make_day(99, accident=2e-4)
scene = grid_swaths([observe(99, today)], bounds=BOX, resolution=COARSE)
alone, told = no2sr.downscale(scene), no2sr.downscale(scene, history=history)
truth = today(told["x"].values, told["y"].values[:, None])
for title, fine in (("alone", alone), ("with its history", told)):
    error = 1e6 * float(np.sqrt(np.nanmean((fine["column"].values - truth) ** 2)))
    stated = 1e6 * float(fine["column_uncertainty"].mean())
    print(f"{title}: {error:.1f} umol m-2 off, {stated:.1f} stated")
no2sr.write(told, out / "with_history.tif", overwrite=True, unit="umol m-2")
