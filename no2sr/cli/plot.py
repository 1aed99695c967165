"""``no2sr plot``: figures of one file, or of a file and the finer one made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]

# The kinds of no2sr.views.plotting, which is too expensive to import for a help text.
KINDS = ("map", "before-after", "difference", "histogram", "spectra")
WITH_UNCERTAINTY = ("map", "before-after")
SUFFIXES = (".png", ".pdf", ".svg")


@click.command("plot", cls=options.BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN [FINE]", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What to draw.  [default: map; before-after with FINE]",
)
@options.colouring
@click.option(
    "--uncertainty",
    is_flag=True,
    help="Draw the uncertainty, too, in a panel of its own (map and before-after).",
)
@click.option("--no-zoom", is_flag=True, help="Leave out the inset of before-after.")
@click.option(
    "--dpi",
    type=click.IntRange(30, 1200),
    default=150,
    show_default=True,
    help="Pixels per inch of a .png.",
)
@options.interpreting
@options.region
@options.overwriting
@options.quiet
@options.debug
def command(inputs: tuple[Path, ...], out: Path, **settings: Any) -> None:
    """Draw a map of IN, or compare IN with the FINE image made of it.

    OUT is a .png, .pdf or .svg. Maps have axes with units, a graticule and a scale bar; gaps are
    grey; images side by side share one colour scale. --uncertainty adds a map of one standard
    deviation of the error, which a GeoTIFF has beside it in <name>_uncertainty.tif.

    \b
    Examples:
      no2sr plot fine.tif map.png
      no2sr plot fine.tif map.png --uncertainty
      no2sr plot coarse.nc fine.tif before_after.png
      no2sr plot coarse.nc fine.tif added.png --kind difference
      no2sr plot coarse.nc fine.tif spectra.pdf --kind spectra
      no2sr plot tempo.tif map.png --range 0 150 --ramp viridis
    """
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.cli.pairs import add_uncertainty, open_pair
    from no2sr.core.atomic import replacing
    from no2sr.views.figures import check_matplotlib
    from no2sr.views.plotting import KINDS as DRAWN

    kind = settings.pop("kind") or ("map" if len(inputs) == 1 else "before-after")
    draw, least, most = DRAWN[kind]
    if not least <= len(inputs) <= most:
        wanted = "IN and FINE" if least == 2 else "IN alone" if most == 1 else "IN, or IN and FINE"
        raise click.UsageError(f"--kind {kind} takes {wanted}; {len(inputs)} files were given")
    if settings["uncertainty"] and kind not in WITH_UNCERTAINTY:
        raise click.UsageError(f"--uncertainty goes with {' or '.join(WITH_UNCERTAINTY)} only")
    if out.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"OUT is {out.name}; its suffix must be one of {' '.join(SUFFIXES)}")
    check_no_input([out], inputs)
    check_free(out, overwrite=settings["overwrite"])
    check_matplotlib()
    drawing = _take_drawing(kind, settings)
    dpi, overwrite, quiet = (settings.pop(name) for name in ("dpi", "overwrite", "quiet"))
    time = settings["time"]
    scenes = open_pair(*inputs, **settings)
    if drawing.get("uncertainty"):
        scenes[-1] = add_uncertainty(scenes[-1], inputs[-1], time=time)
    figure = draw(*scenes, **drawing)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out, overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=dpi)
    if not quiet:
        click.echo(out)


def _take_drawing(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Move the arguments of the function that draws out of the settings."""
    colours = {"limits": settings.pop("colour_limits"), "ramp": settings.pop("ramp")}
    colours["uncertainty"] = settings.pop("uncertainty")
    zoom = {"zoom": not settings.pop("no_zoom")}
    if kind == "map":
        return colours
    return colours | zoom if kind == "before-after" else {}
