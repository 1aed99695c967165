"""``no2sr evaluate``: how well methods find again what was averaged away."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.display import progress_bar
from no2sr.cli.guard import guarded
from no2sr.cli.jobs import check_free
from no2sr.cli.judged import show_table
from no2sr.cli.messages import start_backend
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from no2sr.downscaling.settings import Reading

__all__ = ["command"]


def _names(
    _ctx: click.Context, _option: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    """Split a list at its commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else None


def _parse_noise(
    _ctx: click.Context, _option: click.Parameter, text: str | None
) -> tuple[float, float] | None:
    """Read one standard deviation, or the constant and the relative part of one."""
    if text is None:
        return None
    try:
        parts = [float(part) for part in text.split(",")]
    except ValueError:
        parts = []
    if not (1 <= len(parts) <= 2 and all(math.isfinite(part) and part >= 0 for part in parts)):
        raise click.BadParameter(
            f"{text!r} is no noise; give one standard deviation, as 7, or its constant and its "
            "relative part, as 7,0.15"
        )
    return parts[0], parts[1] if len(parts) == 2 else 0.0


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
    help="Baselines, shipped networks, folders of saved ones.  [default: all that are shipped]",
)
@click.option(
    "--model",
    "models",
    metavar="NAME|FOLDER",
    multiple=True,
    help="A further method; repeatable.",
)
@click.option(
    "--psf",
    nargs=2,
    type=float,
    metavar="Y X",
    help="Blur first, by the sensor's transfer at Nyquist; TROPOMI: 0.74 0.44.",
)
@click.option(
    "--noise",
    metavar="S0[,K]",
    callback=_parse_noise,
    help="Add noise of sqrt(S0^2 + (K c)^2) to the coarse columns c; S0 in umol m-2.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the noise.")
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
      no2sr evaluate tempo.tif --noise 10,0.2
      no2sr evaluate s5p.nc --bbox 76 27.5 78.5 29.5 --psf 0.74 0.44 --json table.json
    """
    import no2sr
    from no2sr.core.door import choose_variable
    from no2sr.evaluation.comparison import compare, default_methods
    from no2sr.evaluation.records import Judging
    from no2sr.evaluation.tables import choose_metrics, tabulate

    models = settings.pop("models")
    outputs = {name: settings.pop(name) for name in ("csv", "json", "figures")}
    _check_outputs(outputs, overwrite=overwrite)
    scale, methods = settings.pop("scale"), settings.pop("methods")
    how = {name: settings.pop(name) for name in ("psf", "noise", "seed", "full_scale")}
    noisy = how["noise"] is not None
    methods = [*(methods or default_methods(scale, noisy=noisy)), *models]
    scenes = [guarded(no2sr.open_no2, path, **reading.arguments()) for path in inputs]
    images = [choose_variable(scene) for scene in scenes]
    start_backend(*models)
    judging = Judging(uncertainty=noisy, **(how | {"noise": _in_unit(how["noise"], images[0])}))
    with progress_bar("evaluate", quiet=quiet) as progress:
        comparison = compare(
            images, scale=scale, methods=methods, judging=judging, progress=progress
        )
    metrics = choose_metrics(noisy=noisy) + ("full_scale_closure",) * how["full_scale"]
    table = tabulate(comparison, metrics=metrics)
    facts = {"files": [path.name for path in inputs], "psf": how["psf"]}
    if noisy:
        facts |= {"noise": judging.noise, "seed": judging.seed}
    _write_tables(table, facts, outputs, overwrite=overwrite)
    if outputs["figures"]:
        from no2sr.views.figures import save_figures

        save_figures(comparison, outputs["figures"], overwrite=overwrite)
    if not quiet:
        show_table(table)


def _write_tables(
    table: pd.DataFrame,
    facts: dict[str, Any],
    outputs: dict[str, Path | None],
    *,
    overwrite: bool,
) -> None:
    """Write the table as CSV and as JSON, where asked for."""
    if outputs["csv"]:
        _write(outputs["csv"], lambda path: _to_csv(table, path), overwrite=overwrite)
    if outputs["json"]:
        _write(
            outputs["json"],
            lambda path: path.write_text(_to_json(table, facts), encoding="utf-8"),
            overwrite=overwrite,
        )


def _in_unit(noise: tuple[float, float] | None, image: xr.DataArray) -> tuple[float, float] | None:
    """Convert the constant part of a noise from umol m-2 to the unit of a column."""
    from no2sr.core.units import factor, is_column

    units = str(image.attrs.get("units", ""))
    if noise is None or not is_column(units):
        return noise
    return noise[0] * factor("umol m-2", units), noise[1]


def _check_outputs(outputs: dict[str, Path | None], *, overwrite: bool) -> None:
    """Refuse outputs that could not be written before the long work."""
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
    """Word the table as JSON, which has neither NaN nor infinity: they become null."""
    rows = {
        str(label): {column: _finite(value) for column, value in row.items()}
        for label, row in table.iterrows()
    }
    known = {name: _finite(value) for name, value in table.attrs.items()}
    return json.dumps({**facts, **known, "methods": rows}, indent=2) + "\n"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
