"""The classical methods do what their names say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from scipy.ndimage import gaussian_filter

from no2sr.core.grid import cell_areas, coarsen, georeference
from no2sr.downscaling.baselines import BASELINES, NOISE_AWARE, Baseline, interpolate
from no2sr.downscaling.method import Block
from no2sr.downscaling.smoothing import (
    BANK,
    LENGTH,
    WIDTHS,
    blur,
    choose_widths,
    krige,
    look_around,
    smooth,
)
from no2sr.steps.conserve import closure


@pytest.fixture
def coarse():
    values = np.random.default_rng(3).gamma(2, 1e-5, (12, 10)).astype(np.float32)
    values[3:5, 4:6] = np.nan
    image = xr.DataArray(values, dims=("y", "x"), attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.5, 0, 10, 0, -0.5, 60), "EPSG:4326")


@pytest.mark.parametrize("method", BASELINES)
def test_gaps_stay_and_only_they(coarse, method):
    fine = interpolate(coarse, 3, method=method)
    expected = np.isnan(coarse.values).repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(np.isnan(fine.values), expected)


@pytest.mark.parametrize(
    "method", ["bicubic + correction", "lanczos + correction", "pycnophylactic"]
)
def test_corrected_methods_conserve(coarse, method):
    fine = interpolate(coarse, 3, method=method)
    residual = closure(fine.values, coarse.values, cell_areas(fine))
    assert np.nanmax(np.abs(residual)) < 1e-6 * np.nanstd(coarse.values)


@pytest.mark.parametrize("method", BASELINES)
def test_a_constant_stays_constant(coarse, method):
    flat = coarse.copy(data=np.full(coarse.shape, 2.5, dtype=np.float32))
    np.testing.assert_allclose(interpolate(flat, 4, method=method), 2.5, rtol=1e-6)


def test_pycnophylactic_is_the_smoothest_that_conserves(coarse):
    whole = coarse.fillna(1e-5)

    def roughness(method):
        values = interpolate(whole, 4, method=method).values.astype(np.float64)
        return (np.diff(values, axis=0) ** 2).sum() + (np.diff(values, axis=1) ** 2).sum()

    assert roughness("pycnophylactic") < roughness("bicubic + correction")
    assert roughness("pycnophylactic") < roughness("nearest")


def test_back_projection_conserves_nearly_and_adds_no_steps(coarse):
    whole = coarse.fillna(1e-5)
    fine = interpolate(whole, 4, method="iterated back-projection")
    residual = closure(fine.values, whole.values, cell_areas(fine))
    # 20 rounds leave 0.6^21 = 2e-5 of a checkerboard, the slowest, and less of anything else.
    assert np.abs(residual).max() < 2e-4 * whole.values.std()
    corrected = interpolate(whole, 4, method="bicubic + correction")

    def steps(image):
        return np.abs(np.diff(image.values, axis=1))[:, 3::4].mean()

    assert steps(fine) < steps(corrected)


def test_back_projection_finds_a_smooth_wave():
    # Block means of a cosine are lower than the cosine: sin(u) / u with u = pi / 8 for 8 blocks a
    # period, 0.975. Interpolation keeps that; back-projection undoes it.
    x = np.arange(64 * 4) + 0.5
    wave = np.tile(np.cos(2 * np.pi * x / 32), (32, 1)).astype(np.float32)
    image = xr.DataArray(wave, dims=("y", "x"), attrs={"units": "mol m-2"})
    truth = georeference(image, Affine(1, 0, 0, 0, -1, 32), "EPSG:32611")
    coarse = coarsen(truth, 4)
    inner = np.s_[8:24, 32:-32]

    def error(method):
        return np.abs(interpolate(coarse, 4, method=method).values - wave)[inner].max()

    assert error("iterated back-projection") < 0.3 * error("bicubic")


def test_arrays_and_images_give_the_same(coarse):
    block = Block(values=coarse.values, areas=cell_areas(coarse, refined=3))
    plain = Baseline(name="lanczos + correction", scale=3)(block).values
    image = interpolate(coarse, 3, method="lanczos + correction")
    np.testing.assert_array_equal(plain, image.values)


def _field(seed=0, shape=(20, 18)):
    """Make a smooth field, and one standard deviation of noise that differs from cell to cell."""
    rng = np.random.default_rng(seed)
    truth = gaussian_filter(rng.normal(size=shape), 2.0) * 8 + 3
    noise = rng.uniform(0.3, 0.9, shape)
    return truth, (truth + noise * rng.normal(size=shape)).astype(np.float32), noise


def _enlarge(method, values, noise=None, scale=3):
    areas = np.ones(scale * len(values))
    stated = None if noise is None else np.asarray(noise, np.float32)
    block = Block(values=np.asarray(values, np.float32), areas=areas, noise=stated)
    return Baseline(name=method, scale=scale)(block).values


@pytest.mark.parametrize("method", NOISE_AWARE)
def test_without_noise_they_are_bicubic(coarse, method):
    values = coarse.values
    bicubic = _enlarge("bicubic", values)
    np.testing.assert_array_equal(_enlarge(method, values), bicubic)
    np.testing.assert_array_equal(_enlarge(method, values, np.zeros(values.shape)), bicubic)


@pytest.mark.parametrize("clean", [smooth, krige])
def test_a_cell_without_noise_keeps_its_value(clean):
    _, values, noise = _field()
    noise[4:7, 5:9] = 0
    cleaned = clean(values, noise)
    np.testing.assert_array_equal(cleaned[noise == 0], values[noise == 0])
    assert (cleaned[noise > 0] != values[noise > 0]).mean() > 0.99


@pytest.mark.parametrize("clean", [smooth, krige])
def test_known_noise_is_taken_off(clean):
    truth, values, noise = _field()
    error = np.sqrt(np.mean((clean(values, noise) - truth) ** 2))
    assert error < 0.75 * np.sqrt(np.mean((values - truth) ** 2))


@pytest.mark.parametrize("clean", [smooth, krige])
def test_cleaning_knows_no_unit_and_no_level(clean):
    _, values, noise = _field()
    moved = clean(values * 1e-5 + 4e-5, noise * 1e-5)
    np.testing.assert_allclose(moved, clean(values, noise) * 1e-5 + 4e-5, rtol=1e-4)


@pytest.mark.parametrize("clean", [smooth, krige])
def test_gaps_and_unknown_noise(clean):
    _, values, noise = _field()
    values[3:6, 3:6] = np.nan
    noise[10, 10] = np.nan  # in an observed cell: taken from the cells around it
    cleaned = clean(values, noise)
    np.testing.assert_array_equal(np.isnan(cleaned), np.isnan(values))
    assert cleaned[10, 10] != values[10, 10]
    assert np.isnan(clean(np.full((6, 6), np.nan, np.float32), np.full((6, 6), np.nan))).all()


def test_widths_grow_with_noise_over_spread():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 40))
    widths = [choose_widths(values, np.full((40, 40), level)).mean() for level in (0, 0.3, 0.6, 1)]
    assert widths[0] == 0
    assert widths == sorted(set(widths))
    assert list(WIDTHS.values()) == sorted(WIDTHS.values())


def test_smoothing_at_a_width_of_the_table_is_a_gaussian():
    # Noise far above the spread: the largest width everywhere, away from gaps and edges.
    values = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)
    widest = max(WIDTHS.values())
    low, high = (max(w for w in BANK if w <= widest), min(w for w in BANK if w >= widest))
    below, above = (gaussian_filter(values.astype(float), w, truncate=3.0) for w in (low, high))
    share = 0 if high == low else (widest - low) / (high - low)
    found = smooth(values, np.full((30, 30), 50.0))
    np.testing.assert_allclose(found, below + share * (above - below), atol=1e-5)


def test_kriging_is_the_solution_of_its_equations():
    _, values, noise = _field(shape=(7, 8))
    values[2, 3] = np.nan
    mean, spread = look_around(values)
    power, _ = look_around(np.where(np.isnan(values), np.nan, noise**2))
    least = np.maximum(spread**2 - power, 0.05 * spread**2)
    variance = blur(np.where(np.isnan(values), np.nan, least), 2.0)
    # Means over blocks, by the 4 x 4 points inside each of them.
    inside = (np.arange(4) + 0.5) / 4
    cells = [(y, x) for y in range(7) for x in range(8) if np.isfinite(values[y, x])]
    points = {c: [(c[0] + a, c[1] + b) for a in inside for b in inside] for c in cells}

    def correlation(one, other):
        apart = [math.dist(p, q) for p in points[one] for q in points[other]]
        return np.mean(np.exp(-np.array(apart) / LENGTH))

    within = correlation(cells[0], cells[0])
    signal = np.array(
        [
            [math.sqrt(variance[a] * variance[b]) * correlation(a, b) / within for b in cells]
            for a in cells
        ]
    )
    observed = np.array([values[c] - mean[c] for c in cells])
    weights = np.linalg.inv(signal + np.diag([power[c] for c in cells]))
    expected = np.array([mean[c] for c in cells]) + signal @ weights @ observed
    cleaned = krige(values, noise)
    np.testing.assert_allclose([cleaned[c] for c in cells], expected, rtol=1e-5)


def test_a_large_field_is_solved_in_windows_that_agree():
    # 70 cells: three windows along each side, each with a rim of 8 cells.
    truth, values, noise = _field(shape=(70, 40))
    cleaned = krige(values, noise)
    alone = krige(values[24:72], noise[24:72])[16:24]
    spread = float(np.std(truth))
    assert np.abs(cleaned[40:48] - alone).max() < 0.05 * spread


def test_a_constant_field_stays_what_it_is_under_noise():
    flat = np.full((12, 12), 2.5, np.float32)
    for clean in (smooth, krige):
        np.testing.assert_allclose(clean(flat, np.full((12, 12), 0.3)), 2.5, rtol=1e-6)
