"""The ONNX form of a network, written layer by layer, with a fast and exact last layer.

The last layer of SRCNN has one output channel and so fills one of 16 SIMD lanes. It is rewritten
as a strided convolution that computes a 4 x 4 block of outputs in 16 channels, followed by a
depth-to-space step. The added taps are zeros, so the sums are the same. The file stores only the
small kernel, which the runtime expands when it loads the graph. Input sizes must make the output
a multiple of 4.

The graph is written here and not by a converter, so the bytes are the same each time. A second
export by tf2onnx 1.17 lost its last node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import MissingDependencyError, ModelError
from no2sr.networks.wiring import trace

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import onnx
    from numpy.typing import NDArray

__all__ = ["FOLD", "UnwritableError", "to_onnx"]

FOLD = 4
# Format 8 and operator set 15 load in every onnxruntime that the package allows.
FORMAT, OPSET = 8, 15
_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


class UnwritableError(ModelError):
    """The network has a layer that the ONNX writer does not know; its Keras form runs it."""


def to_onnx(network: keras.Model) -> bytes:
    """Write a network as ONNX and fold a last convolution of one channel.

    Parameters
    ----------
    network : keras.Model
        ``(batch, y, x, channels)`` to ``(batch, y', x', outputs)``; a functional or sequential
        model of Conv2D, Activation, ReLU, LeakyReLU, BatchNormalization, Add, Concatenate, layers
        that work in training only, and the layers of `no2sr.networks.layers`.

    Returns
    -------
    bytes
        A serialised graph of the same shapes. Where the last layer is folded, y' and x' must be
        multiples of 4.

    Raises
    ------
    UnwritableError
        If the network holds another layer or activation; the message names it.
    MissingDependencyError
        If onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError(
            "onnx is not installed, and writing the ONNX form of a model needs it; "
            "install it with: pip install 'no2sr[train]'"
        ) from error
    try:
        steps = trace(network)
    except ModelError as error:
        raise UnwritableError(str(error)) from error
    graph = _Graph(onnx)
    # Folded outputs come in multiples of 4; a network with DepthToSpace has multiples of its own.
    foldable = all(type(layer).__name__ != "DepthToSpace" for layer, _ in steps)
    written = [graph.add("Transpose", ["image"], perm=[0, 3, 1, 2])]
    for number, (layer, inputs) in enumerate(steps, start=1):
        last = foldable and number == len(steps)
        written.append(_write_layer(graph, layer, [written[k] for k in inputs], last=last))
    final = written[-1]
    graph.add("Transpose", [final], output="correction", perm=[0, 2, 3, 1])
    return graph.serialise(network.inputs[0].shape[-1], network.outputs[0].shape[-1])


