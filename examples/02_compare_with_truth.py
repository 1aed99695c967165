"""Compare a downscaled map with the truth, which is known because the sample is simulated.

    python examples/02_compare_with_truth.py

The sample is a monthly mean with little noise. On a single orbit noise is larger than what any
method can add: there the finer map is no closer to the truth than the coarse one.
"""

# %% A monthly mean on a 0.05 degree grid, and the truth at 0.0125 degree.
from pathlib import Path

import numpy as np

import no2sr
from no2sr.baselines import interpolate
from no2sr.grid import bounds_of
from no2sr.metrics import rmse
from no2sr.synthetic import northern_india, truth

root = Path(__file__).parents[1]
coarse = no2sr.open_no2(root / "sample_data" / "simulated_no2_l3_monthly.nc", bbox=(76, 24, 84, 29))
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
