"""Let methods restore what was averaged away: the part of Wald's protocol that makes images.

A fine image is averaged to a coarse one, noise is added if asked for, and every method makes the
image fine again. The result is plain arrays, one record for each image, so that tables, figures and
tests all judge the same estimates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.door import choose_variable, enter
from no2sr.core.errors import NoValidPixelsError
from no2sr.core.grid import bounds_of, check_scale, modcrop
from no2sr.downscaling.baselines import Baseline
from no2sr.downscaling.blocks import Canvas
from no2sr.downscaling.choosing import add_guide, add_neighbours
from no2sr.downscaling.history import align_history, open_history
from no2sr.downscaling.kernel import NetworkMethod
from no2sr.downscaling.neighbours import find_neighbours, has_neighbours
from no2sr.downscaling.pipeline import check_size
from no2sr.downscaling.run import collect
from no2sr.evaluation.adding import add_noise
from no2sr.evaluation.methods import resolve_methods
from no2sr.evaluation.records import Comparison, Judging, Observation, Scene
from no2sr.simulation.degrading import degrade
from no2sr.steps.conserve import closure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from no2sr.downscaling.method import Method
    from no2sr.evaluation.methods import Methods

    Images = xr.Dataset | xr.DataArray | Iterable[xr.Dataset | xr.DataArray]

__all__ = [
    "BASE",
    "compare",
    "compare_observations",
    "observe",
]

# What every ratio is taken against, and what has no detail of its own.
BASE = "bicubic"
WITH_HISTORY = " with history"


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
    methods : method, sequence of methods, or mapping of label to method, optional
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
    alone = isinstance(reference, str | xr.Dataset | xr.DataArray)
    given: Any = [reference] if alone or not isinstance(reference, Iterable) else reference
    chosen = resolve_methods(methods, scale, judging)
    images = [_take_image(image) for image in given]
    return compare_observations(
        observe(images, scale, judging),
        scale=scale,
        methods=chosen,
        judging=judging,
        progress=progress,
    )


def _take_image(image: xr.Dataset | xr.DataArray) -> xr.DataArray:
    """Return the image of a dataset; one that has been through the door may be all gaps."""
    column = choose_variable(image)
    strict = column.dims[-2:] == ("y", "x") and "spatial_ref" in column.coords
    return column if strict else enter(image)


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
    history = None if judging.history is None else open_history(judging.history)
    for image in images:
        noise = None
        coarse = degrade(image, scale, psf=judging.psf)
        if judging.noise is not None:
            coarse, noise = add_noise(coarse, judging.noise, rng)
        place = None if history is None else align_history(history, coarse, scale)
        reference = modcrop(image, scale)
        found.append(Observation(reference=reference, coarse=coarse, noise=noise, place=place))
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
    if any(observation.place is not None for observation in observations):
        chosen |= _guide_networks(chosen)
    if judging.neighbours and noisy:
        chosen |= _add_neighbours(chosen)
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


def _guide_networks(methods: Mapping[str, Method]) -> dict[str, Method]:
    """Return the networks that can follow a history, as further methods."""
    return {
        f"{label}{WITH_HISTORY}": add_guide(method)
        for label, method in methods.items()
        if isinstance(method, NetworkMethod) and method.network.card.domain == "column"
    }


def _add_neighbours(methods: Mapping[str, Method]) -> dict[str, Method]:
    """Return the networks that know the noise, told the steps before and after as well."""
    return {
        f"{label}{' and' if label.endswith(WITH_HISTORY) else ' with'} neighbours": add_neighbours(
            method
        )
        for label, method in methods.items()
        if isinstance(method, NetworkMethod) and method.denoiser is not None
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
    beside = {} if observation.place is None else observation.place.fields(chunked=False)
    if noise is not None and _follows_neighbours(methods) and has_neighbours(coarse):
        beside |= find_neighbours(coarse, noise)
    fields = {name: one for name, one in {"noise": noise, **beside}.items() if one is not None}
    canvas = Canvas.of(coarse, scale, fields)
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


def _follows_neighbours(methods: Mapping[str, Method]) -> bool:
    """Tell whether any method uses the steps before and after."""
    return any(
        isinstance(method, NetworkMethod) and method.neighbours is not None
        for method in methods.values()
    )


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
