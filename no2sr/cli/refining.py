"""The options of ``no2sr downscale`` on how a scene is made finer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from no2sr.cli.options import MODEL, PATH, SCALE, add_record
from no2sr.cli.parsing import parse_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., None]

__all__ = ["add_refining"]

_REFINING = (
    click.option(
        "--scale",
        "refining_scale",
        type=int,
        default=SCALE,
        show_default=True,
        help="Fine cells along each side of a coarse one.",
    ),
    click.option(
        "--model",
        "refining_model",
        metavar="NAME|FOLDER",
        default=MODEL,
        show_default=True,
        help="Shipped network, or folder of a saved one.",
    ),
    click.option(
        "--edges",
        "refining_edges",
        type=click.Choice(["pad", "shave"]),
        default="pad",
        show_default=True,
        help="Keep the full extent, or cut the rim that padding affects.",
    ),
    click.option(
        "--noise",
        "refining_noise",
        metavar="auto|none|estimate|NUMBER",
        default="auto",
        show_default=True,
        callback=parse_noise,
        help="Noise of the input: its own noise layer, none, an estimate from the grid, or one "
        "standard deviation in umol m-2 (for another quantity, in its unit).",
    ),
    click.option(
        "--history",
        "refining_history",
        type=PATH,
        metavar="FILE",
        help="Fine map of the same place that tells the detail, such as reconstruct makes of the "
        "overpasses of other days; any grid, CRS and unit.",
    ),
    click.option(
        "--neighbours",
        "refining_neighbours",
        type=click.IntRange(0, 1),
        default=0,
        show_default=True,
        help="Steps before and after that the removal of noise may use; for stacks with times.",
    ),
    click.option(
        "--conserve",
        "refining_conserve",
        type=click.Choice(["auto", "noise", "additive", "multiplicative"]),
        default="auto",
        show_default=True,
        help="Keep block means within the noise of the observation, or exactly; auto is noise "
        "where noise is known, otherwise additive.",
    ),
    click.option(
        "--uncertainty/--no-uncertainty",
        "refining_uncertainty",
        default=True,
        show_default=True,
        help="Write the uncertainty of every value; for a GeoTIFF as OUT_uncertainty.tif.",
    ),
    click.option(
        "--engine",
        "refining_engine",
        type=click.Choice(["onnxruntime", "tensorflow", "openvino"]),
        default="onnxruntime",
        show_default=True,
        help="Library that runs the network.",
    ),
    click.option(
        "--precision",
        "refining_precision",
        type=click.Choice(["float32", "bfloat16", "int8"]),
        default="float32",
        show_default=True,
        help="Precision of the network's arithmetic; less than float32 needs openvino.",
    ),
)


def add_refining(command: Command) -> Command:
    """Add the options on how a scene is made finer; the command receives `refining`."""

    def build(**given: Any) -> object:
        from no2sr.downscaling.settings import Refining

        return Refining(**given)

    return add_record(command, "refining", build, _REFINING)
