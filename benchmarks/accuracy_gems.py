"""The section of the accuracy page on GEMS without added noise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import gems
import numpy as np
from accuracy_words import (
    draw_places,
    list_networks,
    stack_hours,
    word_above_noise,
    word_errors,
    word_facts,
    word_ratio,
    word_span,
    word_structure,
    word_table,
)

from no2sr.evaluation.comparison import compare
from no2sr.evaluation.records import Judging
from no2sr.evaluation.tables import tabulate
from no2sr.views.figures import save_figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import xarray as xr

    from no2sr.evaluation.records import Comparison

PICTURES = Path(__file__).parents[1] / "docs" / "images" / "accuracy"
SCALES = (2, 3, 4)
# TROPOMI's band 4 along and across track, to check that the order of methods does not depend on the
# plain mean.
PSF = (0.74, 0.44)
# Scale, network (or the best one), and the RMSE over bicubic's that it is to reach on GEMS.
AIMS = ((2, "", 0.93), (4, "", 0.93), (4, "srcnn", 0.94))
GEMS_TEXT = """
## GEMS, 2023-10-31

Tropospheric NO2 over China, single hours, 0.05 degree: {count} windows of 64 x 64 cells at least
half observed, listed in `benchmarks/gems_scenes.json`. The windows of one place at several hours
share its sources and are not independent: "by place" draws places instead of windows.
"""
PICTURE_TEXT = """
### x4, to look at

The window with the most contrast, in one colour scale, and what is wrong with each estimate:

![maps](images/accuracy/maps.png)

![errors](images/accuracy/errors.png)

Spectra of all windows (solid: networks). Left: power of the estimates. Right: power of the error as
a share of the field's; where a line crosses 0.5 lies the effective resolution.

![spectra](images/accuracy/spectra.png)
"""
BLUR_TEXT = """
### x{scale}, the sensor blurring, too

A point spread with the transfer {psf[0]} and {psf[1]} at the coarse grid's limit comes before the
mean (TROPOMI's figures). No network was trained for it.
"""
FULL_SCALE_TEXT = """
### x{scale}, block means

Root mean square deviation of block means from the input, over the spread of the field, on {count}
windows: degraded first, and at full scale, where the window itself is made {scale} times finer.
"""


def judge_gems() -> Iterator[str]:
    """Yield the sections on GEMS, and draw its figures."""
    scenes = gems.judging_scenes()
    images = stack_hours(scenes)
    rows, sections = [], []
    for scale in SCALES:
        comparison = compare(images, scale=scale)
        table = tabulate(comparison)
        rows += word_overview(comparison, table)
        sections += [f"### x{scale}\n\n{word_facts(table)}", word_errors(table)]
        sections.append(word_structure(table))
    save_figures(comparison, PICTURES, overwrite=True)
    yield GEMS_TEXT.format(count=len(scenes))
    head = ["scale", "method", "RMSE / bicubic", "95 %", "above noise"]
    yield word_table([*head, "/ best classical", "95 %", "by place 95 %"], rows)
    yield judge_aims(rows)
    yield from sections
    yield PICTURE_TEXT
    yield judge_blurred(images, SCALES[-1])
    yield judge_full_scale(scenes[:: len(scenes) // 8], SCALES[-1])


def word_overview(comparison: Comparison, table: pd.DataFrame) -> list[list[str]]:
    """Format the rows of the overview: the best classical method and the networks."""
    best = table.attrs["best_classical"]
    scale = str(comparison.scale)
    row = table.loc[best]
    ratios = word_ratio(row, "rmse / bicubic")
    rows = [[scale, f"{best} (classical)", *ratios, word_above_noise(row), "1", "-", "-"]]
    for name in list_networks(comparison):
        row = table.loc[name]
        ratios = *word_ratio(row, "rmse / bicubic"), word_above_noise(row)
        best_ratios = word_ratio(row, "rmse / best classical")
        place = word_span(*draw_places(comparison, name, best))
        rows.append([scale, name, *ratios, *best_ratios, place])
    return rows


def judge_aims(rows: list[list[str]]) -> str:
    """Describe which aims are reached; the best network counts where none is named."""
    lines = []
    for scale, network, aim in AIMS:
        found = [
            float(row[2])
            for row in rows
            if row[0] == str(scale) and network in ("", row[1]) and "(classical)" not in row[1]
        ]
        reached_now = min(found, default=math.nan)
        verdict = "yes" if reached_now <= aim else "no"
        name = f"x{scale}, {network or 'best network'}: {aim} of bicubic or less"
        lines.append([name, f"{reached_now:.3f}", verdict])
    return word_table(["aim", "measured", "reached"], lines)


def judge_blurred(images: list[xr.DataArray], scale: int) -> str:
    """Describe the same with the sensor's blur before the mean."""
    table = tabulate(compare(images, scale=scale, judging=Judging(psf=PSF)), metrics=["rmse"])
    rows = [
        [
            str(label),
            *word_ratio(row, "rmse / bicubic"),
            *word_ratio(row, "rmse / best classical"),
        ]
        for label, row in table.iterrows()
    ]
    head = ["method", "RMSE / bicubic", "95 %", "/ best classical", "95 %"]
    return BLUR_TEXT.format(scale=scale, psf=PSF) + "\n" + word_table(head, rows)


def judge_full_scale(scenes: list[xr.DataArray], scale: int) -> str:
    """Describe how far block means deviate when the field itself is made finer."""
    comparison = compare(scenes, scale=scale, judging=Judging(full_scale=True))
    table = tabulate(comparison, metrics=["closure", "full_scale_closure"])
    spread = float(np.sqrt(np.mean([np.nanvar(scene.reference) for scene in comparison.scenes])))
    rows = [
        [str(label), *(f"{row[name] / spread:.0e}" for name in table.columns)]
        for label, row in table.iterrows()
    ]
    text = FULL_SCALE_TEXT.format(scale=scale, count=len(scenes))
    return text + "\n" + word_table(["method", "degraded", "full scale"], rows)
