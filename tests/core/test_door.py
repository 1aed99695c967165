"""The door: what is let in, what is refused and with which advice, and what is given back."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest
import xarray as xr
from affine import Affine

import no2sr.core.errors as err
from no2sr.core.door import choose_variable, enter, leave
from no2sr.core.grid import bounds_of, refine, transform_of
from no2sr.core.image import check_image

LAT = np.array([10.75, 10.25, 9.75])
LON = np.array([20.25, 20.75, 21.25, 21.75])
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4) - 2  # some negative


def column(values=VALUES, *, dims=("lat", "lon"), coords=None, **attrs) -> xr.DataArray:
    coords = {"lat": LAT, "lon": LON} if coords is None else coords
    attrs = {"units": "mol m-2"} | attrs
    return xr.DataArray(values, dims=dims, coords=coords, name="no2", attrs=attrs)


def with_axes(y: tuple, x: tuple, dims=("a", "b")) -> xr.DataArray:
    """Make a field whose axes are (name, attributes)."""
    coords = {y[0]: (dims[0], LAT, y[1]), x[0]: (dims[1], LON, x[1])}
    return column(dims=dims, coords=coords)


@pytest.mark.parametrize(
    ("y", "x"),
    [
        (("lat", {}), ("lon", {})),
        (("latitude", {}), ("longitude", {})),
        (("LAT", {}), ("LON", {})),
        (("nav_lat", {}), ("nav_lon", {})),
        (("p", {"standard_name": "latitude"}), ("q", {"standard_name": "longitude"})),
        (("p", {"units": "degrees_north"}), ("q", {"units": "degrees_east"})),
        (("p", {"units": "degree_N"}), ("q", {"units": "degree_E"})),
        # CF's order: standard name before unit, unit before axis, axis before name.
        (("lon", {"standard_name": "latitude"}), ("lat", {"standard_name": "longitude"})),
        (("x", {"units": "degrees_north"}), ("y", {"units": "degrees_east"})),
        (("x", {"axis": "Y", "units": "degrees"}), ("lat", {"axis": "X"})),
    ],
)
@pytest.mark.parametrize("as_index", [False, True])
def test_axes_are_found_as_cf_says(y, x, as_index):
    dims = (y[0], x[0]) if as_index else ("a", "b")
    given = with_axes(y, x, dims)
    image = check_image(enter(given))
    np.testing.assert_array_equal(image, VALUES)
    np.testing.assert_array_equal(image["y"], LAT)
    np.testing.assert_array_equal(image["x"], LON)
    assert image.rio.crs.to_epsg() == 4326
    back = leave(image, given)
    assert back.dims == dims
    assert set(back.coords) == {y[0], x[0]}
    xr.testing.assert_identical(back, given)


def test_projected_axes_go_before_flat_auxiliary_latitudes():
    # A cylindrical projection: 1-D latitude and longitude beside the real axes.
    given = column(
        dims=("y", "x"),
        coords={
            "y": ("y", [2e6, 1e6, 0], {"standard_name": "projection_y_coordinate", "units": "m"}),
            "x": ("x", [0, 1e6, 2e6, 3e6], {"standard_name": "projection_x_coordinate"}),
            "lat": ("y", LAT, {"standard_name": "latitude"}),
        },
    ).rio.write_crs("EPSG:3395")
    assert bounds_of(enter(given)) == (-5e5, -5e5, 3.5e6, 2.5e6)


def test_a_plain_variable_that_is_an_axis_is_taken_for_one():
    dataset = xr.Dataset(
        {
            "no2": (("row", "col"), VALUES, {"units": "mol m-2"}),
            "lat": ("row", LAT, {"units": "degrees_north"}),
            "lon": ("col", LON, {"units": "degrees_east"}),
        }
    )
    np.testing.assert_array_equal(enter(dataset)["y"], LAT)


@pytest.mark.parametrize("suffix", ["", "_bnds"])
def test_cell_bounds_decide_where_they_contradict_the_axis(suffix):
    # Labels at the south-west corner of each cell; the bounds say so.
    dataset = column().assign_coords(lat=LAT - 0.25, lon=LON - 0.25).to_dataset()
    for name, centres in (("lat", LAT), ("lon", LON)):
        dataset[f"{name}_bnds"] = ((name, "nv"), np.stack([centres - 0.25, centres + 0.25], axis=1))
        dataset[name].attrs["bounds"] = name + suffix
    expected = (20.0, 9.5, 22.0, 11.0) if suffix else (19.75, 9.25, 21.75, 10.75)
    assert bounds_of(enter(dataset, variable="no2")) == expected
    fine = leave(refine(enter(dataset), 2), dataset)
    assert set(fine.data_vars) == {"no2"}
    assert "bounds" not in fine["lat"].attrs
    np.testing.assert_allclose(fine["lon"][:2], np.array([0.125, 0.375]) + expected[0])


def test_float32_axes_lose_their_rounding():
    lon = (76.025 + 0.05 * np.arange(50)).astype(np.float32)
    lat = (27.525 + 0.05 * np.arange(40)).astype(np.float32)
    image = enter(column(np.ones((40, 50), "f4"), coords={"lat": lat, "lon": lon}))
    assert tuple(transform_of(image))[:6] == (0.05, 0, 76.0, 0, -0.05, 29.5)


def test_kilometres_become_the_metres_of_the_crs_and_come_back():
    given = column(
        dims=("y", "x"),
        coords={
            "y": ("y", [30.0, 20.0, 10.0], {"units": "km"}),
            "x": ("x", [5.0, 15.0, 25.0, 35.0], {"units": "km"}),
        },
    ).rio.write_crs("EPSG:3035")
    image = enter(given)
    assert bounds_of(image) == (0, 5e3, 40e3, 35e3)
    assert image["x"].attrs["units"] == "m"
    fine = leave(refine(image, 2), given)
    np.testing.assert_array_equal(fine["x"][:3], [2.5, 7.5, 12.5])
    assert fine["x"].attrs["units"] == "km"


@pytest.mark.parametrize(
    ("y", "x", "crs", "error", "advice"),
    [
        ([3, 2, 1], [1, 2, 3, 4], None, err.MissingCRSError, "write_crs"),
        ([3, 2, 0], [1, 2, 3, 4], 3035, err.IrregularGridError, "y is not regular"),
        ([3, 2, 1], [1, 2, 3, 4.5], 3035, err.IrregularGridError, "x is not regular"),
        ([95, 94, 93], [1, 2, 3, 4], 4326, err.IrregularGridError, "reaches 95 degrees"),
        ([3, 2, 1], [0, 120, 240, 360], 4326, err.IrregularGridError, "drop repeated"),
        ([3, 3, 3], [1, 2, 3, 4], 3035, err.IrregularGridError, "not regular"),
        ([3, np.nan, 1], [1, 2, 3, 4], 3035, err.IrregularGridError, "not regular"),
    ],
)
def test_grids_that_cannot_be_placed_are_refused(*, y, x, crs, error, advice):
    given = column(dims=("y", "x"), coords={"y": np.asarray(y, float), "x": np.asarray(x, float)})
    given = given.rio.write_crs(crs) if crs else given
    with pytest.raises(error, match=advice):
        enter(given)


@pytest.mark.parametrize(
    ("units", "crs", "advice"),
    [
        ("degrees_north", 3035, "a projection"),
        ("m", 4326, "in degrees"),
        ("km", 4326, "in degrees"),
        ("rad", 3035, "scan angles"),
        ("furlong", 3035, "not in m or km"),
    ],
)
def test_axis_units_that_contradict_the_crs_are_refused(units, crs, advice):
    coords = {"y": ("y", [3.0, 2, 1], {"units": units}), "x": [1.0, 2, 3, 4]}
    with pytest.raises(err.UnitsError, match=advice):
        enter(column(dims=("y", "x"), coords=coords).rio.write_crs(crs))


def test_a_single_row_is_refused():
    with pytest.raises(err.IrregularGridError, match="at least 2 cells"):
        enter(column(VALUES[:1], coords={"lat": LAT[:1], "lon": LON}))


def test_a_global_grid_of_points_is_rolled_to_its_first_centre_west():
    # 0, 90, 180, 270 E: 180 and -180 are the same meridian, and the westernmost centre.
    given = column(coords={"lat": LAT, "lon": [0.0, 90, 180, 270]})
    image = enter(given)
    np.testing.assert_array_equal(image["x"], [-180, -90, 0, 90])
    np.testing.assert_array_equal(image, VALUES[:, [2, 3, 0, 1]])
    xr.testing.assert_identical(leave(image, given), given)


def test_a_shaved_globe_stays_one_piece():
    given = column(coords={"lat": LAT, "lon": [0.0, 90, 180, 270]})
    fine = refine(enter(given), 2).isel(x=slice(1, -1))
    out = leave(fine, given)
    np.testing.assert_array_equal(out["lon"], fine["x"])


def test_degrees_without_crs_are_wgs84_and_the_log_says_so(caplog):
    with caplog.at_level(logging.INFO, logger="no2sr"):
        leave(enter(column()), column())
    assert [r.message for r in caplog.records] == [
        "no2 states no CRS; its degrees are taken as EPSG:4326"
    ]


@pytest.mark.parametrize("link", ["crs", "crs: lat lon"])
@pytest.mark.parametrize("as_coordinate", [False, True])
@pytest.mark.parametrize("in_encoding", [False, True])
def test_a_grid_mapping_of_any_name_is_followed_and_given_back(link, as_coordinate, in_encoding):
    import pyproj

    dataset = column().to_dataset()
    (dataset["no2"].encoding if in_encoding else dataset["no2"].attrs)["grid_mapping"] = link
    dataset["crs"] = xr.Variable((), 7, pyproj.CRS("EPSG:4258").to_cf())  # ETRS89
    dataset = dataset.set_coords("crs") if as_coordinate else dataset
    image = enter(dataset)
    assert image.rio.crs.to_epsg() == 4258
    assert "crs" not in image.coords
    assert "grid_mapping" not in image.attrs
    back = leave(image, dataset)
    xr.testing.assert_identical(back, dataset)
    assert back["no2"].encoding == dataset["no2"].encoding


def test_wgs84_by_parameters_alone_gets_its_name():
    mapping = xr.Variable((), 0, {"grid_mapping_name": "latitude_longitude"})
    given = column(grid_mapping="crs").assign_coords(crs=mapping)
    assert enter(given).rio.crs.to_epsg() == 4326


def test_a_broken_crs_is_refused():
    mapping = xr.Variable((), 0, {"crs_wkt": "PROJCS[nonsense"})
    with pytest.raises(err.MissingCRSError, match="no usable CRS"):
        enter(column(grid_mapping="crs").assign_coords(crs=mapping))


def test_rotated_grids_are_refused():
    rotated = Affine(1, 0.2, 0, 0.2, -1, 0)
    given = column().rio.set_spatial_dims("lon", "lat").rio.write_crs(4326)
    with pytest.raises(err.IrregularGridError, match="gdalwarp"):
        enter(given.rio.write_transform(rotated))


@pytest.mark.parametrize("named", [True, False])
def test_rotated_poles_are_refused(named):
    attrs = {"standard_name": "grid_latitude"} if named else {}
    pole = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
    }
    coords = {"y": ("y", LAT, attrs), "x": LON, "pole": ((), 0, pole)}
    with pytest.raises(err.IrregularGridError, match="rotated pole"):
        enter(column(dims=("y", "x"), coords=coords, grid_mapping="pole"))


def test_lone_dimensions_are_squeezed_and_given_back_in_their_place():
    given = column().expand_dims(band=[3], level=1).transpose("lat", "band", "lon", "level")
    given = given.assign_coords(wavelength=("band", [440.0]))
    image = enter(given)
    assert image.dims == ("y", "x")
    assert image["band"].item() == 3
    fine = leave(refine(image, 2), given)
    assert fine.dims == given.dims
    np.testing.assert_array_equal(fine["band"], [3])
    xr.testing.assert_identical(
        leave(image, given).drop_vars("wavelength"), given.drop_vars("wavelength")
    )


@pytest.mark.parametrize("name", ["time", "valid_time"])
@pytest.mark.parametrize("count", [1, 2])
def test_time_is_kept(name, count):
    times = np.array(["2023-10-27T05", "2023-10-27T06"], "M8[ns]")[:count]
    given = xr.concat(
        [column() + k for k in range(count)], xr.DataArray(times, dims=name, name=name)
    )
    given = given.assign_attrs(units="mol m-2").transpose("lat", name, "lon")
    image = check_image(enter(given))
    assert image.dims == ("time", "y", "x")
    np.testing.assert_array_equal(image["time"], times)
    np.testing.assert_array_equal(image.isel(time=-1), VALUES + count - 1)
    back = leave(image, given)
    assert back.dims == ("lat", name, "lon")
    np.testing.assert_array_equal(back[name], times)


@pytest.mark.parametrize("attrs", [{"standard_name": "time"}, {"axis": "T"}])
def test_time_is_known_by_its_attributes(attrs):
    given = column().expand_dims(t=[0, 1])
    given["t"].attrs = attrs
    assert enter(given).dims == ("time", "y", "x")
    assert leave(enter(given), given).dims == ("t", "lat", "lon")


def test_a_scalar_that_is_in_the_way_waits_outside():
    given = column().expand_dims(valid_time=2).assign_coords(time=5, y=7)
    image = enter(given)
    assert set(image.coords) == {"y", "x", "spatial_ref"}
    xr.testing.assert_identical(leave(image, given), given)


def test_another_dimension_is_refused():
    with pytest.raises(err.DimensionError, match=re.escape("choose one entry with isel(level=0)")):
        enter(column().expand_dims(level=3))


def test_a_swath_is_shown_the_other_door():
    y, x = np.meshgrid(LAT, LON, indexing="ij")
    swath = column(dims=("scanline", "ground_pixel"), coords={})
    dataset = swath.to_dataset().assign(
        latitude=(("scanline", "ground_pixel"), y, {"units": "degrees_north"}),
        longitude=(("scanline", "ground_pixel"), x, {"units": "degrees_east"}),
    )
    with pytest.raises(err.DimensionError, match="open_no2"):
        enter(dataset, variable="no2")
    named = swath.assign_coords(lat=(swath.dims, y), lon=(swath.dims, x))
    with pytest.raises(err.DimensionError, match="swath"):
        enter(named)


def test_missing_axes_are_named():
    with pytest.raises(err.DimensionError, match=re.escape("no longitude or x axis")):
        enter(column().drop_vars("lon"))
    with pytest.raises(err.DimensionError, match="no latitude or y and no longitude or x axis"):
        enter(column().drop_vars(["lat", "lon"]))


def test_a_list_of_points_is_refused():
    points = xr.DataArray(
        np.ones((2, 4)),
        dims=("time", "obs"),
        coords={"lat": ("obs", LON / 2), "lon": ("obs", LON)},
        attrs={"units": "DU"},
    )
    with pytest.raises(err.DimensionError, match="list of points"):
        enter(points)


def test_what_is_no_xarray_object_is_refused():
    with pytest.raises(err.DimensionError, match="got a ndarray"):
        enter(VALUES)


def dataset_of(**fields) -> xr.Dataset:
    """Make a Dataset of fields on one grid, given as name=(unit, long name)."""
    made = {
        name: column(units=unit, long_name=words).rename(name)
        for name, (unit, words) in fields.items()
    }
    return xr.Dataset(made)


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({"so2": ("DU", "")}, "so2"),
        ({"so2": ("DU", ""), "NO2": ("DU", "")}, "NO2"),
        ({"cloud": ("1", ""), "vcd": ("1/cm2", "Nitrogen Dioxide column")}, "vcd"),
        ({"no2": ("DU", ""), "no2_precision": ("DU", ""), "no2_weight": ("", "")}, "no2"),
        (
            {"no2_total": ("DU", ""), "no2_trop": ("DU", "tropospheric"), "no2_strat": ("DU", "")},
            "no2_trop",
        ),
        ({"no2": ("DU", ""), "no2_surface": ("ug m-3", "")}, "no2"),
    ],
)
def test_the_variable_that_is_meant_is_found(fields, chosen):
    assert choose_variable(dataset_of(**fields)).name == chosen
    assert list(leave(enter(dataset_of(**fields)), dataset_of(**fields))) == [chosen]


def test_several_candidates_are_named_with_their_units():
    dataset = dataset_of(no2_a=("DU", ""), no2_b=("mol m-2", ""), cloud=("1", ""))
    with pytest.raises(
        err.AmbiguousVariableError, match=r"no2_a \[DU\] \(3, 4\), no2_b \[mol m-2\]"
    ):
        enter(dataset)
    assert enter(dataset, variable="no2_b").attrs["units"] == "mol m-2"
    other = dataset_of(so2=("DU", ""), hcho=("DU", ""))
    with pytest.raises(err.AmbiguousVariableError, match=r"so2 \[DU\] \(3, 4\), hcho \[DU\]"):
        enter(other)


def test_variables_off_the_grid_do_not_compete():
    dataset = dataset_of(so2=("DU", "")).assign(
        lat_bnds=(("lat", "nv"), np.ones((3, 2))), count=(("lat", "lon"), np.ones((3, 4), int))
    )
    assert enter(dataset).name == "so2"


def test_a_missing_variable_names_those_there():
    dataset = dataset_of(so2=("DU", ""))
    with pytest.raises(err.MissingVariableError, match=re.escape("'no2', only so2 [DU]")):
        enter(dataset, variable="no2")
    with pytest.raises(err.MissingVariableError, match=re.escape("lat_bnds [no unit]")):
        enter(xr.Dataset({"lat_bnds": ("lat", [1.0])}))
    with pytest.raises(err.MissingVariableError, match="there are none"):
        enter(xr.Dataset())
    with pytest.raises(err.MissingVariableError, match="'so2'"):
        enter(column(), variable="so2")
    assert enter(column(), variable="no2").name == "no2"


def test_a_long_list_is_cut():
    dataset = dataset_of(**{f"gas{k:02}": ("DU", "") for k in range(20)})
    with pytest.raises(err.AmbiguousVariableError, match=r"gas11 \[DU\] \(3, 4\) and 8 more;"):
        enter(dataset)


def test_values_units_and_negatives_are_not_touched():
    image = enter(column(VALUES.astype(np.float64), units="10^15molec/cm2"))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, VALUES)
    assert image.attrs["units"] == "10^15molec/cm2"


@pytest.mark.parametrize("units", [None, "", "  "])
def test_a_unit_must_be_stated(units):
    given = column()
    given.attrs = {} if units is None else {"units": units}
    with pytest.raises(err.UnitsError, match=re.escape("set attrs['units']")):
        enter(given)


@pytest.mark.parametrize("key", ["_FillValue", "missing_value"])
@pytest.mark.parametrize("fill", [-9999.0, np.float32(-1.2676506e30), np.nan, [7.0, -2.0], 1e300])
def test_declared_fill_values_are_gaps_and_need_no_warning(key, fill):
    values = VALUES.copy()
    values[0, 0] = np.atleast_1d(fill)[0] if np.abs(np.atleast_1d(fill)[0]) < 1e38 else np.nan
    image = enter(column(values, **{key: fill}))
    gaps = np.zeros((3, 4), bool)
    gaps[0, 0] = True
    gaps |= np.isin(values, np.atleast_1d(fill))
    np.testing.assert_array_equal(np.isnan(image), gaps)
    assert key not in image.attrs


def test_absurd_values_are_counted_and_set_missing():
    values = VALUES.astype(np.float64)
    values[0, :3] = [np.inf, -np.inf, -1e30]
    values[1, 0] = np.nan
    with pytest.warns(err.RepairWarning, match="^3 pixels"):
        image = enter(column(values))
    assert np.isnan(image).sum() == 4
    np.testing.assert_array_equal(image[2], VALUES[2])


@pytest.mark.parametrize(
    "given",
    [
        column(VALUES.astype(np.int16)),
        column(VALUES.astype(np.uint8)),
        column(VALUES > 0),
        column(scale_factor=1e-8),
        column(add_offset=-1.0),
    ],
    ids=["int16", "uint8", "bool", "scale_factor", "add_offset"],
)
def test_values_that_are_still_packed_are_refused(given):
    with pytest.raises(err.DimensionError, match="mask_and_scale=True"):
        enter(given)


def test_neutral_packing_is_none():
    image = enter(column(scale_factor=1.0, add_offset=0.0))  # as rioxarray reads every GeoTIFF
    assert set(image.attrs) == {"units"}


def test_an_image_of_gaps_is_refused():
    with pytest.raises(err.NoValidPixelsError, match=r"all 12 pixels of .* are gaps"):
        enter(column(np.full((3, 4), np.nan, "f4")))


def test_attributes_that_described_the_coarse_values_stay_outside():
    given = column(
        long_name="NO2",
        history="made",
        valid_min=0.0,
        STATISTICS_MAXIMUM="9",
        cell_measures="area: a",
    )
    assert enter(given).attrs == {"units": "mol m-2", "long_name": "NO2", "history": "made"}


def many_forms() -> list[xr.Dataset | xr.DataArray]:
    plain = column(long_name="tropospheric column")
    utm = column(dims=("y", "x"), coords={"y": [30.0, 20, 10], "x": [1.0, 2, 3, 4]})
    return [
        plain,
        plain.transpose("lon", "lat"),
        plain.isel(lat=slice(None, None, -1)),
        plain.to_dataset().assign_attrs(title="t"),
        plain.assign_coords(lon=LON + 340),
        plain.rename(None).expand_dims(time=np.array(["2020-01-01"], "M8[ns]")),
        utm.rio.write_crs("EPSG:32643").rio.write_transform(),
        refine(enter(plain), 2),
    ]


@pytest.mark.parametrize("given", many_forms())
def test_leaving_undoes_entering(given):
    xr.testing.assert_identical(leave(enter(given), given), given)


@pytest.mark.parametrize("given", many_forms())
def test_the_input_is_never_modified(given):
    before, encoding = given.copy(deep=True), dict(given.encoding)
    leave(refine(enter(given), 2), given)
    xr.testing.assert_identical(given, before)
    assert given.encoding == encoding


@pytest.mark.parametrize("given", many_forms())
def test_an_image_passes_unchanged(given):
    image = enter(given)
    xr.testing.assert_identical(enter(image), image)
    xr.testing.assert_identical(leave(image, image), image)


def test_other_attributes_of_the_fine_image_go_out_with_it():
    given = column(title="old").to_dataset().assign_attrs(institution="here")
    fine = refine(enter(given), 2).assign_attrs(history="no2sr: refined", no2sr_scale=2)
    out = leave(fine, given)
    assert out.attrs == {"institution": "here"}
    assert out["no2"].attrs == {
        "units": "mol m-2",
        "title": "old",
        "history": "no2sr: refined",
        "no2sr_scale": 2,
    }


def test_coordinates_of_the_coarse_grid_stay_behind():
    given = column().assign_coords(
        area=(("lat", "lon"), VALUES), zone=("lat", ["a", "b", "c"]), orbit=3
    )
    assert set(leave(refine(enter(given), 2), given).coords) == {"lat", "lon", "orbit"}


def test_dask_stays_lazy():
    dask = pytest.importorskip("dask")
    given = column(np.where(VALUES > 8, np.inf, VALUES)).chunk(lat=1, lon=2)

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        image = check_image(enter(given))
        out = leave(image, given)
    assert image.chunks is not None
    assert out.chunks == given.chunks
    with pytest.warns(err.RepairWarning, match="1 pixels"):
        values = out.values
    np.testing.assert_array_equal(values, np.where(VALUES > 8, np.nan, VALUES))


# file: (unit if it states none, bounds, north row of the file is its first)
REAL = {
    "omi/omno2d_giovanni_mean_2010_2017.nc": (None, (-180, -90, 180, 90), False),
    "omi/OMI-Aura_L3-OMNO2d_ymonmean_2015_2019.nc4": (None, (18.5, 41.5, 31, 51), False),
    "omi/OMI-Aura_L3-OMNO2d_monthly.nc": (None, (18.5, 41.5, 31, 51), True),
    "harp/harp_l3_centres_pmolec.nc": (None, (72.5, 26.5, 77.5, 30.5), False),
    "s5p_l3/NO2_box_1_1_20250801.nc": (
        "mol m-2", (95.0, -11.00888889, 104.2, -2.49888889), True,
    ),
    "tempo_utm/tempo_vcd_troposphere_utm11_clipped.tif": (
        None, (232153.3523, 3634690.804, 557208.806, 3856746.1228), True,
    ),
}  # fmt: skip


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
@pytest.mark.filterwarnings("ignore::xarray.SerializationWarning")
def test_real_grids_enter_and_leave(name, real_data):
    unit, bounds, north_first = REAL[name]
    with xr.open_dataset(real_data / name, decode_times=False) as file:
        dataset = file.load()
    if "band_data" in dataset:
        dataset = dataset.rename(band_data="no2")
    column_name = choose_variable(dataset).name
    if unit:
        dataset[column_name].attrs["units"] = unit
    image = check_image(enter(dataset))
    np.testing.assert_allclose(bounds_of(image), bounds, rtol=1e-6)
    raw = dataset[column_name].values.astype(np.float32).reshape(image.shape)
    np.testing.assert_array_equal(image, raw if north_first else raw[..., ::-1, :])
    out = leave(refine(image, 2), dataset)
    fine = out[column_name]
    assert fine.dims == dataset[column_name].dims
    y = dataset[column_name].dims[-2]
    assert np.sign(np.diff(fine[y][:2])) == np.sign(np.diff(dataset[y][:2]))
    np.testing.assert_array_equal(fine.values[..., ::2, ::2], dataset[column_name].astype("f4"))


def test_a_fill_value_in_words_marks_no_gap():
    grid = xr.DataArray(
        np.ones((5, 6), np.float32),
        dims=("lat", "lon"),
        coords={"lat": np.arange(5.0), "lon": np.arange(6.0)},
        attrs={"units": "mol m-2", "_FillValue": "none", "missing_value": np.float32(7)},
    )
    grid.values[0, 0] = 7
    assert int(np.isnan(enter(grid)).sum()) == 1


@pytest.mark.parametrize("fill", [-999.0, -9999.0, 9999.0, -32768.0])
def test_fills_that_nothing_declares_are_gaps(fill):
    values = np.random.default_rng(0).normal(5e-5, 1e-5, (12, 14)).astype("float32")
    values[2:4, 3:6] = fill
    image = xr.DataArray(
        values,
        dims=("lat", "lon"),
        coords={"lat": 50 - 0.1 * np.arange(12), "lon": 10 + 0.1 * np.arange(14)},
        name="no2",
        attrs={"units": "mol m-2"},
    )
    with pytest.warns(
        err.RepairWarning, match=rf"no2.*: 6 of 168 values are {fill:.6g}, far from all"
    ):
        strict = enter(image)
    np.testing.assert_array_equal(strict.isnull().values, values == np.float32(fill))
    declared = image.assign_attrs(_FillValue=np.float32(fill))
    assert enter(declared).equals(strict)  # without a warning
    assert not enter(image.where(image != np.float32(fill), np.float32(5e-5))).isnull().any()
    with pytest.warns(err.RepairWarning), pytest.raises(err.NoValidPixelsError, match="are gaps"):
        enter(image.copy(data=np.full_like(values, -999)))
