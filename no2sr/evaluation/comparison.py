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

from no2sr.core.errors import NoValidPixelsError
from no2sr.core.grid import bounds_of, cell_areas, check_scale, modcrop
from no2sr.downscaling.baselines import BASELINES, enlarge, interpolate
from no2sr.downscaling.pipeline import downscale
from no2sr.networks.card import Model
from no2sr.networks.store import available_models, load_model
from no2sr.simulation.degrading import degrade
from no2sr.steps.conserve import closure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Methods = Sequence[str] | Mapping[str, str | Model]
    Images = xr.DataArray | Iterable[xr.DataArray]

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
    reference : DataArray, (y, x) or (time, y, x), or an iterable of such
        Fine images; sizes are trimmed to multiples of the scale.
    scale : int
    methods : sequence of str, or mapping of label to name or Model, optional
        Baselines, shipped networks, folders of saved models, models. By default all baselines and
        all shipped networks with weights for the scale.
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
    chosen = _resolve(methods, scale)
    images = [reference] if isinstance(reference, xr.DataArray) else list(reference)
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
        classical=tuple(label for label, method in chosen.items() if isinstance(method, str)),
        scenes=tuple(scenes),
    )


def default_methods(scale: int) -> list[str]:
    """Return the names of all baselines, and of the shipped networks that have the scale."""
    cards = [card for card in available_models() if card.domain == "column"]
    return [*BASELINES, *(card.name for card in cards if card.scale == scale)]


def _resolve(methods: Methods | None, scale: int) -> dict[str, str | Model]:
    """Return methods by label: the name of a baseline, or a loaded model."""
    methods = default_methods(scale) if methods is None else methods
    named = methods if isinstance(methods, Mapping) else {name: name for name in methods}
    return {
        label: method
        if isinstance(method, Model) or method in BASELINES
        else load_model(method, scale=scale)
        for label, method in named.items()
    }


def _scenes(
    reference: xr.DataArray,
    coarse: xr.DataArray,
    methods: Mapping[str, str | Model],
    *,
    full_scale: bool,
) -> list[Scene]:
    """Return one record a layer that is not all gaps."""
    scale = reference.sizes["y"] // coarse.sizes["y"]
    areas = cell_areas(reference)
    made = {label: _apply(method, coarse, scale, areas) for label, method in methods.items()}
    interpolated = made.get(BASE) if methods.get(BASE) == BASE else None
    if interpolated is None:
        interpolated = _apply(BASE, coarse, scale, areas)
    deviations = {
        label: _full_scale(method, reference, scale)
        for label, method in methods.items()
        if full_scale
    }
    return [
        Scene(
            reference=wanted,
            coarse=given,
            areas=areas,
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


def _apply(
    method: str | Model, coarse: xr.DataArray, scale: int, areas: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Bring a coarse image to the fine grid, as (layers, y, x)."""
    if isinstance(method, str):
        # Arrays suffice here, and coordinates of thousands of small images would take most time.
        return np.stack([enlarge(layer, areas, scale, method=method) for layer in _layers(coarse)])
    return _layers(downscale(coarse, scale=scale, model=method))


def _full_scale(method: str | Model, reference: xr.DataArray, scale: int) -> float:
    """Make the reference finer and return how far its block means are off."""
    if isinstance(method, str):
        finer = interpolate(reference, scale, method=method)
    else:
        finer = downscale(reference, scale=scale, model=method)
    squares = [
        closure(found, wanted, cell_areas(finer)) ** 2
        for found, wanted in zip(_layers(finer), _layers(reference), strict=True)
    ]
    return float(np.sqrt(np.nanmean(squares)))


def _layers(image: xr.DataArray) -> NDArray[np.float32]:
    """Return values as (layers, y, x)."""
    values: NDArray[np.float32] = image.to_numpy().reshape(-1, *image.shape[-2:])
    return values
