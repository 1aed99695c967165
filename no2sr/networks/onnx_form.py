"""The ONNX form of a network, written layer by layer, with a last layer made quick and exact.

The last layer of SRCNN has one output channel and so fills one of 16 SIMD lanes. It is rewritten
as a strided convolution that computes a 4 x 4 block of outputs in 16 channels, followed by a
depth-to-space step. The added taps are zeros, so the sums are the same; the file stores only the
small kernel, which the runtime expands when it loads the graph. Input sizes must make the output
a multiple of 4.

The graph is written here and not by a converter: the bytes are the same each time, and a second
export by tf2onnx 1.17 was seen to lose its last node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import MissingDependencyError, ModelError

if TYPE_CHECKING:
    import keras
    import onnx
    from numpy.typing import NDArray

__all__ = ["FOLD", "to_onnx"]

FOLD = 4
# Format 8 and operator set 15 load in every onnxruntime that the package allows.
FORMAT, OPSET = 8, 15


def to_onnx(network: keras.Model) -> bytes:
    """Write a network as ONNX, a last convolution of one channel folded.

    Parameters
    ----------
    network : keras.Model
        ``(batch, y, x, 1)`` to ``(batch, y', x', 1)``; a functional model of Conv2D, Add and the
        layers of `no2sr.networks.registry.layers`.

    Returns
    -------
    bytes
        A serialised graph of the same shapes; where the last layer is folded, for y' and x'
        multiples of 4.

    Raises
    ------
    ModelError
        If the network holds a layer of another kind.
    MissingDependencyError
        If onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError(
            "onnx is not installed, and writing a model's ONNX form needs it; "
            "install it with: pip install 'no2sr[train]'"
        ) from error
    graph = _Graph(onnx)
    # The tensors between layers, by identity: names of what was written for them.
    written = {id(network.inputs[0]): graph.add("Transpose", ["image"], perm=[0, 3, 1, 2])}
    for layer in network.layers[1:]:
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        last = layer.output is network.outputs[0]
        name = _layer(graph, layer, [written[id(tensor)] for tensor in given], last=last)
        written[id(layer.output)] = name
    final = written[id(network.outputs[0])]
    graph.add("Transpose", [final], output="correction", perm=[0, 2, 3, 1])
    return graph.serialised()


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

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Store an array and return its name."""
        self.constants.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def serialised(self) -> bytes:
        """Check the graph and return its bytes."""
        helper = self.onnx.helper
        ends = [
            helper.make_tensor_value_info(name, 1, [None, None, None, 1])
            for name in ("image", "correction")
        ]
        graph = helper.make_graph(self.nodes, "no2sr", ends[:1], ends[1:], self.constants)
        model = helper.make_model(
            graph, ir_version=FORMAT, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        self.onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def _layer(graph: _Graph, layer: Any, inputs: list[str], *, last: bool) -> str:
    """Write one layer and return the name of its output."""
    kind = type(layer).__name__
    if kind == "Conv2D":
        folded = last and layer.filters == 1 and layer.padding == "valid"
        name = (_folded if folded else _convolution)(graph, layer, inputs[0])
        return _activation(graph, layer, name)
    if kind == "Add":
        return graph.add("Add", inputs)
    if kind == "ZeroMean":
        mean = graph.add("ReduceMean", inputs, axes=[1], keepdims=1)
        return graph.add("Sub", [*inputs, mean])
    if kind == "DepthToSpace":
        return graph.add("DepthToSpace", inputs, blocksize=layer.scale, mode="DCR")
    if kind == "Trim":
        ends = {"starts": [layer.rim] * 2, "ends": [-layer.rim] * 2, "axes": [2, 3]}
        given = [
            graph.constant(f"{layer.name}_{name}", np.array(values, dtype=np.int64))
            for name, values in ends.items()
        ]
        return graph.add("Slice", [*inputs, *given])
    raise ModelError(
        f"layer {layer.name} is a {kind}, expected Conv2D, Add, ZeroMean, DepthToSpace or Trim; "
        "build the network of these"
    )


def _weights(graph: _Graph, layer: Any) -> tuple[str, str]:
    """Store kernel, in ONNX' order (out, in, y, x), and bias of a layer."""
    from keras import ops

    kernel, bias = (ops.convert_to_numpy(weight) for weight in layer.weights)
    return (
        graph.constant(f"{layer.name}_kernel", kernel.transpose(3, 2, 0, 1).copy()),
        graph.constant(f"{layer.name}_bias", bias),
    )


def _convolution(graph: _Graph, layer: Any, given: str) -> str:
    """Write a convolution as it is."""
    rims = [size // 2 if layer.padding == "same" else 0 for size in layer.kernel_size]
    return graph.add("Conv", [given, *_weights(graph, layer)], pads=[*rims, *rims])


def _folded(graph: _Graph, layer: Any, given: str) -> str:
    """Write a ``valid`` convolution of one channel as one of 16 channels and stride 4."""
    kernel, bias = _weights(graph, layer)
    rim = FOLD - 1
    shifted = []
    for row in range(FOLD):
        for column in range(FOLD):
            pads = np.array([0, 0, row, column, 0, 0, rim - row, rim - column], dtype=np.int64)
            graph.constant(f"pads_{row}_{column}", pads)
            shifted.append(graph.add("Pad", [kernel, f"pads_{row}_{column}"]))
    kernels = graph.add("Concat", shifted, axis=0)
    biases = graph.add("Concat", [bias] * len(shifted), axis=0)
    blocks = graph.add("Conv", [given, kernels, biases], strides=[FOLD, FOLD])
    return graph.add("DepthToSpace", [blocks], blocksize=FOLD, mode="DCR")


def _activation(graph: _Graph, layer: Any, given: str) -> str:
    """Write what follows a convolution."""
    name = layer.activation.__name__
    if name == "relu":
        return graph.add("Relu", [given])
    if name != "linear":
        raise ModelError(
            f"layer {layer.name} has activation {name}, expected relu or linear; use one of these"
        )
    return given
