"""Sentinel-5P level 2: the swath itself, the quality byte, and what is not NO2."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
import xarray as xr
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.opening.opener import open_no2
from no2sr.readers.port import ReadOptions
from no2sr.readers.products.s5p_l2 import READER

COLUMN = "nitrogendioxide_tropospheric_column"


STEP = 0.0625  # of the pixels of make_s5p
BOX = (77.0, 28.0, 77.375, 28.25)  # what they cover


def _read(path, **options):
    return READER.read(path, ReadOptions(**options))


def _open(path, **arguments):
    return open_column(path, **{"bbox": BOX, "resolution": STEP} | arguments)


def test_swath_holds_what_the_file_holds(make_s5p):
    column = np.array([[-3e-6, 1e-5, 2e-5], [3e-5, np.nan, 5e-5]])
    swath = _read(make_s5p(shape=(2, 3), column=column))
    assert swath["column"].dims == ("scanline", "ground_pixel")
    np.testing.assert_array_equal(swath["column"], column.astype("float32"))
    assert swath["column"].attrs["units"] == "mol m-2"
    np.testing.assert_array_equal(swath["latitude"][:, 0], [28.03125, 28.09375])
    np.testing.assert_array_equal(swath["longitude"][0], [77.03125, 77.09375, 77.15625])
    assert swath["latitude_bounds"].shape == (2, 3, 4)
    # Six pixels tell nothing of the random part.
    assert "uncertainty_random" not in swath
    np.testing.assert_allclose(swath["uncertainty_systematic"], [[2e-6] * 3, [2e-6, np.nan, 2e-6]])
    assert "too few" in swath["uncertainty_systematic"].attrs["comment"]
    told = "Sentinel-5P TROPOMI (S5P_OFFL_L2__NO2____20230101T000000, processor 2.4.0)"
    assert swath.attrs["source"] == told


def test_quality_is_compared_as_a_byte(make_s5p):
    # The law itself, for all 101 codes: with the threshold code / 100, exactly the bytes above the
    # code pass. Decoded values fail for 16: float32(74) * float32(0.01) is 0.74000001, above 0.74.
    codes = np.arange(101)
    path = make_s5p(shape=(1, 101), column=1e-5, qa=codes[None])
    for code in codes:
        swath = _read(path, qa_min=code / 100)
        np.testing.assert_array_equal(np.isfinite(swath["column"].values[0]), codes > code)


def test_quality_255_is_no_quality(make_s5p):
    swath = _read(make_s5p(shape=(1, 3), column=1e-5, qa=np.array([[76, 255, 100]])))
    assert np.isfinite(swath["column"].values[0]).tolist() == [True, False, True]


def test_quality_that_a_subsetter_decoded(make_s5p):
    path = make_s5p(
        shape=(1, 3),
        column=1e-5,
        variables={"qa_value": (np.array([[0.75, 0.76, np.nan]]), "1")},
    )
    assert np.isfinite(_read(path)["column"].values[0]).tolist() == [False, True, False]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("west", [77.0, -0.1875, -180.0, 179.8125])
def test_every_pixel_lands_where_it_says(make_s5p, west, descending):
    # Pixels that coincide with cells keep their values; a value is 1e-6 times its own longitude.
    path = make_s5p(west=west, descending=descending)
    image = check_image(_open(path, bbox=None))
    assert image.rio.bounds() == (west, 28.0, west + 0.375, 28.25)
    own = np.broadcast_to(1e-6 * image["x"], (4, 6))
    np.testing.assert_allclose(image, own.astype("float32"), rtol=1e-6)
    assert image.dtype == np.float32
    assert image.attrs["standard_name"] == "troposphere_mole_content_of_nitrogen_dioxide"


def test_negative_columns_are_kept(make_s5p):
    np.testing.assert_allclose(_open(make_s5p(column=-4e-6)), -4e-6, rtol=1e-6)


def test_a_pixel_without_coordinates_is_left_out(make_s5p):
    path = make_s5p(shape=(2, 3), column=1e-5)
    with netCDF4.Dataset(path, "a") as file:
        for name in ("latitude_bounds", "longitude_bounds"):
            file[f"PRODUCT/SUPPORT_DATA/GEOLOCATIONS/{name}"][0, 0, 1] = np.ma.masked
    image = _open(path, bbox=None)  # scanline 0 is the lower row
    assert np.isfinite(image.values).tolist() == [[True, True, True], [True, False, True]]


def test_a_swath_whose_coordinates_are_all_missing(make_s5p):
    nothing = {name: (np.full((4, 6), np.nan), "degrees") for name in ("latitude", "longitude")}
    path = make_s5p("lost.nc", corners=False, variables=nothing)
    with pytest.raises(no2sr.NoValidPixelsError, match=r"lost\.nc.*four corners"):
        open_column(path)


def test_corners_are_built_where_a_subset_lacks_them(make_s5p):
    path = make_s5p(corners=False)
    assert "latitude_bounds" not in _read(path)
    np.testing.assert_allclose(
        _open(path), np.broadcast_to(1e-6 * _open(path)["x"], (4, 6)), rtol=1e-5
    )


def test_all_that_is_known_of_a_cell(make_s5p):
    paths = [make_s5p("a.nc", column=1e-5), make_s5p("b.nc", column=3e-5)]
    gridded = no2sr.grid(paths, resolution=STEP)
    # Equal weights: the mean is 2e-5. What pixels share falls as overpasses differ.
    assert gridded[COLUMN].values == pytest.approx(2e-5, rel=1e-5)
    assert (gridded["count"] == 2).all()
    assert gridded["coverage"].values == pytest.approx(1)
    shared = 2e-6 * np.sqrt(0.3 + 0.7 / 2)
    assert gridded[f"{COLUMN}_uncertainty_systematic"].values == pytest.approx(shared, rel=1e-4)
    independent = no2sr.grid(paths, resolution=STEP, correlation=0)
    shared = 2e-6 / 2**0.5
    assert independent[f"{COLUMN}_uncertainty"].values == pytest.approx(shared, rel=1e-4)
    check_image(gridded[COLUMN])
    xr.testing.assert_identical(open_no2(paths, resolution=STEP), gridded)


SLANT = "SUPPORT_DATA/DETAILED_RESULTS/nitrogendioxide_slant_column_density_precision"


def test_the_random_part_is_that_of_the_slant_column(make_s5p):
    variables = {SLANT: (3e-6, "mol m-2"), "air_mass_factor_troposphere": (2.0, "1")}
    swath = _read(make_s5p(variables=variables))
    np.testing.assert_allclose(swath["uncertainty_random"], 1.5e-6, rtol=1e-6)
    rest = np.sqrt(2e-6**2 - 1.5e-6**2)
    np.testing.assert_allclose(swath["uncertainty_systematic"], rest, rtol=1e-5)
    assert "slant" in swath["uncertainty_random"].attrs["comment"]
    scene = open_no2(make_s5p(variables=variables), bbox=BOX, resolution=STEP)
    assert "slant" in scene[f"{COLUMN}_uncertainty_random"].attrs["comment"]
    np.testing.assert_allclose(scene[f"{COLUMN}_uncertainty"], 2e-6, rtol=1e-4)
    named = _read(make_s5p(variables=variables), variable="air_mass_factor_troposphere")
    assert not {"uncertainty_random", "uncertainty_systematic"} & set(named)


def test_the_random_part_never_exceeds_the_precision(make_s5p):
    variables = {SLANT: (9e-6, "mol m-2"), "air_mass_factor_troposphere": (2.0, "1")}
    swath = _read(make_s5p(variables=variables))
    np.testing.assert_allclose(swath["uncertainty_random"], 2e-6, rtol=1e-6)
    np.testing.assert_array_equal(swath["uncertainty_systematic"], 0)


def test_an_air_mass_factor_of_nothing_leaves_the_noise_unknown(make_s5p):
    factor = np.full((4, 6), 2.0)
    factor[0, 1:3] = 0, np.nan
    variables = {SLANT: (3e-6, "mol m-2"), "air_mass_factor_troposphere": (factor, "1")}
    swath = _read(make_s5p(variables=variables, leave_out=(f"{COLUMN}_precision",)))
    assert np.isnan(swath["uncertainty_random"].values).sum() == 2
    assert "uncertainty_systematic" not in swath


def test_without_slant_columns_the_scatter_tells_the_noise(make_s5p):
    noise = np.random.default_rng(0).normal(0, 1e-6, (40, 50))
    swath = _read(make_s5p(shape=(40, 50), column=5e-5 + noise))
    found = swath["uncertainty_random"].values
    assert np.median(found) == pytest.approx(1e-6, rel=0.1)
    total = np.hypot(found, swath["uncertainty_systematic"].values)
    np.testing.assert_allclose(total, 2e-6, rtol=1e-5)
    assert "scatter" in swath["uncertainty_random"].attrs["comment"]
    loud = _read(make_s5p(shape=(40, 50), column=5e-5 + 10 * noise))
    np.testing.assert_allclose(loud["uncertainty_random"], 2e-6, rtol=1e-5)  # as stated at most


@pytest.mark.parametrize(
    ("bad", "says"),
    [(-2e-6, "is negative"), (np.nan, "is missing"), (1e3, "is larger than any column")],
)
def test_a_precision_that_can_be_none_is_left_out(make_s5p, bad, says):
    path = make_s5p(variables={f"{COLUMN}_precision": (bad, "mol m-2")})
    with pytest.warns(no2sr.RepairWarning, match=f"s5p.nc: uncertainty {says}"):
        swath = _read(path)
    assert "uncertainty_systematic" not in swath
    with pytest.warns(no2sr.RepairWarning, match="is in 'K' but its column is in"):
        _read(make_s5p(variables={f"{COLUMN}_precision": (2e-6, "K")}))


def test_merging_sums_weights_not_means(make_s5p):
    # The first cell is covered whole by a.nc with 1e-5 and half by b.nc with 4e-5, whose pixels lie
    # half a pixel farther east. Weights 1 and 0.5: (1e-5 + 0.5 * 4e-5) / 1.5 = 2e-5.
    paths = [
        make_s5p("a.nc", shape=(2, 2), column=1e-5),
        make_s5p("b.nc", shape=(2, 2), column=4e-5, west=77.03125),
    ]
    np.testing.assert_allclose(_open(paths, bbox=None)[:, 0], 2e-5, rtol=1e-6)


def test_other_variables_are_reached_by_name(make_s5p):
    path = make_s5p(
        variables={
            "SUPPORT_DATA/DETAILED_RESULTS/nitrogendioxide_stratospheric_column": (4e-5, "mol m-2"),
            "SUPPORT_DATA/INPUT_DATA/cloud_fraction_crb": (0.25, "1"),
        }
    )
    stratosphere = _open(path, variable="nitrogendioxide_stratospheric_column")
    assert stratosphere.values == pytest.approx(4e-5, rel=1e-5)
    assert stratosphere.name == "nitrogendioxide_stratospheric_column"
    assert "standard_name" not in stratosphere.attrs
    cloud = _open(path, variable="cloud_fraction_crb")
    assert cloud.values == pytest.approx(0.25)
    assert cloud.attrs["units"] == "1"
    with pytest.raises(
        no2sr.MissingVariableError, match=r"no variable 'ozone'.*tropospheric_column \[mol"
    ):
        open_column(path, variable="ozone")


def test_another_gas_is_refused_by_name(make_s5p):
    path = make_s5p(
        leave_out=(COLUMN, f"{COLUMN}_precision"),
        variables={"carbonmonoxide_total_column": (0.03, "mol m-2")},
        attrs={"id": "S5P_OFFL_L2__CO_____20230101T000000"},
    )
    with pytest.raises(
        no2sr.MissingVariableError, match=r"L2__CO____ without.*carbonmonoxide_total_column"
    ):
        open_column(path)
    np.testing.assert_allclose(_open(path, variable="carbonmonoxide_total_column"), 0.03, rtol=1e-6)


def test_an_empty_granule_is_refused(tmp_path):
    path = tmp_path / "empty.nc"
    with netCDF4.Dataset(path, "w") as file:
        product = file.createGroup("PRODUCT")
        for dim in ("time", "scanline", "ground_pixel"):
            product.createDimension(dim, 1)
    with pytest.raises(
        no2sr.NoValidPixelsError, match=r"empty granule.*download it again, or leave it out"
    ):
        open_column(path)


def test_an_empty_granule_among_others_is_left_out(make_s5p, tmp_path):
    nothing = tmp_path / "nothing.nc"
    netCDF4.Dataset(nothing, "w").close()
    with pytest.warns(no2sr.ManyGapsWarning, match=r"nothing\.nc is empty.*left out"):
        image = _open([nothing, make_s5p(column=1e-5)])
    assert image.values == pytest.approx(1e-5, rel=1e-5)
    with (
        pytest.warns(no2sr.ManyGapsWarning),
        pytest.raises(no2sr.NoValidPixelsError, match="all 2 files"),
    ):
        open_column([nothing, nothing])


@pytest.mark.parametrize("name", ["qa_value", "latitude"])
def test_a_subset_that_lacks_what_is_needed(make_s5p, name):
    with pytest.raises(no2sr.MissingVariableError, match=f"no PRODUCT/{name}.*keep it"):
        open_column(make_s5p(leave_out=(name,)))


def test_several_granules_in_one_file(make_s5p):
    path = make_s5p("one.nc")
    several = path.with_name("several.nc")
    with netCDF4.Dataset(several, "w") as file:
        product = file.createGroup("PRODUCT")
        for dim, size in (("time", 2), ("scanline", 4), ("ground_pixel", 6)):
            product.createDimension(dim, size)
        product.createVariable(COLUMN, "f4", ("time", "scanline", "ground_pixel")).units = "mol m-2"
    with pytest.raises(no2sr.DimensionError, match=r"2 time steps.*separate files"):
        open_column(several)


def test_files_of_different_units_are_not_merged(make_s5p):
    paths = [
        make_s5p(f"{unit}.nc", variables={"cloud_fraction": (0.5, unit)}) for unit in ("1", "%")
    ]
    with pytest.raises(no2sr.SettingsError, match=r"in '%', but 1\.nc is in '1'"):
        open_column(paths, variable="cloud_fraction")


def test_screened_to_nothing(make_s5p):
    with pytest.raises(no2sr.NoValidPixelsError, match="lower the quality threshold"):
        open_column(make_s5p(qa=74))
    assert np.isfinite(_open(make_s5p(qa=74), qa_min=0.5).values).all()


def test_processor_versions_that_do_not_compare(make_s5p):
    paths = [
        make_s5p("old.nc", attrs={"processor_version": "1.3.2"}),
        make_s5p("new.nc", attrs={"processor_version": "2.4.0"}),
    ]
    with pytest.warns(no2sr.No2srWarning, match=r"versions 1\.3, 2\.4"):
        open_column(paths)


def test_the_box_decides_the_grid(make_s5p):
    path = make_s5p(shape=(10, 10))
    image = open_column(path, bbox=(77.13, 28.125, 77.37, 28.375), resolution=0.125)
    assert image.rio.bounds() == (77.125, 28.125, 77.375, 28.375)  # widened to multiples of 1/8
    # A cell of 1/8 degree holds four pixels; the mean of their longitudes is its own.
    own = np.broadcast_to(1e-6 * image["x"], (2, 2))
    np.testing.assert_allclose(image, own.astype("float32"), rtol=1e-6)


def test_history_names_files_and_threshold(make_s5p):
    newest, first = open_column(make_s5p(), qa_min=0.5).attrs["history"].split("\n")
    assert "gridded 1 swath(s) at 0.05 degree" in newest
    assert first == "no2sr: read s5p.nc as s5p_l2, pixels with qa_value above 0.5"


def test_a_resolution_of_nothing_is_no_default(make_s5p):
    with pytest.raises(no2sr.SettingsError, match="resolution"):
        open_column(make_s5p(), resolution=0)


def test_reading_leaves_no_warning_and_no_change(make_s5p):
    path = make_s5p()
    before = path.read_bytes()
    open_column(path)  # the suite turns every warning into an error
    assert path.read_bytes() == before


def test_another_variable_keeps_its_place_and_has_no_layers_of_no2(make_s5p):
    path = make_s5p(variables={"cloud_fraction": (0.5, "1")})
    scene = open_no2(path, variable="cloud_fraction", bbox=BOX, resolution=STEP)
    assert set(scene) == {"cloud_fraction", "coverage", "count"}
    assert check_image(scene["cloud_fraction"]).rio.bounds() == BOX


def test_chunks_are_refused_for_swaths(make_s5p):
    with pytest.raises(
        no2sr.SettingsError, match=r"chunks was given as \{'y': 5\}, and swaths are"
    ):
        open_column(make_s5p(), chunks={"y": 5})
    assert open_column(make_s5p(), chunks="auto").chunks is None


@pytest.mark.parametrize(("short", "full"), [("umol", "umol m-2"), ("Pmolec", "Pmolec cm-2")])
def test_short_names_of_units_are_accepted(make_grid, short, full):
    values = np.random.default_rng(0).uniform(2, 60, (6, 8))
    path = make_grid(values=values, attrs={"long_name": "tropospheric NO2 column"})
    wanted = open_column(path, unit=full)
    assert open_column(path, unit=short).equals(wanted)
