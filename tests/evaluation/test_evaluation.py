"""Evaluation: Wald's protocol gives the numbers one derives by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.errors import NoValidPixelsError, SettingsError, UnknownModelError
from no2sr.core.grid import georeference, refine
from no2sr.downscaling.baselines import BASELINES, NOISE_AWARE
from no2sr.downscaling.kernel import NetworkMethod
from no2sr.downscaling.pipeline import downscale
from no2sr.evaluation.adding import add_noise
from no2sr.evaluation.comparison import compare
from no2sr.evaluation.measures import MEASURES, STATED
from no2sr.evaluation.methods import resolve_methods
from no2sr.evaluation.noise import noise_floor, noise_level
from no2sr.evaluation.records import Judging
from no2sr.evaluation.spectra import power_spectrum
from no2sr.evaluation.tables import DEFAULT_METRICS, evaluate
from no2sr.networks.store import available_models, load_model
from no2sr.simulation.degrading import degrade


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
    cards = [card for card in available_models() if card.domain == "column"]
    shipped = [card.name for card in cards if card.scale == 4]
    assert "srcnn" in shipped
    plain = [name for name in BASELINES if name not in NOISE_AWARE]
    assert [*plain, *shipped] == list(table.index)
    noisy = evaluate(scene, scale=4, metrics=["rmse"], noise=1e-6)
    assert [*BASELINES, *shipped] == list(noisy.index)


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
    with pytest.raises(SettingsError, match=r"choose among .*psnr"):
        evaluate(scene, metrics=["beauty"])
    with pytest.raises(UnknownModelError, match="there are"):
        evaluate(scene, methods=["magic"])
    with pytest.raises(NoValidPixelsError, match="larger or fuller"):
        evaluate(_image(np.full((8, 8), np.nan)))


def test_every_measure_gives_a_number(scene):
    scene.values[8:12, 8:12] = np.nan
    table = evaluate(scene, scale=4, methods=["lanczos", "srcnn"], metrics=list(MEASURES))
    assert set(DEFAULT_METRICS) < set(MEASURES)
    # A spectrum needs a square of 32 cells without gap, and there is none.
    undefined = table[list(MEASURES)].isna().all()
    assert undefined[undefined].index.tolist() == ["effective_resolution"]
    stated = [*STATED]
    rest = table[list(MEASURES)].drop(columns=["effective_resolution", *stated])
    assert not rest.isna().any(axis=None)
    # A network states an uncertainty, a classical method does not.
    assert table.loc["lanczos", stated].isna().all()
    assert table.loc["srcnn", stated].notna().all()


def test_ratios_compare_with_bicubic_and_the_best_classical_method():
    scenes = [_image(np.random.default_rng(k).gamma(2, 1e-5, (32, 36))) for k in range(9)]
    table = evaluate(scenes, scale=2, metrics=["rmse"])
    best = table.attrs["best_classical"]
    classical = [name for name in BASELINES if name not in NOISE_AWARE]
    assert best == table.loc[classical, "rmse"].idxmin()
    for name in ("bicubic", best):
        column = "rmse / bicubic" if name == "bicubic" else "rmse / best classical"
        expected = table["rmse"] / table.loc[name, "rmse"]
        np.testing.assert_allclose(table[column], expected, rtol=1e-6)
        assert (table.loc[name, [f"{column} low", f"{column} high"]] == 1).all()
        others = table.drop(index=[name])
        assert (others[f"{column} low"] < others[column]).all()
        assert (others[column] < others[f"{column} high"]).all()


def test_bicubic_is_the_base_even_where_nobody_asked_for_it(scene):
    both = evaluate(scene, scale=4, methods=["bicubic", "nearest"])
    alone = evaluate(scene, scale=4, methods=["nearest"])
    assert alone.loc["nearest"].equals(both.loc["nearest"])
    # A label is a label: what is called bicubic here is not.
    named = evaluate(scene, scale=4, methods={"bicubic": "nearest"}, metrics=["rmse"])
    assert named.loc["bicubic", "rmse / bicubic"] == alone.loc["nearest", "rmse / bicubic"] != 1


def test_noise_is_taken_off_both(scene):
    table = evaluate(scene, scale=4, methods=["bicubic", "pycnophylactic"])
    noise = noise_level(scene.values)
    assert table.attrs["noise_level"] == pytest.approx(noise)
    assert table.attrs["noise_floor"] == pytest.approx(noise_floor(noise, 4))
    mean_squares = table["rmse"] ** 2 - noise_floor(noise, 4) ** 2
    expected = np.sqrt(mean_squares["pycnophylactic"] / mean_squares["bicubic"])
    found = table.loc["pycnophylactic", "above noise / bicubic"]
    assert found == pytest.approx(expected, rel=1e-6)
    # The squares of 32 x 32 cells of a field of 32 x 36 are one, and so is their mean spectrum.
    finest = power_spectrum(scene.values[:, :32])[-1]
    assert table.attrs["most_noise"] == pytest.approx(np.sqrt(finest))
    # Independent values are noise throughout: both are near their spread.
    assert table.attrs["most_noise"] == pytest.approx(scene.values.std(), rel=0.3)
    assert noise == pytest.approx(scene.values.std(), rel=0.3)


def test_few_images_are_drawn_in_squares():
    # 96 x 64 cells at scale 2: squares of 16, 24 in all; of one image alone nothing could be drawn.
    table = evaluate(_image(np.random.default_rng(0).normal(size=(96, 64))), scale=2)
    assert table.loc["nearest", "rmse / bicubic low"] < table.loc["nearest", "rmse / bicubic high"]


def test_layers_are_images():
    layers = [_image(np.random.default_rng(k).gamma(2, 1e-5, (24, 24))) for k in range(3)]
    stack = xr.concat(layers, dim="time")
    stack.values[1] = np.nan
    alone = evaluate([layers[0], layers[2]], scale=3, methods=["lanczos", "srcnn"])
    together = evaluate(stack, scale=3, methods=["lanczos", "srcnn"])
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert together.attrs["images"] == 2


def test_blurring_first_is_degrading_with_a_psf(scene):
    blurred = evaluate(scene, scale=4, methods=["nearest"], psf=(0.74, 0.44))
    coarse = degrade(scene, 4, psf=(0.74, 0.44))
    expected = np.sqrt(np.mean((refine(coarse, 4).values - scene.values) ** 2))
    assert blurred.loc["nearest", "rmse"] == pytest.approx(expected, rel=1e-6)
    plain = evaluate(scene, scale=4, methods=["nearest"])
    assert plain.loc["nearest", "rmse"] < blurred.loc["nearest", "rmse"]


def test_full_scale_closure_is_that_of_the_reference_made_finer(scene):
    spread = float(scene.values.std())
    table = evaluate(
        scene,
        scale=2,
        methods=["bicubic", "bicubic + correction", "srcnn"],
        metrics=["full_scale_closure"],
    )["full_scale_closure"]
    assert table["bicubic"] > 0.1 * spread
    assert table["bicubic + correction"] < 1e-6 * spread
    assert table["srcnn"] < 1e-6 * spread


def test_gap_edges_are_judged_by_hand():
    # Blocks 2 x 2 of 0, 0, 0, 4 have the error sqrt(3) by nearest; beside the gap they are twice as
    # high, and so is the error there.
    values = np.tile([[0.0, 0.0], [0.0, 4.0]], (8, 8))
    values[4:10, 4:10] *= 2
    values[6:8, 6:8] = np.nan
    row = evaluate(_image(values), scale=2, methods=["nearest"]).loc["nearest"]
    assert row["gap_edge_rmse"] == pytest.approx(2 * np.sqrt(3))


def test_a_perfect_estimate_has_all_structure():
    blocky = refine(_image(np.random.default_rng(0).normal(size=(32, 32))), 2)
    row = evaluate(blocky, scale=2, methods=["nearest"]).loc["nearest"]
    assert row["effective_resolution"] == 1
    assert row["peak_error"] == pytest.approx(0, abs=1e-6)
    assert row["plume_mass_error"] == pytest.approx(0, abs=1e-6)
    assert row["improvement"] == pytest.approx(1, abs=1e-5)


def test_models_are_taken_by_name_folder_and_object(scene):
    model = load_model("srcnn", scale=4)
    methods = {"name": "srcnn", "folder": str(model.folder), "object": model}
    table = evaluate(scene, scale=4, methods=methods, metrics=["rmse"])
    assert table["rmse"].nunique() == 1
    assert table.attrs["best_classical"] == "bicubic"


def test_noise_is_added_before_the_methods(scene):
    noise = (4e-6, 0.2)
    row = evaluate(scene, scale=4, methods=["nearest"], noise=noise, seed=7).loc["nearest"]
    noisy, _ = add_noise(degrade(scene, 4), noise, np.random.default_rng(7))
    expected = np.sqrt(np.mean((refine(noisy, 4).values - scene.values) ** 2))
    assert row["rmse"] == pytest.approx(expected, rel=1e-6)
    again = evaluate(scene, scale=4, methods=["nearest"], noise=noise, seed=7).loc["nearest"]
    assert again["rmse"] == row["rmse"]
    other = evaluate(scene, scale=4, methods=["nearest"], noise=noise, seed=8).loc["nearest"]
    assert other["rmse"] != row["rmse"]


def test_methods_are_told_the_stated_noise(scene):
    noise = (4e-6, 0.2)
    comparison = compare(scene, methods=["srcnn"], judging=Judging(noise=noise, uncertainty=True))
    noisy, stated = add_noise(degrade(scene, 4), noise, np.random.default_rng(0))
    column = noisy.rename("no2").assign_attrs(units="mol m-2")
    layers = {"no2": column, "no2_uncertainty_random": stated.assign_attrs(column.attrs)}
    expected = downscale(xr.Dataset(layers), scale=4)
    (found,) = comparison.scenes
    np.testing.assert_array_equal(found.noise, stated.values)
    np.testing.assert_array_equal(found.estimates["srcnn"], expected["no2"].values)
    np.testing.assert_array_equal(found.uncertainties["srcnn"], expected["no2_uncertainty"].values)


def test_networks_take_noise_off_and_beat_bicubic():
    y, x = np.indices((96, 96)) / 9
    field = _image(3e-5 * (1 + np.sin(y) * np.cos(x)))
    methods = {"with": "srcnn", "without": resolve_methods(["srcnn"], 4, Judging())["srcnn"]}
    assert isinstance(methods["without"], NetworkMethod)
    table = evaluate(field, scale=4, methods=methods, noise=1e-5, metrics=["rmse"])
    assert table.loc["with", "rmse / bicubic"] < 0.9
    assert table.loc["with", "rmse"] < table.loc["without", "rmse"]


def test_without_noise_the_values_are_those_of_no_noise(scene):
    methods = ["bicubic", "gaussian", "optimal interpolation", "srcnn"]
    plain = evaluate(scene, scale=4, methods=methods)
    none = evaluate(scene, scale=4, methods=methods, noise=0.0)
    np.testing.assert_array_equal(none[plain.columns].to_numpy(), plain.to_numpy())
    assert (none.loc[["gaussian", "optimal interpolation"], "rmse / bicubic"] == 1).all()


def test_the_uncertainty_is_judged_with_noise_only(scene):
    assert "crps" not in evaluate(scene, methods=["srcnn"])
    row = evaluate(scene, methods=["srcnn"], noise=3e-6).loc["srcnn"]
    shares = [row[f"coverage_{level}"] for level in (50, 80, 90, 95)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1
    assert 0 < row["crps"] < row["mae"]


def test_unusable_noise_is_refused(scene):
    with pytest.raises(SettingsError, match="pair"):
        evaluate(scene, methods=["nearest"], noise=-1.0)
