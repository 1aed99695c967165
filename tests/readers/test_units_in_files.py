"""What is believed of a unit: the caller, the file, the size of the values."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import no2sr
from no2sr.core.units import factor, known_units
from no2sr.readers.kit.column import convert_to_mol


def _column(value, units=None):
    values = np.full((3, 4), value, dtype="float64")
    return xr.DataArray(
        values, dims=("y", "x"), name="no2", attrs={"units": units} if units else {}
    )


@given(unit=st.sampled_from(known_units()), size=st.floats(1e-7, 1e-2))
def test_a_unit_that_fits_is_believed(unit, size):
    value = size / factor(unit)
    np.testing.assert_allclose(convert_to_mol(_column(value, unit), label="f"), size, rtol=1e-12)


@pytest.mark.parametrize("nothing", [None, "", " ", "none", "unknown"])
@pytest.mark.parametrize(("value", "unit"), [(4e-5, "mol m-2"), (2.4e15, "molecules cm-2")])
def test_a_missing_unit_is_told_from_the_size_and_said(nothing, value, unit):
    with pytest.warns(
        no2sr.UnverifiedUnitsWarning, match=f"states no unit; it is read as {unit}.*unit="
    ):
        column = convert_to_mol(_column(value, nothing), label="f")
    np.testing.assert_allclose(column, value * factor(unit))
    assert column.attrs["units"] == "mol m-2"


@pytest.mark.parametrize("value", [5e-3, 0.04, 5.0, 300.0, 1e6, 9e11])
def test_a_missing_unit_that_the_size_does_not_tell(value):
    # 0.04 is a median of the real file in mmol m-2; 5e-3 mmol m-2 is a clean ocean.
    with pytest.raises(no2sr.UnitsError, match="states no unit, and its values are around"):
        convert_to_mol(_column(value), label="f")


def test_a_statement_of_1e15_over_raw_values_is_corrected_and_said():
    with pytest.warns(
        no2sr.UnverifiedUnitsWarning,
        match=r"states '10\^15molec/cm2'.*read as molecules cm-2; pass unit=",
    ):
        column = convert_to_mol(_column(4e15, "10^15molec/cm2"), label="f")
    np.testing.assert_allclose(column, 4e15 / 6.02214076e19)


def test_mol_that_calls_itself_molecules_is_corrected_and_said():
    with pytest.warns(no2sr.UnverifiedUnitsWarning, match="read as mol m-2"):
        column = convert_to_mol(_column(4e-5, "molecules cm-2"), label="f")
    np.testing.assert_allclose(column, 4e-5)


def test_a_contradiction_that_nobody_resolves_is_said_only():
    with pytest.warns(no2sr.UnverifiedUnitsWarning, match="read as stated"):
        column = convert_to_mol(_column(50.0, "mol m-2"), label="f")
    np.testing.assert_allclose(column, 50)


def test_the_caller_goes_before_file_and_size():
    np.testing.assert_allclose(
        convert_to_mol(_column(50.0, "mol m-2"), label="f", unit="umol m-2"), 5e-5
    )
    np.testing.assert_allclose(
        convert_to_mol(_column(2.0), label="f", unit="1e15 molec/cm2"), 2e15 / 6.02214076e19
    )


def test_noise_around_zero_says_nothing():
    # The median magnitude counts, not the median: a clean scene is as often below zero as above.
    values = np.tile([-2e-6, 2e-6, 0.0], (3, 1))
    column = xr.DataArray(values, dims=("y", "x"), name="no2", attrs={"units": "mol m-2"})
    np.testing.assert_array_equal(convert_to_mol(column, label="f"), values)
    np.testing.assert_array_equal(convert_to_mol(_column(0.0, "molecules cm-2"), label="f"), 0)
    np.testing.assert_array_equal(convert_to_mol(_column(0.0), label="f"), 0)


def test_fills_do_not_decide_the_unit():
    column = _column(4e-5)
    column[0] = -1.2676506e30
    with pytest.warns(no2sr.UnverifiedUnitsWarning, match="read as mol m-2"):
        clean = convert_to_mol(column, label="f")
    assert np.isnan(clean[0]).all()
    np.testing.assert_allclose(clean[1:], 4e-5)


def test_other_quantities_are_not_held_against_no2():
    np.testing.assert_allclose(
        convert_to_mol(_column(0.15, "mol m-2"), label="f", named=True, no2=False), 0.15
    )
    kept = convert_to_mol(_column(40.0, "ppbv"), label="f", named=True, no2=False)
    assert kept.attrs["units"] == "ppbv"
    with pytest.raises(no2sr.UnitsError, match="states no unit"):
        convert_to_mol(_column(1e-5), label="f", named=True, no2=False)


def test_the_input_is_not_changed():
    column = _column(4e15, "molecules cm-2")
    before = column.copy(deep=True)
    convert_to_mol(column, label="f")
    assert column.identical(before)
