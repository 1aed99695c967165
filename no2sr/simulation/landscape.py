"""A simulated NO2 column as a function of position.

A `Landscape` is a background with large-scale structure and a list of sources. Each source is an
emission that one wind carries away while it decays and spreads. It is evaluated at points, so that
the same truth exists at any spacing and can be averaged over any pixel: `no2sr.simulation.scenes`
does so over grid cells, `no2sr.simulation.orbit` over the quadrilaterals of a swath. There is no
topography, chemistry or time: it looks like NO2 to a method, but does not predict NO2.

References
----------
S. Beirle et al., "Megacity emissions and lifetimes of nitrogen oxides probed from space", Science
333 (2011) 1737-1739: the exponentially modified Gaussian along the wind.
F. Pasquill and F. B. Smith, "Atmospheric Diffusion", 3rd ed., 1983: a variance that grows as 2 K t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx

from no2sr.core.earth import KM_PER_DEGREE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Landscape"]

# Beyond 5 widths a Gaussian is below 4e-6 of its peak. After 10 decay lengths a plume is below 5e-5
# of its start and much wider. Both are far below the noise of any instrument.
WIDTHS, LENGTHS = 5.0, 10.0
CHUNK = 1 << 15  # points at a time: the working arrays stay in the processor's cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Landscape:
    """A simulated truth; called with positions, it returns the column there.

    Attributes
    ----------
    origin : (float, float)
        Longitude and latitude, degrees, at which phases are zero.
    background : float
        Column where the waves cancel, mol m-2. Rural continents have 1e-5..4e-5.
    waves : array, (n, 4)
        Relative amplitude, eastward and northward wavenumber (rad km-1), phase (rad).
        The background is ``background * exp(sum of the waves)``, hence never negative.
    sources : array, (n, 4)
        Longitude, latitude, emission (mol s-1 of NO2), width (Gaussian sigma, km).
        1 mol s-1 is 1.45 kt of NO2 a year.
    wind : (float, float)
        Eastward and northward, m s-1; not both zero.
    lifetime : float
        Seconds until 1/e remains; 2 to 6 hours by day.
    diffusivity : float
        Across the wind, m2 s-1: the variance of a plume grows by ``2 * diffusivity`` per second.
    meander : (float, float)
        Amplitude and wavelength, km, of the plumes' swing across the wind.
    """

    origin: tuple[float, float]
    background: float
    waves: NDArray[np.float64]
    sources: NDArray[np.float64]
    wind: tuple[float, float]
    lifetime: float
    diffusivity: float
    meander: tuple[float, float]

    @property
    def speed(self) -> float:
        """Wind speed, m s-1."""
        return math.hypot(*self.wind)

    @property
    def length(self) -> float:
        """The distance, km, that air travels in one lifetime."""
        return self.speed * self.lifetime / 1e3

    @property
    def growth(self) -> float:
        """The growth of a plume's variance, km2 for each km downwind."""
        return 2 * self.diffusivity / self.speed / 1e3

    def __call__(self, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.floating]:
        """Evaluate the tropospheric column at points.

        Parameters
        ----------
        longitude, latitude : array, degrees
            Of shapes that broadcast together.

        Returns
        -------
        array, mol m-2
            float32 if both are (faster; positions are good to about a metre), otherwise float64.
        """
        lon, lat = np.broadcast_arrays(np.asarray(longitude), np.asarray(latitude))
        values = np.empty(lon.shape, np.result_type(lon, lat, np.float32))
        flat, lon, lat = values.reshape(-1), lon.reshape(-1), lat.reshape(-1)
        for start in range(0, flat.size, CHUNK):
            part = slice(start, start + CHUNK)
            flat[part] = _columns(self, lon[part] - self.origin[0], lat[part] - self.origin[1])
        return values


