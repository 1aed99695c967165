"""Simulated swaths: the geometry of the pixels, exact means over them, noise, clouds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
import xarray as xr

from no2sr.core.earth import EARTH_RADIUS, KM_PER_DEGREE
from no2sr.core.errors import SettingsError
from no2sr.simulation.landscape import Landscape
from no2sr.simulation.orbit import orbit_geometry, pixel_means, swath
from no2sr.simulation.scenes import northern_india


@pytest.fixture(scope="module")
def geometry() -> xr.Dataset:
    return orbit_geometry((79.0, 27.0), scanlines=100)


@pytest.fixture(scope="module")
def observed(geometry) -> xr.Dataset:
    return swath(geometry, northern_india(), seed=7)


def corners_of(geometry: xr.Dataset) -> np.ndarray:
    """Return longitude and latitude of the corners, (scanline, ground_pixel, corner, 2)."""
    return np.stack([geometry.longitude_bounds.values, geometry.latitude_bounds.values], axis=-1)


def kilometres(step: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Return the length of small steps in degrees."""
    return KM_PER_DEGREE * np.hypot(step[..., 0] * np.cos(np.deg2rad(latitude)), step[..., 1])


def areas(geometry: xr.Dataset) -> np.ndarray:
    """Return pixel areas in km2: planar degrees times the cosine at the centre.

    Over a pixel of h = 0.1 degree the cosine's mean differs from that by h^2 / 24, 1e-7.
    """
    planar = shapely.area(shapely.polygons(corners_of(geometry)))
    return planar * np.cos(np.deg2rad(geometry.latitude.values)) * KM_PER_DEGREE**2


def test_the_shape_is_that_of_a_piece_of_an_orbit(geometry):
    assert geometry.latitude.dims == ("scanline", "ground_pixel")
    assert geometry.latitude_bounds.dims == ("scanline", "ground_pixel", "corner")
    assert dict(geometry.sizes) == {"scanline": 100, "ground_pixel": 450, "corner": 4}


def test_the_pixels_have_the_sizes_of_tropomi(geometry):
    middle = corners_of(geometry)[50]
    latitude = geometry.latitude.values[50]
    across = kilometres(middle[:, 1] - middle[:, 0], latitude)
    along = kilometres(middle[:, 3] - middle[:, 0], latitude)
    # At nadir 824 km x 0.25 degree = 3.595 km; the literature says 3.5.
    assert across[225] == pytest.approx(824 * math.radians(0.25), rel=2e-3)
    assert 13 < across.max() < 14.5
    # The outermost 20 pixels of each side are half as wide.
    assert across[19] == pytest.approx(across[20] / 2, rel=0.1)
    assert across[0] < 9
    assert across.sum() == pytest.approx(2600, rel=0.02)
    # 40030 km in 6090 s of 0.84 s a scanline are 5.52 km; the Earth turns against the orbit's
    # westward drift and adds 1 to 2 %.
    assert along[225] == pytest.approx(5.52 * 1.012, rel=0.01)


def test_corners_go_round_counter_clockwise_from_the_south_west(geometry):
    corners = corners_of(geometry)
    assert shapely.is_ccw(shapely.linearrings(corners)).all()
    south_west, south_east, north_east, north_west = np.moveaxis(corners, 2, 0)
    assert (south_west[..., 1] < north_west[..., 1]).all()
    assert (south_east[..., 1] < north_east[..., 1]).all()
    assert (south_west[..., 0] < south_east[..., 0]).all()
    assert (north_west[..., 0] < north_east[..., 0]).all()


def test_neighbours_share_their_corners_and_tile_the_swath(geometry):
    corners = corners_of(geometry)
    np.testing.assert_array_equal(corners[:, :-1, 1], corners[:, 1:, 0])
    np.testing.assert_array_equal(corners[:-1, :, 3], corners[1:, :, 0])
    rim = [corners[0, :, 0], corners[:, -1, 1], corners[-1, ::-1, 2], corners[::-1, 0, 3]]
    outline = shapely.Polygon(np.concatenate(rim))
    total = shapely.area(shapely.polygons(corners)).sum()
    assert total == pytest.approx(outline.area, rel=1e-10)


