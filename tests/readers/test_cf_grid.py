"""CF grids: every usual form of axes, times, packing and labels; and what is not one NO2 column."""

from __future__ import annotations

import logging

import netCDF4
import numpy as np
import pytest
import xarray as xr
from opening import open_column
from pyproj import CRS

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.kit.mapping import crs_in

NMOL = 1e-9  # make_grid writes nmol m-2


def _own(image):
    """Return what make_grid wrote at the place where each cell now lies, mol m-2."""
    x = (image["x"] + 180) % 360 - 180
    return ((1000 * image["y"] + x) * NMOL).astype("float32").transpose("y", "x")


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("NETCDF3_CLASSIC", "float32"),
        ("NETCDF3_64BIT", "float64"),
        ("NETCDF4", "float32"),
        ("NETCDF4_CLASSIC", "float64"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("west", [20.25, -3.75, 178.25, 200.25])
def test_every_cell_lands_where_it_says(make_grid, kind, turned, west, dtype):
    latitude = np.arange(10.25, 13, 0.5)[:: -1 if turned else 1]
    longitude = west + np.arange(8) * 0.5
    path = make_grid(kind=kind, latitude=latitude.astype(dtype), longitude=longitude.astype(dtype))
    image = check_image(open_column(path))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)
    left = west - 0.25 - (360 if west > 180 else 0)
    assert image.rio.bounds() == pytest.approx((left, 10, left + 4, 13), abs=1e-9)
    assert image.rio.transform() == image.rio.transform(recalc=True)
    assert image.rio.crs.to_epsg() == 4326


def test_a_globe_of_0_to_360_is_rolled(make_grid):
    path = make_grid(latitude=np.arange(-87.5, 90, 5), longitude=np.arange(2.5, 360, 5))
    image = open_column(path)
    assert image.rio.bounds() == pytest.approx((-180, -90, 180, 90))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


@pytest.mark.parametrize(
    "names", [("latitude", "longitude"), ("nav_lat", "nav_lon"), ("LAT", "LON"), ("y", "x")]
)
def test_axes_are_known_by_what_they_say(make_grid, names):
    image = open_column(make_grid(names=names))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


def test_dims_in_any_order(make_grid, tmp_path):
    turned = tmp_path / "turned.nc"
    with xr.open_dataset(make_grid()) as dataset:
        dataset.transpose("lon", "lat").to_netcdf(turned)
    image = open_column(turned)
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "per_mol"),
    [
        ("mol/m^2", 1),
        ("umol m-2", 1e6),
        ("molecules/cm^2", 6.02214076e19),
        ("1/cm2", 6.02214076e19),
        ("10^15 molec/cm2", 6.02214076e4),
        ("kg m**-2", 0.0460055),
    ],
)
def test_units_become_mol(make_grid, unit, per_mol):
    image = open_column(make_grid(values=np.full((6, 8), 5e-5 * per_mol), attrs={"units": unit}))
    np.testing.assert_allclose(image, 5e-5, rtol=1e-6)
    assert image.attrs["units"] == "mol m-2"


def test_packed_integers(make_grid):
    encoding = {"dtype": "int16", "scale_factor": 0.5, "add_offset": 3000.0, "_FillValue": -32767}
    values = np.array([[12000.5, np.nan], [11000.0, -80.5]])
    path = make_grid(values=values, latitude=[10.0, 11], longitude=[20.0, 21], encoding=encoding)
    np.testing.assert_allclose(
        open_column(path)[::-1], (values * NMOL).astype("float32"), rtol=1e-6
    )


@pytest.mark.parametrize("fill", [-1.2676506e30, 9.96921e36, -1e30])
def test_fills_that_survive_decoding(make_grid, fill):
    values = np.full((6, 8), 3e15)
    values[2, 3] = fill
    path = make_grid(
        values=values, attrs={"units": "molecules cm-2"}, encoding={"_FillValue": None}
    )
    image = open_column(path)[::-1]
    assert np.isnan(image[2, 3])
    assert np.isnan(image).sum() == 1


