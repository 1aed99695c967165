"""Models from elsewhere: Keras and ONNX files with a card, and every misuse named."""

from __future__ import annotations

import numpy as np
import pytest

import no2sr
from no2sr.core.errors import CardMismatchError, ModelError, SettingsError, UnknownModelError
from no2sr.networks.card import ModelCard
from no2sr.networks.engines.make import make_engine
from no2sr.networks.store import load_model, save_model
from no2sr.simulation.scenes import scene

CARD = {"scale": 2, "grid": "fine"}


@pytest.fixture(scope="module")
def network():
    """Return a network as a Keras user may write it: sequential, with batch normalisation."""
    import keras
    from keras.layers import BatchNormalization, Conv2D

    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            Conv2D(4, 5, padding="same", activation="gelu"),
            BatchNormalization(),
            Conv2D(1, 3, padding="same"),
        ]
    )


@pytest.fixture
def keras_file(network, tmp_path):
    path = tmp_path / "mine.keras"
    network.save(path)
    return path


def _torch_like(path, *, side=None, operator="Relu", domain=""):
    """Write an ONNX graph as PyTorch exports it: channels first, names of its own."""
    from onnx import helper, numpy_helper

    kernel = np.random.default_rng(0).normal(0, 0.1, (1, 1, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node(operator, ["x"], ["a"], domain=domain),
        helper.make_node("Conv", ["a", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    ends = [
        helper.make_tensor_value_info(name, 1, ["n", 1, side or "h", side or "w_"])
        for name in ("x", "y")
    ]
    graph = helper.make_graph(
        nodes, "torch", ends[:1], ends[1:], [numpy_helper.from_array(kernel, "w")]
    )
    sets = [helper.make_opsetid("", 15), *([helper.make_opsetid(domain, 1)] if domain else [])]
    path.write_bytes(helper.make_model(graph, ir_version=8, opset_imports=sets).SerializeToString())
    return path, kernel[0, 0]


def test_a_keras_file_runs_as_it_is_and_can_be_saved(network, keras_file, tmp_path):
    model = load_model(keras_file, card=CARD)
    assert (model.card.network, model.card.radius, model.card.shrink) == ("mine", 3, 0)
    assert model.card.parameters == network.count_params()
    image = np.random.default_rng(1).normal(size=(20, 27)).astype(np.float32)
    found = make_engine(model)(image)
    np.testing.assert_allclose(
        found, np.asarray(network(image[None, ..., None]))[0, ..., 0], atol=1e-6
    )
    fine = no2sr.downscale(scene((40, 40), seed=0), scale=2, model=model)
    assert fine.attrs["no2sr_closure_max"] < 1e-6
    again = load_model(save_model(model, tmp_path / "saved"))
    assert "gelu" in again.card.without_onnx
    np.testing.assert_allclose(make_engine(again)(image), found, atol=1e-6)


def test_an_onnx_file_of_channels_first_runs(tmp_path):
    from scipy.ndimage import correlate

    path, kernel = _torch_like(tmp_path / "torch.onnx")
    model = load_model(path, scale=2, card={"radius": 1, "shrink": 0})
    image = np.random.default_rng(1).normal(size=(21, 26)).astype(np.float32)
    wanted = correlate(np.maximum(image, 0), kernel, mode="constant")
    np.testing.assert_allclose(make_engine(model)(image), wanted, atol=1e-6)
    assert no2sr.downscale(scene((40, 40), seed=0), scale=2, model=model).notnull().any()
    with pytest.raises(ModelError, match="no Keras network; use engine='onnxruntime'"):
        make_engine(model, name="tensorflow")
    with pytest.raises(ModelError, match="from an ONNX file; use engine='onnxruntime'"):
        make_engine(model, name="openvino")
    with pytest.raises(ModelError, match="keep the file and its card"):
        save_model(model, tmp_path / "saved")


def test_our_own_onnx_form_is_read_back(tmp_path):
    shipped = load_model("espcn", scale=2)
    path = tmp_path / "x.onnx"
    path.write_bytes((shipped.folder / "network.onnx").read_bytes())
    model = load_model(path, card=shipped.card)
    image = np.random.default_rng(1).normal(size=(21, 26)).astype(np.float32)
    np.testing.assert_array_equal(make_engine(model)(image), make_engine(shipped)(image))
    assert "network.onnx" not in model.card.files


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, "has no card; give card="),
        ("card.json", "card is a str; give a ModelCard"),
        ({}, "missing 1 required keyword-only argument: 'scale'"),
        ({"scale": 2, "colour": 1}, "unexpected keyword argument 'colour'"),
        ({"scale": 0}, "scale 0"),
        ({"scale": 2.5}, r"scale 2\.5"),
        ({"scale": 2, "grid": "middle"}, "grid 'middle'"),
        ({"scale": 2, "radius": 1, "shrink": 2}, "shrink at most radius"),
        ({"scale": 2, "role": "judge"}, "role is 'judge'"),
        ({"scale": 2, "grid": "coarse"}, r"its card implies \(28, 28\)"),
        ({"scale": 2, "radius": 3, "shrink": 1}, r"its card implies \(12, 12\)"),
        ({"scale": 2, "inputs": ("column", "noise")}, "cannot be run on an image of shape"),
        ({"scale": 2, "outputs": ("correction", "share")}, r"its card implies \(14, 14, 2\)"),
    ],
)
def test_cards_that_do_not_fit_are_named(keras_file, card, message):
    with pytest.raises(CardMismatchError, match=message):
        load_model(keras_file, card=card)


def test_other_misuse_is_named(network, keras_file, tmp_path):
    import keras

    with pytest.raises(CardMismatchError, match="says scale 2; use scale=2"):
        load_model(keras_file, card=CARD, scale=3)
    with pytest.raises(SettingsError, match=r"espcn is not a \.keras or \.onnx file"):
        load_model("espcn", scale=2, card=CARD)
    with pytest.raises(SettingsError, match="that is there; leave card= out"):
        load_model(tmp_path / "none.onnx", card=CARD)
    with pytest.raises(UnknownModelError, match=r"no model 'none\.keras'"):
        load_model("none.keras")
    keras_file.write_bytes(b"PK\3\4 no archive")
    with pytest.raises(CardMismatchError, match="cannot be loaded safely"):
        load_model(keras_file, card=CARD)
    fixed = keras.Sequential([keras.Input((33, 33, 1)), keras.layers.Conv2D(1, 3, padding="same")])
    fixed.save(keras_file)
    assert load_model(keras_file, card=CARD).card.radius == 1  # Keras takes other sizes, too
    pooled = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.MaxPooling2D(3, 1, "same")]
    )
    pooled.save(keras_file)
    with pytest.raises(CardMismatchError, match="cannot derive how far"):
        load_model(keras_file, card=CARD)
    assert load_model(keras_file, card=CARD | {"radius": 1, "shrink": 0}).card.radius == 1


def test_onnx_files_that_cannot_be_run_are_named(tmp_path):
    card = ModelCard(network="torch", scale=2, radius=1, shrink=0)
    path, _ = _torch_like(tmp_path / "torch.onnx")
    with pytest.raises(CardMismatchError, match="state radius and shrink on the card"):
        load_model(path, card=CARD)
    with pytest.raises(CardMismatchError, match="expected one float32 image of 2 channels"):
        load_model(path, card=CARD | {"radius": 1, "shrink": 0, "inputs": ["column", "noise"]})
    _torch_like(path, operator="Mystery", domain="their.own")
    with pytest.raises(CardMismatchError, match="use a graph of standard operators"):
        load_model(path, card=card)
    _torch_like(path, side=32)
    with pytest.raises(CardMismatchError, match="build it for images of every size"):
        load_model(path, card=card)
    path.write_bytes(b"no graph")
    with pytest.raises(CardMismatchError, match="cannot be run"):
        load_model(path, card=card)
