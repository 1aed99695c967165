"""How well a history fits a file, for ``no2sr info``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from no2sr.cli.guard import call_guarded

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.downscaling.settings import Reading

__all__ = ["describe_history", "judge_history"]

FITS, HARDLY = 0.5, 0.2  # correlations


def judge_history(
    path: Path, history: Path | None, *, reading: Reading, scale: int
) -> dict[str, Any] | None:
    """Measure how well a history fits a file; None if none is given.

    Raises
    ------
    ReadError, HistoryError
        If either cannot be read, or the history cannot be used.
    """
    if history is None:
        return None
    from no2sr.core.door import enter
    from no2sr.downscaling.history import align_history, measure_fit, open_history
    from no2sr.readers.opening.opener import open_no2

    place = call_guarded(open_history, history)
    image = enter(call_guarded(open_no2, path, **reading.arguments()))
    fit = measure_fit(align_history(place, image, scale), image, scale)
    correlation = None if math.isnan(fit.correlation) else fit.correlation
    return {
        "file": history.name,
        "overlap": fit.overlap,
        "correlation": correlation,
        "resolution": fit.resolution,
    }


def describe_history(found: dict[str, Any] | None) -> str:
    """Describe how well a history fits."""
    if found is None:
        return ""
    known = (
        f"{found['file']} covers {found['overlap']:.0%} of the observed cells and resolves "
        f"{found['resolution']:.2g} of a cell"
    )
    if found["correlation"] is None:
        return f"{known}; too few cells to tell whether it fits"
    if found["correlation"] >= FITS:
        verdict = "it fits"
    elif found["correlation"] >= HARDLY:
        verdict = "it fits in part"
    else:
        verdict = "it does not fit, and downscale will use little of it"
    return f"{known}; correlation {found['correlation']:.2f}: {verdict}"
