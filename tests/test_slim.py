"""A slim install runs: everything but training, without TensorFlow, Keras and OpenCV.

`make test-slim` runs these tests with the program of such an environment. Without one they run
here, with the three packages blocked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
import rasterio

import no2sr
from no2sr.core.dependencies import require

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAVY = ("cv2", "keras", "tensorflow")
REGION = ("--bbox", "76", "27", "78", "29")
SLIM = os.environ.get("NO2SR_SLIM", "")  # the Python of a slim environment
BLOCKED = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY}))
sys.modules.update(dict.fromkeys(("onnx", "matplotlib")))
from no2sr.cli import main
main(prog_name="no2sr")
"""


@pytest.fixture(scope="module")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the program of the slim install."""
    # Not "-m no2sr", which would find the checkout first.
    start = [f"{SLIM.removesuffix('python')}no2sr"] if SLIM else [sys.executable, "-c", BLOCKED]

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        line = [*start, *map(str, args)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def made(run, tmp_path_factory, samples) -> Path:
    """Return a folder with a gridded swath, its finer map, and a picture of it."""
    folder = tmp_path_factory.mktemp("slim")
    swath = next(samples.glob("S5P_*.nc"))
    for args in (
        ("grid", swath, folder / "l3.tif", *REGION),
        ("downscale", folder / "l3.tif", folder / "fine.tif"),
        ("render", folder / "l3.tif", folder / "l3.png"),
    ):
        done = run(*args)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.skipif(not SLIM, reason="no slim environment; make test-slim makes it")
@pytest.mark.parametrize("name", [*HEAVY, "onnx", "matplotlib"])
def test_the_environment_is_slim(name):
    done = subprocess.run([SLIM, "-c", f"import {name}"], capture_output=True, check=False)
    assert done.returncode == 1


@pytest.mark.skipif(not SLIM, reason="no slim environment; make test-slim makes it")
def test_the_environment_has_this_no2sr_installed_from_a_wheel(tmp_path):
    code = (
        "import importlib.metadata, json, no2sr\n"
        "about = importlib.metadata.metadata('no2sr')\n"
        "page = about.get_payload() or about['Description']\n"
        "print(json.dumps([about['Version'], no2sr.__version__, no2sr.__file__, page]))"
    )
    done = subprocess.run(
        [SLIM, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    declared, version, path, page = json.loads(done.stdout)
    assert declared == version == no2sr.__version__
    assert "site-packages" in path
    targets = re.findall(r"\]\(([^)]*)\)", page)
    assert len(targets) > 10
    assert not [target for target in targets if not target.startswith("https://")]


def test_the_map_is_that_of_a_full_install(made):
    fine = no2sr.downscale(no2sr.open_no2(made / "l3.tif"))
    for name, layer in fine.data_vars.items():
        suffix = "_uncertainty" if name.endswith("_uncertainty") else ""
        with rasterio.open(made / f"fine{suffix}.tif") as raster:
            there = 1e-6 * raster.read(1)
        most = 2e-6 * float(np.abs(layer).max())
        np.testing.assert_allclose(there, layer.values, rtol=0, atol=most)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("info", "{made}/l3.tif"), "EPSG:4326"),
        (("models",), "srcnn"),
        (("readers",), "s5p_l2"),
        (("report", "{made}/l3.tif", "{made}/fine.tif", "-o", "{out}/page.html"), "page.html"),
        (("evaluate", "{made}/l3.tif", "--scale", "2"), "bicubic"),
        (("enhance", "{made}/l3.png", "{out}/big.png", "--scale", "2"), "big.png"),
        (("render", "{made}/fine.tif", "{out}/fine.png"), "fine.png"),
        (("train", "--help"), "Train a network"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_it_runs(run, made, tmp_path, args, told):
    done = run(*(arg.format(made=made, out=tmp_path) for arg in args))
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
    assert "Error" not in done.stderr


def test_training_names_all_that_is_missing_and_leaves_nothing(run, made, tmp_path):
    done = run("train", made / "l3.tif", "--output", tmp_path / "model")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: training needs keras, tensorflow, onnx and matplotlib, which are not installed; "
        "install them with: pip install 'no2sr[train]'\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["engine", "keras folder", "weights"])
def test_what_needs_keras_says_so_in_one_line(run, made, tmp_path, kind, root):
    model = {"engine": "srcnn", "keras folder": tmp_path / "model", "weights": tmp_path / "a.h5"}[
        kind
    ]
    if kind == "keras folder":
        _without_onnx(root / "no2sr" / "weights" / "espcn_x4", model)
    if kind == "weights":
        _legacy(model)
    command = ("enhance", made / "l3.png", tmp_path / "out.png", "--scale", 3)
    if kind != "weights":
        command = ("downscale", made / "l3.tif", tmp_path / "out.tif")
    engine = ("--engine", "tensorflow") if kind == "engine" else ()
    done = run(*command, *engine, "--model", model)
    assert done.returncode == 1
    (error,) = done.stderr.splitlines()
    assert error.startswith("Error: ")
    assert "needs keras and tensorflow, which are not installed" in error
    assert not list(tmp_path.glob("out*"))


def _without_onnx(shipped: Path, folder: Path) -> None:
    """Copy a shipped model and leave out its ONNX form, as for a layer that ONNX lacks."""
    shutil.copytree(shipped, folder)
    (folder / "network.onnx").unlink()
    card = json.loads((folder / "card.json").read_text())
    card["files"].pop("network.onnx")
    (folder / "card.json").write_text(json.dumps(card | {"without_onnx": "a layer of its own"}))


def _legacy(path: Path) -> None:
    """Write the weights of an SRCNN as Keras 1 did."""
    shapes = ((9, 9, 1, 2), (3, 3, 2, 2), (5, 5, 2, 1))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"a", b"b", b"c"]
        for name, shape in zip("abc", shapes, strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}_W".encode(), f"{name}_b".encode()]
            group[f"{name}_W"], group[f"{name}_b"] = np.ones(shape), np.ones(shape[3])


def test_one_missing_package_is_told_in_the_singular():
    with pytest.raises(
        no2sr.MissingDependencyError, match=r"^It needs no_such_package, which is not installed; "
    ):
        require("json", "no_such_package", purpose="It")


def test_the_requirements_are_current(root):
    done = subprocess.run(
        [sys.executable, root / "packaging" / "slim.py"], capture_output=True, text=True, check=True
    )
    assert (root / "packaging" / "requirements-slim.txt").read_text() == done.stdout, (
        "run python packaging/slim.py --write"
    )
    assert "onnxruntime" in done.stdout
    assert not [name for name in ("keras", "tensorflow", "opencv") if f"\n{name}" in done.stdout]
