"""A map at stations and over polygons: the table that comes out, and what it warns of."""

from __future__ import annotations

import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from shapely.geometry import LineString, Point, Polygon, box

import no2sr
from no2sr.core.errors import (
    AmbiguousVariableError,
    DimensionError,
    FileUnreadableError,
    MissingCRSError,
    MissingVariableError,
    No2srWarning,
    NoValidPixelsError,
    RepairWarning,
    SettingsError,
    UnknownFormatError,
)
from no2sr.core.grid import georeference, regular_grid
from no2sr.core.layers import RANDOM, RESOLUTION, SYSTEMATIC, TOTAL, assemble_scene
from no2sr.core.provenance import PARTS
from no2sr.evaluation.agreement import compare_column
from no2sr.simulation.scenes import northern_india, truth

WGS84 = "EPSG:4326"


@pytest.fixture
def column():
    """Return 40 x 50 cells of 0.1 degree: the value rises eastwards, one row is missing."""
    image = regular_grid((70, 20, 75, 24), 0.1)
    image.values[:] = np.arange(50) + 0.5
    image.values[0] = np.nan
    return image.rename("no2").assign_attrs(units="umol m-2")


def _scene(column, **layers):
    images = {
        layer: column.copy(data=np.where(np.isfinite(column), value, np.nan).astype("f4"))
        for layer, value in layers.items()
    }
    return assemble_scene(column, {k: v.drop_attrs(deep=False) for k, v in images.items()})


def _areas(*shapes, crs=WGS84, **columns):
    columns = columns or {"ward": [f"{number:03d}" for number in range(len(shapes))]}
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


def test_means_weigh_cells_by_the_part_inside(column):
    # Half of column 10, all of 11 and 12, a tenth of 13.
    wards = _areas(box(71.05, 21, 71.31, 22.0))
    table = no2sr.extract(column, polygons=wards)
    assert list(table) == [
        "ward", "value", "uncertainty", "unit", "covered", "resolution_km", "size_km",
    ]  # fmt: skip
    (row,) = table.itertuples()
    parts = np.array([0.5, 1, 1, 0.1])
    assert row.value == pytest.approx((parts * [10.5, 11.5, 12.5, 13.5]).sum() / 2.6, rel=1e-6)
    assert (row.ward, row.unit, row.covered) == ("000", "umol m-2", pytest.approx(1))
    assert np.isnan(row.uncertainty)
    # 0.26 degree at 21.5 N are 26.9 km, 1 degree of latitude 110.7 km.
    assert row.size_km == pytest.approx(np.sqrt(26.9 * 110.7), rel=2e-3)
    # Cells of 0.1 degree are 11.12 km high.
    assert row.resolution_km == pytest.approx(11.12, rel=1e-3)


def test_edges_through_the_corners_of_cells(column):
    """Compare with shapely where exactextract alone misjudges whole cells."""
    rng = np.random.default_rng(1)
    corners = (
        np.c_[71 + rng.integers(0, 11, 4) / 10, 21 + rng.integers(0, 11, 4) / 10]
        for _ in range(999)
    )
    wards = [ward for ward in map(Polygon, corners) if ward.is_valid and ward.area > 1e-3]
    assert len(wards) > 200
    x, y = np.meshgrid(np.arange(710, 720) / 10, np.arange(210, 220) / 10)
    cells = shapely.box(x, y, x + 0.1, y + 0.1)
    values = column.sel(x=x[0] + 0.05, method="nearest").values[20]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)
        found = no2sr.extract(column, polygons=_areas(*wards)).value
    for ward, value in zip(wards, found, strict=True):
        share = shapely.area(shapely.intersection(ward, cells))
        share *= np.cos(np.deg2rad(y + 0.05))
        assert value == pytest.approx((share * values).sum() / share.sum(), abs=1e-4)


