"""The registry: networks of other packages, stated reach, several channels."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest

import no2sr
from no2sr.core.errors import ModelError, SettingsError, UnknownModelError
from no2sr.networks import registry
from no2sr.networks.receptive_field import footprint
from no2sr.networks.registry import (
    available_networks,
    build_network,
    find_reach,
    grid_of,
    role_of,
)
from no2sr.simulation.scenes import scene


def _chain(*layers, channels=1):
    """Return a functional network of layers one after another."""
    import keras

    image = x = keras.Input((None, None, channels))
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x, name="chain")


def _build(*, width=4):
    """Build a network whose pooling hides how far it sees."""
    import keras

    return _chain(
        keras.layers.Conv2D(width, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(3, strides=1, padding="same"),
        keras.layers.Conv2D(1, 3, padding="same"),
    )


@pytest.fixture
def installed(monkeypatch):
    """Install networks as another package would, one of them with a name that is taken."""
    module = ModuleType("their_package")
    module.GRID, module.build = "fine", _build
    module.STATED = SimpleNamespace(GRID="fine", build=_build, RADIUS=3)
    module.COMPUTED = SimpleNamespace(
        GRID="coarse",
        build=print,
        reach=lambda *, depth=2: (depth, depth),
    )
    module.EMPTY = SimpleNamespace(GRID="middle")
    monkeypatch.setitem(sys.modules, "their_package", module)
    entries = [
        EntryPoint("pooled", "their_package", registry._GROUP),
        EntryPoint("stated", "their_package:STATED", registry._GROUP),
        EntryPoint("computed", "their_package:COMPUTED", registry._GROUP),
        EntryPoint("empty", "their_package:EMPTY", registry._GROUP),
        EntryPoint("missing", "no_such_package", registry._GROUP),
        EntryPoint("absent", "their_package:ABSENT", registry._GROUP),
        EntryPoint("espcn", "their_package", registry._GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda **_: entries)
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()


def test_networks_of_other_packages_are_listed_and_taken_names_logged(installed, caplog):
    caplog.set_level("WARNING", logger="no2sr")
    ours = {"denoiser", "edsr", "espcn", "srcnn"}
    theirs = {"absent", "computed", "empty", "missing", "pooled", "stated"}
    assert set(available_networks()) == ours | theirs
    assert "network 'espcn' of their_package ignored" in caplog.text
    assert grid_of("espcn") == "coarse"
    assert (grid_of("pooled"), role_of("pooled")) == ("fine", "super-resolution")


def test_reach_is_stated_or_derived_or_refused(installed):
    network = build_network("stated", scale=2, width=3)
    assert find_reach("stated", network, scale=2, width=3) == (3, 0)
    assert find_reach("computed", None, scale=2, depth=5) == (5, 5)
    with pytest.raises(ModelError, match=r"max_pooling2d.* is a MaxPooling2D\); state RADIUS"):
        find_reach("pooled", build_network("pooled", scale=2), scale=2)


def test_impossible_statements_are_refused(installed, monkeypatch):
    for stated in ((1, 2), (1.5, 0), 3, ("a", "b")):
        monkeypatch.setattr(
            sys.modules["their_package"].COMPUTED, "reach", lambda stated=stated: stated
        )
        with pytest.raises(ModelError, match="0 <= shrinkage <= radius"):
            find_reach("computed", None, scale=2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "their_package:EMPTY is not an architecture"),
        ("missing", "cannot be imported from no_such_package"),
        ("absent", "cannot be imported from their_package:ABSENT"),
    ],
)
def test_broken_packages_are_named(installed, name, message):
    with pytest.raises(ModelError, match=message):
        grid_of(name)


def test_a_network_of_another_package_trains_saves_and_runs_on_keras(installed, tmp_path, caplog):
    caplog.set_level("INFO", logger="no2sr")
    settings = no2sr.TrainSettings(
        steps=2, batch=2, samples=4, window_size=24, hyperparameters={"width": 3}
    )
    images = [scene((64, 64), seed=k) for k in range(2)]
    model = no2sr.train(images, network="stated", scale=2, settings=settings)
    assert (model.card.radius, model.card.shrink) == (3, 0)
    folder = no2sr.save_model(model, tmp_path / "mine")
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "network.keras"]
    loaded = no2sr.load_model(folder, scale=2)
    assert "MaxPooling2D" in loaded.card.without_onnx
    fine = no2sr.downscale(images[0], scale=2, model=loaded)
    assert fine.attrs["no2sr_closure_max"] < 1e-6
    assert len([r for r in caplog.records if "runs on the Keras engine" in r.message]) == 1
    with pytest.raises(ModelError, match=r"no ONNX form.*use engine='tensorflow'"):
        no2sr.downscale(images[0], scale=2, model=loaded, engine="openvino")


def test_channels_and_scales_that_a_network_cannot_take():
    assert build_network("denoiser", scale=1, channels=2).inputs[0].shape[-1] == 2
    with pytest.raises(SettingsError, match="takes one channel, not 3"):
        build_network("srcnn", scale=2, channels=3)
    with pytest.raises(SettingsError, match="keeps the coarse grid; use scale=1, not 2"):
        build_network("denoiser", scale=2)
    with pytest.raises(
        SettingsError, match="no hyperparameter colour; use dilations, filters, out"
    ):
        build_network("denoiser", scale=1, colour=3)
    with pytest.raises(UnknownModelError, match="no network 'vdsr'"):
        role_of("vdsr")


def test_a_denoiser_is_not_trained_as_super_resolution():
    with pytest.raises(SettingsError, match="network denoiser is a denoiser"):
        no2sr.train([scene((64, 64), seed=0)], network="denoiser", scale=2)


def test_branches_count_by_their_longest_path():
    import keras
    from keras.layers import Activation, Add, Conv2D

    image = keras.Input((None, None, 1))
    wide = Conv2D(2, 7, padding="same")(image)
    narrow = Conv2D(2, 3, dilation_rate=2, padding="same")(image)
    x = Conv2D(1, 3)(Activation("relu")(Add()([wide, narrow])))
    assert footprint(keras.Model(image, x)) == (4, 1)


def test_a_sequential_network_has_a_footprint():
    import keras

    layers = [keras.layers.Conv2D(2, 5), keras.layers.BatchNormalization()]
    network = keras.Sequential([keras.Input((None, None, 1)), *layers])
    assert footprint(network) == (2, 2)
    with pytest.raises(ModelError, match="not a functional or sequential model"):
        footprint(keras.Sequential(layers))


def test_what_cannot_be_derived_says_why():
    import keras

    from no2sr.networks.layers import DepthToSpace

    after = _chain(DepthToSpace(2), keras.layers.Conv2D(1, 3, name="late"), channels=4)
    with pytest.raises(ModelError, match="late convolves fine cells after DepthToSpace"):
        footprint(after)
    for how in ({"kernel_size": 2}, {"kernel_size": 3, "strides": 2}):
        with pytest.raises(ModelError, match="strides or an even kernel"):
            footprint(_chain(keras.layers.Conv2D(1, **how)))
    twice = keras.layers.Conv2D(1, 3)
    with pytest.raises(ModelError, match="used several times"):
        footprint(_chain(twice, twice))
    assert footprint(build_network("denoiser", scale=1)) == (9, 9)
