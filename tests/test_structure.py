"""The structure of the package: within its limits, and as CONTRIBUTING.md shows it."""

from __future__ import annotations

import re
import sys

import pytest


@pytest.fixture(scope="module")
def structure(root):
    sys.path.insert(0, str(root / "benchmarks"))
    try:
        import structure
    finally:
        sys.path.pop(0)
    yield structure
    sys.modules.pop("structure", None)


@pytest.fixture(scope="module")
def found(structure):
    return structure.measure()


def test_rooms_floors_and_circles(structure, found):
    assert len(found.entries) <= structure.MOST_ENTRIES
    assert found.floors <= structure.MOST_FLOORS
    assert found.circles == 0


def test_functions_are_short_and_take_few_arguments(structure, found):
    assert found.p90 <= structure.P90_LINES
    assert found.too_long == []
    assert found.too_many_parameters == []


def test_a_long_module_gives_its_reason(found):
    assert found.unexplained == []


def test_the_table_in_contributing_is_current(structure, found):
    assert structure.read_table() == found.table(), "run python benchmarks/structure.py --write"


def test_a_page_keeps_its_text_around_the_table(structure, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n" + "old\n".join(structure.MARKERS) + "after\n")
    structure.write_table("new\n", page)
    assert structure.read_table(page) == "new\n"
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("after\n")


def test_files_and_functions_of_contributing_exist(root):
    text = (root / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:\w+/)+\w+\.py)(?:: (\w+)[^`]*)?`", text)
    assert len(named) > 25
    for path, name in named:
        places = [root / "no2sr" / path, root / path]
        (place,) = [place for place in places if place.is_file()]
        defined = rf"(?m)^(def|class) {name}\b|^{name} = "
        assert not name or re.search(defined, place.read_text())


def test_what_is_measured(structure, tmp_path):
    package = tmp_path / "house"
    for room in ("low", "high"):
        (package / room).mkdir(parents=True)
    (package / "low" / "a.py").write_text(
        '"""Say."""\n\n\ndef few(self, one, *, two):\n    """Say.\n\n    More.\n    """\n'
        "    # a comment\n\n    return [\n        1,\n    ]\n"
    )
    (package / "high" / "b.py").write_text("from house.low import a\nfrom house.high import c\n")
    (package / "high" / "c.py").write_text("import house.high.b\n")
    found = structure.measure(package)
    assert (found.entries, found.floors, found.circles) == (["high", "low"], 2, 1)
    (function,) = found.functions
    assert (function.lines, function.parameters) == (4, 2)
