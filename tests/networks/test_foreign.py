"""Models from elsewhere: Keras and ONNX files with a card, and every misuse named."""

from __future__ import annotations

import numpy as np
import pytest

import no2sr
from no2sr.core.errors import CardMismatchError, ModelError, SettingsError, UnknownModelError
from no2sr.networks.card import ModelCard
from no2sr.networks.engines.make import make_engine
from no2sr.networks.saving import save_model
from no2sr.networks.store import load_model
from no2sr.simulation.scenes import scene

CARD = {"scale": 2}
ONNX_CARD = {"scale": 2, "radius": 1, "shrink": 0}


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


def _torch_like(path, *, shape=("n", 1, "h", "w_"), operator="Relu", domain="", **versions):
    """Write an ONNX graph as PyTorch exports it: channels first, names of its own."""
    from onnx import helper, numpy_helper

    kernel = np.random.default_rng(0).normal(0, 0.1, (1, 1, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node(operator, ["x"], ["a"], domain=domain),
        helper.make_node("Conv", ["a", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    ends = [helper.make_tensor_value_info(name, 1, shape) for name in ("x", "y")]
    graph = helper.make_graph(
        nodes, "torch", ends[:1], ends[1:], [numpy_helper.from_array(kernel, "w")]
    )
    opset = versions.get("opset", 15)
    sets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, ir_version=versions.get("ir", 8), opset_imports=sets)
    path.write_bytes(model.SerializeToString())
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

    again = load_model(save_model(model, tmp_path / "saved"))
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
        "card.json",
        "network.onnx",
    ]
    np.testing.assert_array_equal(make_engine(again)(image), make_engine(model)(image))
    (tmp_path / "saved" / "network.onnx").write_bytes(b"another")
    with pytest.raises(CardMismatchError, match="differs from its card"):
        load_model(tmp_path / "saved")


def test_our_own_onnx_form_is_read_back(tmp_path):
    shipped = load_model("espcn", scale=2)
    path = tmp_path / "x.onnx"
    path.write_bytes((shipped.folder / "network.onnx").read_bytes())
    model = load_model(path, card=shipped.card)
    image = np.random.default_rng(1).normal(size=(21, 26)).astype(np.float32)
    np.testing.assert_array_equal(make_engine(model)(image), make_engine(shipped)(image))
    assert "network.onnx" not in model.card.files


def _dense_network(*layers, channels=1):
    import keras

    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input((None, None, channels)), *layers])


