"""The port: who is asked in which order, plug-ins, broken files, and `describe`."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from opening import open_column
from rasterio.errors import RasterioIOError

import no2sr
from no2sr.readers import registry as readers
from no2sr.readers.kit.files import explain_read_errors
from no2sr.readers.opening.describe import describe
from no2sr.readers.port import Reader, ReadOptions
from no2sr.readers.registry import available_readers, find_reader

PRODUCTS = (
    "s5p_l2",
    "harp",
    "tempo_l2",
    "tempo_l3",
    "gems_l2",
    "omno2d",
    "haqast",
    "cams",
    "temis",
)
GENERIC = ("ioapi", "grib", "geotiff", "esri_ascii", "zarr", "packed", "curvilinear", "cf_grid")


def test_readers_in_the_order_they_are_asked():
    assert available_readers() == (*PRODUCTS, *GENERIC)


@pytest.mark.parametrize("name", [*PRODUCTS, *GENERIC])
def test_a_reader_satisfies_the_port(name, tmp_path):
    path = tmp_path / "anything"
    path.write_bytes(b"0123456789")
    reader = find_reader(path, name)
    assert isinstance(reader, Reader)
    assert reader.name == name
    assert not reader.recognises(path)


def test_listing_readers_imports_nothing_heavy():
    script = "import sys, no2sr.readers.registry as a; a.available_readers(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "xarray", "netCDF4", "rasterio", "numba", "no2sr.readers.products.s5p_l2"}
    assert not heavy & set(done.stdout.split())


def test_readers_recognise_only_their_own(make_s5p, make_grid, make_tiff):
    paths = {"s5p_l2": make_s5p(), "geotiff": make_tiff(), "cf_grid": make_grid()}
    for name, path in paths.items():
        renamed = path.rename(path.with_name(f"{name}.dat"))  # structure decides, not the name
        assert find_reader(renamed).name == name


# ------------------------------------------------------------------------------- plug-ins


class Pencil:
    """A reader as another package might bring it."""

    name = "pencil"
    product = "columns written by hand"

    def recognises(self, path):
        """Look at the first word."""
        return path.read_bytes().startswith(b"PENCIL")

    def read(self, path, options):  # noqa: ARG002 - the port hands them to every reader
        """Read the numbers; a bug where they are none."""
        if "?" in path.read_text():
            raise RuntimeError("a bug of the plug-in")
        numbers = np.array(path.read_text().split()[1:], dtype=float).reshape(-1, 2, 2)
        names = ["column"] if len(numbers) == 1 else ["no2_troposphere", "no2_weight"]
        axes = {"latitude": [1.0, 2.0], "longitude": [5.0, 6.0]}
        attrs = {"units": "umol m-2"}
        fields = {
            name: (("latitude", "longitude"), field, attrs)
            for name, field in zip(names, numbers, strict=True)
        }
        return xr.Dataset(fields, axes)


PENCIL = Pencil()


@pytest.fixture
def plugged(monkeypatch):
    """Install the plug-in, and another that takes the name of one of ours."""
    monkeypatch.setitem(sys.modules, "pencil_package", sys.modules[__name__])
    found = [
        EntryPoint("pencil", "pencil_package:PENCIL", "no2sr.readers"),
        EntryPoint("harp", "pencil_package:PENCIL", "no2sr.readers"),
    ]
    monkeypatch.setattr(readers, "entry_points", lambda **_: found)
    readers._registry.cache_clear()
    yield
    readers._registry.cache_clear()


def test_a_plug_in_reads_its_own_files(plugged, tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("PENCIL 10 20 30 40")
    assert available_readers() == (*PRODUCTS, "pencil", *GENERIC)
    image = open_column(path)
    np.testing.assert_allclose(image, np.array([[30, 40], [10, 20]]) * 1e-6, rtol=1e-6)
    assert describe(path)["product"] == "columns written by hand"


def test_a_plug_in_may_leave_several_variables(plugged, tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("PENCIL 10 20 30 40 1 1 1 1")
    assert open_column(path).name == "no2_troposphere"


def test_a_bug_of_a_plug_in_is_not_taken_for_a_broken_file(plugged, tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("PENCIL ?")
    with pytest.raises(RuntimeError, match="a bug"):
        open_column(path)


def test_a_plug_in_does_not_take_a_name_of_ours(plugged, caplog):
    with caplog.at_level(logging.WARNING, "no2sr"):
        available_readers()
    assert "reader 'harp' of pencil_package:PENCIL is ignored" in caplog.text


# ------------------------------------------------------------------------------- no such files


def test_a_reader_that_is_not_there(make_grid):
    with pytest.raises(
        no2sr.SettingsError, match=r"there is no reader 'gems'; choose one of s5p_l2, harp"
    ):
        open_column(make_grid(), reader="gems")


def test_a_reader_may_be_forced(make_grid):
    assert open_column(make_grid(), reader="cf_grid").shape == (6, 8)


def test_a_missing_file(tmp_path):
    with pytest.raises(
        no2sr.FileUnreadableError, match=r"absent\.nc does not exist.*check the path"
    ):
        open_column(tmp_path / "absent.nc")


@pytest.mark.parametrize("content", [b"", b"\r\n"])
def test_a_file_of_no_bytes_to_speak_of(tmp_path, content):
    path = tmp_path / "short.nc"
    path.write_bytes(content)
    with pytest.raises(no2sr.FileUnreadableError, match=f"{len(content)} bytes long"):
        open_column(path)


def test_a_foreign_file_and_a_folder(tmp_path):
    path = tmp_path / "login.nc"
    path.write_text("<!DOCTYPE html><title>Log in</title>")
    with pytest.raises(
        no2sr.UnknownFormatError,
        match=r"begins with b'<!DOCTYP'.*s5p_l2, harp, .*geotiff, .*cf_grid",
    ):
        open_column(path)
    with pytest.raises(no2sr.UnknownFormatError, match=r"folder.*it has login\.nc"):
        open_column(tmp_path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4", "tiff"])
def test_truncated_files_are_never_read_as_zeros(make_grid, make_tiff, kind, share):
    if kind == "tiff":
        path = make_tiff(bands=np.random.default_rng(1).normal(50, 1, (1, 40, 50)))
    else:
        path = make_grid(kind=kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(no2sr.FileUnreadableError, match="truncated"):
        open_column(path)


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("NetCDF: Can't open HDF5 attribute"),
        RuntimeError("NetCDF: HDF error"),
        OverflowError("cannot convert float infinity to integer"),
        UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "unexpected end of data"),
    ],
)
def test_what_libraries_raise_over_damage_is_put_in_words(error):
    with (
        pytest.raises(
            no2sr.FileUnreadableError, match=r"a\.nc cannot be read \(.*download it again"
        ),
        explain_read_errors(Path("a.nc")),
    ):
        raise error


@pytest.mark.parametrize("error", [AttributeError("no attribute 'x'"), RuntimeError("a bug")])
def test_faults_of_our_own_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, explain_read_errors(Path("a.nc")):
        raise error
    assert raised.value is error


def test_what_rasterio_only_points_to_is_told():
    error = RasterioIOError("Read failed. See previous exception for details.")
    error.__cause__ = RasterioIOError("IReadBlock failed at X offset 0, Y offset 0")
    with pytest.raises(no2sr.FileUnreadableError, match="read \\(IReadBlock failed at"):  # noqa: SIM117
        with explain_read_errors(Path("a.tif")):
            raise error


def test_nothing_to_open():
    with pytest.raises(no2sr.SettingsError, match="no file"):
        open_column([])


# ------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("qa_min", [-0.1, 1.5, 75])
def test_quality_out_of_range(make_s5p, qa_min):
    with pytest.raises(no2sr.SettingsError, match="0 to 1"):
        open_column(make_s5p(), qa_min=qa_min)


def test_arguments_that_do_not_apply_are_refused(make_s5p, make_grid):
    with pytest.raises(no2sr.SettingsError, match=r"resolution=0\.1 applies to swaths"):
        open_column(make_grid(), resolution=0.1)
    with pytest.raises(no2sr.SettingsError, match=r"is already a grid.*open_no2"):
        no2sr.grid(make_grid())


@pytest.mark.parametrize("kind", ["grid", "raster", "swath"])
def test_limits_of_a_product_without_screens(make_s5p, make_grid, make_tiff, kind):
    path = {"grid": make_grid, "raster": make_tiff, "swath": make_s5p}[kind]()
    with pytest.raises(no2sr.SettingsError, match=r"a limit of cloud was given for .*; leave it"):
        open_column(path, limits={"cloud": 0.5})
    assert "limit of cloud" in describe(path, options=ReadOptions(limits={"cloud": 0.5}))["problem"]
    assert open_column(path, limits={}).equals(open_column(path))


def test_progress_counts_the_files(make_s5p):
    paths = [make_s5p("a.nc", west=77.0), make_s5p("b.nc", west=77.375)]
    calls = []
    no2sr.grid(paths, progress=lambda *call: calls.append(call))
    assert calls == [(0, 2), (1, 2), (2, 2)]


def test_grids_and_swaths_do_not_mix(make_s5p, make_grid):
    swath, grid = make_s5p(), make_grid()
    with pytest.raises(no2sr.SettingsError, match="open each kind on its own"):
        open_column([swath, grid])
    with pytest.raises(no2sr.SettingsError, match="open each kind on its own"):
        open_column([grid, swath])


# ------------------------------------------------------------------------------- describe


def test_a_grid_described(make_grid):
    facts = describe(make_grid(times=np.array(["2023-10-30", "2023-10-31"], dtype="M8[ns]")))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["problem"] is None
    assert facts["reader"] == "cf_grid"
    assert facts["kind"] == "grid"
    assert facts["variable"] == "tropospheric_no2"
    assert facts["unit"] == "nmol m-2"
    assert facts["range_unit"] == "mol m-2"
    # 1000 * latitude + longitude, from the first cell to the last.
    assert facts["range"][::2] == pytest.approx([10270.25e-9, 12773.75e-9], rel=1e-6)
    assert facts["bounds"] == pytest.approx([20, 10, 24, 13])
    assert facts["spacing"] == pytest.approx([0.5, 0.5])
    assert facts["crs"] == "EPSG:4326"
    assert facts["gap_share"] == 0
    assert [t[:10] for t in facts["time"]] == ["2023-10-30", "2023-10-31"]
    assert {v["name"]: v["shape"] for v in facts["variables"]}["tropospheric_no2"] == [2, 6, 8]


def test_a_swath_described(make_s5p):
    qa = np.full((4, 6), 100)
    qa[0] = 50
    facts = describe(make_s5p(qa=qa), options=ReadOptions(qa_min=0.6))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["kind"] == "swath"
    assert facts["variable"] == "nitrogendioxide_tropospheric_column"
    assert facts["unit"] == "mol m-2"
    assert facts["shape"] == [4, 6]
    assert facts["gap_share"] == pytest.approx(0.25)  # one scanline of four
    assert facts["quality_threshold"] == 0.6
    assert facts["bounds"] == pytest.approx([77.03125, 28.03125, 77.34375, 28.21875])
    assert facts["time"] == ["2023-01-01T00:00:00Z", "2023-01-01T00:00:05Z"]


def test_a_swath_of_which_nothing_is_left_described(make_s5p):
    facts = describe(make_s5p(qa=74))
    assert facts["problem"].startswith("none of the 4 x 6 pixels has a value and a quality above")
    assert facts["range"] is None
    assert facts["gap_share"] == 1
    lost = {name: (np.full((4, 6), np.nan), "degrees") for name in ("latitude", "longitude")}
    assert describe(make_s5p("lost.nc", corners=False, variables=lost))["bounds"] is None


def test_a_file_that_cannot_be_read_described(make_tiff, tmp_path):
    facts = describe(make_tiff(crs=None))
    assert "no CRS" in facts["problem"]
    assert facts["variables"] == [
        {"name": "band_1", "unit": "umol m-2", "dims": ["y", "x"], "shape": [4, 5]}
    ]
    # Where it lies is unknown, not how it is made up.
    assert (facts["kind"], facts["shape"], facts["crs"]) == ("grid", [4, 5], None)
    assert facts["range"] is None
    absent = describe(tmp_path / "absent.nc")
    assert "does not exist" in absent["problem"]
    assert absent["reader"] is None


def test_warnings_are_part_of_the_description(make_grid):
    facts = describe(make_grid(values=np.full((6, 8), 5e-5), attrs={}))
    assert [
        "states no unit; it is read as mol m-2" in warning for warning in facts["warnings"]
    ] == [True]
    assert facts["unit"] is None


def test_paths_as_text(make_grid):
    path = make_grid()
    assert open_column(str(path)).equals(open_column(Path(path)))
    assert open_column(iter([path])).equals(open_column(path))
