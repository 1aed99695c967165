"""The model card: what a network is, what it needs and how good it is."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from no2sr.core.errors import CardMismatchError
from no2sr.steps.resample import KERNEL_REACH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Grid", "Model", "ModelCard", "Role"]

Grid = Literal["fine", "coarse"]
Role = Literal["super-resolution", "denoiser", "uncertainty"]

CARD_FORMAT = 1


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
    role : {"super-resolution", "denoiser", "uncertainty"}
        What the network is for. A denoiser corrects the coarse image in units of its noise; an
        uncertainty network says how far the result can be trusted.
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
        The output is added to the bicubic image, or replaces it as in the first SRCNN.
    window : int
        Side of the normalisation window in coarse cells.
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
    domain: Literal["column", "luminance"] = "column"
    predicts: Literal["correction", "image"] = "correction"
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
        """Turn lists of names, as JSON has them, into tuples.

        Raises
        ------
        CardMismatchError
            If the role is unknown, there are no names, or a name occurs twice.
        """
        for name in ("inputs", "outputs"):
            given = getattr(self, name)
            names = () if isinstance(given, str) else tuple(given)
            if not names or len(set(names)) < len(names):
                raise CardMismatchError(f"{name} is {given!r} on a card; give different names")
            object.__setattr__(self, name, names)
        if self.role not in get_args(Role):
            raise CardMismatchError(
                f"role is {self.role!r} on a card; use one of {', '.join(get_args(Role))}"
            )

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
        return (self.radius - self.shrink) * (self.scale if self.grid == "coarse" else 1)

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
