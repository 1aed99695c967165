"""No file tells no2sr what to run, where to read or where to write; see docs/security.md."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import re
import stat
import tempfile
import zipfile
from pathlib import Path

import makers
import numpy as np
import onnx
import pytest
from opening import open_column

import no2sr
from no2sr.core.errors import CardMismatchError, FileUnreadableError, ReadError, UnknownFormatError
from no2sr.networks.engines.make import make_engine
from no2sr.networks.store import CARD, KERAS_FILE, ONNX_FILE, find_shipped, load_keras, load_model
from no2sr.readers.formats import packed

PACKAGE = Path(no2sr.__file__).parent


class _Bomb:
    """Pickles as an order to make a file."""

    def __reduce__(self):
        return (os.mkdir, (f"{os.environ['NO2SR_MARK']}",))


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """Return a folder that is made if anything in a file is run."""
    monkeypatch.setenv("NO2SR_MARK", str(tmp_path / "was_run"))
    yield tmp_path / "was_run"
    assert not (tmp_path / "was_run").exists()


def _model(tmp_path, *, keras_file=None, onnx_file=None):
    """Return a folder with a card that fits whatever network files are put there."""
    folder = tmp_path / "model"
    source = find_shipped("espcn", 2)
    contents = {
        KERAS_FILE: keras_file or (source / KERAS_FILE).read_bytes(),
        ONNX_FILE: onnx_file or (source / ONNX_FILE).read_bytes(),
    }
    card = json.loads((source / CARD).read_text())
    card["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / CARD).write_text(json.dumps(card))
    return folder


def _keras_archive(tmp_path, layer):
    """Return a .keras file with one layer of a foreign kind."""
    import keras

    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Activation("relu")])
    network.save(tmp_path / "good.keras")
    changed = tmp_path / "bad.keras"
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(changed, "w") as bad:
        for name in good.namelist():
            data = good.read(name)
            if name == "config.json":
                config = json.loads(data)
                config["config"]["layers"][1] = layer
                data = json.dumps(config).encode()
            bad.writestr(name, data)
    return changed.read_bytes()


def _lambda_layer():
    import keras

    code = keras.saving.serialize_keras_object(
        keras.layers.Lambda(lambda x: (os.mkdir(os.environ["NO2SR_MARK"]), x)[1])  # noqa: PTH102
    )
    code["build_config"] = {"input_shape": [None, None, None, 1]}
    return code


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_keras_model_with_a_lambda_is_refused(tmp_path, mark):
    model = load_model(_model(tmp_path, keras_file=_keras_archive(tmp_path, _lambda_layer())))
    with pytest.raises(CardMismatchError, match="cannot be loaded safely"):
        load_keras(model)


@pytest.mark.parametrize(
    ("module", "name"), [("os", "mkdir"), ("builtins", "eval"), ("subprocess", "Popen")]
)
def test_a_keras_model_with_a_foreign_class_is_refused(tmp_path, mark, module, name):
    layer = {"module": module, "class_name": name, "config": {"path": str(mark)}}
    model = load_model(_model(tmp_path, keras_file=_keras_archive(tmp_path, layer)))
    with pytest.raises(CardMismatchError, match="cannot be loaded safely"):
        load_keras(model)


def test_a_pickle_is_no_model(tmp_path, mark):
    bomb = pickle.dumps(_Bomb())
    model = load_model(_model(tmp_path, keras_file=bomb, onnx_file=bomb))
    with pytest.raises(CardMismatchError, match="cannot be loaded safely"):
        load_keras(model)
    with pytest.raises(CardMismatchError, match="is damaged, or it is not an ONNX file"):
        make_engine(model)
    for suffix in (".h5", ".mat", ".pkl"):
        lone = tmp_path / f"bomb{suffix}"
        lone.write_bytes(bomb)
        with pytest.raises(no2sr.No2srError):
            load_model(lone, scale=2)


def test_legacy_weights_with_the_code_of_a_layer_are_refused(tmp_path, mark):
    import h5py

    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        layers = [{"class_name": "Lambda", "config": {"function": ["boom"]}}]
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
        file.attrs["layer_names"] = [b"lambda_1"]
        file.create_group("lambda_1").attrs["weight_names"] = np.array([], dtype="S1")
    with pytest.raises(no2sr.No2srError, match="no network that can be loaded"):
        load_model(path, scale=2)


@pytest.mark.parametrize("place", ["../../../../../etc/passwd", "/etc/passwd", "weights.bin"])
def test_an_onnx_model_cannot_read_outside_itself(tmp_path, monkeypatch, place):
    graph = onnx.load_from_string((find_shipped("espcn", 2) / ONNX_FILE).read_bytes())
    weight = graph.graph.initializer[0]
    size = len(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", str(size))):
        weight.external_data.add(key=key, value=value)
    folder = _model(tmp_path, onnx_file=graph.SerializeToString())
    (folder / "weights.bin").write_bytes(bytes(size))
    (tmp_path / "weights.bin").write_bytes(bytes(size))
    monkeypatch.chdir(tmp_path)  # where a runtime would look for the file
    for engine in ("onnxruntime", "openvino"):
        with pytest.raises(CardMismatchError, match="in another file") as refused:
            make_engine(load_model(folder), name=engine)
        assert "\n" not in str(refused.value)


def test_a_model_that_its_card_does_not_know_is_refused(tmp_path):
    folder = _model(tmp_path)
    (folder / ONNX_FILE).write_bytes((folder / ONNX_FILE).read_bytes() + b"\0")
    with pytest.raises(CardMismatchError, match="differs from its card"):
        load_model(folder)


VRT = """<VRTDataset rasterXSize="10" rasterYSize="8"><SRS>EPSG:4326</SRS>
<GeoTransform>76, 0.5, 0, 30, 0, -0.5</GeoTransform><VRTRasterBand dataType="Float32" band="1">
<SimpleSource><SourceFilename>{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("reader", [None, "geotiff", "esri_ascii"])
def test_gdal_reads_no_virtual_raster(tmp_path, reader):
    secret = makers.tiff(tmp_path / "secret.tif")
    for name in ("points.vrt", "points.tif"):
        path = tmp_path / name
        path.write_text(VRT.format(secret))
        with pytest.raises(UnknownFormatError):
            open_column(path, reader=reader)


def test_gdal_is_held_to_its_drivers_even_behind_the_readers(tmp_path):
    from no2sr.readers.kit.bands import DRIVERS, open_raster

    path = tmp_path / "points.vrt"
    path.write_text(VRT.format(makers.tiff(tmp_path / "secret.tif")))
    assert set(DRIVERS.values()) == {"GTiff", "AAIGrid"}
    with pytest.raises(FileUnreadableError), open_raster(path):
        pass


@pytest.mark.parametrize(
    "place",
    [
        "/vsicurl/http://localhost:1/a.tif",
        "/vsizip/{zip}/inside.nc",
        "/vsigzip/{zip}",
        "NETCDF:{nc}:tropospheric_no2_column",
        "GTIFF_DIR:1:{tif}",
        "http://localhost:1/a.nc",
        "https://localhost:1/a.nc#mode=bytes",
        "dods://localhost:1/a.nc",
        "file://{nc}",
        "s3://bucket/a.zarr",
        "zip+file://{zip}!inside.nc",
    ],
)
def test_names_are_names_of_files_only(tmp_path, place, no2sr_command):
    there = {
        "zip": makers.zipped(tmp_path / "a.zip"),
        "nc": makers.cf_grid(tmp_path / "a.nc"),
        "tif": makers.tiff(tmp_path / "a.tif"),
    }
    refused = no2sr_command("info", place.format(**there))
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert "does not exist" in refused.err


def test_a_folder_that_is_called_like_an_address_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("http:") / "localhost:1"
    folder.mkdir(parents=True)
    makers.tiff((folder / "a.tif").absolute())
    makers.cf_grid((folder / "a::b.nc").absolute())
    for name in ("a.tif", "a::b.nc"):
        assert open_column(folder / name).shape == (8, 10)


@pytest.mark.parametrize(
    "name", ["../../escaped.nc", "/escaped.nc", "..\\..\\escaped.nc", "a/../../escaped.nc", ".."]
)
def test_a_zip_writes_into_its_own_folder_only(tmp_path, name, monkeypatch):
    there = tmp_path / "a" / "b"
    there.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(there))
    path = makers.zipped(tmp_path / "slip.zip", name=name)
    try:
        assert open_column(path).shape == (8, 10)
    except ReadError:
        assert name == ".."
    assert [p.name for p in tmp_path.rglob("*escaped*")] == []
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_an_archive_does_not_explode(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(packed, "LEAST", 1 << 20)
    path, data = tmp_path / f"bomb.{kind}", b"\x89HDF" + bytes(30 << 20)
    if kind == "gz":
        path.write_bytes(gzip.compress(data))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.nc", data)
    with pytest.raises(FileUnreadableError, match="unpacks to more than"):
        open_column(path)


def test_an_archive_in_an_archive_is_refused(tmp_path):
    inner = makers.gzipped(tmp_path / "a.nc.gz")
    path = tmp_path / "a.nc.gz.gz"
    path.write_bytes(gzip.compress(inner.read_bytes()))
    with pytest.raises(UnknownFormatError, match="holds another archive"):
        open_column(path)


def test_what_is_unpacked_is_private_and_goes_away(tmp_path, monkeypatch):
    seen = []
    find = packed.find_reader

    def look(path):
        seen.append((stat.S_IMODE(path.parent.stat().st_mode), path.parent))
        return find(path)

    monkeypatch.setattr(packed, "find_reader", look)
    open_column(makers.zipped(tmp_path / "a.zip"))
    assert [mode for mode, _ in seen] == [0o700]
    assert not seen[0][1].exists()


def test_no_shell_and_no_code_from_data_anywhere():
    unsafe = re.compile(
        r"\b(os\.system|os\.popen|subprocess|shell=True|eval\(|exec\(|pickle\.load\(|yaml\.load\("
        r"|allow_pickle=True|joblib|dill|safe_mode=False|enable_unsafe_deserialization)"
    )
    found = {
        (path.name, line.strip())
        for path in PACKAGE.rglob("*.py")
        for line in path.read_text().splitlines()
        if unsafe.search(line)
    }
    assert found == set()
