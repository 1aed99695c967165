"""``no2sr plot``: figures of one file, or of a file and the finer one made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from no2sr.cli import options
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from no2sr.cli.records import Colouring, Saving
    from no2sr.downscaling.settings import Reading

__all__ = ["command"]

# The kinds of no2sr.views.plotting, which is too expensive to import for a help text.
KINDS = ("map", "before-after", "difference", "histogram", "spectra", "smoothness")
WITH_UNCERTAINTY = ("map", "before-after")
SUFFIXES = (".png", ".pdf", ".svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is drawn.

    Attributes
    ----------
    kind : str, optional
        One of `KINDS`; by default the number of files decides.
    uncertainty : bool
        Whether the uncertainty is drawn in a panel of its own.
    no_zoom : bool
        Whether the inset of ``before-after`` is left out.
    dpi : int
        Pixels per inch of a PNG.
    """

    kind: str | None
    uncertainty: bool
    no_zoom: bool
    dpi: int


def _add_drawing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on what is drawn; the command receives `drawing`."""
    chosen = (
        click.option(
            "--kind",
            "drawing_kind",
            type=click.Choice(KINDS),
            help="What to draw.  [default: map; before-after with FINE]",
        ),
        click.option(
            "--uncertainty",
            "drawing_uncertainty",
            is_flag=True,
            help="Also draw the uncertainty, in a panel of its own (map and before-after).",
        ),
        click.option(
            "--no-zoom", "drawing_no_zoom", is_flag=True, help="Omit the inset of before-after."
        ),
        click.option(
            "--dpi",
            "drawing_dpi",
            type=click.IntRange(30, 1200),
            default=150,
            show_default=True,
            help="Pixels per inch of a .png.",
        ),
    )
    return options.add_record(command, "drawing", Drawing, chosen)


@click.command("plot", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN [FINE]", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@_add_drawing
@options.add_colouring
@options.add_reading
@options.add_saving
@options.debug
def command(
    inputs: tuple[Path, ...],
    out: Path,
    *,
    drawing: Drawing,
    colouring: Colouring,
    reading: Reading,
    saving: Saving,
) -> None:
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
      no2sr plot reconstructed.nc curve.png --kind smoothness
      no2sr plot tempo.tif map.png --range 0 150 --ramp viridis
    """
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.cli.pairs import add_layers, open_pair
    from no2sr.core.atomic import replace_atomically
    from no2sr.core.layers import TOTAL
    from no2sr.views.figures import check_matplotlib

    kind = _choose_kind(drawing, len(inputs))
    if out.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"OUT is {out.name}; its suffix must be one of {' '.join(SUFFIXES)}")
    check_no_input([out], inputs)
    check_free(out, overwrite=saving.overwrite)
    check_matplotlib()
    scenes = open_pair(reading, *inputs)
    if drawing.uncertainty:
        scenes[-1] = add_layers(scenes[-1], inputs[-1], [TOTAL], time=reading.time)
    figure = _draw(kind, scenes, drawing=drawing, colouring=colouring)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(out, overwrite=saving.overwrite) as temporary:
        figure.savefig(temporary, dpi=drawing.dpi)
    if not saving.quiet:
        click.echo(out)


def _choose_kind(drawing: Drawing, inputs: int) -> str:
    """Choose what to draw, and refuse what does not fit it."""
    from no2sr.views.plotting import KINDS as DRAWN

    kind = drawing.kind or ("map" if inputs == 1 else "before-after")
    _, least, most = DRAWN[kind]
    if not least <= inputs <= most:
        wanted = "IN and FINE" if least == 2 else "IN alone" if most == 1 else "IN, or IN and FINE"
        raise click.UsageError(f"--kind {kind} takes {wanted}; {inputs} files were given")
    if drawing.uncertainty and kind not in WITH_UNCERTAINTY:
        raise click.UsageError(f"--uncertainty goes with {' or '.join(WITH_UNCERTAINTY)} only")
    return kind


def _draw(
    kind: str,
    scenes: Sequence[xr.DataArray | xr.Dataset],
    *,
    drawing: Drawing,
    colouring: Colouring,
) -> Figure:
    """Call the function that draws this kind, with the arguments it takes."""
    from no2sr.views.plotting import KINDS as DRAWN

    draw = DRAWN[kind][0]
    if kind not in WITH_UNCERTAINTY:
        return draw(*scenes)
    zoom = {"zoom": not drawing.no_zoom} if kind == "before-after" else {}
    return draw(
        *scenes,
        limits=colouring.limits,
        ramp=colouring.ramp,
        uncertainty=drawing.uncertainty,
        **zoom,
    )
