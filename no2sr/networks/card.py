"""The model card: what a network is, what it needs and how good it is."""

from __future__ import annotations

import dataclasses
import json
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

from no2sr.core.errors import CardMismatchError
from no2sr.steps.resample import KERNEL_REACH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Grid", "Model", "ModelCard", "Role"]

Grid = Literal["fine", "coarse"]
Role = Literal["super-resolution", "denoiser", "uncertainty", "history", "neighbours"]
Domain = Literal["column", "luminance"]
Predicts = Literal["correction", "image"]

CARD_FORMAT = 1
# Words and whole numbers of a card, with the least that each may be.
_WORDS = {"grid": Grid, "role": Role, "domain": Domain, "predicts": Predicts}
_LEAST = {"scale": 1, "radius": 0, "shrink": 0, "window": 3, "parameters": 0}
# A tile carries a rim of this width: farther out it would be little but rim.
_MOST_RADIUS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The facts that one needs to run a network and to trust it.

    Attributes
    ----------
    network : str
        Name of the architecture, see `no2sr.networks.registry.available_networks`.
    hyperparameters : dict
        Arguments of its ``build``.
    scale : int
        Fine cells along each side of a coarse one; 1 for a network that keeps the coarse grid.
    role : {"super-resolution", "denoiser", "uncertainty", "history", "neighbours"}
        What the network is for. A denoiser corrects the coarse image in units of its noise; an
        uncertainty network says how far the result can be trusted. A history network adds what
        a fine map of the place tells, a network of neighbours what the steps before and after tell.
    grid : {"fine", "coarse"}
        Grid that the network works on: the image after bicubic interpolation, or the coarse image.
    inputs : tuple of str
        Names of its input channels, see `no2sr.networks.prepared.Prepared`.
    outputs : tuple of str
        Names of its output channels.
    radius : int
        Receptive radius in pixels of that grid: an output depends on inputs this far away.
    shrink : int
        Pixels of that grid that the network's own ``valid`` layers cut off each side.
    domain : {"column", "luminance"}
        Data that it was trained on: columns, normalised locally and conserved, or the luminance of
        pictures, divided by 255.
    predicts : {"correction", "image"}
        The output is added to the bicubic image, or replaces it as in the first SRCNN. Both are in
        units of the local spread; the image is normalised like the input.
    window : int
        Side of the normalisation window in coarse cells, an odd number.
    parameters : int
        Number of trained weights.
    training : dict
        Data, licence, settings.
    metrics : dict
        Figures on data that it was not trained on, with those of bicubic interpolation and the best
        classical method.
    version : str
        Version of the package that trained it.
    files : dict
        SHA-256 of each file of the model.
    without_onnx : str
        Why the model has no ``network.onnx``; empty if it has one.
    """

    network: str
    scale: int
    radius: int
    shrink: int
    grid: Grid = "fine"
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    domain: Domain = "column"
    predicts: Predicts = "correction"
    window: int = 9
    parameters: int = 0
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    files: dict[str, str] = field(default_factory=dict)
    format: int = CARD_FORMAT
    role: Role = "super-resolution"
    inputs: tuple[str, ...] = ("column",)
    outputs: tuple[str, ...] = ("correction",)
    without_onnx: str = ""

    def __post_init__(self) -> None:
        """Refuse what no network can have, and turn lists of names, as JSON has them, into tuples.

        Raises
        ------
        CardMismatchError
            If a field is out of its range; the message names it.
        """
        for name in ("inputs", "outputs"):
            object.__setattr__(self, name, _check_names(name, getattr(self, name)))
        for name, least in _LEAST.items():
            object.__setattr__(self, name, _check_count(name, getattr(self, name), least))
        for name, words in _WORDS.items():
            if getattr(self, name) not in get_args(words):
                _refuse(name, getattr(self, name), f"use {', '.join(get_args(words))}")
        if not isinstance(self.network, str) or not self.network:
            _refuse("network", self.network, "give a name")
        for name in ("hyperparameters", "training", "metrics", "files"):
            if not isinstance(getattr(self, name), Mapping):
                _refuse(name, getattr(self, name), "give a dict")
        self._check_together()

    def _check_together(self) -> None:
        """Refuse fields that contradict each other."""
        if self.shrink > self.radius:
            _refuse("shrink", self.shrink, f"use at most the radius, {self.radius}")
        if self.radius > _MOST_RADIUS:
            _refuse(
                "radius",
                self.radius,
                f"use at most {_MOST_RADIUS}; a network that sees the whole image goes into a "
                "function, which is a method, too",
            )
        if not self.window % 2:
            _refuse("window", self.window, "use an odd number")
        several = len(self.outputs) > 1 and self.role == "super-resolution"
        if several and "correction" not in self.outputs:
            _refuse("outputs", self.outputs, "call one of them correction")

    @property
    def name(self) -> str:
        """Name under which the model is shipped and loaded."""
        if self.role != "super-resolution":
            return self.role
        return self.network if self.domain == "column" else self.domain

    @property
    def checksum(self) -> str:
        """SHA-256 of the saved network, or of the file that its weights came from."""
        saved = self.files.get("network.keras")
        return saved or next(iter(self.files.values()), "unsaved")

    @property
    def reach(self) -> int:
        """Coarse cells that the network alone sees beyond a cell."""
        return self.radius if self.grid == "coarse" else math.ceil(self.radius / self.scale)

    @property
    def rim(self) -> int:
        """Fine pixels around the network's output that depend on its own padding."""
        return (self.radius - self.shrink) * self.growth

    @property
    def growth(self) -> int:
        """How many times finer the output of the network is than its input."""
        finer = self.grid == "coarse" and self.role == "super-resolution"
        return self.scale if finer else 1

    @property
    def margin(self) -> int:
        """Coarse cells that the network and the interpolation kernel see beyond a cell."""
        kernel = KERNEL_REACH["bicubic"]
        return max(self.reach, kernel) if self.grid == "coarse" else self.reach + kernel

    @property
    def extension(self) -> int:
        """Coarse cells by which local statistics are continued into gaps.

        A window holds an observed cell up to half its side away; the network may see farther.
        """
        return max(0, self.reach + 1 - self.window // 2)

    @property
    def halo(self) -> int:
        """Coarse cells that an output can depend on; a gap farther away changes nothing.

        Gaps within the margin are filled from cells up to one margin farther. Statistics are needed
        up to the network's reach plus one (bilinear) away, and come from windows with observed
        cells.
        """
        return max(2 * self.margin, self.reach + 1 + self.extension + self.window // 2)

    def to_json(self) -> str:
        """Return the card as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str) -> ModelCard:
        """Read a card.

        Parameters
        ----------
        text : str
            JSON. Names that an older card lacks get their defaults.
        origin : str
            Its file, for the message.

        Raises
        ------
        CardMismatchError
            If the text is no card of this format.
        """
        try:
            found = json.loads(text)
            card = cls(**found)
        except (TypeError, ValueError) as error:
            raise CardMismatchError(
                f"{origin} is not a model card ({error}); save the model again with "
                "no2sr.save_model"
            ) from error
        if card.format != CARD_FORMAT:
            raise CardMismatchError(
                f"{origin} has card format {card.format}; this version reads format {CARD_FORMAT}; "
                "use the no2sr version that wrote it, or train again"
            )
        return card


def _check_names(name: str, given: Any) -> tuple[str, ...]:
    """Return the names of channels as a tuple."""
    names = tuple(given) if isinstance(given, list | tuple) else ()
    texts = all(isinstance(each, str) and each for each in names)
    if not names or not texts or len(set(names)) < len(names):
        _refuse(name, given, "give a list of different names")
    return names


def _check_count(name: str, given: Any, least: int) -> int:
    """Return a whole number as an int, whatever library it comes from."""
    try:
        number = least - 1 if isinstance(given, bool) else operator.index(given)
    except TypeError:
        number = least - 1
    if number < least:
        _refuse(name, given, f"use a whole number of at least {least}")
    return number


def _refuse(name: str, given: object, advice: str) -> NoReturn:
    """Refuse a field of a card."""
    raise CardMismatchError(f"{name} is {given!r} on a card; {advice}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network with its card.

    Attributes
    ----------
    card : ModelCard
    folder : Path, optional
        Folder of its files; None for a network fresh from training.
    network : keras.Model, optional
        The network in memory; loaded from `folder` only when the Keras engine needs it.
    build : callable, optional
        Builds the network if there is neither a folder nor a network in memory. Importing Keras
        takes seconds and starts threads, so this happens when it is needed.
    onnx : bytes, optional
        An ONNX graph from elsewhere; then there is no Keras network.
    """

    card: ModelCard
    folder: Path | None = None
    network: Any = None
    build: Callable[[], Any] | None = None
    onnx: bytes | None = field(default=None, repr=False)
