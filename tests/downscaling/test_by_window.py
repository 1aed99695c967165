"""Large inputs that stay in their files: what is read of them, and that nothing else differs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import rasterio
import xarray as xr
from opening import open_column
from rasterio.transform import from_origin
from rasterio.windows import Window

import no2sr
from no2sr.core.door import choose_variable
from no2sr.core.errors import FileUnreadableError, NoValidPixelsError
from no2sr.core.grid import crop
from no2sr.downscaling import inputs, to_file
from no2sr.downscaling.blocks import reader_of
from no2sr.downscaling.inputs import seal
from no2sr.downscaling.workfolder import WorkFolder, folder_of
from no2sr.readers.opening.extent import cells_in

pytest.importorskip("zarr")
DAYS = np.array(["2023-10-30", "2023-10-31", "2023-11-01"], dtype="datetime64[ns]")


def make_grid(shape=(3, 150, 140), seed=1):
    """Return three days of two strips of two blocks at scale 4, with negatives and gaps."""
    rng = np.random.default_rng(seed)
    values = rng.normal(3e-5, 2e-5, shape).astype(np.float32)
    values[rng.random(shape) < 0.1] = np.nan
    dims = ("time", "latitude", "longitude")[-len(shape) :]
    attrs = {"units": "mol m-2", "long_name": "tropospheric NO2 column"}
    y, x = 40 + 0.05 * np.arange(shape[-2]), 76 + 0.05 * np.arange(shape[-1])
    grid = xr.Dataset(
        {"no2": (dims, values, attrs)},
        coords={
            "latitude": ("latitude", y, {"units": "degrees_north"}),
            "longitude": ("longitude", x, {"units": "degrees_east"}),
        },
    )
    return grid.assign_coords(time=DAYS[: shape[0]]) if len(shape) > 2 else grid


def contents(path):
    if path.is_file():
        return path.read_bytes()
    files = sorted(entry for entry in path.rglob("*") if entry.is_file())
    return [(str(entry.relative_to(path)), entry.read_bytes()) for entry in files]


def store(folder, form):
    encoding = {"no2": {"chunks": (64, 50)}}
    path = folder / "grid.zarr"
    make_grid((300, 140)).to_zarr(path, zarr_format=form, consolidated=False, encoding=encoding)
    return [path]


def times(folder, suffix):
    path = folder / f"days{suffix}"
    encoding = {"no2": {"chunks" if suffix == ".zarr" else "chunksizes": (3, 64, 50)}}
    if suffix == ".zarr":
        make_grid().to_zarr(path, zarr_format=2, encoding=encoding)
    else:
        make_grid().to_netcdf(path, encoding=encoding)
    return [path]


def stack(folder, *, scalar):
    """Write a file a day, their names not in the order of the days."""
    for day, name in enumerate("bca"):
        grid = make_grid().isel(time=day if scalar else [day])
        grid.to_netcdf(folder / f"{name}.nc")
    return sorted(folder.glob("*.nc"))


def stores(folder):
    for day in range(3):
        make_grid().isel(time=[day]).to_zarr(folder / f"{day}.zarr", zarr_format=2)
    return sorted(folder.iterdir())


def shards(folder):
    """Write three of the four shards of an export."""
    image = open_column(store(folder.parent, 2)[0])
    for top in (0, 160):
        for left in (0, 64):
            if (top, left) != (160, 64):
                part = crop(image, slice(top, top + 160), slice(left, left + (76 if left else 64)))
                no2sr.write(part, folder / f"no2-{top:010d}-{left:010d}.tif")
    return [folder]


INPUTS = {
    "zarr 2": lambda folder: store(folder, 2),
    "zarr 3": lambda folder: store(folder, 3),
    "times in zarr": lambda folder: times(folder, ".zarr"),
    "times in netcdf": lambda folder: times(folder, ".nc"),
    "files": lambda folder: stack(folder, scalar=False),
    "folder": lambda folder: [stack(folder, scalar=True)[0].parent],
    "pattern": lambda folder: [stack(folder, scalar=False)[0].with_name("*.nc")],
    "shards": shards,
    "folder of stores": lambda folder: [stores(folder)[0].parent],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def large(monkeypatch):
    """Let grids count as large, and return the chunks of what is then refined."""
    seen = []
    really = to_file.refine_input

    def refine(given, *args, **settings):
        seen.append(choose_variable(given.scene).chunks)
        return really(given, *args, **settings)

    monkeypatch.setattr(to_file, "refine_input", refine)
    monkeypatch.setattr(inputs, "_MANY_CELLS", 30_000)  # one day has 21 000
    monkeypatch.setattr(inputs, "_CHUNK", "40KiB")
    return seen


@pytest.mark.parametrize("kind", INPUTS)
def test_by_window_equals_whole(no2sr_command, folder, tmp_path, large, monkeypatch, kind):
    given = INPUTS[kind](folder)
    suffix = {"zarr 2": ".tif", "zarr 3": ".zarr", "folder of stores": ".zarr"}.get(kind, ".nc")
    outs = [tmp_path / f"{name}{suffix}" for name in ("window", "whole")]
    for out in outs:
        done = no2sr_command("downscale", *given, out, "--model", "espcn", "--quiet")
        assert (done.code, done.err) == (0, "")
        monkeypatch.setattr(inputs, "_MANY_CELLS", 1 << 24)
    assert [chunks is None for chunks in large] == [False, True]
    assert max(map(len, large[0])) > 1
    assert contents(outs[0]) == contents(outs[1])


def test_swaths_are_read_as_ever(no2sr_command, samples, tmp_path, large, monkeypatch):
    swath = next(samples.glob("S5P*.nc"))
    settings = ("--resolution", 0.1, "--model", "espcn", "--quiet")
    monkeypatch.setattr(inputs, "_MANY_CELLS", 1)
    for name, most in (("a.nc", 1), ("b.nc", 1 << 24)):
        monkeypatch.setattr(inputs, "_MANY_CELLS", most)
        assert no2sr_command("downscale", swath, swath, tmp_path / name, *settings).code == 0
    assert large == [None, None]
    assert contents(tmp_path / "a.nc") == contents(tmp_path / "b.nc")


@pytest.mark.parametrize("kind", ["zarr 3", "folder", "pattern"])
def test_a_killed_run_goes_on(no2sr_command, folder, large, monkeypatch, kind):
    given = INPUTS[kind](folder)
    whole, out = folder.parent / "whole.nc", folder / "out.nc"  # beside its input
    command = ("--model", "espcn", "--quiet")
    assert no2sr_command("downscale", *given, whole, *command).code == 0
    append, strips = WorkFolder.append, []

    def appended(self, *strip):
        append(self, *strip)
        strips.append(strip)
        if len(strips) == 2:
            raise MemoryError

    monkeypatch.setattr(WorkFolder, "append", appended)
    assert no2sr_command("downscale", *given, out, *command).code == 1
    assert folder_of(out).exists()
    done = no2sr_command("downscale", *given, out, *command)
    assert (done.code, done.err) == (0, "")
    assert len(strips) == (3 if kind == "zarr 3" else 6)  # none of them twice
    assert contents(out) == contents(whole)
    assert all(large)


@pytest.mark.parametrize("kind", ["zarr 2", "folder"])
def test_an_input_that_changes_meanwhile(no2sr_command, folder, large, monkeypatch, kind):
    given = INPUTS[kind](folder)
    (changed,) = {given[0] / "no2" / "4.2", folder / "c.nc"} & set(folder.rglob("*"))
    append = WorkFolder.append

    def appended(self, *strip):
        append(self, *strip)
        about = changed.stat()
        os.utime(changed, ns=(about.st_atime_ns, about.st_mtime_ns + 1))

    monkeypatch.setattr(WorkFolder, "append", appended)
    refused = no2sr_command("downscale", *given, folder.parent / "out.nc", "--model", "espcn")
    assert refused.code == 1
    assert f"{given[0].name} was changed or removed while it was read" in refused.errors[0]
    assert [entry.name for entry in folder.parent.iterdir()] == ["in"]
    assert all(large)


def test_a_batch_of_stores(no2sr_command, folder, tmp_path, large, monkeypatch):
    # The second is read in a fork of a process in which zarr has run.
    given = stores(folder)
    monkeypatch.setattr(inputs, "_MANY_CELLS", 100)
    done = no2sr_command("downscale", *given, f"{tmp_path}/out/", "--model", "espcn", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert len(list((tmp_path / "out").glob("*_x4.tif"))) == 3
    assert all(large)


def test_all_cells_are_counted(folder):
    assert cells_in(store(folder, 3)[0]) == 300 * 140
    stack(folder, scalar=False)
    assert cells_in(folder / "*.nc") == 3 * 150 * 140
    assert cells_in(folder) == 3 * 150 * 140 + 300 * 140
    assert cells_in([folder / "a.nc"] * 2) == 2 * 150 * 140
    assert cells_in(folder / "absent.nc") == 0


def test_a_store_that_declares_anything_is_refused(folder):
    path = store(folder, 3)[0]
    for axis in ("latitude", "longitude"):
        shutil.rmtree(path / axis)
    about = path / "no2" / "zarr.json"
    about.write_text(about.read_text().replace("300", str(10**9)))
    with pytest.raises(FileUnreadableError, match=r"declares 1\.4e\+11 cells"):
        cells_in(path)


def test_a_seal_of_a_store_notices_changes(folder):
    path = store(folder, 2)[0]
    before = seal(path)
    assert before == seal(path)
    (path / "no2" / "0.0").unlink()
    assert seal(path)["files"] == before["files"] - 1
    assert seal(path)["sha256"] != before["sha256"]


def test_what_may_not_be_looked_into_is_left_to_reading(no2sr_command, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    make_grid((20, 20)).to_netcdf(tmp_path / "in.nc")
    monkeypatch.setattr(inputs, "seal", refuse)
    assert no2sr_command("downscale", tmp_path / "in.nc", tmp_path / "out.nc").code == 0


@pytest.mark.parametrize("kind", ["times in netcdf", "times in zarr"])
def test_chunks_hold_whole_images_or_parts_of_one(folder, kind):
    import dask

    (path,) = INPUTS[kind](folder)
    for room, (along, down) in {"40KiB": (1, 2), "200KiB": (2, 1), "1MiB": (3, 1)}.items():
        with dask.config.set({"array.chunk-size": room}):
            chunks = open_column(path, chunks="auto").chunks
        assert max(chunks[0]) == along
        assert (len(chunks[1]) == 1) == (down == 1)


@pytest.mark.parametrize("chunks", [(1, 10, 30), (2, 40, 30), (4, 40, 7), (2, 16, 10)])
def test_each_chunk_is_read_once_in_each_layer(chunks):
    values = np.random.default_rng(1).random((4, 40, 30), dtype=np.float32)
    reads = []

    def noted(block, block_info=None):
        reads.append(tuple(block_info[0]["chunk-location"]))
        return block

    layers = da.from_array(values, chunks=chunks).map_blocks(noted, dtype=np.float32)
    read = reader_of(layers)
    for layer in range(4):
        for low in range(0, 40, 5):
            high = min(low + 12, 40)
            np.testing.assert_array_equal(read(layer, low, high), values[layer, low:high])
    whole = chunks[1] == 40
    assert len(reads) == layers.npartitions * (1 if whole else chunks[0])


# The peak of a process after each of the sources.
MEASURE = """
import sys
import numpy as np
from no2sr.core.door import choose_variable
from no2sr.downscaling import inputs
from no2sr.downscaling.blocks import reader_of

