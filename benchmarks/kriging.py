"""Why area-to-point kriging is not among the methods that `no2sr evaluate` compares.

    pip install pyinterpolate && python benchmarks/kriging.py

The one Python package for it that is kept up krigs rates of counts: to the diagonal of its matrix
it adds the mean of the values, the variance of a Poisson count (``kriging/block/weights.py``),
which cannot be switched off. On a smooth random field in blocks of 2 x 2 cells of equal weight
this prints what the cells of a block add up to beside what was given, and the time of a block.
"""

from __future__ import annotations

import time
import warnings

import geopandas as gpd
import numpy as np
import pyinterpolate as kriging
from scipy.ndimage import gaussian_filter
from shapely.geometry import Point, box

SIDE = 16
JUDGED = (85, 120, 148, 170)  # blocks well inside


def blocks_of(coarse: np.ndarray) -> gpd.GeoDataFrame:
    """Return cells of 2 x 2 as polygons with their values."""
    rows = [
        (y * SIDE + x, coarse[y, x], box(2 * x, 2 * y, 2 * x + 2, 2 * y + 2))
        for y in range(SIDE)
        for x in range(SIDE)
    ]
    return gpd.GeoDataFrame(rows, columns=["block", "value", "geometry"], geometry="geometry")


def main() -> None:
    """Krige and compare."""
    warnings.simplefilter("ignore")
    fine = gaussian_filter(np.random.default_rng(0).normal(size=(2 * SIDE, 2 * SIDE)), 2.5)
    fine = fine / fine.std() + 5
    coarse = fine.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    frame = blocks_of(coarse)
    centres = np.array([(p.centroid.x, p.centroid.y) for p in frame["geometry"]])
    cells = [(1.0, Point(x + 0.5, y + 0.5)) for y in range(2 * SIDE) for x in range(2 * SIDE)]
    support = kriging.PointSupport(
        blocks=kriging.Blocks(ds=frame, value_column_name="value", index_column_name="block"),
        points=gpd.GeoDataFrame(cells, columns=["weight", "geometry"], geometry="geometry"),
        points_value_column="weight",
        points_geometry_column="geometry",
        verbose=False,
    )
    variogram = kriging.TheoreticalVariogram()
    variogram.autofit(
        kriging.ExperimentalVariogram(
            ds=np.c_[centres, frame["value"]], step_size=2, max_range=SIDE
        )
    )
    for block in JUDGED:
        began = time.perf_counter()
        found = kriging.area_to_point_pk(variogram, support, block, number_of_neighbors=12)
        estimates = np.asarray(next(iter(found.values())), dtype=float)[:, 2]
        print(
            f"given {coarse.flat[block]:.2f}, cells add up to {estimates.sum():.2f}, "
            f"their mean is {estimates.mean():.2f}; {time.perf_counter() - began:.1f} s"
        )


if __name__ == "__main__":
    main()
