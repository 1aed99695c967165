"""Scenes: what accompanies a column stays with it on every way of opening."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core.door import choose_variable
from no2sr.core.layers import companions_of
from no2sr.readers.opening.describe import describe
from no2sr.readers.opening.grids import column_of
from no2sr.readers.opening.opener import open_no2

NAME = "tropospheric_no2"
DIMS = ("lat", "lon")
CELLS = np.arange(48.0).reshape(6, 8)


def layers(dims=DIMS, **fields):
    """Return variables for `make_grid`, by what their names have after the column's."""
    lead = (2,) if len(dims) == 3 else ()
    return {
        f"{NAME}_{name}": (dims, np.broadcast_to(values, (*lead, 6, 8)), {"units": unit})
        for name, (values, unit) in fields.items()
    }


@pytest.mark.parametrize("name", ["uncertainty_random", "uncertainty_systematic", "uncertainty"])
@pytest.mark.parametrize("chunks", [None, {}])
def test_uncertainties_go_the_way_of_the_column(make_grid, name, chunks):
    path = make_grid(extra=layers(**{name: (100 + CELLS, "umol m-2")}))
    scene = open_no2(path, chunks=chunks, bbox=(21, 11, 23, 12.5))
    layer = scene[f"{NAME}_{name}"]
    assert (layer.chunks is None) == (chunks is None)
    # Rows from 10.25 upwards in steps of 0.5, columns from 20.25; the box keeps 2..4 and 2..5.
    expected = (100 + CELLS)[2:5, 2:6][::-1] * 1e-6
    np.testing.assert_allclose(layer, expected, rtol=1e-6)
    assert layer.attrs["units"] == "mol m-2"
    assert layer.name in scene[NAME].attrs["ancillary_variables"]


@pytest.mark.parametrize("name", [f"{NAME}_precision", f"{NAME}_error", "precision", "uncertainty"])
def test_other_names_of_the_total(make_grid, name):
    path = make_grid(extra={name: (DIMS, 100 + CELLS, {"units": "nmol m-2"})})
    scene = open_no2(path)
    assert set(scene) == {NAME, f"{NAME}_uncertainty"}
    np.testing.assert_allclose(scene[f"{NAME}_uncertainty"][::-1], (100 + CELLS) * 1e-9, rtol=1e-6)


def test_an_uncertainty_is_converted_by_the_factor_of_its_column(make_grid):
    per_mol = 6.02214076e19
    values = np.full((6, 8), 5e-5 * per_mol)
    extra = layers(uncertainty=(1e-5 * per_mol, "mol m-2"))
    path = make_grid(values=values, attrs={"units": "mol m-2"}, extra=extra)
    with pytest.warns(no2sr.UnverifiedUnitsWarning, match="read as molecules cm-2"):
        scene = open_no2(path)
    np.testing.assert_allclose(scene[f"{NAME}_uncertainty"], 1e-5, rtol=1e-6)
    scene = open_no2(path, unit="molecules cm-2")
    np.testing.assert_allclose(scene[f"{NAME}_uncertainty"], 1e-5, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "unit", "says"),
    [
        (np.where(CELLS == 3, -1.0, 1.0), "nmol m-2", "is negative in 1 of 48 places"),
        (np.nan, "nmol m-2", "is missing everywhere"),
        (1.0, "%", "is in '%' but its column is in 'nmol m-2'"),
        (1e20, "nmol m-2", "is larger than any column"),
    ],
)
def test_an_uncertainty_that_can_be_none_is_left_out(make_grid, values, unit, says):
    path = make_grid(extra=layers(uncertainty=(values, unit)))
    with pytest.warns(no2sr.RepairWarning, match=says) as told:
        scene = open_no2(path)
    assert set(scene) == {NAME}
    ours = [w for w in told if issubclass(w.category, no2sr.No2srWarning)]
    assert len(ours) == 1
    assert "\n" not in str(ours[0].message)


def test_an_uncertainty_on_another_grid_is_left_out(make_grid):
    extra = {f"{NAME}_uncertainty": ("lat", np.ones(6), {"units": "nmol m-2"})}
    with pytest.warns(no2sr.RepairWarning, match=r"lies on \{'lat': 6\}, its column on"):
        assert set(open_no2(make_grid(extra=extra))) == {NAME}


def test_a_few_fills_are_gaps_and_zero_is_legal(make_grid):
    values = np.where(CELLS == 3, 1e12, 0.0)
    path = make_grid(extra=layers(uncertainty_random=(values, "nmol m-2")))
    with pytest.warns(no2sr.RepairWarning, match="1 values of .* read as gaps"):
        layer = open_no2(path)[f"{NAME}_uncertainty_random"]
    assert np.isnan(layer.values).sum() == 1
    assert layer.max() == 0


def test_steps_and_stacks_carry_all_layers(make_grid):
    days = np.array(["2023-10-30", "2023-10-31"], dtype="M8[ns]")
    extra = layers(("time", *DIMS), uncertainty=(100 + CELLS, "nmol m-2"))
    path = make_grid(times=days, extra=extra)
    assert open_no2(path)[f"{NAME}_uncertainty"].dims == ("time", "y", "x")
    one = open_no2(path, time="2023-10-31")
    assert one[f"{NAME}_uncertainty"].dims == ("y", "x")
    bare = make_grid("bare.nc", times=days[:1])
    alone = make_grid(
        "alone.nc",
        times=days[1:],
        extra={f"{NAME}_uncertainty": (("time", *DIMS), 100 + CELLS[None], {"units": "nmol m-2"})},
    )
    for chunks in (None, {}):
        stack = open_no2([alone, bare], chunks=chunks).compute()
        layer = stack[f"{NAME}_uncertainty"]
        assert np.isnan(layer[0]).all()  # a layer that a file lacks is missing at its time
        np.testing.assert_allclose(layer[1], one[f"{NAME}_uncertainty"])
        assert stack[NAME].dims == ("time", "y", "x")


