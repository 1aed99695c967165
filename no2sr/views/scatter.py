"""A scatter plot: the values of a map against a column of the table that they were joined to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.colours import shown_unit
from no2sr.views.figures import check_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from no2sr.evaluation.agreement import Agreement

__all__ = ["plot_scatter"]

MANY = 300  # points without bars of their uncertainty, which would hide one another


def plot_scatter(agreement: Agreement) -> Figure:
    """Draw the values of a map against a column, with their uncertainty.

    Parameters
    ----------
    agreement : Agreement
        What `no2sr.evaluation.agreement.compare_column` returned.

    Returns
    -------
    Figure

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    check_matplotlib()
    by, unit = shown_unit(agreement.unit)
    figure = Figure(figsize=(5.6, 5), layout="constrained")
    axis = figure.subplots()
    many = agreement.values.size > MANY
    sigma = np.nan_to_num(by * agreement.uncertainty)
    axis.errorbar(
        agreement.reference,
        by * agreement.values,
        yerr=None if many or not sigma.any() else sigma,
        fmt="o",
        markersize=3 if many else 5,
        alpha=0.4 if many else 0.8,
        elinewidth=0.8,
        color="C0",
    )
    # The column may be in any unit, so a straight line is fitted and no diagonal drawn.
    ends = np.array([agreement.reference.min(), agreement.reference.max()])
    if ends[1] > ends[0]:
        slope, offset = np.polyfit(agreement.reference, by * agreement.values, 1)
        line = slope * ends + offset
        axis.plot(ends, line, color="0.4", linewidth=1, label="straight line fitted")
        axis.legend(fontsize="small")
    axis.set_xlabel(agreement.column)
    axis.set_ylabel(f"map / {unit}")
    axis.set_title(f"{agreement.values.size} pairs, r = {agreement.r:.2f}", fontsize="medium")
    axis.grid(visible=True, color="0.85", linewidth=0.5)
    return figure
