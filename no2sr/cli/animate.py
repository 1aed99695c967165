"""``no2sr animate``: a series of maps as a GIF or MP4."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.context import Context, add_context, check_context, draw_context
from no2sr.cli.parsing import BoxCommand

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from no2sr.cli.records import Saving
    from no2sr.downscaling.settings import Reading

__all__ = ["command"]


@click.command("animate", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=options.PATH)
@click.argument("out", metavar="OUT", type=options.PATH)
@click.option(
    "--fps",
    type=click.FloatRange(0.1, 60),
    default=2,
    show_default=True,
    help="Maps per second.",
)
@add_context
@options.add_reading
@options.add_saving
@options.debug
def command(
    inputs: tuple[Path, ...],
    out: Path,
    *,
    fps: float,
    context: Context,
    reading: Reading,
    saving: Saving,
) -> None:
    """Show maps one after the other in OUT, a .gif or .mp4.

    IN are files of one time each, in their order, or files with several times. All maps have one
    colour scale, and each shows its time, or the name of its file if the file states none. They
    must lie on one grid; --bbox cuts them. A .mp4 needs ffmpeg.

    \b
    Examples:
      no2sr animate month_01.tif month_02.tif month_03.tif year.gif
      no2sr animate days.nc days.mp4 --fps 5 --overlay wards.geojson
    """
    from no2sr.cli.jobs import check_free, check_no_input
    from no2sr.views.animation import animate, check_writer

    check_no_input([out], inputs)
    check_free(out, overwrite=saving.overwrite)
    check_writer(out)
    check_context(context)
    frames = _open_frames(inputs, reading)
    out.parent.mkdir(parents=True, exist_ok=True)
    draw = partial(_draw, context=context, ramp=context.colouring.ramp)
    limits = context.colouring.limits
    animate(frames, out, draw=draw, limits=limits, fps=fps, overwrite=saving.overwrite)
    if not saving.quiet:
        click.echo(out)


def _open_frames(inputs: Sequence[Path], reading: Reading) -> dict[str, xr.DataArray]:
    """Open all maps, named by their times or files."""
    from no2sr.cli.pairs import open_pair
    from no2sr.core.times import describe_times
    from no2sr.writers.layers import enter_layer

    frames: dict[str, xr.DataArray] = {}
    for path in inputs:
        (scene,) = open_pair(reading, path)
        several = range(scene.sizes["time"]) if "time" in scene.dims else [None]
        for step in several:
            alone = scene if step is None else scene.isel(time=step)
            name = describe_times(alone) or path.stem
            name = f"{name} ({len(frames) + 1})" if name in frames else name
            frames[name] = enter_layer(alone)
    return frames


def _draw(image: xr.DataArray, *, context: Context, **settings: Any) -> Figure:
    """Draw one map of the series."""
    from no2sr.views.plotting import plot_map

    title = settings.pop("title")
    figure = plot_map(image, title=f"{context.title}\n{title}".strip(), **settings)
    draw_context(figure, image, context)
    return figure
