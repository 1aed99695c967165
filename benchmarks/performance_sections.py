"""The sections of the performance page: each measures in a folder and returns its figures."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from inputs import write_orbit, write_raster
from peak import gflops
from processes import Run, fresh, in_turn, no2sr, run

import no2sr as package
from no2sr.downscaling import kernel
from no2sr.networks.engines.make import make_engine
from no2sr.networks.engines.port import pad_to_multiples
from no2sr.networks.store import ONNX_FILE, load_model

if TYPE_CHECKING:
    from no2sr.networks.card import Model

OTHERS = Path(__file__).with_name("others.py")
MACS = {"srcnn": 85_696}  # multiplications a fine pixel that the network needs
Figures = dict[str, Any]


def _timed(call: Any, *arguments: Any) -> float:
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began


def _told(runs: dict[str, list[Run]]) -> Figures:
    """Return the medians of wall time and CPU time, and the highest peak of memory."""
    return {
        name: {
            "wall": [each.wall for each in found],
            "cpu": median(each.cpu for each in found),
            "memory": max(each.memory for each in found),
        }
        for name, found in runs.items()
    }


def engines(folder: Path, rounds: int) -> Figures:
    """Run the networks' own work in every engine, against the measured peak of the machine."""
    cores = os.cpu_count() or 1
    peak = max(gflops(cores) for _ in range(15))
    told: Figures = {"peak": peak, "whole": _whole(folder, rounds), "tiles": {}}
    for network, side in (("srcnn", 270), ("espcn", 136)):
        model = load_model(network, scale=4)
        image = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
        count = 4 * cores if network == "srcnn" else 32 * cores
        rim = 2 * model.card.radius
        pixels = count * ((side - rim) * (1 if model.card.grid == "fine" else 4)) ** 2
        kinds = {
            "onnxruntime": {},
            "openvino": {"name": "openvino"},
            "openvino, bfloat16": {"name": "openvino", "precision": "bfloat16"},
            "openvino, int8": {"name": "openvino", "precision": "int8"},
            "tensorflow": {"name": "tensorflow"},
        }
        made = {name: make_engine(model, **how) for name, how in kinds.items()}
        with ThreadPoolExecutor(cores) as pool:
            calls = {
                name: lambda engine=engine, pool=pool, image=image, count=count: _timed(
                    lambda: list(pool.map(engine, [image] * count))
                )
                for name, engine in made.items()
            }
            for name, call in {**_plain_onnx(model), **_plain_keras(model)}.items():
                calls[name] = lambda call=call, image=image, count=count: _timed(
                    lambda: [call(image) for _ in range(count)]
                )
            seconds = in_turn(calls, rounds + 1)
        told["tiles"][network] = {
            "seconds": {name: found[1:] for name, found in seconds.items()},  # the first one warms
            "pixels": pixels,
            "macs": MACS.get(network),
        }
    return told


def _plain_keras(model: Model) -> dict[str, Any]:
    """Return the calls that users of Keras write: the model itself, and ``predict``."""
    import keras

    from no2sr.networks.store import load_keras

    network = load_keras(model)
    assert isinstance(network, keras.Model)
    return {
        "keras model(x)": lambda image: np.asarray(network(image[None, ..., None], training=False)),
        "keras predict": lambda image: network.predict(image[None, ..., None], verbose=0),
    }


def _plain_onnx(model: Model) -> dict[str, Any]:
    """Return the call that users of ONNX Runtime write: all cores on one image."""
    import onnxruntime

    session = onnxruntime.InferenceSession((model.folder or Path()) / ONNX_FILE)
    return {
        "plain onnxruntime": pad_to_multiples(
            model.card, lambda batch: session.run(None, {"image": batch})[0]
        )
    }


