"""How finely an image is resolved: grids of known making, and the real files."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from opening import open_column
from scipy.ndimage import zoom

import no2sr
from no2sr.core.grid import bounds_of, coarsen, crop, georeference, refine, transform_of
from no2sr.core.image import COLUMN_ATTRS, check_image
from no2sr.core.provenance import coarsening_of
from no2sr.steps.sampling import Resolution, coarsen_to_native, effective_resolution

NO_NAME = {"units": "mol m-2"}


def _image(values, *, step=0.05, attrs=NO_NAME, crs=4326, corner=(10.0, 40.0)):
    west, north = corner
    image = xr.DataArray(np.asarray(values, dtype="float32"), dims=("y", "x"), attrs=dict(attrs))
    return georeference(image, Affine(step, 0, west, 0, -step, north), crs)


def _field(*, size=60, slope=3.0, noise=0.1, seed=0):
    """Return a field whose power falls with frequency, like plumes, with noise."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = 1
    smooth = np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) * frequency ** (-slope / 2))
    return 5e-5 * (smooth.real / smooth.real.std() + noise * rng.normal(size=(size, size)))


def _sampled(field, spacing, order):
    """Put a field on a grid `spacing` times finer: by copies (0), linearly (1), by cubics (3)."""
    return zoom(field, spacing, order=order, mode="nearest", grid_mode=True)


@pytest.mark.parametrize("spacing", [2, 3, 4.2, 5.5, 8])
@pytest.mark.parametrize("slope", [0, 3])
def test_copies_are_measured(spacing, slope):
    found = effective_resolution(_image(_sampled(_field(slope=slope), spacing, 0)))
    assert found.evidence == "copies"
    # n blocks have n - 1 borders: 60 / 59 of the spacing.
    assert found.cells == pytest.approx((spacing, spacing), rel=0.03)
    assert found.size == pytest.approx((0.05 * found.cells[0], 0.05 * found.cells[1]))


@pytest.mark.parametrize(
    ("cells", "factor"),
    [(1.7, 1), (1.8, 2), (2.0, 2), (2.2, 2), (2.3, 3), (2.79, 3), (3.1, 3), (5.5, 6)],
)
def test_blocks_hold_what_is_resolved(cells, factor):
    # 0.028 degree resolved by cells of 0.01 degree: 2 x 2 of them would still be oversampled.
    assert Resolution((cells, 2 * cells), (1, 1), "pixel size").factor == factor
    assert Resolution((cells, cells), (1, 1), "").factor == 1


def test_copies_of_oblong_blocks_are_measured_along_each_axis():
    values = np.repeat(np.repeat(_field(), 3, axis=0), 7, axis=1)
    found = effective_resolution(_image(values))
    assert found.cells == pytest.approx((3, 7), rel=0.03)
    assert found.factor == 3  # nothing that is resolved along y may be averaged away


def test_cells_that_mix_two_pixels_are_no_pixels():
    # Pixels of 5.5 cells, binned by area: every second border falls within a cell.
    fine = np.repeat(np.repeat(_field(size=48), 11, axis=0), 11, axis=1)
    image = coarsen(_image(fine), 2)
    assert effective_resolution(image).cells == pytest.approx((5.5, 5.5), rel=0.05)


def test_a_constant_background_is_no_copy():
    values = np.full((80, 80), 3e-5)
    values[30:50, 30:50] = _field(size=20)
    assert effective_resolution(_image(values)).evidence == ""
    assert effective_resolution(_image(np.full((80, 80), 3e-5))).evidence == ""


def test_rounded_values_are_no_copies():
    field = _field(size=200, slope=4, noise=0)
    levels = np.round(field / 5e-6) * 5e-6
    assert (np.diff(levels, axis=1) == 0).mean() > 0.5
    assert effective_resolution(_image(levels)).evidence == ""


@pytest.mark.parametrize(
    ("order", "spacing"), [(1, 3), (1, 4.2), (1, 8), (3, 2.5), (3, 4.2), (3, 8)]
)
@pytest.mark.parametrize("slope", [0, 2, 4])
def test_interpolation_is_measured(order, spacing, slope):
    found = effective_resolution(_image(_sampled(_field(slope=slope), spacing, order)))
    assert found.evidence == "interpolation"
    assert found.cells == pytest.approx((spacing, spacing), rel=0.03)


