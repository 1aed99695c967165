"""Put swaths on one grid, and see how much of each cell was observed.

python examples/04_grid_swaths.py [out folder]
"""

# %% Several orbits of one place; here the one sample, read twice. On the command line: no2sr grid
import sys
from pathlib import Path

import numpy as np

import no2sr
from no2sr.core.door import choose_variable
from no2sr.views.plotting import plot_map

root = Path(__file__).parents[1]
out = Path(sys.argv[1] if len(sys.argv) > 1 else root / "out")
out.mkdir(parents=True, exist_ok=True)
orbits = [*(root / "sample_data").glob("S5P_*.nc")] * 2
gridded = no2sr.grid(orbits, bbox=(76, 24, 84, 29), resolution=0.1, qa_min=0.5)
print(gridded)

# %% Cells that were observed in part are less certain: keep those of which at least half was seen.
column = choose_variable(gridded).where(gridded["coverage"] >= 0.5)
print(f"{float(np.isnan(column).mean()):.0%} gaps, up to {int(gridded['count'].max())} pixels")

# %% One GeoTIFF for each layer, each with its style for QGIS.
no2sr.write(gridded, out / "l3.tif", overwrite=True, unit="umol", style=True)
print(*sorted(path.name for path in out.glob("l3*.tif")))
plot_map(column, title="two orbits at 0.1°").savefig(out / "grid_column.png", dpi=100)
