"""Add a network of your own: a module with ``GRID`` and ``build``, here a small VDSR.

    python examples/08_new_network.py [model folder]

Kim et al., "Accurate image super-resolution using very deep convolutional networks", CVPR 2016.
"""

# %% A network takes the normalised image and returns a correction to the bicubic one.
import sys
from pathlib import Path

import no2sr
from no2sr.networks.registry import NETWORKS
from no2sr.simulation.scenes import add_noise, scene

GRID = "fine"  # it works on the bicubic image; a "coarse" one refines the image itself


def build(*, depth: int = 5, width: int = 24):
    """Build it with fresh weights, from Keras operations only, so that any backend runs it."""
    import keras

    image = x = keras.Input((None, None, 1))
    for _ in range(depth - 1):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros")(x)
    return keras.Model(image, x, name="vdsr")


def reach(*, depth: int = 5, **_):
    """State receptive radius and shrinkage, in pixels; optional for plain convolutions."""
    return depth, 0


# %% Give it a name in this process. A package of your own does that for every process.
NETWORKS["vdsr"] = __name__

PYPROJECT = """
[project.entry-points."no2sr.networks"]
vdsr = "my_package.vdsr"  # a module, or "module:attribute"
"""  # once that package is installed: no2sr train ... --network vdsr

# %% Train it like any other.
if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "out" / "vdsr")
    learn = [add_noise(scene((64, 64), seed=k), 1e-6, seed=k) for k in range(12)]
    settings = no2sr.TrainSettings(
        steps=200, batch=8, samples=200, learning_rate=1e-3, hyperparameters={"depth": 4}
    )
    model = no2sr.train(learn, network="vdsr", scale=2, settings=settings)
    print(f"{model.card.network}: {model.card.parameters} weights, halo {model.card.halo}")

    # %% Compare it with bicubic interpolation, and save it. A saved model needs no registration.
    judge = [add_noise(scene((64, 64), seed=k), 1e-6, seed=k) for k in range(100, 104)]
    table = no2sr.evaluate(judge, scale=2, methods={"bicubic": "bicubic", "vdsr": model})
    print(table.to_string())
    print(no2sr.save_model(model, folder, overwrite=True))