for source in sys.argv[1:]:
    assert inputs._read((source,)) is None  # what the guard's child does
    image = choose_variable(inputs._open_by_window((source,)))
    layers = image.data.reshape(-1, *image.shape[-2:])
    read = reader_of(layers)
    for layer in range(len(layers)):
        for low in range(0, layers.shape[1], 512):
            assert (read(layer, low, low + 512) == np.float32(3e-5)).all()
    print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024)
"""


def constant_store(path, shape):
    """Write a store of which no chunk is there: all of it is the fill value."""
    import zarr

    root = zarr.create_group(path, zarr_format=3)
    settings = {"dtype": "f4", "chunks": (1, 512, 512)[-len(shape) :], "fill_value": 3e-5}
    about = {"units": "mol m-2", "long_name": "tropospheric NO2 column"}
    dims = ("time", "latitude", "longitude")[-len(shape) :]
    root.create_array("no2", shape=shape, dimension_names=dims, attributes=about, **settings)
    units = {
        "time": "days since 2023-01-01",
        "latitude": "degrees_north",
        "longitude": "degrees_east",
    }
    for name, size in zip(dims, shape, strict=True):
        attrs = {"units": units[name]}
        axis = root.create_array(
            name, shape=(size,), dtype="f8", dimension_names=(name,), attributes=attrs
        )
        axis[:] = 10 + (1 if name == "time" else 0.002) * np.arange(size)
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are told by Linux")
def test_memory_stays_flat(tmp_path):
    shapes = (4608, 4096), (24576, 4096), (5, 2048, 2048), (24, 2048, 2048)
    paths = [constant_store(tmp_path / str(i), shape) for i, shape in enumerate(shapes)]
    code = [sys.executable, "-W", "ignore", "-c", MEASURE, *map(str, paths)]
    told = subprocess.run(code, capture_output=True, text=True, check=True).stdout
    peaks = [int(line) for line in told.split()]
    # The second and the last are 384 MiB in float32; to read them whole takes several times that.
    assert len(peaks) == len(paths)
    assert peaks[-1] < peaks[0] + 96


# The same for a raster, of whatever else the command line does before it refines.
MEASURE_RASTER = """
import sys
from no2sr.cli import main
from no2sr.core.door import choose_variable
from no2sr.downscaling import to_file
from no2sr.downscaling.blocks import reader_of

