"""Let methods find again what was taken away: the part of Wald's protocol that makes images.

A fine image is averaged to a coarse one, every method makes it fine again, and `no2sr.evaluation`
says how well. What comes out is plain arrays, one record an image, so that tables, figures and
tests all judge the same estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.door import choose_variable
from no2sr.core.errors import NoValidPixelsError
from no2sr.core.grid import bounds_of, check_scale, modcrop
from no2sr.downscaling.baselines import BASELINES, Baseline
from no2sr.downscaling.blocks import Canvas
from no2sr.downscaling.pipeline import check_size, choose_method
from no2sr.downscaling.run import collect
from no2sr.downscaling.settings import Refining
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

__all__ = ["BASE", "Comparison", "Scene", "compare", "default_methods"]

# What every ratio is taken against, and what has no detail of its own.
BASE = "bicubic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One fine image, its coarse form, and what the methods made of that.

    Attributes
    ----------
    reference : array, (y, x)
        What was there, NaN in gaps.
    coarse : array, (y / scale, x / scale)
        What the methods were given; a gap where any cell of the block is one.
    areas : array, (y,)
        Relative area of the cells of each row.
    bounds : (west, south, east, north)
    interpolated : array, (y, x)
        The bicubic image, whatever the methods are.
    estimates : dict of str to array, (y, x)
        By method; gaps where the coarse image has them.
    full_scale : dict of str to float
        By method, if asked for: the root mean square deviation of block means from the reference
        when that is itself made finer.
    """

    reference: NDArray[np.float32]
    coarse: NDArray[np.float32]
    areas: NDArray[np.float64]
    bounds: tuple[float, float, float, float]
    interpolated: NDArray[np.float32]
    estimates: dict[str, NDArray[np.float32]]
    full_scale: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Methods side by side on scenes.

    Attributes
    ----------
    scale : int
    unit : str
        Of all values.
    classical : tuple of str
        The labels of those methods that are baselines.
    scenes : tuple of Scene
        At least one block of each is observed in full.
    """

    scale: int
    unit: str
    classical: tuple[str, ...]
    scenes: tuple[Scene, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Labels of the methods, in the order given."""
        return tuple(self.scenes[0].estimates)


def compare(
    reference: Images,
    *,
    scale: int = 4,
    methods: Methods | None = None,
    psf: tuple[float, float] | None = None,
    full_scale: bool = False,
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
        weights for the scale.
    psf : (float, float), optional
        Transfer of the sensor at coarse Nyquist along y and x; see `no2sr.degrade`.
    full_scale : bool
        Make the references themselves finer, too, and compare block means; costs scale^2 as much.
    progress : callable, optional
        Called as ``progress(images_done, images_in_all)``.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingsError
        If the scale or the psf is out of range.
    NoValidPixelsError
        If no block was observed in full.
    ModelError
        If there is no such method.
    """
    scale = check_scale(scale, least=2)
    chosen = resolve_methods(methods, scale)
    given = [reference] if isinstance(reference, xr.Dataset | xr.DataArray) else reference
    images = [choose_variable(image) for image in given]
    scenes: list[Scene] = []
    for number, image in enumerate(images, start=1):
        coarse = degrade(image, scale, psf=psf)
        if np.isfinite(coarse.values).any():
            scenes += _scenes(modcrop(image, scale), coarse, chosen, full_scale=full_scale)
        if progress is not None:
            progress(number, len(images))
    if not scenes:
        raise NoValidPixelsError(
            f"no block of {scale} x {scale} cells is observed in full; expected at least one; "
            "give larger or fuller images, or a smaller scale"
        )
    return Comparison(
        scale=scale,
        unit=str(images[0].attrs["units"]),
        classical=tuple(label for label in chosen if isinstance(chosen[label], Baseline)),
        scenes=tuple(scenes),
    )


def default_methods(scale: int) -> list[str]:
    """Return the names of all baselines, and of the shipped networks that have the scale."""
    cards = [card for card in available_models() if card.domain == "column"]
    return [*BASELINES, *(card.name for card in cards if card.scale == scale)]


def resolve_methods(methods: Methods | None, scale: int) -> dict[str, Method]:
    """Return methods by label.

    Parameters
    ----------
    methods : sequence of str, or mapping of label to method, optional
        As for `compare`.
    scale : int

    Raises
    ------
    ModelError
        If there is no such method.
    """
    methods = default_methods(scale) if methods is None else methods
    named = methods if isinstance(methods, Mapping) else {name: name for name in methods}
    return {
        label: choose_method(Refining(scale=scale, model=method, uncertainty=False))
        for label, method in named.items()
    }


def _scenes(
    reference: xr.DataArray,
    coarse: xr.DataArray,
    methods: Mapping[str, Method],
    *,
    full_scale: bool,
) -> list[Scene]:
    """Return one record a layer that is not all gaps."""
    scale = reference.sizes["y"] // coarse.sizes["y"]
    for method in methods.values():
        if method.halo is not None:
            check_size(coarse, method)
    canvas = Canvas.of(coarse, scale)
    made = {label: collect(canvas, method).values for label, method in methods.items()}
    base = Baseline(name=BASE, scale=scale)
    known = next((label for label, method in methods.items() if method == base), None)
    interpolated = collect(canvas, base).values if known is None else made[known]
    deviations = {
        label: _full_scale(method, reference) for label, method in methods.items() if full_scale
    }
    return [
        Scene(
            reference=wanted,
            coarse=given,
            areas=canvas.areas,
            bounds=bounds_of(reference),
            interpolated=interpolated[layer],
            estimates={label: values[layer] for label, values in made.items()},
            full_scale=deviations,
        )
        for layer, (wanted, given) in enumerate(
            zip(_layers(reference), _layers(coarse), strict=True)
        )
        if np.isfinite(given).any()
    ]


def _full_scale(method: Method, reference: xr.DataArray) -> float:
    """Make the reference finer and return how far its block means are off."""
    canvas = Canvas.of(reference, method.scale)
    finer = collect(canvas, method).values
    squares = [
        closure(found, wanted, canvas.areas) ** 2
        for found, wanted in zip(finer, _layers(reference), strict=True)
    ]
    return float(np.sqrt(np.nanmean(squares)))


def _layers(image: xr.DataArray) -> NDArray[np.float32]:
    """Return values as (layers, y, x)."""
    values: NDArray[np.float32] = image.to_numpy().reshape(-1, *image.shape[-2:])
    return values
