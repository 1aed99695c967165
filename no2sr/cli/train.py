"""``no2sr train``: train a network on fine grids or on pictures.

The module is long because it lists the settings of training with their help texts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from no2sr.cli import options
from no2sr.cli.display import print_table, progress_bar
from no2sr.cli.guard import call_guarded
from no2sr.cli.jobs import check_free
from no2sr.cli.messages import start_backend
from no2sr.cli.parsing import BoxCommand
from no2sr.core.errors import WriteError
from no2sr.core.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from no2sr.cli.records import Saving
    from no2sr.downscaling.settings import Reading
    from no2sr.networks.card import Model, ModelCard
    from no2sr.networks.training.settings import TrainSettings

    Domain = Literal["column", "luminance"]

__all__ = ["command"]

_CURVE = "loss.png"
# The numbers in TrainSettings that the command line can set, each with its type and help.
_SETTINGS = {
    "steps": (int, "Largest number of optimiser steps."),
    "batch": (int, "Windows in a step."),
    "samples": (int, "Windows drawn at a time."),
    "reuse": (int, "Times that each is used before others are drawn; 0 keeps the first ones."),
    "window_size": (int, "Side of a window in fine cells."),
    "learning_rate": (float, "Learning rate of Adam at the start."),
    "warmup": (int, "First steps, along which the learning rate rises from zero."),
    "weight_decay": (float, "Share of the learning rate by which kernels shrink in each step."),
    "average": (float, "Momentum of the running mean of the weights, which is kept."),
    "held_out": (
        float,
        "Share of the data that is not trained on, but used to choose the best weights.",
    ),
    "check_every": (int, "Steps between checks of the held-out data, and between checkpoints."),
    "patience": (int, "Checks without improvement before training stops early."),
    "least_valid": (float, "Smallest observed share of a window."),
    "noise": (float, "Noise to add, in standard deviations of the images."),
    "gaps": (float, "Share of windows that get a gap."),
    "mirrored": (float, "Share of windows continued by reflection, as at the edges of an image."),
    "amplitude": (
        float,
        "Largest factor by which the values of windows are multiplied or divided.",
    ),
    "simulated": (int, "Number of simulated scenes of plumes to train on as well."),
    "symmetric": (
        bool,
        "Give the network no preferred direction; needs feature maps in multiples of 8.",
    ),
    "seed": (int, "Seed of everything random."),
}
_DEFAULTS = {"reuse": 8, "held_out": 0.1, "patience": 12, "average": 0.99, "warmup": 100}


def _parse_hyperparameters(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any]:
    """Parse ``kernels=9,1,5`` and ``blocks=4``."""
    found: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            numbers = json.loads(f"[{value}]")
        except ValueError:
            numbers = []
        if not numbers:
            raise click.BadParameter(
                f"{text!r} is not a hyperparameter; give a name and numbers, such as kernels=9,1,5"
            )
        found[name.strip()] = numbers if "," in value else numbers[0]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which network is trained, and from where.

    Attributes
    ----------
    network : str
        Name of an architecture.
    scale : int
    start : str, optional
        Model to start from instead of random weights.
    """

    network: str
    scale: int
    start: str | None


