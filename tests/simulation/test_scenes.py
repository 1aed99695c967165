"""The split of the real field: training and judging share no day, and windows no cell."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def gems(root):
    """Return the module that reads the field."""
    spec = importlib.util.spec_from_file_location("gems", root / "benchmarks" / "gems.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gems"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gems"]


@pytest.fixture(scope="module")
def listed(gems):
    return json.loads(gems.SCENES.read_text())


def test_no_day_is_both_trained_on_and_judged(gems, listed):
    assert tuple(listed["training_days"]) == gems.TRAINING_DAYS
    assert not set(gems.TRAINING_DAYS) & set(gems.JUDGING_DAYS)
    assert {hour[:8] for hour, _, _ in listed["judging"]} == set(gems.JUDGING_DAYS)


def test_no_window_overlaps_another_of_its_hour(gems, listed):
    taken = {}
    assert len(listed["judging"]) > 200
    for hour, row, column in listed["judging"]:
        field = taken.setdefault(hour, np.zeros(gems.SHAPE, bool))
        window = field[row : row + gems.SIDE, column : column + gems.SIDE]
        assert window.shape == (gems.SIDE, gems.SIDE)
        assert not window.any()
        window[:] = True


@pytest.mark.real_data
def test_the_list_is_what_its_rule_finds(gems, listed, real_data, monkeypatch):
    monkeypatch.setattr(gems, "DATA", real_data)
    assert json.loads(json.dumps(gems.list_scenes())) == listed
    training = gems.training_images()
    judged = gems.judging_scenes()
    assert len(training) > 20
    # No judged window is a piece of a training hour of the same place.
    wanted = judged[len(judged) // 2]
    for image in training:
        piece = image.sel(y=wanted.y, x=wanted.x, method="nearest").values
        assert not np.array_equal(piece, wanted.values, equal_nan=True)
