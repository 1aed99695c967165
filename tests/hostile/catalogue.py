"""What a case of the catalogue of hostile inputs is, and how it is tried.

Each case goes the whole way: through `no2sr.open_no2` and `no2sr.downscale`, where the class of an
error is seen, and through ``no2sr downscale``, where the line and the exit code are. A map that
comes out is read back and compared with what belongs to its own place.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import makers
import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import crs_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Case", "Map", "Refused", "named", "try_case"]

OPTIONS = {"qa_min": "qa", "unit": "unit-in"}
REFINING = {"scale", "model", "edges", "conserve"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """The map that must come out.

    Attributes
    ----------
    bounds : (west, south, east, north)
    crs : str
    values : callable or array
        The coarse cells in umol m-2: a function of x and y, or all of them, north and west first.
    warns : tuple of str
        Patterns; each line of warning must match one of them, and each of them a line.
    tolerance : float
        In umol m-2.
    """

    bounds: tuple[float, float, float, float] = makers.BOUNDS
    crs: str = "EPSG:4326"
    values: Any = makers.column_at
    warns: tuple[str, ...] = ()
    tolerance: float = 2e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The error that must be raised, and what its one line must say."""

    error: type[no2sr.No2srError]
    says: str
    warns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hostile input.

    Attributes
    ----------
    name : str
    make : callable
        Writes the input into a folder and returns what is to be opened.
    outcome : Map or Refused
    settings : dict
        Arguments of `no2sr.open_no2` and `no2sr.downscale`, given as options of the command too.
    """

    name: str
    make: Callable[[Path], Path]
    outcome: Map | Refused
    settings: dict[str, Any] = field(default_factory=dict)


def named(case: Case) -> str:
    """Return the name that a test goes by."""
    return case.name.replace(" ", "-")


def try_case(case: Case, folder: Path, command: Callable[..., Any]) -> None:
    """Try a case the whole way."""
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    path = case.make(folder / "in")
    outcome = case.outcome
    if isinstance(outcome, Refused):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", no2sr.No2srWarning)
            with pytest.raises(outcome.error, match=outcome.says):
                _refined(path, case.settings)
    out = folder / "out" / "fine.tif"
    ran = command("downscale", path, out, "--quiet", *_options(case.settings))
    warned = [line for line in ran.err.splitlines() if line.startswith("Warning: ")]
    assert [w for w in warned if not any(re.search(p, w) for p in outcome.warns)] == []
    assert [p for p in outcome.warns if not any(re.search(p, w) for w in warned)] == []
    if isinstance(outcome, Refused):
        assert (ran.code, len(ran.errors), ran.out) == (1, 1, ""), ran.err
        assert re.search(outcome.says, ran.err), ran.err
        assert list(out.parent.iterdir()) == []
    else:
        assert (ran.code, ran.errors) == (0, []), ran.err
        _check(out, outcome)


def _refined(path: Path, settings: dict[str, Any]) -> Any:
    reading = {key: value for key, value in settings.items() if key not in REFINING}
    refining = {key: value for key, value in settings.items() if key in REFINING}
    return no2sr.downscale(no2sr.open_no2(path, **reading), **refining)


def _options(settings: dict[str, Any]) -> list[str]:
    """Spell arguments as the command line does."""
    words = []
    for key, value in settings.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{OPTIONS.get(key, key)}", *map(str, values)]
    return words


def _check(out: Path, expected: Map) -> None:
    """Compare block means with what belongs to their places."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", no2sr.No2srWarning)
        fine = open_column(out)
        coarse = no2sr.degrade(fine, 4)
    np.testing.assert_allclose(fine.rio.bounds(), expected.bounds, rtol=1e-12, atol=1e-9)
    assert crs_of(fine).equals(expected.crs, ignore_axis_order=True)
    x, y = coarse["x"].values[None, :], coarse["y"].values[:, None]
    values = expected.values(x, y) if callable(expected.values) else np.asarray(expected.values)
    np.testing.assert_allclose(1e6 * coarse.values, values, rtol=1e-6, atol=expected.tolerance)
