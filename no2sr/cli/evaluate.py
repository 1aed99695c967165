"""``no2sr evaluate``: how well methods find again what was averaged away."""

from __future__ import annotations

import json
import math
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.display import print_table, progress_bar
from no2sr.cli.guard import guarded
from no2sr.cli.jobs import check_free
from no2sr.cli.messages import start_backend
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from no2sr.downscaling.settings import Reading

__all__ = ["command"]


def _names(
    _ctx: click.Context, _option: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    """Take a list joined by commas apart."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else None


@click.command("evaluate", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="FILE...", nargs=-1, required=True, type=options.PATH)
@options.reading
@click.option(
    "--scale", type=int, default=4, show_default=True, help="Fine cells along a coarse one."
)
@click.option(
    "--methods",
    metavar="NAME,...",
    callback=_names,
    help="Baselines, shipped networks, folders of saved ones.  [default: all of the former two]",
)
@click.option(
    "--model",
    "models",
    metavar="NAME|FOLDER",
    multiple=True,
    help="One more beside the methods; repeatable.",
)
@click.option(
    "--psf",
    nargs=2,
    type=float,
    metavar="Y X",
    help="Blur first, by the sensor's transfer at Nyquist; TROPOMI: 0.74 0.44.",
)
@click.option(
    "--full-scale", is_flag=True, help="Make the input itself finer, too, and compare block means."
)
@click.option("--csv", type=options.PATH, help="Write the table as CSV.")
@click.option("--json", type=options.PATH, help="Write the table and its settings as JSON.")
@click.option("--figures", type=options.PATH, metavar="FOLDER", help="Draw maps and spectra there.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@options.quiet
@options.debug
def command(
    inputs: tuple[Path, ...], *, reading: Reading, quiet: bool, overwrite: bool, **settings: Any
) -> None:
    """Judge methods on fine images of your own.

    Each FILE is averaged to a grid SCALE times coarser, made fine again by every method, and
    compared with what was there. A ratio of root mean square errors (RMSE) below 1 beats bicubic
    interpolation; the 95 % interval says whether that is more than chance.

    \b
    Examples:
      no2sr evaluate tempo.tif
      no2sr evaluate day1.nc day2.nc --scale 2 --csv table.csv --figures figures/
      no2sr evaluate tempo.tif --model my-model
      no2sr evaluate tempo.tif --methods "bicubic,bicubic + correction,srcnn"
      no2sr evaluate s5p.nc --bbox 76 27.5 78.5 29.5 --psf 0.74 0.44 --json table.json
    """
    import no2sr
    from no2sr.core.door import choose_variable
    from no2sr.evaluation.comparison import compare, default_methods
    from no2sr.evaluation.tables import DEFAULT_METRICS, tabulate

    models = settings.pop("models")
    outputs = {name: settings.pop(name) for name in ("csv", "json", "figures")}
    _check_outputs(outputs, overwrite=overwrite)
    asked = {name: settings.pop(name) for name in ("scale", "methods", "psf", "full_scale")}
    asked["methods"] = [*(asked["methods"] or default_methods(asked["scale"])), *models]
    scenes = [guarded(no2sr.open_no2, path, **reading.arguments()) for path in inputs]
    images = [choose_variable(scene) for scene in scenes]
    start_backend(*models)
    with progress_bar("evaluate", quiet=quiet) as progress:
        comparison = compare(images, progress=progress, **asked)
    metrics = (*DEFAULT_METRICS, "full_scale_closure") if asked["full_scale"] else DEFAULT_METRICS
    table = tabulate(comparison, metrics=metrics)
    if outputs["csv"]:
        _write(outputs["csv"], lambda path: _to_csv(table, path), overwrite=overwrite)
    if outputs["json"]:
        facts = {"files": [path.name for path in inputs], "psf": asked["psf"]}
        _write(
            outputs["json"],
            lambda path: path.write_text(_to_json(table, facts), encoding="utf-8"),
            overwrite=overwrite,
        )
    if outputs["figures"]:
        from no2sr.views.figures import save_figures

        save_figures(comparison, outputs["figures"], overwrite=overwrite)
    if not quiet:
        _show(table)


def _check_outputs(outputs: dict[str, Path | None], *, overwrite: bool) -> None:
    """Refuse what could not be written before the long work."""
    paths = [path for name, path in outputs.items() if path and name != "figures"]
    folder = outputs["figures"]
    if folder:
        from no2sr.views.figures import FIGURES, check_matplotlib

        check_matplotlib()
        paths += [folder / name for name in FIGURES]
    for path in paths:
        check_free(path, overwrite=overwrite)


def _write(path: Path, write: Callable[[Path], object], *, overwrite: bool) -> None:
    """Write a file that appears when it is complete."""
    from no2sr.core.atomic import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=overwrite) as temporary:
        write(temporary)


def _to_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index_label="method")


def _to_json(table: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Word the table; JSON has no NaN and no infinity, so that they become null."""
    rows = {
        str(label): {column: _finite(value) for column, value in row.items()}
        for label, row in table.iterrows()
    }
    known = {name: _finite(value) for name, value in table.attrs.items()}
    return json.dumps({**facts, **known, "methods": rows}, indent=2) + "\n"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _show(table: pd.DataFrame) -> None:
    """Print the table in three, each as wide as a terminal."""
    from no2sr.core.colours import shown_unit

    factor, unit = shown_unit(table.attrs["unit"])
    # Labels in lines, so that all columns fit on 80 characters.
    rows = [
        ("\n".join(wrap(str(label), 16, break_on_hyphens=False)), row)
        for label, row in table.iterrows()
    ]
    print_table(
        [
            (
                label,
                f"{factor * row['rmse']:.4g}",
                *_ratio(row, "rmse / bicubic"),
                *_ratio(row, "rmse / best classical"),
            )
            for label, row in rows
        ],
        head=("method", "RMSE", "/ bicubic", "95 %", "/ best", "95 %"),
        title=f"RMSE in {unit}; best classical method: {table.attrs['best_classical']}",
    )
    for title, columns in _TABLES.items():
        shown = [name for name in columns if name in table]
        print_table(
            [(label, *(_number(name, row[name], factor) for name in shown)) for label, row in rows],
            head=("method", *(columns[name] for name in shown)),
            title=title.format(unit=unit),
        )
    click.echo(f"Images: {table.attrs['images']}. Scale: {table.attrs['scale']}.")
    for title, name in _NOISE.items():
        value = table.attrs[name]
        click.echo(
            f"{title}: " + ("unknown." if math.isnan(value) else f"{factor * value:.3g} {unit}.")
        )


_NOISE = {
    "Noise of the reference in a typical cell": "noise_level",
    "RMSE that it alone gives a perfect estimate": "noise_floor",
    "Noise of the reference at most": "most_noise",
}
_TABLES = {
    "Likeness; errors in {unit}, PSNR in dB": {
        "mae": "MAE",
        "bias": "bias",
        "psnr": "PSNR",
        "ssim": "SSIM",
        "correlation": "corr.",
    },
    "RMSE / bicubic after the noise is taken off; deviation of block means in {unit}": {
        "above noise / bicubic": "above noise",
        "above most noise / bicubic": "above most noise",
        "closure": "closure",
        "full_scale_closure": "at full scale",
    },
    "Structure; errors of peak and plume mass, effective resolution in fine cells, "
    "shares of detail, RMSE beside gaps in {unit}": {
        "peak_error": "peak",
        "plume_mass_error": "mass",
        "effective_resolution": "cells",
        "improvement": "found",
        "omission": "missed",
        "hallucination": "made up",
        "gap_edge_rmse": "gaps",
    },
}
_IN_THE_UNIT = {"mae", "gap_edge_rmse"}
_SHARES = {"peak_error", "plume_mass_error", "improvement", "omission", "hallucination"}


def _ratio(row: pd.Series, name: str) -> tuple[str, str]:
    """Word a ratio and its interval."""
    if math.isnan(row[f"{name} low"]):
        return f"{row[name]:.3f}", "-"
    return f"{row[name]:.3f}", f"{row[f'{name} low']:.3f}-{row[f'{name} high']:.3f}"


def _number(name: str, value: float, factor: float) -> str:
    """Word one number of the table."""
    if math.isnan(value):
        return "-"
    if name in ("bias", "closure", "full_scale_closure"):
        return f"{factor * value:.1g}"
    if name in _IN_THE_UNIT:
        return f"{factor * value:.3g}"
    if name in _SHARES:
        return f"{value:.1%}"
    return f"{value:.2f}" if name in ("psnr", "effective_resolution") else f"{value:.3f}"
