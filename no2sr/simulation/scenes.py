"""Simulated images with a known truth: north India, random regions, scenes for training.

A `no2sr.simulation.landscape.Landscape` is the truth as a function of position. `northern_india`
and `random_landscape` make one, `truth` averages it over the cells of any grid, `scene` is the
quick form for training, and `add_noise` turns either into an observation.
`no2sr.simulation.orbit` makes swaths.

Lifetimes of 2 to 6 hours by day are like those fitted to megacities (S. Beirle et al., Science 333
(2011) 1737-1739). Emissions are not an inventory: they are set so that columns are as TROPOMI and
GEMS see them, 1e-5..4e-5 mol m-2 over the countryside and up to some 3e-4 over cities and power
plants in winter.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.earth import KM_PER_DEGREE
from no2sr.core.errors import SettingsError
from no2sr.core.grid import check_scale, regular_grid, transform_of
from no2sr.core.image import COLUMN_ATTRS, add_history
from no2sr.simulation.landscape import Landscape

if TYPE_CHECKING:
    import xarray as xr
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray

__all__ = ["add_noise", "northern_india", "random_landscape", "scene", "truth"]

# Longitude, latitude (degrees), emission (mol s-1 of NO2), width (km). The places are real, to 0.1
# degree; the emissions have only the right magnitude.
# fmt: off
_CITIES = (
    (77.22, 28.64, 17, 11), (77.07, 28.47, 6, 7), (77.38, 28.61, 7, 8), (77.32, 28.40, 4, 6),
    (80.33, 26.46, 8, 8), (80.95, 26.85, 8, 9), (78.02, 27.18, 5, 8), (75.80, 26.91, 8, 10),
    (82.98, 25.32, 4, 8), (81.85, 25.44, 4, 8), (85.14, 25.60, 6, 10), (75.86, 30.90, 6, 8),
    (74.87, 31.63, 4, 7), (74.34, 31.55, 15, 11), (73.08, 31.42, 6, 8), (76.78, 30.72, 4, 8),
    (77.70, 28.98, 4, 7), (79.42, 28.36, 3, 6), (78.18, 26.22, 3, 7), (85.32, 27.70, 3, 6),
    (77.41, 23.26, 4, 9), (75.86, 22.72, 5, 9), (72.58, 23.03, 11, 11), (88.36, 22.57, 13, 12),
    (85.33, 23.35, 3, 8), (86.43, 23.80, 7, 12), (71.47, 30.20, 4, 8), (73.05, 33.65, 6, 10),
    (83.37, 26.76, 3, 8), (73.02, 26.28, 3, 8), (79.95, 23.17, 3, 8), (79.09, 21.15, 5, 9),
    (81.63, 21.25, 6, 10), (90.40, 23.77, 9, 10), (78.08, 27.88, 3, 7), (78.77, 28.84, 3, 6),
)
_POWER_PLANTS = (
    (82.67, 24.10, 13, 4), (82.79, 24.03, 8, 4), (82.79, 24.20, 7, 3.5), (82.98, 24.44, 4, 3),
    (77.61, 28.60, 4, 3), (76.88, 29.39, 4, 3), (76.35, 28.48, 7, 3), (76.58, 31.04, 4, 3),
    (75.17, 30.27, 3, 3), (75.23, 29.92, 4, 3), (74.02, 29.18, 5, 3), (75.82, 25.17, 5, 3),
    (77.04, 24.62, 5, 3), (81.33, 25.91, 4, 3), (82.60, 26.60, 3, 3), (79.93, 27.82, 4, 3),
    (78.13, 28.02, 3, 3), (78.76, 25.51, 4, 3), (82.69, 22.38, 11, 5), (82.29, 22.13, 7, 3),
    (87.27, 25.24, 6, 3), (87.89, 24.77, 6, 3), (85.75, 25.48, 6, 3), (87.13, 23.46, 8, 4),
    (85.87, 23.78, 6, 4), (85.07, 21.10, 10, 4), (83.87, 21.75, 10, 5), (73.36, 22.88, 5, 3),
    (78.17, 22.11, 4, 3), (81.06, 23.31, 4, 3), (71.19, 30.07, 4, 3), (73.25, 30.67, 4, 3),
)
# The haze of small towns, traffic and fields over the plain from Lahore to Bengal.
_HAZE = (
    (74.3, 31.2, 45, 95), (76.4, 29.7, 60, 95), (78.3, 28.0, 65, 95), (80.4, 26.8, 60, 95),
    (82.6, 26.0, 55, 95), (84.9, 25.7, 50, 95), (87.2, 24.6, 50, 95), (89.3, 23.6, 40, 95),
)
# fmt: on


def northern_india() -> Landscape:
    """Return the landscape of the sample data: a winter day with a north-westerly wind."""
    rng = np.random.default_rng(20240115)
    known = np.array(_CITIES + _POWER_PLANTS + _HAZE, dtype=np.float64)
    return Landscape(
        origin=(79.0, 27.0),
        background=1.6e-5,
        waves=_waves(rng, roughness=0.25),
        sources=np.concatenate([known, _small_towns(rng, 70)]),
        wind=(3.4, -1.6),
        lifetime=4 * 3600.0,
        diffusivity=2500.0,
        meander=(5.0, 110.0),
    )


def _small_towns(rng: Generator, count: int) -> NDArray[np.float64]:
    """Draw nameless towns along the plain, from 73 E, 31.5 N to 89 E, 24 N."""
    along, across = rng.uniform(0, 1, count), rng.normal(-0.5, 1.6, count)
    lon, lat = 73 + 16 * along, 31.5 - 7.5 * along + across
    emissions, widths = rng.lognormal(0, 0.5, count), rng.uniform(4, 10, count)
    return np.column_stack([lon, lat, emissions, widths])


def random_landscape(bounds: tuple[float, float, float, float], *, seed: int) -> Landscape:
    """Draw a landscape: cities, power plants, background, wind, lifetime, spread.

    Parameters
    ----------
    bounds : (west, south, east, north), degrees
        Where the sources lie, and a sixth more on every side, because plumes drift in. On average
        there are 1.5 towns and 2 power plants, and as many more for every 10 square degrees.
    seed : int

    Returns
    -------
    Landscape
        From almost empty to crowded; winds of 1 to 8 m s-1, lifetimes of 2 to 6 hours.
    """
    rng = np.random.default_rng(seed)
    west, south, east, north = bounds
    speed, heading = rng.uniform(1, 8), rng.uniform(0, 2 * math.pi)
    crowd = 1 + (east - west) * (north - south) / 10
    plants = _places(rng, bounds, rng.poisson(2 * crowd))
    towns = [_town(rng, place) for place in _places(rng, bounds, rng.poisson(1.5 * crowd))]
    sizes = rng.lognormal(math.log(5), 0.7, len(plants)), rng.uniform(2, 5, len(plants))
    return Landscape(
        origin=((west + east) / 2, (south + north) / 2),
        background=rng.uniform(0.8e-5, 3.5e-5),
        waves=_waves(rng, roughness=rng.uniform(0.05, 0.5)),
        sources=np.concatenate([np.column_stack([plants, *sizes]), *towns]),
        wind=(speed * math.cos(heading), speed * math.sin(heading)),
        lifetime=rng.uniform(2, 6) * 3600,
        diffusivity=rng.lognormal(math.log(2000), 0.6),
        meander=(rng.uniform(0, 8), rng.uniform(50, 200)),
    )


def _places(
    rng: Generator, bounds: tuple[float, float, float, float], count: int
) -> NDArray[np.float64]:
    """Draw longitudes and latitudes in a box that is a sixth larger on every side."""
    west, south, east, north = bounds
    spare = np.array([east - west, north - south]) / 6
    low, high = np.array([west, south]) - spare, np.array([east, north]) + spare
    return rng.uniform(low, high, (count, 2))


def _town(rng: Generator, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw a town: a core, and suburbs scattered along an axis, so that it is not round."""
    parts = int(rng.integers(2, 6))
    core = rng.uniform(5, 16)
    axis, stretch = rng.uniform(0, math.pi), rng.uniform(1, 4)
    strewn = rng.standard_normal((parts, 2)) * [core * stretch / 2, core / 2]
    strewn[0] = 0
    turn = np.array([[math.cos(axis), math.sin(axis)], [-math.sin(axis), math.cos(axis)]])
    shares = rng.dirichlet(np.full(parts, 2.0))
    emissions = rng.lognormal(math.log(12), 0.7) * np.sort(shares)[::-1]
    widths = core * np.concatenate([[1.0], rng.uniform(0.3, 1, parts - 1)])
    return np.column_stack([place + strewn @ turn / KM_PER_DEGREE, emissions, widths])