def test_infinite_values_become_gaps_that_are_counted(make_grid):
    values = np.full((6, 8), 5e4)
    values[0, 0], values[1, 1] = np.inf, -np.inf
    with pytest.warns(no2sr.RepairWarning, match="2"):
        image = open_column(make_grid(values=values))
    assert np.isnan(image).sum() == 2


def test_negative_columns_are_kept(make_grid):
    np.testing.assert_allclose(
        open_column(make_grid(values=np.full((6, 8), -2000.0))), -2e-6, rtol=1e-6
    )


def test_nothing_but_gaps(make_grid):
    with pytest.raises(no2sr.NoValidPixelsError, match="gap"):
        open_column(make_grid(values=np.full((6, 8), np.nan)))


# ------------------------------------------------------------------------------- which variable


def test_the_tropospheric_column_goes_before_its_kin(make_grid):
    kin = {
        name: (("lat", "lon"), np.ones((6, 8)), {"units": "nmol m-2"})
        for name in (
            "stratospheric_no2",
            "no2_total",
            "tropospheric_no2_precision",
            "tropospheric_no2_count",
            "amf_troposphere_no2",
            "nox",
            "hno2",
        )
    }
    image = open_column(make_grid(extra=kin))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)
    assert image.name == "tropospheric_no2"


def test_it_may_be_known_by_its_standard_name_only(make_grid):
    attrs = {"units": "nmol m-2", "standard_name": "troposphere_mole_content_of_nitrogen_dioxide"}
    assert open_column(make_grid(variable="vcd", attrs=attrs)).name == "vcd"


def test_several_columns_are_not_guessed_between(make_grid):
    other = {"no2_b": (("lat", "lon"), np.ones((6, 8)), {"units": "molec/cm2"})}
    path = make_grid(variable="no2_a", extra=other)
    with pytest.raises(
        no2sr.AmbiguousVariableError, match=r"no2_a \[nmol m-2\].*no2_b \[molec/cm2\].*variable="
    ):
        open_column(path)
    assert open_column(path, variable="no2_a").name == "no2_a"


def test_no_column_at_all(make_grid):
    path = make_grid(variable="ozone", attrs={"units": "DU"})
    with pytest.raises(no2sr.MissingVariableError, match=r"only ozone \[DU\] \(6, 8\).*variable="):
        open_column(path)
    image = open_column(path, variable="ozone")
    # The number of molecules in a Dobson unit knows no gas: 2.6867e20 / 6.02214076e23 mol m-2.
    np.testing.assert_allclose(image, _own(image) / NMOL * 4.46137e-4, rtol=1e-5)
    assert image.attrs["long_name"] == "ozone"
    with pytest.raises(no2sr.MissingVariableError, match="no variable 'no2'"):
        open_column(path, variable="no2")


def test_a_total_column_is_called_one(make_grid):
    image = open_column(make_grid(variable="tcno2"))
    assert image.attrs["standard_name"] == "atmosphere_mole_content_of_nitrogen_dioxide"


def test_another_quantity_keeps_its_unit_if_it_was_named(make_grid):
    path = make_grid(variable="surface_no2", attrs={"units": "ug m-3", "long_name": "surface NO2"})
    with pytest.raises(no2sr.UnitsError, match=r"is in 'ug m-3'.*variable="):
        open_column(path)
    image = open_column(path, variable="surface_no2")
    np.testing.assert_allclose(image, _own(image) / NMOL, rtol=1e-6)
    assert image.attrs["units"] == "ug m-3"
    assert image.attrs["long_name"] == "surface NO2"
    assert "standard_name" not in image.attrs


def test_mass_of_another_gas_is_not_counted_as_no2(make_grid):
    path = make_grid(variable="co", attrs={"units": "kg m-2"})
    with pytest.raises(no2sr.UnitsError, match="molar mass"):
        open_column(path, variable="co")


def test_no_unit_and_no_telling_size(make_grid):
    path = make_grid(values=np.full((6, 8), 7.5), attrs={})
    with pytest.raises(no2sr.UnitsError, match=r"grid\.nc: tropospheric_no2 states no unit.*unit="):
        open_column(path)
    np.testing.assert_allclose(open_column(path, unit="umol m-2"), 7.5e-6, rtol=1e-6)


