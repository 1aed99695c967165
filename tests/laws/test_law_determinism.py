"""Seventh law: the same input and the same model give the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scenes import FEW, KINDS, SCALES, as_held, forms, images, values_of

import no2sr
from no2sr import downscale


@FEW
@given(images(), forms, SCALES, KINDS)
def test_the_result_repeats(image, form, scale, kind):
    held = as_held(image, form)
    first, second = (downscale(held, scale=scale, conserve=kind) for _ in range(2))
    xr.testing.assert_identical(first, second)
    assert values_of(first).values.tobytes() == values_of(second).values.tobytes()


@FEW
@given(images(), SCALES, st.sampled_from([".tif", ".nc"]))
def test_the_file_repeats(image, scale, suffix):
    fine = downscale(image, scale=scale)
    with tempfile.TemporaryDirectory() as folder:
        paths = [no2sr.write(fine, Path(folder) / f"{name}{suffix}") for name in "ab"]
        one, two = (path.read_bytes() for path in paths)
    assert one == two
