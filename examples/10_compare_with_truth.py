"""Compare a downscaled single orbit with the truth, which is known because the sample is simulated.

    python examples/10_compare_with_truth.py [out folder]

The reader finds the noise of the orbit and the noise step takes it off, so that the finer map is
closer to the truth than bicubic interpolation. A network that is not told the noise sharpens it.
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
real = truth(bounds_of(column), 0.0125, landscape=northern_india()).values

# %% Bicubic interpolation, the network without and with the noise step, and the uncertainty.
fine = no2sr.downscale(scene, scale=4)
estimates = {
    "bicubic": interpolate(column, 4),
    "network, noise=None": no2sr.downscale(scene, scale=4, noise=None)[column.name],
    "no2sr": fine[column.name],
}
uncertainty = fine[f"{column.name}_uncertainty"]

# %% Errors in micromole per square metre, and how many cells lie within the 90 % interval.
for label, estimate in estimates.items():
    print(f"{label:22} {rmse(1e6 * estimate.values, 1e6 * real):5.2f}")
sizes = np.abs(fine[column.name] - real) / uncertainty
print(f"inside the 90 % interval: {float((sizes <= 1.645).sum() / sizes.notnull().sum()):.0%}")

# %% Look closely at one place, in one colour scale.
maps = {"orbit": column, "bicubic": estimates["bicubic"], "no2sr": estimates["no2sr"]}
maps |= {"truth": estimates["no2sr"].copy(data=real), **estimates}
maps |= {f"error of {label}": abs(maps[label] - real) for label in ("bicubic", "no2sr")}
maps["stated uncertainty"] = uncertainty
near = {"x": slice(79, 83), "y": slice(27.4, 24.6)}
panels = {label: 1e6 * image.sel(near).values for label, image in maps.items()}
top = float(np.nanpercentile(panels["truth"], 99.5))
colours = {"label": "µmol m⁻²", "cmap": "magma_r", "vmin": 0, "vmax": top}
figure = draw_panels(panels, (79, 24.6, 83, 27.4), **colours)
figure.savefig(out / "compare_with_truth.png", dpi=100)