def test_a_swath_in_groups_is_named(tmp_path):
    path = tmp_path / "swath.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("mirror_step", 3)
        file.createDimension("xtrack", 4)
        product = file.createGroup("product")
        product.createVariable("vertical_column_stratosphere", "f8", ("mirror_step", "xtrack"))
    with pytest.raises(
        no2sr.MissingVariableError,
        match=r"no variable on a regular grid.*product/vertical_column_stratosphere",
    ):
        open_column(path)


# ------------------------------------------------------------------------------- time and levels

DAYS = np.array(["2023-10-30", "2023-10-31", "2023-11-01"], dtype="datetime64[ns]")


def test_times_are_kept_and_never_averaged(make_grid):
    image = check_image(open_column(make_grid(times=DAYS)))
    assert image.dims == ("time", "y", "x")
    np.testing.assert_array_equal(image["time"], DAYS)


def test_a_single_time_is_no_dimension(make_grid):
    image = open_column(make_grid(times=DAYS[:1]))
    assert image.dims == ("y", "x")
    assert image["time"] == DAYS[0]


@pytest.mark.parametrize(
    ("time", "count"),
    [
        ("2023-10-31", 1),
        ("2023-10", 2),
        ("2023", 3),
        (DAYS[2], 1),
        (DAYS[2].astype("M8[s]").item(), 1),
    ],
)
def test_times_are_chosen_by_any_part_of_a_date(make_grid, time, count):
    image = open_column(make_grid(times=DAYS), time=time)
    assert image["time"].size == count
    assert ("time" in image.dims) == (count > 1)


def test_a_time_that_is_not_there(make_grid):
    with pytest.raises(
        no2sr.SettingsError, match=r"no time 2022-10.*2023-10-30T00:00:00, 2023-10-31"
    ):
        open_column(make_grid(times=DAYS), time="2022-10")


def test_absolute_times_of_climate_tools(make_grid):
    path = make_grid(times=[20190131.0, 20190228.5])
    with netCDF4.Dataset(path, "a") as file:
        file["time"].units = "day as %Y%m%d.%f"
    assert open_column(path)["time"].values.astype("M8[h]").tolist() == [
        np.datetime64(t, "h").item() for t in ("2019-01-31T00", "2019-02-28T12")
    ]


def test_times_that_nobody_decodes_are_left_alone(make_grid, caplog):
    path = make_grid(times=[1.0, 2.0])
    with netCDF4.Dataset(path, "a") as file:
        file["time"].units = "moons since landing"
    with caplog.at_level(logging.WARNING, "no2sr"):
        assert open_column(path)["time"].values.tolist() == [1, 2]
    assert "stay undecoded" in caplog.text


def test_valid_time_is_time(make_grid, tmp_path):
    path = tmp_path / "cams.nc"
    with xr.open_dataset(make_grid(times=DAYS)) as dataset:
        dataset.rename(time="valid_time").to_netcdf(path)
    assert open_column(path, time="2023-10-31")["time"] == DAYS[1]


def test_levels_are_never_chosen(make_grid):
    levels = {"no2": (("level", "lat", "lon"), np.full((3, 6, 8), 5e4), {"units": "nmol m-2"})}
    path = make_grid(variable="ozone", extra=levels)
    with pytest.raises(no2sr.DimensionError, match=r"level.*3"):
        open_column(path)


def test_files_of_several_days_are_stacked(make_grid):
    paths = [make_grid(f"{n}.nc", times=DAYS[n : n + 1]) for n in (2, 0, 1)]
    image = check_image(open_column(paths))
    np.testing.assert_array_equal(image["time"], DAYS)
    np.testing.assert_allclose(image[1], _own(image[1]), rtol=1e-6)
    assert image.rio.transform() == image.rio.transform(recalc=True)


def test_files_of_different_units_are_not_stacked(make_grid):
    paths = [
        make_grid(f"{n}.nc", variable="gas", times=DAYS[n : n + 1], attrs={"units": unit})
        for n, unit in enumerate(("ppbv", "pptv"))
    ]
    with pytest.raises(no2sr.DimensionError, match="different units, ppbv and pptv"):
        open_column(paths, variable="gas")


