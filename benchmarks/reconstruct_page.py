"""The section of docs/accuracy.md about ``no2sr reconstruct``, written from its record."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

import numpy as np

__all__ = ["write_section"]

PAGE = Path(__file__).parents[1] / "docs/accuracy.md"
HEAD = (
    "| overpasses | average | average + network | optimal interpolation | reconstruct "
    "| reconstruct / average "
    "| interval | explained | resolution | CPU |"
)
PICTURE = "![An average and a reconstruction, same data](images/accuracy/many_overpasses.png)"
BEGIN, END = (f"<!-- {word} of benchmarks/reconstruct.py -->" for word in ("begin", "end"))


def write_section(found: dict) -> None:
    """Replace the section between its markers, or add it at the end of the page."""
    page = PAGE.read_text(encoding="utf-8")
    section = f"{BEGIN}\n{describe(found)}\n{END}\n"
    before, begin, rest = page.partition(BEGIN)
    after = rest.partition(f"{END}\n")[2] if begin else ""
    PAGE.write_text(f"{before.rstrip()}\n\n{section}{after}", encoding="utf-8")


def describe(found: dict) -> str:
    """Write the section as Markdown."""
    rows = {int(number): rows for number, rows in found["places"].items()}
    edges = found["edges"]
    count = found.get("count", len(next(iter(rows.values()))))
    optimal = edges["optimal"] / edges["average"]
    lines = [
        "## Many overpasses",
        "",
        f"Measured on {found['date']} by `benchmarks/reconstruct.py`. A field of 1.1 km is seen",
        f"through real Sentinel-5P footprints, with noise, in {count} places of 1 x 1 degree.",
        "No network was trained on them. The map has cells of 0.01 degree. The smoothness is",
        "chosen from held-out overpasses. Errors are root mean squares in umol m-2, geometric",
        "means of the places. *Average* is the area-weighted average on the same cells. *Average +",
        "network* is the average on 0.04 degree, refined four times by the shipped network.",
        "*Optimal interpolation* is kriging of the average on the same cells. It is told the noise",
        "that was added, and takes the better of two correlation lengths, chosen with the truth.",
        "*Interval* is the share of cells whose 90 % interval holds the truth. *Explained* is the",
        "share of the variance of held-out overpasses that the map explains. *CPU* is the",
        "time of one place.",
        "",
        HEAD,
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(number, rows[number]) for number in sorted(rows)),
        "",
        *([*wrap(found["note"], 96), ""] if "note" in found else []),
        "### From the edge of the swath to nadir",
        "",
        f"Real pixels of 2019 and 2020, south-east Sicily. Those of {edges['wide']} overpasses",
        "with a sensor zenith angle over 50 degrees predict the mean of the narrow pixels (below",
        f"30 degrees) of {edges['near']} overpasses. Both are compared as the narrow footprints",
        "see them. The mean difference is removed.",
        "",
        "| map made of the wide pixels | difference, umol m-2 | / average |",
        "|---|--:|--:|",
        f"| average | {edges['average']:.3f} | 1 |",
        f"| optimal interpolation | {edges['optimal']:.3f} | {optimal:.3f} |",
        f"| reconstruct | {edges['reconstruct']:.3f} | {edges['ratio']:.3f} |",
        "",
        f"The map explains {100 * edges['explained']:.0f} % of the variance of held-out overpasses",
        "among the real ones. The rest is noise and the change from day to day.",
        "",
        PICTURE,
        "",
        "South-east Sicily and Malta, cells of 0.02 degree, 61 files of the same data. The",
        "crosses are Catania, Augusta and Valletta.",
    ]
    return "\n".join(lines)


def _row(number: int, rows: list[dict]) -> str:
    kinds = ("average", "network", "reconstruct", *(k for k in rows[0] if k.startswith("oi_")))
    average, network, ours, *optimal = (
        float(np.exp(np.mean(np.log([row[key] for row in rows])))) for key in kinds
    )
    means = [
        f"{np.mean([row[key] for row in rows]):{form}}" if key in rows[0] else "-"
        for key, form in (
            ("coverage", ".2f"),
            ("explained", ".2f"),
            ("resolution_km", ".1f"),
            ("cpu_seconds", ".1f"),
        )
    ]
    means = [
        text + unit if text not in {"-", "nan"} else "-"
        for text, unit in zip(means, ("", "", " km", " s"), strict=True)
    ]
    best = f"{min(optimal):.1f}" if optimal else "-"
    ratio = rows[0].get("ratio", ours / average)
    cells = (f"{average:.1f}", f"{network:.1f}", best, f"{ours:.1f}", f"{ratio:.3f}", *means)
    return f"| {number} | {' | '.join(cells)} |"
