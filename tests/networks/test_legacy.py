"""Weights of other programs: layouts by their formulae, and refusals that say what was expected."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from scipy.ndimage import correlate

from no2sr.core.errors import CardMismatchError
from no2sr.downscaling.pipeline import downscale
from no2sr.downscaling.runner import Runner
from no2sr.networks.engines.make import make_engine
from no2sr.networks.saving import save_model
from no2sr.networks.store import load_model


@pytest.fixture(scope="module")
def layers():
    """Return random kernels (y, x, in, out) and biases of a 9-5-5 network."""
    rng = np.random.default_rng(7)
    shapes = [(9, 9, 1, 4), (5, 5, 4, 3), (5, 5, 3, 1)]
    return [
        (rng.normal(0, 0.1, shape).astype("f4"), rng.normal(0, 0.1, shape[3]).astype("f4"))
        for shape in shapes
    ]


def _keras_1(path, layers, root=""):
    """Write what ``save_weights`` of Keras 1 wrote, an activation without weights included."""
    with h5py.File(path, "w") as file:
        group = file.require_group(root) if root else file
        names = [f"convolution2d_{k}" for k in (1, 2, 3)]
        group.attrs["layer_names"] = [name.encode() for name in ("activation_1", *names)]
        group.create_group("activation_1").attrs["weight_names"] = np.array([], dtype="S1")
        for name, (kernel, bias) in zip(names, layers, strict=True):
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}_W:0".encode(), f"{name}_b:0".encode()]
            layer[f"{name}_W:0"], layer[f"{name}_b:0"] = kernel, bias
    return path


def _matlab(path, layers, **changed):
    """Write what the authors' MATLAB code reads: pixels count down the columns."""
    held = {}
    for k, (kernel, bias) in enumerate(layers, start=1):
        side, _, given, made = kernel.shape
        # MATLAB: reshape(w, side, side) takes w(1), w(2), ... down the first column.
        pixels = np.stack([kernel[row, column] for column in range(side) for row in range(side)])
        held[f"weights_conv{k}"] = {
            1: pixels[:, 0, :],
            2: pixels.transpose(1, 0, 2),
            3: pixels[..., 0].T,
        }[k].astype(float)
        held[f"biases_conv{k}"] = bias[:, None].astype(float)
        assert pixels.shape == (side**2, given, made)
    savemat(path, held | changed)
    return path


def _by_hand(picture, layers):
    """Apply three correlations, the last without a rectifier, as imfilter would inside."""
    maps = picture[None]
    for k, (kernel, bias) in enumerate(layers):
        made = [
            sum(correlate(maps[i], kernel[:, :, i, o]) for i in range(kernel.shape[2])) + bias[o]
            for o in range(kernel.shape[3])
        ]
        maps = np.stack(made) if k == 2 else np.maximum(made, 0)
    return maps[0][8:-8, 8:-8]


@pytest.mark.parametrize("kind", ["keras 1", "keras 1, whole model", "matlab"])
def test_both_formats_give_the_network_of_their_formulae(kind, layers, tmp_path):
    path = tmp_path / "weights"
    if kind == "matlab":
        _matlab(path.with_suffix(".mat"), layers)
        path = path.with_suffix(".mat")
    else:
        _keras_1(path, layers, "model_weights" if "whole" in kind else "")
    model = load_model(path, scale=3)
    card = model.card
    assert (card.domain, card.predicts, card.scale) == ("luminance", "image", 3)
    assert (card.radius, card.shrink) == (8, 6)
    picture = np.random.default_rng(8).uniform(0, 1, (40, 50)).astype("f4")
    found = make_engine(model)(picture)[card.rim : -card.rim, card.rim : -card.rim]
    np.testing.assert_allclose(found, _by_hand(picture, layers), atol=1e-5)


def test_loaded_weights_can_be_saved_with_a_card(layers, tmp_path):
    folder = save_model(load_model(_matlab(tmp_path / "w.mat", layers), scale=2), tmp_path / "mine")
    card = load_model(folder, scale=2).card
    assert (card.name, card.predicts, card.hyperparameters["kernels"]) == (
        "luminance",
        "image",
        [9, 5, 5],
    )


def test_two_files_are_not_taken_for_one_another(layers, tmp_path, grid):
    other = [(0.5 * kernel, bias) for kernel, bias in layers]
    fine = [
        downscale(grid, scale=3, model=load_model(_matlab(tmp_path / f"{k}.mat", held), scale=3))
        for k, held in enumerate((layers, other, layers))
    ]
    column = "tropospheric_NO2_column"
    np.testing.assert_array_equal(fine[0][column], fine[2][column])
    assert (fine[0][column] != fine[1][column]).any()


def test_the_scale_has_to_be_stated(layers, tmp_path):
    with pytest.raises(CardMismatchError, match="does not say which scale"):
        load_model(_matlab(tmp_path / "w.mat", layers))


