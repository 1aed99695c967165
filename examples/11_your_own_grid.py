"""Downscale any xarray grid: other gases, other names, south first, 0..360 longitudes.

python examples/11_your_own_grid.py
"""

# %% A grid as one finds them: ascending latitude, longitudes beyond 180, unit stated.
import numpy as np
import xarray as xr

import no2sr
from no2sr.core.door import enter

rng = np.random.default_rng(0)
columns = 0.03 + 1e-3 * rng.normal(size=(40, 60))
columns[10:14, 20:30] = np.nan
ozone = xr.Dataset(
    {"ozone": (("lat", "lon"), columns, {"units": "mol m-2", "long_name": "ozone column"})},
    coords={
        "lat": ("lat", np.arange(40) * 0.5 - 10, {"units": "degrees_north"}),
        "lon": ("lon", np.arange(60) * 0.5 + 250, {"units": "degrees_east"}),
    },
)

# %% What comes back is of the same kind, on the finer grid.
finer = no2sr.downscale(ozone, scale=3)
print(finer)
assert finer["lat"][0] < finer["lat"][-1]
assert float(finer["lon"].max()) > 250

# %% How good would that be? Degrade, downscale, compare (Wald's protocol).
print(no2sr.evaluate(enter(ozone), scale=2).round(6).to_string())
