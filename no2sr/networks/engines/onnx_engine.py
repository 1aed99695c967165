"""ONNX Runtime as an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import CardMismatchError, MissingDependencyError
from no2sr.networks.engines.port import pad_to_multiples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine

    Batch = NDArray[np.float32]

__all__ = ["onnx_engine"]


def onnx_engine(graph: bytes, card: ModelCard) -> Engine:
    """Run an ONNX form with ONNX Runtime.

    Parameters
    ----------
    graph : bytes
        Channels last, as no2sr writes it, or channels first, as PyTorch does. Bytes and not a path:
        a graph that points to files outside cannot reach them.
    card : ModelCard

    Returns
    -------
    Engine

    Raises
    ------
    MissingDependencyError
        If onnxruntime is not installed.
    CardMismatchError
        If the graph cannot be run, or does not map one image to one image with the channels on the
        card.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "onnxruntime is not installed, and it runs the networks; "
            "install it with: pip install onnxruntime"
        ) from error
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # every core has a block of its own
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as broken:  # errors of the runtime derive from nothing else
        raise CardMismatchError(
            f"the ONNX form of model {card.name} cannot be run ({broken}); use a graph of standard "
            "operators that holds all of its weights"
        ) from broken
    name, first = _layout(session, card)

    def run(image: Batch) -> Batch:
        result: Batch = session.run(None, {name: image})[0]
        return result

    def run_channels_first(image: Batch) -> Batch:
        return np.moveaxis(run(np.ascontiguousarray(np.moveaxis(image, 3, 1))), 1, 3)

    return pad_to_multiples(card, run_channels_first if first else run)


def _layout(session: Any, card: ModelCard) -> tuple[str, bool]:
    """Find the name of the input, and whether channels come first."""
    given, made = session.get_inputs(), session.get_outputs()
    shapes = [tuple(end.shape) for end in (*given, *made)]
    channels = len(card.inputs), len(card.outputs)
    if len(given) == len(made) == 1 and all(len(shape) == 4 for shape in shapes):
        for axis in (3, 1):
            # Exporters may leave the channels of the output open.
            if shapes[0][axis] == channels[0] and (
                shapes[1][axis] == channels[1] or not isinstance(shapes[1][axis], int)
            ):
                return given[0].name, axis == 1
    raise CardMismatchError(
        f"the ONNX form of model {card.name} maps shapes {' and '.join(map(str, shapes))}; "
        f"expected one float32 image of {channels[0]} channels to one of {channels[1]}; "
        "correct inputs and outputs on the card, or export the network with open height and width"
    )
