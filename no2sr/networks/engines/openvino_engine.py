"""OpenVINO as an engine: in float32, in bfloat16, and in integers of eight bits by NNCF.

Integers need to know how large every layer's values become, and not every network survives them.
Both is found out on simulated columns, whenever an engine is made: it takes a second.
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
from no2sr.networks.engines.port import in_multiples
from no2sr.networks.inference import Prepared, corrected
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

# Integers may change the corrections by this share of their size. The change is noise to the error
# that is left; where corrections are no larger than that, it rises by sqrt(1 + 0.1^2): by 0.5 %.
MOST_CHANGE = 0.1
_SCENES, _SIDE = 6, 40  # coarse cells along the side of a scene without its halo
_NOISE = 5e-6  # mol m-2, as in averages of some days


def openvino_engine(graph: bytes, card: ModelCard, *, precision: str) -> Engine:
    """Return what runs an ONNX form with OpenVINO.

    Parameters
    ----------
    graph : bytes
        The ONNX form.
    card : ModelCard
    precision : {"float32", "bfloat16", "int8"}

    Raises
    ------
    MissingDependencyError
        If openvino, or for int8 nncf, is not installed.
    SettingsError
        If int8 changes what the network adds by more than `MOST_CHANGE`.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError(
            "openvino is not installed, expected for engine='openvino'; "
            "install it with: pip install 'no2sr[openvino]'"
        ) from error
    network = openvino.Core().read_model(graph)
    if precision == "int8":
        network = _quantised(network, card)
    return in_multiples(card, _runner(network, precision))


def _runner(network: openvino.Model, precision: str) -> Callable[[Batch], Batch]:
    """Compile a network for as many threads as there are cores."""
    import openvino

    # Of what is left in floating point. Integers are integers in either.
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
    mine = local()  # a request is used by one thread at a time

    def run(image: Batch) -> Batch:
        if not hasattr(mine, "request"):
            mine.request = compiled.create_infer_request()
        result: Batch = mine.request.infer({0: image}, share_inputs=True)[0]
        return result

    return run


def _quantised(network: openvino.Model, card: ModelCard) -> openvino.Model:
    """Return a network in integers that does what it did, within `MOST_CHANGE`."""
    seen: list[Batch] = []
    exact = _runner(network, "float32")

    def watched(batch: Batch) -> Batch:
        seen.append(batch)
        return exact(batch)

    before = _added(card, in_multiples(card, watched))
    made = _by_nncf(network, seen)
    after = _added(card, in_multiples(card, _runner(made, "int8")))
    change = np.linalg.norm(after - before) / np.linalg.norm(before)
    if not change <= MOST_CHANGE:
        raise SettingsError(
            f"precision int8 changes what model {card.name} adds by {change:.0%} on simulated "
            f"columns, expected at most {MOST_CHANGE:.0%}; use precision='bfloat16'"
        )
    return made


def _by_nncf(network: openvino.Model, seen: list[Batch]) -> openvino.Model:
    """Return a network in integers, with ranges wide enough for what was seen."""
    os.environ.setdefault("NNCF_CI", "1")  # or it reports over the network that it is used
    try:
        import nncf
    except ImportError as error:
        raise MissingDependencyError(
            "nncf is not installed, expected for precision='int8'; "
            "install it with: pip install 'no2sr[int8]'"
        ) from error
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # a progress bar
        made: openvino.Model = nncf.quantize(
            network,
            nncf.Dataset(seen),
            preset=nncf.QuantizationPreset.MIXED,  # corrections are as often negative as positive
            subset_size=len(seen),
        )
    return made


def _added(card: ModelCard, engine: Engine) -> NDArray[np.float32]:
    """Return what a network adds to simulated scenes as a sensor sees them, in spreads."""
    side = _SIDE + 2 * card.halo
    tile = next(cut_tiles((_SIDE, _SIDE), _SIDE)).moved(card.halo)
    added = []
    for seed in range(_SCENES):
        seen = add_noise(scene((side, side), seed=seed), _NOISE, seed)
        image = Prepared(seen.values, card).network_input(tile)
        added.append(trim(corrected(image, card, engine), card.rim))
    return np.stack(added)