def refine(given, *_, **__):
    image = choose_variable(given.scene)
    layers = image.data.reshape(1, *image.shape)
    read = reader_of(layers)
    for low in range(0, layers.shape[1], 512):
        read(0, low, low + 512)
    print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024)
    raise MemoryError

to_file.refine_input = refine
main(["downscale", *sys.argv[1:], "--no-guard", "--quiet"])
"""


def raster_with_mask(path, shape):
    """Write a raster with a second band that says what is valid, all of it constant."""
    settings = {"count": 2, "dtype": "float32", "compress": "deflate", "crs": "EPSG:4326"}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "height": shape[0]}
    place = from_origin(10, 60, 0.002, 0.002)
    with rasterio.open(path, "w", width=shape[1], transform=place, **settings, **tiles) as raster:
        raster.descriptions = "tropospheric NO2 column", "valid"
        raster.update_tags(1, units="mol m-2")
        for top in range(0, shape[0], 512):
            window = Window(0, top, shape[1], 512)
            raster.write(np.full((512, shape[1]), 3e-5, np.float32), 1, window=window)
            raster.write(np.ones((512, shape[1]), np.float32), 2, window=window)
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are told by Linux")
def test_memory_stays_flat_with_a_mask_beside(tmp_path):
    peaks = []
    for rows in (4608, 12288):  # 72 and 192 MiB a band
        source = raster_with_mask(tmp_path / f"{rows}.tif", (rows, 4096))
        code = [sys.executable, "-W", "ignore", "-c", MEASURE_RASTER, source, tmp_path / "out.tif"]
        told = subprocess.run(
            list(map(str, code)),
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"GDAL_CACHEMAX": "64"},
        )
        peaks.append(int(told.stdout))
    assert peaks[1] < peaks[0] + 96


def test_gdal_does_not_keep_what_it_has_read(no2sr_command, monkeypatch):
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    assert no2sr_command("readers").code == 0
    assert os.environ["GDAL_CACHEMAX"] == "256"
    monkeypatch.setenv("GDAL_CACHEMAX", "1000")
    assert no2sr_command("readers").code == 0
    assert os.environ["GDAL_CACHEMAX"] == "1000"


@pytest.mark.parametrize("chunks", ["auto", None])
def test_a_day_of_gaps_among_others_is_a_day(folder, chunks):
    paths = stack(folder, scalar=False)  # a.nc holds the last day
    xr.load_dataset(paths[0]).where(False).to_netcdf(paths[0])
    image = open_column(paths, chunks=chunks)
    np.testing.assert_array_equal(image["time"], DAYS)
    np.testing.assert_array_equal(image.isnull().all(("y", "x")), [False, False, True])


def test_nothing_but_gaps_is_refused_among_others_too(folder):
    paths = stack(folder, scalar=False)
    for path in paths:
        xr.load_dataset(path).where(False).to_netcdf(path)
    for given in (paths[0], paths):
        with pytest.raises(NoValidPixelsError, match="gap"):
            open_column(given)


def test_python_reads_stacks_lazily_too(folder):
    paths = stack(folder, scalar=True)
    lazy, whole = (open_column(paths, chunks=chunks) for chunks in ("auto", None))
    assert lazy.chunks is not None
    np.testing.assert_array_equal(lazy["time"], DAYS)
    xr.testing.assert_identical(lazy.compute(), whole)
    fine = no2sr.downscale(lazy, scale=2, model="espcn")
    np.testing.assert_array_equal(fine, no2sr.downscale(whole, scale=2, model="espcn"))
