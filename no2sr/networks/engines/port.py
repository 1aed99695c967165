"""The engine port: run a network on one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from no2sr.core.errors import CardMismatchError
from no2sr.networks.onnx_form import FOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard

    Batch = NDArray[np.float32]

__all__ = ["Engine", "EngineName", "Precision", "as_batch", "as_image", "pad_to_multiples"]


EngineName = Literal["onnxruntime", "tensorflow", "openvino"]
Precision = Literal["float32", "bfloat16", "int8"]


class Engine(Protocol):
    """Run a network on one image; several threads call it at once."""

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(y, x)`` or ``(y, x, inputs)`` to ``(y', x')`` or ``(y', x', outputs)``.

        One channel has no axis of its own. Cut the outer ``card.rim`` pixels of the result.
        """


def as_batch(image: NDArray[np.float32], card: ModelCard) -> Batch:
    """Give an image the axes of a batch.

    Parameters
    ----------
    image : array, (y, x) or (y, x, inputs)
    card : ModelCard

    Returns
    -------
    array, (1, y, x, inputs)

    Raises
    ------
    CardMismatchError
        If the image has other channels than the card.
    """
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if channels != len(card.inputs):
        raise CardMismatchError(
            f"the image has {channels} channels and model {card.name} takes {len(card.inputs)} "
            f"({', '.join(card.inputs)}); stack these along the last axis"
        )
    return image[None, :, :, None] if image.ndim == 2 else image[None]


def as_image(batch: Batch, card: ModelCard, given: Batch) -> NDArray[np.float32]:
    """Take the axes of a batch off again.

    Parameters
    ----------
    batch : array, (1, y', x', outputs)
        What the network returned.
    card : ModelCard
    given : array, (1, y, x, inputs)
        What it was given.

    Returns
    -------
    array, (y', x') or (y', x', outputs)
        Without the last axis if the card has one output.

    Raises
    ------
    CardMismatchError
        If the card implies another shape.
    """
    grow = card.growth
    sides = (grow * (size - 2 * card.shrink) for size in given.shape[1:3])
    wanted = (1, *sides, len(card.outputs))
    if batch.shape != wanted:
        raise CardMismatchError(
            f"model {card.name} maps an image of shape {given.shape[1:]} to {batch.shape[1:]}; its "
            f"card implies {wanted[1:]}; correct scale, grid, shrink or outputs on the card"
        )
    return batch[0, ..., 0] if len(card.outputs) == 1 else batch[0]


def pad_to_multiples(card: ModelCard, run: Callable[[Batch], Batch]) -> Engine:
    """Wrap an ONNX form whose folded last layer needs outputs in multiples of 4.

    Parameters
    ----------
    card : ModelCard
    run : callable
        Maps ``(1, y, x, inputs)`` to ``(1, y', x', outputs)``.

    Returns
    -------
    Engine
        For images of every size.
    """
    multiple = FOLD if card.growth == 1 else 1

    def engine(image: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = (size - 2 * card.shrink for size in image.shape[:2])
        pads = [(0, -rows % multiple), (0, -columns % multiple), (0, 0)]
        batch = as_batch(np.pad(image, pads[: image.ndim]), card)
        found = as_image(run(batch), card, batch)
        return found if multiple == 1 else found[:rows, :columns]

    return engine
