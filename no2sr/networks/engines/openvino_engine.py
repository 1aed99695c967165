"""OpenVINO as an engine: in float32, in bfloat16, and in integers of eight bits by NNCF.

For integers one must know how large the values of every layer become, and not every network stays
accurate. Both are measured on simulated columns whenever an engine is made, which takes a second.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from threading import local
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import MissingDependencyError, SettingsError
from no2sr.networks.engines.port import pad_to_multiples
from no2sr.networks.inference import run_network
from no2sr.networks.onnx_files import check_closed
from no2sr.networks.prepared import Prepared
from no2sr.simulation.scenes import add_noise, scene
from no2sr.steps.tiles import cut_tiles, trim

if TYPE_CHECKING:
    from collections.abc import Callable

    import openvino
    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine

    Batch = NDArray[np.float32]

__all__ = ["MOST_CHANGE", "openvino_engine"]

# Integers may change the corrections by this share of their size. The change acts like noise. Where
# the remaining error is as large as the corrections, it grows by sqrt(1 + 0.1^2), that is 0.5 %.
MOST_CHANGE = 0.1
_SCENES, _SIDE = 6, 40  # coarse cells along the side of a scene without its halo
_NOISE = 5e-6  # mol m-2, as in averages of some days


def openvino_engine(graph: bytes, card: ModelCard, *, precision: str) -> Engine:
    """Run an ONNX form with OpenVINO.

    Parameters
    ----------
    graph : bytes
        The ONNX form.
    card : ModelCard
    precision : {"float32", "bfloat16", "int8"}

    Returns
    -------
    Engine

    Raises
    ------
    MissingDependencyError
        If openvino, or for int8 nncf, is not installed.
    CardMismatchError
        If the graph keeps weights in another file.
    SettingsError
        If int8 changes the corrections by more than `MOST_CHANGE`, or is not possible.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError(
            "openvino is not installed, and engine='openvino' needs it; "
            "install it with: pip install 'no2sr[openvino]'"
        ) from error
    check_closed(graph, card.name)
    network = openvino.Core().read_model(graph)
    if precision == "int8":
        network = _quantise(network, card)
    return pad_to_multiples(card, _runner(network, precision))


def _runner(network: openvino.Model, precision: str) -> Callable[[Batch], Batch]:
    """Compile a network for one thread on each core."""
    import openvino

    # Precision of the operations that stay in floating point.
    kinds = {
        "float32": openvino.Type.f32,
        "bfloat16": openvino.Type.bf16,
        "int8": openvino.Type.f32,
    }
    settings = {
        "INFERENCE_PRECISION_HINT": kinds[precision],
        "NUM_STREAMS": os.cpu_count() or 1,  # every core has a block of its own
        "INFERENCE_NUM_THREADS": os.cpu_count() or 1,
    }
    compiled = openvino.Core().compile_model(network, "CPU", settings)
    mine = local()  # only one thread at a time may use a request

    def run(image: Batch) -> Batch:
        if not hasattr(mine, "request"):
            mine.request = compiled.create_infer_request()
        result: Batch = mine.request.infer({0: image}, share_inputs=True)[0]
        return result

    return run


def _quantise(network: openvino.Model, card: ModelCard) -> openvino.Model:
    """Quantise a network, and check that its corrections change by at most `MOST_CHANGE`."""
    seen: list[Batch] = []
    exact = _runner(network, "float32")

    def watch(batch: Batch) -> Batch:
        seen.append(batch)
        return exact(batch)

    before = _compute_corrections(card, pad_to_multiples(card, watch))
    made = _quantise_by_nncf(network, seen)
    after = _compute_corrections(card, pad_to_multiples(card, _runner(made, "int8")))
    change = np.linalg.norm(after - before) / np.linalg.norm(before)
    if not change <= MOST_CHANGE:
        raise SettingsError(
            f"precision int8 changes the corrections of model {card.name} by {change:.0%} on "
            f"simulated columns; at most {MOST_CHANGE:.0%} is allowed; use precision='bfloat16'"
        )
    return made


def _quantise_by_nncf(network: openvino.Model, seen: list[Batch]) -> openvino.Model:
    """Quantise a network, with ranges wide enough for the images that were seen."""
    os.environ.setdefault("NNCF_CI", "1")  # otherwise it reports its use over the network
    try:
        import nncf
    except ImportError as error:
        raise MissingDependencyError(
            "nncf is not installed, and precision='int8' needs it; "
            "install it with: pip install 'no2sr[int8]'"
        ) from error
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # a progress bar
        made: openvino.Model = nncf.quantize(
            network,
            nncf.Dataset(seen),
            preset=nncf.QuantizationPreset.MIXED,  # corrections are negative as often as positive
            subset_size=len(seen),
        )
    return made


def _compute_corrections(card: ModelCard, engine: Engine) -> NDArray[np.float32]:
    """Run a network on simulated scenes with noise and return the corrections, in spreads."""
    side = _SIDE + 2 * card.halo
    tile = next(cut_tiles((_SIDE, _SIDE), _SIDE)).shift(card.halo)
    added = []
    for seed in range(_SCENES):
        seen = add_noise(scene((side, side), seed=seed), _NOISE, seed)
        image = Prepared(seen.values, card).network_input(tile)
        added.append(trim(run_network(image, card, engine), card.rim))
    return np.stack(added)
