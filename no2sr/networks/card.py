"""The record that travels with every network: what it is, what it needs, how good it is."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from no2sr.core.errors import CardMismatchError
from no2sr.steps.resample import KERNEL_REACH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Model", "ModelCard"]

CARD_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What one must know to run a network and to trust it.

    Attributes
    ----------
    network : str
        Name of the architecture in `no2sr.networks`.
    hyperparameters : dict
        What its ``build`` was called with.
    scale : int
        Fine cells along each side of a coarse one.
    grid : {"fine", "coarse"}
        Where the network works: on the upsampled image, or on the coarse one, whose cells it splits
        itself.
    radius : int
        Receptive radius in pixels of that grid: an output depends on inputs this far away.
    shrink : int
        Pixels of that grid that the network's own ``valid`` layers cut off each side.
    domain : {"column", "luminance"}
        What it was trained for: fields of columns, normalised locally and conserved, or the
        luminance of pictures, divided by 255.
    predicts : {"correction", "image"}
        What is added to the bicubic image, or all of it, as the first SRCNN did.
    window : int
        Side of the normalisation window in coarse cells.
    parameters : int
        Number of trained weights.
    training : dict
        Data, licence, settings.
    metrics : dict
        Figures on data the network never saw, beside bicubic and the best classical method.
    version : str
        Package version that trained it.
    files : dict
        SHA-256 of each file of the model.
    """

    network: str
    scale: int
    radius: int
    shrink: int
    grid: Literal["fine", "coarse"] = "fine"
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

    @property
    def name(self) -> str:
        """Name under which the model is shipped and loaded."""
        return self.network if self.domain == "column" else self.domain

    @property
    def checksum(self) -> str:
        """SHA-256 of the saved network, or of the one file its weights came from."""
        saved = self.files.get("network.keras")
        return saved or next(iter(self.files.values()), "unsaved")

    @property
    def reach(self) -> int:
        """Coarse cells that the network alone looks at beyond a cell."""
        return self.radius if self.grid == "coarse" else math.ceil(self.radius / self.scale)

    @property
    def rim(self) -> int:
        """Fine pixels around the network's output that saw the padding of its own layers."""
        return (self.radius - self.shrink) * (self.scale if self.grid == "coarse" else 1)

    @property
    def margin(self) -> int:
        """Coarse cells that the network and the upsampling kernel look at beyond a cell."""
        kernel = KERNEL_REACH["bicubic"]
        return max(self.reach, kernel) if self.grid == "coarse" else self.reach + kernel

    @property
    def extension(self) -> int:
        """Coarse cells by which statistics are carried on beyond the last window that is seen.

        Windows hold something up to half their side away from an observed cell; the network may
        reach farther.
        """
        return max(0, self.reach + 1 - self.window // 2)

    @property
    def halo(self) -> int:
        """Coarse cells that an output can depend on: the radius beyond which no gap is felt.

        Gaps within the margin are filled from cells up to one margin farther; statistics are needed
        up to the network's reach plus one (bilinear) away, and come from where windows are seen.
        """
        return max(2 * self.margin, self.reach + 1 + self.extension + self.window // 2)

    def to_json(self) -> str:
        """Return the card as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str) -> ModelCard:
        """Read a card.

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
                f"{origin} is not a model card ({error}); expected the card.json that "
                "no2sr.save_model writes; save the model again"
            ) from error
        if card.format != CARD_FORMAT:
            raise CardMismatchError(
                f"{origin} has card format {card.format}, expected {CARD_FORMAT}; "
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
        Where its files lie; None for a network fresh from training.
    network : keras.Model, optional
        The network in memory; loaded from `folder` only when the TensorFlow engine asks for it.
    build : callable, optional
        Makes the network where there is neither: importing Keras takes seconds and starts threads.
    """

    card: ModelCard
    folder: Path | None = None
    network: Any = None
    build: Callable[[], Any] | None = None