def test_centres_lie_in_the_middle_of_their_pixels(geometry):
    middle = corners_of(geometry).mean(axis=2)
    centre = np.stack([geometry.longitude.values, geometry.latitude.values], axis=-1)
    # The angle's middle is not the width's: where widths grow by 1 in 100 pixels, by 1e-3 of one.
    assert kilometres(centre - middle, centre[..., 1]).max() < 0.12


def test_it_flies_over_the_centre_at_half_past_one(geometry):
    nadir = corners_of(geometry)[49:51, 224:226].reshape(-1, 2).mean(axis=0)
    assert nadir == pytest.approx([79, 27], abs=0.01)
    assert orbit_geometry((0.0, 0.0), scanlines=1).attrs["utc_hour"] == pytest.approx(13.5)
    # Going north it goes west, into an earlier hour.
    assert 13.0 < geometry.attrs["utc_hour"] + 79 / 15 < 13.5
    assert np.diff(geometry.time_offset) == pytest.approx(0.84)


def test_angles_follow_from_the_geometry(geometry):
    # On the equator at equinox (day 81) the sun is as far from the zenith as from noon: 1.5 h.
    equator = orbit_geometry((0.0, 0.0), scanlines=1, day_of_year=81)
    sun = equator.solar_zenith_angle.values[0]
    assert (sun[224] + sun[225]) / 2 == pytest.approx(22.5, abs=0.3)
    # In January at 27 N it stands lower: 27 + 21 degrees from the zenith at noon already.
    assert 48 < float(geometry.solar_zenith_angle.median()) < 60
    view = geometry.viewing_zenith_angle.values[0]
    assert view[[224, 225]] == pytest.approx(0.125 * (1 + 824 / 6371), rel=1e-3)
    # The westernmost edge is seen 215 x 0.25 degree from nadir, the pixel's middle half a (halved)
    # pixel less.
    angle = math.radians(215 * 0.25 - 0.0625)
    expected = math.degrees(math.asin((1 + 824 / 6371) * math.sin(angle)))
    assert view[[0, -1]] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("centre", "scanlines"), [((0.0, 85.0), 10), ((0.0, 0.0), 0)])
def test_an_orbit_that_is_none_is_refused(centre, scanlines):
    with pytest.raises(SettingsError, match="give a latitude within 81 degrees"):
        orbit_geometry(centre, scanlines=scanlines)


