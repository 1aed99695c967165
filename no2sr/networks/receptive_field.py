"""How far a network sees, derived from its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from no2sr.core.errors import ModelError

if TYPE_CHECKING:
    import keras

__all__ = ["footprint", "inputs_of", "look_up"]

_Fact = TypeVar("_Fact")

_CONVOLUTIONS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
# Layers whose output in a pixel depends on that pixel alone.
_POINTWISE = {
    *("InputLayer", "Identity", "Rescaling", "Cast"),
    *("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"),
    *("Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"),
    *("BatchNormalization", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout2D"),
    *("DepthToSpace", "ZeroMean"),
}


def footprint(network: keras.Model) -> tuple[int, int]:
    """Derive receptive radius and shrinkage of a network from its layers.

    Parameters
    ----------
    network : keras.Model
        A functional or sequential model of convolutions without strides, pointwise layers and
        ``Trim``.

    Returns
    -------
    radius, shrink : int
        Both in pixels of the network's grid. An output depends on inputs up to ``radius`` away,
        along the longest path. The output is ``shrink`` pixels smaller on each side. Its outer
        ``radius - shrink`` rings depend on the zeros that ``same`` layers pad; cut them.

    Raises
    ------
    ModelError
        If a layer does not say how far it sees; the message names it.
    """
    if not getattr(network, "inputs", None):
        raise _unknown(network, "it is not a functional or sequential model with an input shape")
    reached = {id(tensor): (0, 0) for tensor in network.inputs}
    refined = False
    for layer in network.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        before = [look_up(reached, tensor, layer.name) for tensor in inputs_of(layer)]
        half, cut = _halves(network, layer)
        if half and refined:
            raise _unknown(network, f"layer {layer.name} convolves fine cells after DepthToSpace")
        refined = refined or kind == "DepthToSpace"
        reached[id(layer.output)] = (
            max(radius for radius, _ in before) + half,
            max(shrink for _, shrink in before) + cut,
        )
    return look_up(reached, network.outputs[0], network.layers[-1].name)


def inputs_of(layer: Any) -> list[Any]:
    """List the tensors that a layer is given.

    Raises
    ------
    ModelError
        If the layer is used several times.
    """
    try:
        given = layer.input
    except (AttributeError, ValueError) as error:
        raise _reused(layer.name) from error
    return given if isinstance(given, list) else [given]


def look_up(known: dict[int, _Fact], tensor: Any, layer: str) -> _Fact:
    """Look up what is known about a tensor between layers.

    Parameters
    ----------
    known : dict
        By identity of the tensors.
    tensor : keras.KerasTensor
    layer : str
        Name of the layer that needs it.

    Raises
    ------
    ModelError
        If its layer is used several times, so that it has several outputs.
    """
    if id(tensor) not in known:
        raise _reused(layer)
    return known[id(tensor)]


def _reused(layer: str) -> ModelError:
    return ModelError(
        f"layer {layer}, or one that leads to it, is used several times in one network; "
        "use a layer of its own for each use"
    )


def _halves(network: keras.Model, layer: Any) -> tuple[int, int]:
    """Find by how much a layer widens the view and shrinks the image."""
    kind = type(layer).__name__
    if kind in _POINTWISE:
        return 0, 0
    if kind == "Trim":
        return 0, layer.rim
    if kind not in _CONVOLUTIONS:
        raise _unknown(network, f"layer {layer.name} is a {kind}")
    if any(size % 2 == 0 for size in layer.kernel_size) or any(
        step != 1 for step in _pair(layer.strides)
    ):
        raise _unknown(network, f"layer {layer.name} has strides or an even kernel")
    half = max(
        size // 2 * step
        for size, step in zip(layer.kernel_size, _pair(layer.dilation_rate), strict=True)
    )
    return half, half if layer.padding == "valid" else 0


def _pair(numbers: Any) -> tuple[int, ...]:
    """Return one number for each axis."""
    return (numbers, numbers) if isinstance(numbers, int) else tuple(numbers)


def _unknown(network: keras.Model, reason: str) -> ModelError:
    """Word the refusal."""
    return ModelError(
        f"cannot derive how far network {network.name} sees ({reason}); state RADIUS and SHRINK, "
        "or a function reach, beside its build function, or radius and shrink on its card"
    )