@pytest.mark.parametrize("share", [0, 4, 300, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("write", [_keras_1, _matlab])
def test_a_cut_file_is_refused(share, write, layers, tmp_path):
    path = write(tmp_path / "w", layers)
    path = path if path.exists() else path.with_suffix(".mat")  # scipy appends it
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share if share > 1 or not share else share * len(whole))])
    with pytest.raises(CardMismatchError, match=r"holds no network .* expected the weights of an"):
        load_model(path, scale=3)


def test_foreign_files_are_refused(layers, tmp_path):
    text = tmp_path / "weights.txt"
    text.write_text("no weights here")
    other = tmp_path / "other.mat"
    savemat(other, {"weights_conv1": np.zeros((81, 64))})
    even = _matlab(tmp_path / "even.mat", layers, weights_conv1=np.zeros((80, 4)))
    wrong = _matlab(tmp_path / "wrong.mat", layers, weights_conv3=np.zeros((9, 25)))
    nan = _matlab(tmp_path / "nan.mat", layers, biases_conv1=np.full((4, 1), np.nan))
    empty = tmp_path / "empty.h5"
    h5py.File(empty, "w").close()
    two = _keras_1(tmp_path / "deep.h5", layers)
    with h5py.File(two, "a") as file:
        file.attrs["layer_names"] = [b"convolution2d_1", b"convolution2d_2"]
    for path in (text, other, even, wrong, nan, empty, two):
        with pytest.raises(CardMismatchError, match="expected the weights of an SRCNN"):
            load_model(path, scale=3)


def test_numbers_in_another_file_are_not_fetched(layers, tmp_path):
    path = _keras_1(tmp_path / "w.h5", layers)
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(4 * 128))
    with h5py.File(path, "a") as file:
        group = file["convolution2d_1"]
        del group["convolution2d_1_b:0"]
        group.create_dataset("convolution2d_1_b:0", (4,), "f4", external=[(secret, 0, 16)])
    with pytest.raises(CardMismatchError, match="lies in another file"):
        load_model(path, scale=3)


@pytest.mark.parametrize("linked", ["convolution2d_1", "convolution2d_1/convolution2d_1_W:0"])
def test_links_to_another_file_are_not_followed(linked, layers, tmp_path):
    _keras_1(tmp_path / "other.h5", layers)
    path = _keras_1(tmp_path / "w.h5", layers)
    with h5py.File(path, "a") as file:
        del file[linked]
        file[linked] = h5py.ExternalLink(str(tmp_path / "other.h5"), f"/{linked}")
    with pytest.raises(CardMismatchError, match="link to another place"):
        load_model(path, scale=3)


def test_foreign_weights_have_one_key_in_every_process(layers, tmp_path):
    path = _keras_1(tmp_path / "w.h5", layers)
    keys = [Runner(model=load_model(path, scale=scale)).key for scale in (3, 3, 2)]
    assert keys[0] == keys[1] != keys[2]
    model = load_model(path, scale=3)
    unsaved = replace(model, card=replace(model.card, files={}))
    method = Runner(model=unsaved)
    sent = pickle.loads(pickle.dumps(method))  # noqa: S301 - our own
    assert Runner(model=unsaved).key == sent.key == method.key
    assert Runner(model=replace(unsaved, build=len)).key != method.key


def test_outputs_name_the_file_that_the_weights_came_from(layers, tmp_path, grid):
    path = _keras_1(tmp_path / "w.h5", layers)
    model = load_model(path, scale=2)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.card.checksum == checksum
    name = next(iter(grid.data_vars))
    assert downscale(grid[name], scale=2, model=model).attrs["no2sr_model_sha256"] == checksum
    assert replace(model.card, files={}).checksum == "unsaved"
    shipped = load_model("srcnn", scale=4).card
    assert shipped.checksum == shipped.files["network.keras"]


@pytest.mark.slow
def test_nothing_but_our_words_stands_on_stderr(layers, tmp_path, samples):
    # TensorFlow's libraries print when they are imported, which takes a process of its own.
    weights = _matlab(tmp_path / "weights.mat", layers)
    words = ["downscale", samples / "simulated_no2_l3_monthly.nc", tmp_path / "fine.tif", "-q"]
    command = [sys.executable, "-m", "no2sr", *words, "--scale", "3", "--model", weights]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "filters", "kernels"),
    [
        ("srcnn_955_x3.mat", [64, 32], [9, 5, 5]),
        ("3051crop_weight_200.h5", [128, 64], [9, 3, 5]),
    ],
)
def test_the_known_files_are_read(real_data, name, filters, kernels):
    card = load_model(real_data / "weights" / name, scale=3).card
    assert card.hyperparameters == {"filters": filters, "kernels": kernels}
