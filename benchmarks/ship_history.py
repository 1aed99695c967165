"""Turn trained weights of the history networks into the models that are shipped.

    python benchmarks/ship_history.py FOLDER [shares.json]

FOLDER holds ``history_x2.npz`` and so on, as train_history.py writes them. ``shares.json`` maps
each scale to what the history leaves of the variances, by correlation, see
`no2sr.downscaling.uncertainty.share_left`; calibrate_history.py writes it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import no2sr
from no2sr.networks.card import Model, ModelCard, Role
from no2sr.networks.history_step import list_inputs, list_outputs
from no2sr.networks.neighbour_step import INPUTS
from no2sr.networks.registry import build_network, find_reach

NOTHING = {"fit": [-1.0, 1.0], "cell": [1.0, 1.0], "detail": [1.0, 1.0], "alone": [1.0, 1.0]}
TRAINING = {
    "data": "GEMS tropospheric NO2 over China, hours of 2023-10-27..30; histories of the other "
    "days: means, averages and reconstructions of simulated overpasses, and ones that do not fit",
    "licence": "GEMS: free with attribution to NIER, Republic of Korea",
}


def make_model(
    scale: int,
    weights: dict[str, np.ndarray],
    shares: dict[str, Any],
    *,
    role: Role = "history",
    channels: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
) -> Model:
    """Build the network that has these weights, and write its card."""
    inputs, outputs = channels or (list_inputs(scale), list_outputs(scale))
    blocks = sum(name.endswith("_a/bias") for name in weights)
    how = {
        "filters": int(weights["head/bias"].size),
        "dilations": [1] * blocks,
        "outputs": int(weights["correction/bias"].size),
    }
    network = build_network("denoiser", scale=1, channels=len(inputs), **how)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([weights[f"{layer.name}/{part}"] for part in ("kernel", "bias")])
    radius, shrink = find_reach("denoiser", network, scale=1, **how)
    card = ModelCard(
        network="denoiser",
        role=role,
        scale=scale,
        grid="coarse",
        radius=radius,
        shrink=shrink,
        hyperparameters=how,
        parameters=network.count_params(),
        training=TRAINING,
        metrics={"shares": shares} if shares else {},
        version=no2sr.__version__,
        inputs=inputs,
        outputs=outputs,
    )
    return Model(card=card, network=network)


def make_neighbours(weights: dict[str, np.ndarray]) -> Model:
    """Build the network of time neighbours, and write its card."""
    return make_model(1, weights, {}, role="neighbours", channels=(INPUTS, ("correction",)))


def main(folder: Path, shares: Path | None = None) -> None:
    """Save every network whose weights are there."""
    stated = json.loads(shares.read_text()) if shares else {}
    home = Path(no2sr.__file__).parent / "weights"
    path = folder / "neighbours.npz"
    if path.is_file():
        print(
            no2sr.save_model(
                make_neighbours(dict(np.load(path))), home / "neighbours", overwrite=True
            )
        )
    for path in sorted(folder.glob("history_x*.npz")):
        scale = int(path.stem.removeprefix("history_x"))
        model = make_model(scale, dict(np.load(path)), stated.get(str(scale), NOTHING))
        print(no2sr.save_model(model, home / path.stem, overwrite=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
