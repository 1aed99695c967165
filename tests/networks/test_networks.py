"""Networks: architecture, footprint, cards, saving and safe loading."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from no2sr.core.errors import CardMismatchError, OutputExistsError, UnknownModelError, WriteError
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.engines.make import make_engine
from no2sr.networks.registry import build_network, footprint, grid_of
from no2sr.networks.saving import save_model
from no2sr.networks.store import available_models, find_here, load_keras, load_model

CARD = ModelCard(network="srcnn", scale=4, radius=7, shrink=6)


@pytest.fixture(scope="session", params=["srcnn", "espcn", "edsr"])
def any_network(request):
    """Return an untrained network of each kind, at a scale of 3, with biases that matter."""
    import keras

    keras.utils.set_random_seed(6)
    network = build_network(request.param, scale=3)
    rng = np.random.default_rng(6)
    network.set_weights([w + rng.normal(0, 0.01, w.shape) for w in network.get_weights()])
    radius, shrink = footprint(network)
    card = ModelCard(
        network=request.param, scale=3, radius=radius, shrink=shrink, grid=grid_of(request.param)
    )
    return Model(card=card, network=network)


@pytest.fixture(scope="session")
def fresh():
    """Return an untrained seed network with biases that matter."""
    import keras

    keras.utils.set_random_seed(5)
    network = build_network("srcnn", scale=4)
    rng = np.random.default_rng(5)
    network.set_weights([w + rng.normal(0, 0.01, w.shape) for w in network.get_weights()])
    return Model(card=CARD, network=network)


@pytest.fixture(scope="session")
def saved(fresh, tmp_path_factory):
    """Return the folder of that network, saved."""
    return save_model(fresh, tmp_path_factory.mktemp("models") / "fresh")


def test_the_seed_network_is_9_3_5(fresh):
    first, second, third = (layer for layer in fresh.network.layers if layer.weights)
    assert [layer.filters for layer in (first, second, third)] == [128, 64, 1]
    assert [layer.kernel_size for layer in (first, second, third)] == [(9, 9), (3, 3), (5, 5)]
    assert [layer.padding for layer in (first, second, third)] == ["valid", "same", "valid"]
    # 9*9*128+128, 3*3*128*64+64, 5*5*64+1
    assert fresh.network.count_params() == 10_496 + 73_792 + 1_601


@pytest.mark.parametrize(
    ("hyperparameters", "expected"),
    [
        ({}, (7, 6)),
        ({"filters": (64, 32), "kernels": (9, 1, 5)}, (6, 6)),
        ({"filters": (64, 32), "kernels": (9, 5, 5)}, (8, 6)),
    ],
)
def test_the_footprint_is_computed_from_the_layers(hyperparameters, expected):
    assert footprint(build_network("srcnn", scale=4, **hyperparameters)) == expected


def test_the_radius_is_7_and_not_6(fresh):
    # A pixel changes outputs up to 7 away in the interior; the outer ring, which saw the zeros of
    # the `same` layer, differs from what a larger image gives there.
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 41, 41, 1)).astype(np.float32)
    changed = image.copy()
    changed[0, 20, 20, 0] += 1
    effect = np.abs(np.asarray(fresh.network(changed) - fresh.network(image)))[0, :, :, 0] > 0
    rows = np.flatnonzero(effect.any(axis=1)) + 6
    assert (rows.min(), rows.max()) == (20 - 7, 20 + 7)
    whole = np.asarray(fresh.network(image))[0, :, :, 0]
    part = np.asarray(fresh.network(image[:, 5:36, 5:36]))[0, :, :, 0]
    difference = np.abs(part - whole[5:24, 5:24])
    assert difference[1:-1, 1:-1].max() < 1e-5
    assert difference.max() > 1e-3


def test_every_network_survives_saving_and_runs_alike(any_network, tmp_path):
    loaded = load_model(save_model(any_network, tmp_path / "model"))
    image = np.random.default_rng(0).normal(size=(30, 33)).astype(np.float32)
    reference = make_engine(any_network, name="tensorflow")(image)
    rim = any_network.card.rim
    inner = tuple(slice(rim, size - rim) for size in reference.shape)
    for engine in ("onnxruntime", "tensorflow"):
        found = make_engine(loaded, name=engine)(image)
        assert found.shape == reference.shape
        np.testing.assert_allclose(found[inner], reference[inner], atol=2e-6)


def test_no_output_depends_on_more_than_the_radius(any_network):
    # Changing one input pixel changes only outputs within the radius, counted on the input grid.
    card = any_network.card
    side = 2 * card.radius + 9
    centre = side // 2
    image = np.zeros((side, side), np.float32)
    changed = image.copy()
    changed[centre, centre] = 1
    engine = make_engine(any_network, name="tensorflow")
    rows = np.flatnonzero((engine(changed) != engine(image)).any(axis=1))
    grow = card.scale if card.grid == "coarse" else 1
    first, last = rows.min() // grow + card.shrink, rows.max() // grow + card.shrink
    assert centre - first <= card.radius
    assert last - centre <= card.radius


def test_coarse_grid_networks_are_mass_neutral():
    # Every block of the correction has mean zero, whatever the weights.
    for name in ("espcn", "edsr"):
        network = build_network(name, scale=4)
        image = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype(np.float32)
        correction = np.asarray(network(image))
        cells = correction.shape[1] // 4
        blocks = correction.reshape(cells, 4, cells, 4)
        assert np.abs(blocks).max() > 1e-3
        assert np.abs(blocks.mean(axis=(1, 3))).max() < 1e-6


def test_margin_and_halo_follow_from_the_layers():
    # x4: ceil(7/4) = 2 cells of network, 2 of kernel; gaps within 4 are filled from 4 farther;
    # statistics 2 + 1 + 4. x2: ceil(7/2) = 4, so 6, 12, and 4 + 1 + 4.
    assert (CARD.margin, CARD.halo) == (4, 8)
    half = ModelCard(network="srcnn", scale=2, radius=7, shrink=6)
    assert (half.margin, half.halo) == (6, 12)


def test_saving_and_loading_keeps_every_weight(fresh, saved):
    model = load_model(saved, scale=4)
    assert model.card == ModelCard.from_json((saved / "card.json").read_text(), "card")
    assert model.network is None
    for found, wanted in zip(
        load_keras(model).get_weights(), fresh.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_a_model_is_well_under_a_megabyte(saved):
    assert sum(path.stat().st_size for path in saved.iterdir()) < 800_000


def test_saving_never_overwrites_unasked(fresh, saved, tmp_path):
    with pytest.raises(OutputExistsError, match="pass overwrite=True"):
        save_model(fresh, saved)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not delete")
    with pytest.raises(OutputExistsError, match="is no model"):
        save_model(fresh, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_model_is_replaced_by_a_whole_one_or_not_at_all(fresh, saved, tmp_path, monkeypatch):
    folder = save_model(fresh, tmp_path / "mine")
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("no2sr.networks.onnx_form.to_onnx", full)
        with pytest.raises(WriteError, match="No space left"):
            save_model(fresh, folder, overwrite=True)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "notes.txt").write_text("of the old one")
    assert load_model(save_model(load_model(saved), folder, overwrite=True)).card.files
    assert not (folder / "notes.txt").exists()
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["srcnn", "luminance"])
def test_a_shipped_model_from_elsewhere_is_found_here(name):
    card = next(card for card in available_models() if card.name == name)
    folder = load_model(name, scale=card.scale).folder
    found = find_here(Model(card=card, folder=folder.with_name("elsewhere")))
    assert found.folder == folder


def test_a_damaged_file_is_refused(saved, tmp_path):
    copy = shutil.copytree(saved, tmp_path / "copy")
    with (copy / "network.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    with pytest.raises(CardMismatchError, match="differs from its card"):
        load_model(copy)
    (copy / "network.onnx").unlink()
    with pytest.raises(CardMismatchError, match="is missing"):
        load_model(copy)


@pytest.mark.parametrize("text", ["", "[]", '{"network": "srcnn"}', '{"format": 1, "evil": 1}'])
def test_a_foreign_card_is_refused(saved, tmp_path, text):
    copy = shutil.copytree(saved, tmp_path / "copy")
    (copy / "card.json").write_text(text)
    with pytest.raises(CardMismatchError, match="not a model card"):
        load_model(copy)


def test_a_card_of_another_format_is_refused(saved, tmp_path):
    copy = shutil.copytree(saved, tmp_path / "copy")
    card = json.loads((copy / "card.json").read_text()) | {"format": 99}
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(CardMismatchError, match="card format 99"):
        load_model(copy)


def test_a_model_for_another_scale_is_refused(saved):
    with pytest.raises(CardMismatchError, match="trained for scale 4, not 2"):
        load_model(saved, scale=2)


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(CardMismatchError, match=r"holds no card\.json"):
        load_model(tmp_path)


def test_unknown_names_and_scales_name_what_there_is():
    with pytest.raises(UnknownModelError, match=r"there are: .*srcnn \(scale 4\)"):
        load_model("vdsr", scale=4)
    with pytest.raises(UnknownModelError, match="there are weights for scale 2, 3, 4"):
        load_model("srcnn", scale=7)
    with pytest.raises(UnknownModelError, match="use one of denoiser, edsr, espcn, srcnn"):
        build_network("vdsr", scale=4)


@pytest.mark.parametrize("card", available_models(), ids=lambda c: f"{c.name}_x{c.scale}")
def test_shipped_models_beat_every_classical_method(card):
    if card.domain == "column":
        assert card.metrics["rmse_over_bicubic"] < 1
        assert card.metrics["rmse_over_bicubic"] < card.metrics["best_classical_over_bicubic"]
    else:
        assert card.metrics["psnr_db"] > card.metrics["psnr_db_bicubic"] + 1
    assert card.training["licence"]
    network = load_keras(load_model(card.name, scale=card.scale))
    assert footprint(network) == (card.radius, card.shrink)
    assert network.count_params() == card.parameters


def test_all_scales_are_shipped():
    assert {2, 3, 4} <= {card.scale for card in available_models() if card.network == "srcnn"}
