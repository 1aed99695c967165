"""Noisy observations whose truth is known: a model field seen by real overpasses, the sample orbit.

The model field has cells of 1.1 km (COSMO, ``truth_1km/cosmo_west.nc``); networks were trained on
its first 300 rows and are judged on the last 250. Its pixels are those of real Sentinel-5P
overpasses, moved to the place; every second overpass was used in training and is not used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gems
import numpy as np
import xarray as xr
from affine import Affine

import no2sr
from no2sr.core.door import choose_variable
from no2sr.core.grid import bounds_of, georeference
from no2sr.core.image import COLUMN_ATTRS
from no2sr.core.layers import RANDOM, companions_of, layer_name
from no2sr.evaluation.records import Observation
from no2sr.simulation.scenes import northern_india, truth
from no2sr.swaths.gridding import grid_swaths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    # Latitudes and longitudes of corners, (pixels, 4), in degrees from the middle.
    Footprints = tuple[Values, Values]

SAMPLE = Path(__file__).parents[1] / "sample_data"
ORBIT_BOX, ORBIT_SPACING = (76, 24, 84, 29), 0.05
SCALE, SPACING = 4, 0.01
NORTH, WEST = 6.0, 10.0  # of the model field, in its own coordinates
TOPS, LEFTS = (352, 436, 520), (0, 88, 176, 264)  # of the places, in cells
HEIGHT, WIDTH = 80, 84
MARGIN = 24  # cells around a place that footprints may reach into
DRAWS = 6  # observations of each place
LEAST_PIXELS, LEAST_SEEN = 150, 0.6
POINTS = 12  # along each side of a footprint
# mol m-2, and the share of the column: one overpass of Sentinel-5P.
INSTRUMENT = (7e-6, 0.15)
KINDS = {
    "one overpass": (1.0, 1),
    "one overpass, a quarter of the noise": (0.25, 1),
    "mean of ten overpasses": (1.0, 10),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flying:
    """How a place is seen: by which pixels, with what noise, and how often."""

    footprints: list[Footprints]
    noise: tuple[float, float]
    number: int
    rng: np.random.Generator


def read_footprints() -> list[Footprints]:
    """Read the pixels of every second overpass."""
    found = []
    for path in sorted((gems.DATA / "overpasses").glob("*.nc"))[1::2]:
        with xr.open_dataset(path) as overpass:
            good = overpass["tropospheric_NO2_column_number_density_validity"].values >= 75
            latitude = overpass["latitude_bounds"].values[good].astype(np.float64)
            longitude = overpass["longitude_bounds"].values[good].astype(np.float64)
        if len(latitude) > LEAST_PIXELS:
            narrowed = (longitude - 15.1) * np.cos(np.radians(36.6))
            found.append((latitude - 36.6, narrowed))
    return found


def observe_places(level: float, number: int) -> list[list[Observation]]:
    """Simulate observations of every place.

    Parameters
    ----------
    level : float
        Of the noise, times that of the instrument. It changes no footprint.
    number : int
        Of overpasses in a mean.

    Returns
    -------
    list of list of Observation
        By place.
    """
    noise = (level * INSTRUMENT[0], level * INSTRUMENT[1])
    with xr.open_dataset(gems.DATA / "truth_1km" / "cosmo_west.nc") as file:
        field = file["tropospheric_NO2_column_number_density"].values
    field = np.pad(field.astype(np.float64), ((0, MARGIN), (MARGIN, MARGIN)), mode="symmetric")
    rng = np.random.default_rng(20261128)
    flying = Flying(footprints=read_footprints(), noise=noise, number=number, rng=rng)
    return [
        [_observe(field, (top, left), flying) for _ in range(DRAWS)]
        for top in TOPS
        for left in LEFTS
    ]


def _observe(field: Values, place: tuple[int, int], flying: Flying) -> Observation:
    """Let overpasses see a place until enough of it is seen."""
    constant, relative = flying.noise
    rng = flying.rng
    top, left = place
    window = field[top - MARGIN : top + HEIGHT + MARGIN, left : left + WIDTH + 2 * MARGIN]
    north, west = NORTH - SPACING * top, WEST + SPACING * left
    box = (west, north - SPACING * HEIGHT, west + SPACING * WIDTH, north)
    while True:
        swaths: list[xr.Dataset] = []
        while len(swaths) < flying.number:
            pixels = _move(flying.footprints[rng.integers(len(flying.footprints))], rng)
            if len(pixels[0]) < LEAST_PIXELS:
                continue
            column = average_pixels(window, *pixels)
            column += np.hypot(constant, relative * column) * rng.standard_normal(len(column))
            stated = np.hypot(constant, relative * np.maximum(column, 0))
            swaths.append(make_swath(column, stated, pixels, (north, west)))
        scene = grid_swaths(swaths, bounds=box, resolution=SCALE * SPACING)
        if np.isfinite(scene["column"].values).mean() > LEAST_SEEN:
            break
    inner = window[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)
    image = xr.DataArray(inner, dims=("y", "x"), name="no2", attrs=dict(COLUMN_ATTRS))
    reference = georeference(image, Affine(SPACING, 0, west, 0, -SPACING, north), 4326)
    return Observation(
        reference=reference, coarse=scene["column"], noise=scene[layer_name("column", RANDOM)]
    )


def _move(pixels: Footprints, rng: np.random.Generator) -> tuple[Values, Values]:
    """Move footprints to a place; return their corners in rows and columns of its window."""
    rows = -pixels[0] / SPACING + MARGIN + HEIGHT / 2 + rng.uniform(-40, 40)
    columns = pixels[1] / SPACING + MARGIN + WIDTH / 2 + rng.uniform(-25, 25)
    inside = (
        (rows.min(axis=1) >= 0)
        & (rows.max(axis=1) <= HEIGHT + 2 * MARGIN)
        & (columns.min(axis=1) >= 0)
        & (columns.max(axis=1) <= WIDTH + 2 * MARGIN)
    )
    return rows[inside], columns[inside]


def average_pixels(window: Values, rows: Values, columns: Values) -> Values:
    """Average a field over quadrilaterals, by points spread evenly inside them."""
    along = (np.arange(POINTS) + 0.5) / POINTS
    u, v = (part.ravel() for part in np.meshgrid(along, along))
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v])
    y = np.clip(rows @ weights, 0, window.shape[0] - 1e-6).astype(int)
    x = np.clip(columns @ weights, 0, window.shape[1] - 1e-6).astype(int)
    return np.asarray(window[y, x].mean(axis=1))


def make_swath(
    column: Values, noise: Values, pixels: Footprints, corner: tuple[float, float]
) -> xr.Dataset:
    """Put pixels into the form that gridding takes."""
    rows, columns = pixels
    north, west = corner
    corners = ("pixel", "corner")
    return xr.Dataset(
        {
            "column": ("pixel", column, {"units": "mol m-2"}),
            RANDOM: ("pixel", noise, {"units": "mol m-2"}),
            "latitude_bounds": (corners, north - SPACING * (rows - MARGIN)),
            "longitude_bounds": (corners, west + SPACING * (columns - MARGIN)),
        }
    )


def observe_orbit() -> Observation:
    """Open the sample orbit, with the noise that the reader finds, and its truth."""
    path = next(SAMPLE.glob("S5P_*.nc"))
    scene = no2sr.open_no2(path, bbox=ORBIT_BOX, resolution=ORBIT_SPACING).load()
    column = choose_variable(scene)
    noise = companions_of(scene, column.name)[RANDOM]
    fine = truth(bounds_of(column), ORBIT_SPACING / SCALE, landscape=northern_india())
    return Observation(reference=fine, coarse=column, noise=noise)
