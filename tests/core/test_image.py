"""The image contract and the questions one asks of an image."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from no2sr.core.errors import DimensionError, IrregularGridError, MissingCRSError, UnitsError
from no2sr.core.grid import regular_grid
from no2sr.core.image import (
    AXIS_TOLERANCE,
    COLUMN_ATTRS,
    STANDARD_NAME,
    add_history,
    check_image,
    crs_of,
    is_geographic,
    regular_axis,
)
from no2sr.core.units import CANONICAL

EXAMPLES = settings(max_examples=100, deadline=None)  # a busy machine is no failure


@pytest.fixture
def image() -> xr.DataArray:
    return regular_grid((10, 50, 12, 51), 0.25).assign_attrs(COLUMN_ATTRS)


def test_an_image_is_returned_itself(image):
    assert check_image(image) is image
    series = image.expand_dims(time=[np.datetime64("2023-10-27", "ns")])
    assert check_image(series) is series


@pytest.mark.parametrize(
    ("broken", "error", "advice"),
    [
        (lambda i: i.transpose("x", "y"), DimensionError, "rename or transpose"),
        (lambda i: i.rename(y="lat", x="lon"), DimensionError, "no2sr.core.door.enter"),
        (lambda i: i.expand_dims(band=1), DimensionError, r"instead of \(y, x\) or \(time, y, x\)"),
        (lambda i: i.isel(y=0), DimensionError, "dims"),
        (lambda i: i.astype("float64"), DimensionError, r"image.astype\('float32'\)"),
        (lambda i: i.isel(y=slice(None, None, -1)), IrregularGridError, "y runs the wrong way"),
        (lambda i: i.isel(x=slice(None, None, -1)), IrregularGridError, "x runs the wrong way"),
        (lambda i: i.isel(x=[0, 1, 3]), IrregularGridError, "x is not regular"),
        (lambda i: i.isel(x=[0]), IrregularGridError, "at least 2 cells"),
        (lambda i: i.drop_vars("spatial_ref"), MissingCRSError, "write_crs"),
        (lambda i: i.drop_attrs(deep=False), UnitsError, r"set image.attrs\['units'\]"),
        (lambda i: i.assign_attrs(units=""), UnitsError, "no unit; set"),
    ],
)
def test_the_first_rule_that_is_broken_is_named(image, *, broken, error, advice):
    with pytest.raises(error, match=advice):
        check_image(broken(image))


def test_a_column_is_named_as_cf_does():
    # CF standard name table: canonical unit mol m-2.
    assert STANDARD_NAME == "troposphere_mole_content_of_nitrogen_dioxide"
    assert COLUMN_ATTRS["standard_name"] == STANDARD_NAME
    assert COLUMN_ATTRS["units"] == CANONICAL


def test_the_crs_is_found_on_images_and_datasets(image):
    assert crs_of(image) == CRS("EPSG:4326")
    assert crs_of(image.to_dataset(name="no2")) == CRS("EPSG:4326")
    assert is_geographic(image)
    utm = regular_grid((0, 0, 3e3, 3e3), 1e3, "EPSG:32643")
    assert crs_of(utm).to_epsg() == 32643
    assert not is_geographic(utm)
    with pytest.raises(MissingCRSError, match="set it with"):
        crs_of(xr.DataArray(np.ones((2, 2)), dims=("y", "x")))


def test_history_grows_at_the_top_and_bears_no_time(image):
    once = add_history(image, "gridded")
    twice = add_history(once, "refined")
    assert "history" not in image.attrs
    assert twice.attrs["history"] == "no2sr: refined\nno2sr: gridded"
    assert add_history(image.assign_attrs(history=""), "a").attrs["history"] == "no2sr: a"


@pytest.mark.parametrize(
    ("centres", "expected"),
    [
        ([0.5, 1.5], (0.5, 1.0)),
        ([3, 2, 1], (3.0, -1.0)),
        (np.float32([10.025, 10.075, 10.125]), (10.025, 0.05)),
        # float32 cannot hold 0.01 degree steps at 100 degrees: spacing 7.6e-6, read as 0.0099945...
        (np.float32(95.005 + 0.01 * np.arange(920)), (95.005, 0.01)),
        (np.float32(-179.875 + 0.25 * np.arange(1440)), (-179.875, 0.25)),
        (89.5 - np.arange(180.0), (89.5, -1.0)),
        # Cells so small that float32 moves their centres by more than 1 % of one.
        (np.float32(41.39 + 2e-4 * np.arange(20)), (41.39, 2e-4)),
        (np.float32(139.6 + 1e-3 * np.arange(20)), (139.6, 1e-3)),
        (np.float32(64.1 - 4e-4 * np.arange(300)), (64.1, -4e-4)),
        (np.float32(-178.0003 + 5e-4 * np.arange(300)).astype("f8"), (-178.0003, 5e-4)),
        (np.float32(5.1e6 + 2.0 * np.arange(200)), (5.1e6, 2.0)),
        # 1/12 degree has no short decimal: its reciprocal is whole.
        (np.float32(-180 + (np.arange(4320) + 0.5) / 12), (-180 + 1 / 24, 1 / 12)),
    ],
)
def test_axes_of_known_origin(centres, expected):
    assert regular_axis(centres) == expected


@pytest.mark.parametrize(
    "centres",
    [
        [1.0],
        [],
        [[1.0, 2.0], [3.0, 4.0]],
        [1.0, 1.0, 1.0],
        [1.0, 2.0, np.nan],
        [1.0, 2.0, np.inf],
        [1.0, np.inf, 3.0],
        [1.0, np.nan, 3.0],
        [np.nan, np.nan],
        [0.0, 1.0, 3.0],
        [0.0, 1.0, 2.042],  # the middle lies 0.021 from 1.021: 2 % of a cell
        np.float32(139.6 + 1e-3 * np.array([0.0, 1.0, 2.05, 3.0, 4.0])),
        np.float32(139.6 + 2e-5 * np.arange(20)),  # rounding hides such cells
        [0.0, 5e-311, 1e-310],
        [0.0, 9e-13],
        [0.0, 1.1e12],
        [-1e300, 0.0, 1e300],
    ],
)
def test_what_is_no_regular_axis_is_refused(centres):
    with pytest.raises(IrregularGridError, match="longitude"):
        regular_axis(centres, "longitude")


def test_a_centre_may_lie_one_percent_of_a_cell_off():
    # 1.0 lies 0.0099 from the middle of 0 and 2.0198, where cells are 1.0099 wide: 0.98 %.
    assert regular_axis([0.0, 1.0, 2.0198]) == (0.0, 1.0099)


STEPS = [0.01, 0.015, 0.02, 0.05, 0.1, 0.125, 0.25, 0.5, 0.625, 0.75, 1.0, 2.5, 1 / 12, 1 / 3]


@EXAMPLES
@given(
    step=st.sampled_from(STEPS),
    place=st.floats(-1, 1),
    count=st.integers(2, 400),
    centred=st.booleans(),
    descending=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_geographic_axes_are_found_again(*, step, place, count, centred, descending, dtype):
    start = round(place * 180 / step) * step + centred * step / 2
    exact = start + step * np.arange(count)
    exact = exact[::-1] if descending else exact
    first, found = regular_axis(exact.astype(dtype))
    # A few cells in float32 do not tell their origin exactly, but to less than 1 % of a cell.
    near = 1e-9 if dtype == "float64" else AXIS_TOLERANCE
    assert np.abs(first + found * np.arange(count) - exact).max() <= near * step
    assert np.sign(found) == (-1 if descending else 1)
    shortest = 12 * step % 1 != 0 or step >= 0.25
    if count > 20 and shortest and step not in (1 / 12, 1 / 3):
        assert abs(found) == step


@EXAMPLES
@given(
    step=st.floats(1e-3, 1e4),
    origin=st.floats(-1e6, 1e6),
    count=st.integers(2, 50),
    noise=st.floats(0.03, 0.45),
    at=st.integers(0, 49),
)
def test_a_displaced_centre_is_noticed(*, step, origin, count, noise, at):
    centres = origin + step * np.arange(max(count, 3))
    at = 1 + at % (centres.size - 2)  # an inner one: displaced ends look like another step
    centres[at] += noise * step
    with pytest.raises(IrregularGridError, match="put the data on a regular grid"):
        regular_axis(centres)
