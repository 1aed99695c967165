"""Draw the README's picture: one noisy orbit, the fine map, the truth beside it, the uncertainty.

    python docs/before_after.py

The sample is simulated, so what a finer instrument would have seen is known.
"""
# ruff: noqa: INP001, T201 - a script: in no package, and it prints

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

import no2sr
from no2sr.core.door import choose_variable
from no2sr.core.grid import bounds_of
from no2sr.core.layers import TOTAL, companions_of
from no2sr.simulation.scenes import northern_india, truth

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
REGION = (79.0, 24.6, 83.0, 27.4)
PICTURE = ROOT / "docs" / "images" / "before_after.png"


def main() -> None:
    """Read, downscale, draw."""
    scene = no2sr.open_no2(next((ROOT / "sample_data").glob("S5P_*.nc")), bbox=REGION)
    fine = no2sr.downscale(scene, scale=4)
    coarse, column = choose_variable(scene), choose_variable(fine)
    uncertainty = companions_of(fine, column.name)[TOTAL]
    real = truth(bounds_of(coarse), 0.0125, landscape=northern_india())
    figure, axes = plt.subplots(
        2, 2, figsize=(11, 7.6), layout="constrained", sharex=True, sharey=True
    )
    top = 1e6 * float(np.nanpercentile(real.values, 99.8))
    panels = {
        "one overpass, 0.05° (simulated Sentinel-5P)": (coarse, "magma_r", (0, top)),
        "no2sr, 0.0125°": (column, "magma_r", (0, top)),
        "the truth of the simulation, 0.0125°": (real, "magma_r", (0, top)),
        "stated uncertainty": (uncertainty, "cividis_r", (0, None)),
    }
    for axis, (title, (image, ramp, limits)) in zip(axes.flat, panels.items(), strict=True):
        drawn = _draw(axis, image, ramp, limits)
        axis.set(title=title, aspect=1 / np.cos(np.deg2rad(26)))
        if title != "one overpass, 0.05° (simulated Sentinel-5P)":
            figure.colorbar(drawn, ax=axis, label="µmol m$^{-2}$", extend="both", pad=0.01)
    for axis in axes[1]:
        axis.set_xlabel("longitude / °E")
    for axis in axes[:, 0]:
        axis.set_ylabel("latitude / °N")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=100)
    print(PICTURE)


def _draw(axis, image, ramp, limits):
    """Draw one map."""
    west, south, east, north = bounds_of(image)
    axis.set_facecolor("0.8")  # gaps
    return axis.imshow(
        1e6 * image.values,
        extent=(west, east, south, north),
        vmin=limits[0],
        vmax=limits[1],
        cmap=ramp,
        interpolation="nearest",
    )


if __name__ == "__main__":
    main()
