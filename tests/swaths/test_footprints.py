"""The operator of footprints: its rows, its transpose, its geometry."""

from __future__ import annotations

import numpy as np
import pytest

from no2sr.core.errors import SettingsError
from no2sr.swaths.footprints import RESPONSES, Overpasses, build_operator
from no2sr.swaths.overlap import Frame, Pixels, Sums, accumulate

FRAME, SHAPE = Frame(10.0, 46.0, 0.1), (40, 50)

NONE = np.empty(0)  # no stated uncertainty


def _pixels(seed: int = 1, count: int = 60, *, spread: float = 3.0) -> Pixels:
    """Return tilted parallelograms of random sizes."""
    rng = np.random.default_rng(seed)
    x, y = 12.5 + spread * rng.uniform(-0.5, 0.5, (2, count, 1)) * [[[1.0]], [[1.0]]]
    y = y + 31.5
    across, along = rng.uniform(0.2, 0.5, (2, count, 1))
    u, v = np.array([-0.5, 0.5, 0.5, -0.5]), np.array([-0.5, -0.5, 0.5, 0.5])
    longitude = x + across * u + 0.1 * along * v
    latitude = y + along * v - 0.1 * across * u
    return Pixels(rng.standard_normal(count), NONE, NONE, latitude, longitude)


@pytest.mark.parametrize("response", RESPONSES)
def test_a_constant_is_seen_as_that_constant(response):
    operator = build_operator(_pixels(), FRAME, SHAPE, response)
    assert operator.matrix @ np.full(SHAPE[0] * SHAPE[1], 7.0) == pytest.approx(7.0, rel=1e-12)
    assert operator.inside == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("room", [1e9, 0.0])
def test_the_transpose_is_the_transpose(response, room):
    parts = [_pixels(seed) for seed in range(3)]
    operator = Overpasses(parts, FRAME, SHAPE, response=response, room=room)
    assert operator.in_memory == (room > 0)
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal(operator.shape[1]), rng.standard_normal(operator.shape[0])
    assert operator.see(x) @ y == pytest.approx(x @ operator.spread(y), rel=1e-12)


def test_built_again_or_kept_it_is_the_same():
    parts = [_pixels(seed) for seed in range(3)]
    field = np.random.default_rng(3).standard_normal(SHAPE[0] * SHAPE[1])
    kept, again = (Overpasses(parts, FRAME, SHAPE, room=room) for room in (1e9, 0.0))
    assert np.array_equal(kept.see(field), again.see(field))


def test_the_shares_are_those_of_gridding():
    pixels = _pixels()
    zeros = [np.zeros(SHAPE) for _ in range(2)]
    none = np.zeros((0, 0), np.float32)
    sums = Sums(FRAME, *zeros, np.zeros(SHAPE, np.int32), none, none, none, none)
    accumulate(pixels, sums)
    operator = build_operator(pixels, FRAME, SHAPE).matrix
    x, y = pixels.longitude / FRAME.spacing, pixels.latitude / FRAME.spacing
    twice = np.abs(np.sum(x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y, axis=1))
    assert operator.T @ (twice / 2) == pytest.approx(sums.weight.ravel(), abs=1e-9)


def test_one_pixel_a_cell_is_the_identity():
    rows, columns = np.indices(SHAPE).reshape(2, -1, 1)
    corners = np.array([0, 1, 1, 0]), np.array([1, 1, 0, 0])
    longitude = FRAME.west + (columns + corners[0]) * FRAME.spacing
    latitude = FRAME.north - (rows + corners[1]) * FRAME.spacing
    pixels = Pixels(np.zeros(rows.size), NONE, NONE, latitude, longitude)
    matrix = build_operator(pixels, FRAME, SHAPE).matrix
    assert abs(matrix - np.eye(rows.size)).max() < 1e-9


def test_half_a_pixel_on_the_grid_is_said_to_be_half():
    west = FRAME.west + np.array([[-0.2, 0.2, 0.2, -0.2]])
    north = FRAME.north - np.array([[1.2, 1.2, 1.0, 1.0]])
    operator = build_operator(Pixels(np.zeros(1), NONE, NONE, north, west), FRAME, SHAPE)
    assert operator.inside == pytest.approx(0.5)
    assert operator.matrix.sum() == pytest.approx(1.0)


def test_pixels_without_value_or_corner_or_on_the_other_side_see_nothing():
    pixels = _pixels(count=3)
    pixels.column[0] = np.nan
    pixels.latitude[1, 2] = np.nan
    pixels.longitude[2] += 100
    operator = build_operator(pixels, FRAME, SHAPE)
    assert operator.matrix.nnz == 0
    assert operator.inside[[0, 2]] == pytest.approx(0)


def test_a_turn_of_longitude_changes_nothing():
    pixels = _pixels()
    moved = pixels._replace(longitude=pixels.longitude - 360)
    plain, turned = (build_operator(p, FRAME, SHAPE).matrix for p in (pixels, moved))
    assert abs(plain - turned).max() < 1e-9


def test_the_super_gaussian_is_one_half_at_the_edges():
    """Sun et al. 2018: the corners of pixels lie where the response is one half."""
    fine, shape = Frame(0.0, 4.0, 0.01), (400, 400)
    x, y = np.array([[1.5, 2.5, 2.5, 1.5]]), np.array([[1.5, 1.5, 2.5, 2.5]])
    seen = build_operator(Pixels(np.zeros(1), NONE, NONE, y, x), fine, shape, "super-gaussian")
    response = seen.matrix.toarray().reshape(shape)
    response /= response.max()
    assert response[200, 250] == pytest.approx(0.5, abs=0.03)  # across: steep, exponent 4
    assert response[250, 200] == pytest.approx(0.5, abs=0.01)  # along: exponent 2
    assert response[200, 225] == pytest.approx(0.5 ** (0.5**4), abs=0.01)
    assert response[225, 200] == pytest.approx(0.5 ** (0.5**2), abs=0.01)


def test_another_response_is_refused():
    with pytest.raises(SettingsError, match="quadrilateral, super-gaussian"):
        build_operator(_pixels(), FRAME, SHAPE, "box")