def _whole(folder: Path, rounds: int) -> Figures:
    """Make 2048 x 2048 cells finer by `srcnn` in memory, and clock the network's share of it."""
    image = package.open_no2(write_raster(folder / "in.tif", 2048))
    spent: list[float] = []

    def clocked(*model: Model, **how: str) -> Any:
        engine = make_engine(*model, **how)

        def call(tile: Any) -> Any:
            began = time.perf_counter()
            found = engine(tile)
            spent.append(time.perf_counter() - began)
            return found

        return call

    walls, networks = [], []
    with patch.object(kernel, "make_engine", clocked):
        for _ in range(rounds):
            spent.clear()
            walls.append(_timed(package.downscale, image))
            networks.append(sum(spent) / (os.cpu_count() or 1))
    return {"wall": walls, "network": networks, "pixels": 8192**2, "macs": MACS["srcnn"]}


def precision(_folder: Path, _rounds: int) -> Figures:
    """Compare fewer bits with float32 by their errors on the field that networks are judged on."""
    import gems

    scenes = [scene for scene in gems.judging_scenes() if scene.isnull().mean() < 0.4]
    told: Figures = {"scenes": len(scenes)}
    for network in ("srcnn", "espcn", "edsr"):
        squares = {kind: [0.0, 0] for kind in ("float32", "bfloat16", "int8")}
        for scene in scenes:
            coarse = package.degrade(scene, 4)
            if not np.isfinite(coarse.values).any():
                continue
            for kind, total in squares.items():
                fine = package.downscale(coarse, model=network, engine="openvino", precision=kind)
                errors = (fine.values - scene.values)[np.isfinite(fine.values + scene.values)]
                total[0] += float((errors.astype(np.float64) ** 2).sum())
                total[1] += errors.size
        told[network] = {kind: (total / max(n, 1)) ** 0.5 for kind, (total, n) in squares.items()}
    return told


def seed(folder: Path, rounds: int) -> Figures:
    """Make 1024 x 1024 cells four times finer by ``srcnn``, against the way of scripts."""
    source, out = write_raster(folder / "in.tif", 1024), folder / "out.tif"
    ours = no2sr("downscale", source, out, "--overwrite", "--quiet")
    fast = [*ours, "--engine", "openvino", "--precision"]
    calls = {
        "no2sr, float32": lambda: run(ours),
        "no2sr, bfloat16": lambda: run([*fast, "bfloat16"]),
        "no2sr, int8": lambda: run([*fast, "int8"]),
        "Keras predict, tiles of 1024": lambda: run([sys.executable, OTHERS, "seed", source, out]),
    }
    peak = max(gflops(os.cpu_count() or 1) for _ in range(9))
    return {**_told(in_turn(calls, min(rounds, 3))), "least": _least(4096**2, peak)}


def _least(pixels: int, peak: float) -> float:
    """Return the seconds that the multiply-adds of `srcnn` take at a peak in GFLOP/s."""
    return 2 * MACS["srcnn"] * pixels / peak / 1e9


def gdal(folder: Path, rounds: int) -> Figures:
    """Make 2048 x 2048 cells four times finer by ``espcn``, against GDAL's cubic interpolation."""
    if shutil.which("gdal_translate") is None:
        raise RuntimeError("gdal_translate is not installed")
    source, out = write_raster(folder / "in.tif", 2048), folder / "out.tif"
    options = "COMPRESS=DEFLATE LEVEL=1 PREDICTOR=YES BLOCKSIZE=512 NUM_THREADS=ALL_CPUS"
    cubic = ["gdal_translate", "-q", "-outsize", "400%", "400%", "-r", "cubic", "-of", "COG"]
    for option in [*options.split(), "OVERVIEW_RESAMPLING=AVERAGE"]:
        cubic += ["-co", option]
    ours = no2sr("downscale", source, out, "--model", "espcn", "--overwrite", "--quiet")
    calls = {
        "no2sr, espcn": lambda: run(ours),
        "gdal_translate, cubic": lambda: run([*cubic, source, fresh(folder / "cubic.tif")]),
    }
    return _told(in_turn(calls, rounds))


