"""The records of a comparison: observations, how they are judged, and the estimates of scenes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.downscaling.history import Aligned
    from no2sr.downscaling.settings import Place
    from no2sr.evaluation.adding import AddedNoise

__all__ = ["Comparison", "Judging", "Observation", "Scene"]


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
    noise : array like `coarse`, or None
        One standard deviation of the noise in it, as the methods were told.
    uncertainties : dict of str to array, (y, x)
        By method, for those that state one.
    """

    reference: NDArray[np.float32]
    coarse: NDArray[np.float32]
    areas: NDArray[np.float64]
    bounds: tuple[float, float, float, float]
    interpolated: NDArray[np.float32]
    estimates: dict[str, NDArray[np.float32]]
    full_scale: dict[str, float]
    noise: NDArray[np.float32] | None = None
    uncertainties: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A fine image, and what a coarser instrument saw of it.

    Attributes
    ----------
    reference : DataArray, (y, x) or (time, y, x)
    coarse : DataArray, (..., y / scale, x / scale)
        Over the same extent.
    noise : DataArray like `coarse`, or None
        One standard deviation of its random error, as it is stated.
    place : Aligned, optional
        The history of the place, on the grid of the reference.
    """

    reference: xr.DataArray
    coarse: xr.DataArray
    noise: xr.DataArray | None = None
    place: Aligned | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How images are degraded, and what is asked of the methods.

    Attributes
    ----------
    psf : (float, float), optional
        Transfer of the sensor at coarse Nyquist along y and x; see `no2sr.degrade`.
    noise : float or (float, float), optional
        Noise added to the coarse image, see `no2sr.evaluation.adding.add_noise`. Methods are told
        the noise that a product would state.
    seed : int
        Of the noise.
    history : str, Path, Dataset or DataArray, optional
        A fine map of the place, made of other observations. Every network is judged with it as
        well.
    neighbours : {0, 1}
        1 judges the networks with the steps before and after as well, if noise is added.
    uncertainty : bool
        Let networks state their uncertainty.
    full_scale : bool
        Make the references themselves finer, too, and compare block means; costs scale^2 as much.
    """

    psf: tuple[float, float] | None = None
    noise: AddedNoise | None = None
    seed: int = 0
    history: Place | None = None
    neighbours: int = 0
    uncertainty: bool = False
    full_scale: bool = False


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
