"""Evaluation: Wald's protocol gives the numbers one derives by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.baselines import BASELINES
from no2sr.errors import NoValidPixelsError, SettingsError
from no2sr.evaluation import evaluate
from no2sr.grid import georeference, refine


def _image(values):
    image = xr.DataArray(
        np.asarray(values, np.float32), dims=("y", "x"), attrs={"units": "mol m-2"}
    )
    return georeference(image, Affine(1000, 0, 5e5, 0, -1000, 5e6), "EPSG:32611")


@pytest.fixture
def scene():
    return _image(np.random.default_rng(0).gamma(2, 1e-5, (32, 36)))


def test_nearest_is_judged_by_hand(scene):
    # Blocks 2 x 2 of values 0, 0, 0, 4: nearest gives 1 everywhere, errors 1, 1, 1, -3.
    block = _image(np.tile([[0, 0], [0, 4]], (8, 8)))
    row = evaluate(block, scale=2, methods=["nearest"]).loc["nearest"]
    assert row["rmse"] == pytest.approx(np.sqrt(12 / 4))
    assert row["mae"] == pytest.approx(6 / 4)
    assert row["bias"] == pytest.approx(0, abs=1e-7)
    assert row["psnr"] == pytest.approx(10 * np.log10(16 / 3))
    assert row["closure"] == pytest.approx(0, abs=1e-7)


def test_a_blocky_truth_is_found_by_nearest():
    blocky = refine(_image(np.random.default_rng(0).normal(size=(6, 6))), 4)
    table = evaluate(blocky, scale=4)
    assert table["rmse"].idxmin() == "nearest"
    assert table.loc["nearest", "rmse"] == pytest.approx(0, abs=1e-6)
    assert table.loc["bicubic", "rmse / bicubic"] == 1


def test_all_classical_methods_and_shipped_networks_come_by_default(scene):
    table = evaluate(scene, scale=4, metrics=["rmse"])
    assert [*BASELINES, "srcnn"] == list(table.index)


def test_several_images_are_judged_together(scene):
    one, two = scene, _image(2 * scene.values[::-1])
    rows = [
        evaluate(given, scale=4, methods=["bicubic"], metrics=["rmse"]).loc["bicubic", "rmse"]
        for given in (one, two, [one, two])
    ]
    assert rows[2] == pytest.approx(np.sqrt((rows[0] ** 2 + rows[1] ** 2) / 2), rel=1e-6)


def test_gaps_are_left_out(scene):
    gappy = scene.copy(deep=True)
    gappy.values[:, 16:] = np.nan
    whole = evaluate(_image(scene.values[:, :16]), scale=4, methods=["nearest"])
    cut = evaluate(gappy, scale=4, methods=["nearest"])
    assert cut.loc["nearest", "rmse"] == pytest.approx(whole.loc["nearest", "rmse"], rel=1e-9)


def test_unusable_requests_are_refused(scene):
    with pytest.raises(SettingsError, match=r"expected some of .*psnr"):
        evaluate(scene, metrics=["beauty"])
    with pytest.raises(NoValidPixelsError, match="larger or fuller"):
        evaluate(_image(np.full((8, 8), np.nan)))
