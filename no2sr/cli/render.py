"""``no2sr render``: measured values in, a picture of them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
@click.argument("path", metavar="IN", type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@options.add_colouring
@_add_picture
@options.add_reading
@options.add_saving
@options.debug
def command(
    path: Path,
    out: Path,
    *,
    colouring: Colouring,
    picture: Picture,
    reading: Reading,
    saving: Saving,
) -> None:
    """Turn IN into a picture for people to look at; its numbers cannot be recovered from it.

    OUT is a .png, .jpg or .tif. Gaps are transparent. A GeoTIFF has three bands (four with gaps)
    and keeps CRS and transform; a world file and the CRS are put beside a PNG or JPEG. The picture
    is tagged as one, and no2sr does not accept it as data.

    \b
    Examples:
      no2sr render fine.tif map.png
      no2sr render fine.tif map_rgb.tif --ramp viridis --range 0 150
      no2sr render coarse.nc map.png --pixels 8 --bbox 76 27.5 78.5 29.5
    """
    import no2sr
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.cli.pairs import open_pair
    from no2sr.core.grid import refine
    from no2sr.views.rendering import draw_legend
    from no2sr.writers.pictures import check_picture_suffix

    check_picture_suffix(out)
    legend = out.with_name(f"{out.stem}_legend.png") if picture.legend else None
    places = [out] if legend is None else [out, legend]
    check_no_input(places, [path])
    for place in places:
        check_free(place, overwrite=saving.overwrite)
    (scene,) = open_pair(reading, path)
    image = no2sr.render(scene, limits=colouring.limits, ramp=colouring.ramp)
    image = refine(image, picture.pixels)
    out.parent.mkdir(parents=True, exist_ok=True)
    written = [no2sr.write(image, out, overwrite=saving.overwrite)]
    if legend is not None:
        written.append(no2sr.write(draw_legend(image), legend, overwrite=saving.overwrite))
    if not saving.quiet:
        click.echo("\n".join(map(str, written)))
