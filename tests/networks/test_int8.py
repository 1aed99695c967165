"""Networks in integers of eight bits: as good, the same every time, refused where they are not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import no2sr
from no2sr.core.errors import MissingDependencyError, SettingsError
from no2sr.downscaling.baselines import interpolate
from no2sr.networks.card import Model
from no2sr.networks.engines.make import make_engine
from no2sr.networks.engines.openvino_engine import MOST_CHANGE
from no2sr.networks.registry import build_network
from no2sr.networks.store import load_keras, load_model
from no2sr.simulation.scenes import add_noise, scene

pytest.importorskip("openvino")
pytest.importorskip("nncf")


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=float))))


@pytest.mark.parametrize("name", ["srcnn", "espcn", "edsr"])
@pytest.mark.parametrize("scale", [2, 4])
def test_little_changes_on_scenes_not_seen_before(name, scale):
    seen = add_noise(scene((60, 60), seed=1000), 3e-6, seed=1000)
    exact, found = (
        no2sr.downscale(seen, scale=scale, model=name, engine="openvino", precision=precision)
        for precision in ("float32", "int8")
    )
    added = exact.values - interpolate(seen, scale).values
    # Not the same, but an error of the size of what was added would rise by less than 0.5 %.
    assert 0 < rms(found.values - exact.values) < MOST_CHANGE * rms(added)


CHECKSUM = """
import hashlib
from unittest.mock import MagicMock
import numpy as np
from no2sr.networks.engines.make import make_engine
from no2sr.networks.store import load_model
engine = make_engine(load_model("espcn", scale=2), name="openvino", precision="int8")
image = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
print(hashlib.sha256(engine(image).tobytes()).hexdigest())
import nncf.telemetry
assert isinstance(nncf.telemetry.telemetry, MagicMock), "its use is reported over the network"
"""


def test_every_process_quantises_alike_says_nothing_and_reports_to_nobody():
    runs = [
        subprocess.run([sys.executable, "-c", CHECKSUM], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    first, second = (run.stdout.split() for run in runs)
    assert first == second
    assert len(first) == 1
    assert not any(run.stderr for run in runs)


def test_a_network_that_eight_bits_would_ruin_is_refused():
    """One channel is made 2**17 times as large, and the next layer told so: nothing changes.

    But of all other channels of the layer steps of a 255th of the largest value leave nothing.
    """
    trained = load_model("espcn", scale=4)
    network = build_network("espcn", scale=4, **trained.card.hyperparameters)
    weights = load_keras(trained).get_weights()
    weights[0][..., 0] *= 2**17
    weights[1][0] *= 2**17
    weights[2][:, :, 0] /= 2**17
    network.set_weights(weights)
    fragile = Model(card=trained.card, network=network)
    image = np.random.default_rng(6).normal(size=(30, 30)).astype(np.float32)
    np.testing.assert_array_equal(make_engine(fragile)(image), make_engine(trained)(image))
    with pytest.raises(SettingsError, match=r"int8 changes the corrections of .*bfloat16"):
        make_engine(fragile, name="openvino", precision="int8")


def test_what_quantises_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'no2sr\[int8\]'"):
        make_engine(load_model("espcn", scale=2), name="openvino", precision="int8")
