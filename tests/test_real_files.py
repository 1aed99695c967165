"""Every real file opens as what it is, or is refused for the right reason.

The numbers were read off the files with netCDF4 and rasterio alone, in the unit of the file.
"""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
import rasterio
from opening import open_column

import no2sr
from no2sr.core.door import choose_variable
from no2sr.core.image import check_image
from no2sr.readers.opening.describe import describe
from no2sr.readers.port import ReadOptions
from no2sr.readers.registry import find_reader

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_data

PER_MOL = 6.02214076e19  # molecules cm-2 in one mol m-2
# No columns that open_no2 would read (pictures, weights, tables), and what has tests of its own.
ELSEWHERE = {
    "README.md",
    "sr",
    "weights",
    "stations",
    "gems/covariates",
    "overpasses",
    "reported",
    "truth_1km",
}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A file that opens as a grid.

    Attributes
    ----------
    file, variable : str
    shape : tuple
        Times, rows, columns; no times where the file has one or none.
    gaps : int
    least, greatest : float
        In the unit of the file.
    factor : float
        From there to mol m-2; 1 with `unit` for what is no column.
    south_first : bool
        How the rows lie in the file.
    pole_rows : bool
        The first and last row in the file have their centres on the poles.
    epsg : int
    bounds : tuple
        West, south, east, north of the image.
    """

    file: str
    variable: str
    shape: tuple[int, ...]
    gaps: int
    least: float
    greatest: float
    factor: float
    south_first: bool
    epsg: int
    bounds: tuple[float, float, float, float]
    unit: str = "mol m-2"
    pole_rows: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)
    warns: tuple[tuple[type[Warning], str], ...] = ()


OVERSAMPLED = (no2sr.OversampledWarning, "oversampled")
BOX = {
    "variable": "NO2",
    "shape": (851, 920),
    "factor": 1,
    "south_first": False,
    "epsg": 4326,
    "warns": (
        (no2sr.UnverifiedUnitsWarning, "states no unit; it is read as mol m-2"),
        OVERSAMPLED,
    ),
}
HARP = {
    "variable": "tropospheric_NO2_column_number_density",
    "shape": (80, 100),
    "gaps": 0,
    "south_first": True,
    "epsg": 4326,
    "bounds": (72.5, 26.5, 77.5, 30.5),
}
TACNA = {
    "shape": (159, 168),
    "gaps": 0,
    "factor": 1e-6,
    "south_first": False,
    "epsg": 4326,
    "bounds": (-71.14032541, -18.36008398, -69.46031773, -16.77007671),
    "arguments": {"unit": "umol m-2"},
    "warns": (OVERSAMPLED,),
}
GROUND = {
    "variable": "band_1",
    "shape": (599, 1438),
    "least": 0,
    "factor": 1,
    "unit": "ug m-3",
    "south_first": False,
    "epsg": 4326,
    "bounds": (-180, -59.75, 179.5, 90),
    "arguments": {"variable": "1", "unit": "ug m-3"},
}
ROMANIA = {
    "south_first": False,
    "epsg": 4326,
    "bounds": (18.5, 41.5, 31, 51),
    "factor": 1 / PER_MOL,
}

GRIDS = [
    Grid(
        file="s5p_l3/NO2_box_1_1_20250801.nc",
        gaps=650388,
        least=-3.001066e-5,
        greatest=3.550534e-5,
        bounds=(95, -11.008889, 104.2, -2.498889),
        **BOX,
    ),
    Grid(
        file="s5p_l3/NO2_box_1_2_20250801.nc",
        gaps=653469,
        least=-3.504288e-5,
        greatest=1.910124e-4,
        bounds=(95, -2.508889, 104.2, 6.001111),
        **BOX,
    ),
    Grid(
        file="s5p_l3/NO2_box_3_1_20250801.nc",
        gaps=282823,
        least=-2.952377e-5,
        greatest=2.262158e-4,
        bounds=(113.4, -11.008889, 122.6, -2.498889),
        **BOX,
    ),
    Grid(
        file="s5p_l3/gee_tacna_2019.tif",
        variable="2019",
        least=2.046700,
        greatest=28.23133,
        **TACNA,
    ),
    Grid(
        file="s5p_l3/gee_tacna_2020.tif",
        variable="2020",
        least=1.600998,
        greatest=23.34495,
        **TACNA,
    ),
    Grid(
        file="s5p_l3/openeo_int16.tif",
        variable="NO2",
        shape=(243, 502),
        gaps=1154,
        least=-5,
        greatest=16,
        factor=1e15 / PER_MOL,
        south_first=False,
        epsg=4326,
        bounds=(-31.2849015, 30.00362966, -6.1849015, 42.15362966),
        arguments={"unit": "1e15 molecules cm-2"},
    ),
    Grid(
        file="tempo_utm/tempo_vcd_troposphere_utm11_clipped.tif",
        variable="vertical_column_troposphere",
        shape=(69, 101),
        gaps=2391,
        least=-9.378152e14,
        greatest=1.003332e17,
        factor=1 / PER_MOL,
        south_first=False,
        epsg=32611,
        bounds=(232153.3523, 3634690.804, 557208.806, 3856746.1228),
    ),
    Grid(
        file="tempo_utm/tempo_sup_amf_troposphere_utm11_clipped.tif",
        variable="amf_troposphere",
        shape=(69, 101),
        gaps=2391,
        least=0.3070263,
        greatest=2.350982,
        factor=1,
        unit="1",
        south_first=False,
        epsg=32611,
        bounds=(232153.3523, 3634690.804, 557208.806, 3856746.1228),
        arguments={"variable": "amf_troposphere", "unit": "1"},
    ),
    Grid(
        file="omi/omno2d_giovanni_mean_2010_2017.nc",
        variable="OMNO2d_003_ColumnAmountNO2TropCloudScreened",
        shape=(720, 1440),
        gaps=140360,
        least=-3.648756e15,
        greatest=2.378505e16,
        factor=1 / PER_MOL,
        south_first=True,
        epsg=4326,
        bounds=(-180, -90, 180, 90),
    ),
    # Says 10^15molec/cm2 and holds molecules/cm2: as stated, values would be 1e15 times larger.
    Grid(
        file="omi/OMI-Aura_L3-OMNO2d_monthly.nc",
        variable="no2",
        shape=(7, 38, 50),
        gaps=2,
        least=7.779561e14,
        greatest=9.477483e15,
        warns=((no2sr.UnverifiedUnitsWarning, "read as molecules cm-2"),),
        **ROMANIA,
    ),
    Grid(
        file="omi/OMI-Aura_L3-OMNO2d_ymonmean_2015_2019.nc4",
        variable="ColumnAmountNO2CloudScreened",
        shape=(12, 38, 50),
        gaps=0,
        least=1.852493e15,
        greatest=1.059504e16,
        **ROMANIA | {"south_first": True},
    ),
    Grid(
        file="harp/harp_l3_bounds_only.nc",
        least=2.423193e-5,
        greatest=4.786625e-5,
        factor=1,
        **HARP,
    ),
    Grid(file="harp/harp_l3_centres.h5", least=2.423193e-5, greatest=4.786625e-5, factor=1, **HARP),
    Grid(
        file="harp/harp_l3_centres_pmolec.nc",
        least=1.459281,
        greatest=2.882574,
        factor=1e15 / PER_MOL,
        **HARP,
    ),
    Grid(file="ground_level/201501.tif", gaps=636200, greatest=152.3266, **GROUND),
    Grid(file="ground_level/201507.tif", gaps=602335, greatest=179.6589, **GROUND),
    Grid(file="ground_level/202004.tif", gaps=601154, greatest=134.1205, **GROUND),
    # Another gas at ground, centres on the poles: the half cells there are cut off.
    Grid(
        file="loader_traps/g4.timeAvgMap.M2TMNXCHM_5_12_4_COSC.20101130-20170130.180W_90S_180E_90N.nc",
        variable="M2TMNXCHM_5_12_4_COSC",
        shape=(359, 576),
        gaps=0,
        least=41.68022,
        greatest=2333.605,
        factor=1,
        unit="ppbv",
        south_first=True,
        epsg=4326,
        bounds=(-180.3125, -89.75, 179.6875, 89.75),
        pole_rows=True,
        warns=((no2sr.RepairWarning, "2 rows of 576 pixels were cut off"),),
        arguments={"variable": "M2TMNXCHM_5_12_4_COSC"},
    ),
]

# Delhi subsets: start of the orbit, pixels with quality above 0.75, least and greatest of their
# columns in mol m-2. None of them has corner bounds, and many pixels have no coordinates.
SWATHS = [
    ("20190808T064623", 2, 1.308378e-4, 1.378473e-4),
    ("20191027T063822", 10, 4.659091e-5, 8.038985e-5),
    ("20191122T064850", 12, 9.715845e-5, 3.598899e-4),
    ("20200111T075150", 6, 5.971722e-5, 1.289816e-4),
    ("20200206T062452", 7, 7.268141e-5, 1.779919e-4),
    ("20200302T065913", 13, 6.582993e-5, 3.658253e-4),
    ("20200327T073354", 2, 4.465722e-5, 7.929854e-5),
    ("20200517T064137", 9, 5.823423e-5, 7.917204e-5),
    ("20200611T071411", 13, 5.479051e-5, 1.222213e-4),
    ("20200706T074531", 5, 6.579058e-5, 1.650381e-4),
    ("20200802T073732", 7, 2.849934e-5, 5.774367e-5),
    ("20200829T072841", 3, 2.959028e-5, 6.257863e-5),
    ("20200924T073842", 1, 4.575272e-5, 4.575272e-5),
    ("20201021T072925", 7, 5.814373e-5, 1.360481e-4),
]
CLOUDY = [
    "20190904T063743",
    "20191001T062830",
    "20191217T071936",
    "20201116T073942",
    "20201212T060939",
]
EMPTY = ["20191130T055738", "20200117T055758", "20200305T060228", "20200422T060756"]

OTHER = "s5p_l2_other/S5P_OFFL_L2__"
MISSING, NO_PIXELS = no2sr.MissingVariableError, no2sr.NoValidPixelsError
UNITS, NO_CRS = no2sr.UnitsError, no2sr.MissingCRSError
REFUSED = [
    ("s5p_l2_other/S5P_CO_two_scanlines.nc", MISSING, "L2__CO____.*carbonmonoxide_total"),
    (f"{OTHER}CO_____20200110*", MISSING, "L2__CO____.*carbonmonoxide_total_column"),
    (f"{OTHER}O3_____20200109*", MISSING, "L2__O3____.*ozone_total_vertical_column"),
    (f"{OTHER}SO2____20200108*", MISSING, "L2__SO2___.*sulfurdioxide_total"),
    (f"{OTHER}CH4____20200303*", NO_PIXELS, "empty granule of Sentinel-5P L2__CH4___"),
    (f"{OTHER}NO2____20200303*", NO_PIXELS, "empty granule of Sentinel-5P L2__NO2___"),
    ("tempo_l2/TEMPO_NO2_L2_V03_20240328*", NO_PIXELS, "no pixel has a value"),
    *(
        (f"tempo_l2/TEMPO_NO2_L2_V03_20240601{granule}*", MISSING, "no tropo.*column_stratosphere")
        for granule in ("T2109", "T2116")
    ),
    (
        "tempo_l2/singleton_null_variables*",
        MISSING,
        "no tropospheric.*product/vertical_col.*_total",
    ),
    ("tempo_utm/tempo_sup_amf*", MISSING, "amf_troposphere"),
    ("s5p_l3/NO2_Indonesia_Daily*", no2sr.FileUnreadableError, "2 bytes long"),
    ("s5p_l3/gee_tacna_2019.tif", UNITS, "around 7.48.*unit="),
    ("s5p_l3/gee_tacna_2020.tif", UNITS, "around 6.95.*unit="),
    ("s5p_l3/openeo_int16.tif", UNITS, "int16 counts.*unit="),
    ("s5p_l3/czechia_mmol_no_crs.tif", NO_CRS, "no CRS.*EPSG:4326"),
    ("s5p_l3/czechia_source_0063deg.tif", NO_CRS, "no CRS.*EPSG:4326"),
    ("ground_level/201501.tif", UNITS, "states no unit"),
    ("ground_level/201507.tif", UNITS, "states no unit"),
    ("ground_level/202004.tif", UNITS, "states no unit"),
    ("loader_traps/_reclassNO2*", no2sr.UnknownFormatError, "8-bit picture"),
    ("loader_traps/g4.*COSC*", MISSING, r"COSC \[ppbv\].*variable="),
    ("loader_traps/TROPESS*", MISSING, r"nox \[kgN/m2/s\] \(12, 160, 320\)"),
    *(
        (f"gems/2023/202310{day}.parquet", no2sr.UnknownFormatError, "PAR1")
        for day in range(27, 32)
    ),
    *((f"s5p_l2/*{start}*", NO_PIXELS, "lower the quality threshold") for start in CLOUDY),
    *((f"s5p_l2/*{start}*", NO_PIXELS, "is empty: it has no variables") for start in EMPTY),
]


def _one(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def _raw(path: Path, variable: str) -> np.ndarray:
    """Return what the library of the format reads, with nothing of ours."""
    if path.suffix == ".tif":
        with rasterio.open(path) as raster:
            return raster.read(1, masked=True).astype("f8").filled(np.nan)
    with netCDF4.Dataset(path) as file:
        return np.ma.filled(file[variable][...].astype("f8"), np.nan)


def _says(row: Grid):
    stack = ExitStack()
    for category, message in row.warns:
        stack.enter_context(pytest.warns(category, match=message))
    return stack


@pytest.mark.filterwarnings("ignore::no2sr.core.errors.OversampledWarning")  # see test_sampling.py
@pytest.mark.parametrize("row", GRIDS, ids=lambda row: row.file[:60])
def test_a_grid_opens_as_what_it_is(real_data, row):
    path = real_data / row.file
    with _says(row):
        image = check_image(open_column(path, **row.arguments))
    assert image.name == row.variable
    assert image.shape == row.shape
    assert image.attrs["units"] == row.unit
    assert image.rio.crs.to_epsg() == row.epsg
    assert image.rio.bounds() == pytest.approx(row.bounds, abs=2e-5)
    assert int(np.isnan(image).sum()) == row.gaps
    assert float(image.min()) == pytest.approx(row.least * row.factor, rel=1e-6, abs=1e-12)
    assert float(image.max()) == pytest.approx(row.greatest * row.factor, rel=1e-6)
    raw = _raw(path, row.variable) * row.factor
    raw = (raw[..., 1:-1, :] if row.pole_rows else raw).reshape(row.shape)
    expected = raw[..., ::-1, :] if row.south_first else raw
    np.testing.assert_allclose(image, expected, rtol=2e-7, atol=1e-12)


@pytest.mark.parametrize(("start", "count", "least", "greatest"), SWATHS)
def test_a_swath_opens_as_what_it_is(real_data, start, count, least, greatest):
    path = _one(real_data, f"s5p_l2/*NO2____{start}*")
    swath = find_reader(path).read(path, ReadOptions())
    placed = swath["column"].where(np.isfinite(swath["latitude"]))
    assert int(placed.count()) == count
    assert float(placed.min()) == pytest.approx(least, rel=1e-6)
    assert float(placed.max()) == pytest.approx(greatest, rel=1e-6)
    image = check_image(open_column(path))
    assert image.rio.crs.to_epsg() == 4326
    assert least * (1 - 1e-6) <= float(image.min())  # means lie between the pixels
    assert float(image.max()) <= greatest * (1 + 1e-6)
    west, south, east, north = image.rio.bounds()
    assert 76.9 < west < 77.05 < east < 77.3
    assert 28.5 < south < 28.75
    assert 28.65 < north < 28.9


@pytest.mark.parametrize(
    ("pattern", "error", "message"), REFUSED, ids=lambda value: str(value)[:50]
)
def test_a_file_is_refused_for_the_right_reason(real_data, pattern, error, message):
    with pytest.raises(error, match=message):
        open_column(_one(real_data, pattern))


def test_cloudy_subsets_open_with_a_lower_threshold(real_data):
    for start in CLOUDY:
        image = open_column(_one(real_data, f"s5p_l2/*{start}*"), qa_min=0.5)
        assert np.isfinite(image).any()


def test_a_season_of_subsets_is_merged(real_data):
    paths = sorted((real_data / "s5p_l2").iterdir())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gridded = no2sr.grid(paths, bbox=(77.0, 28.6, 77.2, 28.8))
    empty = [w for w in caught if issubclass(w.category, no2sr.ManyGapsWarning)]
    assert len(empty) == len(EMPTY)
    column = choose_variable(gridded)
    assert column.shape == (4, 4)
    assert int(gridded["count"].max()) <= sum(count for _, count, *_ in SWATHS)
    assert np.isfinite(column).all()


def test_harp_level_2_becomes_what_harp_made_of_it(real_data):
    harp = open_column(real_data / "harp/harp_l3_bounds_only.nc")
    ours = open_column(real_data / "harp/harp_l2_region.nc", bbox=(72.5, 26.5, 77.5, 30.5))
    assert ours.rio.bounds() == pytest.approx(harp.rio.bounds())
    # HARP keeps its weights as float32: 1.6e-6 of the spread is what that leaves.
    np.testing.assert_allclose(ours, harp, rtol=0, atol=1e-5 * float(harp.std()))


def test_the_gas_of_another_product_is_reached_by_name(real_data):
    path = real_data / "s5p_l2_other/S5P_CO_two_scanlines.nc"
    image = open_column(path, variable="carbonmonoxide_total_column", qa_min=0.0, resolution=0.25)
    assert image.attrs["units"] == "mol m-2"
    assert 0.0247 < float(image.min()) <= float(image.max()) < 0.0423


def test_tempo_opens_where_the_stratospheric_column_is_named(real_data):
    paths = sorted((real_data / "tempo_l2").glob("*20240601*"))
    swaths = [
        find_reader(path).read(path, ReadOptions(variable="vertical_column_stratosphere"))
        for path in paths
    ]
    # Read off the files with netCDF4: pixels with a value, least and greatest in molecules cm-2.
    told = [(264208, 2.238242864e15, 4.195821368e15), (264115, 2.160352791e15, 4.143407350e15)]
    for swath, (count, least, greatest) in zip(swaths, told, strict=True):
        assert swath["column"].shape == (132, 2048)
        assert int(swath["column"].count()) == count
        assert float(swath["column"].min()) == pytest.approx(least / PER_MOL, rel=1e-9)
        assert float(swath["column"].max()) == pytest.approx(greatest / PER_MOL, rel=1e-9)
        assert swath.attrs["screening"].startswith("all pixels (without main_data_quality_flag")
    box = (-75, 35, -70, 40)
    image = check_image(open_column(paths, variable="vertical_column_stratosphere", bbox=box))
    assert image.rio.bounds() == pytest.approx(box)
    assert float(np.isfinite(image).mean()) > 0.9
    with pytest.raises(NO_PIXELS, match="no pixel has a value"):
        open_column(
            _one(real_data, "tempo_l2/singleton*"), variable="product/vertical_column_total"
        )


def test_gaussian_latitudes_are_refused_as_irregular(real_data):
    with pytest.raises(no2sr.IrregularGridError, match="not regular"):
        open_column(_one(real_data, "loader_traps/TROPESS*"), variable="nox")


def test_months_that_only_one_tool_writes(real_data):
    image = open_column(real_data / "omi/OMI-Aura_L3-OMNO2d_ymonmean_2015_2019.nc4", time="2019-03")
    assert image["time"].values.astype("M8[D]") == np.datetime64("2019-03-31")
    assert image.attrs["standard_name"] == "atmosphere_mole_content_of_nitrogen_dioxide"


def test_every_file_can_be_described(real_data):
    for path in _all_files(real_data):
        facts = describe(path)
        assert (facts["problem"] is None) == (facts["range"] is not None), path.name


def _all_files(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path: path.relative_to(folder).as_posix() for path in files}
    return [path for path in files if not any(names[path].startswith(part) for part in ELSEWHERE)]


def test_no_file_was_forgotten(real_data):
    patterns = [row.file for row in GRIDS] + [pattern for pattern, *_ in REFUSED]
    patterns += [f"s5p_l2/*NO2____{start}*" for start, *_ in SWATHS] + ["harp/harp_l2_region.nc"]
    told = {path for pattern in patterns for path in real_data.glob(pattern)}
    assert set(_all_files(real_data)) == told


def test_overpasses_are_read_as_swaths(real_data):
    for path in sorted((real_data / "overpasses").glob("*.nc"))[::60]:
        swath = find_reader(path).read(path, ReadOptions())
        assert find_reader(path).name == "harp"
        assert 300 < swath["column"].size < 2500
        assert float(swath["column"].min()) < 0 < float(swath["column"].max())


def test_the_truth_at_1_km_is_a_grid(real_data):
    with pytest.warns(no2sr.OversampledWarning, match="smaller than the pixels"):
        image = open_column(real_data / "truth_1km" / "cosmo_west.nc")
    assert image.shape == (600, 350)
    assert image.attrs["units"] == "mol m-2"
    assert 4e-3 < float(image.max()) < 6e-3