class _Graph:
    """An ONNX graph under construction, one node after another."""

    def __init__(self, package: Any) -> None:
        self.onnx = package
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], *, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def store_constant(self, name: str, values: NDArray[Any]) -> str:
        """Store an array and return its name."""
        self.constants.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def serialise(self, channels: int, outputs: int) -> bytes:
        """Check the graph and return its bytes."""
        helper = self.onnx.helper
        ends = [
            helper.make_tensor_value_info(name, 1, [None, None, None, width])
            for name, width in (("image", channels), ("correction", outputs))
        ]
        graph = helper.make_graph(self.nodes, "no2sr", ends[:1], ends[1:], self.constants)
        model = helper.make_model(
            graph, ir_version=FORMAT, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        self.onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def _write_layer(graph: _Graph, layer: Any, inputs: list[str], *, last: bool) -> str:
    """Write one layer and return the name of its output."""
    kind = type(layer).__name__
    name = None
    if kind == "Conv2D" and _is_plain(layer):
        folded = last and layer.filters == 1 and layer.padding == "valid" and layer.use_bias
        write = (
            _write_folded if folded and tuple(layer.dilation_rate) == (1, 1) else _write_convolution
        )
        name = _write_activation(graph, layer, write(graph, layer, inputs[0]))
    elif kind == "Activation":
        name = _write_activation(graph, layer, inputs[0])
    elif kind in _WRITERS:
        name = _WRITERS[kind](graph, layer, inputs)
    if name is None:
        raise UnwritableError(f"the ONNX writer does not know layer {layer.name}, a {kind}")
    return name


def _write_rectifier(graph: _Graph, layer: Any, inputs: list[str]) -> str | None:
    """Write a rectifier without limit or threshold."""
    if layer.max_value is not None or layer.threshold:
        return None
    return (
        _write_leaking_rectifier(graph, layer, inputs)
        if layer.negative_slope
        else graph.add("Relu", inputs)
    )


def _write_leaking_rectifier(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    """Write a rectifier with a slope."""
    return graph.add("LeakyRelu", inputs, alpha=float(layer.negative_slope))


def _write_batch_normalisation(graph: _Graph, layer: Any, inputs: list[str]) -> str | None:
    """Write batch normalisation with the statistics of training; the runtime folds it."""
    from keras import ops

    if layer.axis not in (-1, 3):
        return None
    mean, variance = (ops.convert_to_numpy(w) for w in (layer.moving_mean, layer.moving_variance))
    gamma = np.ones_like(mean) if layer.gamma is None else ops.convert_to_numpy(layer.gamma)
    beta = np.zeros_like(mean) if layer.beta is None else ops.convert_to_numpy(layer.beta)
    given = [
        graph.store_constant(f"{layer.name}_{name}", values)
        for name, values in zip(
            ("gamma", "beta", "mean", "variance"), (gamma, beta, mean, variance), strict=True
        )
    ]
    return graph.add("BatchNormalization", [*inputs, *given], epsilon=float(layer.epsilon))


def _pass_through(_graph: _Graph, _layer: Any, inputs: list[str]) -> str:
    """Write nothing: the layer works during training only."""
    return inputs[0]


def _write_sum(graph: _Graph, _layer: Any, inputs: list[str]) -> str | None:
    """Write a sum of images; one with a number has a single input."""
    if len(inputs) < 2:
        return None
    return graph.add("Add" if len(inputs) == 2 else "Sum", inputs)


def _write_concatenation(graph: _Graph, layer: Any, inputs: list[str]) -> str | None:
    """Write channels side by side."""
    return graph.add("Concat", inputs, axis=1) if layer.axis in (-1, 3) else None


def _write_centring(graph: _Graph, _layer: Any, inputs: list[str]) -> str:
    """Write what takes the mean of the channels off."""
    mean = graph.add("ReduceMean", inputs, axes=[1], keepdims=1)
    return graph.add("Sub", [*inputs, mean])


def _write_depth_to_space(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    """Write what turns channels into finer cells."""
    return graph.add("DepthToSpace", inputs, blocksize=layer.scale, mode="DCR")


def _write_trim(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    """Write what cuts a rim."""
    ends = {"starts": [layer.rim] * 2, "ends": [-layer.rim] * 2, "axes": [2, 3]}
    given = [
        graph.store_constant(f"{layer.name}_{name}", np.array(values, dtype=np.int64))
        for name, values in ends.items()
    ]
    return graph.add("Slice", [*inputs, *given])


_WRITERS: dict[str, Callable[[_Graph, Any, list[str]], str | None]] = {
    "Add": _write_sum,
    "BatchNormalization": _write_batch_normalisation,
    "Concatenate": _write_concatenation,
    "DepthToSpace": _write_depth_to_space,
    "Dropout": _pass_through,
    "GaussianDropout": _pass_through,
    "GaussianNoise": _pass_through,
    "Identity": _pass_through,
    "LeakyReLU": _write_leaking_rectifier,
    "ReLU": _write_rectifier,
    "SpatialDropout2D": _pass_through,
    "Trim": _write_trim,
    "ZeroMean": _write_centring,
}


def _is_plain(layer: Any) -> bool:
    """Tell whether a convolution has stride 1, one group, and a kernel of odd sides."""
    return (
        tuple(layer.strides) == (1, 1)
        and layer.groups == 1
        and layer.padding in ("valid", "same")
        and all(size % 2 for size in layer.kernel_size)
    )


def _store_weights(graph: _Graph, layer: Any) -> list[str]:
    """Store kernel, in ONNX' order (out, in, y, x), and bias of a layer."""
    from keras import ops

    kernel, *bias = (ops.convert_to_numpy(weight) for weight in layer.weights)
    names = [graph.store_constant(f"{layer.name}_kernel", kernel.transpose(3, 2, 0, 1).copy())]
    return names + [graph.store_constant(f"{layer.name}_bias", values) for values in bias]


def _write_convolution(graph: _Graph, layer: Any, given: str) -> str:
    """Write a convolution as it is."""
    steps = list(layer.dilation_rate)
    rims = [
        size // 2 * step if layer.padding == "same" else 0
        for size, step in zip(layer.kernel_size, steps, strict=True)
    ]
    dilated: dict[str, Any] = {} if steps == [1, 1] else {"dilations": steps}
    return graph.add("Conv", [given, *_store_weights(graph, layer)], pads=[*rims, *rims], **dilated)


def _write_folded(graph: _Graph, layer: Any, given: str) -> str:
    """Write a ``valid`` convolution of one channel as one of 16 channels and stride 4."""
    kernel, bias = _store_weights(graph, layer)
    rim = FOLD - 1
    shifted = []
    for row in range(FOLD):
        for column in range(FOLD):
            pads = np.array([0, 0, row, column, 0, 0, rim - row, rim - column], dtype=np.int64)
            graph.store_constant(f"pads_{row}_{column}", pads)
            shifted.append(graph.add("Pad", [kernel, f"pads_{row}_{column}"]))
    kernels = graph.add("Concat", shifted, axis=0)
    biases = graph.add("Concat", [bias] * len(shifted), axis=0)
    blocks = graph.add("Conv", [given, kernels, biases], strides=[FOLD, FOLD])
    return graph.add("DepthToSpace", [blocks], blocksize=FOLD, mode="DCR")


def _write_activation(graph: _Graph, layer: Any, given: str) -> str:
    """Write the activation of a layer."""
    name = layer.activation.__name__
    if name == "linear":
        return given
    if name not in _ACTIVATIONS:
        raise UnwritableError(
            f"the ONNX writer does not know the activation of layer {layer.name}, {name}"
        )
    return graph.add(_ACTIVATIONS[name], [given])
