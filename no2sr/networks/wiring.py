"""How the layers of a Keras network are connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from no2sr.core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

__all__ = ["Step", "trace"]


class Step(NamedTuple):
    """One layer of a network.

    Attributes
    ----------
    layer : keras.Layer or keras.Operation
        An operation is what ``x + y`` or a function of `keras.ops` leaves in a network.
    inputs : list of int
        Numbers of the steps whose outputs it is given; 0 is the image.
    """

    layer: Any
    inputs: list[int]


def trace(network: keras.Model) -> list[Step]:
    """List the layers of a network in the order of their work.

    Parameters
    ----------
    network : keras.Model
        Functional or sequential, from one image to one image.

    Returns
    -------
    list of Step
        Numbered from 1. The last one returns the output of the network.

    Raises
    ------
    ModelError
        If the network is of another kind, uses a layer several times, or holds a network in a
        functional one.
    """
    ends = getattr(network, "inputs", None) or [], getattr(network, "outputs", None) or []
    if any(len(tensors) != 1 or len(tensors[0].shape) != 4 for tensors in ends):
        raise ModelError(
            f"network {network.name} is not a functional or sequential model from one image "
            "(y, x, channels) to one image; build it from keras.Input((None, None, channels))"
        )
    if type(network).__name__ == "Sequential":
        return [Step(layer, [number]) for number, layer in enumerate(_flatten(network))]
    numbers = {id(network.inputs[0]): 0}
    steps: list[Step] = []
    for layer in network.operations:
        if type(layer).__name__ == "InputLayer":
            continue
        try:
            given = layer.input if isinstance(layer.input, list) else [layer.input]
            steps.append(Step(layer, [numbers[id(tensor)] for tensor in given]))
            numbers[id(layer.output)] = len(steps)
        except (AttributeError, KeyError, ValueError):
            raise _reuse_error(network, layer.name) from None
    if numbers.get(id(network.outputs[0])) != len(steps):
        raise _reuse_error(network, steps[-1].layer.name if steps else "image")
    return steps


def _flatten(network: keras.Sequential) -> Iterator[Any]:
    """List the layers of a sequential network, and of those inside it."""
    for layer in network.layers:
        if type(layer).__name__ == "Sequential":
            yield from _flatten(layer)
        else:
            yield layer


def _reuse_error(network: keras.Model, layer: str) -> ModelError:
    return ModelError(
        f"layer {layer} of network {network.name} is used several times, is a network of its own, "
        "or comes after the output; use a layer of its own for each use, or state radius and "
        "shrink on the card"
    )
