"""Inference: engines agree, tiles do not show, the ONNX form is exact."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from no2sr import downscale
from no2sr.core.errors import MissingDependencyError, SettingsError
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.engines.make import make_engine
from no2sr.networks.inference import super_resolve
from no2sr.networks.prepared import Prepared
from no2sr.networks.registry import build_network
from no2sr.networks.store import load_model
from no2sr.steps.resample import upsample
from no2sr.steps.tiles import Tile, trim


@pytest.fixture(scope="module", params=[2, 3, 4])
def model(request):
    return load_model("srcnn", scale=request.param)


@pytest.mark.parametrize("shape", [(15, 15), (40, 40), (37, 58), (64, 101)])
def test_onnx_equals_the_reference(model, shape):
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    reference = make_engine(model, name="tensorflow")(image)
    found = make_engine(model)(image)
    assert found.shape == reference.shape == (shape[0] - 12, shape[1] - 12)
    # Within a pixel of the edge the `same` layer's zeros move with the padding to a multiple
    # of 4; that ring is never used.
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(found[inner], reference[inner], atol=2e-6, rtol=2e-6)


def test_a_network_fresh_from_training_runs_without_being_saved():
    import keras

    keras.utils.set_random_seed(1)
    network = build_network("srcnn", scale=2, filters=(8, 4))
    fresh = Model(card=ModelCard(network="srcnn", scale=2, radius=7, shrink=6), network=network)
    image = np.random.default_rng(1).normal(size=(28, 28)).astype(np.float32)
    np.testing.assert_allclose(
        make_engine(fresh)(image), make_engine(fresh, name="tensorflow")(image), atol=2e-6
    )


@pytest.mark.parametrize("name", ["srcnn", "espcn", "edsr"])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_every_engine_equals_the_reference(name, engine):
    pytest.importorskip(engine)
    model = load_model(name, scale=4)
    image = np.random.default_rng(3).normal(size=(61, 74)).astype(np.float32)
    reference = make_engine(model, name="tensorflow")(image)
    rim = max(1, model.card.rim)
    # Of the largest correction: white noise as here makes some of several spreads.
    atol = 2e-6 * max(1, np.abs(reference).max())
    np.testing.assert_allclose(
        trim(make_engine(model, name=engine)(image), rim), trim(reference, rim), atol=atol
    )


def test_an_engine_serves_several_threads_at_once():
    model = load_model("espcn", scale=2)
    rng = np.random.default_rng(4)
    images = [rng.normal(size=(20 + n, 31)).astype(np.float32) for n in range(12)]
    for name in ("onnxruntime", "openvino", "tensorflow"):
        pytest.importorskip(name)
        engine = make_engine(model, name=name)
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(engine, images))
        for image, found in zip(images, together, strict=True):
            np.testing.assert_array_equal(found, engine(image))


def test_bfloat16_is_close_but_not_the_same(model):
    pytest.importorskip("openvino")
    image = np.random.default_rng(5).normal(size=(60, 60)).astype(np.float32)
    exact = trim(make_engine(model)(image), 1)
    found = trim(make_engine(model, name="openvino", precision="bfloat16")(image), 1)
    # bfloat16 keeps 8 bits; the sums are float32.
    assert 0 < np.abs(found - exact).max() < 0.03 * np.abs(image).max()


def test_an_unknown_engine_is_refused(model):
    with pytest.raises(SettingsError, match="use one of onnxruntime, tensorflow, openvino"):
        make_engine(model, name="abacus")


@pytest.mark.parametrize("engine", ["onnxruntime", "tensorflow"])
def test_a_precision_that_an_engine_lacks_is_refused(model, engine):
    with pytest.raises(SettingsError, match="computes in float32, not in 'bfloat16'; use"):
        make_engine(model, name=engine, precision="bfloat16")
    with pytest.raises(SettingsError, match="computes in float32, bfloat16 or int8, not in"):
        downscale(np.nan, engine="openvino", precision="float64")


@pytest.mark.parametrize(
    ("engine", "advice"),
    [("openvino", r"pip install 'no2sr\[openvino\]'"), ("onnxruntime", "pip install onnxruntime")],
)
def test_an_engine_that_is_not_installed_is_named(model, monkeypatch, engine, advice):
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(MissingDependencyError, match=advice):
        make_engine(model, name=engine)


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 40), st.integers(4, 40), st.integers(4, 100), st.integers(0, 2**32 - 1))
def test_tile_size_changes_nothing(ny, nx, tile, seed):
    model = load_model("srcnn", scale=4)
    engine, card = make_engine(model), model.card
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(ny + 2 * card.halo, nx + 2 * card.halo)).astype(np.float32)
    coarse[rng.random(coarse.shape) < 0.2] = np.nan
    whole = super_resolve(coarse, card, engine, tile=4096)
    tiled = super_resolve(coarse, card, engine, tile=tile)
    np.testing.assert_allclose(tiled, whole, atol=1e-6 * np.nanstd(coarse) + 2e-6)


def test_a_fine_window_is_cut_from_the_upsampled_whole(model):
    card = model.card
    coarse = np.random.default_rng(2).normal(size=(40, 40)).astype(np.float32)
    tile = Tile(rows=slice(14, 20), columns=slice(15, 27))
    upsampled, by = Prepared(coarse, card).fine_window(tile, rim=card.radius)
    s, r = card.scale, card.radius
    rows = slice(14 * s - r, 20 * s + r)
    columns = slice(15 * s - r, 27 * s + r)
    np.testing.assert_allclose(upsampled, upsample(coarse, s)[rows, columns], atol=1e-6)
    assert by.mean.shape == by.spread.shape == upsampled.shape