def _waves(rng: Generator, *, roughness: float) -> NDArray[np.float64]:
    """Draw 10 waves of 40 to 1500 km, larger if longer; their sum has spread `roughness`."""
    wavelengths = np.geomspace(40, 1500, 10)
    amplitudes = wavelengths**0.7
    amplitudes *= roughness / math.sqrt((amplitudes**2).sum() / 2)  # a sine's variance is 1/2
    directions, phases = rng.uniform(0, 2 * math.pi, (2, 10))
    k = 2 * math.pi / wavelengths
    return np.column_stack([amplitudes, k * np.cos(directions), k * np.sin(directions), phases])


def truth(
    bounds: tuple[float, float, float, float],
    resolution: float,
    *,
    landscape: Landscape | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Average a landscape over the cells of a grid.

    Parameters
    ----------
    bounds : (west, south, east, north), degrees
        Widened to multiples of the resolution.
    resolution : float, degrees
    landscape : Landscape, optional
        By default `random_landscape` of the bounds and the seed.
    seed : int
        Of the random landscape.

    Returns
    -------
    DataArray, (y, x), mol m-2
        Area means, by Gauss-Legendre quadrature in every cell, to 1e-5 of a plume's peak. The block
        means of the truth at a finer spacing are the truth at a coarser one.
    """
    if landscape is None:
        landscape = random_landscape(bounds, seed=seed)
    image = regular_grid(bounds, resolution)
    t = transform_of(image)
    nodes, weights = _quadrature(landscape, resolution * KM_PER_DEGREE)
    x = (image["x"].values[:, None] + t.a / 2 * nodes).reshape(-1)
    for row, centre in enumerate(image["y"].values):
        y = centre + t.e / 2 * nodes
        area = weights * np.cos(np.deg2rad(y))
        points = landscape(x, y[:, None]).reshape(nodes.size, -1, nodes.size)
        image.values[row] = np.einsum("i,ixj,j->x", area / area.sum(), points, weights)
    return _describe(image, f"truth resolution={resolution:g}")


def _quadrature(
    landscape: Landscape, side: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes in -1..1 and weights of sum 1 that average over a cell `side` km wide.

    With 1 + 1.5 side / sigma nodes a Gaussian of width sigma is averaged to 1e-5 of its peak.
    """
    narrowest = landscape.sources[:, 3].min(initial=30.0)
    nodes, weights = np.polynomial.legendre.leggauss(1 + math.ceil(1.5 * side / narrowest))
    return nodes, weights / 2


def _describe(image: xr.DataArray, step: str) -> xr.DataArray:
    """Give an image the name and attributes of a simulated column."""
    named = image.rename("tropospheric_NO2_column").assign_attrs(COLUMN_ATTRS)
    return add_history(named.assign_attrs(source="SIMULATED by no2sr"), step)


def scene(
    shape: tuple[int, int], *, spacing: float = 0.05, scale: int = 1, seed: int = 0
) -> xr.DataArray:
    """Make a quick random truth for training.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid of the sensor.
    spacing : float, degrees
        Cell size of that grid.
    scale : int
        The truth has cells this many times finer.
    seed : int
        Every seed has its own `random_landscape`.

    Returns
    -------
    DataArray, (scale * y, scale * x), mol m-2
        Without noise. The variance of a square cell, side^2 / 12, is added to that of every source
        instead of averaging over the cell: within a few per cent of a peak, at one evaluation per
        cell.
    """
    fine = spacing / check_scale(scale)
    blank = _make_blank((shape[0] * scale, shape[1] * scale), fine)
    x, y = blank["x"].values, blank["y"].values
    landscape = random_landscape((x[0], y[-1], x[-1], y[0]), seed=seed)
    widths = landscape.sources[:, 3]
    widths[:] = np.hypot(widths, fine * KM_PER_DEGREE / math.sqrt(12))
    values = landscape(x.astype(np.float32), y.astype(np.float32)[:, None])
    return blank.copy(data=values)


@lru_cache(maxsize=8)
def _make_blank(shape: tuple[int, int], spacing: float) -> xr.DataArray:
    """Return an empty image south-east of 78 E, 30 N, where a degree east is 0.87 degree north."""
    left, top = round(78 / spacing), round(30 / spacing)
    bounds = (left, top - shape[0], left + shape[1], top)
    west, south, east, north = (edge * spacing for edge in bounds)
    return _describe(regular_grid((west, south, east, north), spacing), "scene")


def add_noise(image: xr.DataArray, sigma: ArrayLike, seed: int) -> xr.DataArray:
    """Add independent Gaussian noise.

    Parameters
    ----------
    image : DataArray
    sigma : float or array of the image's shape
        Standard deviation, in units of the image.
    seed : int

    Returns
    -------
    DataArray
        Columns may become negative, as observed ones do.

    Raises
    ------
    SettingsError
        If `sigma` has negative or missing values.
    """
    widths = np.asarray(sigma, dtype=np.float64)
    if not (widths >= 0).all():
        raise SettingsError(
            "sigma has negative or missing values; give a standard deviation for every cell"
        )
    draw = np.random.default_rng(seed).standard_normal(image.shape)
    noisy = image.copy(data=(image.values + widths * draw).astype(image.dtype))
    return add_history(noisy, f"add_noise seed={seed}")
