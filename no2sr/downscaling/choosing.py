"""Which method makes a scene finer: a name, a file, a model or a function becomes a method."""

from __future__ import annotations

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
    from no2sr.steps.conserve import Kind

__all__ = ["choose_method", "name_method"]

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
        return Baseline(name=model, scale=scale)
    if isinstance(model, str | PathLike):
        model = load_model(model, scale=scale)
    if not isinstance(model, Model):
        return _check_method(_take_method(model, scale), scale)
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


def _assemble_network(model: Model, refining: Refining, *, noisy: bool) -> NetworkMethod:
    """Put the network, the noise step and the uncertainty together."""
    exact: Kind = "multiplicative" if refining.conserve == "multiplicative" else "additive"
    network = Runner(model=model, engine=refining.engine, precision=refining.precision)
    if model.card.domain != "column":
        return NetworkMethod(network=network, conserve=exact)
    # Quantised to integers, a noise step would add errors of its own.
    precision = "float32" if refining.precision == "int8" else refining.precision
    how = {"engine": refining.engine, "precision": precision}
    denoiser = Runner(model=load_model("denoiser"), **how) if noisy else None
    judge = None
    if refining.uncertainty:
        stated = Runner(model=load_model("uncertainty"), **how)
        judge = stated if states_detail(stated.card, model.card.scale) else None
    within = noisy and refining.conserve in ("auto", "noise")
    return NetworkMethod(
        network=network,
        denoiser=denoiser,
        judge=judge,
        conserve="noise" if within else exact,
    )


def _check_method(method: AMethod, scale: int) -> AMethod:
    """Refuse a method for another scale."""
    if method.scale != scale:
        raise CardMismatchError(
            f"{method.name} is for scale {method.scale}, not for scale {scale}; "
            f"use scale={method.scale} or another model"
        )
    return method
