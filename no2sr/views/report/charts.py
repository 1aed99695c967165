"""Drawings of a report that need no script: legends and a histogram as SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.colours import RAMP, ramp, ticks, value_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["draw_histogram", "draw_legend"]

STOPS, BINS = 17, 60
# Sizes of the histogram, in pixels.
WIDTH, HEIGHT, LEFT, BOTTOM = 440, 230, 48, 44
# Place of the bar in a legend, in pixels.
BAR_LEFT, BAR_WIDTH = 12, 280


def draw_legend(low: float, high: float, *, quantity: str, unit: str, colours: str = RAMP) -> str:
    """Draw a colour scale as SVG.

    Parameters
    ----------
    low, high : float
        Limits of the colours, in the unit shown.
    quantity, unit : str
    colours : str
        One of `no2sr.core.colours.RAMPS`. Legends of one page have different ramps.
    """
    stops = "".join(
        f'<stop offset="{index / (STOPS - 1):.4f}" stop-color="#{bytes(colour).hex()}"/>'
        for index, colour in enumerate(ramp(colours, STOPS))
    )
    places = [
        (value, BAR_LEFT + BAR_WIDTH * (value - low) / (high - low)) for value in ticks(low, high)
    ]
    marks = "".join(
        f'<path d="M{x:.1f} 26v5"/><text x="{x:.1f}" y="46" text-anchor="middle">{value:g}</text>'
        for value, x in places
    )
    ends = f"from {low:.4g} to {value_text(high, unit)}"
    name = escape(f"Colours of {quantity} {ends}; gaps are hatched")
    title = escape(f"{quantity} / {unit}")
    return (
        f'<svg class="legend" viewBox="0 0 380 70" role="img" aria-label="{name}">'
        f'<defs><linearGradient id="{colours}">{stops}</linearGradient></defs>'
        f'<rect x="{BAR_LEFT}" y="6" width="{BAR_WIDTH}" height="20" fill="url(#{colours})"/>'
        f'{marks}<text x="{BAR_LEFT}" y="64">{title}'
        "</text>"
        f'<rect x="316" y="6" width="20" height="20" fill="url(#gaps-{colours})" class="edge"/>'
        f'<defs><pattern id="gaps-{colours}" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<rect width="6" height="6" fill="#fff"/><path d="M0 6L6 0" stroke="#888"/></pattern>'
        "</defs>"
        '<text x="342" y="21">gap</text></svg>'
    )


def draw_histogram(before: NDArray[np.floating], after: NDArray[np.floating], unit: str) -> str:
    """Draw the share of cells by value for both images, on a square-root axis, as SVG.

    Parameters
    ----------
    before, after : array, (y, x)
        In the unit shown, NaN in gaps.
    unit : str
    """
    seen = {"before": before[np.isfinite(before)], "after": after[np.isfinite(after)]}
    edges = np.histogram_bin_edges(np.concatenate(list(seen.values())), BINS)
    shares = {
        name: np.sqrt(np.histogram(values, edges)[0] / max(values.size, 1))
        for name, values in seen.items()
    }
    most = max(float(share.max()) for share in shares.values()) or 1.0
    wide, tall = WIDTH - LEFT - 12, HEIGHT - BOTTOM - 12
    x = LEFT + wide * np.linspace(0, 1, BINS + 1)
    paths = "".join(
        f'<path class="{name}" d="{_outline(x, 12 + tall * (1 - share / most))}"/>'
        for name, share in shares.items()
    )
    low, high = float(edges[0]), float(edges[-1])
    marks = "".join(
        f'<text x="{LEFT + wide * (value - low) / (high - low):.1f}" y="{HEIGHT - 24}" '
        f'text-anchor="middle">{value:g}</text>'
        for value in ticks(low, high)
    )
    marks += "".join(
        f'<text x="{LEFT - 6}" y="{16 + tall * (1 - np.sqrt(share) / most):.1f}" '
        f'text-anchor="end">{100 * share:g}%</text>'
        for share in (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)
        if np.sqrt(share) <= most
    )
    name = escape(_describe(seen, unit))
    return (
        f'<svg class="histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">'
        f'<path class="axis" d="M{LEFT} 12v{tall}h{wide}"/>{paths}{marks}'
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(unit)}</text>'
        "</svg>"
    )


def _outline(x: NDArray[np.floating], y: NDArray[np.floating]) -> str:
    """Draw the outline of bars."""
    first = f"M{x[0]:.1f} {y[0]:.1f}"
    return first + "".join(
        f"V{height:.1f}H{right:.1f}" for height, right in zip(y, x[1:], strict=True)
    )


def _describe(seen: dict[str, NDArray[np.floating]], unit: str) -> str:
    """Describe the histogram for people who cannot see it."""
    parts = [
        f"{name}: mean {values.mean():.4g}, standard deviation {value_text(values.std(), unit)}"
        for name, values in seen.items()
    ]
    return "Histogram of the cells. " + "; ".join(parts)
