"""How far a network sees, derived from its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from no2sr.core.errors import ModelError
from no2sr.networks.wiring import trace

if TYPE_CHECKING:
    import keras

__all__ = ["footprint"]

_CONVOLUTIONS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
# Layers whose output in a pixel depends on that pixel alone.
_POINTWISE = {
    *("Identity", "Rescaling", "Cast"),
    *("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"),
    *("Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"),
    *("BatchNormalization", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout2D"),
    *("Dense", "DepthToSpace", "ZeroMean"),
    # Functions of keras.ops and operators such as +, which are no layers.
    *("Absolute", "Clip", "Divide", "Negative", "TrueDivide"),
    *("Elu", "Gelu", "LeakyRelu", "Relu", "Sigmoid", "Silu", "Softplus", "Tanh"),
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
    reached = [(0, 0)]
    refined = False
    for layer, inputs in trace(network):
        half, cut = _halves(network, layer)
        if half and refined:
            raise _unknown_layer_error(
                network, f"layer {layer.name} convolves fine cells after DepthToSpace"
            )
        refined = refined or type(layer).__name__ == "DepthToSpace"
        radius, shrink = (max(reached[number][k] for number in inputs) for k in (0, 1))
        reached.append((radius + half, shrink + cut))
    return reached[-1]


def _halves(network: keras.Model, layer: Any) -> tuple[int, int]:
    """Find by how much a layer widens the view and shrinks the image."""
    kind = type(layer).__name__
    if kind in _POINTWISE:
        return 0, 0
    if kind == "Trim":
        return 0, layer.rim
    if kind not in _CONVOLUTIONS:
        raise _unknown_layer_error(network, f"layer {layer.name} is a {kind}")
    if any(size % 2 == 0 for size in layer.kernel_size) or any(
        step != 1 for step in _pair(layer.strides)
    ):
        raise _unknown_layer_error(network, f"layer {layer.name} has strides or an even kernel")
    half = max(
        size // 2 * step
        for size, step in zip(layer.kernel_size, _pair(layer.dilation_rate), strict=True)
    )
    return half, half if layer.padding == "valid" else 0


def _pair(numbers: Any) -> tuple[int, ...]:
    """Return one number for each axis."""
    return (numbers, numbers) if isinstance(numbers, int) else tuple(numbers)


def _unknown_layer_error(network: keras.Model, reason: str) -> ModelError:
    """Return the message of the refusal."""
    return ModelError(
        f"cannot derive how far network {network.name} sees ({reason}); state RADIUS and SHRINK, "
        "or a function reach, beside its build function, or radius and shrink on its card"
    )
