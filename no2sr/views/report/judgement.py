"""How well the model does on this map: Wald's protocol on the coarse image."""

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
    """Coarsen the coarse image, downscale it again, and compare the result with it.

    Parameters
    ----------
    before, after : DataArray, (y, x)
        The attributes of `after` name the model.
    scale : int
    model : str, Path or Model, optional
        Model to judge instead.

    Returns
    -------
    table : str
        HTML, empty if the model could not be judged.
    reason : str
        The reason in that case.
    """
    name = str(after.attrs.get("no2sr_model", ""))
    if model is None and not name:
        return "", "Not judged: the fine map does not name its model."
    try:
        chosen = model if isinstance(model, Model) else load_model(model or name, scale=scale)
        if model is None and not _is_same(chosen, after):
            return "", (
                f"Not judged: this version of no2sr ships other weights of {name} than those that "
                "made the fine map; name the folder of its weights as the model."
            )
        table = evaluate(
            before, scale=scale, methods={"bicubic": "bicubic", "model": chosen}, metrics=METRICS
        )
    except No2srError as problem:
        return "", f"Not judged: {problem}."
    return _format_table(table, chosen.card.name), ""


def _is_same(model: Model, after: xr.DataArray) -> bool:
    """Tell whether the weights are those that the fine map names."""
    named = after.attrs.get("no2sr_model_sha256")
    return named in (None, model.card.files.get("network.keras"))


def _format_table(table: pd.DataFrame, name: str) -> str:
    """Format the table as HTML, one row for each measure."""
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
        cells = [_format_number(factor * row[column], digits) for row in (bicubic, found)]
        if column == "rmse / bicubic":
            cells[1] += _format_interval(found)
        body += f'<tr><th scope="row">{escape(what)}</th>'
        body += "".join(f"<td>{escape(text)}</td>" for text in cells) + "</tr>"
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Measures"><table><thead><tr>'
        '<th scope="col">measure</th><th scope="col">bicubic</th>'
        f'<th scope="col">{escape(name)}</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def _format_number(value: float, digits: str) -> str:
    """Format a measure; some are undefined for a small map."""
    return format(value, digits) if math.isfinite(value) else "map too small"


def _format_interval(row: dict[str, float]) -> str:
    low, high = row["rmse / bicubic low"], row["rmse / bicubic high"]
    known = math.isfinite(low) and math.isfinite(high)
    return f" (95 % interval {low:.3f} to {high:.3f})" if known else ""