def test_bands_and_shards_carry_all_layers(make_tiff, tmp_path):
    names = ("NO2", "NO2_uncertainty")
    place = {"descriptions": names}
    bands = np.stack([np.full((4, 5), 50.0), np.full((4, 5), 5.0)])
    east = no2sr_transform(5)
    paths = [
        make_tiff("no2-0000000000-0000000000.tif", bands=bands, **place),
        make_tiff("no2-0000000000-0000000005.tif", bands=2 * bands, transform=east, **place),
    ]
    assert set(open_no2(paths[0])) == set(names)
    whole = open_no2(tmp_path)
    np.testing.assert_allclose(whole["NO2_uncertainty"][0], [5e-6] * 5 + [1e-5] * 5, rtol=1e-6)
    lazy = open_no2(tmp_path, chunks="auto")
    assert lazy["NO2_uncertainty"].chunks is not None
    xr.testing.assert_equal(lazy.compute(), whole)


def no2sr_transform(columns):
    """Return the place of a raster so many columns farther east than that of `make_tiff`."""
    from affine import Affine

    return Affine(0.5, 0, 20 + 0.5 * columns, 0, -0.5, 12)


def test_what_was_written_is_found_again(make_s5p, tmp_path):
    scene = open_no2(make_s5p(), resolution=0.0625)
    path = tmp_path / "scene.nc"
    scene.to_netcdf(path)
    back = open_no2(path)
    assert set(back) == set(scene)
    for name in scene:
        np.testing.assert_allclose(back[name], scene[name], rtol=1e-6)


def test_companions_never_make_a_column_ambiguous(make_s5p):
    scene = open_no2(make_s5p(), resolution=0.0625)
    assert set(companions_of(scene, column_of(scene).name)) == {
        "uncertainty_systematic",
        "uncertainty",
        "coverage",
        "count",
    }
    assert choose_variable(scene).identical(column_of(scene))


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        (("no2", "no2_precision", "no2_weight"), "no2"),
        (("no2_total", "no2_trop", "no2_strat"), "no2_trop"),
        (("NO2_column", "NO2_slant_column", "air_mass_factor"), "NO2_column"),
        (("tropospheric_no2", "tropospheric_no2_uncertainty_random", "coverage", "count"), NAME),
        (("no2_apriori", "no2_kernel", "no2"), "no2"),
        (("no2", "hno2", "n2o"), "no2"),
    ],
)
def test_a_file_and_its_dataset_have_one_answer(make_grid, fields, chosen):
    extra = {name: (DIMS, 50 + CELLS, {"units": "umol m-2"}) for name in fields}
    first = fields[0]
    path = make_grid(values=50 + CELLS, variable=first, attrs=extra[first][2], extra=extra)
    with xr.open_dataset(path) as dataset:
        assert choose_variable(dataset).name == open_column(path).name == chosen


def test_a_unit_decides_between_two_of_the_same_name(make_grid):
    extra = {"no2_mixing_ratio": (DIMS, CELLS, {"units": "ppb"})}
    path = make_grid(
        variable="no2_column", values=50 + CELLS, attrs={"units": "umol m-2"}, extra=extra
    )
    with xr.open_dataset(path) as dataset:
        assert choose_variable(dataset).name == open_column(path).name == "no2_column"


@pytest.mark.parametrize("kind", ["grid", "swath"])
def test_a_file_is_opened_once_to_look_and_once_to_read(kind, make_grid, make_s5p, monkeypatch):
    path = make_grid() if kind == "grid" else make_s5p()
    count, real = 0, netCDF4.Dataset

    def counting(function):
        def call(*args, **settings):
            nonlocal count
            count += 1
            return function(*args, **settings)

        return call

    class Counting(type):  # what is derived from a class of Cython crashes when it is collected
        def __call__(cls, *args, **settings):
            return counting(real)(*args, **settings)

        def __instancecheck__(cls, thing):
            return isinstance(thing, real)

    class Counted(metaclass=Counting):
        pass

    monkeypatch.setattr(netCDF4, "Dataset", Counted)
    monkeypatch.setattr(xr, "open_dataset", counting(xr.open_dataset))
    open_no2(path)
    assert count <= 3


def test_info_knows_where_the_noise_comes_from(make_s5p, make_grid):
    noise = np.random.default_rng(0).normal(0, 1e-6, (40, 50))
    facts = describe(make_s5p(shape=(40, 50), column=5e-5 + noise))["noise"]
    assert facts["uncertainty_random"]["median"] == pytest.approx(1e-6, rel=0.1)
    assert "scatter" in facts["uncertainty_random"]["comment"]
    assert describe(make_grid())["noise"] is None
    extra = layers(uncertainty=(1.0, "umol m-2"))
    facts = describe(make_grid(extra=extra))["noise"]
    assert facts == {"uncertainty": {"median": pytest.approx(1e-6), "comment": None}}
