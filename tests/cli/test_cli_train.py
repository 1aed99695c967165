"""``no2sr train``: files in, a model out that ``downscale`` uses, and on again after a kill."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import no2sr
from no2sr.simulation.scenes import add_noise, scene

QUICK = ("--steps", 4, "--batch", 4, "--samples", 12, "--window-size", 32, "--check-every", 2)
SMALL = ("--hyperparameter", "filters=8,4", "--held-out", 0.34)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Return the paths of two simulated maps."""
    folder = tmp_path_factory.mktemp("scenes")
    return [
        no2sr.write(add_noise(scene((96, 96), seed=k), 1e-6, seed=k), folder / f"{k}.nc")
        for k in range(2)
    ]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return the paths of a picture as BMP, PNG and JPEG."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 64, 3), dtype=np.uint8)
    paths = [folder / f"picture.{suffix}" for suffix in ("bmp", "png", "jpg")]
    for path in paths:
        Image.fromarray(pixels).save(path)
    return paths


def test_a_model_of_ones_own_goes_to_work(no2sr_command, scenes, grid_file, tmp_path):
    folder = tmp_path / "new" / "mine"
    done = no2sr_command(
        "train", *scenes, "--output", folder, *QUICK, *SMALL, "--hyperparameter", "kernels=9,1,5"
    )
    assert (done.code, done.err) == (0, "")
    assert "srcnn x4 for columns, 793 weights" in done.out
    assert done.out.splitlines()[-1] == str(folder)
    # 9 x 9 x 8 + 8, 1 x 1 x 8 x 4 + 4 and 5 x 5 x 4 + 1 weights.
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json",
        "loss.png",
        "network.keras",
        "network.onnx",
    ]
    assert list(folder.parent.iterdir()) == [folder]  # no checkpoint is left
    settings = json.loads((folder / "card.json").read_text())["training"]["settings"]
    assert (settings["steps"], settings["hyperparameters"]["kernels"]) == (4, [9, 1, 5])
    made = no2sr_command("downscale", grid_file, tmp_path / "fine.tif", "--model", folder)
    assert made.code == 0
    again = no2sr_command("train", *scenes, "--output", folder)
    assert (again.code, len(again.errors)) == (1, 1)
    assert "already exists" in again.err


def test_the_loss_curve_is_a_picture(no2sr_command, scenes, tmp_path):
    no2sr_command("train", *scenes, "--output", tmp_path / "m", *QUICK, *SMALL, "--quiet")
    with Image.open(tmp_path / "m" / "loss.png") as picture:
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    blue, orange = (31, 119, 180), (255, 127, 14)
    for line in (blue, orange):
        assert (colours == line).all(axis=1).sum() > 50


def test_pictures_make_a_model_for_pictures(no2sr_command, pictures, tmp_path):
    done = no2sr_command(
        "train", *pictures, "-o", tmp_path / "eyes", "--scale", 3, *QUICK, *SMALL, "--precision",
        "bfloat16",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    card = no2sr.load_model(tmp_path / "eyes").card
    assert (card.domain, card.scale) == ("luminance", 3)


def test_the_same_command_goes_on_after_a_kill(scenes, tmp_path):
    small = [str(part) for part in SMALL]

    def start(output):
        return subprocess.Popen(
            [sys.executable, "-m", "no2sr", "train", *map(str, scenes), "--output", str(output),
             *map(str, QUICK), *small, "--steps", "60", "--quiet"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    checkpoint = tmp_path / ".one.training.npz"
    killed = start(tmp_path / "one")
    while not checkpoint.exists() and killed.poll() is None:
        pass
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "one").exists()
    assert checkpoint.exists()
    runs = [start(tmp_path / name) for name in ("one", "two")]
    for run in runs:
        _, said = run.communicate()
        assert run.returncode == 0, said
    one, two = (no2sr.load_model(tmp_path / name).card for name in ("one", "two"))
    assert one.files["network.onnx"] == two.files["network.onnx"]  # the other holds the hour
    assert one.training == two.training
    assert not checkpoint.exists()


def test_nothing_held_out_is_nothing_to_be_patient_about(no2sr_command, scenes, tmp_path):
    at = ("train", *scenes, "--output", tmp_path / "m", *QUICK, *SMALL, "--held-out", 0)
    assert no2sr_command(*at).code == 0
    asked = no2sr_command(*at, "--overwrite", "--patience", 3)
    assert (asked.code, "patience is 3" in asked.err) == (1, True)


def test_a_folder_that_is_no_model_is_refused_at_once(no2sr_command, tmp_path):
    (tmp_path / "m").mkdir()
    refused = no2sr_command("train", "absent.nc", "--output", tmp_path / "m", "--overwrite")
    assert refused.code == 1
    assert "it is no model" in refused.err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--hyperparameter", "kernels"], 2, "give a name and numbers, such as kernels=9,1,5"),
        (["--hyperparameter", "depth=4"], 1, "no hyperparameter depth; use filters, kernels"),
        (["--network", "vdsr"], 1, "no network 'vdsr'; use one of denoiser, edsr, espcn, srcnn"),
        (["--batch", "0"], 1, "batch is 0 in the settings; use at least 1"),
        (["--window-size", "60"], 1, "to watch; give larger or more images, or raise held_out"),
        (["--start", "srcnn"], 1, "has other layers"),
    ],
)
def test_what_cannot_be_trained_is_refused(no2sr_command, scenes, tmp_path, more, code, said):
    done = no2sr_command("train", *scenes, "--output", tmp_path / "m", *QUICK, *SMALL, *more)
    assert done.code == code
    assert said in " ".join(done.err.split())
    assert not list(tmp_path.iterdir())


def test_pictures_and_data_are_not_mixed(no2sr_command, scenes, pictures, tmp_path):
    mixed = no2sr_command("train", scenes[0], pictures[0], "--output", tmp_path / "m")
    assert mixed.code == 2
    assert "train on one kind at a time" in mixed.err
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures[1].read_bytes()[:500])
    done = no2sr_command("train", broken, "--output", tmp_path / "m")
    assert (done.code, len(done.errors)) == (1, 1)
    assert "as a PNG, BMP or JPEG of less than" in done.err
