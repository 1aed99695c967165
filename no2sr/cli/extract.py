"""``no2sr extract``: the values of a map at stations or over polygons, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.parsing import BoxCommand, check_unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from no2sr.cli.records import Saving
    from no2sr.downscaling.settings import Reading
    from no2sr.evaluation.agreement import Agreement

__all__ = ["command"]

DOTS_PER_INCH = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where values are looked up, and what is done with them.

    Attributes
    ----------
    points, polygons : Path, optional
        One of them.
    compare : str, optional
        Column with which the values are compared.
    unit : str, optional
    """

    points: Path | None
    polygons: Path | None
    compare: str | None
    unit: str | None


def _add_places(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on the places; the command receives `places`."""
    chosen = (
        click.option(
            "--points",
            "places_points",
            type=options.PATH,
            metavar="FILE",
            help="Stations: a CSV with columns longitude and latitude, or a vector file of points.",
        ),
        click.option(
            "--polygons",
            "places_polygons",
            type=options.PATH,
            metavar="FILE",
            help="Areas: GeoJSON, GeoPackage, shapefile or another vector file, in any CRS.",
        ),
        click.option(
            "--compare",
            "places_compare",
            metavar="COLUMN",
            help="Compare the values with this column of FILE: r, bias, RMSE, and a scatter plot "
            "in <name>_compare.png beside OUT.",
        ),
        click.option(
            "--unit",
            "places_unit",
            callback=check_unit,
            metavar="UNIT",
            help="Unit of the values: umol, mol, molec, Pmolec, or a full name.  [default: umol "
            "m-2; another quantity stays in its own]",
        ),
    )
    return options.add_record(command, "places", Places, chosen)


@click.command("extract", cls=BoxCommand, no_args_is_help=True)
@click.argument("path", metavar="MAP", type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@_add_places
@options.add_reading
@options.add_saving
@options.debug
def command(path: Path, out: Path, *, places: Places, reading: Reading, saving: Saving) -> None:
    """Write the values of MAP at stations or over polygons into the table OUT, a .csv.

    OUT holds the columns of FILE, followed by value, uncertainty (one standard deviation), unit
    and resolution_km (what MAP resolves). A station has the value of the cell in which it lies. A
    polygon has the mean over its observed part and the uncertainty of that mean, in which errors
    that cells share do not average out; also covered (the share of its area that was observed)
    and size_km (the square root of its area).

    \b
    Examples:
      no2sr extract fine.tif wards.csv --polygons wards.geojson
      no2sr extract month.nc sites.csv --points stations.csv --compare no2_ground
    """
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.core.atomic import replace_atomically
    from no2sr.readers.vector import check_vector
    from no2sr.views.figures import check_matplotlib

    if (places.points is None) == (places.polygons is None):
        raise click.UsageError("give either --points FILE or --polygons FILE")
    if out.suffix.lower() != ".csv":
        raise click.UsageError(f"OUT is {out.name}; its suffix must be .csv")
    figure = out.with_name(f"{out.stem}_compare.png") if places.compare else None
    written = [out] if figure is None else [out, figure]
    check_no_input(written, [path, *filter(None, (places.points, places.polygons))])
    for place in written:
        check_free(place, overwrite=saving.overwrite)
    if places.polygons is not None:
        check_vector()
    if figure is not None:
        check_matplotlib()
    table = _extract(path, places, reading)
    agreement = None if places.compare is None else _compare(table, places.compare)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(out, overwrite=saving.overwrite) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    if figure is not None and agreement is not None:
        from no2sr.views.scatter import plot_scatter

        with replace_atomically(figure, overwrite=saving.overwrite) as temporary:
            plot_scatter(agreement).savefig(temporary, dpi=DOTS_PER_INCH)
    if not saving.quiet:
        click.echo("\n".join(map(str, written)))


def _extract(path: Path, places: Places, reading: Reading) -> pd.DataFrame:
    """Open the map with its layers, read the places, and extract."""
    import no2sr
    from no2sr.cli.guard import call_guarded
    from no2sr.cli.pairs import add_layers, open_pair
    from no2sr.core.layers import RANDOM, RESOLUTION, SYSTEMATIC, TOTAL
    from no2sr.core.units import is_column
    from no2sr.readers.stations import read_points
    from no2sr.readers.vector import read_polygons
    from no2sr.writers.layers import enter_layer

    given: dict[str, Any] = {}
    if places.points is not None:
        given["points"] = call_guarded(read_points, places.points)
    if places.polygons is not None:
        given["polygons"] = call_guarded(read_polygons, places.polygons)
    (scene,) = open_pair(reading, path)
    scene = add_layers(scene, path, (RANDOM, SYSTEMATIC, TOTAL, RESOLUTION), time=reading.time)
    usual = "umol m-2" if is_column(str(enter_layer(scene).attrs["units"])) else None
    return no2sr.extract(scene, **given, unit=places.unit or usual)


def _compare(table: pd.DataFrame, column: str) -> Agreement:
    """Compare the values with a column, and print how well they agree."""
    from no2sr.cli.display import print_table
    from no2sr.core.colours import shown_unit, value_text
    from no2sr.evaluation.agreement import compare_column

    found = compare_column(table, column)
    by, unit = shown_unit(found.unit)
    rows = [
        ("pairs", str(found.values.size)),
        ("r", f"{found.r:.3f}"),
        (f"bias, if {column} is in {unit}", value_text(by * found.bias, unit)),
        (f"RMSE, if {column} is in {unit}", value_text(by * found.rmse, unit)),
    ]
    print_table(rows)
    return found