def test_what_cannot_be_stacked(make_grid):
    first = make_grid("a.nc", times=DAYS[:1])
    with pytest.raises(no2sr.DimensionError, match="has no time"):
        open_column([first, make_grid("b.nc")])
    with pytest.raises(no2sr.DimensionError, match="same time"):
        open_column([first, make_grid("b.nc", times=DAYS[:1])])
    with pytest.raises(no2sr.DimensionError, match="different grids"):
        open_column([first, make_grid("b.nc", times=DAYS[1:2], latitude=np.arange(6.0))])


# ------------------------------------------------------------------------------- axes and CRS


def _projected(path, *, unit="m", mapping=True, attrs=None):
    per_metre = {"m": 1.0, "km": 1e-3}[unit]
    x, y = (start + 5000.0 * np.arange(n) for start, n in ((4e6, 6), (3e6, 4)))
    field = {"units": "umol m-2"} | ({"grid_mapping": "crs"} if mapping else {})
    axes = {
        "y": ("y", y * per_metre, {"units": unit, "standard_name": "projection_y_coordinate"}),
        "x": ("x", x * per_metre, {"units": unit, "standard_name": "projection_x_coordinate"}),
    }
    crs = CRS.from_epsg(3035)
    xr.Dataset(
        {
            "no2": (("y", "x"), 1e-5 * np.broadcast_to(x, (4, 6)), field),
            "crs": ((), 0, attrs or crs.to_cf()),
        },
        coords=axes,
    ).to_netcdf(path)
    return path


@pytest.mark.parametrize("unit", ["m", "km"])
def test_projected_grids(tmp_path, unit):
    image = check_image(open_column(_projected(tmp_path / "laea.nc", unit=unit)))
    assert image.rio.crs.to_epsg() == 3035
    assert image.rio.bounds() == pytest.approx((3997500, 2997500, 4027500, 3017500))
    np.testing.assert_allclose(image, np.broadcast_to(1e-11 * image["x"], (4, 6)), rtol=1e-6)


def test_a_projection_stated_as_a_proj_string_only(tmp_path):
    proj = {
        "proj4": "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m"
    }
    image = open_column(_projected(tmp_path / "raster.nc", attrs=proj))
    assert image.rio.crs.to_dict()["proj"] == "laea"


def test_projected_axes_without_a_crs(tmp_path):
    with pytest.raises(no2sr.MissingCRSError, match="CRS"):
        open_column(_projected(tmp_path / "nowhere.nc", mapping=False, attrs={"note": "none"}))


def test_wgs84_is_epsg_4326_in_whichever_axis_order(make_grid):
    path = make_grid()
    with netCDF4.Dataset(path, "a") as file:
        crs = file.createVariable("crs", "i4", ())
        crs.crs_wkt = CRS.from_user_input("OGC:CRS84").to_wkt()
        file["tropospheric_no2"].grid_mapping = "crs"
    assert open_column(path).rio.crs.to_epsg() == 4326


def test_degrees_without_a_crs_are_said_in_the_log(make_grid, caplog):
    with caplog.at_level(logging.INFO, "no2sr"):
        open_column(make_grid())
    assert "EPSG:4326" in caplog.text


def test_an_irregular_axis(make_grid):
    with pytest.raises(no2sr.IrregularGridError, match="not regular"):
        open_column(make_grid(latitude=[1.0, 2, 4, 8, 16, 32]))


def test_bounds_go_before_coordinates(make_grid):
    path = make_grid()
    with netCDF4.Dataset(path, "a") as file:
        file["lat"].bounds = "lat_bnds"
        file.createDimension("nv", 2)
        bounds = file.createVariable("lat_bnds", "f8", ("lat", "nv"))
        # The axis names the southern edges: the cells reach from each value to half a degree above.
        bounds[:] = file["lat"][:][:, None] + np.array([0, 0.5])
    assert open_column(path).rio.bounds() == pytest.approx((20, 10.25, 24, 13.25))


