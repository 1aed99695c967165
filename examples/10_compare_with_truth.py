"""Compare a downscaled map with the truth, which is known because the sample is simulated.

    python examples/10_compare_with_truth.py [out folder]

The sample is a monthly mean with little noise. On a single orbit noise is larger than what any
method can add: there the finer map is no closer to the truth than the coarse one.
"""

# %% A monthly mean on a 0.05 degree grid, and the truth at 0.0125 degree.
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
scene = no2sr.open_no2(root / "sample_data" / "simulated_no2_l3_monthly.nc", bbox=(76, 24, 84, 29))
coarse = choose_variable(scene)
real = truth(bounds_of(coarse), 0.0125, landscape=northern_india()).values

# %% The classical methods and the network, all from the same coarse map.
estimates = {
    name: interpolate(coarse, 4, method=name)
    for name in ("nearest", "bicubic", "bicubic + correction")
}
estimates["no2sr"] = no2sr.downscale(coarse, scale=4)

# %% Errors against the truth, in micromole per square metre: everywhere, and in the plumes.
plumes = real > np.quantile(real, 0.95)
for name, estimate in estimates.items():
    values = 1e6 * estimate.values
    inside = np.where(plumes, values, np.nan)
    print(f"{name:22} {rmse(values, 1e6 * real):5.2f} {rmse(inside, 1e6 * real):5.2f}")

# %% Look closely at one place, in one colour scale.
maps = {"coarse": coarse} | {name: estimates[name] for name in ("bicubic", "no2sr")}
maps["truth"] = maps["no2sr"].copy(data=real)
near = {"x": slice(79, 83), "y": slice(27.4, 24.6)}
panels = {name: 1e6 * image.sel(near).values for name, image in maps.items()}
top = float(np.nanpercentile(panels["truth"], 99.5))
colours = {"label": "µmol m⁻²", "cmap": "magma_r", "vmin": 0, "vmax": top}
figure = draw_panels(panels, (79, 24.6, 83, 27.4), **colours)
figure.savefig(out / "compare_with_truth.png", dpi=100)
