"""Resampling: kernels from their formulae, alignment, edges, and MATLAB's own pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from no2sr.core.errors import SettingsError
from no2sr.steps.resample import KERNEL_REACH, resize, upsample

EXAMPLES = settings(max_examples=50, deadline=None)  # a busy machine is no failure

METHODS = ["nearest", "bilinear", "bicubic", "lanczos"]
SMOOTH = METHODS[1:]


def keys(x: np.ndarray) -> np.ndarray:
    """Evaluate the cubic convolution kernel of Keys (1981), a = -1/2."""
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


KERNELS = {"bilinear": (triangle, 1), "bicubic": (keys, 2), "lanczos": (lanczos, 3)}


def weights(size: int, wanted: int, method: str) -> np.ndarray:
    """Return the matrix that resizes one axis: widened kernel, edges repeated, rows sum to 1."""
    kernel, reach = KERNELS[method]
    ratio = size / wanted
    width = max(1.0, ratio)
    centres = (np.arange(wanted) + 0.5) * ratio - 0.5
    matrix = np.zeros((wanted, size))
    for row, centre in zip(matrix, centres, strict=True):
        cells = np.arange(int(centre - reach * width) - 2, int(centre + reach * width) + 3)
        weight = kernel((cells - centre) / width)
        np.add.at(row, np.clip(cells, 0, size - 1), weight / weight.sum())
    return matrix


@EXAMPLES
@given(
    values=arrays(np.float32, (7, 9), elements=st.floats(-1, 1, width=32)),
    ny=st.integers(2, 30),
    nx=st.integers(2, 30),
    method=st.sampled_from(SMOOTH),
)
def test_the_kernels_are_those_of_the_literature(*, values, ny, nx, method):
    expected = weights(7, ny, method) @ values.astype(float) @ weights(9, nx, method).T
    found = resize(values, (ny, nx), method=method)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_the_answer_to_an_impulse():
    # Twice finer, centres lie 1/4, 3/4, 5/4 and 7/4 from the impulse. Keys (1981), a = -1/2:
    # W(1/4) = 3/128 - 20/128 + 1 = 111/128; W(3/4) = 81/128 - 180/128 + 1 = 29/128;
    # W(5/4) = -125/128 + 500/128 - 3 = -9/128; W(7/4) = -343/128 + 980/128 - 5 = -3/128.
    row = np.zeros((9, 9), np.float32)
    row[:, 4] = 1
    middle = upsample(row, 2)[9]
    expected = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 128
    np.testing.assert_allclose(middle[5:13], expected, atol=1e-7)
    assert np.abs(np.delete(middle, np.s_[5:13])).max() < 1e-7
    # A straight line between centres: 1/4 away is 3/4.
    np.testing.assert_allclose(
        upsample(row, 2, method="bilinear")[9, 7:11], [0.25, 0.75, 0.75, 0.25], atol=1e-7
    )


def test_shrinking_widens_the_kernel():
    # Half as fine, coarse centre k lies at 2k + 1/2, so an impulse at 8 is 15/4 - k coarse cells
    # away: 7/4, 3/4, -1/4 and -5/4 for k = 2..5. The kernel, twice as wide, has half the height.
    row = np.zeros((16, 16), np.float32)
    row[:, 8] = 1
    small = resize(row, (8, 8))[4]
    expected = np.array([0, 0, -3, 29, 111, -9, 0, 0]) / 256
    np.testing.assert_allclose(small, expected, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [2, 3, 4, 5])
def test_a_ramp_is_not_displaced(method, scale):
    # Fine pixel k lies at (k + 1/2) / scale - 1/2: on a ramp it must hold just that.
    ramp = np.tile(np.arange(20, dtype=np.float32), (4, 1))
    fine = upsample(ramp, scale, method=method)[0]
    place = (np.arange(20 * scale) + 0.5) / scale - 0.5
    inner = slice(KERNEL_REACH[method] * scale, -KERNEL_REACH[method] * scale or None)
    expected = np.round(place) if method == "nearest" else place
    # Lanczos is no partition of a line: its ripple on a ramp stays below 0.01 of a cell.
    close = 0.02 if method == "lanczos" else 1e-5
    np.testing.assert_allclose(fine[inner], expected[inner], atol=close)
    assert fine.mean() == pytest.approx(9.5, abs=1e-5)


def test_bicubic_follows_a_parabola():
    # Keys with a = -1/2 reproduces polynomials up to the second degree.
    x = np.arange(16)
    fine = upsample(np.tile(x.astype(np.float32) ** 2, (3, 1)), 4)[0]
    place = (np.arange(64) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(fine[8:-8], place[8:-8] ** 2, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (30, 5), (3, 40)])
def test_a_constant_stays_constant(method, shape):
    np.testing.assert_allclose(
        resize(np.full((6, 7), 3e-5, np.float32), shape, method=method), 3e-5, rtol=1e-6
    )


@EXAMPLES
@given(
    values=arrays(np.float32, (5, 6), elements=st.floats(-1, 1, width=32)),
    scale=st.integers(1, 5),
    method=st.sampled_from(METHODS),
)
def test_mirrored_and_turned_images_give_mirrored_and_turned_results(values, scale, method):
    fine = upsample(values, scale, method=method)
    assert fine.shape == (5 * scale, 6 * scale)
    for turn in (np.flipud, np.fliplr, np.transpose):
        np.testing.assert_allclose(
            upsample(turn(values), scale, method=method), turn(fine), atol=1e-6
        )


@EXAMPLES
@given(
    values=arrays(np.float32, (6, 6), elements=st.floats(-1, 1, width=32)),
    scale=st.integers(2, 4),
    method=st.sampled_from(METHODS),
    at=st.tuples(st.integers(0, 5), st.integers(0, 5)),
)
def test_a_cell_reaches_no_farther_than_stated(*, values, scale, method, at):
    other = values.copy()
    other[at] += 1
    changed = upsample(other, scale, method=method) != upsample(values, scale, method=method)
    cells = changed.reshape(6, scale, 6, scale).any(axis=(1, 3))
    rows, columns = np.nonzero(cells)
    assert np.abs(rows - at[0]).max() <= KERNEL_REACH[method]
    assert np.abs(columns - at[1]).max() <= KERNEL_REACH[method]


def test_nearest_repeats_cells():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    expected = np.repeat(np.repeat(values, 3, axis=0), 3, axis=1)
    np.testing.assert_array_equal(upsample(values, 3, method="nearest"), expected)


def test_edges_are_repeated():
    # Beyond an edge lie copies of the edge cell: 0 | 0 1. Halfway to the edge bilinear
    # interpolation then finds the value of the edge cell.
    fine = upsample(np.float32([[0, 1], [0, 1]]), 2, method="bilinear")
    np.testing.assert_allclose(fine[0], [0, 0.25, 0.75, 1], atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_layout_of_numbers_will_do_and_is_not_modified(dtype, order):
    values = np.asarray(np.arange(12.0).reshape(3, 4), dtype=dtype, order=order)
    before = values.copy()
    np.testing.assert_allclose(upsample(values, 2), upsample(before.astype("f4"), 2), atol=1e-6)
    np.testing.assert_array_equal(values, before)


def test_an_unknown_method_is_refused():
    with pytest.raises(SettingsError, match="'cubic'; choose one of nearest, bilinear, bicubic"):
        resize(np.zeros((2, 2), np.float32), (4, 4), method="cubic")


@pytest.mark.real_data
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pictures_shrink_as_in_matlab(number, scale, real_data):
    # MATLAB shrinks one axis after the other and rounds to grey levels in between.
    name = ["baby", "bird", "butterfly", "head", "woman"][number - 1]
    small = np.asarray(
        Image.open(real_data / f"sr/Set5_matlab_lr/img_{number:03}_SRF_{scale}_LR.png"), float
    )
    ny, nx = small.shape[:2]
    large = np.asarray(Image.open(real_data / f"sr/Set5/{name}_GT.bmp").convert("RGB"), np.float32)
    for band in range(3):
        grey = large[: ny * scale, : nx * scale, band]
        for shape in ((ny, nx * scale), (ny, nx)):
            grey = np.clip(np.floor(resize(grey, shape) + 0.5), 0, 255)
        np.testing.assert_array_equal(grey, small[:, :, band])
