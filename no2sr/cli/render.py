"""``no2sr render``: measured values in, a picture of them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("render", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("path", metavar="IN", type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@options.colouring
@click.option(
    "--pixels",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Pixels along each side of a cell.",
)
@click.option(
    "--legend/--no-legend",
    default=True,
    show_default=True,
    help="Put <name>_legend.png beside OUT.",
)
@options.interpreting
@options.region
@options.overwriting
@options.quiet
@options.debug
def command(path: Path, out: Path, **settings: Any) -> None:
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
    overwrite, quiet, pixels = (settings.pop(name) for name in ("overwrite", "quiet", "pixels"))
    colours = {"limits": settings.pop("colour_limits"), "ramp": settings.pop("ramp")}
    legend = out.with_name(f"{out.stem}_legend.png") if settings.pop("legend") else None
    places = [out] if legend is None else [out, legend]
    check_no_input(places, [path])
    for place in places:
        check_free(place, overwrite=overwrite)
    (image,) = open_pair(path, **settings)
    picture = refine(no2sr.render(image, **colours), pixels)
    out.parent.mkdir(parents=True, exist_ok=True)
    written = [no2sr.write(picture, out, overwrite=overwrite)]
    if legend is not None:
        written.append(no2sr.write(draw_legend(picture), legend, overwrite=overwrite))
    if not quiet:
        click.echo("\n".join(map(str, written)))
