"""Networks without a preferred direction: a turned image gives the turned estimate.

The eight turns and mirrorings of a square move the taps of a kernel and permute channels: features
form eight groups, one for each orientation, and the cells of a block move with the block. A kernel
that equals its mean over all eight makes a layer that commutes with them, and so does a network of
such layers. The layers remain plain convolutions of the same size. Training can choose only an
eighth of the weights, so the network overfits less and learns more from few scenes.

References
----------
T. S. Cohen and M. Welling, "Group equivariant convolutional networks", ICML (2016) 2990-2999.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

__all__ = ["Symmetry"]

# Quarter turns, and whether a mirroring follows.
ELEMENTS = [(turn, flip) for turn in range(4) for flip in (False, True)]


class Symmetry:
    """The effect of the eight turns and mirrorings on the weights of a network.

    Parameters
    ----------
    network : keras.Model
        Convolutions one after another, with sums and layers without weights between them.
    cells : int
        Side of the block of cells that the channels of the last layer become; 1 for one channel.

    Raises
    ------
    SettingsError
        If the feature maps of a layer do not divide into eight groups.
    """

    def __init__(self, network: keras.Model, cells: int) -> None:
        layers = [layer for layer in network.layers if layer.weights]
        self.moves: list[list[NDArray[np.intp]]] = []
        for layer in layers:
            rows, _, given, made = layer.kernel.shape
            last = _squares(cells) if layer is layers[-1] else _groups(made, layer.name)
            first = np.tile(np.arange(given), (len(ELEMENTS), 1))  # fields know no direction
            inward = first if layer is layers[0] else _groups(given, layer.name)
            # In the order of the weights of a layer: its kernel, taps in one axis, and its bias.
            self.moves += [[_squares(rows), inward, last], [last]]

    def part(self, weights: list[Any]) -> list[Any]:
        """Average each weight, or its gradient, over the eight, so that the network commutes.

        Parameters
        ----------
        weights : list of tensor
            In the order of the network's weights.

        Returns
        -------
        list of tensor
            Of the same shapes. A second average changes nothing.
        """
        return [_mean(weight, moves) for weight, moves in zip(weights, self.moves, strict=True)]

    def impose(self, network: keras.Model, *, fresh: bool) -> None:
        """Make a network symmetric.

        Parameters
        ----------
        network : keras.Model
        fresh : bool
            The kernels are random and keep their size. The mean of eight independent ones is
            smaller by the root of eight, which is made up for.
        """
        from keras import ops

        means = [ops.convert_to_numpy(mean) for mean in self.part(network.get_weights())]
        factor = len(ELEMENTS) ** 0.5 if fresh else 1.0
        network.set_weights([mean * factor if mean.ndim > 1 else mean for mean in means])


def _mean(weight: Any, moves: list[NDArray[np.intp]]) -> Any:
    """Average a weight over its eight moved versions."""
    from keras import ops

    shape = weight.shape
    flat = ops.reshape(weight, (-1, *shape[2:])) if len(moves) > 1 else weight
    total = 0
    for element in range(len(ELEMENTS)):
        moved = flat
        for axis, indices in enumerate(moves):
            moved = ops.take(moved, indices[element], axis=axis)
        total = total + moved
    return ops.reshape(total / len(ELEMENTS), shape)


def _move(square: NDArray[np.intp], element: tuple[int, bool]) -> NDArray[np.intp]:
    """Turn a square, and mirror it if the element says so."""
    turned = np.rot90(square, element[0])
    return turned[:, ::-1] if element[1] else turned


def _squares(side: int) -> NDArray[np.intp]:
    """Return, by element, the cell of a square that moves to each place."""
    square = np.arange(side**2).reshape(side, side)
    return np.stack([_move(square, element).ravel() for element in ELEMENTS])


def _groups(channels: int, layer: str) -> NDArray[np.intp]:
    """Return, by element, the channel that moves to each place; groups are orientations."""
    if channels % len(ELEMENTS):
        raise SettingsError(
            f"layer {layer} has {channels} feature maps, but a symmetric network needs a multiple "
            "of 8, one group for each turn and mirroring; choose other filters or symmetric=False"
        )
    within = np.arange(channels // len(ELEMENTS))
    # Group h holds the features of the first group's kernels moved by h. An element after h is
    # another element. All eight positions of the cells 0..8 differ, so they identify the elements.
    orientations = [_move(np.arange(9).reshape(3, 3), element) for element in ELEMENTS]
    named = {square.tobytes(): k for k, square in enumerate(orientations)}
    moves = []
    for element in ELEMENTS:
        after = [named[_move(square, element).tobytes()] for square in orientations]
        moves.append((np.argsort(after)[:, None] * len(within) + within).ravel())
    return np.stack(moves)
