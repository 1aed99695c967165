"""A report that people open: one HTML file with a map to swipe, figures and provenance.

The file holds everything it shows. It loads nothing, so it works from a disk without network. Its
content security policy lets no other script run than ours, whatever the attributes of a data file
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

from no2sr.core.atomic import replace_atomically
from no2sr.core.colours import UNCERTAINTY_RAMP, ramp, robust_limits, shown_unit
from no2sr.core.grid import bounds_of
from no2sr.core.image import is_geographic
from no2sr.core.layers import TOTAL
from no2sr.core.times import describe_times
from no2sr.core.version import __version__
from no2sr.views.pairs import enter_pair, enter_single
from no2sr.views.report.charts import draw_histogram, draw_legend
from no2sr.views.report.judgement import judge
from no2sr.views.report.numbers import doubt_origin, list_figures, list_provenance, summarise
from no2sr.views.report.rasters import FINE_CELLS, embed
from no2sr.writers.layers import label, layers_in

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.networks.card import Model

__all__ = ["make_report", "write_report"]


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
        Replace an existing file.

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
    with replace_atomically(path, overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def make_report(
    coarse: xr.DataArray | xr.Dataset,
    fine: xr.DataArray | xr.Dataset,
    *,
    model: str | Path | Model | None = None,
    title: str = "",
) -> str:
    """Compose the report as one HTML page of less than 5 MB.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)
        `fine` has the attributes that `no2sr.downscale` gave it. If it is a scene with the standard
        uncertainty, the page has a view of that layer, too.
    model : str, Path or Model, optional
        Model to judge on the coarse image; by default the shipped network that `fine` names.
    title : str

    Returns
    -------
    str
        Large images are averaged to screen resolution, and the page says so.

    Raises
    ------
    IrregularGridError
        If the fine image was not made of the coarse one.
    ImageError, NoValidPixelsError
        If an argument holds no image, or an image of gaps only.
    """
    before, after, scale = enter_pair(coarse, fine)
    sigma = enter_single(fine, TOTAL) if TOTAL in layers_in(fine) else None
    by, unit = shown_unit(str(after.attrs["units"]))
    low, high = robust_limits(by * before.values)
    drawn = {
        "coarse": embed(before, by, cells=FINE_CELLS // 4),
        "fine": embed(after, by, cells=FINE_CELLS),
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
    third = _compose_uncertainty(sigma)
    return _fill_page(
        title=escape(title or f"{label(after)}, {scale} times finer"),
        generator=f"no2sr {__version__}",
        lead=escape(summarise(after, scale, observed=describe_times(fine))),
        data=_to_inert_json(told | third.pop("data")),
        legend=draw_legend(low, high, quantity=label(after), unit=unit),
        histogram=draw_histogram(by * before.values, by * after.values, unit),
        averaged=escape(_note_averaging(drawn["coarse"]["block"], drawn["fine"]["block"])),
        figures=_to_rows(list_figures(before, after, scale, sigma)),
        doubt=escape(doubt_origin(before, after)),
        judgement=table or f"<p>{escape(reason)}</p>",
        provenance=_to_rows(list_provenance(after)),
        history="".join(
            f"<li>{escape(line)}</li>" for line in str(after.attrs.get("history", "")).splitlines()
        ),
        **third,
    )


def _compose_uncertainty(sigma: xr.DataArray | None) -> dict[str, Any]:
    """Compose the parts of the page that show the uncertainty; empty ones where there is none."""
    if sigma is None:
        return {"data": {}, "views": "", "second_legend": "", "uncertainty": ""}
    by, unit = shown_unit(str(sigma.attrs["units"]))
    low, high = robust_limits(by * sigma.values)
    return {
        "data": {
            "uncertainty": embed(sigma, by, cells=FINE_CELLS // 4),
            "uncertaintyLimits": [low, high],
            "uncertaintyRamp": ramp(UNCERTAINTY_RAMP).tolist(),
        },
        "views": _read_part("views.html"),
        "second_legend": draw_legend(
            low,
            high,
            quantity="uncertainty (one standard deviation)",
            unit=unit,
            colours=UNCERTAINTY_RAMP,
        ),
        "uncertainty": _read_part("uncertainty.html"),
    }


def _read_part(name: str) -> str:
    return files("no2sr.views.report").joinpath(name).read_text(encoding="utf-8").strip()


def _fill_page(**parts: str) -> str:
    """Fill the template; the policy names the hashes of the only style and script that may run."""
    style, script = _read_part("page.css"), _read_part("page.js")
    parts |= {"style": style, "script": script}
    parts |= {"style_hash": _digest(style), "script_hash": _digest(script)}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _read_part("page.html"))


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _to_inert_json(told: dict[str, Any]) -> str:
    """Write JSON that cannot end the element that contains it."""
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _note_averaging(before: int, after: int) -> str:
    """Compose the note that the page shows averages; empty if it shows every cell."""
    if before == after == 1:
        return ""
    return (
        " The map is shown at the resolution of a screen: each value before is the mean of "
        f"{before} x {before} observed cells, each value after of {after} x {after} fine ones."
    )


def _to_rows(pairs: list[tuple[str, str]]) -> str:
    return "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>'
        for name, text in pairs
    )
