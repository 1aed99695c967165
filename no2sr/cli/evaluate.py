"""``no2sr evaluate``: how well methods find again what was averaged away."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.display import progress_bar
from no2sr.cli.guard import call_guarded
from no2sr.cli.jobs import check_free
from no2sr.cli.judged import show_table
from no2sr.cli.messages import start_backend
from no2sr.cli.parsing import BoxCommand, parse_added_noise, parse_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from no2sr.downscaling.settings import Reading
    from no2sr.evaluation.adding import AddedNoise
    from no2sr.evaluation.records import Judging

__all__ = ["command"]


_CHOOSING = (
    click.option(
        "--scale",
        "choosing_scale",
        type=int,
        default=4,
        show_default=True,
        help="Fine cells along a coarse one.",
    ),
    click.option(
        "--methods",
        "choosing_methods",
        metavar="NAME,...",
        callback=parse_names,
        help="Baselines, shipped networks, folders of saved ones.  [default: all that are shipped]",
    ),
    click.option(
        "--model",
        "choosing_models",
        metavar="NAME|FOLDER",
        multiple=True,
        help="A further method; repeatable.",
    ),
)
_JUDGING = (
    click.option(
        "--psf",
        "judging_psf",
        nargs=2,
        type=float,
        metavar="Y X",
        help="Blur first, by the sensor's transfer at Nyquist; TROPOMI: 0.74 0.44.",
    ),
    click.option(
        "--noise",
        "judging_noise",
        metavar="S0[,K]",
        callback=parse_added_noise,
        help="Add noise of sqrt(S0^2 + (K c)^2) to the coarse columns c; S0 in umol m-2.",
    ),
    click.option(
        "--history",
        "judging_history",
        type=options.PATH,
        metavar="FILE",
        help="Fine map of the same place, made of other observations; every network is then judged "
        "with it as well.",
    ),
    click.option(
        "--seed", "judging_seed", type=int, default=0, show_default=True, help="Of the noise."
    ),
    click.option(
        "--full-scale",
        "judging_full_scale",
        is_flag=True,
        help="Make the input itself finer, too, and compare block means.",
    ),
)
_TABLES = (
    click.option("--csv", "tables_csv", type=options.PATH, help="Write the table as CSV."),
    click.option(
        "--json", "tables_json", type=options.PATH, help="Write the table and its settings as JSON."
    ),
    click.option(
        "--figures",
        "tables_figures",
        type=options.PATH,
        metavar="FOLDER",
        help="Draw maps and spectra there.",
    ),
    click.option(
        "--overwrite", "tables_overwrite", is_flag=True, help="Replace outputs that exist."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """Which methods are judged, and at which scale.

    Attributes
    ----------
    scale : int
    methods : tuple of str, optional
        By default all that are shipped.
    models : tuple of str
        Further methods.
    """

    scale: int
    methods: tuple[str, ...] | None
    models: tuple[str, ...]


def _add_choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on which methods are judged; the command receives `choosing`."""
    return options.add_record(command, "choosing", Choosing, _CHOOSING)