def test_bounds_that_are_cut_off_at_the_poles(make_grid):
    latitude = np.linspace(
        -90, 90, 37
    )  # centres on the poles: the outermost cells are half as high
    path = make_grid(latitude=latitude, longitude=np.arange(-177.5, 180, 5))
    with netCDF4.Dataset(path, "a") as file:
        file["lat"].bounds = "lat_bnds"
        file.createDimension("nv", 2)
        bounds = file.createVariable("lat_bnds", "f8", ("lat", "nv"))
        bounds[:] = np.clip(latitude[:, None] + np.array([-2.5, 2.5]), -90, 90)
    # Half a cell at each pole is no cell of this grid: both rows are cut off, and said to be.
    with pytest.warns(no2sr.RepairWarning, match="2 rows of 72 pixels were cut off"):
        image = open_column(path)
    assert image.rio.bounds() == pytest.approx((-180, -87.5, 180, 87.5))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


# ------------------------------------------------------------------------------- the box


@pytest.mark.parametrize("west", [20.25, 200.25])
def test_the_box_keeps_every_cell_it_touches(make_grid, west):
    path = make_grid(longitude=west + np.arange(8) * 0.5)
    left = open_column(path).rio.bounds()[0]
    image = open_column(path, bbox=(left + 0.6, 10.6, left + 1.4, 12.0))
    assert image.rio.bounds() == pytest.approx((left + 0.5, 10.5, left + 1.5, 12))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


@pytest.mark.parametrize("box", [(170, -10, -170, 10), (170, -10, 190, 10), (-190, -10, -170, 10)])
def test_the_box_may_cross_the_antimeridian(make_grid, box):
    path = make_grid(latitude=np.arange(-87.5, 90, 5), longitude=np.arange(-177.5, 180, 5))
    image = check_image(open_column(path, bbox=box))
    assert image.rio.bounds() == pytest.approx((170, -10, 190, 10))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


def test_a_box_inside_a_globe(make_grid):
    path = make_grid(latitude=np.arange(-87.5, 90, 5), longitude=np.arange(2.5, 360, 5))
    image = open_column(path, bbox=(-12, 31, 17, 44))
    assert image.rio.bounds() == pytest.approx((-15, 30, 20, 45))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


def test_the_box_is_in_degrees_on_a_projected_grid_too(tmp_path):
    path = _projected(tmp_path / "laea.nc")
    whole = open_column(path)
    box = whole.rio.transform_bounds("EPSG:4326")
    assert open_column(path, bbox=box).equals(whole)


@pytest.mark.parametrize("box", [(24, 10, 20, 10), (20, 13, 24, 10), (0, 0, 400, 1)])
def test_boxes_that_enclose_nothing(make_grid, box):
    with pytest.raises(no2sr.SettingsError, match="bbox"):
        open_column(make_grid(), bbox=box)


def test_exchanged_edges_are_named(make_grid):
    path = make_grid(latitude=np.arange(20, 32.0), longitude=np.arange(70, 82.0))
    for box, advice in (
        ((22, 72, 28, 78), r"latitude and longitude are exchanged: try \(72, 22, 78, 28\)"),
        ((72, 28, 78, 22), r"south and north are exchanged: try \(72, 22, 78, 28\)"),
        ((22, 100, 28, 110), r"latitude and longitude are exchanged: try \(100, 22, 110, 28\)"),
    ):
        with pytest.raises(no2sr.SettingsError, match=advice):
            open_column(path, bbox=box)


def test_a_box_elsewhere_or_too_small(make_grid):
    with pytest.raises(no2sr.SettingsError, match="outside the image"):
        open_column(make_grid(), bbox=(50, 10, 52, 12))
    with pytest.raises(no2sr.TooSmallError, match="larger region"):
        open_column(make_grid(), bbox=(20.1, 10.1, 20.2, 12))


def test_a_box_of_gaps(make_grid):
    values = np.full((6, 8), 5e4)
    values[:3, :3] = np.nan
    with pytest.raises(no2sr.NoValidPixelsError, match="all of them are gaps"):
        open_column(make_grid(values=values), bbox=(20.1, 10.1, 21.4, 11.4))


# ------------------------------------------------------------------------------- the rest


def test_chunks_leave_the_values_unread(make_grid):
    path = make_grid()
    image = open_column(path, chunks={"lat": 2})
    assert image.chunks is not None
    np.testing.assert_allclose(image.compute(), open_column(path))


