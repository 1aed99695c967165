"""The judge of ``no2sr reconstruct``: against a field that is known, and against narrow pixels.

    python benchmarks/reconstruct.py [--places 3] [--numbers 1 3 10 30 100 300] [--resume]

(a) A field of 1.1 km seen through the footprints of real overpasses, in places of 1 x 1 degree of
the rows kept for tests, against the average, a network on the average, and optimal interpolation of
the average. (b) Real pixels from the edges of the swath predict the mean of those near
nadir. (c) Held-out overpasses: the share of their variance that the map explains.
The figures go to benchmarks/records/reconstruct.json and to a section of docs/accuracy.md. --resume
measures only what the record lacks; --page writes the section without measuring.
NO2SR_REAL_DATA names the folder of real files.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import netCDF4
import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).parent))
from reconstruct_page import write_section

from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.downscaling.reconstruction.layers import COLUMN
from no2sr.downscaling.smoothing import krige
from no2sr.readers.opening.swaths import open_swaths
from no2sr.swaths.footprints import build_operator
from no2sr.swaths.gridding import grid_swaths
from no2sr.swaths.overlap import Frame, Pixels

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "benchmarks/records/reconstruct.json"
DATA = Path(os.environ.get("NO2SR_REAL_DATA", "../shared/data"))
ROWS = slice(350, 600)  # of the field, kept for tests
PLACES = [(row, column) for row in (425, 525) for column in (75, 175, 275)]
NUMBERS = (1, 3, 10, 30, 100, 300)
LENGTHS = (2.0, 6.0)  # cells, of the correlation that optimal interpolation assumes
RANDOM = 0.15  # of the value, the part of the noise that grows
SICILY = (14.6, 36.6, 15.8, 37.9)
FEWEST = 300  # pixels of an overpass that is drawn

NONE = np.empty(0)  # no stated uncertainty


class Overpass(NamedTuple):
    """The good pixels of a real overpass."""

    name: str
    column: np.ndarray  # mol m-2
    latitude: np.ndarray  # (n, 4)
    longitude: np.ndarray
    noise: float
    zenith: np.ndarray  # sensor zenith angle, degrees


def read(path: Path) -> Overpass:
    """Read the pixels that the reader of HARP files lets through: a validity above 75."""
    (swath,) = open_swaths(path)
    column = swath["column"].values.ravel()
    good = np.isfinite(column)
    with netCDF4.Dataset(path) as file:
        zenith = np.ma.filled(file["sensor_zenith_angle"][:], np.nan)
        noise = float(np.nanmedian(np.ma.filled(file[f"{COLUMN}_uncertainty"][:], np.nan)))
    latitude, longitude = (
        swath[f"{name}_bounds"].values.reshape(-1, 4)[good].astype(float)
        for name in ("latitude", "longitude")
    )
    zenith = zenith.astype(float)[good]
    return Overpass(path.name, column[good].astype(float), latitude, longitude, noise, zenith)


def swath_of(overpass: Overpass, chosen: np.ndarray | None = None) -> xr.Dataset:
    """Make a swath of some pixels of an overpass, with the noise that it was given."""
    keep = np.ones(overpass.column.size, bool) if chosen is None else chosen
    dims = ("scanline", "ground_pixel")
    noise = np.hypot(overpass.noise, RANDOM * np.maximum(overpass.column[keep], 0))
    return xr.Dataset(
        {
            "column": (dims, overpass.column[keep][:, None], {"units": "mol m-2"}),
            "uncertainty_random": (dims, noise[:, None], {"units": "mol m-2"}),
            "latitude_bounds": ((*dims, "corner"), overpass.latitude[keep][:, None]),
            "longitude_bounds": ((*dims, "corner"), overpass.longitude[keep][:, None]),
        },
        attrs={"source": overpass.name},
    )


def simulate(
    overpass: Overpass, field: xr.DataArray, place: tuple[int, int], rng: np.random.Generator
) -> Overpass:
    """Shift an overpass onto a place of the field, and let it see the test rows."""
    north, west = (
        float(field[axis][0]) + sign * 0.005 for axis, sign in (("latitude", 1), ("longitude", -1))
    )
    latitude = overpass.latitude - 36.6 + north - place[0] * 0.01
    longitude = (overpass.longitude - 15.1) * np.cos(np.radians(36.6)) + west + place[1] * 0.01
    test = field.values[ROWS]
    pixels = Pixels(overpass.column, NONE, NONE, latitude, longitude)
    frame = Frame(west, north - ROWS.start * 0.01, 0.01)
    operator = build_operator(pixels, frame, test.shape)
    whole = operator.inside > 0.999
    seen = (operator.matrix @ test.ravel())[whole]
    noise = np.hypot(overpass.noise, RANDOM * seen) * rng.standard_normal(seen.size)
    return overpass._replace(
        column=seen + noise, latitude=latitude[whole], longitude=longitude[whole]
    )


def judge_place(
    overpasses: list[Overpass], place: tuple[int, int], number: int
) -> dict[str, float]:
    """Measure the errors of the average, of its downscaling and of the reconstruction."""
    field = xr.open_dataset(DATA / "truth_1km/cosmo_west.nc")[COLUMN].astype(float)
    rng = np.random.default_rng(1000 * place[0] + place[1])
    drawn = rng.choice(len(overpasses), number, replace=False)
    swaths = [swath_of(simulate(overpasses[i], field, place, rng)) for i in drawn]
    west, north = float(field.longitude[0]) - 0.005, float(field.latitude[0]) + 0.005
    top, left = place[0] - 50, place[1] - 50
    box = (
        west + left * 0.01,
        north - (top + 100) * 0.01,
        west + (left + 100) * 0.01,
        north - top * 0.01,
    )
    box = tuple(round(edge, 6) for edge in box)
    truth = field.values[top : top + 100, left : left + 100]
    began = time.process_time()
    scene = reconstruct_swaths(swaths, bbox=box, settings=Settings(uncertainty=number >= 30))
    seconds = time.process_time() - began
    gridded = grid_swaths(swaths, bounds=box, resolution=0.01)
    maps = {
        "average": gridded["column"].values,
        **{f"oi_{length:g}": interpolate(gridded, length) for length in LENGTHS},
        "network": refine_average(swaths, box),
        "reconstruct": scene[COLUMN].values,
    }
    known = np.isfinite(list(maps.values())).all(axis=0)
    errors = {name: rmse(estimate, truth, known) for name, estimate in maps.items()}
    errors["explained"] = float(scene[COLUMN].attrs["no2sr_explained_share"])
    errors["cpu_seconds"] = seconds
    if number >= 30:
        z = (maps["reconstruct"] - truth) / scene[f"{COLUMN}_uncertainty"].values
        errors["coverage"] = float(np.mean(np.abs(z) < 1.645))
        errors["resolution_km"] = float(scene["resolution"].median())
    return errors


def interpolate(gridded: xr.Dataset, length: float) -> np.ndarray:
    """Interpolate an average optimally, with the noise that gridding propagated."""
    return krige(
        gridded["column"].values, gridded["column_uncertainty_random"].values, length=length
    )


def refine_average(swaths: list[xr.Dataset], box: tuple[float, ...]) -> np.ndarray:
    """Average on 0.04 degree, and refine four times with the shipped network."""
    import no2sr

    coarse = grid_swaths(swaths, bounds=box, resolution=0.04)["column"]
    fine = no2sr.downscale(coarse, scale=4)
    y, x = (np.linspace(a, b, 100, endpoint=False) for a, b in ((box[3], box[1]), (box[0], box[2])))
    return fine.sel(y=y - 0.005, x=x + 0.005, method="nearest").values


def rmse(estimate: np.ndarray, truth: np.ndarray, known: np.ndarray) -> float:
    """Take the root mean square error, umol m-2."""
    return float(1e6 * np.sqrt(np.mean((estimate - truth)[known] ** 2)))


def judge_edges(overpasses: list[Overpass]) -> dict[str, float]:
    """Predict the mean of narrow pixels from wide ones, both seen through the narrow ones."""
    margin, spacing = 0.3, 0.01
    wide = [swath_of(o, o.zenith > 50) for o in overpasses if (o.zenith > 50).sum() > 20]
    near = [o for o in overpasses if (o.zenith < 30).sum() > 20]
    scene = reconstruct_swaths(wide, bbox=SICILY, settings=Settings(uncertainty=False))
    gridded = grid_swaths(wide, bounds=SICILY, resolution=spacing)
    average = gridded["column"]
    rivals = [average.copy(data=interpolate(gridded, length)) for length in LENGTHS]
    maps = [np.nan_to_num(m.values.ravel()) for m in (scene[COLUMN], average, *rivals)]
    shape = scene[COLUMN].shape
    frame = Frame(SICILY[0], SICILY[3], spacing)
    total, weight = np.zeros((1 + len(maps), shape[0] * shape[1])), np.zeros(shape[0] * shape[1])
    for one in near:
        keep = one.zenith < 30
        pixels = Pixels(one.column[keep], NONE, NONE, one.latitude[keep], one.longitude[keep])
        operator = build_operator(pixels, frame, shape)
        matrix = operator.matrix[operator.inside > 0.999]
        values = pixels.column[operator.inside > 0.999]
        for row, seen in enumerate((values, *(matrix @ field for field in maps))):
            total[row] += matrix.T @ seen
        weight += matrix.T @ np.ones(values.size)
    known = weight > 1
    narrow, *estimates = total[:, known] / weight[known]
    errors = [1e6 * float(np.std(estimate - narrow)) for estimate in estimates]
    return {
        "reconstruct": errors[0],
        "average": errors[1],
        "optimal": min(errors[2:]),
        "explained": float(scene[COLUMN].attrs["no2sr_explained_share"]),
        "ratio": errors[0] / errors[1],
        "wide": len(wide),
        "near": len(near),
        "smoothness_km2": float(scene[COLUMN].attrs["no2sr_smoothness_km2"]),
        "margin": margin,
    }


def main() -> None:
    """Judge, keep the figures, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, nargs="*", default=NUMBERS)
    parser.add_argument("--places", type=int, default=len(PLACES))
    parser.add_argument("--page", action="store_true", help="write the section, measure nothing")
    parser.add_argument("--resume", action="store_true", help="keep what the record holds")
    given = parser.parse_args()
    if not given.page:
        places = PLACES[:: max(1, len(PLACES) // given.places)]
        _measure(given.numbers, places, resume=given.resume)
    write_section(json.loads(RECORD.read_text(encoding="utf-8")))


def _measure(numbers: list[int], places: list[tuple[int, int]], *, resume: bool) -> None:
    """Measure all cases, and write the record after each: the whole takes long."""
    warnings.simplefilter("ignore")
    overpasses = [read(path) for path in sorted((DATA / "overpasses").glob("*.nc"))]
    many = [one for one in overpasses if one.column.size > FEWEST]
    found: dict = json.loads(RECORD.read_text(encoding="utf-8")) if resume else {"places": {}}
    found["date"] = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    if "edges" not in found:
        found["edges"] = judge_edges(overpasses)
        print(found["edges"], flush=True)
    for number in sorted(numbers):
        kept = [row for row in found["places"].get(str(number), []) if "place" in row]
        rows = found["places"][str(number)] = kept  # a mere summary is measured anew
        for place in places:
            if list(place) not in [row["place"] for row in rows]:
                rows.append({"place": list(place), **judge_place(many, place, number)})
                print(number, rows[-1], flush=True)
                found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
                RECORD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
