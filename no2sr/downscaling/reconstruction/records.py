"""What travels through a reconstruction: settings, overpasses, the solved grid, what was tuned."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from no2sr.core.errors import SettingsError
from no2sr.swaths.footprints import RESPONSES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from no2sr.swaths.overlap import Frame, Pixels

__all__ = ["KM_PER_DEGREE", "Grid", "Overpass", "Settings", "Tuning"]

KM_PER_DEGREE = 111.195  # of latitude, on a sphere of 6371 km
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a reconstruction.

    Attributes
    ----------
    resolution : float
        Cell size, degrees.
    smoothness : float or "auto"
        Weight of the roughness, km2; "auto" chooses it by predicting held-out overpasses.
    response : {"quadrilateral", "super-gaussian"}
        See `no2sr.swaths.footprints.build_operator`.
    uncertainty : bool
        Whether to compute the uncertainty and the local resolution, which takes most of the time.
    block : float
        Side of a block, degrees, without its margin. It bounds the memory.
    margin : float
        Width of the rim that is solved with a block and cut off or blended, degrees.
    """

    resolution: float = 0.01
    smoothness: float | str = "auto"
    response: str = "quadrilateral"
    uncertainty: bool = True
    block: float = 1.0
    margin: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        number = isinstance(self.smoothness, int | float) and not isinstance(self.smoothness, bool)
        positive = number and 0 < float(self.smoothness) < math.inf
        if not (self.smoothness == "auto" or positive):
            raise SettingsError(
                f"smoothness is {self.smoothness!r}; give a positive number of km2, or 'auto' to "
                "let held-out overpasses decide"
            )
        if not (isinstance(self.resolution, int | float) and 1e-4 <= self.resolution <= 1):
            raise SettingsError(
                f"resolution is {self.resolution!r}; give degrees from 0.0001 to 1, such as 0.01 "
                "for Sentinel-5P"
            )
        if self.response not in RESPONSES:
            raise SettingsError(
                f"response is {self.response!r}; choose one of {', '.join(RESPONSES)}"
            )


class Overpass(NamedTuple):
    """The usable pixels of one overpass near the region."""

    name: str
    number: int  # its place among all overpasses, in the order of their names
    pixels: Pixels
    place: NDArray[np.int64]  # (n,), the place of each pixel in the file
    seen: tuple[str, str] | None = None  # the first and the last moment, ISO 8601


class Grid(NamedTuple):
    """A grid that is solved at once."""

    frame: Frame
    shape: tuple[int, int]
    corner: tuple[int, int]  # row and column of its first cell in the grid of the whole region

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.shape[0] * self.shape[1]

    @property
    def steps(self) -> tuple[float, float]:
        """Height and width of a cell, km."""
        middle = self.frame.north - self.frame.spacing * self.shape[0] / 2
        height = self.frame.spacing * KM_PER_DEGREE
        return height, height * max(math.cos(math.radians(middle)), 0.05)

    @property
    def box(self) -> Box:
        """Outer edges: west, south, east, north."""
        west, north, spacing = self.frame
        return west, north - spacing * self.shape[0], west + spacing * self.shape[1], north


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What was learned from the overpasses before the map is solved, once for all blocks.

    Attributes
    ----------
    noise : dict of int to float
        Random error of a pixel with no signal, by the number of its overpass; mol m-2.
    typical : float
        Median of these; also the noise of overpasses that were not looked at.
    growth : float
        How the random error grows with the modelled column: ``noise * sqrt(1 + (growth * m)**2)``
        for the modelled column m, less its level, in units of ``typical``.
    level : float
        Median of the columns, mol m-2.
    departure : float
        Standard deviation of the smooth departures of single days, mol m-2.
    first : float
        Smoothness of the first pass, whose roughness has the same weight everywhere; km2.
    smoothness : float
        Smoothness of the second pass, km2.
    steepness : float
        Typical gradient of the first pass, mol m-2 km-1; 0 if held-out overpasses did not agree
        that the strength should follow the signal.
    widening : float
        What the uncertainty is multiplied by, from held-out overpasses.
    curve : tuple of (float, float)
        Smoothness and error of prediction, relative to the least.
    explained : float
        Share of the variance of held-out overpasses that the map explains.
    """

    noise: dict[int, float] = field(default_factory=dict)
    typical: float = 1.0
    growth: float = 0.0
    level: float = 0.0
    departure: float = 0.0
    first: float = 0.1
    smoothness: float = 0.1
    steepness: float = 0.0
    widening: float = 1.0
    curve: tuple[tuple[float, float], ...] = ()
    explained: float = math.nan
