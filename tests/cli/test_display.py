"""What the tables of the command line say."""

from __future__ import annotations

from no2sr.cli.display import describe_values


def test_values_are_shown_in_the_unit_of_the_file_as_well():
    spread = [0.0, 1e-5, 2e-5]
    assert describe_values(spread, "mol m-2", stored="umol/m2").splitlines() == [
        "0 to 2e-05, median 1e-05 mol m-2",
        "0 to 20, median 10 umol/m2 in the file",
    ]
    assert describe_values(spread, "mol m-2", stored="mol/m^2").count("\n") == 0
    assert describe_values(spread, "mol m-2", stored=None).count("\n") == 0
    assert describe_values(None, None, stored="umol m-2") == ""
