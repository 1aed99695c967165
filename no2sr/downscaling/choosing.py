"""Which method makes a scene finer: a name, a file, a model or a function becomes a method."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from no2sr.core.errors import CardMismatchError, SettingsError
from no2sr.core.grid import check_scale
from no2sr.downscaling.baselines import BASELINES, Baseline
from no2sr.downscaling.kernel import NetworkMethod
from no2sr.downscaling.method import FunctionMethod, Method
from no2sr.downscaling.runner import Runner
from no2sr.downscaling.uncertainty import states_detail
from no2sr.networks.card import Model
from no2sr.networks.foreign import EXPORT, is_from, name_kind
from no2sr.networks.store import load_model

if TYPE_CHECKING:
    from no2sr.downscaling.settings import AnyMethod, Refining
    from no2sr.networks.engines.port import Precision
    from no2sr.steps.conserve import Kind

__all__ = ["add_guide", "add_neighbours", "choose_method", "name_method"]

AMethod = TypeVar("AMethod", bound=Method)
# Networks that can be called like a function, and how they become models.
_LIBRARIES = {
    "keras": "pass no2sr.load_model(network, card={'scale': 4}) instead, with its scale",
    "torch": EXPORT,
}
_MEMBERS = ("name", "scale", "halo", "reach", "facts", "states_uncertainty")


def choose_method(refining: Refining, *, noisy: bool = False) -> Method:
    """Return the method that makes blocks finer.

    Parameters
    ----------
    refining : Refining
    noisy : bool
        Whether noise is known.

    Raises
    ------
    ModelError, SettingsError, MissingDependencyError
        As for `downscale`.
    """
    scale = check_scale(refining.scale, least=2)
    model = "srcnn" if refining.model is None else refining.model
    if isinstance(model, str) and model in BASELINES:
        return _check_alone(Baseline(name=model, scale=scale), refining)
    if isinstance(model, str | PathLike):
        model = load_model(model, scale=scale)
    if not isinstance(model, Model):
        return _check_alone(_check_method(_take_method(model, scale), scale), refining)
    method = _assemble_network(model, refining, noisy=noisy)
    _check_method(method, scale).load()
    return method


def name_method(model: AnyMethod) -> str:
    """Name a method for a table: the text given, or what the object calls itself."""
    if isinstance(model, str | PathLike):
        return str(model)
    if isinstance(model, Model):
        return model.card.name
    return str(getattr(model, "name", getattr(model, "__name__", type(model).__name__)))


def _take_method(model: Any, scale: int) -> Method:
    """Take an object that is neither a name nor a model as a method, or say why it is none."""
    if isinstance(model, type) or not callable(model):
        raise SettingsError(
            f"{name_kind(model)} is no method; give the name of one, a path, a Model, an object "
            "like no2sr.downscaling.method.Method, or a function of a coarse array and the scale"
        )
    for library, advice in _LIBRARIES.items():
        if is_from(library, model):
            kind = type(model).__name__
            raise SettingsError(f"model is a {kind} of {library}, without a card; {advice}")
    if isinstance(model, Method):
        return model
    missing = [name for name in _MEMBERS if not hasattr(model, name)]
    if hasattr(model, "halo") and missing:
        raise SettingsError(
            f"method {name_method(model)} lacks {', '.join(missing)}; add what "
            "no2sr.downscaling.method.Method lists"
        )
    return FunctionMethod(function=model, scale=scale, name=name_method(model))


def _check_alone(method: AMethod, refining: Refining) -> AMethod:
    """Refuse a history for a method that takes none."""
    if refining.history is not None:
        raise SettingsError(
            f"{method.name} takes no history; use a network for columns, such as srcnn, "
            "or leave the history out"
        )
    return method


def _assemble_network(model: Model, refining: Refining, *, noisy: bool) -> NetworkMethod:
    """Put the network, the noise step and the uncertainty together."""
    exact: Kind = "multiplicative" if refining.conserve == "multiplicative" else "additive"
    network = Runner(model=model, engine=refining.engine, precision=refining.precision)
    if model.card.domain != "column":
        return _check_alone(NetworkMethod(network=network, conserve=exact), refining)
    denoiser = _run_beside(network, load_model("denoiser")) if noisy else None
    judge = None
    if refining.uncertainty:
        stated = _run_beside(network, load_model("uncertainty"))
        judge = stated if states_detail(stated.card, model.card.scale) else None
    within = noisy and refining.conserve in ("auto", "noise")
    method = NetworkMethod(
        network=network,
        denoiser=denoiser,
        judge=judge,
        conserve="noise" if within else exact,
    )
    if noisy and refining.neighbours:
        method = add_neighbours(method)
    return method if refining.history is None else add_guide(method)


def add_neighbours(method: NetworkMethod) -> NetworkMethod:
    """Let the noise step of a network see the steps before and after."""
    return replace(method, neighbours=_run_beside(method.network, load_model("neighbours")))


def _run_beside(network: Runner, model: Model) -> Runner:
    """Run a model as the network; quantised to integers it would add errors of its own."""
    precision: Precision = "float32" if network.precision == "int8" else network.precision
    return Runner(model=model, engine=network.engine, precision=precision)


def add_guide(method: NetworkMethod) -> NetworkMethod:
    """Let a network follow the history of the place.

    Raises
    ------
    UnknownModelError
        If there is no history network for the scale.
    """
    model = load_model("history", scale=method.scale)
    return replace(method, guide=_run_beside(method.network, model))


def _check_method(method: AMethod, scale: int) -> AMethod:
    """Refuse a method for another scale."""
    if method.scale != scale:
        raise CardMismatchError(
            f"{method.name} is for scale {method.scale}, not for scale {scale}; "
            f"use scale={method.scale} or another model"
        )
    return method
