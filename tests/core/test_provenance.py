"""What an output says of itself, through every format, and what is said of using it as an input."""

from __future__ import annotations

import json
import warnings

import pytest
import rioxarray
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core.errors import RefinedInputWarning
from no2sr.core.grid import coarsen, refine
from no2sr.core.provenance import (
    coarsen_attrs,
    coarsening_of,
    list_labelled,
    origin,
    refinement_of,
)

SUFFIXES = [".tif", ".nc", ".zarr"]


@pytest.fixture
def swath_file(samples):
    (path,) = samples.glob("S5P*")
    return path


@pytest.fixture
def small(swath_file):
    """Return what a little of the sample swath says and holds."""
    return open_column(swath_file, qa_min=0.5, bbox=(77, 28.2, 77.6, 28.8))


def test_a_swath_says_what_it_is(small):
    attrs = small.attrs
    assert attrs["no2sr_product"] == "Sentinel-5P TROPOMI level 2 swath"
    assert attrs["no2sr_processor_version"] == "2.6.0"
    assert attrs["no2sr_quality_threshold"] == 0.5
    assert attrs["no2sr_screening"] == "pixels with qa_value above 0.5"
    assert "processor 2.6.0" in attrs["source"]


def test_a_grid_says_what_is_not_known_of_it(grid_file):
    attrs = open_column(grid_file).attrs
    assert attrs["no2sr_product"] == "CF grid in NetCDF or HDF5"
    assert attrs["no2sr_processor_version"] == "not stated by the input"
    assert attrs["no2sr_quality_threshold"] == "none applied"
    assert attrs["no2sr_screening"] == "all, as the input gives them"
    assert attrs["source"] == "india.nc"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_that_was_done_is_in_the_file_and_read_back(small, tmp_path, no2sr_command, suffix):
    fine = no2sr.downscale(small, scale=2, conserve="multiplicative")
    path = no2sr.write(fine, tmp_path / f"fine{suffix}")
    told = json.loads(no2sr_command("info", path, "--json").out)
    made = told["made_by"]
    assert told["source"] == small.attrs["source"]
    assert made == {
        "no2sr_product": "Sentinel-5P TROPOMI level 2 swath",
        "no2sr_processor_version": "2.6.0",
        "no2sr_quality_threshold": "0.5",
        "no2sr_screening": "pixels with qa_value above 0.5",
        "no2sr_version": no2sr.__version__,
        "no2sr_model": "srcnn",
        "no2sr_model_sha256": no2sr.load_model("srcnn", scale=2).card.files["network.keras"],
        "no2sr_scale": "2",
        "no2sr_edges": "pad",
        "no2sr_conserve": "multiplicative",
        "no2sr_closure_max": str(fine.attrs["no2sr_closure_max"]),
        "no2sr_gap_share": str(fine.attrs["no2sr_gap_share"]),
    }
    shown = " ".join(no2sr_command("info", path).out.split())
    for line in ("product: Sentinel-5P", "processor version: 2.6.0", "quality threshold: 0.5"):
        assert line in shown
    assert "largest residual of conservation: " in shown
    assert "standard deviations of the input" in shown


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_own_output_as_input_is_warned_about(grid_file, tmp_path, no2sr_command, suffix):
    first = tmp_path / f"first{suffix}"
    assert no2sr_command("downscale", grid_file, first, "--scale", 2).errors == []
    again = no2sr_command("downscale", first, tmp_path / "second.nc", "--scale", 3)
    assert again.code == 0
    (line,) = (line for line in again.err.splitlines() if "2 times finer by no2sr" in line)
    assert line.startswith("Warning: ")
    with xr.open_dataset(tmp_path / "second.nc") as second:
        assert second.attrs["no2sr_scale"] == 3
        assert second.attrs["no2sr_earlier_scale"] == 2
        assert "6 times refined" in second.attrs["title"]
    facts = json.loads(no2sr_command("info", tmp_path / "second.nc", "--json").out)
    assert facts["effective_resolution"] == pytest.approx([0.1, 0.1])
    assert "6 times finer" in facts["warnings"][0]


