"""The registry of networks: find an architecture by its name and build it.

An architecture is a module, or any object, with a constant ``GRID`` and a function ``build`` that
returns a ``keras.Model`` with fresh weights:

``GRID = "fine"``
    ``build(**hyperparameters)`` maps ``(batch, y, x, channels)`` of the normalised image after
    bicubic interpolation to ``(batch, y', x', 1)``.
``GRID = "coarse"``
    ``build(scale=scale, **hyperparameters)`` maps ``(batch, y, x, channels)`` of the normalised
    coarse image to ``(batch, scale * y', scale * x', 1)``.

The output is a correction to the bicubic image, in units of the local spread. Four more names are
optional:

``channels``
    A parameter of ``build``: the number of input channels.
``ROLE``
    ``"super-resolution"`` (default), ``"denoiser"`` or ``"uncertainty"``. Networks of the last two
    keep the coarse grid; their ``build`` takes no ``scale``.
``RADIUS``, ``SHRINK``
    Receptive radius and shrinkage in pixels of the network's grid. `footprint` derives both where
    they are not stated.
``reach(**hyperparameters)``
    Returns ``(radius, shrink)`` where both depend on the hyperparameters.

Other packages add architectures through the entry-point group ``no2sr.networks``, as ``module`` or
``module:attribute``. A name that is already taken is ignored and logged. Names resolve lazily,
because importing Keras takes seconds.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from no2sr.core.errors import ModelError, SettingsError, UnknownModelError
from no2sr.networks.backend import need_keras
from no2sr.networks.receptive_field import footprint

if TYPE_CHECKING:
    import keras

    from no2sr.networks.card import Grid, Role

__all__ = [
    "NETWORKS",
    "NetworkName",
    "available_networks",
    "build_network",
    "find_reach",
    "footprint",
    "grid_of",
    "role_of",
]

NetworkName = Literal["denoiser", "edsr", "espcn", "srcnn"]

log = logging.getLogger("no2sr")

NETWORKS = {
    "denoiser": "no2sr.networks.architectures.denoiser",
    "edsr": "no2sr.networks.architectures.edsr",
    "espcn": "no2sr.networks.architectures.espcn",
    "srcnn": "no2sr.networks.architectures.srcnn",
}

_GROUP = "no2sr.networks"


@cache
def _plugins() -> dict[str, str]:
    """Find the networks of other packages."""
    found = {}
    for entry in entry_points(group=_GROUP):
        if entry.name in NETWORKS:
            log.warning("network %r of %s ignored: that name is taken", entry.name, entry.value)
        else:
            found[entry.name] = entry.value
    return found


def available_networks() -> tuple[str, ...]:
    """List the names of all architectures, those of other packages included."""
    return tuple(sorted({**_plugins(), **NETWORKS}))


def build_network(
    name: str, *, scale: int, channels: int | None = None, **hyperparameters: Any
) -> keras.Model:
    """Build a network by name with fresh weights.

    Parameters
    ----------
    name : str
        One of `available_networks`.
    scale : int
        Fine cells along each side of a coarse one.
    channels : int, optional
        Input channels. None leaves the number to the architecture.
    **hyperparameters : Any
        Passed to ``build``.

    Raises
    ------
    UnknownModelError
        If no network has this name.
    ModelError
        If its module cannot be imported or lacks ``GRID`` or ``build``.
    SettingsError
        If it does not know a hyperparameter, or cannot take this scale or number of channels.
    MissingDependencyError
        If Keras or its backend is not installed.
    """
    build = _architecture(name).build
    known = set(signature(build).parameters)
    unknown = sorted(set(hyperparameters) - (known - {"scale", "channels"}))
    if unknown:
        raise SettingsError(
            f"network {name} has no hyperparameter {', '.join(unknown)}; "
            f"use {', '.join(sorted(known - {'scale', 'channels'})) or 'none'}"
        )
    given: dict[str, int] = {}
    if "channels" in known and channels is not None:
        given["channels"] = channels
    elif channels not in (None, 1):
        raise SettingsError(
            f"network {name} takes one channel, not {channels}; "
            "give its build function a parameter 'channels'"
        )
    if "scale" in known:
        given["scale"] = scale
    elif grid_of(name) == "coarse" and scale != 1:
        raise SettingsError(f"network {name} keeps the coarse grid; use scale=1, not {scale}")
    need_keras(f"network {name}")
    network: keras.Model = build(**given, **hyperparameters)
    return network


def find_reach(
    name: str, network: keras.Model, *, scale: int, **hyperparameters: Any
) -> tuple[int, int]:
    """Find receptive radius and shrinkage of a network: as stated, or derived from its layers.

    Parameters
    ----------
    name : str
        One of `available_networks`.
    network : keras.Model
        As `build_network` returns it.
    scale : int
        Fine cells along each side of a coarse one.
    **hyperparameters : Any
        Those that the network was built with.

    Returns
    -------
    radius, shrink : int
        In pixels of the network's grid, see `footprint`.

    Raises
    ------
    ModelError
        If they are neither stated nor derivable, or what is stated is not possible.
    """
    home = _architecture(name)
    if hasattr(home, "reach"):
        also = {"scale": scale} if "scale" in signature(home.reach).parameters else {}
        stated = home.reach(**also, **hyperparameters)
    elif hasattr(home, "RADIUS"):
        stated = home.RADIUS, getattr(home, "SHRINK", 0)
    else:
        return footprint(network)
    try:
        radius, shrink = stated
        possible = radius == int(radius) and shrink == int(shrink) and 0 <= shrink <= radius
    except (TypeError, ValueError):
        possible = False
    if not possible:
        raise ModelError(
            f"network {name} states radius and shrinkage as {stated!r}, "
            "expected two whole numbers with 0 <= shrinkage <= radius"
        )
    return int(radius), int(shrink)


def grid_of(name: str) -> Grid:
    """Look up the grid that a network works on.

    Raises
    ------
    UnknownModelError
        If no network has this name.
    """
    grid: Grid = _architecture(name).GRID
    return grid


def role_of(name: str) -> Role:
    """Look up what a network is for.

    Raises
    ------
    UnknownModelError
        If no network has this name.
    """
    role: Role = getattr(_architecture(name), "ROLE", "super-resolution")
    return role


def _architecture(name: str) -> Any:
    """Import an architecture; Keras itself is imported only when it is built."""
    places = {**_plugins(), **NETWORKS}
    if name not in places:
        raise UnknownModelError(f"no network {name!r}; use one of {', '.join(sorted(places))}")
    module, _, attribute = places[name].partition(":")
    try:
        home: Any = import_module(module)
        home = getattr(home, attribute) if attribute else home
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"network {name} cannot be imported from {places[name]} ({error}); "
            "install or repair the package that provides it"
        ) from error
    grid = getattr(home, "GRID", None)
    if grid not in ("fine", "coarse") or not callable(getattr(home, "build", None)):
        raise ModelError(
            f"{places[name]} is not an architecture (GRID is {grid!r}); expected GRID = 'fine' or "
            "'coarse' and a function build"
        )
    return home