def _add_choice(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on the network; the command receives `choice`."""
    chosen = (
        click.option(
            "--network",
            "choice_network",
            default=options.MODEL,
            show_default=True,
            help="Architecture: srcnn, espcn, edsr, or one of another package.",
        ),
        click.option(
            "--scale",
            "choice_scale",
            type=int,
            default=options.SCALE,
            show_default=True,
            help="Scale to train for.",
        ),
        click.option(
            "--start",
            "choice_start",
            metavar="NAME|FOLDER",
            help="Model to start from instead of random weights.",
        ),
    )
    return options.add_record(command, "choice", Choice, chosen)


def _add_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for every setting of training; the command receives `settings`."""
    numbers = (
        click.option(
            f"--{name.replace('_', '-')}",
            f"settings_{name}",
            type=kind,
            default=_DEFAULTS.get(name),
            help=said + (f"  [default: {_DEFAULTS[name]}]" if name in _DEFAULTS else ""),
        )
        for name, (kind, said) in _SETTINGS.items()
    )
    others = (
        click.option(
            "--hyperparameter",
            "settings_hyperparameters",
            metavar="NAME=N,...",
            multiple=True,
            callback=_parse_hyperparameters,
            help="Hyperparameter of the network, such as kernels=9,1,5; repeatable.",
        ),
        click.option(
            "--precision",
            "settings_precision",
            type=click.Choice(["float32", "bfloat16"]),
            default="float32",
            show_default=True,
            help="Precision of the layers during training; bfloat16 is twice as fast if the CPU "
            "supports it.",
        ),
    )
    return options.add_record(command, "settings", _build_settings, (*numbers, *others))


def _build_settings(**given: Any) -> TrainSettings:
    """Build the settings of training; the package's defaults hold where no option was given."""
    import no2sr

    source = click.get_current_context().get_parameter_source("settings_patience")
    if not given["held_out"] and source is ParameterSource.DEFAULT:
        given["patience"] = 0  # without held-out data there is nothing that could improve
    return no2sr.TrainSettings(**{k: value for k, value in given.items() if value is not None})


@click.command("train", cls=BoxCommand, no_args_is_help=True)
@click.argument("inputs", metavar="IMAGE...", nargs=-1, required=True, type=options.PATH)
@click.option(
    "--output",
    "-o",
    required=True,
    type=options.PATH,
    metavar="FOLDER",
    help="Folder of the model to make.",
)
@_add_choice
@options.add_reading
@_add_settings
@options.add_saving
@options.debug
def command(
    inputs: tuple[Path, ...],
    output: Path,
    *,
    choice: Choice,
    reading: Reading,
    settings: TrainSettings,
    saving: Saving,
) -> None:
    """Train a network on fine images of your own.

    Each IMAGE is a file that no2sr reads, on the finest grid that you have. It is averaged to a
    grid SCALE times coarser, and the network learns to restore the difference. Pictures (PNG, BMP,
    JPEG) train a network for pictures. If a run is interrupted, give the same command again: it
    continues and ends with the same weights.

    \b
    Examples:
      no2sr train scenes/*.nc --scale 4 --network srcnn --output my-model
      no2sr downscale coarse.nc fine.tif --model my-model
      no2sr train gems/*.nc --network espcn --steps 2000 --patience 5 --output quick
      no2sr train 91-image/*.bmp --scale 3 --hyperparameter kernels=9,5,5 --output pictures
    """
    import no2sr
    from no2sr.networks.backend import need_training
    from no2sr.networks.saving import check_replaceable

    need_training("matplotlib")
    check_free(output, overwrite=saving.overwrite)
    checkpoint = _checkpoint_of(output)
    check_name(checkpoint, WriteError)
    check_replaceable(output, overwrite=saving.overwrite)
    start = _load_start(choice)
    # Files are read in child processes, which is safe only before Keras has started its threads.
    domain, images = _open_images(inputs, reading)
    start_backend(engine="tensorflow")
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not saving.quiet:
        click.echo(f"Continuing from {checkpoint}.", err=True)
    with progress_bar(output.name, quiet=saving.quiet) as progress:
        model = no2sr.train(
            images,
            network=choice.network,
            scale=choice.scale,
            settings=settings,
            domain=domain,
            start=start,
            checkpoint=checkpoint,
            progress=progress,
        )
    _save(model, output, overwrite=saving.overwrite)
    if not saving.quiet:
        print_table(_summarise(model.card, len(inputs)))
        click.echo(output)


def _save(model: Model, output: Path, *, overwrite: bool) -> None:
    """Write the model and its loss curve, and delete the checkpoint."""
    import no2sr
    from no2sr.core.atomic import replace_atomically
    from no2sr.views.figures import save_loss_curve

    no2sr.save_model(model, output, overwrite=overwrite)
    with replace_atomically(output / _CURVE, overwrite=True) as path:
        save_loss_curve(model.card.training["curve"], path)
    _checkpoint_of(output).unlink(missing_ok=True)


def _checkpoint_of(output: Path) -> Path:
    """Return the path of the checkpoint of a run for this output."""
    return output.with_name(f".{output.name}.training.npz")


def _load_start(choice: Choice) -> Model | None:
    """Load the model to start from; one in a folder may have another scale."""
    from no2sr.networks.store import load_model

    if choice.start is None:
        return None
    scale = None if Path(choice.start).is_dir() else choice.scale
    return load_model(choice.start, scale=scale)


def _open_images(inputs: tuple[Path, ...], reading: Reading) -> tuple[Domain, list[Any]]:
    """Open the images and tell whether they are data or pictures."""
    import no2sr
    from no2sr.core.door import choose_variable
    from no2sr.readers.kit.files import is_picture_name
    from no2sr.readers.pictures import read_pixels

    pictures = [path for path in inputs if is_picture_name(path)]
    if pictures and len(pictures) < len(inputs):
        raise click.UsageError(
            f"{pictures[0].name} is a picture and other files are data; train on one kind at a time"
        )
    if pictures:
        return "luminance", [call_guarded(read_pixels, path) for path in inputs]
    scenes = [call_guarded(no2sr.open_no2, path, **reading.arguments()) for path in inputs]
    return "column", [choose_variable(scene) for scene in scenes]


def _summarise(card: ModelCard, count: int) -> list[tuple[str, str]]:
    """Return the rows of the table that is printed at the end."""
    curve = card.training["curve"]
    rows = [
        ("trained on", f"{count} file{'s' * (count != 1)}"),
        ("network", f"{card.network} x{card.scale} for {card.domain}s, {card.parameters} weights"),
        ("steps", str(card.training["steps_done"])),
        ("mean square error over that of bicubic interpolation", f"{curve['loss'][-1]:.3f}"),
    ]
    if curve["held_out"]:
        rows.append(("the same on the held-out data, at best", f"{min(curve['held_out']):.3f}"))
    return rows