def test_means_across_the_antimeridian_are_none_the_worse():
    there = orbit_geometry((180.0, 10.0), scanlines=4)
    here = orbit_geometry((0.0, 10.0), scanlines=4)
    assert (np.abs(there.longitude) <= 180).all()
    assert (there.longitude > 170).any()
    assert (there.longitude < -170).any()

    def field(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        return np.cos(np.deg2rad(2 * longitude)) + latitude

    np.testing.assert_allclose(pixel_means(there, field), pixel_means(here, field), atol=1e-12)


def one_pixel(corners: list[tuple[float, float]]) -> xr.Dataset:
    longitude, latitude = np.array(corners, dtype=float).T[:, None, None]
    dims = ("scanline", "ground_pixel", "corner")
    return xr.Dataset({"longitude_bounds": (dims, longitude), "latitude_bounds": (dims, latitude)})


def test_a_mean_is_weighted_by_area():
    square = one_pixel([(0, 60), (1, 60), (1, 61), (0, 61)])
    # The integral of p cos p is p sin p + cos p, that of cos p is sin p.
    p, q = math.radians(60), math.radians(61)
    upper, lower = (a * math.sin(a) + math.cos(a) for a in (q, p))
    expected = math.degrees((upper - lower) / (math.sin(q) - math.sin(p)))
    mean = pixel_means(square, lambda longitude, latitude: latitude + 0 * longitude)
    assert mean.item() == pytest.approx(expected, rel=1e-12)
    assert expected < 60.5 - 1e-4


@pytest.mark.parametrize(
    "corners",
    [
        [(0, 0), (2, 0), (1, 1), (0, 1)],
        [(0, 0), (3, 0.5), (2, 2), (-0.5, 1)],
        [(2, 2), (-0.5, 1), (0, 0), (3, 0.5)],  # turned: on the descending part of an orbit
    ],
)
def test_the_mean_position_over_a_slanted_pixel_is_its_centroid(corners):
    # So small, and on the equator, that the cosine is 1 to 1e-9.
    small = 1e-3 * np.array(corners)
    pixel = one_pixel(small)
    centroid = shapely.Polygon(small).centroid
    for index, expected in enumerate((centroid.x, centroid.y)):
        mean = pixel_means(pixel, lambda *position, index=index: position[index])
        assert mean.item() == pytest.approx(expected, rel=1e-7)


def test_means_are_those_of_16_by_16_points_in_each_pixel(geometry):
    # Around Delhi's pixels, by the bilinear map from the unit square.
    part = geometry.isel(scanline=slice(60, 90), ground_pixel=slice(160, 200))
    field = northern_india()
    s, t = np.meshgrid((np.arange(16) + 0.5) / 16, (np.arange(16) + 0.5) / 16)
    shape = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t])
    points = np.tensordot(corners_of(part), shape, axes=(2, 0))
    brute = field(points[:, :, 0], points[:, :, 1]).mean(axis=(-2, -1))
    exact = pixel_means(part, field)
    assert exact.max() > 1e-4
    # Midpoints 1/16 of a pixel apart miss h^2 / 24 of the curvature: (0.35 / 3)^2 / 24 x 2 = 1e-3.
    assert np.abs(brute - exact).max() < 1.2e-3 * exact.max()
    # Twice the nodes change nothing that matters.
    finer = pixel_means(part, field, nodes=(8, 12))
    assert np.abs(finer - exact).max() < 1e-4 * exact.max()


def test_pixels_hold_all_the_mass_of_a_plume_among_them(geometry):
    field = Landscape(
        origin=(79.0, 27.0),
        background=0.0,
        waves=np.zeros((0, 4)),
        sources=np.array([[78.5, 27.2, 10.0, 4.0]]),
        wind=(2.0, -0.5),
        lifetime=7200.0,
        diffusivity=1000.0,
        meander=(3.0, 80.0),
    )
    mass = (pixel_means(geometry, field) * areas(geometry)).sum() * 1e6
    # Emission x lifetime, less the e^-10 beyond 10 decay lengths.
    assert mass == pytest.approx(10 * 7200, rel=1e-4)


def test_the_area_of_the_swath_is_its_width_times_its_way(geometry):
    # Scanlines are 5.6 km apart at nadir and converge away from it, as cos g of the angle g at
    # the Earth's centre. At the rim g = 11.9 degrees, so the mean is sin g / g = 0.993.
    corners = corners_of(geometry)
    latitude = geometry.latitude.values
    along = kilometres(corners[:, 225, 3] - corners[:, 225, 0], latitude[:, 225]).sum()
    across = kilometres(corners[50, :, 1] - corners[50, :, 0], latitude[50]).sum()
    rim = across / 2 / EARTH_RADIUS
    expected = along * across * math.sin(rim) / rim
    assert areas(geometry).sum() == pytest.approx(expected, rel=5e-3)


def test_noise_matches_the_precision_that_goes_with_it(observed):
    z = ((observed.column - observed.true_column) / observed.precision).values
    z = z[np.isfinite(z)]
    n = z.size
    assert n > 44_000
    # Chi-square of n degrees has mean n and variance 2 n: 5 standard deviations either way. It
    # holds in the darkest, the brightest, clear and cloudy parts alike.
    assert abs((z**2).sum() - n) < 5 * math.sqrt(2 * n)
    assert abs(z.sum()) < 5 * math.sqrt(n)
    precision = observed.precision.values[np.isfinite(observed.column.values)]
    for low, high in [(0, 25), (25, 75), (75, 100)]:
        edges = np.percentile(precision, [low, high])
        part = z[(precision >= edges[0]) & (precision <= edges[1])]
        assert abs((part**2).mean() - 1) < 5 * math.sqrt(2 / part.size)


