"""``--history`` and ``--neighbours``: on the command line and in what it writes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from scipy.ndimage import gaussian_filter

import no2sr
from no2sr.core.grid import georeference


def write_map(path, values, step, *, times=None):
    dims = ("y", "x") if times is None else ("time", "y", "x")
    attrs = {"units": "mol m-2", "standard_name": "troposphere_mole_content_of_nitrogen_dioxide"}
    image = xr.DataArray(values.astype("float32"), dims=dims, name="no2", attrs=attrs)
    if times is not None:
        image = image.assign_coords(time=times)
    image = georeference(image, Affine(step, 0, 10, 0, -step, 45), "EPSG:4326")
    return no2sr.write(image.to_dataset(), path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Write a noisy coarse day, its history, and one that does not fit."""
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(1)
    field = gaussian_filter(rng.normal(size=(96, 112)), 2)
    fine = 1e-4 + 2e-5 * field / field.std()
    coarse = fine.reshape(24, 4, 28, 4).mean(axis=(1, 3))
    write_map(folder / "day.nc", coarse + 5e-6 * rng.normal(size=coarse.shape), 0.1)
    write_map(folder / "year.nc", fine + 2e-6 * rng.normal(size=fine.shape), 0.025)
    write_map(folder / "white.nc", rng.normal(size=fine.shape) * 1e-5, 0.025)
    times = np.array(["2023-10-31T00", "2023-10-31T01", "2023-10-31T02"], dtype="datetime64[ns]")
    hours = coarse + 5e-6 * rng.normal(size=(3, *coarse.shape))
    write_map(folder / "hours.nc", hours, 0.1, times=times)
    return folder


def test_downscale_uses_it_and_says_so(no2sr_command, place, tmp_path):
    out = tmp_path / "fine.nc"
    options = ("--noise", "5", "--history", place / "year.nc")
    assert no2sr_command("downscale", place / "day.nc", out, *options).code == 0
    with xr.open_dataset(out) as written:
        attrs = written.attrs
        assert attrs["no2sr_place_history"] == "year.nc"
        assert attrs["no2sr_place_history_resolution"] == pytest.approx(0.25, rel=0.01)
        assert "history=year.nc" in attrs["history"]
        told = written["no2"].values
    plain = no2sr.downscale(no2sr.open_no2(place / "day.nc"), noise=5e-6)["no2"].values
    assert 0 < np.abs(told - plain).max() < 1e-4
    same = no2sr.downscale(no2sr.open_no2(place / "day.nc"), noise=5e-6, history=place / "year.nc")
    np.testing.assert_allclose(told, same["no2"].values, rtol=1e-6, atol=1e-12)


def test_a_history_that_cannot_be_used_is_one_line(no2sr_command, place, tmp_path):
    out = tmp_path / "fine.tif"
    found = no2sr_command("downscale", place / "day.nc", out, "--history", place / "day.nc")
    assert found.code == 1
    assert "times as large as those of the scene" in found.err
    assert found.err.count("\n") == 1
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "verdict"), [("year.nc", "it fits"), ("white.nc", "it does not fit")]
)
def test_info_tells_whether_it_fits(no2sr_command, place, name, verdict):
    shown = no2sr_command("info", place / "day.nc", "--history", place / name)
    assert shown.code == 0
    text = " ".join(shown.out.split())
    assert f"{name} covers 100% of the observed cells and resolves 0.25 of a cell" in text
    assert verdict in text
    told = no2sr_command("info", place / "day.nc", "--history", place / name, "--json")
    fit = json.loads(told.out)["history_fit"]
    assert (fit["correlation"] > 0.5) == (name == "year.nc")


def test_evaluate_judges_networks_with_it_as_well(no2sr_command, place, tmp_path):
    table = tmp_path / "table.json"
    options = ("--scale", "2", "--methods", "bicubic,srcnn", "--noise", "5", "--json", table)
    history = ("--history", place / "year.nc")
    done = no2sr_command("evaluate", place / "year.nc", *options, *history)
    assert done.code == 0
    said = json.loads(table.read_text())
    assert set(said["methods"]) == {"bicubic", "srcnn", "srcnn with history"}
    assert said["methods"]["srcnn with history"]["rmse"] < said["methods"]["srcnn"]["rmse"]


def test_neighbours_of_a_stack(no2sr_command, place, tmp_path):
    options = ("--noise", "5", "--neighbours", "1")
    done = no2sr_command("downscale", place / "hours.nc", tmp_path / "fine.nc", *options)
    assert done.code == 0
    with xr.open_dataset(tmp_path / "fine.nc") as written:
        assert written.attrs["no2sr_neighbours"] == "one step before and after"
