"""The sections of the accuracy page on other real fields, on pictures, and on the networks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import gems
import set5
from accuracy_words import (
    list_networks,
    word_errors,
    word_facts,
    word_ratio,
    word_structure,
    word_table,
)

import no2sr
from no2sr.evaluation.comparison import compare
from no2sr.evaluation.tables import tabulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr

SCALES = (2, 3, 4)
WIDE = (-20, 0, 150, 60)
# Of bicubic interpolation and of the authors' 9-5-5 network on Set5, dB (Dong et al., 2016; x2 and
# x4 of the network as its weights give them in the authors' own program).
PUBLISHED = {2: (33.66, 36.64), 3: (30.39, 32.75), 4: (28.42, 30.48)}
SET5_TEXT = """
## Pictures

Set5, luminance, mean PSNR in dB by the protocol of the SRCNN authors (`benchmarks/set5.py`):
`luminance` is our 9-3-5 network for pictures, trained on their 91 by
`benchmarks/train_luminance.py`. It looked at no picture of Set5 before its figures were taken.
"""
FOREIGN_TEXT = """
### Networks for pictures on columns

`downscale` takes them, too: they see normalised columns around mid-grey. What networks that have
never seen a column reach on GEMS, 2023-10-31; compare the classical methods above:
"""


def list_fields() -> Iterator[tuple[str, str, Callable[[], list[xr.DataArray]]]]:
    """Yield title, description and loader of the other real fields."""
    tempo = (
        "One scan, UTM zone 11, cells of 3.2 km, a third of them gaps: another instrument over "
        "another continent."
    )
    yield (
        "TEMPO over Los Angeles",
        tempo,
        lambda: [open_field("tempo_utm/tempo_vcd_troposphere_utm11_clipped.tif")],
    )
    yield (
        "OMI, mean of 2010-2017",
        "The globe at 0.25 degree: smooth, with little noise left.",
        lambda: [open_field("omi/omno2d_giovanni_mean_2010_2017.nc")],
    )
    yield (
        "Ground level, months of 2015 and 2020",
        "Concentrations over land at 0.25 degree, Africa to Japan: no column, and many gaps.",
        lambda: [
            open_field(
                f"ground_level/{month}.tif", variable="1", unit="ug m-3", bbox=(-20, 0, 150, 60)
            )
            for month in ("201501", "201507", "202004")
        ],
    )


def open_field(name: str, **settings: object) -> xr.DataArray:
    """Open a real file; its warnings are known and tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", no2sr.No2srWarning)
        return no2sr.open_no2(gems.DATA / name, **settings).load()


def judge_others() -> Iterator[str]:
    """Yield the sections on the other real fields."""
    yield "## Other real fields"
    worse = []
    for title, text, load in list_fields():
        images = load()
        yield f"### {title}\n\n{text}"
        for scale in SCALES:
            comparison = compare(images, scale=scale)
            table = tabulate(comparison)
            yield f"**x{scale}.** {word_facts(table)}\n\n{word_errors(table)}"
            if scale == SCALES[-1]:
                yield word_structure(table)
            worse += [
                f"{name} x{scale} on {title}"
                for name in list_networks(comparison)
                if table.loc[name, "rmse"] > table.loc["bicubic + correction", "rmse"]
            ]
    yield "### Never worse than bicubic + correction?\n\n" + (
        "No: " + "; ".join(worse) + "."
        if worse
        else "Yes, by RMSE: every network on every field at every scale."
    )


def judge_pictures() -> str:
    """Describe the test on Set5: our bicubic, the authors' weights, our networks for pictures."""
    rows = []
    for scale in SCALES:
        authors = no2sr.load_model(gems.DATA / "weights" / f"srcnn_955_x{scale}.mat", scale=scale)
        figures = (
            set5.bicubic_psnr(scale),
            set5.model_psnr(authors),
            set5.model_psnr(no2sr.load_model("luminance", scale=scale)),
        )
        published = [f"{figure:.2f}" for figure in PUBLISHED[scale]]
        measured = [f"{figure:.3f}" for figure in figures]
        gain = figures[2] - figures[0]
        rows.append([f"x{scale}", *published, *measured, f"{gain:+.2f}"])
    head = ["scale", "bicubic, published", "authors' 9-5-5, published", "bicubic"]
    head += ["authors' 9-5-5", "`luminance`", "gain"]
    return SET5_TEXT.strip() + "\n\n" + word_table(head, rows)


def judge_foreign(images: list[xr.DataArray]) -> str:
    """Describe what networks for pictures make of columns."""
    rows = []
    for scale in SCALES:
        authors = no2sr.load_model(gems.DATA / "weights" / f"srcnn_955_x{scale}.mat", scale=scale)
        ours = no2sr.load_model("luminance", scale=scale)
        methods = {"authors' 9-5-5": authors, "luminance": ours}
        table = tabulate(compare(images, scale=scale, methods=methods), metrics=["rmse"])
        rows += [
            [f"x{scale}", str(label), *word_ratio(row, "rmse / bicubic")]
            for label, row in table.iterrows()
        ]
    head = ["scale", "method", "RMSE / bicubic", "95 %"]
    return FOREIGN_TEXT.strip() + "\n\n" + word_table(head, rows)


def judge_cards() -> str:
    """List the figures of the cards, which must be the same as these."""
    rows = [
        [
            card.name,
            str(card.scale),
            f"{card.parameters:,}",
            f"GEMS RMSE / bicubic {card.metrics['rmse_over_bicubic']:.3f}"
            if card.domain == "column"
            else f"Set5 {card.metrics['psnr_db']:.3f} dB",
        ]
        for card in no2sr.available_models()
    ]
    head = ["network", "scale", "parameters", "on its card"]
    return "## Networks\n\n" + word_table(head, rows)
