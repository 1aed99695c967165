"""``no2sr plot``: figures of one file, or of a file and the finer one made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.context import Context, add_context, check_context, draw_context
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr
    from matplotlib.figure import Figure

    from no2sr.cli.records import Colouring, Saving
    from no2sr.downscaling.settings import Reading

__all__ = ["command"]

# The kinds of no2sr.views.plotting, which is too expensive to import for a help text.
KINDS = ("map", "before-after", "difference", "histogram", "spectra", "smoothness")
WITH_UNCERTAINTY = ("map", "before-after")
MAPS = (*WITH_UNCERTAINTY, "difference")
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
@click.argument("out", metavar="OUT")
@_add_drawing
@add_context
@options.add_reading
@options.add_saving
@options.debug
def command(
    inputs: tuple[Path, ...],
    out: str,
    *,
    drawing: Drawing,
    context: Context,
    reading: Reading,
    saving: Saving,
) -> None:
    """Draw a map of IN, or compare IN with the FINE image made of it.

    OUT is a .png, .pdf or .svg; text in a .pdf or .svg stays text. If it is a folder, each IN is
    drawn alone as a .png in it, and all maps have one colour scale. Maps have axes with units, a
    graticule and a scale bar; gaps are grey; images side by side share one colour scale.
    --uncertainty adds a map of one standard deviation of the error, which a GeoTIFF has beside it
    in <name>_uncertainty.tif.

    \b
    Examples:
      no2sr plot fine.tif map.png
      no2sr plot fine.tif map.png --uncertainty
      no2sr plot fine.tif page.pdf --title "NO2, October 2023" --overlay wards.geojson
      no2sr plot may.tif june.tif july.tif summer/
      no2sr plot coarse.nc fine.tif before_after.png
      no2sr plot coarse.nc fine.tif added.png --kind difference
      no2sr plot coarse.nc fine.tif spectra.pdf --kind spectra
      no2sr plot reconstructed.nc curve.png --kind smoothness
      no2sr plot tempo.tif map.png --range 0 150 --ramp viridis
    """
    from no2sr.views.figures import add_title, check_matplotlib, save_figure

    jobs = _plan(inputs, out, overwrite=saving.overwrite)
    kind = _choose_kind(drawing, context, len(jobs[0][0]))
    check_matplotlib()
    check_context(context)
    opened = [_open(group, drawing, reading) for group, _ in jobs]
    colouring = context.colouring
    if len(opened) > 1 and colouring.limits is None and kind in WITH_UNCERTAINTY:
        colouring = _share(colouring, opened)
    for scenes, (_, place) in zip(opened, jobs, strict=True):
        figure = _draw(kind, scenes, drawing=drawing, colouring=colouring)
        if kind in MAPS:
            draw_context(figure, scenes[-1], context)
        if context.title:
            add_title(figure, context.title)
        place.parent.mkdir(parents=True, exist_ok=True)
        save_figure(figure, place, overwrite=saving.overwrite, dpi=drawing.dpi)
        if not saving.quiet:
            click.echo(place)


def _plan(
    inputs: tuple[Path, ...], out: str, *, overwrite: bool
) -> list[tuple[tuple[Path, ...], Path]]:
    """Decide which files are drawn together, and where; refuse what cannot be written."""
    from no2sr.cli.jobs import check_free, check_no_input, is_folder, name_pictures

    together = [inputs] if not is_folder(out) else [(path,) for path in inputs]
    outs = name_pictures(inputs, out) if is_folder(out) else [Path(out)]
    check_no_input(outs, inputs)
    for place in outs:
        if place.suffix.lower() not in SUFFIXES:
            raise click.UsageError(
                f"OUT is {place.name}; its suffix must be one of {' '.join(SUFFIXES)}"
            )
        check_free(place, overwrite=overwrite)
    return list(zip(together, outs, strict=True))


def _open(
    paths: tuple[Path, ...], drawing: Drawing, reading: Reading
) -> list[xr.DataArray | xr.Dataset]:
    """Open the scenes of one figure, with the uncertainty if it is to be drawn."""
    from no2sr.cli.pairs import add_layers, open_pair
    from no2sr.core.layers import TOTAL

    scenes = open_pair(reading, *paths)
    if drawing.uncertainty:
        scenes[-1] = add_layers(scenes[-1], paths[-1], [TOTAL], time=reading.time)
    return scenes


def _share(colouring: Colouring, opened: Sequence[Sequence[Any]]) -> Colouring:
    """Give several maps the limits of all of them."""
    from no2sr.views.pairs import find_limits

    return replace(colouring, limits=find_limits([scenes[0] for scenes in opened]))


def _choose_kind(drawing: Drawing, context: Context, inputs: int) -> str:
    """Choose what to draw, and refuse what does not fit it."""
    from no2sr.views.plotting import KINDS as DRAWN

    kind = drawing.kind or ("map" if inputs == 1 else "before-after")
    _, least, most = DRAWN[kind]
    if not least <= inputs <= most:
        wanted = "IN and FINE" if least == 2 else "IN alone" if most == 1 else "IN, or IN and FINE"
        raise click.UsageError(f"--kind {kind} takes {wanted}; {inputs} files were given")
    if drawing.uncertainty and kind not in WITH_UNCERTAINTY:
        raise click.UsageError(f"--uncertainty goes with {' or '.join(WITH_UNCERTAINTY)} only")
    if (context.overlay or context.coastlines) and kind not in MAPS:
        raise click.UsageError(f"--overlay and --coastlines go with {' or '.join(MAPS)} only")
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
