"""The method port: what turns a coarse block into a fine one.

Networks, the classical methods and the luminance path are methods, and so is any object of yours
with the same members. Everything that runs methods (`no2sr.downscale` in memory, by window and
on Dask, `no2sr.evaluate`) knows only what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from no2sr.core.errors import DimensionError, ModelError, No2srError, SettingsError
from no2sr.downscaling.tally import Tally
from no2sr.steps.gaps import restore_gaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Block", "Estimate", "FunctionMethod", "Method", "WholeScene"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a coarse scene, with a halo of its neighbours' cells.

    Attributes
    ----------
    values : array, (y + 2 halo, x + 2 halo), float32
        The column; NaN in gaps. Beyond the edges of the scene it is continued by reflection, or
        around the globe.
    areas : array, (scale * y,)
        Relative area of the cells of each fine row, without halo.
    noise : array like `values`, or None
        One standard deviation of the random error of each cell, in the unit of the column; NaN
        where it is unknown. None where nothing is known.
    systematic : array like `values`, or None
        The error that cells share, likewise.
    before, after : array like `values`, or None
        The column at the step before and after; NaN where it is missing.
    before_noise, after_noise : array like `values`, or None
        Their noise.
    history : array, (scale * (y + 2 halo), scale * (x + 2 halo)), or None
        A fine map of the same place, in any unit; NaN where it is missing.
    history_noise : array like `values`, or None
        Standard uncertainty of a fine value of the history, in its unit; NaN where it is unknown.
    """

    values: NDArray[np.float32]
    areas: NDArray[np.float64]
    noise: NDArray[np.float32] | None = None
    systematic: NDArray[np.float32] | None = None
    before: NDArray[np.float32] | None = None
    after: NDArray[np.float32] | None = None
    before_noise: NDArray[np.float32] | None = None
    after_noise: NDArray[np.float32] | None = None
    history: NDArray[np.float32] | None = None
    history_noise: NDArray[np.float32] | None = None


class Estimate(NamedTuple):
    """What a method makes of a block.

    Attributes
    ----------
    values : array, (scale * y, scale * x), float32
        NaN exactly in the blocks of gaps.
    uncertainty : array like `values`, or None
        Standard uncertainty, in the unit of the column; None if the method states none.
    tally : Tally
        Counts of the coarse cells, with the largest residual of conservation.
    """

    values: NDArray[np.float32]
    uncertainty: NDArray[np.float32] | None
    tally: Tally


@runtime_checkable
class Method(Protocol):
    """What makes blocks finer.

    Attributes
    ----------
    name : str
        What tables and outputs call it.
    scale : int
        Fine cells along each side of a coarse one.
    halo : int or None
        Coarse cells beyond a block that it needs. None if the method has to see the whole scene at
        once.
    reach : int
        Coarse cells beyond a block that its values can depend on: what ``edges="shave"`` cuts.
    facts : dict
        What outputs record of the method, as attributes called ``no2sr_<name>``.
    states_uncertainty : bool
        Whether its estimates carry an uncertainty.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    @property
    def scale(self) -> int: ...  # noqa: D102

    @property
    def halo(self) -> int | None: ...  # noqa: D102

    @property
    def reach(self) -> int: ...  # noqa: D102

    @property
    def facts(self) -> dict[str, str | float]: ...  # noqa: D102

    @property
    def states_uncertainty(self) -> bool: ...  # noqa: D102

    def __call__(self, block: Block) -> Estimate:
        """Make a block finer."""
        ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class WholeScene:
    """A base for methods that see a whole scene at once and state no uncertainty."""

    __slots__ = ()

    @property
    def halo(self) -> None:
        """The method sees everything."""
        return

    @property
    def reach(self) -> int:
        """No dependence beyond the scene is known, so nothing is shaved."""
        return 0

    @property
    def facts(self: _Named) -> dict[str, str | float]:
        """What outputs record of the method."""
        return {"model": self.name}

    @property
    def states_uncertainty(self) -> bool:
        """Estimates hold values alone."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionMethod(WholeScene):
    """A plain function as a method.

    Attributes
    ----------
    function : callable
        Maps a coarse array (y, x), NaN in gaps, and the scale to a fine array
        (scale * y, scale * x). It sees a whole scene at once.
    scale : int
    name : str
    """

    function: Callable[[NDArray[np.float32], int], NDArray[np.floating]]
    scale: int
    name: str = "function"

    def __post_init__(self) -> None:
        """Refuse a function that does not take two arguments.

        Raises
        ------
        SettingsError
        """
        try:
            parameters = signature(self.function)
        except (TypeError, ValueError):  # some compiled functions do not say
            return
        try:
            parameters.bind(None, None)
        except TypeError as error:
            raise SettingsError(
                f"method {self.name} cannot be called as {self.name}(coarse, scale) ({error}); "
                "define it with these two arguments"
            ) from error

    def __call__(self, block: Block) -> Estimate:
        """Apply the function and put the gaps back.

        Raises
        ------
        ModelError
            If the function fails, or returns no number for an observed cell.
        DimensionError
            If it returns an array of another shape.
        """
        shape = block.values.shape
        wanted = tuple(self.scale * size for size in shape)
        fine = self._call(block.values.copy())
        if fine.shape != wanted:
            raise DimensionError(
                f"method {self.name} returned an array of shape {fine.shape} where {wanted} was "
                f"needed; return {self.scale} fine cells along each coarse one"
            )
        valid = np.isfinite(block.values)
        whole = restore_gaps(fine, valid, scale=self.scale)
        lost = np.sum(~np.isfinite(whole)) - self.scale**2 * np.sum(~valid)
        if lost:
            raise ModelError(
                f"method {self.name} returned NaN or infinity in {lost} fine cells that are "
                "observed; fill gaps before you interpolate, as no2sr.steps.gaps.fill_gaps does"
            )
        return Estimate(whole, None, Tally.of(block.values))

    def _call(self, coarse: NDArray[np.float32]) -> NDArray[np.float32]:
        """Call the function, and name it if it fails."""
        try:
            fine = np.asarray(self.function(coarse, self.scale))
        except No2srError:
            raise
        except Exception as error:  # whatever functions of users raise
            raise ModelError(
                f"method {self.name} failed on a coarse array of shape {coarse.shape} "
                f"({type(error).__name__}: {error}); correct the function"
            ) from error
        if not np.can_cast(fine.dtype, np.float32, "same_kind"):
            raise ModelError(
                f"method {self.name} returned values of type {fine.dtype}; return real numbers"
            )
        return fine.astype(np.float32)
