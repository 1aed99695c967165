"""The real field that networks are trained and judged on: GEMS tropospheric NO2 over China.

Hourly tables (lon, lat, time, gems_no2) of 2023-10-27..31 on a regular 0.05 degree grid, in 1e15
molecules cm-2. The first four days are for training; the last is for judging, by the 64 x 64
windows listed in ``gems_scenes.json`` (at least half observed, disjoint). Run this file to write
that list anew.

The tables lie in ``$NO2SR_REAL_DATA/gems`` and are not part of the project.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from affine import Affine

from no2sr.core.grid import crop, georeference
from no2sr.core.image import COLUMN_ATTRS
from no2sr.core.units import factor

DATA = Path(os.environ.get("NO2SR_REAL_DATA", Path(__file__).parents[1] / "../shared/data"))
SCENES = Path(__file__).with_name("gems_scenes.json")
TRAINING_DAYS = ("20231027", "20231028", "20231029", "20231030")
JUDGING_DAYS = ("20231031",)
STEP, WEST, NORTH, SHAPE = 0.05, 73.975, 48.025, (901, 1184)
SIDE = 64


def read_day(day: str) -> dict[str, xr.DataArray]:
    """Return the images of one day by hour, ``YYYYMMDDHH``."""
    table = pd.read_parquet(DATA / "gems" / "2023" / f"{day}.parquet")
    rows = np.round((NORTH - STEP / 2 - table["lat"]) / STEP).astype(int).to_numpy()
    columns = np.round((table["lon"] - WEST - STEP / 2) / STEP).astype(int).to_numpy()
    values = (table["gems_no2"] * factor("1e15 molecules cm-2")).to_numpy(dtype=np.float32)
    images = {}
    for hour, places in table.groupby("time").indices.items():
        field = np.full(SHAPE, np.nan, dtype=np.float32)
        field[rows[places], columns[places]] = values[places]
        image = xr.DataArray(field, dims=("y", "x"), name="no2", attrs=dict(COLUMN_ATTRS))
        images[str(hour)] = georeference(image, Affine(STEP, 0, WEST, 0, -STEP, NORTH), 4326)
    return images


def training_images(days: tuple[str, ...] = TRAINING_DAYS) -> list[xr.DataArray]:
    """Return all hours of the training days."""
    return [image for day in days for image in read_day(day).values()]


def judging_scenes() -> list[xr.DataArray]:
    """Return the listed windows of the judging day."""
    return cut(json.loads(SCENES.read_text())["judging"])


def cut(scenes: list[list[Any]]) -> list[xr.DataArray]:
    """Return windows given by hour, row and column."""
    days = {day: read_day(day) for day in sorted({hour[:8] for hour, _, _ in scenes})}
    return [
        crop(
            days[hour[:8]][hour], slice(row, row + SIDE), slice(column, column + SIDE)
        ).assign_coords(time=pd.to_datetime(hour, format="%Y%m%d%H"))
        for hour, row, column in scenes
    ]


def find(day: str) -> list[list[Any]]:
    """Find the disjoint windows of a day that are at least half observed."""
    found = []
    for hour, image in read_day(day).items():
        seen = np.isfinite(image.values)
        found += [
            [hour, row, column]
            for row in range(0, SHAPE[0] - SIDE + 1, SIDE)
            for column in range(0, SHAPE[1] - SIDE + 1, SIDE)
            if seen[row : row + SIDE, column : column + SIDE].mean() >= 0.5
        ]
    return found


def list_scenes() -> dict[str, object]:
    """List the windows of the judging day."""
    judging = [scene for day in JUDGING_DAYS for scene in find(day)]
    return {"side": SIDE, "training_days": TRAINING_DAYS, "judging": judging}


if __name__ == "__main__":
    SCENES.write_text(json.dumps(list_scenes()) + "\n")
