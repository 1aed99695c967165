"""Train the networks that ship with no2sr and write their cards.

    python benchmarks/train_shipped.py srcnn 4

Trains on GEMS hours of 2023-10-27..30 and simulated scenes, judges on 2023-10-31 (see gems.py),
and writes ``no2sr/weights/<network>_x<scale>``. A model that does not beat bicubic interpolation
and the best classical method in RMSE is not written. Settings were chosen by training on the 27th
to 29th and judging on the 30th (``--validate``), never on the judging day.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import gems
import numpy as np

from no2sr import evaluate, load_model, save_model, train
from no2sr.downscaling.baselines import BASELINES
from no2sr.networks.training.settings import TrainSettings
from no2sr.simulation.scenes import add_noise, scene

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.networks.card import Model

WEIGHTS = Path(__file__).parents[1] / "no2sr" / "weights"
SIMULATED = 24  # scenes of 256 x 256 cells: an eighth to a fifth of all windows
NOISE = (
    2.5e-6  # mol m-2: what second differences of GEMS show over clean land (0.14e15 molecules cm-2)
)
RECIPE = TrainSettings(
    batch=8,
    samples=8000,
    window_size=64,
    learning_rate=1e-3,
    warmup=150,
    average=0.998,
    mirrored=0.5,
    symmetric=True,
    precision="bfloat16",
)
# What networks want of their own: EDSR looks far, and larger windows waste less on context.
OWN = {
    "srcnn": {"steps": 2500},
    "espcn": {"steps": 4000},
    "edsr": {
        "steps": 2500,
        "batch": 4,
        "samples": 6000,
        "window_size": 128,
        "least_valid": 0.4,
        "precision": "float32",
        "hyperparameters": {"filters": 64, "blocks": 4},
    },
}


def simulated_images() -> list[xr.DataArray]:
    """Return noisy simulated scenes on a 0.05 degree grid."""
    return [add_noise(scene((256, 256), seed=seed), NOISE, seed=seed) for seed in range(SIMULATED)]


def judged(model: Model) -> Model:
    """Return the model with the figures of the judging day on its card."""
    scale = model.card.scale
    methods = {name: name for name in BASELINES} | {model.card.network: model}
    table = evaluate(gems.judging_scenes(), scale=scale, methods=methods)
    print(table.to_string())
    ours = table.loc[model.card.network]
    classical = table.drop(index=model.card.network)["rmse"]
    figures = {
        "reference": "GEMS 2023-10-31, 64 x 64 windows at least half observed (gems_scenes.json)",
        "rmse": float(ours["rmse"]),
        "rmse_unit": "mol m-2",
        "rmse_over_bicubic": float(ours["rmse / bicubic"]),
        "best_classical": str(classical.idxmin()),
        "best_classical_over_bicubic": float(classical.min() / classical["bicubic"]),
        "psnr_db": float(ours["psnr"]),
        "psnr_db_bicubic": float(table.loc["bicubic", "psnr"]),
        "ssim": float(ours["ssim"]),
        "ssim_bicubic": float(table.loc["bicubic", "ssim"]),
    }
    training = model.card.training | {
        "data": "GEMS tropospheric NO2 over China, hours of 2023-10-27..30; "
        "simulated scenes of no2sr",
        "licence": "GEMS: free with attribution to NIER, Republic of Korea; simulated: as no2sr",
    }
    return dataclasses.replace(
        model, card=dataclasses.replace(model.card, metrics=figures, training=training)
    )


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(OWN))
    parser.add_argument("scale", type=int)
    parser.add_argument("--steps", type=int, help="other than the recipe's")
    parser.add_argument("--checkpoint", type=Path, help="file to go on from after a break")
    parser.add_argument("--judge-only", action="store_true", help="renew the figures of the card")
    parser.add_argument("--validate", action="store_true", help="hold out the 30th; write nothing")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    given = {"steps": options.steps} if options.steps else {}
    settings = dataclasses.replace(RECIPE, **OWN[options.network] | given)
    days = gems.TRAINING_DAYS[: -1 if options.validate else None]
    if options.judge_only:
        model = load_model(options.network, scale=options.scale)
    else:
        model = train(
            [*gems.training_images(days), *simulated_images()],
            network=options.network,
            scale=options.scale,
            settings=settings,
            checkpoint=options.checkpoint,
        )
    if options.validate:
        scenes = gems.cut(gems.find(gems.TRAINING_DAYS[-1]))
        methods = {"bicubic": "bicubic", options.network: model}
        print(evaluate(scenes, scale=options.scale, methods=methods).to_string())
        return
    model = judged(model)
    figures = model.card.metrics
    if figures["rmse_over_bicubic"] >= min(1, figures["best_classical_over_bicubic"]):
        sys.exit("not written: it does not beat the best classical method")
    folder = WEIGHTS / f"{options.network}_x{options.scale}"
    print(save_model(model, folder, overwrite=True), np.round(figures["rmse_over_bicubic"], 4))


if __name__ == "__main__":
    main()