def sizes(folder: Path, rounds: int) -> Figures:
    """Double the side of the raster from 512 to 8192 cells, or as far as there is room."""
    del rounds  # once each: what matters is the trend
    told: Figures = {"espcn": {}, "srcnn": {}}
    for network, figures in told.items():
        for side in (512, 1024, 2048, 4096, 8192):
            if shutil.disk_usage(folder).free < 20 * (4 * side) ** 2:
                break
            source, out = write_raster(folder / "in.tif", side), folder / "out.tif"
            found = run(no2sr("downscale", source, out, "--model", network, "--quiet"))
            figures[side] = {**found._asdict(), "bytes": out.stat().st_size}
            out.unlink()
    return told


def startup(folder: Path, rounds: int) -> Figures:
    """Start the interpreter, the package, the help and two small jobs."""
    source, out = write_raster(folder / "in.tif", 500), folder / "out.tif"
    words = no2sr("downscale", source, out, "--overwrite", "--quiet", "--model")
    calls = {
        "python": lambda: run([sys.executable, "-c", "pass"]),
        "import no2sr": lambda: run([sys.executable, "-c", "import no2sr"]),
        "no2sr --help": lambda: run(no2sr("--help")),
        "downscale 500 x 500, espcn": lambda: run([*words, "espcn"]),
        "downscale 500 x 500, srcnn": lambda: run([*words, "srcnn"]),
    }
    return _told(in_turn(calls, rounds + 2))


def gridding(folder: Path, rounds: int) -> Figures:
    """Put one orbit and thirty on the global 0.05 degree grid, file to file."""
    orbits = [write_orbit(folder / f"S5P_OFFL_L2__NO2____{n}.nc", turn=25 * n) for n in range(3)]
    many = folder / "many"
    many.mkdir()
    for number in range(30):
        os.link(orbits[number % 3], many / f"S5P_OFFL_L2__NO2____{number:02}.nc")
    out = folder / "out.nc"
    words = ["--resolution", 0.05, "--overwrite", "--quiet"]
    run(no2sr("grid", orbits[0], out, *words))  # compiles, if nobody has done so yet
    told = _told(in_turn({"one": lambda: run(no2sr("grid", orbits[0], out, *words))}, rounds))
    return {**told, **_told({"thirty": [run(no2sr("grid", many, out, *words))]})}


def workers(folder: Path, rounds: int) -> Figures:
    """Give each worker process the same work: one worker, and two with twice the raster."""
    told = {}
    for count, side in ((1, 1024), (2, 1448)):
        source, out = write_raster(folder / f"in{count}.tif", side), folder / "out.tif"
        words = no2sr("downscale", source, out, "--overwrite", "--quiet")
        calls = {
            "threads": lambda words=words: run(words),
            "workers": lambda words=words, n=count: run([*words, "--workers", n]),
        }
        told[f"{count}"] = {"side": side, **_told(in_turn(calls, min(rounds, 3)))}
    return told


def kills(folder: Path, _rounds: int) -> Figures:
    """Kill a run at random moments, run it again, and compare with one that was left alone."""
    source, whole, out = (folder / name for name in ("in.tif", "whole.tif", "out.tif"))
    write_raster(source, 1000)
    took = run(no2sr("downscale", source, whole, "--model", "espcn", "--quiet")).wall
    words = [str(word) for word in no2sr("downscale", source, out, "--model", "espcn", "--quiet")]
    rng, equal, partial = random.Random(1), 0, 0  # noqa: S311 - no secret
    for _ in range(20):
        fresh(out)
        process = subprocess.Popen(words, start_new_session=True)  # noqa: S603
        time.sleep(rng.uniform(0, took))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        partial += out.exists() and out.read_bytes() != whole.read_bytes()
        fresh(out)
        run(words)
        equal += out.read_bytes() == whole.read_bytes()
    left = [entry.name for entry in folder.iterdir() if entry.name.startswith(".")]
    return {"kills": 20, "equal": equal, "partial": partial, "left": left}


SECTIONS = {
    "engines": engines,
    "precision": precision,
    "seed": seed,
    "gdal": gdal,
    "sizes": sizes,
    "startup": startup,
    "gridding": gridding,
    "workers": workers,
    "kills": kills,
}
