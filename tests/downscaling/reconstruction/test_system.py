"""The equations themselves, against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from skies import fly_over

from no2sr.downscaling.reconstruction.departures import Correlated
from no2sr.downscaling.reconstruction.prior import Roughness
from no2sr.downscaling.reconstruction.reading import Shelf
from no2sr.downscaling.reconstruction.records import Grid
from no2sr.downscaling.reconstruction.solving import observe
from no2sr.downscaling.reconstruction.system import System
from no2sr.downscaling.reconstruction.uncertainty import draw_members
from no2sr.swaths.overlap import Frame


@pytest.fixture(scope="module", params=[0.0, 2.0], ids=["no departures", "departures"])
def system(request):
    """Return the system of four overpasses on a grid of 20 x 22 cells, in units of the noise."""
    grid = Grid(Frame(10.0, 45.5, 0.03), (20, 22), (0, 0))
    shelf = Shelf([fly_over(seed) for seed in range(4)], grid.box, 0.0)
    observations = observe(shelf.select_near(grid.box), grid, "quadrilateral").scale(3e-6)
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.5, 2, observations.all_values.size)
    strength = rng.uniform(0.2, 5, grid.size)
    errors = Correlated.of_grid(grid, observations.matrices, weights, request.param)
    return System(observations, errors, Roughness(grid, strength), 0.5)


def _dense(apply, size):
    return np.stack([apply(column) for column in np.eye(size)], axis=1)


def test_the_map_is_the_solution_of_the_dense_system(system):
    size = system.observations.grid.size
    matrix = _dense(system.apply, size)
    assert matrix == pytest.approx(matrix.T, abs=1e-9 * matrix.max())
    right = system.pull(system.observations.all_values)
    exact = np.linalg.solve(matrix, right)
    assert system.solve(within=1e-9) == pytest.approx(exact, abs=1e-5 * np.abs(exact).max())


def test_the_shares_are_in_memory_once(system):
    """Copies of them would multiply the memory of a block."""
    observations = system.observations
    shares = observations.seen.data
    scaled = observations.scale(2.0, 1.0)
    for matrix in (*observations.matrices, observations.back, scaled.seen, scaled.back):
        shared = np.shares_memory(matrix.data, shares)
        assert shared  # the arrays themselves would fill pages
    assert scaled.all_values == pytest.approx((observations.all_values - 1) / 2)
    for matrix, rows in zip(observations.matrices, observations.rows, strict=True):
        assert (matrix != observations.seen[rows]).nnz == 0


def test_whitening_is_the_inverse_of_the_covariance(system):
    size = system.observations.all_values.size
    errors = system.errors
    draws = np.stack(
        [
            errors.draw(
                np.random.default_rng(k).standard_normal(size), np.random.default_rng(-k % 97)
            )
            for k in range(1, 3)
        ]
    )
    assert draws.shape == (2, size)
    inverse = _dense(errors.whiten, size)
    assert inverse == pytest.approx(inverse.T, abs=1e-9)
    assert np.linalg.eigvalsh(inverse).min() > 0


def test_a_constant_has_no_roughness(system):
    flat = np.full(system.observations.grid.size, 3.0)
    assert system.roughness.apply(flat) == pytest.approx(0, abs=1e-9)


def test_members_scatter_as_the_inverse_says(system):
    size = system.observations.grid.size
    exact = np.sqrt(np.diag(np.linalg.inv(_dense(system.apply, size))))
    drawn = np.sqrt((draw_members(system, 100) ** 2).mean(axis=0))
    assert np.median(drawn / exact) == pytest.approx(1, abs=0.08)
