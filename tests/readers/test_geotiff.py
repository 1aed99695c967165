"""GeoTIFF: bands, gaps, units and scales, and rasters that are no columns on a map."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from opening import open_column

import no2sr
from no2sr.core.image import check_image

NAMED = ("tropospheric_NO2_column_number_density", "stratospheric_NO2_column_number_density")


PLACE = Affine(0.5, 0, 20, 0, -0.5, 12)


def _ramp(shape=(4, 5), *, transform=PLACE):
    """Return the x coordinate of every cell, as umol m-2."""
    columns = transform.c + transform.a * (np.arange(shape[1]) + 0.5)
    return np.broadcast_to(columns, shape)


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (Affine(0.5, 0, 20, 0, -0.5, 12), "EPSG:4326"),
        (Affine(0.5, 0, 20, 0, 0.5, 12), "EPSG:4326"),  # south up
        (Affine(0.5, 0, -180, 0, -0.25, 12), "EPSG:4326"),
        (Affine(30.0, 0, 500.0, 0, -20.0, 5e6), "EPSG:32633"),  # cells that are not square
    ],
)
def test_every_cell_lands_where_it_says(make_tiff, transform, crs):
    image = check_image(
        open_column(make_tiff(bands=_ramp(transform=transform)[None], transform=transform, crs=crs))
    )
    np.testing.assert_allclose(image, np.broadcast_to(1e-6 * image["x"], (4, 5)), rtol=1e-6)
    south, north = sorted((transform.f, transform.f + 4 * transform.e))
    assert image.rio.bounds() == pytest.approx(
        (transform.c, south, transform.c + 5 * transform.a, north)
    )
    assert image.rio.transform() == image.rio.transform(recalc=True)
    assert image.rio.crs == crs


def test_longitudes_beyond_180(make_tiff):
    transform = Affine(0.5, 0, 200, 0, -0.5, 12)
    image = open_column(make_tiff(bands=_ramp(transform=transform)[None], transform=transform))
    assert image.rio.bounds() == pytest.approx((-160, 10, -157.5, 12))


# ------------------------------------------------------------------------------- which band


def test_the_band_is_found_by_its_description(make_tiff):
    path = make_tiff(bands=[np.full((4, 5), 40.0), _ramp()], descriptions=NAMED[::-1])
    image = open_column(path, unit="umol m-2")
    assert image.name == NAMED[0]
    np.testing.assert_allclose(image, _ramp() * 1e-6, rtol=1e-6)
    assert open_column(path, variable=NAMED[1]).values == pytest.approx(4e-5)
    assert open_column(path, variable="1").values == pytest.approx(4e-5)


def test_several_bands_that_do_not_say(make_tiff):
    path = make_tiff(bands=np.full((2, 4, 5), 50.0), descriptions=("2019 NO2", "2020 NO2"))
    with pytest.raises(
        no2sr.AmbiguousVariableError, match=r"2019 NO2 \[umol m-2\].*2020 NO2.*variable="
    ):
        open_column(path)
    with pytest.raises(no2sr.MissingVariableError, match="no variable '2021'"):
        open_column(path, variable="2021")


@pytest.mark.parametrize("description", ["", "2019", "mean", "NO2", "tropospheric vertical column"])
def test_a_single_band_is_taken_unless_it_says_otherwise(make_tiff, description):
    assert open_column(make_tiff(descriptions=(description,))).values == pytest.approx(5e-5)


@pytest.mark.parametrize(
    "description",
    [
        "CO_column_number_density",
        "carbonmonoxide",
        "SO2",
        "amf_troposphere",
        "cloud_fraction",
        "NO2_slant_column",
    ],
)
def test_a_single_band_of_something_else(make_tiff, description):
    path = make_tiff(descriptions=(description,))
    with pytest.raises(no2sr.MissingVariableError, match=f"{description}.*variable="):
        open_column(path)
    assert open_column(path, variable=description).name == description


# ------------------------------------------------------------------------------- gaps


def test_gaps_of_every_kind(make_tiff):
    values = np.full((4, 5), 50.0)
    values[0, 0], values[1, 1], values[2, 2], values[3, 3] = np.nan, -9999, 1.5e30, -1e30
    image = open_column(make_tiff(bands=values[None], nodata=-9999))
    expected = np.zeros((4, 5), dtype=bool)
    np.fill_diagonal(expected, val=True)
    np.testing.assert_array_equal(np.isnan(image), expected)


@pytest.mark.parametrize("names", [("NO2", "dataMask"), ("", "")])
def test_a_mask_band(make_tiff, names):
    mask = np.ones((4, 5))
    mask[1, 2] = 0
    bands = [np.where(mask == 1, 50.0, 0.0), mask]
    image = open_column(make_tiff(bands=bands, descriptions=names))
    np.testing.assert_array_equal(np.isnan(image), mask == 0)


def test_zeros_are_gaps_where_nothing_else_marks_them(make_tiff):
    values = np.full((4, 5), 50.0)
    values[0] = 0
    with pytest.warns(no2sr.RepairWarning, match="5 of 20 pixels are exactly 0"):
        image = open_column(make_tiff(bands=values[None]))
    assert np.isnan(image).sum() == 5
    kept = open_column(make_tiff("tagged.tif", bands=values[None], nodata=-1))
    assert np.isnan(kept).sum() == 0


def test_a_single_zero_is_a_value(make_tiff):
    values = np.full((1, 20, 20), 50.0)
    values[0, 0, 0] = 0
    assert np.isfinite(open_column(make_tiff(bands=values)).values).all()


# ------------------------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("tags", "descriptions", "per_mol"),
    [
        ({"units": "molecules/cm^2"}, (), 6.02214076e19),
        ({"UNITS": "mol m-2"}, (), 1),
        ({"unit": "Pmolec/cm2"}, (), 6.02214076e4),
        ({}, ("NO2 troposphere [umol m-2]",), 1e6),
    ],
)
def test_the_unit_is_looked_for_where_tools_put_it(make_tiff, tags, descriptions, per_mol):
    path = make_tiff(bands=np.full((1, 4, 5), 5e-5 * per_mol), tags=tags, descriptions=descriptions)
    assert open_column(path).values == pytest.approx(5e-5, rel=1e-6)


def test_earth_engine_bands_are_in_mol(make_tiff):
    path = make_tiff(bands=np.full((1, 4, 5), 5e-5), tags={}, descriptions=NAMED[:1])
    assert open_column(path).values == pytest.approx(5e-5)  # and nothing is warned about
    multiplied = make_tiff("umol.tif", tags={}, descriptions=NAMED[:1])
    with pytest.raises(no2sr.UnitsError, match="states no unit"):
        open_column(multiplied)


def test_scaled_integers(make_tiff):
    path = make_tiff(bands=np.full((1, 4, 5), 500), dtype="int16", scale=0.1, nodata=-32768)
    assert open_column(path).values == pytest.approx(5e-5)


def test_counts_of_unknown_scale(make_tiff):
    path = make_tiff(bands=np.full((1, 4, 5), 3), dtype="int16", tags={}, nodata=32767)
    with pytest.raises(no2sr.UnitsError, match=r"int16 counts.*unit="):
        open_column(path)
    assert open_column(path, unit="1e15 molecules cm-2").values == pytest.approx(
        3e15 / 6.02214076e19
    )


def test_a_ground_level_concentration_has_to_be_asked_for(make_tiff):
    path = make_tiff(tags={})
    with pytest.raises(no2sr.UnitsError, match="unit="):
        open_column(path)
    with pytest.raises(no2sr.UnitsError, match="variable="):
        open_column(path, unit="ug m-3")
    image = open_column(path, variable="1", unit="ug m-3")
    assert image.attrs["units"] == "ug m-3"
    assert image.values == pytest.approx(50)


# ------------------------------------------------------------------------------- no map of columns


@pytest.mark.parametrize("count", [1, 3, 4])
def test_pictures(make_tiff, count):
    path = make_tiff(bands=np.full((count, 4, 5), 128), dtype="uint8", descriptions=("NO2",))
    with pytest.raises(no2sr.UnknownFormatError, match=r"8-bit picture.*float32"):
        open_column(path)


def test_a_palette_is_a_picture(make_tiff):
    path = make_tiff(bands=np.full((1, 4, 5), 7), dtype="uint8", colormap={7: (255, 0, 0, 255)})
    with pytest.raises(no2sr.UnknownFormatError, match="picture"):
        open_column(path)


def test_no_crs(make_tiff):
    with pytest.raises(no2sr.MissingCRSError, match=r"raster\.tif has no CRS.*gdal_edit"):
        open_column(make_tiff(crs=None))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_place_at_all(make_tiff):
    with pytest.raises(no2sr.MissingCRSError):
        open_column(make_tiff(crs=None, transform=Affine.identity()))


def test_rotated(make_tiff):
    turned = Affine(0.5, 0.1, 20, 0.1, -0.5, 12)
    with pytest.raises(no2sr.IrregularGridError, match=r"rotated.*gdalwarp"):
        open_column(make_tiff(transform=turned))


# ------------------------------------------------------------------------------- our own tags


def test_the_time_tag_makes_rasters_stackable(make_tiff):
    paths = [
        make_tiff(f"{day}.tif", file_tags={"time": f"2023-10-{day}T04:00:00.000000000"})
        for day in (31, 30)
    ]
    image = check_image(open_column(paths))
    assert image["time"].values.astype("M8[D]").astype(str).tolist() == ["2023-10-30", "2023-10-31"]


def test_provenance_tags_are_kept(make_tiff):
    image = open_column(make_tiff(file_tags={"source": "TROPOMI", "history": "no2sr: before"}))
    assert image.attrs["source"] == "TROPOMI"
    assert image.attrs["history"].endswith("\nno2sr: before")


def test_chunks_leave_the_values_unread(make_tiff):
    image = open_column(make_tiff(nodata=-1), chunks={"x": 2})
    assert image.chunks is not None
    assert image.compute().values == pytest.approx(5e-5)


# ------------------------------------------------------------------------------- products


def test_openeo_bands_named_as_in_level_2(make_tiff):
    names = ("nitrogendioxide_tropospheric_column", "nitrogendioxide_tropospheric_column_precision")
    path = make_tiff(bands=[_ramp() * 1e-6, np.full((4, 5), 1e-6)], descriptions=names, tags={})
    with pytest.warns(no2sr.UnverifiedUnitsWarning, match="read as mol m-2"):
        image = check_image(open_column(path))
    assert image.name == names[0]
    np.testing.assert_allclose(image, _ramp() * 1e-6, rtol=1e-6)


def test_sentinel_hub_float32_in_web_mercator(make_tiff):
    # A FLOAT32 request with dataMask: zeros where nothing was seen, no unit, metres.
    transform = Affine(4000.0, 0, 1.0e6, 0, -4000.0, 5.0e6)
    mask = np.ones((4, 5))
    mask[2, 1] = 0
    column = np.where(mask == 1, 1e-11 * _ramp(transform=transform), 0)
    path = make_tiff(bands=[column, mask], transform=transform, crs="EPSG:3857", tags={})
    with pytest.warns(no2sr.UnverifiedUnitsWarning, match="read as mol m-2"):
        image = check_image(open_column(path))
    assert image.rio.crs.to_epsg() == 3857
    assert np.argwhere(np.isnan(image.values)).tolist() == [[2, 1]]
    own = np.broadcast_to(1e-11 * image["x"], (4, 5))[mask == 1]
    np.testing.assert_allclose(image.values[mask == 1], own, rtol=1e-6)
