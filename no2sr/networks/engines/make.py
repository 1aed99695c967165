"""What runs a network: ONNX Runtime by default, the Keras network as the reference, OpenVINO."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import CardMismatchError, MissingDependencyError, SettingsError
from no2sr.networks.engines.port import in_multiples
from no2sr.networks.onnx_form import to_onnx
from no2sr.networks.store import ONNX_FILE, load_keras

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import Model
    from no2sr.networks.engines.port import Engine

__all__ = ["make_engine"]


def make_engine(model: Model, *, name: str = "onnxruntime", precision: str = "float32") -> Engine:
    """Return what runs a model.

    Parameters
    ----------
    model : Model
    name : {"onnxruntime", "tensorflow", "openvino"}
        The default, the reference, and the one with fewer bits. In float32 all agree to 2e-6 on
        normalised images. Only the engine that is asked for is imported.
    precision : {"float32", "bfloat16", "int8"}
        Of the arithmetic; the values in and out are float32 always. For int8 the network is
        quantised on the spot, on simulated columns.

    Raises
    ------
    SettingsError
        If there is no such engine, or it lacks the precision, or int8 would change what the
        network adds by more than a tenth.
    MissingDependencyError
        If it, or what quantises, is not installed.
    """
    if name not in _MAKERS:
        raise SettingsError(
            f"engine is {name!r}, expected one of {', '.join(_MAKERS)}; choose one of these"
        )
    maker, precisions = _MAKERS[name]
    if precision not in precisions:
        able = [engine for engine, (_, known) in _MAKERS.items() if precision in known]
        advice = f"use engine={able[0]!r}" if able else f"use precision={precisions[0]!r}"
        raise SettingsError(
            f"engine {name} has no precision {precision!r}, expected {' or '.join(precisions)}; "
            f"{advice}"
        )
    return maker(model, precision)


def _onnx_engine(model: Model, _precision: str) -> Engine:
    """Run the ONNX form; a folded last layer wants outputs in multiples of 4."""
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
    graph = _graph_of(model)
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as broken:  # errors of the runtime derive from nothing else
        raise CardMismatchError(
            f"the ONNX form of model {model.card.name} cannot be run ({broken}), expected a graph "
            "that holds all of its weights; use a model of no2sr.save_model"
        ) from broken

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = session.run(None, {"image": image})[0]
        return result

    return in_multiples(model.card, run)


def _graph_of(model: Model) -> bytes:
    """Return the ONNX form as bytes: a graph that points to outside files cannot reach them."""
    if model.folder is None:
        return to_onnx(load_keras(model))
    return (model.folder / ONNX_FILE).read_bytes()


def _openvino_engine(model: Model, precision: str) -> Engine:
    """Run the ONNX form with OpenVINO, which also computes with fewer bits."""
    from no2sr.networks.engines.openvino_engine import openvino_engine

    return openvino_engine(_graph_of(model), model.card, precision=precision)


def _keras_engine(model: Model, _precision: str) -> Engine:
    """Run the Keras network itself."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    network = load_keras(model)
    call = _compiled(network) if keras.backend.backend() == "tensorflow" else network

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(keras.ops.convert_to_numpy(call(image[None, :, :, None])))[0, :, :, 0]

    return run


def _compiled(network: Any) -> Any:
    """Return the network as one graph for images of every size, traced once."""
    import tensorflow as tf

    shape = tf.TensorSpec((1, None, None, 1), tf.float32)
    return tf.function(lambda batch: network(batch, training=False), input_signature=[shape])


_MAKERS = {
    "onnxruntime": (_onnx_engine, ("float32",)),
    "tensorflow": (_keras_engine, ("float32",)),
    "openvino": (_openvino_engine, ("float32", "bfloat16", "int8")),
}
