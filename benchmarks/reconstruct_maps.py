"""The average of real overpasses and the map reconstructed from them, side by side.

    python benchmarks/reconstruct_maps.py [docs/images/accuracy/many_overpasses.png]

South-east Sicily and Malta, every ninth file of the folder of real files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.downscaling.reconstruction.layers import COLUMN
from no2sr.readers.opening.swaths import open_swaths
from no2sr.swaths.gridding import grid_swaths

DATA = Path(os.environ.get("NO2SR_REAL_DATA", "../shared/data"))
OUT = Path(__file__).parents[1] / "docs/images/accuracy/many_overpasses.png"
BOX = (14.4, 35.7, 15.8, 37.8)
PLACES = {"Catania": (15.087, 37.502), "Augusta": (15.22, 37.23), "Valletta": (14.514, 35.899)}


def main() -> None:
    """Compute both maps and draw them."""
    files = sorted((DATA / "overpasses").glob("*.nc"))[::9]
    swaths = list(open_swaths(files))
    settings = Settings(resolution=0.02, uncertainty=False)
    scene = reconstruct_swaths(swaths, bbox=BOX, settings=settings)
    average = grid_swaths(swaths, bounds=BOX, resolution=0.02)[COLUMN]
    figure = Figure(figsize=(8.6, 6.4), layout="constrained")
    titles = (f"average of {len(swaths)} overpasses", "reconstruct")
    low, high = 1e6 * np.nanpercentile(average.values, (1, 99.5))
    images = (average, scene[COLUMN])
    for axis, title, image in zip(figure.subplots(1, 2), titles, images, strict=True):
        west, south, east, north = BOX
        shown = axis.imshow(
            1e6 * image.values,
            extent=(west, east, south, north),
            vmin=low,
            vmax=high,
            cmap="magma_r",
            aspect=1 / np.cos(np.radians((south + north) / 2)),
        )
        for x, y in PLACES.values():
            axis.plot(x, y, "+", color="#1fd8c0", markersize=9)
        axis.set_title(title)
        axis.set_xlabel("longitude / degree")
    figure.axes[0].set_ylabel("latitude / degree")
    figure.colorbar(shown, ax=figure.axes, shrink=0.7, label="NO2 column / umol m$^{-2}$")
    figure.savefig(sys.argv[1] if len(sys.argv) > 1 else OUT, dpi=90)


if __name__ == "__main__":
    main()