@pytest.mark.parametrize("suffix", [".tif", ".nc"])
def test_python_warns_alike_whatever_opened_it(grid, tmp_path, suffix):
    path = no2sr.write(no2sr.downscale(grid, scale=2), tmp_path / f"fine{suffix}")
    opened = [open_column(path)]
    if suffix == ".nc":
        opened.append(xr.open_dataset(path))
    else:
        opened.append(rioxarray.open_rasterio(path))
    for again in opened:
        with pytest.warns(RefinedInputWarning, match="2 x 2 cells were observed"):
            no2sr.downscale(again, scale=2)
        again.close()


def test_an_observed_grid_is_not_warned_about(grid_file, tmp_path):
    path = no2sr.write(open_column(grid_file), tmp_path / "copy.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RefinedInputWarning)
        no2sr.downscale(open_column(path), scale=2)


def test_averaged_back_it_is_observed_again(small):
    fine = no2sr.downscale(small, scale=4)
    half, whole = coarsen(fine, 2), coarsen(fine, 4)
    assert refinement_of(half.attrs) == 2
    assert refinement_of(whole.attrs) == 1
    kept = {key for key in whole.attrs if key.startswith("no2sr_")}
    assert kept == {key for key in small.attrs if key.startswith("no2sr_")}
    assert refinement_of(fine.attrs) == 4  # untouched


@pytest.mark.parametrize(
    ("attrs", "times"),
    [
        ({}, 1),
        ({"no2sr_scale": "4"}, 4),
        ({"no2sr_scale": 4, "no2sr_earlier_scale": "2"}, 8),
        ({"no2sr_scale": "many"}, 1),
        ({"no2sr_scale": "nan"}, 1),
        ({"no2sr_scale": float("inf")}, 1),
        ({"no2sr_scale": None}, 1),
        ({"no2sr_scale": -3}, 1),
    ],
)
def test_a_tag_that_somebody_else_wrote_breaks_nothing(attrs, times):
    assert refinement_of(attrs) == times
    assert refinement_of({"no2sr_scale": 2}, attrs) == max(2, times)


def test_an_average_over_other_blocks_is_no_observation():
    attrs = {"no2sr_scale": 4, "no2sr_model": "srcnn", "units": "mol m-2"}
    assert coarsen_attrs(attrs, 3) == attrs
    assert coarsen_attrs(attrs, 8) == {"units": "mol m-2"}
    assert coarsen_attrs({**attrs, "no2sr_earlier_scale": 2}, 2)["no2sr_scale"] == 4


@pytest.mark.parametrize(("blocks", "before"), [(4, 6), (8, 12), (2, 6), (3, 6)])
def test_averaging_keeps_count_of_an_average_before(blocks, before):
    attrs = coarsen_attrs({"no2sr_scale": 4, "no2sr_coarsened": "6"}, blocks)
    assert coarsening_of(attrs) == before
    assert "no2sr_coarsened" not in coarsen_attrs({"no2sr_scale": 4}, blocks)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_average_before_is_told_by_every_format(grid, tmp_path, suffix):
    averaged = no2sr.coarsen_to_native(refine(open_column(no2sr.write(grid, tmp_path / "a.nc")), 3))
    path = no2sr.write(no2sr.downscale(averaged, scale=2), tmp_path / f"fine{suffix}")
    told = open_column(path).attrs
    assert coarsening_of(told) == 3
    assert ("averaged first", "3 x 3 cells of the file") in list_labelled(told)


def test_words_for_people_come_in_order_and_forget_nothing():
    attrs = {
        "no2sr_gap_share": "0.25",
        "no2sr_zoo": 1,
        "no2sr_model": "srcnn",
        "no2sr_closure_max": "unknown",
        "units": "mol m-2",
    }
    assert list_labelled(attrs) == [
        ("model", "srcnn"),
        ("largest residual of conservation", "unknown"),
        ("share of gaps", "25.0%"),
        ("zoo", "1"),
    ]


def test_what_an_own_file_says_of_its_origin_outlasts_rereading():
    before = {"no2sr_product": "TEMPO", "no2sr_processor_version": "V03", "no2sr_scale": 4}
    again = origin("GeoTIFF raster", before)
    assert again["no2sr_product"] == "TEMPO"
    assert again["no2sr_processor_version"] == "V03"
    assert again["no2sr_scale"] == 4


def test_lists_of_a_value_for_each_file_are_not_for_people():
    told = {"no2sr_time_coverage_start": "2019-01-03T12:15:08Z", "no2sr_overpass_times": "a; b"}
    assert list_labelled(told) == [("first overpass", "2019-01-03T12:15:08Z")]
