"""The noise step: its formulae, its laws, every engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from no2sr.core.errors import CardMismatchError, SettingsError, UnknownModelError
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.engines.make import make_engine
from no2sr.networks.inference import super_resolve
from no2sr.networks.noise_step import KNEES, denoise, estimate_uncertainty
from no2sr.networks.prepared import Prepared
from no2sr.networks.receptive_field import footprint
from no2sr.networks.registry import build_network
from no2sr.networks.saving import save_model
from no2sr.networks.store import available_models, find_here, load_keras, load_model
from no2sr.simulation.scenes import scene

SHARES = tuple(f"share_{k}" for k in range(1, len(KNEES) + 2))
DETAILS = tuple(f"detail_x{s}{end}" for s in (2, 3, 4) for end in ("", "_noise"))


def _model(role, inputs, outputs, **how):
    """Return a denoiser or uncertainty network with random weights."""
    import keras

    keras.utils.set_random_seed(11)
    network = build_network(
        "denoiser", scale=1, channels=len(inputs), outputs=len(outputs), filters=8, **how
    )
    radius = 3 + 2 * sum(how.get("dilations", (1, 2)))
    card = ModelCard(
        network="denoiser",
        role=role,
        scale=1,
        grid="coarse",
        radius=radius,
        shrink=radius,
        hyperparameters={"outputs": len(outputs), "filters": 8, **how},
        inputs=inputs,
        outputs=outputs,
    )
    return Model(card=card, network=network)


@pytest.fixture(scope="module")
def denoiser():
    return _model("denoiser", ("column", "noise", "noise_mean", "presence"), ("correction",))


@pytest.fixture(scope="module")
def uncertainty():
    return _model("uncertainty", ("column", "presence"), SHARES + DETAILS, dilations=(2,))


@pytest.fixture(scope="module")
def block(denoiser):
    """Return a column with gaps and its noise, a halo around 23 x 31 cells."""
    halo = denoiser.card.halo
    rng = np.random.default_rng(12)
    shape = (23 + 2 * halo, 31 + 2 * halo)
    column = rng.normal(size=shape).cumsum(1).astype(np.float32) * 1e-5
    column[rng.random(shape) < 0.1] = np.nan
    noise = rng.uniform(0, 2e-5, shape).astype(np.float32)
    return column, noise


def test_reach_and_halo_are_those_of_the_training(denoiser):
    assert (denoiser.card.radius, denoiser.card.margin, denoiser.card.extension) == (9, 9, 6)
    assert denoiser.card.halo == 20


def test_channels_are_what_their_names_say(denoiser, block):
    column, noise = block
    prepared = Prepared(column, denoiser.card, layers={"noise": noise})
    whole = prepared.statistics.spread
    spread, seen = whole[1:-1, 1:-1], np.isfinite(column)
    channel = {name: prepared._channel(name)[1:-1, 1:-1] for name in denoiser.card.inputs[1:]}
    inner = seen[1:-1, 1:-1]
    np.testing.assert_array_equal(channel["presence"], inner)
    own = np.minimum(noise[1:-1, 1:-1] / spread, 3)
    np.testing.assert_allclose(channel["noise"][inner], own[inner], rtol=1e-6)
    filled = prepared.layer("noise")
    nine = np.lib.stride_tricks.sliding_window_view(filled, (3, 3)).mean(axis=(2, 3))
    np.testing.assert_allclose(channel["noise_mean"], np.minimum(nine / spread, 3), rtol=1e-5)


def test_without_noise_nothing_changes(denoiser, block):
    column, _ = block
    halo = denoiser.card.halo
    prepared = Prepared(column, denoiser.card, layers={"noise": np.zeros_like(column)})
    found = denoise(prepared, make_engine(denoiser))
    np.testing.assert_array_equal(found, column[halo:-halo, halo:-halo])


def test_no_cell_moves_by_more_than_three_times_its_noise(denoiser, block):
    column, noise = block
    halo = denoiser.card.halo
    found = denoise(
        Prepared(column, denoiser.card, layers={"noise": noise}), lambda _: np.full((23, 31), 1e9)
    )
    moved = np.abs(found - column[halo:-halo, halo:-halo])
    assert np.nanmax(moved / noise[halo:-halo, halo:-halo]) <= 3.01
    assert np.nanmax(moved) > 0
    np.testing.assert_array_equal(np.isnan(found), np.isnan(column[halo:-halo, halo:-halo]))


def test_a_constant_field_stays_as_it_is(denoiser):
    side = 2 * denoiser.card.halo + 9
    column = np.full((side, side), 3e-5, np.float32)
    prepared = Prepared(column, denoiser.card, layers={"noise": 0 * column + 1e-5})
    np.testing.assert_array_equal(denoise(prepared, make_engine(denoiser)), column[:9, :9])


def test_unit_and_offset_change_nothing(denoiser, block):
    column, noise = block
    engine = make_engine(denoiser)
    one = denoise(Prepared(column, denoiser.card, layers={"noise": noise}), engine)
    other = denoise(
        Prepared(column * 1000 + 2e-2, denoiser.card, layers={"noise": noise * 1000}), engine
    )
    np.testing.assert_allclose(other, one * 1000 + 2e-2, rtol=0, atol=3e-4 * np.nanstd(other))


@pytest.mark.parametrize("tile", [5, 16, 1000])
def test_tiles_change_nothing(denoiser, uncertainty, block, tile):
    column, noise = block
    prepared = Prepared(column, denoiser.card, layers={"noise": noise})
    engine, other = make_engine(denoiser), make_engine(uncertainty)
    whole = denoise(prepared, engine)
    tolerance = 1e-6 * float(np.nanstd(column))
    np.testing.assert_allclose(denoise(prepared, engine, tile=tile), whole, rtol=0, atol=tolerance)
    found = estimate_uncertainty(prepared, uncertainty.card, other, tile=tile)
    stated = estimate_uncertainty(prepared, uncertainty.card, other)
    np.testing.assert_allclose(found.cell, stated.cell, rtol=1e-5)
    for scale in (2, 3, 4):
        np.testing.assert_allclose(found.detail[scale], stated.detail[scale], rtol=1e-5)


def test_more_noise_never_means_less_uncertainty(denoiser, uncertainty, block):
    column, noise = block
    halo = denoiser.card.halo
    inner = noise[halo:-halo, halo:-halo]
    engine, before = make_engine(uncertainty), None
    for factor in (0, 0.3, 1, 2, 30):
        prepared = Prepared(column, denoiser.card, layers={"noise": noise * factor})
        stated = estimate_uncertainty(prepared, uncertainty.card, engine)
        seen = np.isfinite(column[halo:-halo, halo:-halo])
        assert (stated.cell[seen] <= factor * inner[seen] * 1.0001).all()
        assert stated.cell.shape == stated.detail[4].shape == (23, 31)
        if before is not None:
            assert (stated.cell >= before.cell).all()
            assert all((stated.detail[s] >= before.detail[s]).all() for s in (2, 3, 4))
        before = stated


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "tensorflow"])
def test_every_engine_gives_the_same(denoiser, uncertainty, tmp_path, name):
    pytest.importorskip(name)
    rng = np.random.default_rng(3)
    for model in (denoiser, uncertainty):
        role = model.card.role
        loaded = load_model(save_model(model, tmp_path / role))
        assert loaded.card.name == role
        image = rng.normal(size=(41, 46, len(model.card.inputs))).astype(np.float32)
        found = make_engine(loaded, name=name)(image)
        wanted = np.asarray(model.network(image[None]))[0]
        wanted = wanted[..., 0] if len(model.card.outputs) == 1 else wanted
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_misuse_is_named(denoiser, uncertainty, block):
    column, noise = block
    engine = make_engine(denoiser)
    prepared = Prepared(column, denoiser.card, layers={"noise": noise})
    pytest.importorskip("openvino")
    with pytest.raises(SettingsError, match="takes more than the column or predicts the image"):
        make_engine(denoiser, name="openvino", precision="int8")
    with pytest.raises(SettingsError, match="model denoiser needs the layer 'noise'"):
        denoise(Prepared(column, denoiser.card), engine)
    with pytest.raises(CardMismatchError, match="is for denoiser and keeps the coarse grid"):
        super_resolve(column, denoiser.card, engine)
    with pytest.raises(CardMismatchError, match="is for denoiser; use one for uncertainty"):
        estimate_uncertainty(prepared, denoiser.card, engine)
    with pytest.raises(CardMismatchError, match="needs 9 cells around each"):
        Prepared(column, uncertainty.card).prepare_for(denoiser.card)
    with pytest.raises(CardMismatchError, match=r"has 2 channels and model denoiser takes 4"):
        engine(np.zeros((40, 40, 2), np.float32))


def test_a_network_may_take_any_layer_on_either_grid(block):
    import keras

    column, noise = block
    for grid, scale in (("coarse", 1), ("fine", 2)):
        image = keras.Input((None, None, 3))
        network = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
        card = ModelCard(
            network="mine", scale=scale, radius=1, shrink=0, grid=grid,
            inputs=("history", "column", "noise"),
        )  # fmt: skip
        model = Model(card=card, network=network)
        history = np.where(np.isfinite(column), column, np.nan) * 7 + 1
        fine = super_resolve(
            column, card, make_engine(model), layers={"noise": noise, "history": history}
        )
        assert fine.shape == tuple(scale * (size - 2 * card.halo) for size in column.shape)
        assert np.isfinite(fine).all()
        with pytest.raises(SettingsError, match="needs the layer 'history'"):
            super_resolve(column, card, make_engine(model), layers={"noise": noise})


@pytest.mark.parametrize(
    "facts", [{"role": "judge"}, {"inputs": ()}, {"inputs": "column"}, {"outputs": ("a", "a")}]
)
def test_impossible_cards_are_refused(facts):
    with pytest.raises(CardMismatchError, match="on a card"):
        ModelCard(network="srcnn", scale=2, radius=1, shrink=0, **facts)


def test_the_denoiser_stands_apart_from_the_networks():
    assert {card.role for card in available_models()} == {"super-resolution"}
    with pytest.raises(UnknownModelError):
        load_model("denoiser", scale=4)


@pytest.mark.parametrize(
    ("role", "radius", "outputs"), [("denoiser", 9, 1), ("uncertainty", 7, 13)]
)
def test_the_shipped_networks_are_those_of_the_training(role, radius, outputs):
    model = load_model(role)
    network = load_keras(model)
    assert footprint(network) == (model.card.radius, model.card.shrink) == (radius, radius)
    assert network.count_params() == model.card.parameters
    assert len(model.card.outputs) == outputs
    assert model.card.training["licence"]
    assert load_model(role, scale=1).card == model.card
    assert find_here(replace(model, folder=model.folder.with_name("elsewhere"))) == model


def test_the_shipped_denoiser_takes_noise_off():
    rng = np.random.default_rng(20)
    denoiser = load_model("denoiser")
    engine = make_engine(denoiser)
    truth = scene((104, 104), seed=77).values * 1.0
    level = 0.5 * truth.std()
    noisy = (truth + level * rng.standard_normal(truth.shape)).astype(np.float32)
    noise = np.full_like(noisy, level)
    found = denoise(Prepared(noisy, denoiser.card, layers={"noise": noise}), engine)
    halo = denoiser.card.halo
    inner = (slice(halo, -halo), slice(halo, -halo))
    before, after = (np.sqrt(np.mean((a - truth[inner]) ** 2)) for a in (noisy[inner], found))
    assert after < 0.6 * before


def test_gaps_of_the_noise_are_filled_from_around(denoiser, block):
    column, noise = block
    noise = noise.copy()
    hole = np.s_[30:33, 30:33]
    noise[hole] = np.nan
    filled = Prepared(column, denoiser.card, layers={"noise": noise}).layer("noise")
    assert np.isfinite(filled).all()
    assert (filled[hole] > 0).all()
