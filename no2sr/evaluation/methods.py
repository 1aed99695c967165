"""Which methods are judged, and what a table calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import SettingsError
from no2sr.downscaling.baselines import BASELINES, NOISE_AWARE
from no2sr.downscaling.choosing import choose_method, name_method
from no2sr.downscaling.settings import Refining
from no2sr.networks.card import Model
from no2sr.networks.store import available_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from no2sr.downscaling.method import Method
    from no2sr.downscaling.settings import AnyMethod
    from no2sr.evaluation.records import Judging

    Methods = AnyMethod | Sequence[AnyMethod] | Mapping[str, AnyMethod]

__all__ = ["default_methods", "resolve_methods"]


def default_methods(scale: int, *, noisy: bool = False) -> list[str]:
    """List all baselines, and the shipped networks that have the scale.

    Parameters
    ----------
    scale : int
    noisy : bool
        Whether noise is known. Without it the baselines that use it are bicubic interpolation, and
        are left out.
    """
    cards = [card for card in available_models() if card.domain == "column"]
    classical = [name for name in BASELINES if noisy or name not in NOISE_AWARE]
    return [*classical, *(card.name for card in cards if card.scale == scale)]


def resolve_methods(
    methods: Methods | None, scale: int, judging: Judging, *, noisy: bool | None = None
) -> dict[str, Method]:
    """Make methods by label.

    Parameters
    ----------
    methods : method, sequence of methods, or mapping of label to method, optional
        As for `compare`.
    scale : int
    judging : Judging
    noisy : bool, optional
        Whether noise is known; by default, whether it is added.

    Raises
    ------
    ModelError
        If there is no such method.
    """
    noisy = judging.noise is not None if noisy is None else noisy
    methods = default_methods(scale, noisy=noisy) if methods is None else methods
    return {
        label: choose_method(
            Refining(scale=scale, model=method, uncertainty=judging.uncertainty), noisy=noisy
        )
        for label, method in _label_methods(methods).items()
    }


def _label_methods(methods: Methods) -> dict[str, AnyMethod]:
    """Give every method a label, and refuse labels that occur twice."""
    given: Any = methods
    if isinstance(given, Mapping):
        named = list(given.items())
    else:
        alone = isinstance(given, str | PathLike | Model) or not isinstance(given, Iterable)
        named = [(name_method(each), each) for each in ([given] if alone else given)]
    if not named:
        raise SettingsError("methods is empty; name at least one, or omit it")
    for count, (label, _) in enumerate(named):
        if not isinstance(label, str):
            raise SettingsError(f"the label of a method is {label!r}; give a text")
        if label in dict(named[:count]):
            raise SettingsError(
                f"two methods are called {label}; name it once, or give each a label of its own, "
                "as in methods={'first': ..., 'second': ...}"
            )
    return dict(named)
