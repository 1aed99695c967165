"""The simulated column as a function of position."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from no2sr.core.earth import EARTH_RADIUS, KM_PER_DEGREE
from no2sr.simulation.landscape import Landscape

NO_WAVES = np.zeros((0, 4))


def landscape(**changes) -> Landscape:
    """One source of 10 mol s-1 at 80 E, 27 N in a westerly of 4 m s-1; no background."""
    plain = {
        "origin": (79.0, 28.0),
        "background": 0.0,
        "waves": NO_WAVES,
        "sources": np.array([[80.0, 27.0, 10.0, 5.0]]),
        "wind": (4.0, 0.0),
        "lifetime": 7200.0,
        "diffusivity": 2000.0,
        "meander": (0.0, 100.0),
    }
    return Landscape(**(plain | changes))


def integral(field: Landscape, spacing: float = 0.02) -> float:
    """Integrate over 16 x 12 degrees, mol; cells weigh R^2 dlon (sin north - sin south)."""
    lon = np.arange(72, 88, spacing) + spacing / 2
    lat = np.arange(21, 33, spacing) + spacing / 2
    heights = np.diff(np.sin(np.deg2rad(np.append(lat - spacing / 2, lat[-1] + spacing / 2))))
    rows = field(lon, lat[:, None]).sum(axis=1)
    return float(rows @ heights) * math.radians(spacing) * (EARTH_RADIUS * 1e3) ** 2


@settings(max_examples=12, deadline=None)
@given(
    heading=st.floats(0, 2 * math.pi),
    speed=st.floats(1, 6),
    swing=st.floats(0, 8),
    width=st.floats(5, 20),
)
def test_the_mass_of_a_plume_is_emission_times_lifetime(heading, speed, swing, width):
    field = landscape(
        wind=(speed * math.cos(heading), speed * math.sin(heading)),
        meander=(swing, 90.0),
        sources=np.array([[80.0, 27.0, 10.0, width]]),
    )
    # A plume is cut off after 10 lengths, where e^-10 = 4.5e-5 of it is left, and at 5 widths,
    # where 6e-7 is.
    share = integral(field) / (10 * 7200)
    assert 1 - 8e-5 < share < 1 + 2e-5


@pytest.mark.parametrize("along", [-12.0, -3.0, 0.0, 4.0, 30.0, 120.0])
def test_along_the_wind_it_is_a_gaussian_convolved_with_a_decay(along):
    field = landscape()
    length, width = 4 * 7200 / 1e3, 5.0
    expected, _ = quad(
        lambda t: (
            math.exp(-((along - t) ** 2) / (2 * width**2) - t / length)
            / (length * width * math.sqrt(2 * math.pi))
        ),
        0,
        500,
        points=[max(along, 0.0)],
        limit=200,
    )
    # The integral across the wind, km: on the sphere the meridian at distance x from the source is
    # where x = R cos(lat) dlon.
    y = np.arange(-300, 300, 0.5)
    lat = 27 + y / KM_PER_DEGREE
    lon = 80 + along / (KM_PER_DEGREE * np.cos(np.deg2rad(lat)))
    line = field(lon, lat).sum() * 0.5
    assert line == pytest.approx(10 * 7200 / 1e6 * expected, rel=2e-4)


def test_the_variance_across_the_wind_grows_by_2_k_t():
    field = landscape(meander=(0.0, 100.0))
    y = np.arange(-300, 300, 0.5)
    lat = 27 + y / KM_PER_DEGREE
    profile = field(80 + 150 / (KM_PER_DEGREE * np.cos(np.deg2rad(lat))), lat)
    variance = (profile * y**2).sum() / profile.sum()
    # 150 km at 4 m/s are 37500 s; 2 * 2000 m2/s * 37500 s = 150 km2, and 25 km2 from the source.
    # The smooth hinge adds width^2 / (4 * 150 km) = 0.04 km of way, 0.04 km2.
    assert variance == pytest.approx(175, abs=0.2)


def test_the_swing_moves_a_plume_sideways_and_no_more():
    y = np.arange(-300, 300, 0.5)
    lat = 27 + y / KM_PER_DEGREE
    lon = 80 + 40 / (KM_PER_DEGREE * np.cos(np.deg2rad(lat)))
    straight, swung = landscape()(lon, lat), landscape(meander=(6.0, 100.0))(lon, lat)
    # The source lies 1 degree east of the origin at 28 N: 98.18 km along the wind.
    start = KM_PER_DEGREE * math.cos(math.radians(28))
    k = 2 * math.pi / 100
    shift = 6 * (math.sin(k * (40 + start)) - math.sin(k * start))
    centre = [(profile * y).sum() / profile.sum() for profile in (straight, swung)]
    assert centre[0] == pytest.approx(0, abs=1e-6)
    assert centre[1] == pytest.approx(shift, abs=1e-3)
    assert abs(shift) > 1


def test_the_background_stays_within_its_waves():
    waves = np.array([[0.3, 0.01, 0.02, 1.0], [0.2, 0.1, -0.05, 2.0]])
    empty = landscape(background=2e-5, waves=waves, sources=np.zeros((0, 4)))
    values = empty(np.linspace(70, 90, 300), np.linspace(20, 35, 200)[:, None])
    assert values.shape == (200, 300)
    assert values.min() > 2e-5 * math.exp(-0.5)
    assert values.max() < 2e-5 * math.exp(0.5)
    assert values.max() / values.min() > 1.8


def test_it_is_a_function_of_position_alone():
    # 40,000 points at once pass through several chunks, with another set of sources within reach.
    field = landscape(
        background=1e-5,
        sources=np.array([[80.0, 27.0, 10.0, 5.0], [79.0, 45.0, 10.0, 5.0]]),
    )
    lon, lat = np.meshgrid(np.linspace(78, 83, 250), np.linspace(24, 48, 160))
    values = field(lon, lat)
    for i, j in [(0, 0), (20, 100), (140, 60), (159, 249)]:
        assert field(lon[i, j], lat[i, j]) == pytest.approx(values[i, j], rel=1e-9)


def test_single_precision_agrees_with_double():
    field = landscape(background=1e-5, wind=(2.0, -3.0))
    lon, lat = np.linspace(78, 83, 120), np.linspace(24, 29, 110)[:, None]
    single = field(lon.astype(np.float32), lat.astype(np.float32))
    double = field(lon, lat)
    assert single.dtype == np.float32
    assert double.dtype == np.float64
    # float32 longitudes near 80 are good to 4e-6 degree = 0.4 m of a width of 5000 m.
    assert np.abs(single - double).max() < 2e-4 * double.max()
