"""Format the tables of the accuracy page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.colours import shown_unit
from no2sr.core.grid import bounds_of
from no2sr.evaluation.bootstrap import ratio_interval
from no2sr.evaluation.measures import squared_errors

if TYPE_CHECKING:
    import pandas as pd

    from no2sr.evaluation.records import Comparison


LEFT = ("method", "network", "aim", "case", "noise")


def list_networks(comparison: Comparison) -> list[str]:
    """List the methods that are not classical."""
    return [label for label in comparison.methods if label not in comparison.classical]


def stack_hours(scenes: list[xr.DataArray]) -> list[xr.DataArray]:
    """Put the hours of each place on one axis of time, which saves making coordinates."""
    places: dict[tuple[float, ...], list[xr.DataArray]] = {}
    for scene in scenes:
        places.setdefault(bounds_of(scene), []).append(scene)
    return [xr.concat(hours, dim="time") for hours in places.values()]


def word_ratio(row: pd.Series, name: str) -> tuple[str, str]:
    """Format a ratio and its interval."""
    return f"{row[name]:.3f}", word_span(row[f"{name} low"], row[f"{name} high"])


def word_span(low: float, high: float) -> str:
    """Format an interval; a method against itself has none."""
    return "-" if math.isnan(low) or low == high else f"{low:.3f}..{high:.3f}"


def word_above_noise(row: pd.Series) -> str:
    """Format the ratios at little and at much noise."""
    little, much = row["above noise / bicubic"], row["above most noise / bicubic"]
    return f"{little:.3f}" if math.isnan(much) else f"{little:.3f}..{much:.3f}"


def word_table(head: list[str], rows: list[list[str]]) -> str:
    """Format a table: names on the left, numbers on the right."""
    rule = ["---" if name in LEFT else "--:" for name in head]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def word_errors(table: pd.DataFrame) -> str:
    """Format the errors of a table in Markdown."""
    factor, unit = shown_unit(table.attrs["unit"])
    head = [f"RMSE {unit}", "/ bicubic", "95 %", "/ best classical", "95 %", "above noise"]
    rows = [
        [
            str(label),
            f"{factor * row['rmse']:#.4g}",
            *word_ratio(row, "rmse / bicubic"),
            *word_ratio(row, "rmse / best classical"),
            word_above_noise(row),
            f"{row['psnr']:.2f}",
            f"{row['ssim']:.3f}",
        ]
        for label, row in table.iterrows()
    ]
    return word_table(["method", *head, "PSNR dB", "SSIM"], rows)


def word_structure(table: pd.DataFrame) -> str:
    """Format the structure of a table in Markdown."""
    edge = table["gap_edge_rmse"] / table.loc["bicubic", "gap_edge_rmse"]
    head = ["peak", "plume mass", "resolution", "found", "missed", "made up", "gap edge"]
    rows = [
        [
            str(label),
            f"{row['peak_error']:.1%}",
            f"{row['plume_mass_error']:.1%}",
            f"{row['effective_resolution']:.2f}",
            *(f"{row[name]:.1%}" for name in ("improvement", "omission", "hallucination")),
            f"{edge[label]:.3f}",
        ]
        for label, row in table.iterrows()
    ]
    return word_table(["method", *head], rows)


def word_facts(table: pd.DataFrame) -> str:
    """Describe the data behind a table."""
    factor, unit = shown_unit(table.attrs["unit"])
    noise, most, floor = (
        f"{factor * table.attrs[name]:.3g}" for name in ("noise_level", "most_noise", "noise_floor")
    )
    return (
        f"Best classical method: {table.attrs['best_classical']}. Noise of the field: {noise} "
        f"{unit} in a typical cell, {most} at most; the noise of a typical cell alone gives a "
        f"perfect estimate an RMSE of {floor}."
    )


def draw_places(comparison: Comparison, label: str, best: str) -> tuple[float, float]:
    """Compute the interval against the best classical method when places are drawn, not hours.

    The windows of one place at several hours are not independent.
    """
    _, places = np.unique(
        [scene.bounds for scene in comparison.scenes], axis=0, return_inverse=True
    )
    sums = [
        np.bincount(
            places,
            squared_errors(comparison, [scene.estimates[name] for scene in comparison.scenes]),
        )
        for name in (label, best)
    ]
    return ratio_interval(*sums)
