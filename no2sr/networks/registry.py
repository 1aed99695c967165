"""The network port: one file a paper, found by name.

A network is a module with a constant ``GRID`` and a function ``build`` that returns a
``keras.Model``. With ``GRID = "fine"`` it is called as ``build(**hyperparameters)`` and maps
``(batch, y, x, 1)`` of the normalised, bicubic-upsampled image to ``(batch, y', x', 1)``; with
``GRID = "coarse"`` it is called as ``build(scale=scale, **hyperparameters)`` and maps the
normalised coarse image to ``(batch, scale * y', scale * x', 1)``. Either way the output is a
correction to the bicubic image in units of the local spread. Names resolve lazily: importing Keras
takes seconds.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from no2sr.core.errors import SettingsError, UnknownModelError

if TYPE_CHECKING:
    import keras

__all__ = ["NETWORKS", "build_network", "footprint", "grid_of"]

NETWORKS = {
    "edsr": "no2sr.networks.architectures.edsr",
    "espcn": "no2sr.networks.architectures.espcn",
    "srcnn": "no2sr.networks.architectures.srcnn",
}


def build_network(name: str, *, scale: int, **hyperparameters: Any) -> keras.Model:
    """Build a network by name with fresh weights.

    Raises
    ------
    UnknownModelError
        If no network has this name.
    SettingsError
        If it has no such hyperparameter.
    """
    given = {"scale": scale} if grid_of(name) == "coarse" else {}
    build = _module(name).build
    accepted = sorted(set(signature(build).parameters) - {"scale"})
    unknown = sorted(set(hyperparameters) - set(accepted))
    if unknown:
        raise SettingsError(
            f"network {name} has no hyperparameter {', '.join(unknown)}; expected some of "
            f"{', '.join(accepted)}; choose among these"
        )
    network: keras.Model = build(**given, **hyperparameters)
    return network


def grid_of(name: str) -> Literal["fine", "coarse"]:
    """Return the grid that a network works on.

    Raises
    ------
    UnknownModelError
        If no network has this name.
    """
    grid: Literal["fine", "coarse"] = _module(name).GRID
    return grid


def _module(name: str) -> Any:
    """Import the module of a network; its Keras comes only when it is built."""
    if name not in NETWORKS:
        raise UnknownModelError(
            f"no network {name!r}; expected one of {', '.join(sorted(NETWORKS))}; "
            "choose one of these"
        )
    return import_module(NETWORKS[name])


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
