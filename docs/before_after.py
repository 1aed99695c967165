"""Draw the README's picture: the demo's input, its output, and the truth behind the simulation.

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
from no2sr.simulation.scenes import northern_india, truth

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
REGION = (79.0, 24.6, 83.0, 27.4)
PICTURE = ROOT / "docs" / "images" / "before_after.png"


def main() -> None:
    """Read, downscale, draw."""
    scene = no2sr.open_no2(next((ROOT / "sample_data").glob("S5P_*.nc")), bbox=REGION)
    coarse = choose_variable(scene)
    fine = no2sr.downscale(coarse, scale=4)
    real = truth(bounds_of(coarse), 0.0125, landscape=northern_india())
    panels = {
        "observed, 0.05° (simulated Sentinel-5P)": coarse,
        "no2sr, 0.0125°": fine,
        "the truth of the simulation, 0.0125°": real,
    }
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.9), layout="constrained", sharey=True)
    top = 1e6 * float(np.nanpercentile(real.values, 99.8))
    for axis, (title, image) in zip(axes, panels.items(), strict=True):
        west, south, east, north = bounds_of(image)
        axis.set_facecolor("0.8")  # gaps
        drawn = axis.imshow(
            1e6 * image.values,
            extent=(west, east, south, north),
            vmin=0,
            vmax=top,
            cmap="magma_r",
            interpolation="nearest",
        )
        axis.set(title=title, xlabel="longitude / °E", aspect=1 / np.cos(np.deg2rad(26)))
    axes[0].set_ylabel("latitude / °N")
    figure.colorbar(drawn, ax=axes, label="NO$_2$ column / µmol m$^{-2}$", extend="both", pad=0.01)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    print(PICTURE)


if __name__ == "__main__":
    main()
