"""What no2sr is measured against, each in the words of its own users; run as a process.

python benchmarks/others.py seed IN.tif OUT.tif
"""

from __future__ import annotations

import sys


def seed(source: str, out: str) -> None:
    """Enlarge a raster the way that scripts on the web do it.

    The network is rebuilt for the run and takes the bicubic image through ``predict`` in tiles of
    1024 pixels, with the six pixels that it cuts off mirrored at the edges.
    """
    import keras
    import numpy as np
    import rasterio

    from no2sr.networks.architectures.srcnn import build
    from no2sr.networks.store import load_model
    from no2sr.steps.resample import upsample

    with rasterio.open(source) as raster:
        coarse, profile = raster.read(1), raster.profile
    network = build()
    weights = keras.saving.load_model(load_model("srcnn", scale=4).folder / "network.keras")
    network.set_weights(weights.get_weights())
    filled = np.where(np.isfinite(coarse), coarse, np.nanmean(coarse))
    image = upsample((filled - filled.mean()) / filled.std(), 4)
    wide = np.pad(image, 6, mode="symmetric")
    fine = image.copy()
    for top in range(0, image.shape[0], 1024):
        for left in range(0, image.shape[1], 1024):
            tile = wide[top : top + 1036, left : left + 1036]
            found = network.predict(tile[None, :, :, None], verbose=0)[0, :, :, 0]
            fine[top : top + 1024, left : left + 1024] += found
    profile |= {"width": fine.shape[1], "height": fine.shape[0]}
    profile["transform"] *= profile["transform"].scale(1 / 4)
    with rasterio.open(out, "w", **profile) as raster:
        raster.write((fine * filled.std() + filled.mean()).astype(np.float32), 1)


if __name__ == "__main__":
    {"seed": seed}[sys.argv[1]](*sys.argv[2:])
