"""The public names: one list, one table, one truth."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from numpydoc.validate import validate

import no2sr
from no2sr.core import errors

PACKAGE = Path(no2sr.__file__).parent
FUNCTIONS = [name for name in no2sr.__all__ if name.islower()]


def _names_for_type_checkers() -> dict[str, str]:
    """Return name -> module of the imports under ``if TYPE_CHECKING``."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_list_is_sorted_table_and_typing_agree():
    homes = dict.fromkeys(errors.__all__, "no2sr.core.errors") | no2sr._HOMES
    assert no2sr.__all__ == sorted(no2sr.__all__)
    assert set(no2sr.__all__) == set(homes)
    assert _names_for_type_checkers() == homes
    assert dir(no2sr) == no2sr.__all__


@pytest.mark.parametrize("name", no2sr.__all__)
def test_name_is_the_one_its_home_defines(name):
    public = getattr(no2sr, name)
    home = importlib.import_module(no2sr._HOMES.get(name, "no2sr.core.errors"))
    assert public is getattr(home, name)
    assert name in home.__all__
    assert callable(public)
    assert inspect.getdoc(public)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_documented_in_full(name):
    found = validate(f"no2sr.{name}")["errors"]
    # No docstring, no summary, or parameters other than those of the signature.
    wanted = {"GL08", "SS01", "PR01", "PR02", "PR03", "PR10"}
    assert [text for code, text in found if code in wanted] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_takes_few_nouns_and_names_the_rest(name):
    parameters = inspect.signature(getattr(no2sr, name)).parameters.values()
    kinds = [parameter.kind for parameter in parameters]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 3
    assert all(p.annotation is not inspect.Parameter.empty for p in parameters)


def test_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'downscail'"):
        _ = no2sr.downscail


def test_star_import_gives_the_list():
    namespace: dict[str, object] = {}
    exec("from no2sr import *", namespace)  # noqa: S102 - the statement under test
    assert set(no2sr.__all__) <= set(namespace)


@pytest.mark.parametrize("name", [n for n in errors.__all__ if not n.endswith("Warning")])
def test_errors_form_one_tree(name):
    error = getattr(errors, name)
    assert issubclass(error, errors.No2srError)
    # The text of a KeyError is shown in quotes, with its line ends escaped.
    assert not issubclass(error, KeyError)
    assert str(error("found, needed, do")) == "found, needed, do"


@pytest.mark.parametrize("name", [n for n in errors.__all__ if n.endswith("Warning")])
def test_warnings_form_one_tree(name):
    assert issubclass(getattr(errors, name), errors.No2srWarning)
    assert issubclass(errors.No2srWarning, UserWarning)
