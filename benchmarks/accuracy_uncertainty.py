"""The section of the accuracy page on the stated uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from accuracy_results import NETWORK
from accuracy_words import word_table

from no2sr.evaluation.calibration import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from accuracy_results import Result

OVERALL, STRATUM = (0.88, 0.92), (0.84, 0.95)  # to reach, of the 90 % interval
TEXT = f"""
### How far the uncertainty can be believed

Share of cells whose error lies inside the interval that {NETWORK} states, and the CRPS (continuous
ranked probability score; smaller is better) over the RMSE of bicubic interpolation, beside that of
bicubic interpolation with the stated noise as its uncertainty.
"""
STRATA_TEXT = """
Coverage of the 90 % interval by stratum: noise over the spread of the 9 x 9 cells around, the
highest 5 % of a scene's values, and cells that touch a gap. A dash means fewer than 500 cells.
"""
FIGURE = """
Reliability: the share of cells inside an interval (vertical) over its probability (horizontal).

![reliability](images/accuracy/reliability.png)
"""


def word_calibration(results: Sequence[Result]) -> Iterator[str]:
    """Yield the tables on coverage and CRPS."""
    known = {
        f"x{result.scale}, {result.title}": result.calibration
        for result in results
        if result.calibration is not None
    }
    yield TEXT
    rows = [
        [
            title,
            *(f"{found.cover(level / 100):.3f}" for level in LEVELS),
            f"{found.crps:.3f}",
            f"{found.plain:.3f}",
        ]
        for title, found in known.items()
    ]
    head = ["case", *(f"{level} %" for level in LEVELS), "CRPS", "bicubic and noise"]
    yield word_table(head, rows)
    names = next(iter(known.values())).strata
    parts = {title: [found.cover(0.9, name) for name in names] for title, found in known.items()}
    rows = [[title, *map(word_share, shares)] for title, shares in parts.items()]
    yield STRATA_TEXT + "\n" + word_table(["case", *names], rows)
    overall = count_within([found.cover(0.9) for found in known.values()], OVERALL)
    strata = count_within([share for shares in parts.values() for share in shares], STRATUM)
    yield f"Within the aims: overall {overall}; by stratum {strata}."
    yield FIGURE


def word_share(share: float) -> str:
    """Format a coverage; a dash where it is unknown."""
    return "-" if math.isnan(share) else f"{share:.3f}"


def count_within(shares: Sequence[float], aim: tuple[float, float]) -> str:
    """Describe how many of the known coverages lie within an aim."""
    known = [share for share in shares if not math.isnan(share)]
    within = sum(aim[0] <= share <= aim[1] for share in known)
    return f"{within} of {len(known)} ({aim[0]}..{aim[1]})"
