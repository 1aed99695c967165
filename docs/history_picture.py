"""Draw the picture of docs/history.md from the simulation of example 13.

    python docs/history_picture.py

The example is run, so the picture shows what it computes.
"""
# ruff: noqa: INP001, T201 - a script: in no package, and it prints

from __future__ import annotations

import runpy
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np

from no2sr.core.grid import bounds_of

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "13_a_place_and_its_history.py"
PICTURE = ROOT / "docs" / "images" / "history.png"


def main() -> None:
    """Run the example, draw."""
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [str(EXAMPLE), folder]
        made = runpy.run_path(str(EXAMPLE))
    column, told, alone = made["scene"]["column"], made["told"], made["alone"]
    truth = told["column"].copy(data=made["truth"].astype("float32"))
    past = made["history"]
    panels = {
        "one overpass, 0.08°": column,
        "history: 40 other days": past[next(iter(past.data_vars))],
        "the truth of that day": truth,
        "refined alone": alone["column"],
        "refined with the history": told["column"],
        "stated uncertainty, with the history": told["column_uncertainty"],
    }
    figure, axes = plt.subplots(2, 3, figsize=(13, 7.4), layout="constrained")
    top = 1e6 * float(np.nanpercentile(truth.values, 99.7))
    for axis, (title, image) in zip(axes.flat, panels.items(), strict=True):
        stated = "uncertainty" in title
        west, south, east, north = bounds_of(image)
        drawn = axis.imshow(
            1e6 * image.values,
            extent=(west, east, south, north),
            vmin=0,
            vmax=None if stated else top,
            cmap="cividis_r" if stated else "magma_r",
            interpolation="nearest",
        )
        axis.set(title=title, aspect=1 / np.cos(np.deg2rad(45.4)), xticks=[], yticks=[])
        axis.plot(*made["NEW"], "o", ms=16, mfc="none", mec="tab:cyan", mew=1.5)
        figure.colorbar(drawn, ax=axis, label="µmol m$^{-2}$", extend="max", pad=0.01)
    figure.savefig(PICTURE, dpi=90)
    print(PICTURE)


if __name__ == "__main__":
    main()