def test_where_it_comes_from_is_kept(make_grid):
    path = make_grid()
    with netCDF4.Dataset(path, "a") as file:
        file.setncatts({"history": "made by hand", "source": "a pencil"})
    image = open_column(path)
    assert image.attrs["source"] == "a pencil"
    assert image.attrs["history"].split("\n") == [
        "no2sr: read tropospheric_no2 of grid.nc as cf_grid",
        "made by hand",
    ]


# ------------------------------------------------------------------------------- products


def test_openeo_netcdf(tmp_path):
    # Dimensions t, y, x in UTM metres, the CRS in a variable "crs", a dataMask beside the band.
    x, y = 500000.0 + 4000 * (np.arange(5) + 0.5), 4000000.0 - 4000 * (np.arange(4) + 0.5)
    crs = CRS.from_epsg(32633)
    mask = np.ones((2, 4, 5), dtype="u1")
    mask[1, 2, 3] = 0
    own = 1e-11 * (x[None] + y[:, None])
    dataset = xr.Dataset(
        {
            "NO2": (
                ("t", "y", "x"),
                np.where(mask == 1, own, 0).astype("f4"),
                {"units": "mol m-2", "grid_mapping": "crs"},
            ),
            "dataMask": (("t", "y", "x"), mask, {"grid_mapping": "crs"}),
            "crs": ((), 0, {"crs_wkt": crs.to_wkt(), "spatial_ref": crs.to_wkt()}),
        },
        {
            "t": ("t", DAYS[:2], {"axis": "T"}),
            "y": ("y", y, {"standard_name": "projection_y_coordinate", "units": "m"}),
            "x": ("x", x, {"standard_name": "projection_x_coordinate", "units": "m"}),
        },
    )
    path = tmp_path / "openEO.nc"
    dataset.to_netcdf(path)
    image = check_image(open_column(path))
    assert image.rio.crs.to_epsg() == 32633
    assert image.rio.bounds() == pytest.approx((500000, 3984000, 520000, 4000000))
    assert np.argwhere(np.isnan(image.values)).tolist() == [[1, 2, 3]]
    np.testing.assert_allclose(image[0], 1e-11 * (image["x"] + image["y"]).T, rtol=1e-6)
    np.testing.assert_array_equal(image["time"], DAYS[:2])
    assert open_column(path, time="2023-10-31").dims == ("y", "x")


@pytest.mark.parametrize("north_first", [False, True])
def test_temis_netcdf(make_grid, north_first):
    # float32 axes in eighths of a degree, and the terms of the uncertainty beside the column.
    latitude = np.float32(50.0625 + 0.125 * np.arange(6))
    name = "tropospheric_NO2_column_number_density"
    term = (("lat", "lon"), np.full((6, 8), 1e-6), {"units": "mol m-2"})
    path = make_grid(
        variable=name,
        latitude=latitude[::-1] if north_first else latitude,
        longitude=np.float32(4.0625 + 0.125 * np.arange(8)),
        extra={f"{name}_uncertainty": term, f"{name}_uncertainty_systematic": term},
    )
    image = check_image(open_column(path))
    assert image.name == name
    assert image.rio.bounds() == pytest.approx((4, 50, 5, 50.75))
    np.testing.assert_allclose(image, _own(image), rtol=1e-6)


_SPELT_OUT = (
    'GEOGCS["plate",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT[{}]]'
)


@pytest.mark.parametrize(
    ("attrs", "code"),
    [
        ({"proj4": "+proj=longlat +datum=WGS84 +no_defs"}, 4326),
        ({"spatial_ref": _SPELT_OUT.format('"degree",0.0174532925199433')}, 4326),
        ({"spatial_ref": _SPELT_OUT.format('"grad",0.015707963267949')}, None),
        (
            {
                "grid_mapping_name": "rotated_latitude_longitude",
                "grid_north_pole_latitude": 40.0,
                "grid_north_pole_longitude": -170.0,
            },
            None,
        ),
    ],
)
def test_only_plain_degrees_on_wgs84_are_epsg_4326(attrs, code):
    crs = crs_in(attrs)
    assert crs is not None
    assert crs.to_epsg() == code
