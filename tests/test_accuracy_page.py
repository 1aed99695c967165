"""The accuracy page: its parts can be made alone, and what it counts is counted right."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.grid import georeference
from no2sr.evaluation.comparison import compare
from no2sr.evaluation.records import Judging, Observation


@pytest.fixture
def load(root, monkeypatch):
    """Return a function that imports a module of the benchmarks."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(root / "benchmarks")
    return importlib.import_module


@pytest.fixture
def comparison():
    y, x = np.indices((96, 96)) / 9
    values = 3e-5 * (1 + np.sin(y) * np.cos(x))
    values[40:48, 40:48] = np.nan
    image = xr.DataArray(values.astype(np.float32), dims=("y", "x"), attrs={"units": "mol m-2"})
    image = georeference(image, Affine(1000, 0, 5e5, 0, -1000, 5e6), "EPSG:32611")
    methods = ["bicubic", "gaussian", "srcnn"]
    return compare(image, methods=methods, judging=Judging(noise=8e-6, uncertainty=True))


def test_every_part_stands_between_its_markers(root, load):
    page = (root / "docs" / "accuracy.md").read_text(encoding="utf-8")
    places = [
        page.index(marker)
        for name in load("accuracy").PARTS
        for marker in (f"<!-- begin {name} -->", f"<!-- end {name} -->")
    ]
    assert places == sorted(places)


def test_one_part_is_made_and_the_others_are_kept(load, monkeypatch):
    accuracy = load("accuracy")
    parts = {"one": lambda: iter(["new"]), "two": lambda: iter(["never made"])}
    monkeypatch.setattr(accuracy, "PARTS", parts)
    before = accuracy.frame("one", "old") + "\n\n" + accuracy.frame("two", "kept\n\nas it is")
    after = accuracy.make_page(["one"], before)
    assert (
        after
        == accuracy.frame("one", "new") + "\n\n" + accuracy.frame("two", "kept\n\nas it is") + "\n"
    )


def test_sections_of_other_scripts_are_kept(load, monkeypatch):
    accuracy = load("accuracy")
    monkeypatch.setattr(accuracy, "PARTS", {"one": lambda: iter(["new"])})
    other = "<!-- begin of another.py -->\nits text\n<!-- end of another.py -->"
    after = accuracy.make_page(["one"], accuracy.frame("one", "old") + "\n\n" + other + "\n")
    assert after == accuracy.frame("one", "new") + "\n\n" + other + "\n"


def test_results_are_those_of_the_comparison(load, comparison):
    results = load("accuracy_results")
    result = results.judge_pooled("case", comparison, None)
    (scene,) = comparison.scenes
    rmse = {
        name: np.sqrt(np.nanmean((found - scene.reference).astype(np.float64) ** 2))
        for name, found in scene.estimates.items()
    }
    assert result.best == "gaussian"
    assert result.over_bicubic["srcnn"].value == pytest.approx(rmse["srcnn"] / rmse["bicubic"])
    assert result.over_best["srcnn"].value == pytest.approx(rmse["srcnn"] / rmse["gaussian"])
    calibration = result.calibration
    error = np.abs(scene.estimates["srcnn"] - scene.reference)
    inside = error <= 1.6448536 * scene.uncertainties["srcnn"]
    assert calibration.cover(0.9) == pytest.approx(inside[np.isfinite(error)].mean(), abs=1e-4)
    by_noise = [calibration.strata[name].sum() for name in results.STRATA]
    assert sum(by_noise) == calibration.sizes.size
    # 12 coarse cells around a gap of 2 x 2, each of 4 x 4.
    assert calibration.strata["gap edges"].sum() == 12 * 16
    assert np.isnan(calibration.cover(0.9, "gap edges"))  # too few to count
    assert calibration.strata["top 5 %"].mean() == pytest.approx(0.05, abs=0.003)


def test_places_are_averaged_geometrically(load, comparison):
    results = load("accuracy_results")
    pooled = results.judge_pooled("case", comparison, None).over_bicubic["srcnn"].value
    placed = results.judge_places("case", [comparison, comparison]).over_bicubic["srcnn"]
    assert placed.value == pytest.approx(pooled)
    assert placed.low == pytest.approx(placed.high)


def test_a_footprint_averages_the_field_inside_it(load):
    overpasses = load("accuracy_overpasses")
    field = np.add.outer(2.0 * np.arange(20), np.arange(30.0))
    rows = np.array([[3.0, 9.0, 9.0, 3.0]])
    columns = np.array([[4.0, 4.0, 16.0, 16.0]])
    # Rows 3..8 and columns 4..15 in full.
    expected = field[3:9, 4:16].mean()
    assert overpasses.average_pixels(field, rows, columns) == pytest.approx([expected])


@pytest.fixture
def observation():
    reference = xr.DataArray(np.arange(64.0).reshape(8, 8), dims=("y", "x"))
    coarse = xr.DataArray([[13.5, 20.0], [0.0, np.nan]], dims=("y", "x"))
    return Observation(reference=reference, coarse=coarse, noise=xr.full_like(coarse, 1.0))


def test_true_means_stand_where_something_was_observed(load, observation):
    found = load("accuracy_limits")._average_blocks(observation)
    # The mean of rows 0..3 and columns 0..3 of a field that grows by 8 a row and 1 a column.
    np.testing.assert_array_equal(found.coarse, [[13.5, 17.5], [45.5, np.nan]])


def test_no_cell_is_moved_farther_than_its_noise_allows(load, observation):
    limits = load("accuracy_limits")
    found = limits._limit(limits._average_blocks(observation), observation)
    np.testing.assert_array_equal(found.coarse, [[13.5, 17.5], [3.0, np.nan]])
