"""HAQAST level 3, and the older files whose axes are in another file."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
from opening import open_column

import no2sr
from no2sr.core.image import check_image
from no2sr.readers.registry import find_reader

PER_MOL = 6.02214076e19
LATITUDE = 24.05 + 0.1 * np.arange(5)
LONGITUDE = -125.05 + 0.1 * np.arange(8)


def _own(latitude, longitude):
    """Return a value that says where it belongs, of the size of a column in molecules cm-2."""
    return 1e13 * (100 * latitude + longitude)


@pytest.fixture
def haqast(tmp_path):
    """Return a writer of V2.4 files."""

    def make(*, latitude=LATITUDE, longitude=LONGITUDE, values=None, date="2023-07-01", unit=None):
        path = tmp_path / "HAQ_TROPOMI_NO2_CONUS_QA75_L3_Monthly_072023_V2.4_20240101.nc4"
        with netCDF4.Dataset(path, "w") as file:
            if date:
                file.RangeBeginningDate = date
                file.RangeEndingDate = "2023-07-31"
            for name, axis in (("lat", latitude), ("lon", longitude)):
                file.createDimension(name, axis.size)
                file.createVariable(name, "f4", (name,))[:] = axis
                file[name].units = "degrees_north" if name == "lat" else "degrees_east"
            column = file.createVariable(
                "Tropospheric_NO2", "f4", ("lat", "lon"), fill_value=-9999.0
            )
            column.units = unit or "molecules/cm2"
            own = _own(latitude[:, None], longitude[None]) if values is None else values
            column[:] = np.ma.masked_invalid(own)
            file.createVariable("Number_obs", "i4", ("lat", "lon"))[:] = 3
        return path

    return make


@pytest.mark.parametrize("north_first", [False, True])
@pytest.mark.parametrize("turn", [0, 360])
def test_every_cell_lands_where_it_says(haqast, north_first, turn):
    latitude = LATITUDE[::-1] if north_first else LATITUDE
    path = haqast(latitude=latitude, longitude=LONGITUDE + turn)
    assert find_reader(path).name == "haqast"
    image = check_image(open_column(path))
    assert image.rio.bounds() == pytest.approx((-125.1, 24, -124.3, 24.5), abs=1e-5)
    own = _own(image["y"], image["x"] + turn) / PER_MOL
    np.testing.assert_allclose(image, own, rtol=1e-6)
    assert image["time"] == np.datetime64("2023-07-01")
    assert "qa_value above 0.75, by the product" in image.attrs["history"]


def test_gaps_and_negative_columns(haqast):
    values = np.full((5, 8), -3e14)
    values[0, 0] = np.nan
    image = open_column(haqast(values=values))
    assert np.argwhere(np.isnan(image.values)).tolist() == [[4, 0]]
    assert float(image.min()) == pytest.approx(-3e14 / PER_MOL, rel=1e-6)


@pytest.mark.parametrize("date", ["", "not a date"])
def test_without_a_month(haqast, date):
    assert "time" not in open_column(haqast(date=date)).coords


def test_the_unit_is_read_not_known(haqast):
    image = open_column(haqast(unit="10^15 molecules/cm^2", values=np.full((5, 8), 2.5)))
    assert image.values == pytest.approx(2.5e15 / PER_MOL, rel=1e-6)


@pytest.fixture
def old(tmp_path):
    """Return a writer of older files, and of the file of their axes."""

    def make(*, axes="1-D", transposed=False, size=LONGITUDE.size, folder="."):
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / "Tropomi_NO2_griddedon0.01grid_072019_QA75.ncf"
        own = _own(LATITUDE[:, None], LONGITUDE[None])
        with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
            dims = ("x", "y") if transposed else ("y", "x")
            for dim, count in zip(dims, own.T.shape if transposed else own.shape, strict=True):
                file.createDimension(dim, count)
            file.createVariable("NO2", "f4", dims)[:] = own.T if transposed else own
            file["NO2"].units = "molecules cm-2"
        if axes:
            with netCDF4.Dataset(path.with_name("LatLonGrid.ncf"), "w") as file:
                file.createDimension("r", LATITUDE.size)
                file.createDimension("c", size)
                flat = axes == "1-D"
                latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE[:size], indexing="ij")
                lat = file.createVariable("LAT", "f4", ("r",) if flat else ("r", "c"))
                lat[:] = LATITUDE if flat else latitude
                lon = file.createVariable("LON", "f4", ("c",) if flat else ("r", "c"))
                lon[:] = LONGITUDE[:size] if flat else longitude
        return path

    return make


@pytest.mark.parametrize("axes", ["1-D", "2-D"])
@pytest.mark.parametrize("transposed", [False, True])
def test_axes_are_found_in_the_file_beside(old, axes, transposed):
    path = old(axes=axes, transposed=transposed)
    assert find_reader(path).name == "haqast"
    image = check_image(open_column(path))
    np.testing.assert_allclose(image, _own(image["y"], image["x"]) / PER_MOL, rtol=1e-6)
    assert image.rio.bounds() == pytest.approx((-125.1, 24, -124.3, 24.5), abs=1e-5)


def test_a_folder_with_the_axes_in_it(old):
    path = old(folder="months")
    assert open_column(path.parent).equals(open_column(path))


def test_axes_that_are_not_there_or_do_not_fit(old):
    with pytest.raises(
        no2sr.MissingVariableError, match=r"LatLonGrid\.ncf, which holds them, does not exist"
    ):
        open_column(old(axes="", folder="a"))
    with pytest.raises(no2sr.DimensionError, match="5 latitudes and 7 longitudes"):
        open_column(old(size=7, folder="b"))