@pytest.mark.parametrize("slope", [0, 2, 3, 4])
@pytest.mark.parametrize("noise", [0, 0.1])
@pytest.mark.parametrize("size", [12, 64, 200])
def test_fields_on_their_own_grid_raise_no_alarm(slope, noise, size):
    for seed in range(5):
        image = _image(_field(size=size, slope=slope, noise=noise, seed=seed))
        assert effective_resolution(image) == ((1, 1), (0.05, 0.05), "")


def test_a_coarse_prior_is_no_interpolation():
    # Columns of GEMS bend at the borders of the cells of their model profiles, 6.25 cells wide,
    # but between them they are sharp.
    prior = 1 + 0.2 * _sampled(_field(), 6.25, 1) / 5e-5
    image = _image(prior * (1e-4 + _field(size=prior.shape[0])))
    assert effective_resolution(image).evidence == ""


@pytest.mark.parametrize(
    ("step", "crs", "corner", "cells"),
    [
        # 3.1 km / (0.01 * 111.2 km), and along x at 36.5 N over cos(36.5) besides
        (0.01, 4326, (10, 37), (2.788, 3.468)),
        (1000, 32611, (4e5, 4e6), (3.1, 3.1)),
        (0.02, 4326, (10, 37), None),  # TEMPO's own level 3
        (0.05, 4326, (10, 37), None),
        (100, 32611, (4e5, 4e6), None),  # from an aircraft, or a model of streets
    ],
)
def test_cells_smaller_than_any_sounder_sees(step, crs, corner, cells):
    image = _image(_field(size=100), step=step, crs=crs, corner=corner, attrs=COLUMN_ATTRS)
    found = effective_resolution(image)
    assert found.evidence == ("pixel size" if cells else "")
    assert found.cells == pytest.approx(cells or (1, 1), rel=1e-3)
    other = image.assign_attrs(standard_name="atmosphere_mole_content_of_ozone")
    assert effective_resolution(other).evidence == ""


def test_gaps_and_zeros_are_left_out():
    values = np.repeat(np.repeat(_field(), 4, axis=0), 4, axis=1)
    values[:, ::17] = 0
    values[60:120, 60:120] = np.nan
    # One column of 17 is lost, and with it every border that touches it.
    assert effective_resolution(_image(values)).cells == pytest.approx((4, 4), rel=0.08)
    assert effective_resolution(_image(np.full((50, 50), np.nan))).evidence == ""


def test_the_fullest_time_and_window_decide():
    copies = np.repeat(np.repeat(_field(), 4, axis=0), 4, axis=1)
    empty = np.full_like(copies, np.nan)
    times = np.array(["2023-10-30", "2023-10-31"], dtype="M8[ns]")
    stack = _image(copies).expand_dims(time=times).copy(data=np.stack([empty, copies]))
    assert effective_resolution(stack.astype("float32")).evidence == "copies"
    wide = np.full((240, 3000), np.nan)
    wide[:, 2100:2340] = copies
    assert effective_resolution(_image(wide)).evidence == "copies"


def test_coarsen_to_native_undoes_copies():
    original = _image(_field())
    back = check_image(coarsen_to_native(refine(original, 4)))
    np.testing.assert_allclose(back, original, rtol=1e-5, atol=1e-11)
    assert transform_of(back) == pytest.approx(transform_of(original))
    assert "4 x 4 cells to the effective resolution (copies)" in back.attrs["history"]
    assert coarsening_of(back.attrs) == 4
    assert coarsening_of(coarsen_to_native(refine(back, 2)).attrs) == 8  # of what was read first


def test_coarsen_to_native_returns_what_is_resolved():
    image = _image(_field())
    assert coarsen_to_native(image) is image


def test_coarsen_to_native_keeps_places_gaps_and_cuts_the_rest():
    blocks = _image(_field(size=51), step=0.2)
    fine = crop(refine(blocks, 4), slice(0, 203), slice(0, 203))  # 50 blocks and 3 cells a side
    fine[0:2, 0:4] = np.nan  # half of a block: kept
    fine[4:7, 0:4] = np.nan  # three quarters of one: lost
    coarse = coarsen_to_native(fine)
    assert bounds_of(coarse) == pytest.approx((10, 30, 20, 40))  # 50 blocks of 0.2 degree
    np.testing.assert_allclose(coarse["x"], blocks["x"][:50])
    np.testing.assert_allclose(coarse["y"], blocks["y"][:50])
    expected = blocks.values[:50, :50].copy()
    expected[1, 0] = np.nan
    np.testing.assert_allclose(coarse, expected, rtol=1e-5, atol=1e-11)


