"""ONNX Runtime as an engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import CardMismatchError, MissingDependencyError
from no2sr.networks.causes import state_cause
from no2sr.networks.engines.port import pad_to_multiples
from no2sr.networks.onnx_files import check_closed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine

    Batch = NDArray[np.float32]

__all__ = ["onnx_engine"]

# What ONNX Runtime says of graphs that it cannot run, and what to do about it.
_KNOWN = {
    r"(\S+?)\(-?\d+\) is not a registered function/op|No Op registered for (\S+)": (
        "uses the operator {}, which is not part of ONNX; export the network with standard "
        "operators"
    ),
    r"Opset (\d+) is under development": (
        "needs ONNX operator set {}, which this onnxruntime does not know; export it with "
        "opset_version=18, or install a newer onnxruntime"
    ),
    r"Unsupported model IR version: (\d+)": (
        "has ONNX format {}, which this onnxruntime does not know; export it with an older onnx, "
        "or install a newer onnxruntime"
    ),
    r"(protobuf parsing failed|No graph was found)": (
        "is damaged, or it is not an ONNX file; export it again"
    ),
}


def onnx_engine(graph: bytes, card: ModelCard) -> Engine:
    """Run an ONNX form with ONNX Runtime.

    Parameters
    ----------
    graph : bytes
        Channels last, as no2sr writes it, or channels first, as PyTorch does. It must hold its
        weights.
    card : ModelCard

    Returns
    -------
    Engine

    Raises
    ------
    MissingDependencyError
        If onnxruntime is not installed.
    CardMismatchError
        If the graph cannot be run, keeps weights in another file, or does not map one image to one
        image with the channels on the card.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "onnxruntime is not installed, and it runs the networks; "
            "install it with: pip install onnxruntime"
        ) from error
    check_closed(graph, card.name)
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # every core has a block of its own
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as broken:  # errors of the runtime derive from nothing else
        raise CardMismatchError(
            f"the ONNX form of model {card.name} {_explain(broken)}"
        ) from broken
    name, first = _layout(session, card)

    def run(image: Batch) -> Batch:
        result: Batch = session.run(None, {name: image})[0]
        return result

    def run_channels_first(image: Batch) -> Batch:
        return np.moveaxis(run(np.ascontiguousarray(np.moveaxis(image, 3, 1))), 1, 3)

    return pad_to_multiples(card, run_channels_first if first else run)


def _explain(broken: Exception) -> str:
    """Explain why a graph cannot be run and what to do about it."""
    text = str(broken)
    for pattern, words in _KNOWN.items():
        found = re.search(pattern, text)
        if found:
            return words.format(next(filter(None, found.groups())))
    return f"cannot be run ({state_cause(broken)}); use a graph of standard float32 operators"


def _layout(session: Any, card: ModelCard) -> tuple[str, bool]:
    """Find the name of the input, and whether channels come first."""
    given, made = session.get_inputs(), session.get_outputs()
    shapes = [tuple(end.shape) for end in (*given, *made)]
    if len(given) != 1 or len(made) != 1 or any(len(shape) != 4 for shape in shapes):
        shown = " and ".join(map(str, shapes))
        raise _misfit_error(card, f"has ends of shapes {shown}; export one image in and one out")
    if given[0].type != "tensor(float)":
        raise _misfit_error(card, f"takes a {given[0].type}; export it in float32")
    axis = _find_channels(shapes, card)
    batch, *sides = (size for each, size in enumerate(shapes[0]) if each != axis)
    if any(isinstance(side, int) for side in sides) or (isinstance(batch, int) and batch != 1):
        raise _misfit_error(
            card,
            f"takes only images of shape {shapes[0]}; export it with open height and width, in "
            "PyTorch with dynamic_shapes or dynamic_axes",
        )
    return given[0].name, axis == 1


def _find_channels(shapes: list[tuple[Any, ...]], card: ModelCard) -> int:
    """Find the axis of the channels."""
    wanted = len(card.inputs), len(card.outputs)
    for axis in (3, 1):
        # Exporters may leave the channels of the output open.
        if shapes[0][axis] == wanted[0] and (
            shapes[1][axis] == wanted[1] or not isinstance(shapes[1][axis], int)
        ):
            return axis
    raise _misfit_error(
        card,
        f"maps shape {shapes[0]} to {shapes[1]}, and its card names {wanted[0]} channels in and "
        f"{wanted[1]} out; correct inputs and outputs on the card",
    )


def _misfit_error(card: ModelCard, what: str) -> CardMismatchError:
    """Return the refusal of a graph that cannot be run, or is not what its card says."""
    return CardMismatchError(f"the ONNX form of model {card.name} {what}")