def test_rows_of_a_degree_grid_weigh_by_their_area():
    image = regular_grid((0, 40, 4, 80), 1.0).rename("no2").assign_attrs(units="umol m-2")
    image.values[:] = (np.arange(40) < 20)[:, None]  # 1 in the northern half
    value = no2sr.extract(image, polygons=_areas(box(0, 40, 4, 80))).value[0]
    north, middle, south = (np.sin(np.deg2rad(edge)) for edge in (80, 60, 40))
    assert value == pytest.approx((north - middle) / (north - south), rel=1e-6)


def test_gaps_lower_what_is_covered(column):
    half = _areas(box(71, 23.8, 72, 24))  # its northern half is the missing row
    (row,) = no2sr.extract(column, polygons=half).itertuples()
    assert row.covered == pytest.approx(0.5, abs=1e-3)
    assert row.value == pytest.approx(15)


def test_polygons_in_another_crs_give_the_same(column):
    wards = _areas(box(71.03, 21.2, 74.4, 23.1), box(72, 20.5, 72.2, 20.9))
    here = no2sr.extract(column, polygons=wards)
    for crs in ("EPSG:32643", "EPSG:3857", "ESRI:54034"):
        # Straight edges in degrees are curves elsewhere: vertices along them keep their place.
        moved = wards.set_geometry(wards.segmentize(0.02)).to_crs(crs)
        there = no2sr.extract(column, polygons=moved)
        np.testing.assert_allclose(there.value, here.value, rtol=1e-4)
    projected = column.rio.reproject("EPSG:32643", resolution=5000, nodata=np.nan).rename("no2")
    there = no2sr.extract(projected, polygons=wards[:1])
    assert there.value[0] == pytest.approx(here.value[0], rel=0.02)


def test_long_edges_stay_where_they_were():
    # A box of 40 degrees, whose northern edge is an arc on a polar map.
    image = georeference(
        xr.DataArray(np.zeros((80, 100), "f4"), dims=("y", "x"), attrs={"units": "umol m-2"}),
        Affine(100e3, 0, -5e6, 0, -100e3, 0),
        "EPSG:3995",
    )
    x, y = np.meshgrid(image.x, image.y)
    image.values[:] = np.hypot(x, y) / 1e5
    sector = _areas(Polygon([(-20, 50), (20, 50), (20, 51), (-20, 51)]))
    (row,) = no2sr.extract(image, polygons=sector).itertuples()
    radius = no2sr.extract(image, points=pd.DataFrame({"lon": [0.0], "lat": [50.5]})).value[0]
    assert row.value == pytest.approx(radius, abs=0.6)


def test_errors_that_cells_share_stay_in_the_mean(column):
    ward = _areas(box(71, 21, 73, 23))  # 400 cells
    shared = _scene(column, **{SYSTEMATIC: 3, RANDOM: 8})
    assert no2sr.extract(shared, polygons=ward).uncertainty[0] == pytest.approx(
        np.hypot(3, 8 / 20), rel=1e-3
    )
    split = _scene(column, **{TOTAL: 5, RANDOM: 4})
    assert no2sr.extract(split, polygons=ward).uncertainty[0] == pytest.approx(
        np.hypot(3, 4 / 20), rel=1e-3
    )
    # Nothing says which part of a total is shared: then all of it is taken to be.
    total = _scene(column, **{TOTAL: 5})
    assert no2sr.extract(total, polygons=ward).uncertainty[0] == pytest.approx(5)


@pytest.mark.parametrize(
    ("parts", "departure", "wanted"),
    [
        ("detail", 0, 0),  # 20 x 20 cells are 5 x 5 whole blocks, whose means were observed
        ("noise, detail", 0, 5 / 5),
        ("noise, detail", "0.866", None),  # smoothed over four blocks: larger
        ("noise, systematic, detail", 0, 5),
    ],
)
def test_the_record_of_a_refined_map_says_what_is_shared(column, parts, departure, wanted):
    told = {PARTS: parts, "no2sr_scale": 4, "no2sr_departure_rms": departure}
    scene = _scene(column.assign_attrs(told), **{TOTAL: 5})
    (row,) = no2sr.extract(scene, polygons=_areas(box(70.8, 20.8, 72.8, 22.8))).itertuples()
    if wanted is None:
        assert 5 / 5 * 1.3 < row.uncertainty < 5 / 5 * 2
    else:
        assert row.uncertainty == pytest.approx(wanted, abs=1e-3)
    assert row.resolution_km == pytest.approx(4 * 11.12, rel=1e-3)


