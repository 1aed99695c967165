"""Units of columns: spellings, the one constant, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr.core.errors import UnitsError
from no2sr.core.units import CANONICAL, asked_unit, canonical_unit, factor, is_column, known_units

EXAMPLES = settings(max_examples=100, deadline=None)  # a busy machine is no failure

SPELLINGS = {
    "mol m-2": [
        "mol m-2", "mol m^-2", "mol m**-2", "mol/m2", "mol/m^2", "mol / m**2", "mol/m²",
        "mol m⁻²", "MOL M-2", " mol  m-2 ", "mol.m-2", "mol*m-2", "mol·m⁻²", "mol m^{-2}",
        "mol/(m^2)",
    ],
    "mmol m-2": ["mmol/m2", "mmol m^-2"],
    "umol m-2": ["umol/m2", "µmol m⁻²", "μmol/m^2"],  # the micro sign and the Greek mu
    "nmol m-2": ["nmol m-2"],
    "molecules cm-2": [
        "molecules/cm^2", "molecules cm-2", "molecule/cm2", "molec/cm2", "molec. cm-2", "mlc/cm2",
        "1/cm2", "1/cm^2", "cm-2", "cm^-2",
    ],
    "molecules m-2": ["molecules/m2", "molec m-2", "1/m2"],
    "1e13 molecules cm-2": ["1e13 molec/cm2", "10^13 molecules cm-2"],
    "1e15 molecules cm-2": [
        "1e15 molec/cm2", "1e+15 molec cm-2", "1.0E15 molecules/cm2", "1.e15 molec cm-2",
        "10^15molec/cm2", "10**15 molec/cm^2", "10¹⁵ molec cm⁻²", "10^15 x molec/cm2", "1e15 cm-2",
        "Pmolec/cm2", "Pmolec cm-2", "Pmolecules cm-2",
    ],
    "1e16 molecules cm-2": ["1e16 molec/cm2"],
    "kg m-2": ["kg m**-2", "kg/m2", "kg m-2"],
    "DU": ["DU", "du", "Dobson", "Dobson units"],
}  # fmt: skip
ALL = [(text, known) for known, texts in SPELLINGS.items() for text in texts]


@pytest.mark.parametrize(("text", "known"), ALL)
def test_usual_spellings_are_understood(text, known):
    assert canonical_unit(text) == known
    assert is_column(text)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("mol", "mol m-2"), ("umol", "umol m-2"), ("µmol", "umol m-2"), ("molec", "molecules cm-2"),
        ("Pmolec", "1e15 molecules cm-2"), (" UMOL ", "umol m-2"),
    ],
)  # fmt: skip
def test_who_asks_may_be_brief_and_a_file_may_not(text, known):
    assert asked_unit(text) == known
    with pytest.raises(UnitsError, match="not a column unit"):
        canonical_unit(text)


@pytest.mark.parametrize(("text", "known"), ALL)
def test_who_asks_may_spell_it_out(text, known):
    assert asked_unit(text) == known


def test_every_unit_of_the_table_is_spelt_and_stands_for_itself():
    assert set(known_units()) == set(SPELLINGS)
    assert all(canonical_unit(unit) == unit for unit in known_units())


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1", "none", "degrees", "ppbv", "mol", "mol m-1", "mol m-3", "mol m2", "m2",
        "ug m-3", "mol m-2 s-1", "kg m-2 s-1", "kgN/m2/s", "molecules cm-3", "mol cm-2",
        "100 mol m-2",
        "mol m-22", "1e14 molec cm-2", "e15 molec/cm2",
        "10e15 molec/cm2",  # 1e16 as a number, 10^15 in the mind of some
    ],
)  # fmt: skip
def test_what_is_not_in_the_table_is_refused_with_the_table(text):
    assert not is_column(text)
    with pytest.raises(UnitsError, match=r"use one of mol m-2, .*, DU, and set .*attrs\['units'\]"):
        canonical_unit(text)
    with pytest.raises(UnitsError):
        factor(text)
    with pytest.raises(UnitsError):
        factor(CANONICAL, text)


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ("mol m-2", "molecules cm-2", 6.02214076e19),  # N_A / 1e4, exact in the SI of 2019
        ("molecules cm-2", "mol m-2", 1 / 6.02214076e19),
        ("mol m-2", "molecules m-2", 6.02214076e23),
        ("mol m-2", "1e15 molecules cm-2", 6.02214076e4),
        ("umol m-2", "Pmolec cm-2", 0.0602214076),
        ("1e13 molecules cm-2", "1e15 molecules cm-2", 0.01),
        ("1e16 molecules cm-2", "1e15 molecules cm-2", 10),
        ("mmol m-2", "nmol m-2", 1e6),
        ("DU", "molecules cm-2", 2.6867e16),  # 1e-5 m of gas at 0 degrees C and 101325 Pa
        ("kg m-2", "mol m-2", 1 / 0.0460055),  # N 14.0067 + 2 x O 15.9994 = 46.0055 g/mol
    ],
)
def test_factors(found, wanted, expected):
    assert factor(found, wanted) == pytest.approx(expected, rel=1e-14)


@EXAMPLES
@given(*[st.sampled_from([text for text, _ in ALL])] * 3)
def test_going_through_a_third_unit_changes_nothing(a, b, c):
    assert factor(a, b) * factor(b, c) == pytest.approx(factor(a, c), rel=1e-14)
    assert factor(a, a) == 1


@EXAMPLES
@given(st.text(max_size=20))
def test_any_text_is_a_unit_or_a_units_error(text):
    if is_column(text):
        assert canonical_unit(canonical_unit(text)) == canonical_unit(text)
    else:
        with pytest.raises(UnitsError):
            canonical_unit(text)
