"""Which method makes a scene finer: a name, a file, a model or a function becomes a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from no2sr.core.errors import CardMismatchError
from no2sr.core.grid import check_scale
from no2sr.downscaling.baselines import BASELINES, Baseline
from no2sr.downscaling.kernel import NetworkMethod
from no2sr.downscaling.method import FunctionMethod, Method
from no2sr.downscaling.runner import Runner
from no2sr.downscaling.uncertainty import states_detail
from no2sr.networks.card import Model
from no2sr.networks.store import load_model

if TYPE_CHECKING:
    from no2sr.downscaling.settings import Refining
    from no2sr.steps.conserve import Kind

__all__ = ["choose_method"]

AMethod = TypeVar("AMethod", bound=Method)


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
    model = refining.model
    if isinstance(model, str) and model in BASELINES:
        return Baseline(name=model, scale=scale)
    if isinstance(model, Method):
        return _check_method(model, scale)
    if callable(model):
        name = getattr(model, "__name__", "function")
        return FunctionMethod(function=model, scale=scale, name=name)
    if not isinstance(model, Model):
        model = load_model(model or "srcnn", scale=scale)
    method = _assemble_network(model, refining, noisy=noisy)
    _check_method(method, scale).load()
    return method


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