def test_a_layer_of_resolution_is_used(column):
    scene = _scene(column, **{RESOLUTION: 7})
    (row,) = no2sr.extract(scene, polygons=_areas(box(71, 21, 72, 22))).itertuples()
    assert row.resolution_km == pytest.approx(7)
    stations = pd.DataFrame({"lon": [71.0], "lat": [21.0]})
    assert no2sr.extract(scene, points=stations).resolution_km[0] == pytest.approx(7)


def test_a_reconstruction_shares_noise_within_what_it_resolves(column):
    record = {"no2sr_method": "reconstruct"}
    scene = _scene(column.assign_attrs(record), **{TOTAL: 5, RESOLUTION: 33.36})
    # Cells are 11.12 km high and 10.3 km wide: 3 x 3.24 of them share their errors.
    (row,) = no2sr.extract(scene, polygons=_areas(box(70.5, 20.5, 74.5, 23.5))).itertuples()
    assert row.uncertainty == pytest.approx(5 * np.sqrt(3 * 3.24 / (40 * 30)), rel=0.05)


def test_a_fine_map_states_what_its_polygons_err_by():
    """Refine simulated scenes of known noise, and compare polygon means with the truth."""
    region = (75.5, 27.0, 79.1, 30.6)
    field = truth(region, 0.025, landscape=northern_india())
    rng = np.random.default_rng(3)
    coarse = no2sr.degrade(field, 4)
    places = [
        Point(*place).buffer(0.15) for place in rng.uniform((76, 27.5), (78.6, 30.1), (80, 2))
    ]
    wards = _areas(*places)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)
        wanted = no2sr.extract(field, polygons=wards).value
        for noise in (None, 1e-5):
            seen = coarse + np.float32(noise or 0) * rng.normal(size=coarse.shape).astype("f4")
            seen = seen.rename("no2").assign_attrs(coarse.attrs).to_dataset()
            found = no2sr.extract(no2sr.downscale(seen, noise=noise), polygons=wards)
            z = (found.value - wanted) / found.uncertainty
            assert (np.abs(z) < 1.645).mean() > 0.85
            assert 0.15 < np.sqrt((z**2).mean()) < 1.3


def test_each_time_of_a_map_has_its_rows(column):
    times = np.array(["2023-10-01", "2023-11-01"], "datetime64[ns]")
    series = xr.concat([column, column + 100], xr.DataArray(times, dims="time", name="time"))
    series = series.assign_attrs(column.attrs)
    table = no2sr.extract(series, polygons=_areas(box(71, 21, 72, 22), box(73, 21, 74, 22)))
    assert list(table.ward) == ["000", "001", "000", "001"]
    assert list(table.time) == [*times[[0, 0]], *times[[1, 1]]]
    np.testing.assert_allclose(table.value, [15, 35, 115, 135])


def test_stations_have_the_cell_in_which_they_lie(column):
    scene = _scene(column, **{TOTAL: 5})
    stations = pd.DataFrame(
        {"id": ["a", "b", "c", "d"], "Longitude": [71.05, 70, 75, -288.95], "LAT": [21, 20, 22, 21]}
    )
    table = no2sr.extract(scene, points=stations)
    np.testing.assert_allclose(table.value, [10.5, 0.5, 49.5, 10.5])
    np.testing.assert_allclose(table.uncertainty, 5)
    assert list(table)[:3] == ["id", "Longitude", "LAT"]
    vector = gpd.GeoDataFrame({"id": [1]}, geometry=[Point(71.05, 21)], crs=WGS84)
    assert no2sr.extract(scene, points=vector.to_crs("EPSG:3857")).value[0] == 10.5


