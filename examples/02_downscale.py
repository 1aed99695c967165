"""Open a Sentinel-5P file, make it four times finer, write a GeoTIFF, check what is promised.

python examples/02_downscale.py [out folder]
"""

# %% Open a region of the swath: it is gridded at 0.05 degree, clouds become gaps.
import sys
from pathlib import Path

import numpy as np

import no2sr
from no2sr.core.door import choose_variable
from no2sr.views.plotting import plot_before_after

root = Path(__file__).parents[1]
out = Path(sys.argv[1] if len(sys.argv) > 1 else root / "out")
scene = no2sr.open_no2(next((root / "sample_data").glob("S5P_*.nc")), bbox=(76, 24, 84, 29))
coarse = choose_variable(scene)
print(f"coarse: {dict(coarse.sizes)}, {float(np.isnan(coarse).mean()):.0%} gaps")

# %% Downscale. The result has the bounds, CRS, unit and gaps of the input.
fine = no2sr.downscale(coarse, scale=4)
print(f"fine:   {dict(fine.sizes)}, {float(np.isnan(fine).mean()):.0%} gaps")
assert np.allclose(fine.rio.bounds(), coarse.rio.bounds())

# %% What was observed is kept: the area-weighted block means are the coarse cells.
again = no2sr.degrade(fine, 4)
print(f"largest difference of block means: {float(abs(again - coarse).max()):.1e} mol m-2")

# %% Write a cloud-optimised GeoTIFF in a unit that reads well in QGIS.
out.mkdir(parents=True, exist_ok=True)
print(no2sr.write(fine, out / "india_fine.tif", overwrite=True, unit="umol", style=True))
plot_before_after(coarse, fine).savefig(out / "before_after.png", dpi=100)
