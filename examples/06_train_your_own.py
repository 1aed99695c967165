"""Train a small network on your own fine grids and see whether it beats interpolation.

    python examples/06_train_your_own.py [model folder]

Takes under two minutes. Here the fine grids are simulated; use `no2sr.open_no2` for yours.
"""

# %% Fine images to learn from, and others to be judged on: never the same.
import sys
from pathlib import Path

import no2sr
from no2sr.simulation.scenes import add_noise, scene

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "out" / "my-model")
learn = [add_noise(scene((96, 96), seed=k), 1e-6, seed=k) for k in range(20)]
judge = [add_noise(scene((96, 96), seed=k), 1e-6, seed=k) for k in range(100, 108)]

# %% Train. ESPCN works on the coarse grid and learns in seconds.
settings = no2sr.TrainSettings(steps=600, batch=16, samples=600, learning_rate=1e-3)
model = no2sr.train(learn, network="espcn", scale=4, settings=settings)

# %% Judge it beside the classical methods.
methods = {"bicubic": "bicubic", "bicubic + correction": "bicubic + correction", "mine": model}
table = no2sr.evaluate(judge, scale=4, methods=methods)
print(table.to_string())
assert table.loc["mine", "rmse"] < table.loc["bicubic + correction", "rmse"]

# %% Save it; then: no2sr downscale in.nc out.tif --model out/my-model
print(no2sr.save_model(model, folder, overwrite=True))
