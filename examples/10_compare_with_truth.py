"""Compare a downscaled single orbit with the truth, which is known because the sample is simulated.

    python examples/10_compare_with_truth.py [out folder]

A single orbit is noisy. The reader finds how noisy, the noise step takes off what the noise hides,
and the finer map is closer to the truth than bicubic interpolation of the same orbit. A network
that is not told the noise sharpens it and is farther away.
"""

# %% A single orbit on a 0.05 degree grid, with its noise, and the truth at 0.0125 degree.
import sys
from pathlib import Path

import numpy as np

import no2sr
from no2sr.core.door import choose_variable
from no2sr.core.grid import bounds_of
from no2sr.downscaling.baselines import interpolate
from no2sr.evaluation.metrics import rmse
from no2sr.simulation.scenes import northern_india, truth
from no2sr.views.panels import draw_panels

root = Path(__file__).parents[1]
out = Path(sys.argv[1] if len(sys.argv) > 1 else root / "out")
out.mkdir(parents=True, exist_ok=True)
orbit = next((root / "sample_data").glob("S5P_*.nc"))
scene = no2sr.open_no2(orbit, bbox=(76, 24, 84, 29), resolution=0.05)
column = choose_variable(scene)
name = column.name
real = truth(bounds_of(column), 0.0125, landscape=northern_india()).values

# %% Bicubic interpolation, the network without and with the noise step, from the same orbit.
fine = no2sr.downscale(scene, scale=4)
estimates = {
    "bicubic": interpolate(column, 4),
    "network, noise=None": no2sr.downscale(scene, scale=4, noise=None)[name],
    "no2sr": fine[name],
}

# %% Errors against the truth, in micromole per square metre: everywhere, and in the plumes.
plumes = real > np.quantile(real, 0.95)
errors = {}
for label, estimate in estimates.items():
    values = 1e6 * estimate.values
    inside = np.where(plumes, values, np.nan)
    errors[label] = rmse(values, 1e6 * real)
    print(f"{label:22} {errors[label]:5.2f} {rmse(inside, 1e6 * real):5.2f}")
assert errors["no2sr"] < errors["bicubic"] < errors["network, noise=None"]

# %% How far the map may be wrong, as it says itself: nine of ten cells should lie within this.
uncertainty = fine[f"{name}_uncertainty"]
known = np.isfinite(uncertainty.values)
within = np.abs(fine[name].values - real)[known] <= 1.645 * uncertainty.values[known]
print(f"inside the 90 % interval: {within.mean():.0%}")

# %% Look closely at one place, in one colour scale.
maps = {"orbit": column, "bicubic": estimates["bicubic"], "no2sr": estimates["no2sr"]}
maps["truth"] = estimates["no2sr"].copy(data=real)
maps["network, noise=None"] = estimates["network, noise=None"]
maps |= {f"error of {label}": abs(maps[label] - real) for label in ("bicubic", "no2sr")}
maps["stated uncertainty"] = uncertainty
near = {"x": slice(79, 83), "y": slice(27.4, 24.6)}
panels = {label: 1e6 * image.sel(near).values for label, image in maps.items()}
top = float(np.nanpercentile(panels["truth"], 99.5))
colours = {"label": "µmol m⁻²", "cmap": "magma_r", "vmin": 0, "vmax": top}
figure = draw_panels(panels, (79, 24.6, 83, 27.4), **colours)
figure.savefig(out / "compare_with_truth.png", dpi=100)