def test_noise_is_independent_from_pixel_to_pixel(observed):
    z = ((observed.column - observed.true_column) / observed.precision).fillna(0).values
    for shift in ((0, 1), (1, 0)):
        product = z * np.roll(z, shift, axis=(0, 1))
        assert abs(product.mean()) < 5 / math.sqrt(z.size)


def test_precision_is_that_of_a_retrieval(observed):
    # 1e-5 mol m-2 of slant column over air mass factors of 0.7 to 2.5, and a tenth of the column.
    valid = observed.precision.where(observed.qa_value == 100)
    assert valid.min() > 3e-6
    assert 5e-6 < valid.median() < 1e-5
    cloudy = observed.precision.where(observed.qa_value == 74)
    assert cloudy.median() > 1.2 * valid.median()
    top = observed.true_column > 1.2e-4
    share = (observed.precision / observed.true_column).where(top & (observed.qa_value == 100))
    assert share.min() > 0.1
    assert share.max() < 0.15
    assert (observed.column < 0).any(), "noise makes negative columns, and they stay"


def test_qa_codes_are_bytes_that_say_clear_cloudy_failed(observed):
    qa = observed.qa_value.values
    assert qa.dtype == np.uint8
    assert set(np.unique(qa)) == {0, 18, 74, 100}
    clouds = observed.cloud_radiance_fraction.values
    failed = qa == 0
    np.testing.assert_array_equal(np.isnan(observed.column.values), failed)
    np.testing.assert_array_equal(np.isnan(observed.precision.values), failed)
    np.testing.assert_array_equal(qa[~failed] < 100, clouds[~failed] > 0.5)
    # Binomial: 45000 draws of 0.002 are 90 +- 9.5.
    assert abs(failed.sum() - 90) < 48
    assert (clouds > 0.5).mean() == pytest.approx(0.25, abs=1e-4)


def test_clouds_hang_together(observed):
    cloudy = observed.cloud_radiance_fraction.values > 0.5
    # Independent pixels would be equal to their neighbour in 0.25^2 + 0.75^2 = 62 % of cases.
    assert (cloudy[:, 1:] == cloudy[:, :-1]).mean() > 0.93
    assert (cloudy[1:] == cloudy[:-1]).mean() > 0.93


def test_a_swath_is_that_of_its_seed(geometry):
    part = geometry.isel(scanline=slice(0, 4))
    first, again, other = (swath(part, northern_india(), seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    np.testing.assert_array_equal(first.true_column.values, other.true_column.values)
    assert not np.array_equal(first.column.values, other.column.values, equal_nan=True)
    assert "SIMULATED" in first.attrs["source"]


@pytest.mark.real_data
@pytest.mark.parametrize("orbit", ["09802", "09419", "10923", "12356", "13789", "15279", "11633"])
def test_pixels_are_as_wide_and_slanted_as_real_ones(real_data, orbit):
    # Subsets over Delhi from all parts of the swath; index 11633 is in the halved rim.
    (path,) = (real_data / "s5p_l2").glob(f"*_{orbit}_*.nc4")
    with xr.open_dataset(path, group="PRODUCT") as real:
        latitude, longitude = real.latitude.values[0], real.longitude.values[0]
        pixels = real.ground_pixel_idx.values.astype(int)
    step = np.stack([np.diff(longitude), np.diff(latitude)], axis=-1)
    real_width = np.nanmean(kilometres(step, latitude[:, 1:]))
    east = step[..., 0] * np.cos(np.deg2rad(latitude[:, 1:]))
    real_slant = np.degrees(np.nanmean(np.arctan2(step[..., 1], east)))

    made = orbit_geometry((77.1, 28.65), scanlines=300)
    column = int(pixels.mean())
    row = int(np.abs(made.latitude.values[:, column] - 28.65).argmin())
    ours = np.stack([made.longitude.values, made.latitude.values], axis=-1)
    step = ours[row, column + 1] - ours[row, column]
    assert kilometres(step, np.array(28.65)) == pytest.approx(real_width, rel=0.08)
    slant = math.degrees(math.atan2(step[1], step[0] * math.cos(math.radians(28.65))))
    assert slant == pytest.approx(real_slant, abs=3)
