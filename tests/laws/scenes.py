"""What the laws are tried on: random columns, gaps, grids, directions, types and chunks."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from hypothesis import settings
from hypothesis import strategies as st

from no2sr.core.grid import georeference

# `make laws N=1000` tries more, and new ones each time; the suite always the same few.
EXAMPLES = int(os.environ.get("NO2SR_LAWS", "0"))
LAW = settings(
    max_examples=EXAMPLES or 12, deadline=None, derandomize=not EXAMPLES, print_blob=bool(EXAMPLES)
)
FEW = settings(LAW, max_examples=EXAMPLES // 3 or 6)  # where an example takes long

SCALES = st.sampled_from([2, 3, 4])
KINDS = st.sampled_from(["additive", "multiplicative"])
NETWORKS = st.sampled_from(["srcnn", "espcn"])


class Place(NamedTuple):
    """Where a grid lies: its north-west corner, its cells and its CRS."""

    west: float
    north: float
    dx: float
    dy: float
    crs: str

    @property
    def transform(self) -> Affine:
        """Return the affine transform."""
        return Affine(self.dx, 0, self.west, 0, -self.dy, self.north)


INDIA = Place(76, 62, 0.05, 0.05, "EPSG:4326")
ANGELES = Place(5e5, 5e6, 4000, 7000, "EPSG:32611")  # cells that are not square
PLACES = (
    INDIA,
    ANGELES,
    Place(-71.5, -17.5, 0.01, 0.02, "EPSG:4326"),
    Place(-180, 40, 1 / 12, 0.1, "EPSG:4326"),
    Place(174, 5, 0.125, 0.125, "EPSG:4326"),  # ends at most at the antimeridian
    Place(10, 89.5, 0.25, 0.25, "EPSG:4326"),  # where cells shrink to nothing
    Place(4.3e6, 3.2e6, 1000, 1000, "EPSG:3035"),
    Place(8.4e6, 3.4e6, 5500, 3500, "EPSG:3857"),
    Place(-2e6, 2e6, 25e3, 25e3, "EPSG:3413"),  # polar stereographic
    Place(9.8e5, 2e5, 18000, 18000, "EPSG:2263"),  # US survey feet
    Place(-300, 5000, 4, 4, "+proj=utm +zone=43 +datum=WGS84 +units=km"),
)
places = st.sampled_from(PLACES)


def make_image(values, place=INDIA):
    """Return the strict image of an array."""
    values = np.asarray(values, dtype=np.float32)
    image = xr.DataArray(
        values,
        dims=("time", "y", "x")[-values.ndim :],
        name="no2",
        attrs={"units": "mol m-2", "long_name": "tropospheric column"},
    )
    if values.ndim == 3:
        days = np.arange(len(values)).astype("timedelta64[D]")
        image = image.assign_coords(time=np.datetime64("2023-10-27", "ns") + days)
    return georeference(image, place.transform, place.crs)


@st.composite
def images(draw, *, gaps=True, least=4, most=24, where=places, times=False):
    """Draw columns as they come: plumes on a background, noise that makes negatives, clouds."""
    shape = (draw(st.integers(least, most)), draw(st.integers(least, most)))
    if times:
        shape = (draw(st.integers(1, 3)), *shape)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.gamma(1, 3e-5, shape) + rng.normal(0, 1e-5, shape)
    values += draw(st.sampled_from([0, 0, -2e-5, 5e-4]))  # all negative; a high background
    if draw(st.booleans()):
        values[..., rng.integers(shape[-2]), rng.integers(shape[-1])] *= 1000  # a stack beneath
    if gaps:
        values[rng.random(shape) < draw(st.sampled_from([0, 0.2, 0.7, 0.97]))] = np.nan
        if draw(st.booleans()):  # a cloud deck, or the edge of a swath
            values[..., : draw(st.integers(0, shape[-2] - 1)), :] = np.nan
        values[..., rng.integers(shape[-2]), rng.integers(shape[-1])] = -1e-5
    return make_image(values, draw(where))


def spread_of(image):
    """Return the standard deviation that tolerances refer to."""
    return float(np.nanstd(image.values.astype(np.float64)))


class Form(NamedTuple):
    """How somebody else holds an image."""

    names: tuple[str, str]
    south_first: bool
    east_first: bool
    turned: bool  # x before y
    positive: bool  # longitudes 0..360
    dtype: str
    dataset: bool


forms = st.builds(
    Form,
    names=st.sampled_from([("lat", "lon"), ("latitude", "longitude"), ("y", "x")]),
    south_first=st.booleans(),
    east_first=st.booleans(),
    turned=st.booleans(),
    positive=st.booleans(),
    dtype=st.sampled_from(["float32", "float64", ">f4", ">f8"]),
    dataset=st.booleans(),
)


def as_held(image, form):
    """Return an image in the form that somebody else holds it in."""
    geographic = image.rio.crs.is_geographic
    y, x = form.names if geographic else ("y", "x")
    held = image.astype(form.dtype)
    if geographic and form.positive:
        held = held.assign_coords(x=("x", held["x"].values % 360, held["x"].attrs))
        held = held.sortby("x").drop_vars("spatial_ref")
    held = held.sortby("y", ascending=form.south_first).sortby("x", ascending=not form.east_first)
    held = held.rename({old: new for old, new in (("y", y), ("x", x)) if old != new})
    if form.turned:
        held = held.transpose(*held.dims[:-2], x, y)
    return held.to_dataset() if form.dataset else held


def values_of(held):
    """Return the image of a form, a dataset's only variable."""
    return held["no2"] if isinstance(held, xr.Dataset) else held
