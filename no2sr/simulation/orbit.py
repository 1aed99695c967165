"""Simulated swaths: the pixels of a TROPOMI-like orbit, and their view of a known truth.

`orbit_geometry` flies the satellite over a spherical, rotating Earth. `pixel_means` averages a
field, given as a function of position, over the pixels. `swath` adds clouds, the precision of a
retrieval and matching noise.

References
----------
S5P/TROPOMI, "Level-1b ATBD" (S5P-KNMI-L01B-0009) and product user manuals: 824 km mean altitude,
98.7 degrees inclination, 101.5 minutes per revolution, ascending node at 13:30 local solar time,
0.84 s per scanline, 450 ground pixels over some 2600 km; the detector bins pairs of columns, except
in the outermost 20 ground pixels on each side, which are half as wide.
J. van Geffen et al., "S5P TROPOMI NO2 slant column retrieval", Atmos. Meas. Tech. 13 (2020)
1315-1335: slant column uncertainty about 0.6e15 molecules cm-2, that is 1e-5 mol m-2.
S5P/TROPOMI, "ATBD of the total and tropospheric NO2 data products" (S5P-KNMI-L2-0005-RP): error
budget of the tropospheric column, and the qa_value codes 1.00 clear and 0.74 cloudy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.earth import EARTH_RADIUS, KM_PER_DEGREE
from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Array = NDArray[np.floating]
    Field = Callable[[Array, Array], NDArray[np.floating]]

__all__ = ["orbit_geometry", "pixel_means", "swath"]

ALTITUDE = 824.0  # km
INCLINATION = math.radians(98.7)
REVOLUTION = 101.5 * 60  # s
DAY = 86400.0  # s, one rotation of the Earth below a sun-synchronous orbit
SCANLINE = 0.84  # s
NODE_HOUR_ANGLE = math.radians(22.5)  # 13:30 is 1.5 h after noon
PIXEL_ANGLE = math.radians(0.25)  # of a binned ground pixel: 3.6 km at nadir
UNBINNED = 20  # ground pixels on each side, half as wide
# The swath is bowed: real scanlines are slanted by 11 degrees times the sine of the angle from
# nadir, as on a cone that opens backwards (19 files over Delhi, within 1 degree, 3 at the rim).
BOW = math.tan(math.radians(11))

SLANT_PRECISION = 1e-5  # mol m-2
AMF_ERROR = 0.1  # of the column: the part of the air-mass factor error that differs between pixels
SENSITIVITY = 0.55  # tropospheric over geometric air mass factor, NO2 near the ground, clear sky


def orbit_geometry(
    centre: tuple[float, float], *, scanlines: int = 300, day_of_year: int = 15
) -> xr.Dataset:
    """Compute the ground pixels of a part of an ascending orbit.

    Parameters
    ----------
    centre : (longitude, latitude), degrees
        Where the satellite passes overhead in the middle of the part.
    scanlines : int
    day_of_year : int
        Sets the elevation of the sun.

    Returns
    -------
    Dataset, (scanline, ground_pixel=450[, corner=4])
        ``latitude``, ``longitude`` of the centres and ``latitude_bounds``, ``longitude_bounds`` of
        the corners, degrees: corner 0 is south-west, the others follow counter-clockwise.
        Neighbours share their corners, so the pixels cover the swath without gaps or overlaps.
        ``solar_zenith_angle``, ``viewing_zenith_angle`` (degree); ``time_offset`` (scanline), s,
        from the middle; the attribute ``utc_hour`` of the middle.

    Raises
    ------
    SettingsError
        If the orbit never passes over the centre.
    """
    if not (abs(centre[1]) < 81 and scanlines > 0):
        raise SettingsError(
            f"centre is {centre} with {scanlines} scanlines; give a latitude within 81 degrees and "
            "at least one scanline"
        )
    offset = (np.arange(scanlines + 1) - scanlines / 2) * SCANLINE
    edges = _viewing_angles()
    middle_time, middle_angle = (offset[1:] + offset[:-1]) / 2, (edges[1:] + edges[:-1]) / 2
    corner_lon, corner_lat = _turn_earth(_directions(centre[1], offset, edges), centre, offset)
    points = _directions(centre[1], middle_time, middle_angle)
    longitude, latitude = _turn_earth(points, centre, middle_time)
    pixel = ("scanline", "ground_pixel")
    corners = (*pixel, "corner")
    view = np.broadcast_to(np.abs(np.degrees(_zenith(middle_angle))), latitude.shape)
    node = _node_longitude(_argument(centre[1]))
    return xr.Dataset(
        {
            "solar_zenith_angle": (pixel, _solar_zenith(points, day_of_year), {"units": "degree"}),
            "viewing_zenith_angle": (pixel, view, {"units": "degree"}),
        },
        coords={
            "latitude": (pixel, latitude, {"units": "degrees_north"}),
            "longitude": (pixel, longitude, {"units": "degrees_east"}),
            "latitude_bounds": (corners, _corners(corner_lat), {"units": "degrees_north"}),
            "longitude_bounds": (corners, _corners(corner_lon), {"units": "degrees_east"}),
            "time_offset": ("scanline", middle_time, {"units": "s"}),
        },
        attrs={
            "source": "SIMULATED orbit by no2sr",
            "utc_hour": (13.5 + (math.degrees(node) - centre[0]) / 15) % 24,
        },
    )


def _viewing_angles() -> Array:
    """Return the angles from nadir, rad, of the edges between ground pixels, west negative."""
    widths = np.full(450, PIXEL_ANGLE)
    widths[:UNBINNED] = widths[-UNBINNED:] = PIXEL_ANGLE / 2
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    centred: Array = edges - edges[-1] / 2
    return centred


def _zenith(angle: Array) -> Array:
    """Return the viewing zenith angle on the ground, rad, from the angle at the satellite."""
    zenith: Array = np.arcsin((1 + ALTITUDE / EARTH_RADIUS) * np.sin(angle))
    return zenith


def _argument(latitude: float) -> float:
    """Return the angle, rad, flown from the ascending node to a latitude in degrees."""
    return math.asin(math.sin(math.radians(latitude)) / math.sin(INCLINATION))


def _node_longitude(argument: float) -> float:
    """Return the longitude, rad, from the ascending node, on an Earth that does not rotate."""
    return math.atan2(math.cos(INCLINATION) * math.sin(argument), math.cos(argument))


def _directions(latitude: float, offset: Array, angle: Array) -> Array:
    """Return unit vectors (time, angle, 3) to the points seen; x to the node, z to the pole.

    With the direction s of the satellite and r to the right of its track, a point at angle t from
    nadir lies at s cos g + r sin g, g = zenith angle - t, and a little back along the track
    (`BOW`). The satellite is steered in yaw: the track is that over the rotating Earth.
    """
    u = _argument(latitude) + 2 * math.pi / REVOLUTION * offset
    cos_i, sin_i = math.cos(INCLINATION), math.sin(INCLINATION)
    satellite = np.stack([np.cos(u), cos_i * np.sin(u), sin_i * np.sin(u)], axis=-1)
    ahead = np.stack([-np.sin(u), cos_i * np.cos(u), sin_i * np.cos(u)], axis=-1)
    turned = np.stack([-satellite[:, 1], satellite[:, 0], np.zeros_like(u)], axis=-1)
    ahead -= REVOLUTION / DAY * turned
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    g = (_zenith(angle) - angle)[:, None]
    back = BOW * ALTITUDE / EARTH_RADIUS * (1 / np.cos(angle) - 1)[:, None]
    line: Array = satellite[:, None] * np.cos(g) + np.cross(ahead, satellite)[:, None] * np.sin(g)
    line -= back * ahead[:, None]
    line /= np.linalg.norm(line, axis=-1, keepdims=True)
    return line


def _turn_earth(points: Array, centre: tuple[float, float], offset: Array) -> tuple[Array, Array]:
    """Return longitude and latitude, degrees, on the rotating Earth."""
    inertial = np.degrees(np.arctan2(points[..., 1], points[..., 0]))
    start = math.degrees(_node_longitude(_argument(centre[1])))
    longitude = inertial - start + centre[0] - 360 / DAY * offset[:, None]
    return (longitude + 180) % 360 - 180, np.degrees(np.arcsin(points[..., 2]))


def _solar_zenith(points: Array, day_of_year: int) -> Array:
    """Return the solar zenith angle, degrees; the sun is one and a half hours west of the node."""
    declination = -math.radians(23.44) * math.cos(2 * math.pi * (day_of_year + 10) / 365.25)
    sun = [
        math.cos(declination) * math.cos(NODE_HOUR_ANGLE),
        -math.cos(declination) * math.sin(NODE_HOUR_ANGLE),
        math.sin(declination),
    ]
    angle: Array = np.degrees(np.arccos(points @ np.array(sun)))
    return angle


def _corners(vertices: Array) -> Array:
    """Arrange the vertices (n + 1, m + 1) as corners (n, m, 4) of the cells: SW, SE, NE, NW."""
    return np.stack(
        [vertices[:-1, :-1], vertices[:-1, 1:], vertices[1:, 1:], vertices[1:, :-1]], axis=-1
    )


def pixel_means(geometry: xr.Dataset, field: Field, *, nodes: tuple[int, int] = (4, 6)) -> Array:
    """Average a field over the quadrilateral of every pixel.

    Parameters
    ----------
    geometry : Dataset, (scanline, ground_pixel, corner)
        With ``longitude_bounds`` and ``latitude_bounds``; edges are straight in these.
    field : callable
        Takes longitude and latitude, degrees, of one shape and returns values.
    nodes : (int, int)
        Points of Gauss-Legendre quadrature along and across the track. The default averages a plume
        of 3 km width (sigma) to 1e-4 of its peak, even over the largest pixels (5.6 x 14 km).

    Returns
    -------
    array, (scanline, ground_pixel), float64
        Means weighted by area.
    """
    corners = np.stack([geometry["longitude_bounds"].values, geometry["latitude_bounds"].values])
    corners = corners.astype(np.float64)
    first = corners[0, ..., :1]
    corners[0] = first + (corners[0] - first + 180) % 360 - 180
    means: Array = np.empty(corners.shape[1:3])
    for top in range(0, means.shape[0], 25):  # in compact blocks most sources are out of reach
        for left in range(0, means.shape[1], 45):
            rows, columns = slice(top, top + 25), slice(left, left + 45)
            means[rows, columns] = _block_means(corners[:, rows, columns], field, nodes)
    return means


def _block_means(corners: Array, field: Field, nodes: tuple[int, int]) -> Array:
    """Average over the quadrilaterals (2, n, m, 4) by the bilinear map from the unit square."""
    (down, down_weight), (right, right_weight) = map(np.polynomial.legendre.leggauss, nodes)
    s, t = np.meshgrid((right + 1) / 2, (down + 1) / 2)
    shape = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t])
    along_s = np.stack([t - 1, 1 - t, t, -t])
    along_t = np.stack([s - 1, -s, s, 1 - s])
    position, ds, dt = (np.tensordot(corners, f, axes=1) for f in (shape, along_s, along_t))
    area = np.abs(ds[0] * dt[1] - ds[1] * dt[0]) * np.cos(np.deg2rad(position[1]))
    weight = area * np.outer(down_weight, right_weight)
    total = (weight * field(position[0], position[1])).sum(axis=(-2, -1))
    means: Array = total / weight.sum(axis=(-2, -1))
    return means


def swath(geometry: xr.Dataset, field: Field, *, seed: int = 0, cloudy: float = 0.25) -> xr.Dataset:
    """Observe a known truth.

    Parameters
    ----------
    geometry : Dataset
        As `orbit_geometry` makes it.
    field : callable
        The truth: longitude and latitude in degrees to mol m-2.
    seed : int
        Of clouds and noise.
    cloudy : float
        Share of pixels with a cloud radiance fraction above a half, 0..1.

    Returns
    -------
    Dataset, (scanline, ground_pixel)
        The geometry and ``column``, ``precision``, ``true_column`` (mol m-2), ``qa_value`` (uint8,
        0..100), ``cloud_radiance_fraction``, ``air_mass_factor``. Noise is Gaussian, independent,
        of standard deviation ``precision``; ``column`` and ``precision`` are NaN where the
        retrieval failed (0.2 %, qa 0) and nowhere else: the reader screens by qa.
    """
    rng = np.random.default_rng(seed)
    true = pixel_means(geometry, field)
    clouds = _clouds(geometry, rng, cloudy=cloudy)
    sun, view = (
        np.cos(np.deg2rad(geometry[f"{name}_zenith_angle"].values)) for name in ("solar", "viewing")
    )
    # A cloud hides the part of the column below it.
    amf = SENSITIVITY * (1 / sun + 1 / view) * (1 - 0.5 * clouds)
    precision = np.hypot(SLANT_PRECISION / amf, AMF_ERROR * true)
    column = true + precision * rng.standard_normal(true.shape)
    failed = rng.random(true.shape) < 0.002
    qa = np.select([failed, clouds > 0.95, clouds > 0.5], [0, 18, 74], 100)
    made = {
        "column": (np.where(failed, np.nan, column), "mol m-2"),
        "precision": (np.where(failed, np.nan, precision), "mol m-2"),
        "true_column": (true, "mol m-2"),
        "qa_value": (qa.astype(np.uint8), "1e-2"),
        "cloud_radiance_fraction": (clouds, "1"),
        "air_mass_factor": (amf, "1"),
    }
    pixel = ("scanline", "ground_pixel")
    variables = {name: (pixel, values, {"units": unit}) for name, (values, unit) in made.items()}
    return geometry.assign(variables).assign_attrs(source="SIMULATED swath by no2sr")


def _clouds(geometry: xr.Dataset, rng: Generator, *, cloudy: float) -> Array:
    """Draw a cloud radiance fraction: 60 waves of 15 to 800 km, larger if they are longer."""
    wavelengths = np.geomspace(15, 800, 60)
    directions, phases = rng.uniform(0, 2 * math.pi, (2, 60))
    latitude = geometry["latitude"].values
    east = geometry["longitude"].values * math.cos(math.radians(float(latitude.mean())))
    field = np.zeros(latitude.shape)
    for wavelength, direction, phase in zip(wavelengths, directions, phases, strict=True):
        k = 2 * math.pi / wavelength * KM_PER_DEGREE
        way = math.cos(direction) * east + math.sin(direction) * latitude
        field += wavelength**0.6 * np.sin(k * way + phase)
    excess = (field - np.quantile(field, 1 - cloudy)) / field.std()
    fraction: Array = 1 / (1 + np.exp(-3.5 * excess))
    return fraction
