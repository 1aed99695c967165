"""The network port: one file a paper, found by name.

A network is a module with a function ``build(**hyperparameters) -> keras.Model`` that maps
``(batch, y, x, 1)`` of the normalised, bicubic-upsampled image to ``(batch, y', x', 1)`` of a
correction in units of the local spread. Names resolve lazily, because importing Keras takes
seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from no2sr.errors import UnknownModelError
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.store import available_models, load_keras, load_model, save_model

if TYPE_CHECKING:
    import keras

__all__ = [
    "NETWORKS",
    "Model",
    "ModelCard",
    "available_models",
    "build_network",
    "footprint",
    "load_keras",
    "load_model",
    "save_model",
]

NETWORKS = {"srcnn": "no2sr.networks.srcnn"}


def build_network(name: str, **hyperparameters: Any) -> keras.Model:
    """Build a network by name with fresh weights.

    Raises
    ------
    UnknownModelError
        If no network has this name.
    """
    if name not in NETWORKS:
        raise UnknownModelError(
            f"no network {name!r}; expected one of {', '.join(sorted(NETWORKS))}; "
            "choose one of these"
        )
    network: keras.Model = import_module(NETWORKS[name]).build(**hyperparameters)
    return network


def footprint(network: keras.Model) -> tuple[int, int]:
    """Compute receptive radius and shrinkage of a network from its layers.

    Returns
    -------
    radius, shrink : int
        Both in pixels. ``radius`` sums the half-widths of all convolutions (for a branched network
        an upper bound), ``shrink`` those of the ``valid`` ones. The outer ``radius - shrink``
        rings of an output saw the zeros that ``same`` layers pad, and are not to be used.
    """
    radius = shrink = 0
    for layer in network.layers:
        if not hasattr(layer, "kernel_size"):
            continue
        half = max(
            size // 2 * step
            for size, step in zip(layer.kernel_size, layer.dilation_rate, strict=True)
        )
        radius += half
        shrink += half if layer.padding == "valid" else 0
    return radius, shrink