def test_batch_normalisation_has_an_onnx_form(tmp_path):
    from keras.layers import BatchNormalization, Conv2D, Dropout, LeakyReLU

    network = _dense_network(
        Conv2D(4, 3, padding="same", use_bias=False),
        BatchNormalization(),
        LeakyReLU(negative_slope=0.2),
        Dropout(0.5),
        Conv2D(3, 3),
        BatchNormalization(scale=False, center=False),
        Conv2D(1, 1),
    )
    rng = np.random.default_rng(4)
    for layer in network.layers:  # as if it had been trained: no statistics of 0 and 1
        if isinstance(layer, BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    model = load_model(network, card=CARD)
    assert (model.card.radius, model.card.shrink) == (2, 1)
    saved = load_model(save_model(model, tmp_path / "saved"))
    assert saved.card.without_onnx == ""
    image = rng.normal(size=(21, 26)).astype(np.float32)
    wanted = make_engine(saved, name="tensorflow")(image)
    np.testing.assert_allclose(make_engine(saved)(image), wanted, atol=1e-5)
    assert wanted.std() > 0.1


def test_a_network_inside_another_and_plain_sums_are_understood(tmp_path):
    import keras
    from keras.layers import Conv2D

    inner = _dense_network(Conv2D(4, 5, padding="same", activation="relu"))
    nested = _dense_network(inner, Conv2D(1, 3, padding="same"))
    image = keras.Input((None, None, 1))
    residual = keras.Model(image, image + Conv2D(1, 3, padding="same")(image))
    number = keras.Model(image, Conv2D(1, 3, padding="same")(image) + 0.5)
    values = np.random.default_rng(1).normal(size=(20, 27)).astype(np.float32)
    for network, radius, written in ((nested, 3, True), (residual, 1, True), (number, 1, False)):
        model = load_model(network, card=CARD)
        assert model.card.radius == radius
        saved = load_model(save_model(model, tmp_path / "saved", overwrite=True))
        assert bool(saved.card.without_onnx) is not written
        wanted = np.asarray(network(values[None, ..., None]))[0, ..., 0]
        inside = (slice(radius, -radius),) * 2  # the rim depends on how an image is padded
        np.testing.assert_allclose(make_engine(saved)(values)[inside], wanted[inside], atol=1e-5)


def test_a_network_trained_further_is_another_model():
    from keras.layers import Conv2D

    network = _dense_network(Conv2D(1, 3, padding="same"))
    image = scene((24, 24), seed=0)
    first = no2sr.downscale(image, scale=2, model=load_model(network, card=CARD))
    network.set_weights([5 * weight for weight in network.get_weights()])
    second = no2sr.downscale(image, scale=2, model=load_model(network, card=CARD))
    assert first.attrs["no2sr_model_sha256"] != second.attrs["no2sr_model_sha256"]
    assert abs(first - second).max() > 0.01 * first.std()


@pytest.mark.parametrize("grid", ["fine", "coarse"])
def test_a_network_that_predicts_the_image(grid):
    """One that returns its input, or repeats it, has a known result."""
    from keras.layers import Conv2D, Conv2DTranspose

    fine = Conv2D(1, 1, use_bias=False)
    layer = fine if grid == "fine" else Conv2DTranspose(1, 2, strides=2, use_bias=False)
    network = _dense_network(layer)
    network.set_weights([np.ones_like(weight) for weight in network.get_weights()])
    card = {"scale": 2, "predicts": "image", "radius": 0, "shrink": 0}
    model = load_model(network, card=card)
    assert model.card.grid == grid  # found by trial
    image = scene((24, 24), seed=0)
    found = no2sr.downscale(image, scale=2, model=model)
    if grid == "fine":
        none = _dense_network(Conv2D(1, 1))
        none.set_weights([np.zeros_like(weight) for weight in none.get_weights()])
        wanted = no2sr.downscale(image, scale=2, model=load_model(none, card=CARD))
        assert abs(found - wanted).max() < 1e-5 * wanted.std()
        return
    # Repeated cells, but for the local statistics, which are interpolated; blocks are conserved.
    repeated = np.repeat(np.repeat(image.values, 2, axis=0), 2, axis=1)
    bicubic = no2sr.downscale(image, scale=2, model="bicubic + correction")
    assert abs(found.values - repeated).std() < 0.5 * abs(bicubic.values - repeated).std()


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, r"has no card, .* load it with no2sr.load_model\(\.\.\., card="),
        ("card.json", "card is of type str; give a ModelCard"),
        ({}, "it has no scale; add"),
        ({"scale": 2, "colour": 1}, "there is no field 'colour'; the fields are network, scale"),
        ({"scale": 0}, "scale is 0 on a card"),
        ({"scale": 2.5}, r"scale is 2\.5 on a card"),
        ({"scale": True}, "scale is True on a card"),
        ({"scale": 2, "grid": "middle"}, "grid is 'middle' on a card; use fine, coarse"),
        ({"scale": 2, "domain": "sea"}, "domain is 'sea' on a card"),
        ({"scale": 2, "predicts": "rain"}, "predicts is 'rain' on a card"),
        ({"scale": 2, "window": 8}, "window is 8 on a card; use an odd number"),
        ({"scale": 2, "window": 0}, "window is 0 on a card"),
        ({"scale": 2, "radius": 1, "shrink": 2}, "use at most the radius, 1"),
        ({"scale": 2, "radius": 600, "shrink": 0}, "radius is 600 on a card; use at most 512"),
        ({"scale": 2, "radius": 1, "shrink": 0}, "sees at least 3 pixels far, .* radius 1;"),
        ({"scale": 2, "role": "judge"}, "role is 'judge'"),
        ({"scale": 2, "inputs": "column"}, "inputs is 'column' on a card"),
        ({"scale": 2, "inputs": [1]}, r"inputs is \[1\] on a card"),
        ({"scale": 2, "files": 3}, "files is 3 on a card; give a dict"),
        ({"scale": 2, "network": ""}, "network is '' on a card; give a name"),
        ({"scale": 2, "grid": "coarse"}, r"\(22, 23, 1\); its card implies \(44, 46, 1\)"),
        ({"scale": 2, "radius": 3, "shrink": 1}, r"its card implies \(22, 23, 1\)"),
        ({"scale": 2, "inputs": ("column", "noise")}, "takes 1 channels, and its card names 2"),
        ({"scale": 2, "outputs": ("correction", "share")}, r"its card implies \(22, 23, 2\)"),
        ({"scale": 2, "outputs": ("a", "b")}, "call one of them correction"),
    ],
)
def test_cards_that_do_not_fit_are_named(keras_file, card, message):
    with pytest.raises(CardMismatchError, match=message) as refused:
        load_model(keras_file, card=card)
    assert "\n" not in str(refused.value)


def test_other_misuse_is_named(keras_file, tmp_path):
    with pytest.raises(CardMismatchError, match="says scale 2; use scale=2"):
        load_model(keras_file, card=CARD, scale=3)
    with pytest.raises(SettingsError, match=r"espcn is not a \.keras or \.onnx file"):
        load_model("espcn", scale=2, card=CARD)
    with pytest.raises(UnknownModelError, match=r"there is no file .*none\.onnx"):
        load_model(tmp_path / "none.onnx", card=CARD)
    with pytest.raises(UnknownModelError, match=r"there is no file none\.keras"):
        load_model("none.keras")
    with pytest.raises(UnknownModelError, match="no model ''"):
        load_model("")
    for wrong in (5, None, b"srcnn", load_model("srcnn", scale=2), ModelCard):
        with pytest.raises(SettingsError, match="is no model; give a name, a path or a Keras"):
            load_model(wrong)
    with pytest.raises(SettingsError, match="scale is '4'"):
        load_model("srcnn", scale="4")
    (tmp_path / "net.pt").write_bytes(b"PK")
    with pytest.raises(CardMismatchError, match=r"a file of PyTorch; write .* torch\.onnx\.export"):
        load_model(tmp_path / "net.pt", scale=2)


