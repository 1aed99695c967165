"""The figures of the accuracy page on noise and uncertainty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from accuracy_results import NETWORK, SHARES
from matplotlib.figure import Figure

from no2sr.core.atomic import replace_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accuracy_results import Result

PICTURES = Path(__file__).parents[1] / "docs" / "images" / "accuracy"
DOTS_PER_INCH = 110


def draw_noise(by_scale: Mapping[int, Sequence[Result]], plain: str) -> None:
    """Draw RMSE over bicubic against the noise.

    Parameters
    ----------
    by_scale : mapping of int to sequence of Result
    plain : str
        Label of the network that is not told the noise.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, len(by_scale), sharey=True)
    shown = {plain: ":", "gaussian": "--", "optimal interpolation": "-.", NETWORK: "-"}
    for axis, (scale, results) in zip(axes, by_scale.items(), strict=True):
        places = np.arange(len(results))
        for number, (label, style) in enumerate(shown.items()):
            ratios = [result.over_bicubic[label] for result in results]
            color = f"C{number}"
            axis.plot(places, [ratio.value for ratio in ratios], style, color=color, label=label)
            low, high = ([getattr(ratio, end) for ratio in ratios] for end in ("low", "high"))
            axis.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)
        axis.axhline(1, color="0.6", linewidth=1)
        axis.set_xticks(places, [result.title for result in results], rotation=30, ha="right")
        axis.set_title(f"x{scale}")
        axis.set_xlabel("noise / 1e15 molecules cm$^{-2}$, share of the column")
    axes[0].set_ylabel("RMSE / bicubic")
    axes[0].legend(fontsize="small")
    _save(figure, "noise.png")


def draw_reliability(results: Sequence[Result]) -> None:
    """Draw the share of cells inside an interval over its probability."""
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    for number, result in enumerate(results):
        if result.calibration is None:
            continue
        shares = [result.calibration.cover(float(share)) for share in SHARES]
        label = f"x{result.scale}, {result.title}"
        axis.plot(SHARES, shares, color=f"C{number}", linewidth=1.2, label=label)
    axis.set_xlabel("probability of the interval")
    axis.set_ylabel("share of cells inside it")
    figure.legend(loc="outside right center", fontsize="x-small")
    _save(figure, "reliability.png")


def _save(figure: Figure, name: str) -> None:
    """Write a figure."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with replace_atomically(PICTURES / name, overwrite=True) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH, format="png")
