"""Downscale on a cluster: blocks are made finer by its workers, memory does not grow.

    python examples/09_dask_cluster.py [out folder] [tcp://scheduler:8786]

Without an address two workers are started here. On the command line: --workers N or --scheduler.
"""

# %% A global month would do as well: the image stays in its file, and is read by window.
import sys
from pathlib import Path

import numpy as np
import rasterio

import no2sr
from no2sr.core.door import choose_variable
from no2sr.downscaling.cluster import cluster
from no2sr.downscaling.settings import Refining, Running, Writing

if __name__ == "__main__":  # the workers import this file, too
    root = Path(__file__).parents[1]
    out = Path(sys.argv[1] if len(sys.argv) > 1 else root / "out") / "cluster.tif"
    where = {"scheduler": sys.argv[2]} if len(sys.argv) > 2 else {"workers": 2}
    source = root / "sample_data" / "simulated_no2_l3_monthly.nc"
    coarse = choose_variable(no2sr.open_no2(source))

    # %% A killed run continues where it was; a finished one leaves one complete file.
    with cluster(**where) as workers:
        no2sr.downscale_file(
            source,
            out,
            refining=Refining(scale=2),
            writing=Writing(overwrite=True, style=True),
            running=Running(workers=workers),
        )
    print(out)

    # %% Distributed equals local.
    with rasterio.open(out) as raster:
        distributed = raster.read(1)
    local = no2sr.downscale(coarse, scale=2).values
    spread = float(np.nanstd(local))
    print(f"largest difference: {float(np.nanmax(abs(distributed - local))) / spread:.1e} spreads")
