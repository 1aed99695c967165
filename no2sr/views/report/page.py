"""A report that people open: one HTML file with a map to swipe, figures and provenance.

The file holds everything it shows. It loads nothing, so it works from a disk without network, and
its content security policy lets no other script run than ours, whatever the attributes of a file
contain.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.atomic import replacing
from no2sr.core.colours import ramp, robust_limits, shown_unit
from no2sr.core.door import enter
from no2sr.core.grid import bounds_of, cell_areas
from no2sr.core.image import is_geographic
from no2sr.core.provenance import readable
from no2sr.core.version import __version__
from no2sr.steps.conserve import closure
from no2sr.views.pairs import match_grids, single_time
from no2sr.views.report.charts import draw_histogram, draw_legend
from no2sr.views.report.judgement import judge
from no2sr.views.report.rasters import FINE_CELLS, embedded
from no2sr.writers.layers import label

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.networks.card import Model

__all__ = ["make_report", "write_report"]

# Of the spread of the input: block means farther off were not made of this input.
CLOSED = 1e-3


def write_report(
    coarse: xr.DataArray | xr.Dataset,
    fine: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    model: str | Path | Model | None = None,
    title: str = "",
    overwrite: bool = False,
) -> Path:
    """Write the report on a fine image and the coarse one that it was made of.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)
        As for `make_report`.
    path : str or Path
    model, title
        As for `make_report`.
    overwrite : bool

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError, WriteError
        As for `no2sr.write`.
    IrregularGridError, ImageError
        As for `make_report`.
    """
    page = make_report(coarse, fine, model=model, title=title)
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def make_report(
    coarse: xr.DataArray | xr.Dataset,
    fine: xr.DataArray | xr.Dataset,
    *,
    model: str | Path | Model | None = None,
    title: str = "",
) -> str:
    """Return the report as one HTML page of less than 5 MB.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)
        The latter with the attributes that `no2sr.downscale` gave it.
    model : str, Path or Model, optional
        What is judged on the coarse image; by default the shipped network that the fine one names.
    title : str

    Returns
    -------
    str
        Large images are averaged to screen resolution first, which the page says.

    Raises
    ------
    IrregularGridError
        If the one was not made of the other.
    ImageError, NoValidPixelsError
        If there is no image in what is given, or nothing on it.
    """
    after = single_time(enter(fine))
    before, scale = match_grids(single_time(enter(coarse)), after)
    by, unit = shown_unit(str(after.attrs["units"]))
    low, high = robust_limits(by * before.values)
    drawn = {
        "coarse": embedded(before, by, cells=FINE_CELLS // 4),
        "fine": embedded(after, by, cells=FINE_CELLS),
    }
    told = {
        **drawn,
        "unit": unit,
        "limits": [low, high],
        "ramp": ramp().tolist(),
        "bounds": bounds_of(after),
        "geographic": is_geographic(after),
    }
    table, reason = judge(before, after, scale, model=model)
    return _page(
        title=escape(title or f"{label(after)}, {scale} times finer"),
        generator=f"no2sr {__version__}",
        lead=escape(_lead(after, scale)),
        data=_inert(told),
        legend=draw_legend(low, high, unit),
        histogram=draw_histogram(by * before.values, by * after.values, unit),
        averaged=escape(_averaged(drawn["coarse"]["block"], drawn["fine"]["block"])),
        figures=_rows(_figures(before, after, scale)),
        doubt=escape(_doubt(before, after)),
        judgement=table or f"<p>{escape(reason)}</p>",
        provenance=_rows(_provenance(after)),
        history="".join(
            f"<li>{escape(line)}</li>" for line in str(after.attrs.get("history", "")).splitlines()
        ),
    )


def _page(**parts: str) -> str:
    """Fill the template; the policy names the hashes of the only style and script that may act."""
    folder = files("no2sr.views.report")
    style, script = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
    )
    parts |= {"style": style, "script": script}
    parts |= {"style_hash": _digest(style), "script_hash": _digest(script)}
    template = folder.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _inert(told: dict[str, Any]) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _lead(after: xr.DataArray, scale: int) -> str:
    time = after.coords["time"].values if "time" in after.coords else None
    when = "" if time is None else f", {np.datetime_as_string(time, unit='m')} UTC"
    source = after.attrs.get("source")
    return (
        f"{after.sizes['y']} x {after.sizes['x']} cells, {scale} x {scale} of them in each that "
        f"was observed{when}" + (f". Source: {source}" if source else "")
    )


def _averaged(before: int, after: int) -> str:
    """Say so where the page shows less than the files hold."""
    if before == after == 1:
        return ""
    return (
        " The map is shown at the resolution of a screen: each value before is the mean of "
        f"{before} x {before} observed cells, each value after of {after} x {after} fine ones."
    )


def _rows(pairs: list[tuple[str, str]]) -> str:
    return "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>'
        for name, text in pairs
    )


def _figures(before: xr.DataArray, after: xr.DataArray, scale: int) -> list[tuple[str, str]]:
    """Return what can be measured on the two images themselves."""
    by, unit = shown_unit(str(after.attrs["units"]))
    west, south, east, north = bounds_of(after)
    gaps = float(np.isnan(after.values).mean())
    return [
        ("observed cells", f"{before.sizes['y']} x {before.sizes['x']}"),
        ("fine cells", f"{after.sizes['y']} x {after.sizes['x']}, scale {scale}"),
        ("bounds", f"{west:.7g} {south:.7g} {east:.7g} {north:.7g} (west, south, east, north)"),
        ("gaps", f"{gaps:.1%} of the cells"),
        ("mean", f"{by * np.nanmean(after.values):.4g} {unit}"),
        ("range before", _range(by * before.values, unit)),
        ("range after", _range(by * after.values, unit)),
        ("largest conservation residual", f"{_residual(before, after):.1e} of the input's spread"),
    ]


def _range(values: np.ndarray[Any, Any], unit: str) -> str:
    return f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g} {unit}"


def _residual(before: xr.DataArray, after: xr.DataArray) -> float:
    """Return the largest deviation of a block mean, in standard deviations of the input."""
    residuals = np.abs(closure(after.values, before.values, cell_areas(after)))
    spread = float(np.nanstd(before.values, dtype=np.float64)) or 1.0
    known = residuals[np.isfinite(residuals)]
    return float(known.max(initial=0)) / spread


def _doubt(before: xr.DataArray, after: xr.DataArray) -> str:
    """Warn where the fine image cannot have been made of the coarse one as it was read here."""
    if _residual(before, after) <= CLOSED:
        return ""
    return (
        "The block means of the fine map are not those of the coarse one. Was it made of another "
        "file, or with other options?"
    )


def _provenance(after: xr.DataArray) -> list[tuple[str, str]]:
    names = ("source", "title", "institution", "references", "comment")
    told = [(name, str(after.attrs[name])) for name in names if after.attrs.get(name)]
    return told + readable(after.attrs)