def test_keras_networks_that_cannot_be_used_are_named(keras_file, tmp_path):
    import keras
    from keras.layers import Concatenate, Conv2D, MaxPooling2D, UpSampling2D

    keras_file.write_bytes(b"PK\3\4 no archive")
    with pytest.raises(CardMismatchError, match="cannot be loaded safely"):
        load_model(keras_file, card=CARD)
    fixed = keras.Sequential([keras.Input((33, 33, 1)), Conv2D(1, 3, padding="same")])
    assert load_model(fixed, card=CARD).card.radius == 1  # Keras takes other sizes, too
    unbuilt = keras.Sequential([Conv2D(1, 3)])
    with pytest.raises(CardMismatchError, match=r"has no weights yet; begin it with keras.Input"):
        load_model(unbuilt, card=CARD)
    first = keras.Sequential(
        [keras.Input((1, None, None)), Conv2D(1, 3, data_format="channels_first")]
    )
    with pytest.raises(CardMismatchError, match="has its channels first; build it with channels"):
        load_model(first, card=CARD)
    pooled = _dense_network(MaxPooling2D(3, 1, "same"))
    with pytest.raises(CardMismatchError, match="cannot derive how far"):
        load_model(pooled, card=CARD)
    assert load_model(pooled, card=ONNX_CARD).card.radius == 1
    twice = Conv2D(1, 3, padding="same")
    image = keras.Input((None, None, 1))
    shared = keras.Model(image, twice(twice(image)))
    with pytest.raises(CardMismatchError, match=r"used several times, .* or state radius and shr"):
        load_model(shared, card=CARD)
    assert load_model(shared, card=ONNX_CARD | {"radius": 2}).card.radius == 2
    halved = UpSampling2D()(MaxPooling2D()(Conv2D(4, 3, padding="same")(image)))
    unet = keras.Model(image, Conv2D(1, 3, padding="same")(Concatenate()([image, halved])))
    with pytest.raises(
        CardMismatchError, match="images of every size, or put it into a func"
    ) as no:
        load_model(unet, card=ONNX_CARD | {"radius": 6})
    assert "\n" not in str(no.value)
    lost = _dense_network(Conv2D(1, 3, padding="same"))
    lost.set_weights([np.full_like(weight, np.nan) for weight in lost.get_weights()])
    with pytest.raises(CardMismatchError, match="returns NaN or infinity on an image of noise"):
        load_model(lost, card=CARD)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"operator": "Mystery", "domain": "their.own"}, r"the operator their\.own:Mystery, which"),
        ({"operator": "Mystery"}, "the operator Mystery, which is not part of ONNX"),
        ({"shape": ("n", 1, 32, 32)}, r"takes only images of shape \('n', 1, 32, 32\); export"),
        ({"shape": (8, 1, "h", "w_")}, "takes only images of shape"),
        ({"opset": 99}, "needs ONNX operator set 99"),
        ({"ir": 99}, "has ONNX format 99"),
    ],
)
def test_onnx_files_that_cannot_be_run_are_named(tmp_path, how, message):
    path, _ = _torch_like(tmp_path / "torch.onnx", **how)
    with pytest.raises(CardMismatchError, match=message) as refused:
        load_model(path, card=ONNX_CARD)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_onnx_files_and_cards_that_do_not_fit_are_named(tmp_path, monkeypatch):
    import onnx

    path, _ = _torch_like(tmp_path / "torch.onnx")
    with pytest.raises(CardMismatchError, match=r"state radius \(pixels .* and shrink"):
        load_model(path, card=CARD)
    with pytest.raises(CardMismatchError, match="its card names 2 channels in and 1 out"):
        load_model(path, card=ONNX_CARD | {"inputs": ["column", "noise"]})
    with pytest.raises(CardMismatchError, match=r"sees at least 1 pixels far, .* says radius 0"):
        load_model(path, card=ONNX_CARD | {"radius": 0})
    path.rename(tmp_path / "TORCH.ONNX")
    assert load_model(tmp_path / "TORCH.ONNX", card=ONNX_CARD).card.grid == "fine"
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for the weights
    onnx.save_model(
        onnx.load("TORCH.ONNX"),
        "out.onnx",
        save_as_external_data=True,
        location="w",
        size_threshold=0,
    )
    with pytest.raises(CardMismatchError, match=r"in another file \(external data\); export it as"):
        load_model("out.onnx", card=ONNX_CARD)
    for content in (b"no graph", b""):
        path.write_bytes(content)
        with pytest.raises(CardMismatchError, match="is damaged, or it is not an ONNX file"):
            load_model(path, card=ONNX_CARD)
