"""Turn trained weights of the noise step into the models that are shipped.

    python benchmarks/ship_noise_step.py FOLDER [figures.json]

FOLDER holds ``denoiser_weights.npz`` and, if it is trained, ``uncertainty_weights.npz``: an array
``LAYER/kernel`` (y, x, in, out) and ``LAYER/bias`` for every layer. ``figures.json`` maps the names
of both models to what their cards state under ``metrics`` and ``training``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import no2sr
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.noise_step import KNEES
from no2sr.networks.registry import build_network, find_reach

SHARES = [f"share_{number}" for number in range(1, len(KNEES) + 2)]
DETAILS = [f"detail_x{scale}{end}" for scale in (2, 3, 4) for end in ("", "_noise")]
ALONE = [f"alone_x{scale}" for scale in (2, 3, 4)]
CHANNELS: dict[str, dict[str, Any]] = {
    "denoiser": {
        "inputs": ("column", "noise", "noise_mean", "presence"),
        "outputs": ("correction",),
    },
    "uncertainty": {"inputs": ("column", "presence"), "outputs": (*SHARES, *DETAILS, *ALONE)},
}
TRAINING = {
    "data": "GEMS tropospheric NO2 over China, hours of 2023-10-27..29 (10-30 held out); the first "
    "300 rows of a 1.1 km model field; simulated scenes of no2sr; all seen through simulated "
    "overpasses with noise",
    "licence": "GEMS: free with attribution to NIER, Republic of Korea; simulated: as no2sr",
}


def make_model(role: str, weights: dict[str, np.ndarray], stated: dict[str, Any]) -> Model:
    """Build the network that has these weights, and write its card."""
    filters = weights["head/bias"].size
    blocks = sum(name.endswith("_a/bias") for name in weights)
    # Of one block the kernels are dilated, of two those of the second.
    how = {"filters": filters, "dilations": [2] if blocks == 1 else [1, 2]}
    how["outputs"] = weights["correction/bias"].size
    channels = weights["head/kernel"].shape[2]
    network = build_network("denoiser", scale=1, channels=channels, **how)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([weights[f"{layer.name}/{part}"] for part in ("kernel", "bias")])
    radius, shrink = find_reach("denoiser", network, scale=1, **how)
    card = ModelCard(
        network="denoiser",
        role=role,
        scale=1,
        grid="coarse",
        radius=radius,
        shrink=shrink,
        hyperparameters=how,
        parameters=network.count_params(),
        training=TRAINING | stated.get("training", {}),
        metrics=stated.get("metrics", {}),
        version=no2sr.__version__,
        **CHANNELS[role],
    )
    return Model(card=card, network=network)


def main(folder: Path, figures: Path | None = None) -> None:
    """Save every network whose weights are there."""
    stated = json.loads(figures.read_text()) if figures else {}
    home = Path(no2sr.__file__).parent / "weights"
    for role in CHANNELS:
        path = folder / f"{role}_weights.npz"
        if path.is_file():
            model = make_model(role, dict(np.load(path)), stated.get(role, {}))
            print(no2sr.save_model(model, home / role, overwrite=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
