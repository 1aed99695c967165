"""Make the engine that runs a model: ONNX Runtime by default, Keras as the reference, OpenVINO."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from no2sr.core.errors import ModelError, SettingsError
from no2sr.networks.engines.keras_engine import keras_engine
from no2sr.networks.engines.onnx_engine import onnx_engine
from no2sr.networks.onnx_form import UnwritableError, to_onnx
from no2sr.networks.store import ONNX_FILE, load_keras

if TYPE_CHECKING:
    from no2sr.networks.card import Model
    from no2sr.networks.engines.port import Engine, EngineName, Precision

__all__ = ["make_engine"]

log = logging.getLogger("no2sr")


def make_engine(
    model: Model, *, name: EngineName = "onnxruntime", precision: Precision = "float32"
) -> Engine:
    """Make the engine that runs a model.

    Parameters
    ----------
    model : Model
    name : {"onnxruntime", "tensorflow", "openvino"}
        The default, the reference, and the one with fewer bits. In float32 all agree to 2e-6 on
        normalised images. Only the engine that is asked for is imported. A model without an ONNX
        form runs on the Keras engine instead of the default; the log says so.
    precision : {"float32", "bfloat16", "int8"}
        Of the arithmetic. Input and output are always float32. For int8 the network is quantised
        when the engine is made, on simulated columns.

    Returns
    -------
    Engine

    Raises
    ------
    SettingsError
        If there is no such engine, or it lacks the precision, or int8 would change what the
        network adds by more than a tenth.
    ModelError
        If the model lacks the form that the engine needs.
    MissingDependencyError
        If the engine, or the package that quantises, is not installed.
    """
    if name not in _MAKERS:
        raise SettingsError(f"engine is {name!r}; use one of {', '.join(_MAKERS)}")
    maker, precisions = _MAKERS[name]
    if precision not in precisions:
        able = [engine for engine, (_, kinds) in _MAKERS.items() if precision in kinds]
        advice = f"use engine={able[0]!r}" if able else f"use precision={precisions[0]!r}"
        known = " or ".join(filter(None, (", ".join(precisions[:-1]), precisions[-1])))
        raise SettingsError(f"engine {name} computes in {known}, not in {precision!r}; {advice}")
    return maker(model, precision)


def _onnx_engine(model: Model, _precision: str) -> Engine:
    """Run the ONNX form, or the Keras network if there is none."""
    try:
        graph = _graph_of(model)
    except UnwritableError as error:
        log.info("model %s runs on the Keras engine: %s", model.card.name, error)
        return _keras_engine(model, _precision)
    return onnx_engine(graph, model.card)


def _openvino_engine(model: Model, precision: str) -> Engine:
    """Run the ONNX form with OpenVINO, which also computes with fewer bits."""
    from no2sr.networks.engines.openvino_engine import openvino_engine

    if model.onnx is not None:
        raise ModelError(
            f"model {model.card.name} comes from an ONNX file; use engine='onnxruntime'"
        )
    usual = model.card.inputs == ("column",) and model.card.predicts == "correction"
    if precision == "int8" and not usual:
        raise SettingsError(
            f"model {model.card.name} takes more than the column or predicts the image, and "
            "precision int8 is measured on corrections of columns alone; use precision='bfloat16'"
        )
    try:
        graph = _graph_of(model)
    except UnwritableError as error:
        raise ModelError(
            f"model {model.card.name} has no ONNX form, which OpenVINO needs ({error}); "
            "use engine='tensorflow'"
        ) from error
    return openvino_engine(graph, model.card, precision=precision)


def _keras_engine(model: Model, _precision: str) -> Engine:
    """Run the Keras network itself."""
    if model.onnx is not None:
        raise ModelError(
            f"model {model.card.name} comes from an ONNX file and has no Keras network; "
            "use engine='onnxruntime'"
        )
    return keras_engine(lambda: load_keras(model), model.card)


def _graph_of(model: Model) -> bytes:
    """Return the ONNX form as bytes: a graph that points to outside files cannot reach them."""
    if model.onnx is not None:
        return model.onnx
    if model.card.without_onnx:
        raise UnwritableError(model.card.without_onnx)
    if model.folder is None:
        return to_onnx(load_keras(model))
    return (model.folder / ONNX_FILE).read_bytes()


_MAKERS = {
    "onnxruntime": (_onnx_engine, ("float32",)),
    "tensorflow": (_keras_engine, ("float32",)),
    "openvino": (_openvino_engine, ("float32", "bfloat16", "int8")),
}