def _columns(
    landscape: Landscape, east: NDArray[np.floating], north: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Evaluate the column at offsets from the origin, in degrees."""
    lon0, lat0 = landscape.origin
    exponent = np.zeros_like(east)
    for amplitude, *k, phase in landscape.waves.tolist():
        k_east, k_north = (KM_PER_DEGREE * component for component in k)
        exponent += amplitude * np.sin(k_east * east + k_north * north + phase)
    total = landscape.background * np.exp(exponent)
    # x = R cos(latitude) longitude, y = R latitude: the sinusoidal projection keeps areas, and so
    # the mass of a plume.
    shrink = KM_PER_DEGREE * np.cos(np.deg2rad(north + lat0))
    u, v = (component / landscape.speed for component in landscape.wind)
    for lon, lat, emission, width in _select_sources(landscape, north):
        x, y = shrink * (east - (lon - lon0)), KM_PER_DEGREE * (north - (lat - lat0))
        start = KM_PER_DEGREE * (u * math.cos(math.radians(lat0)) * (lon - lon0) + v * (lat - lat0))
        along, across = u * x + v * y, u * y - v * x
        far, side = _extent(landscape, width)
        inside = (along > -WIDTHS * width) & (along < far) & (np.abs(across) < side)
        near = np.flatnonzero(inside)
        if near.size:
            burden = emission * landscape.lifetime / 1e6  # mol, and km-2 in a m-2
            density = _plume(landscape, along[near], across[near], width=width, start=start)
            total[near] += burden * density
    return total


def _extent(landscape: Landscape, width: float) -> tuple[float, float]:
    """Return the reach of a plume, km, along the wind and to either side of it."""
    far = LENGTHS * landscape.length + WIDTHS * width
    side = WIDTHS * math.sqrt(width**2 + landscape.growth * far) + 2 * landscape.meander[0]
    return far, side


def _select_sources(landscape: Landscape, north: NDArray[np.floating]) -> Iterator[list[float]]:
    """Yield the sources whose plumes may reach the latitudes of the points."""
    low, high = north.min() + landscape.origin[1], north.max() + landscape.origin[1]
    for source in landscape.sources.tolist():
        _, lat, _, width = source
        reach = math.hypot(*_extent(landscape, width)) / KM_PER_DEGREE
        if low - reach < lat < high + reach:
            yield source


def _plume(
    landscape: Landscape,
    along: NDArray[np.floating],
    across: NDArray[np.floating],
    *,
    width: float,
    start: float,
) -> NDArray[np.floating]:
    """Return a plume of integral 1, in km-2, at points given along and across the wind.

    With the width s and the distance L of one lifetime it is the product of

        exp(-a^2 / 2 s^2) erfcx((s / L - a / s) / sqrt 2) / 2 L      along the wind (a)
        exp(-c^2 / 2 v) / sqrt(2 pi v),  v = s^2 + 2 K a / speed     across it (c)

    The meander shifts c by a function of a alone, a shear, which keeps areas. It is a standing
    wave; `start` is the place of the source along it, in km.
    """
    length = landscape.length
    swing, k = landscape.meander[0], 2 * math.pi / landscape.meander[1]
    centred = across - swing * (np.sin(k * along + k * start) - math.sin(k * start))
    downwind = (along + np.sqrt(along**2 + width**2)) / 2  # a smooth max(along, 0)
    variance = width**2 + landscape.growth * downwind
    z = (width / length - along / width) / math.sqrt(2)
    gauss = _exp(-(along**2) / (2 * width**2)) * erfcx(np.abs(z))
    # erfcx overflows far downwind, so erfcx(z) = 2 exp(z^2) - erfcx(-z) is used there.
    decay = 2 * _exp(np.minimum(width**2 / (2 * length**2) - along / length, 0))
    ahead = np.where(z < 0, decay - gauss, gauss) / (2 * length)
    beside = _exp(-(centred**2) / (2 * variance)) / np.sqrt(2 * math.pi * variance)
    density: NDArray[np.floating] = ahead * beside
    return density


def _exp(exponent: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the exponential, at least 4e-18: float32 below 1e-38 is many times slower."""
    value: NDArray[np.floating] = np.exp(np.maximum(exponent, -40))
    return value