def test_a_map_beyond_the_antimeridian_has_its_stations():
    image = regular_grid((175, -20, 185, -10), 0.5).rename("no2").assign_attrs(units="umol m-2")
    image.values[:] = np.arange(20)
    table = no2sr.extract(image, points=pd.DataFrame({"lon": [-179.75], "lat": [-15]}))
    assert table.value[0] == 10


def test_values_come_in_the_unit_asked_for(column):
    ward = _areas(box(71, 21, 72, 22))
    scene = _scene(column, **{TOTAL: 5})
    (own,), (other,) = (
        no2sr.extract(scene, polygons=ward, unit=unit).itertuples() for unit in (None, "mol")
    )
    assert other.unit == "mol m-2"
    assert (other.value, other.uncertainty) == (1e-6 * own.value, 1e-6 * own.uncertainty)


def test_own_columns_are_kept_as_they_are(column, tmp_path):
    path = tmp_path / "stations.csv"
    path.write_bytes("\ufeffid;lon;lat;value;note\n007;71.05;21;1,5;NA\n".encode())
    with pytest.warns(No2srWarning, match="column 'value' of its own; the new columns begin with"):
        table = no2sr.extract(column, points=path)
    assert table.iloc[0, :5].tolist() == ["007", "71.05", "21", "1,5", "NA"]
    assert table.map_value[0] == 10.5


def _warned(action, *texts):
    with pytest.warns(No2srWarning) as caught:
        result = action()
    said = [str(warning.message) for warning in caught]
    for text in texts:
        assert any(text in line for line in said), said
    return result


def test_polygons_without_a_value_are_named(column):
    wards = _areas(
        box(71, 21, 72, 22), box(10, 10, 11, 11), None, Polygon(), box(74.5, 21, 75.5, 22)
    )
    table = _warned(
        lambda: no2sr.extract(column, polygons=wards),
        "1 of 5 polygons lie outside the map, and have no value (row 2)",
        "2 of 5 polygons are empty, and have no value (row 3, 4)",
        "1 of 5 polygons lie partly outside the map; see covered (row 5)",
    )
    np.testing.assert_allclose(table.value, [15, np.nan, np.nan, np.nan, 47.5])
    np.testing.assert_allclose(table.covered, [1, 0, 0, 0, 0.5])


def test_polygons_that_overlap_or_are_small_are_named(column):
    tiny = box(71.5, 21.5, 71.52, 21.52)
    neighbour = box(72, 21, 73, 22)  # shares an edge with the first
    _warned(
        lambda: no2sr.extract(column, polygons=_areas(box(71, 21, 72, 22), neighbour, tiny)),
        "2 of 3 polygons overlap others; a cell in both counts in both (row 1, 3)",
        "1 of 3 polygons are smaller than what the map resolves (down to 2.1 km, and the map "
        "resolves 11 km)",
    )


def test_crossing_polygons_are_repaired(column):
    bow = Polygon([(71, 21), (72, 22), (72, 21), (71, 22)])
    with pytest.warns(RepairWarning, match="1 of 1 polygons cross themselves"):
        table = no2sr.extract(column, polygons=_areas(bow))
    assert table.value[0] == pytest.approx(15, rel=1e-3)


