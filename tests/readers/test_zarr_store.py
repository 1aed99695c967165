"""Zarr stores: what CF NetCDF is, in a folder."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.registry import find_reader
from no2sr.writers.zarr import write_zarr

pytest.importorskip("zarr")
NMOL = 1e-9


@pytest.fixture
def store(make_grid, tmp_path):
    """Return a writer of stores; the column is 1000 * latitude + longitude in nmol m-2."""

    def make(name="grid.zarr", *, form=2, **options):
        with xr.open_dataset(make_grid(**options)) as dataset:
            dataset.to_zarr(tmp_path / name, zarr_format=form, consolidated=form == 2)
        return tmp_path / name

    return make


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("latitude", [[10.25, 10.75, 11.25], [11.25, 10.75, 10.25]])
@pytest.mark.parametrize("turn", [0, 360])
@pytest.mark.parametrize("chunks", [None, {}])
def test_every_cell_lands_where_it_says(store, form, latitude, turn, chunks):
    path = store(form=form, latitude=latitude, longitude=-20.25 + turn + np.arange(4) * 0.5)
    assert find_reader(path).name == "zarr"
    image = open_column(path, chunks=chunks)
    assert (image.chunks is None) == (chunks is None)
    image = check_image(image.load())
    assert image.rio.bounds() == pytest.approx((-20.5, 10, -18.5, 11.5))
    np.testing.assert_allclose(image, (1000 * image["y"] + image["x"]) * NMOL, rtol=1e-6)


def test_what_the_writer_wrote(make_grid, tmp_path):
    image = open_column(make_grid())
    again = open_column(write_zarr(image, tmp_path / "out.zarr"))
    np.testing.assert_array_equal(again, image)
    assert again.rio.transform() == image.rio.transform()
    assert again.attrs["units"] == "mol m-2"


def test_variables_by_name(store):
    path = store(extra={"so2": (("lat", "lon"), np.full((6, 8), 2e-5), {"units": "mol m-2"})})
    assert open_column(path, variable="so2").values == pytest.approx(2e-5)
    with pytest.raises(no2sr.MissingVariableError, match=r"tropospheric_no2 \[nmol m-2\]"):
        open_column(path, variable="ozone")


def test_damaged_metadata(store):
    path = store()
    (path / ".zmetadata").write_text("{")
    with pytest.raises(no2sr.FileUnreadableError, match="Zarr store"):
        open_column(path)


def test_without_the_package(store, monkeypatch):
    path = store()
    monkeypatch.setattr("no2sr.readers.formats.zarr_store.find_spec", lambda _: None)
    with pytest.raises(no2sr.MissingDependencyError, match=r"no2sr\[zarr\]"):
        open_column(path)
    assert importlib.util.find_spec("zarr") is not None
