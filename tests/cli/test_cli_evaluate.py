"""``no2sr evaluate``: the table, the files it leaves, and what it refuses."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.downscaling.baselines import BASELINES, NOISE_AWARE

CLASSICAL = [name for name in BASELINES if name not in NOISE_AWARE]


def test_table_has_every_method_and_fits_a_terminal(no2sr_command, grid_file):
    shown = no2sr_command("evaluate", grid_file, "--scale", "2")
    assert (shown.code, shown.err) == (0, "")
    for method in (*CLASSICAL, "srcnn"):
        # Long names are broken at blanks, never within a word.
        assert all(word in shown.out for word in method.split()), method
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "RMSE in µmol m⁻²" in shown.out
    assert "Images: 1. Scale: 2." in shown.out


def test_files_hold_the_table_of_the_library(no2sr_command, grid_file, tmp_path):
    table = no2sr.evaluate(open_column(grid_file), scale=2, methods=["nearest", "srcnn"])
    outputs = {name: tmp_path / "new" / f"table.{name}" for name in ("csv", "json")}
    options = [part for name, path in outputs.items() for part in (f"--{name}", path)]
    done = no2sr_command(
        "evaluate", grid_file, "--scale", "2", "--methods", "nearest, srcnn", *options
    )
    assert done.code == 0
    rows = list(csv.DictReader(outputs["csv"].read_text().splitlines()))
    assert [row["method"] for row in rows] == ["nearest", "srcnn"]
    assert float(rows[1]["rmse"]) == pytest.approx(table.loc["srcnn", "rmse"])
    said = json.loads(outputs["json"].read_text())
    assert said["files"] == ["india.nc"]
    assert (said["scale"], said["unit"], said["psf"]) == (2, "mol m-2", None)
    assert said["methods"]["nearest"]["psnr"] == pytest.approx(table.loc["nearest", "psnr"])
    # 24 x 20 cells are too few for a spectrum, and JSON has no NaN.
    assert said["methods"]["nearest"]["effective_resolution"] is None


def test_a_model_of_ones_own_stands_beside_all_others(no2sr_command, grid_file, tmp_path):
    mine = no2sr.save_model(no2sr.load_model("espcn", scale=2), tmp_path / "mine")
    out = tmp_path / "t.json"
    done = no2sr_command(
        "evaluate", grid_file, "--scale", "2", "--model", mine, "--json", out, "--quiet"
    )
    assert done.code == 0
    table = json.loads(out.read_text())["methods"]
    assert {*CLASSICAL, "srcnn", str(mine)} <= set(table)
    assert table[str(mine)] == table["espcn"]


def test_figures_are_drawn(no2sr_command, grid_file, tmp_path):
    folder = tmp_path / "figures"
    done = no2sr_command(
        "evaluate", grid_file, "--methods", "bicubic,srcnn", "--figures", folder, "--quiet"
    )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert sorted(path.name for path in folder.iterdir()) == [
        "errors.png",
        "maps.png",
        "spectra.png",
    ]


def test_options_reach_the_protocol(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "table.json"
    done = no2sr_command(
        *("evaluate", grid_file, "--methods", "nearest", "--scale", "2", "--psf", "0.74", "0.44"),
        *("--full-scale", "--bbox", "76,27.1,77.6,29.5", "--json", out),
    )
    assert done.code == 0
    assert "full scale" in done.out
    said = json.loads(out.read_text())
    assert said["psf"] == [0.74, 0.44]
    assert said["methods"]["nearest"]["full_scale_closure"] == pytest.approx(0, abs=1e-12)
    image = open_column(grid_file, bbox=(76, 27.1, 77.6, 29.5))
    expected = no2sr.evaluate(image, scale=2, methods=["nearest"], psf=(0.74, 0.44))
    assert said["methods"]["nearest"]["rmse"] == pytest.approx(expected.loc["nearest", "rmse"])


def test_noise_reaches_the_protocol_in_umol(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "table.json"
    done = no2sr_command(
        *("evaluate", grid_file, "--methods", "bicubic,gaussian,srcnn", "--noise", "7,0.15"),
        *("--seed", "3", "--json", out),
    )
    assert done.code == 0
    assert "Stated uncertainty" in done.out
    said = json.loads(out.read_text())
    assert (said["noise"], said["seed"]) == ([pytest.approx(7e-6), 0.15], 3)
    expected = no2sr.evaluate(
        open_column(grid_file), methods=["bicubic", "gaussian", "srcnn"], noise=(7e-6, 0.15), seed=3
    )
    for method, row in said["methods"].items():
        assert row["rmse"] == pytest.approx(expected.loc[method, "rmse"])
    covered = said["methods"]["srcnn"]["coverage_90"]
    assert covered == pytest.approx(expected.loc["srcnn", "coverage_90"])
    assert said["methods"]["bicubic"]["coverage_90"] is None


def test_with_noise_all_classical_methods_are_judged(no2sr_command, grid_file, tmp_path):
    out = tmp_path / "table.json"
    assert no2sr_command("evaluate", grid_file, "--noise", "7", "--json", out, "-q").code == 0
    assert {*BASELINES, "srcnn"} <= set(json.loads(out.read_text())["methods"])


@pytest.mark.parametrize("noise", ["loud", "-1", "7,", "7,0.1,2", "nan"])
def test_noise_that_is_none_is_a_usage_error(no2sr_command, grid_file, noise):
    refused = no2sr_command("evaluate", grid_file, f"--noise={noise}")
    assert refused.code == 2
    assert "is no noise" in refused.err


def test_several_files_are_judged_together(no2sr_command, grid, grid_file, tmp_path):
    other = grid_file.with_name("south.nc")
    (2 * grid.isel(latitude=slice(8, 24))).to_netcdf(other)
    out = tmp_path / "table.json"
    done = no2sr_command(
        "evaluate", grid_file, other, "--methods", "nearest", "--unit-in", "mol m-2", "--json", out
    )
    assert done.code == 0
    said = json.loads(out.read_text())
    assert said["images"] == 2
    images = [open_column(path, unit="mol m-2") for path in (grid_file, other)]
    expected = no2sr.evaluate(images, methods=["nearest"]).loc["nearest", "rmse"]
    assert said["methods"]["nearest"]["rmse"] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["csv", "json", "figures"])
def test_nothing_is_replaced_unasked(no2sr_command, tmp_path, grid_file, kind):
    out = tmp_path / ("figures" if kind == "figures" else "table")
    taken = out / "maps.png" if kind == "figures" else out
    taken.parent.mkdir(exist_ok=True)
    taken.write_text("precious")
    refused = no2sr_command("evaluate", "absent.nc", f"--{kind}", out)
    assert refused.code == 1
    assert "pass --overwrite" in refused.errors[0]  # and not that absent.nc is absent
    assert taken.read_text() == "precious"
    done = no2sr_command(
        "evaluate", grid_file, "--methods", "nearest", f"--{kind}", out, "--overwrite"
    )
    assert done.code == 0
    assert taken.read_bytes() != b"precious"


@pytest.mark.parametrize(
    ("args", "advice"),
    [
        (["--methods", "magic"], "srcnn"),
        (["--scale", "1"], "at least 2"),
        (["--scale", "40"], "larger region"),
        (["--psf", "0.74", "1.2"], "between 0 and 1"),
    ],
)
def test_what_cannot_be_judged_is_one_line(no2sr_command, grid_file, tmp_path, args, advice):
    out = tmp_path / "table.csv"
    refused = no2sr_command("evaluate", grid_file, "--csv", out, *args)
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert advice in refused.errors[0]
    assert not out.exists()


@pytest.mark.real_data
def test_networks_beat_interpolation_where_they_never_were(real_data):
    image = open_column(real_data / "tempo_utm" / "tempo_vcd_troposphere_utm11_clipped.tif")
    table = no2sr.evaluate(image, scale=4, methods=["bicubic", "bicubic + correction", "srcnn"])
    assert table.loc["srcnn", "rmse"] < table.loc["bicubic + correction", "rmse"]
    assert np.isfinite(table.loc["srcnn", "rmse / bicubic high"])