@given(seed=st.integers(0, 10**6), scale=st.integers(2, 6), gain=st.floats(1e-7, 1e7))
def test_what_is_resolved_knows_no_unit_and_no_offset(seed, scale, gain):
    copies = np.kron(_field(size=30, seed=seed), np.ones((scale, scale)))
    found = effective_resolution(_image(gain * (copies + 1e-4)))
    assert found.evidence == "copies"
    assert found.factor == scale


OVERSAMPLED = {
    # Runs of equal cells, counted apart: 1 / (share of unequal neighbours), 0.01 degree cells.
    "s5p_l3/NO2_box_1_1_20250801.nc": ("copies", (0.059, 0.080)),
    "s5p_l3/NO2_box_1_2_20250801.nc": ("copies", (0.057, 0.067)),
    "s5p_l3/NO2_box_3_1_20250801.nc": ("copies", (0.050, 0.081)),
    "s5p_l3/gee_tacna_2019.tif": ("pixel size", (0.0279, 0.0292)),
    "s5p_l3/gee_tacna_2020.tif": ("pixel size", (0.0279, 0.0292)),
}


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore::no2sr.core.errors.UnverifiedUnitsWarning")
@pytest.mark.parametrize("file", OVERSAMPLED)
def test_real_files_that_are_oversampled(real_data, file):
    unit = "umol m-2" if file.endswith(".tif") else None
    with pytest.warns(no2sr.OversampledWarning, match="coarsen_to_native"):
        image = open_column(real_data / file, unit=unit)
    evidence, size = OVERSAMPLED[file]
    found = effective_resolution(image)
    assert found.evidence == evidence
    assert found.size == pytest.approx(size, rel=0.02)
    coarse = check_image(coarsen_to_native(image))
    assert effective_resolution(coarse).factor == 1


@pytest.mark.real_data
def test_the_real_cubic_grid_has_the_spacing_of_its_source(real_data):
    import rioxarray

    def opened(name):
        path = real_data / "s5p_l3" / name
        return rioxarray.open_rasterio(path, masked=True).isel(band=0, drop=True)

    fine, source = opened("czechia_mmol_no_crs.tif"), opened("czechia_source_0063deg.tif")
    found = effective_resolution(fine.rio.write_crs(4326).assign_attrs(NO_NAME))
    assert found.evidence == "interpolation"
    spacing = abs(source.rio.resolution()[0])
    assert found.size == pytest.approx((spacing, spacing), rel=0.01)
    assert effective_resolution(source.rio.write_crs(4326).assign_attrs(NO_NAME)).factor == 1


@pytest.mark.real_data
def test_gems_hours_raise_no_alarm(real_data, root):
    import pandas as pd

    table = pd.read_parquet(real_data / "gems" / "2023" / "20231031.parquet")
    for _, hour in table.groupby("time"):
        values = np.full((901, 1184), np.nan)
        rows = np.round((48 - hour["lat"]) / 0.05).astype(int)
        columns = np.round((hour["lon"] - 74) / 0.05).astype(int)
        values[rows, columns] = hour["gems_no2"]
        assert effective_resolution(_image(values, corner=(73.975, 48.025))).evidence == ""


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore::no2sr.core.errors.UnverifiedUnitsWarning")
@pytest.mark.parametrize(
    "pattern", ["omi/*", "tempo_utm/tempo_vcd*", "harp/harp_l3*", "s5p_l2/*20190808*"]
)
def test_real_files_that_are_not_oversampled(real_data, pattern):
    for path in sorted(real_data.glob(pattern)):
        assert effective_resolution(open_column(path)).evidence == "", path.name


def test_samples_are_not_oversampled(samples):
    for path in [*samples.glob("*.nc"), *samples.glob("*.tif")]:
        assert effective_resolution(open_column(path)).evidence == "", path.name
