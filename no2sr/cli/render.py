"""``no2sr render``: measured values in, a picture of them out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.context import add_colouring
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    from no2sr.cli.records import Colouring, Saving
    from no2sr.downscaling.settings import Reading

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the picture is like.

    Attributes
    ----------
    pixels : int
        Pixels along each side of a cell.
    legend : bool
        Whether a legend is written beside it.
    """

    pixels: int
    legend: bool


def _add_picture(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on what the picture is like; the command receives `picture`."""
    chosen = (
        click.option(
            "--pixels",
            "picture_pixels",
            type=click.IntRange(1, 64),
            default=1,
            show_default=True,
            help="Pixels along each side of a cell.",
        ),
        click.option(
            "--legend/--no-legend",
            "picture_legend",
            default=True,
            show_default=True,
            help="Write <name>_legend.png beside OUT.",
        ),
    )
    return options.add_record(command, "picture", Picture, chosen)


@click.command("render", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT")
@add_colouring
@_add_picture
@options.add_reading
@options.add_saving
@options.debug
def command(
    inputs: tuple[Path, ...],
    out: str,
    *,
    colouring: Colouring,
    picture: Picture,
    reading: Reading,
    saving: Saving,
) -> None:
    """Turn IN into a picture for people to look at; its numbers cannot be recovered from it.

    OUT is a .png, .jpg or .tif. If it is a folder, each IN becomes a .png in it, and all of them
    have one colour scale. Gaps are transparent. A GeoTIFF has three bands (four with gaps)
    and keeps CRS and transform; a world file and the CRS are put beside a PNG or JPEG. The picture
    is tagged as one, and no2sr does not accept it as data.

    \b
    Examples:
      no2sr render fine.tif map.png
      no2sr render fine.tif map_rgb.tif --ramp viridis --range 0 150
      no2sr render may.tif june.tif july.tif summer/
      no2sr render coarse.nc map.png --pixels 8 --bbox 76 27.5 78.5 29.5
    """
    from no2sr.cli.jobs import check_free, check_no_input, name_pictures
    from no2sr.cli.pairs import open_pair
    from no2sr.views.pairs import find_limits
    from no2sr.writers.pictures import check_picture_suffix

    outs = name_pictures(inputs, out)
    for place in outs:
        check_picture_suffix(place)
    legends = [place.with_name(f"{place.stem}_legend.png") for place in outs]
    planned = [*outs, *legends] if picture.legend else outs
    check_no_input(planned, inputs)
    for place in planned:
        check_free(place, overwrite=saving.overwrite)
    scenes = [open_pair(reading, path)[0] for path in inputs]
    limits = colouring.limits or (find_limits(scenes) if len(scenes) > 1 else None)
    coloured = replace(colouring, limits=limits)
    for scene, place in zip(scenes, outs, strict=True):
        _write(scene, place, coloured, picture, overwrite=saving.overwrite)
    if not saving.quiet:
        click.echo("\n".join(map(str, planned)))


def _write(
    scene: xr.DataArray | xr.Dataset,
    out: Path,
    colouring: Colouring,
    picture: Picture,
    *,
    overwrite: bool,
) -> None:
    """Write one picture, and its legend."""
    import no2sr
    from no2sr.core.grid import refine
    from no2sr.views.rendering import draw_legend

    image = no2sr.render(scene, limits=colouring.limits, ramp=colouring.ramp)
    image = refine(image, picture.pixels)
    out.parent.mkdir(parents=True, exist_ok=True)
    no2sr.write(image, out, overwrite=overwrite)
    if picture.legend:
        legend = out.with_name(f"{out.stem}_legend.png")
        no2sr.write(draw_legend(image), legend, overwrite=overwrite)
