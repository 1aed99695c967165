"""The ONNX form of a network, written layer by layer, with a last layer made quick and exact.

The last layer of SRCNN has one output channel and so fills one of 16 SIMD lanes. It is rewritten
as a strided convolution that computes a 4 x 4 block of outputs in 16 channels, followed by a
depth-to-space step. The added taps are zeros, so the sums are the same; the file stores only the
small kernel, which the runtime expands when it loads the graph. Input sizes must make the output a
multiple of 4.

The graph is written here and not by a converter: the bytes are the same each time, and a second
export by tf2onnx 1.17 was seen to lose its last node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from no2sr.errors import MissingDependencyError, ModelError

if TYPE_CHECKING:
    import keras
    import onnx

__all__ = ["FOLD", "to_onnx"]

FOLD = 4
# Format 8 and operator set 15 load in every onnxruntime that the package allows.
FORMAT, OPSET = 8, 15


def to_onnx(network: keras.Model) -> bytes:
    """Write a chain of convolutions as ONNX, with the last layer folded.

    Parameters
    ----------
    network : keras.Model
        ``(batch, y, x, 1)`` to ``(batch, y', x', 1)``: a chain of Conv2D layers, the last one
        ``valid``.

    Returns
    -------
    bytes
        A serialised graph of the same shapes, for y' and x' multiples of 4.

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
    layers = [layer for layer in network.layers if layer.weights]
    foreign = [type(layer).__name__ for layer in layers if not hasattr(layer, "kernel_size")]
    if foreign:
        raise ModelError(
            f"the network holds {', '.join(foreign)}, expected convolutions only; "
            "build it of Conv2D layers"
        )
    graph = _Graph(onnx)
    graph.add("Transpose", ["image"], perm=[0, 3, 1, 2])
    for layer in layers[:-1]:
        _convolution(graph, layer)
    _folded_convolution(graph, layers[-1])
    graph.add("Transpose", [graph.last], output="correction", perm=[0, 2, 3, 1])
    return graph.serialised()


class _Graph:
    """An ONNX graph under construction, one node after another."""

    def __init__(self, library: Any) -> None:
        self.helper, self.arrays, self.checker = (
            library.helper,
            library.numpy_helper,
            library.checker,
        )
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "image"

    def add(self, kind: str, inputs: list[str], *, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        self.last = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [self.last], **attributes))
        return self.last

    def constant(self, name: str, values: Any) -> str:
        """Store an array and return its name."""
        self.constants.append(self.arrays.from_array(values, name))
        return name

    def serialised(self) -> bytes:
        """Check the graph and return its bytes."""

        ends = [
            self.helper.make_tensor_value_info(name, 1, [None, None, None, 1])
            for name in ("image", "correction")
        ]
        graph = self.helper.make_graph(self.nodes, "no2sr", ends[:1], ends[1:], self.constants)
        model = self.helper.make_model(
            graph, ir_version=FORMAT, opset_imports=[self.helper.make_opsetid("", OPSET)]
        )
        self.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def _weights(graph: _Graph, layer: Any) -> tuple[str, str]:
    """Store kernel, in ONNX' order (out, in, y, x), and bias of a layer."""
    from keras import ops

    kernel, bias = (ops.convert_to_numpy(weight) for weight in layer.weights)
    return (
        graph.constant(f"{layer.name}_kernel", kernel.transpose(3, 2, 0, 1).copy()),
        graph.constant(f"{layer.name}_bias", bias),
    )


def _convolution(graph: _Graph, layer: Any) -> None:
    """Append a convolution and its activation."""
    rims = [size // 2 if layer.padding == "same" else 0 for size in layer.kernel_size]
    kernel, bias = _weights(graph, layer)
    graph.add("Conv", [graph.last, kernel, bias], pads=[*rims, *rims])
    _activation(graph, layer)


def _activation(graph: _Graph, layer: Any) -> None:
    """Append what follows the convolution."""
    name = layer.activation.__name__
    if name == "relu":
        graph.add("Relu", [graph.last])
    elif name != "linear":
        raise ModelError(
            f"layer {layer.name} has activation {name}, expected relu or linear; use one of these"
        )


def _folded_convolution(graph: _Graph, layer: Any) -> None:
    """Append a ``valid`` convolution of one channel as one of 16 channels and stride 4."""
    import numpy as np

    before = graph.last
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
    graph.add("Conv", [before, kernels, biases], strides=[FOLD, FOLD])
    graph.add("DepthToSpace", [graph.last], blocksize=FOLD, mode="DCR")
    _activation(graph, layer)
