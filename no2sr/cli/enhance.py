"""``no2sr enhance``: enlarge and sharpen a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.guard import call_guarded
from no2sr.cli.messages import start_backend

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.cli.records import Saving
    from no2sr.downscaling.settings import Edges

__all__ = ["command"]


@click.command("enhance", no_args_is_help=True)
@click.argument("path", metavar="MAP", type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@click.option(
    "--scale", type=int, default=3, show_default=True, help="Fine pixels along a coarse one."
)
@click.option(
    "--model",
    metavar="NAME|FOLDER",
    default="luminance",
    show_default=True,
    help="Shipped weights for luminance, or the folder of a saved model.",
)
@click.option(
    "--edges",
    type=click.Choice(["pad", "shave"]),
    default="pad",
    show_default=True,
    help="Keep the full extent, or cut the rim that padding affects.",
)
@options.guard
@options.add_saving
@options.debug
def command(path: Path, out: Path, *, scale: int, model: str, edges: Edges, saving: Saving) -> None:
    """Enlarge a map that exists only as a picture, with SRCNN as it was published.

    MAP is a PNG, JPEG or GeoTIFF in red, green and blue, with or without alpha. The network
    processes its luminance; chroma and alpha are interpolated. The geotransform or world file is
    adapted. Nothing is conserved, and OUT is tagged as a picture. For measured values use no2sr
    downscale.

    \b
    Examples:
      no2sr enhance map.png larger.png --scale 3
      no2sr enhance map_rgb.tif larger.tif --scale 4 --edges shave
    """
    import no2sr
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.readers.pictures import open_picture
    from no2sr.writers.pictures import check_picture_suffix

    check_picture_suffix(out)
    check_free(out, overwrite=saving.overwrite)
    check_no_input([out], [path])
    picture = call_guarded(open_picture, path)
    start_backend(model)
    larger = no2sr.enhance(picture, scale=scale, model=model, edges=edges)
    out.parent.mkdir(parents=True, exist_ok=True)
    written = no2sr.write(larger, out, overwrite=saving.overwrite)
    if not saving.quiet:
        click.echo(written)
