"""Train the shipped networks for pictures and write their cards.

    python benchmarks/train_luminance.py 3 --steps 20000
    python benchmarks/train_luminance.py 2 --steps 8000 --start no2sr/weights/luminance_x3

Trains on the 91 pictures of the SRCNN paper and on grey maps of simulated NO2, judges on Set5
(see set5.py) and writes ``no2sr/weights/luminance_x<scale>``. Some pictures are held out to choose
the weights by; Set5 is looked at only when all is done. A run that was killed goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from set5 import TRAINING, bicubic_psnr, model_psnr, pictures

from no2sr import load_model, save_model, train
from no2sr.networks.training.settings import TrainSettings
from no2sr.simulation.scenes import scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import Model

WEIGHTS = Path(__file__).parents[1] / "no2sr" / "weights"
MAPS = 8  # of 128 x 128 cells: a few per cent of all windows


def grey_maps() -> list[NDArray[np.float32]]:
    """Return simulated maps as luminance, the smallest column black and the largest white."""
    fields = [scene((128, 128), seed=seed).to_numpy() for seed in range(MAPS)]
    return [16 + 219 * (field - field.min()) / np.ptp(field) for field in fields]


def judged(model: Model) -> Model:
    """Return the model with its figures on Set5 on the card."""
    ours, bicubic = model_psnr(model), bicubic_psnr(model.card.scale)
    figures = {
        "reference": "Set5, luminance, border as wide as the scale, 8 bits",
        "psnr_db": ours,
        "psnr_db_bicubic": bicubic,
        "gain_db": ours - bicubic,
    }
    training = model.card.training | {
        "data": "91 pictures of Yang et al. (2010) as used by Dong et al. (2016); simulated maps "
        "of no2sr",
        "licence": "91 pictures: research use; simulated maps: as no2sr",
    }
    card = dataclasses.replace(model.card, metrics=figures, training=training)
    return dataclasses.replace(model, card=card)


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scale", type=int)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--start", type=Path, help="folder of a model to begin with")
    parser.add_argument("--checkpoint", type=Path, help="file to go on from")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    settings = TrainSettings(
        steps=options.steps,
        batch=32,
        window_size=32,
        learning_rate=options.learning_rate,
        warmup=200,
        average=0.999,
        held_out=0.08,
        precision="bfloat16",
    )
    model = train(
        [*pictures(TRAINING), *grey_maps()],
        scale=options.scale,
        settings=settings,
        domain="luminance",
        start=options.start and load_model(options.start),
        checkpoint=options.checkpoint,
    )
    model = judged(model)
    folder = options.output or WEIGHTS / f"luminance_x{options.scale}"
    print(save_model(model, folder, overwrite=True), model.card.metrics)


if __name__ == "__main__":
    main()
