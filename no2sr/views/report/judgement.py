"""How good the model is on this very map: Wald's protocol on the coarse image."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from no2sr.core.colours import shown_unit
from no2sr.core.errors import No2srError
from no2sr.evaluation.tables import evaluate
from no2sr.networks.card import Model
from no2sr.networks.store import load_model

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr

__all__ = ["judge"]

METRICS = ("rmse", "bias", "psnr", "ssim", "correlation", "effective_resolution")


def judge(
    before: xr.DataArray,
    after: xr.DataArray,
    scale: int,
    *,
    model: str | Path | Model | None = None,
) -> tuple[str, str]:
    """Average the coarse image, make it fine again, compare with what was there.

    Parameters
    ----------
    before, after : DataArray, (y, x)
        The attributes of the latter name the model.
    scale : int
    model : str, Path or Model, optional
        Instead of the one named.

    Returns
    -------
    table : str
        HTML, empty where nothing could be judged.
    reason : str
        Why not, in that case.
    """
    name = str(after.attrs.get("no2sr_model", ""))
    if model is None and not name:
        return "", "Not judged: the fine map does not name the model that made it."
    try:
        chosen = model if isinstance(model, Model) else load_model(model or name, scale=scale)
        if model is None and not _same(chosen, after):
            return "", (
                f"Not judged: the fine map was made by other weights than those of {name} that are "
                "shipped with this version; name their folder."
            )
        table = evaluate(
            before, scale=scale, methods={"bicubic": "bicubic", "model": chosen}, metrics=METRICS
        )
    except No2srError as problem:
        return "", f"Not judged: {problem}."
    return _worded(table, chosen.card.name), ""


def _same(model: Model, after: xr.DataArray) -> bool:
    """Tell whether the weights are those that the fine map names."""
    named = after.attrs.get("no2sr_model_sha256")
    return named in (None, model.card.files.get("network.keras"))


def _worded(table: pd.DataFrame, name: str) -> str:
    """Return the table as HTML, a row a measure."""
    by, unit = shown_unit(str(table.attrs["unit"]))
    bicubic, found = (
        {str(column): float(value) for column, value in zip(table, row, strict=True)}
        for row in table.to_numpy(dtype=float)
    )
    measures = {
        f"root mean square error / {unit}": ("rmse", by, ".4g"),
        "ratio to bicubic": ("rmse / bicubic", 1, ".3f"),
        f"bias / {unit}": ("bias", by, ".2g"),
        "PSNR / dB": ("psnr", 1, ".2f"),
        "SSIM": ("ssim", 1, ".3f"),
        "correlation": ("correlation", 1, ".3f"),
        "smallest structure resolved / cells": ("effective_resolution", 1, ".2f"),
    }
    body = ""
    for what, (column, factor, digits) in measures.items():
        cells = [_number(factor * row[column], digits) for row in (bicubic, found)]
        if column == "rmse / bicubic":
            cells[1] += _interval(found)
        body += f'<tr><th scope="row">{escape(what)}</th>'
        body += "".join(f"<td>{escape(text)}</td>" for text in cells) + "</tr>"
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Measures"><table><thead><tr>'
        '<th scope="col">measure</th><th scope="col">bicubic</th>'
        f'<th scope="col">{escape(name)}</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def _number(value: float, digits: str) -> str:
    """Word a measure; of a small map some cannot be told."""
    return format(value, digits) if math.isfinite(value) else "map too small"


def _interval(row: dict[str, float]) -> str:
    low, high = row["rmse / bicubic low"], row["rmse / bicubic high"]
    known = math.isfinite(low) and math.isfinite(high)
    return f" (95 % interval {low:.3f} to {high:.3f})" if known else ""