def _add_judging(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on how methods are judged; the command receives `judging`."""

    def build(**given: Any) -> object:
        from no2sr.evaluation.records import Judging

        return Judging(uncertainty=given["noise"] is not None, **given)

    return options.add_record(command, "judging", build, _JUDGING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where the results of ``no2sr evaluate`` go.

    Attributes
    ----------
    csv, json : Path, optional
        Files for the table.
    figures : Path, optional
        Folder for maps and spectra.
    overwrite : bool
        Whether outputs that exist are replaced.
    """

    csv: Path | None
    json: Path | None
    figures: Path | None
    overwrite: bool


def _add_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on where results go; the command receives `tables`."""
    return options.add_record(command, "tables", Tables, _TABLES)


@click.command("evaluate", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="FILE...", nargs=-1, required=True, type=options.PATH)
@options.add_reading
@_add_choosing
@_add_judging
@_add_tables
@options.quiet
@options.debug
def command(
    inputs: tuple[Path, ...],
    *,
    reading: Reading,
    choosing: Choosing,
    judging: Judging,
    tables: Tables,
    quiet: bool,
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
      no2sr evaluate day.tif --noise 10,0.2 --history year.nc
      no2sr evaluate s5p.nc --bbox 76 27.5 78.5 29.5 --psf 0.74 0.44 --json table.json
    """
    import no2sr
    from no2sr.core.door import choose_variable
    from no2sr.downscaling.history import open_history
    from no2sr.evaluation.comparison import compare
    from no2sr.evaluation.methods import default_methods
    from no2sr.evaluation.tables import choose_metrics, tabulate

    _check_outputs(tables)
    noisy = judging.noise is not None
    scale, models = choosing.scale, choosing.models
    methods = [*(choosing.methods or default_methods(scale, noisy=noisy)), *models]
    scenes = [call_guarded(no2sr.open_no2, path, **reading.arguments()) for path in inputs]
    images = [choose_variable(scene) for scene in scenes]
    start_backend(*models)
    judging = replace(judging, noise=_convert_noise(judging.noise, images[0]))
    place = judging.history
    if place is not None:
        judging = replace(judging, history=call_guarded(open_history, place))
    with progress_bar("evaluate", quiet=quiet) as progress:
        comparison = compare(
            images, scale=scale, methods=methods, judging=judging, progress=progress
        )
    metrics = choose_metrics(noisy=noisy) + ("full_scale_closure",) * judging.full_scale
    table = tabulate(comparison, metrics=metrics)
    facts: dict[str, Any] = {"files": [path.name for path in inputs], "psf": judging.psf}
    if place is not None:
        facts["history"] = str(place)
    if noisy:
        facts |= {"noise": judging.noise, "seed": judging.seed}
    _write_tables(table, facts, tables)
    if tables.figures:
        from no2sr.views.figures import save_figures

        save_figures(comparison, tables.figures, overwrite=tables.overwrite)
    if not quiet:
        show_table(table)


def _write_tables(table: pd.DataFrame, facts: dict[str, Any], tables: Tables) -> None:
    """Write the table as CSV and as JSON, where asked for."""
    if tables.csv:
        _write(tables.csv, lambda path: _to_csv(table, path), overwrite=tables.overwrite)
    if tables.json:
        _write(
            tables.json,
            lambda path: path.write_text(_to_json(table, facts), encoding="utf-8"),
            overwrite=tables.overwrite,
        )


def _convert_noise(noise: AddedNoise | None, image: xr.DataArray) -> AddedNoise | None:
    """Convert the constant part of a noise from umol m-2 to the unit of a column."""
    from no2sr.core.units import factor, is_column

    units = str(image.attrs.get("units", ""))
    if noise is None or not is_column(units):
        return noise
    constant, share = noise if isinstance(noise, tuple) else (noise, 0.0)
    return constant * factor("umol m-2", units), share


def _check_outputs(tables: Tables) -> None:
    """Refuse outputs that could not be written before the long work."""
    paths = [path for path in (tables.csv, tables.json) if path]
    if tables.figures:
        from no2sr.views.figures import FIGURES, check_matplotlib

        check_matplotlib()
        paths += [tables.figures / name for name in FIGURES]
    for path in paths:
        check_free(path, overwrite=tables.overwrite)


def _write(path: Path, write: Callable[[Path], object], *, overwrite: bool) -> None:
    """Write a file that appears when it is complete."""
    from no2sr.core.atomic import replace_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path, overwrite=overwrite) as temporary:
        write(temporary)


def _to_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index_label="method")


def _to_json(table: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Format the table as JSON, which has neither NaN nor infinity: they become null."""
    rows = {
        str(label): {column: _replace_infinite(value) for column, value in row.items()}
        for label, row in table.iterrows()
    }
    known = {name: _replace_infinite(value) for name, value in table.attrs.items()}
    return json.dumps({**facts, **known, "methods": rows}, indent=2) + "\n"


def _replace_infinite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
