"""Print how methods were judged."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from no2sr.cli.display import print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["show_table"]


def show_table(table: pd.DataFrame) -> None:
    """Print the table of `no2sr.evaluate` in parts, each as wide as a terminal.

    Parameters
    ----------
    table : DataFrame
    """
    from no2sr.core.colours import shown_unit

    factor, unit = shown_unit(table.attrs["unit"])
    # Labels in lines, so that all columns fit on 80 characters.
    rows = [
        ("\n".join(wrap(str(label), 16, break_on_hyphens=False)), row)
        for label, row in table.iterrows()
    ]
    print_table(
        [
            (
                label,
                f"{factor * row['rmse']:.4g}",
                *_ratio(row, "rmse / bicubic"),
                *_ratio(row, "rmse / best classical"),
            )
            for label, row in rows
        ],
        head=("method", "RMSE", "/ bicubic", "95 %", "/ best", "95 %"),
        title=f"RMSE in {unit}; best classical method: {table.attrs['best_classical']}",
    )
    for title, columns in _TABLES.items():
        shown = [name for name in columns if name in table]
        if not shown:
            continue
        print_table(
            [(label, *(_number(name, row[name], factor) for name in shown)) for label, row in rows],
            head=("method", *(columns[name] for name in shown)),
            title=title.format(unit=unit),
        )
    click.echo(f"Images: {table.attrs['images']}. Scale: {table.attrs['scale']}.")
    for title, name in _NOISE.items():
        value = table.attrs[name]
        click.echo(
            f"{title}: " + ("unknown." if math.isnan(value) else f"{factor * value:.3g} {unit}.")
        )


_NOISE = {
    "Noise of the reference in a typical cell": "noise_level",
    "RMSE that it alone gives a perfect estimate": "noise_floor",
    "Noise of the reference at most": "most_noise",
}
_TABLES = {
    "Likeness; errors in {unit}, PSNR in dB": {
        "mae": "MAE",
        "bias": "bias",
        "psnr": "PSNR",
        "ssim": "SSIM",
        "correlation": "corr.",
    },
    "RMSE / bicubic beyond the noise of the reference; deviation of block means in {unit}": {
        "above noise / bicubic": "above noise",
        "above most noise / bicubic": "above most noise",
        "closure": "closure",
        "full_scale_closure": "at full scale",
    },
    "Structure; errors of peak and plume mass, effective resolution in fine cells, "
    "shares of detail, RMSE beside gaps in {unit}": {
        "peak_error": "peak",
        "plume_mass_error": "mass",
        "effective_resolution": "cells",
        "improvement": "found",
        "omission": "missed",
        "hallucination": "made up",
        "gap_edge_rmse": "gaps",
    },
    "Stated uncertainty: share of cells inside its intervals, CRPS in {unit}": {
        "coverage_50": "50 %",
        "coverage_80": "80 %",
        "coverage_90": "90 %",
        "coverage_95": "95 %",
        "crps": "CRPS",
    },
}
_IN_THE_UNIT = {"mae", "gap_edge_rmse", "crps"}
_SHARES = {"peak_error", "plume_mass_error", "improvement", "omission", "hallucination"}


def _ratio(row: pd.Series, name: str) -> tuple[str, str]:
    """Format a ratio and its interval."""
    if math.isnan(row[f"{name} low"]):
        return f"{row[name]:.3f}", "-"
    return f"{row[name]:.3f}", f"{row[f'{name} low']:.3f}-{row[f'{name} high']:.3f}"


def _number(name: str, value: float, factor: float) -> str:
    """Format one number of the table."""
    if math.isnan(value):
        return "-"
    if name in ("bias", "closure", "full_scale_closure"):
        return f"{factor * value:.1g}"
    if name in _IN_THE_UNIT:
        return f"{factor * value:.3g}"
    if name in _SHARES:
        return f"{value:.1%}"
    return f"{value:.2f}" if name in ("psnr", "effective_resolution") else f"{value:.3f}"
