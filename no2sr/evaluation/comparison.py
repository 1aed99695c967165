"""Let methods restore what was averaged away: the part of Wald's protocol that makes images.

A fine image is averaged to a coarse one, noise is added if asked for, and every method makes the
image fine again. The result is plain arrays, one record for each image, so that tables, figures and
tests all judge the same estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.door import choose_variable
from no2sr.core.errors import NoValidPixelsError
from no2sr.core.grid import bounds_of, check_scale, modcrop
from no2sr.downscaling.baselines import BASELINES, NOISE_AWARE, Baseline
from no2sr.downscaling.blocks import Canvas
from no2sr.downscaling.choosing import choose_method
from no2sr.downscaling.pipeline import check_size
from no2sr.downscaling.run import collect
from no2sr.downscaling.settings import Refining
from no2sr.evaluation.adding import add_noise
from no2sr.evaluation.records import Comparison, Judging, Observation, Scene
from no2sr.networks.store import available_models
from no2sr.simulation.degrading import degrade
from no2sr.steps.conserve import closure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from no2sr.downscaling.method import Method
    from no2sr.downscaling.settings import AnyMethod

    Methods = Sequence[str] | Mapping[str, AnyMethod]
    Images = xr.Dataset | xr.DataArray | Iterable[xr.Dataset | xr.DataArray]

__all__ = [
    "BASE",
    "compare",
    "compare_observations",
    "default_methods",
    "observe",
]

# What every ratio is taken against, and what has no detail of its own.
BASE = "bicubic"


def compare(
    reference: Images,
    *,
    scale: int = 4,
    methods: Methods | None = None,
    judging: Judging | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Degrade fine images and let every method make them fine again.

    Parameters
    ----------
    reference : Dataset or DataArray, (y, x) or (time, y, x), or an iterable of them
        Fine images; sizes are trimmed to multiples of the scale.
    scale : int
    methods : sequence of str, or mapping of label to method, optional
        A method is the name of a classical method of `no2sr.downscaling.baselines` or of a shipped
        network, the folder of a saved model, a Model, any
        `no2sr.downscaling.method.Method`, or a function that maps a coarse array (y, x) and the
        scale to a fine array. By default all classical methods and every shipped network with
        weights for the scale; those that need noise, only where it is given.
    judging : Judging, optional
        How images are degraded, and what is asked of the methods.
    progress : callable, optional
        Called as ``progress(images_done, images_in_all)``.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingsError
        If the scale, the psf or the noise is out of range.
    NoValidPixelsError
        If no block was observed in full.
    ModelError
        If there is no such method.
    """
    scale = check_scale(scale, least=2)
    judging = judging or Judging()
    given = [reference] if isinstance(reference, xr.Dataset | xr.DataArray) else reference
    chosen = resolve_methods(methods, scale, judging)
    images = [choose_variable(image) for image in given]
    return compare_observations(
        observe(images, scale, judging),
        scale=scale,
        methods=chosen,
        judging=judging,
        progress=progress,
    )


def observe(images: Sequence[xr.DataArray], scale: int, judging: Judging) -> list[Observation]:
    """Degrade fine images to what a coarser instrument would have seen.

    Parameters
    ----------
    images : sequence of DataArray, (y, x) or (time, y, x)
    scale : int
    judging : Judging
        Its psf, noise and seed are used.

    Raises
    ------
    SettingsError
        As for `compare`.
    """
    rng = np.random.default_rng(judging.seed)
    found = []
    for image in images:
        noise = None
        coarse = degrade(image, scale, psf=judging.psf)
        if judging.noise is not None:
            coarse, noise = add_noise(coarse, judging.noise, rng)
        found.append(Observation(reference=modcrop(image, scale), coarse=coarse, noise=noise))
    return found


def compare_observations(
    observations: Sequence[Observation],
    *,
    scale: int = 4,
    methods: Methods | None = None,
    judging: Judging | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Let every method make coarse images fine whose truth is known.

    Parameters
    ----------
    observations : sequence of Observation
        Either all of them with noise, or none.
    scale, methods
        As for `compare`.
    judging : Judging, optional
        Whether uncertainties and block means at full scale are asked for.
    progress
        As for `compare`.

    Returns
    -------
    Comparison

    Raises
    ------
    NoValidPixelsError, ModelError
        As for `compare`.
    """
    judging = judging or Judging()
    noisy = any(observation.noise is not None for observation in observations)
    chosen = resolve_methods(methods, scale, judging, noisy=noisy)
    scenes: list[Scene] = []
    for number, observation in enumerate(observations, start=1):
        if np.isfinite(observation.coarse.values).any():
            scenes += _scenes(observation, chosen, full_scale=judging.full_scale)
        if progress is not None:
            progress(number, len(observations))
    if not scenes:
        raise NoValidPixelsError(
            f"no block of {scale} x {scale} cells is observed in full; "
            "give larger or fuller images, or a smaller scale"
        )
    return Comparison(
        scale=scale,
        unit=str(observations[0].reference.attrs["units"]),
        classical=tuple(label for label in chosen if isinstance(chosen[label], Baseline)),
        scenes=tuple(scenes),
    )


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
    methods : sequence of str, or mapping of label to method, optional
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
    named = methods if isinstance(methods, Mapping) else {name: name for name in methods}
    return {
        label: choose_method(
            Refining(scale=scale, model=method, uncertainty=judging.uncertainty), noisy=noisy
        )
        for label, method in named.items()
    }


def _scenes(
    observation: Observation, methods: Mapping[str, Method], *, full_scale: bool
) -> list[Scene]:
    """Make one record for each layer that is not all gaps."""
    reference, coarse, noise = observation.reference, observation.coarse, observation.noise
    scale = reference.sizes["y"] // coarse.sizes["y"]
    for method in methods.values():
        if method.halo is not None:
            check_size(coarse, method)
    canvas = Canvas.of(coarse, scale, {} if noise is None else {"noise": noise})
    made = {label: collect(canvas, method) for label, method in methods.items()}
    base = Baseline(name=BASE, scale=scale)
    known = next((label for label, method in methods.items() if method == base), None)
    interpolated = collect(canvas, base) if known is None else made[known]
    deviations = {
        label: _full_scale(method, reference) for label, method in methods.items() if full_scale
    }
    stated = None if noise is None else _layers(noise)
    return [
        Scene(
            reference=wanted,
            coarse=given,
            areas=canvas.areas,
            bounds=bounds_of(reference),
            interpolated=interpolated.values[layer],
            estimates={label: found.values[layer] for label, found in made.items()},
            full_scale=deviations,
            noise=None if stated is None else stated[layer],
            uncertainties={
                label: found.uncertainty[layer]
                for label, found in made.items()
                if found.uncertainty is not None
            },
        )
        for layer, (wanted, given) in enumerate(
            zip(_layers(reference), _layers(coarse), strict=True)
        )
        if np.isfinite(given).any()
    ]


def _full_scale(method: Method, reference: xr.DataArray) -> float:
    """Make the reference finer, and measure how far its block means deviate."""
    canvas = Canvas.of(reference, method.scale)
    finer = collect(canvas, method).values
    squares = [
        closure(found, wanted, canvas.areas) ** 2
        for found, wanted in zip(finer, _layers(reference), strict=True)
    ]
    return float(np.sqrt(np.nanmean(squares)))


def _layers(image: xr.DataArray) -> NDArray[np.float32]:
    """Take values as (layers, y, x)."""
    values: NDArray[np.float32] = image.to_numpy().reshape(-1, *image.shape[-2:])
    return values
