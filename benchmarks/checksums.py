"""Whether no2sr still writes the same numbers: checksums of values, not of the bytes of files.

    python benchmarks/checksums.py record benchmarks/records/checksums.json
    python benchmarks/checksums.py compare benchmarks/records/checksums.json --source ../other

It runs the command line and the public functions of the package in a folder (default: this
repository) and reads back what was written: values as float32, dims, transform and CRS; the table
of `evaluate` and trained weights rounded. A record holds for one kind of processor and one set of
libraries, which it names. Runs on real files are skipped where $NO2SR_REAL_DATA has none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pandas as pd
import rasterio
import rioxarray  # noqa: F401 - registers `.rio`
import xarray as xr
from llvmlite.binding import get_host_cpu_name
from rasterio.transform import from_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]
    Found = dict[str, str]
    Grid = xr.DataArray | xr.Dataset

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("NO2SR_REAL_DATA", ROOT / "../shared/data")).resolve()
LIBRARIES = ("numpy", "onnxruntime", "tensorflow", "keras", "xarray", "rasterio")
NOT_THE_COLUMN = ("uncertainty", "precision", "error", "coverage", "count", "quality")
STEP = 0.01
SIDE = 4200  # so many cells that the raster is read by window; in BOX are 700 x 900 of them
TILES = (("1_2", 0, 0), ("1_1", 850, 0), ("3_1", 850, 1840))  # name, first row, first column
BOX = (75.002, 26.002, 83.998, 32.998)

# Of what a run writes to {out}, this is read back.
OUTPUTS = ("*.tif", "*.nc", "*.zarr", "map.png", "*.csv", "*.onnx")
COMMANDS = {
    "swath to GeoTIFF": "downscale {swath} {out}/fine.tif --scale 4",
    "GeoTIFF by window": "downscale {made}/large.tif {out}/fine.tif --scale 2 --bbox {box}",
    "two workers": "downscale {made}/large.tif {out}/fine.tif --scale 2 --bbox {box} --workers 2 "
    "--model espcn",
    "NetCDF to NetCDF": "downscale {l3} {out}/fine.nc --scale 3",
    "Zarr to Zarr": "downscale {made}/l3.zarr {out}/fine.zarr --scale 3 --model espcn",
    "stack of dated files": "downscale {made}/days {out}/fine.nc --scale 2",
    "mosaic of real shards": "downscale {made}/tiles {out}/fine.tif --scale 2 --model espcn",
    "real tiles, coarsened": "downscale {real}/s5p_l3/NO2_box_1_2_20250801.nc "
    "{real}/s5p_l3/NO2_box_3_1_20250801.nc {out}/tiles/ --coarsen-to-native",
    "real overpasses merged": "downscale {real}/overpasses/S5P_20190103_6343.nc "
    "{real}/overpasses/S5P_20190104_6357.nc {out}/fine.nc --scale 2",
    "real projected raster": "downscale "
    "{real}/tempo_utm/tempo_vcd_troposphere_utm11_clipped.tif {out}/fine.tif --scale 4",
    "edges shaved": "downscale {l3} {out}/fine.tif --scale 2 --edges shave",
    "multiplicative": "downscale {tif} {out}/fine.tif --conserve multiplicative",
    "espcn": "downscale {tif} {out}/fine.tif --scale 3 --model espcn",
    "edsr": "downscale {tif} {out}/fine.tif --scale 4 --model edsr",
    "TensorFlow": "downscale {tif} {out}/fine.tif --scale 2 --engine tensorflow",
    "grid": "grid {swath} {out}/l3.nc --resolution 0.1",
    "evaluate": "evaluate {tif} --scale 2 --csv {out}/table.csv",
    "render": "render {l3} {out}/map.tif --no-legend --pixels 2",
    "enhance": "enhance {made}/map.png {out}/map.png --scale 2",
    "train": "train {l3} {tif} --scale 2 --steps 12 --batch 4 --samples 12 --window-size 32 "
    "--check-every 6 --simulated 1 --seed 3 --output {out}/model",
}
CALLS: dict[str, Callable[[Any, dict[str, str]], Grid]] = {
    "lazy in Python": lambda no2sr, at: no2sr.downscale(
        no2sr.open_no2(f"{at['made']}/large.tif", bbox=BOX, chunks={"y": 256, "x": 320}), scale=2
    ).compute(),
    "degrade": lambda no2sr, at: no2sr.degrade(no2sr.open_no2(at["l3"]), 3, psf=(0.74, 0.44)),
    "coarsen_to_native, real tile": lambda no2sr, at: no2sr.coarsen_to_native(
        no2sr.open_no2(f"{at['real']}/s5p_l3/NO2_box_3_1_20250801.nc", bbox=(113.5, -10, 118, -7))
    ),
}


def make_inputs(made: Path, l3_sample: str) -> None:
    """Write the inputs that are neither samples nor real files as they are."""
    rng = np.random.default_rng(0)
    y, x = np.arange(700)[:, None], np.arange(900)
    values = 4e-5 * np.cos(x / 9) ** 8 * np.cos(y / 11) ** 8 + rng.normal(3e-5, 5e-6, (700, 900))
    values[(rng.random((35, 45)) < 0.05).repeat(20, 0).repeat(20, 1)] = np.nan
    large = np.full((SIDE, SIDE), np.nan)
    large[1700:2400, 1500:2400] = values
    write_tiff(made / "large.tif", large, west=60, north=50)

    with xr.open_dataset(l3_sample, decode_coords="all") as opened:
        l3 = opened.load().drop_encoding()
    l3.to_zarr(made / "l3.zarr", zarr_format=2)
    (made / "days").mkdir()
    for day, time in enumerate(pd.date_range("2024-01-01", periods=3)):
        grid = l3.isel(latitude=slice(10 * day, 10 * day + 100)).expand_dims(time=[time])
        grid.assign_coords(latitude=l3["latitude"][:100]).to_netcdf(made / "days" / f"{day}.nc")

    colours = rng.integers(0, 256, (3, 30, 40), np.uint8).repeat(4, 1).repeat(4, 2)
    with rasterio.open(made / "map.png", "w", "PNG", 160, 120, 3, dtype="uint8") as picture:
        picture.write(colours)
    (made / "tiles").mkdir()
    for box, row, column in TILES if DATA.is_dir() else ():
        with xr.open_dataset(DATA / "s5p_l3" / f"NO2_box_{box}_20250801.nc") as tile:
            values = tile["NO2"].values[: None if row else 850]  # neighbours share a row
        path = made / "tiles" / f"no2-{row:010d}-{column:010d}.tif"
        write_tiff(path, values, west=95 + column * STEP, north=6 - row * STEP)


def write_tiff(path: Path, values: Array, *, west: float, north: float) -> None:
    """Write a GeoTIFF in mol m-2 on longitude and latitude."""
    form: dict[str, Any] = {"dtype": "float32", "nodata": np.nan, "compress": "deflate"}
    form |= {"crs": "EPSG:4326", "transform": from_origin(west, north, STEP, STEP), "tiled": True}
    with rasterio.open(path, "w", "GTiff", *values.shape[::-1], 1, **form) as raster:
        raster.update_tags(1, units="mol m-2")
        raster.write(values.astype(np.float32), 1)


def sha(content: object) -> str:
    """Return the SHA-256 of values as float32, or of anything else as it prints itself."""
    if not isinstance(content, np.ndarray):
        return hashlib.sha256(repr(content).encode()).hexdigest()
    values = content.astype(np.float32)
    values[np.isnan(values)] = np.nan  # gaps of every kind are alike
    return hashlib.sha256(values.tobytes()).hexdigest()


def of_grid(grid: Grid) -> Found:
    """Return the checksums of a grid: of its column, of other fields, of where it lies."""
    dataset = grid.to_dataset(name="no2") if isinstance(grid, xr.DataArray) else grid
    fields = {str(name): field for name, field in dataset.items() if field.ndim > 1}
    named = [name for name in fields if "no2" in name.lower()]
    columns = [name for name in named if not any(part in name for part in NOT_THE_COLUMN)]
    column = fields["column"] = fields.pop((columns or list(fields))[0])
    times = [str(time) for time in column["time"].values.flat] if "time" in column.coords else []
    place = [*column.rio.transform(recalc=True)], column.rio.crs and column.rio.crs.to_wkt()
    found = {"grid": sha([column.dims, column.shape, times, place])}
    return found | {name: sha(field.values) for name, field in fields.items()}


def of_file(path: Path) -> Found:
    """Return the checksums of a file that was written."""
    if path.suffix == ".csv":
        table = pd.read_csv(path, index_col=0).sort_index(axis=1).map("{:.6g}".format)
        return {str(name): sha(row.to_dict()) for name, row in table.iterrows()}
    if path.suffix == ".onnx":
        arrays = [onnx.numpy_helper.to_array(it) for it in onnx.load(path).graph.initializer]
        weights = np.concatenate([it.ravel() for it in arrays if it.dtype == np.float32])
        total, absolute = weights.sum(dtype=float), np.abs(weights).sum(dtype=float)
        return {"weights": f"{weights.size}, sum {total:.5g}, absolute {absolute:.5g}"}
    engine: Any = {".nc": "netcdf4", ".zarr": "zarr"}.get(path.suffix, "rasterio")
    with xr.open_dataset(path, engine=engine, decode_coords="all") as dataset:
        return of_grid(dataset)


def of_command(line: str, places: dict[str, str], source: Path) -> Found:
    """Run a command line and return the checksums of all that it wrote."""
    with tempfile.TemporaryDirectory() as out:
        words = shlex.split(line.replace("{box}", " ".join(map(str, BOX))))
        words = [word.format(out=out, **places) for word in words]
        env = os.environ | {"PYTHONPATH": str(source), "TF_NUM_INTRAOP_THREADS": "1"}
        call = [sys.executable, "-W", "ignore", "-m", "no2sr", *words, "-q"]
        done = subprocess.run(call, cwd=out, env=env, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
        written = [path for name in OUTPUTS for path in sorted(Path(out).rglob(name))]
        found = {path.name: of_file(path) for path in written}
        return {f"{name} {it}": of for name, items in found.items() for it, of in items.items()}


def results(source: Path, only: str) -> Iterator[tuple[str, Found | str]]:
    """Do all runs whose name holds a text; yield checksums, or why there are none."""
    sys.path.insert(0, str(source))
    import no2sr

    assert Path(no2sr.__file__).is_relative_to(source), "there is no package in this source"
    samples = source / "sample_data"
    with tempfile.TemporaryDirectory() as made:
        places = {
            "swath": str(next(samples.glob("S5P_*.nc"))),
            "l3": str(samples / "simulated_no2_l3_monthly.nc"),
            "tif": str(samples / "simulated_no2_earth_engine.tif"),
            "made": made,
            "real": str(DATA),
        }
        make_inputs(Path(made), places["l3"])
        for name in filter(lambda name: only in name, [*COMMANDS, *CALLS]):
            if "real" in name and not DATA.is_dir():
                yield name, "skipped, the real data are absent"
                continue
            try:
                if name in CALLS:
                    yield name, of_grid(CALLS[name](no2sr, places))
                else:
                    yield name, of_command(COMMANDS[name], places, source)
            except Exception as error:  # noqa: BLE001 - the other runs go on
                yield name, f"DIFFERENT, it failed: {error}"


def compared(found: Found, recorded: Found | None) -> str:
    """Return in words how a run compares with the record of it; new fields are no difference."""
    if recorded is None:
        return "missing in the record"
    changed = [item for item, value in recorded.items() if found.get(item) != value]
    return f"DIFFERENT in {', '.join(changed)}" if changed else "same"


def main() -> int:
    """Read the command line and do what it says; return 1 if a run differs or fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--source", type=Path, default=ROOT, help="folder that holds no2sr")
    parser.add_argument("--only", default="", help="runs with this text in their name")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    made_with = {"processor": get_host_cpu_name(), **{name: version(name) for name in LIBRARIES}}
    whole: dict[str, Any] = {"made with": made_with, "runs": {}}
    recording = asked.what == "record"
    if not recording:
        whole = json.loads(asked.file.read_text(encoding="utf-8"))
        if whole["made with"] != made_with:
            print(f"note: recorded with {whole['made with']}, this is {made_with}")
    different = False
    for name, found in results(asked.source.resolve(), asked.only):
        word = found if isinstance(found, str) else compared(found, whole["runs"].get(name))
        if recording and isinstance(found, dict):
            whole["runs"][name], word = found, "recorded"
        different |= word.startswith("DIFFERENT")
        print(f"{name}: {word}", flush=True)
    if recording:
        asked.file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return int(different)


if __name__ == "__main__":
    sys.exit(main())
