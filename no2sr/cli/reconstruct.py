"""``no2sr reconstruct``: many overpasses in, one fine map out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.jobs import check_layers, make_one_output, write_scene
from no2sr.cli.parsing import BoxCommand, check_box
from no2sr.cli.records import Solving
from no2sr.cli.running import list_running
from no2sr.core.layers import COUNT, RESOLUTION, TOTAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    from no2sr.downscaling.settings import Reading, Writing

    Option = Callable[[Callable[..., None]], Callable[..., None]]

__all__ = ["command"]

LAYERS = (TOTAL, COUNT, RESOLUTION)


def _parse_smoothness(_ctx: click.Context, _option: click.Parameter, given: str) -> float | str:
    if given == "auto":
        return given
    try:
        return float(given)
    except ValueError:
        raise click.BadParameter(
            f"{given!r} is not a smoothness; give auto, or a number of km2 such as 1"
        ) from None


_SOLVING: tuple[Option, ...] = (
    click.option(
        "--bbox",
        "solving_bbox",
        nargs=4,
        type=float,
        metavar="WEST SOUTH EAST NORTH",
        callback=check_box,
        help="Region of the map, in degrees; also as W,S,E,N.  [default: that of all pixels]",
    ),
    click.option(
        "--resolution",
        "solving_resolution",
        type=click.FloatRange(min=0, min_open=True),
        metavar="DEGREES",
        default=0.01,
        show_default=True,
        help="Cell size of the map.",
    ),
    click.option(
        "--smoothness",
        "solving_smoothness",
        metavar="KM2",
        default="auto",
        show_default=True,
        callback=_parse_smoothness,
        help="Weight of the roughness; auto predicts held-out overpasses.",
    ),
    click.option(
        "--response",
        "solving_response",
        type=click.Choice(["quadrilateral", "super-gaussian"]),
        default="quadrilateral",
        show_default=True,
        help="Sensitivity within a pixel.",
    ),
    click.option(
        "--uncertainty/--no-uncertainty",
        "solving_uncertainty",
        default=True,
        show_default=True,
        help="Add the uncertainty and the local resolution.",
    ),
    *list_running("solving"),
)


def _add_solving(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on how overpasses are solved; the command receives `solving`."""
    return options.add_record(command, "solving", Solving, _SOLVING)


@click.command("reconstruct", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@options.add_reading_of_values
@_add_solving
@options.add_writing
@options.progress
@options.quiet
@options.debug
def command(
    inputs: tuple[Path, ...],
    out: Path,
    *,
    reading: Reading,
    solving: Solving,
    writing: Writing,
    quiet: bool,
) -> None:
    """Make one fine map from the footprints of many overpasses.

    IN is a level 2 file, a folder of them or a pattern; at least ten overpasses, better a hundred.
    The map is the field that explains what all pixels saw, each through its own footprint. OUT
    holds the column, its uncertainty, the count of pixels and the local resolution in km. As .nc
    or .zarr it is one file; as .tif, which holds one layer, it is OUT for the column and
    OUT_uncertainty.tif and so on beside it.

    With few overpasses use downscale: reconstruct then does little more than smooth.

    \b
    Examples:
      no2sr reconstruct S5P_2020/ sicily.nc --bbox 14.6 36.6 15.8 37.9
      no2sr reconstruct S5P_*.nc map.tif --resolution 0.02 --no-uncertainty
      no2sr reconstruct S5P_2020/ italy.nc --bbox 6.6 36.6 18.6 47.1 --workers 8

    A run that is killed leaves its finished blocks in the folder .OUT.no2sr-work beside OUT. The
    same command continues from there.
    """
    check_layers(out, inputs, *LAYERS, overwrite=writing.overwrite)
    records = reading, solving, writing
    make_one_output(_reconstruct, inputs, out, quiet=quiet, records=records)


def _reconstruct(
    source: Path | tuple[Path, ...],
    *,
    out: Path,
    scratch: Path,
    records: tuple[Reading, Solving, Writing],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[tuple[str, str]], list[Path]]:
    """Reconstruct and write in the guarded process; return the final table and what was written."""
    from shutil import rmtree

    import no2sr
    from no2sr.downscaling.workfolder import folder_of
    from no2sr.writers.layers import column_name

    reading, solving, writing = records
    work = folder_of(out)
    if not solving.resume:
        rmtree(work, ignore_errors=True)
    scene = no2sr.reconstruct(
        source,
        bbox=solving.bbox,
        resolution=solving.resolution,
        smoothness=solving.smoothness,
        response=solving.response,
        uncertainty=solving.uncertainty,
        reader=reading.reader,
        variable=reading.variable,
        unit=reading.unit,
        nodata=reading.nodata,
        qa_min=reading.qa_min,
        limits=reading.limits,
        work=work,
        workers=solving.workers,
        scheduler=solving.scheduler,
        progress=_lift_after_reading(progress),
    )
    written = write_scene(scene, out, writing, scratch=scratch)
    rmtree(work, ignore_errors=True)
    return _summarise(scene, scene[column_name(scene)]), written


def _lift_after_reading(
    progress: Callable[[int, int], None] | None,
) -> Callable[[int, int], None]:
    """Lift the limit to the computing of the process once all files are read, and for good."""
    from no2sr.cli.limits import lift_limit

    read = False

    def step(done: int, total: int) -> None:
        nonlocal read
        if progress is not None:
            progress(done, total)  # which sets the limit for the next file
        read = read or done == total
        if read:
            lift_limit()

    return step


def _summarise(scene: xr.Dataset, column: xr.DataArray) -> list[tuple[str, str]]:
    """Build the rows of the final table."""
    from no2sr.cli.display import describe_grid

    told = column.attrs
    rows = [
        ("overpasses", str(told["no2sr_overpasses"])),
        ("pixels used", str(told.get("no2sr_screening", ""))),
        ("grid", describe_grid(column)),
        ("smoothness", f"{told['no2sr_smoothness_km2']:.3g} km2 {told['no2sr_smoothness_chosen']}"),
        ("gaps", f"{float(column.isnull().mean()):.1%}"),
    ]
    if "resolution" in scene:
        low, high = (float(scene["resolution"].quantile(q)) for q in (0.05, 0.95))
        rows.append(("local resolution", f"{low:.1f} to {high:.1f} km"))
    return rows