def test_stations_without_a_value_are_counted(column):
    stations = pd.DataFrame({"lon": [71, 71, None, 10], "lat": [21, 21, 21, 10]})
    table = _warned(
        lambda: no2sr.extract(column, points=stations),
        "1 of 4 points have no coordinates",
        "1 of 4 points lie outside the map",
        "1 of 4 points repeat the coordinates of an earlier row",
    )
    assert table.value.isna().tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("shapes", "error", "text"),
    [
        (_areas(box(0, 0, 1, 1)), SettingsError, "no polygon lies on the map"),
        (_areas(box(71, 21, 72, 22), crs=None), MissingCRSError, "states no CRS"),
        (
            _areas(Point(71, 21)),
            DimensionError,
            "the table holds shapes of type Point instead of Polygon",
        ),
        (_areas(LineString([(71, 21), (72, 22)])), DimensionError, "LineString"),
        (_areas(), NoValidPixelsError, "no rows"),
    ],
)
def test_polygons_that_cannot_be_used_are_refused(column, shapes, error, text):
    with pytest.raises(error, match=text):
        no2sr.extract(column, polygons=shapes)


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        ("id,lon,lat\n", NoValidPixelsError, "no rows"),
        ("id,x,north\na,71,21\n", MissingVariableError, "no column is called latitude or lat"),
        ("lon,lat\n71,21\n21,116.4\n", DimensionError, "lat of row 2 is '116.4'.*swapped"),
        ("lon;lat\n71,5;21,5\n", DimensionError, "lon of row 1 is '71,5'.*decimal point"),
        ("lon,lat\n10,10\n", SettingsError, "no point lies on the map"),
        ("", FileUnreadableError, "cannot be read as a table"),
        (b"lon,lat,name\n71,21,K\xf6ln\n", FileUnreadableError, "UTF-8"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(column, tmp_path, content, error, text):
    path = tmp_path / "stations.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=text):
        no2sr.extract(column, points=path)


def test_files_that_are_no_vector_files_are_refused(column, tmp_path):
    broken = tmp_path / "wards.geojson"
    broken.write_text('{"type": "FeatureColl')
    with pytest.raises(UnknownFormatError, match=r"wards.geojson cannot be read as a vector file"):
        no2sr.extract(column, polygons=broken)
    with pytest.raises(FileUnreadableError, match="does not exist"):
        no2sr.extract(column, polygons=tmp_path / "none.gpkg")
    for source in ({"points": "/dev/zero"}, {"polygons": "/dev/zero"}):
        with pytest.raises(FileUnreadableError, match="is a pipe or device"):
            no2sr.extract(column, **source)
    good = tmp_path / "good.gpkg"
    _areas(box(71, 21, 72, 22)).to_file(good, layer="one")
    virtual = tmp_path / "wards.vrt"
    virtual.write_text(
        "<OGRVRTDataSource><OGRVRTLayer name='one'>"
        f"<SrcDataSource>{good}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(UnknownFormatError, match="points at another file"):
        no2sr.extract(column, polygons=virtual)
    for address in ("/vsicurl/https://example.com/wards.geojson", "https://example.com/a.json"):
        with pytest.raises(FileUnreadableError, match="does not exist"):
            no2sr.extract(column, polygons=address)
    assert no2sr.extract(column, polygons=good).value[0] == pytest.approx(15)
    _areas(box(71, 21, 72, 22)).to_file(good, layer="two")
    with pytest.raises(AmbiguousVariableError, match="has the layers one, two"):
        no2sr.extract(column, polygons=good)


def test_either_points_or_polygons(column):
    with pytest.raises(SettingsError, match="either points= or polygons="):
        no2sr.extract(column)


def test_a_column_of_the_table_is_compared(column):
    lon = np.linspace(70.5, 74.5, 30)
    stations = pd.DataFrame({"lon": lon, "lat": 22.0, "ground": [*lon[:-2].astype(str), "x", ""]})
    table = no2sr.extract(column, points=stations)
    with pytest.warns(No2srWarning, match="1 entries of ground are not numbers"):
        found = compare_column(table, "ground")
    pairs = table.value[:28], lon[:28]
    assert found.values.size == 28
    assert found.r == pytest.approx(np.corrcoef(*pairs)[0, 1])
    assert found.bias == pytest.approx((pairs[0] - pairs[1]).mean())
    assert found.rmse == pytest.approx(np.sqrt(((pairs[0] - pairs[1]) ** 2).mean()))
    with pytest.raises(MissingVariableError, match="no column is called 'no2'; the columns are"):
        compare_column(table, "no2")
    with pytest.raises(NoValidPixelsError, match="2 rows have both"):
        compare_column(table[:2], "ground")
