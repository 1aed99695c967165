"""Train a small network on your own fine grids and compare it with interpolation.

    python examples/06_train_your_own.py [model folder]

It takes less than two minutes. The fine grids here are simulated; open yours with
`no2sr.open_no2`.
"""

# %% Take some fine images for training, and others for the comparison.
import sys
from pathlib import Path

import no2sr
from no2sr.simulation.scenes import add_noise, scene

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "out" / "my-model")
learn = [add_noise(scene((96, 96), seed=k), 1e-6, seed=k) for k in range(20)]
judge = [add_noise(scene((96, 96), seed=k), 1e-6, seed=k) for k in range(100, 108)]

# %% Train an ESPCN, which works on the coarse grid and trains in seconds.
settings = no2sr.TrainSettings(steps=600, batch=16, samples=600, learning_rate=1e-3)
model = no2sr.train(learn, network="espcn", scale=4, settings=settings)

# %% Compare it with classical methods.
methods = {"bicubic": "bicubic", "bicubic + correction": "bicubic + correction", "mine": model}
table = no2sr.evaluate(judge, scale=4, methods=methods)
print(table.to_string())
assert table.loc["mine", "rmse"] < table.loc["bicubic + correction", "rmse"]

# %% Save it. To use it: no2sr downscale in.nc out.tif --model out/my-model
print(no2sr.save_model(model, folder, overwrite=True))
