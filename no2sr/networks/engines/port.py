"""The engine port: what runs a network on one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from no2sr.networks.onnx_form import FOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard

    Batch = NDArray[np.float32]

__all__ = ["Engine", "in_multiples"]


class Engine(Protocol):
    """Run a network on one image; called by several threads at once."""

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(y, x)`` to the correction, whose outer ``card.rim`` pixels are to be cut."""


def in_multiples(card: ModelCard, run: Callable[[Batch], Batch]) -> Engine:
    """Return an engine that feeds an ONNX form, whose folded last layer wants multiples of 4.

    Parameters
    ----------
    card : ModelCard
    run : callable
        Maps ``(1, y, x, 1)`` to the correction, ``(1, y', x', 1)``.
    """
    grow, multiple = (card.scale, 1) if card.grid == "coarse" else (1, FOLD)

    def engine(image: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = (grow * (size - 2 * card.shrink) for size in image.shape)
        padded = np.pad(image, [(0, -rows % multiple), (0, -columns % multiple)])
        return run(padded[None, :, :, None])[0, :rows, :columns, 0]

    return engine
