"""One fine map from many overpasses, each pixel seen through its own footprint.

python examples/12_many_overpasses.py [out folder]
"""

# %% Sixteen simulated orbits over a city, each a little farther east or west than the one before.
# With files it is no2sr.reconstruct("S5P_2020/"), or on the command line: no2sr reconstruct
import sys
from pathlib import Path

import numpy as np

import no2sr
from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.simulation.orbit import orbit_geometry, swath
from no2sr.swaths.gridding import grid_swaths

out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "out")
out.mkdir(parents=True, exist_ok=True)


def city(longitude, latitude):
    """Return two sources on a clean background, mol m-2."""
    first = np.exp(-(((longitude - 10.2) / 0.05) ** 2) - ((latitude - 45.3) / 0.04) ** 2)
    second = np.exp(-(((longitude - 10.4) / 0.04) ** 2) - ((latitude - 45.2) / 0.05) ** 2)
    return 1e-5 + 2e-4 * first + 1e-4 * second


box = (10.0, 45.0, 10.6, 45.5)
orbits = []
for day in range(16):
    geometry = orbit_geometry((10.3 + 0.9 * (day % 8 - 3.5), 45.25), scanlines=50)
    orbit = swath(geometry, city, seed=day, cloudy=0)
    orbits.append(orbit.assign_attrs(source=f"day {day + 1:02}"))

# %% The map, how sure it is, and how fine.
scene = reconstruct_swaths(orbits, bbox=box, settings=Settings(resolution=0.02))
name, error, *_ = scene.data_vars
print(scene)
print(f"{scene[name].attrs['no2sr_explained_share']:.0%} of held-out overpasses is explained")
print(f"local resolution {float(scene['resolution'].min()):.1f} km and coarser")

# %% The average of the same pixels stays as blurred as a pixel, however many there are.
average = grid_swaths(orbits, bounds=box, resolution=0.02)["column"]
truth = city(scene["x"].values, scene["y"].values[:, None])
for title, estimate in (("average", average), ("reconstruct", scene[name])):
    print(f"{title}: {1e6 * np.sqrt(np.mean((estimate.values - truth) ** 2)):.1f} umol m-2 off")
no2sr.write(scene, out / "many_overpasses.tif", overwrite=True, unit="umol m-2")
for path in sorted(out.glob("many_overpasses*.tif")):
    print(path.name)
