"""Hostile structures: files whose parts are missing, wrong, endless or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from catalogue import Case, Map, Refused, named, try_case
from makers import (
    LATITUDE,
    LONGITUDE,
    cf_grid,
    column,
    gems_l2,
    omno2d,
    s5p,
    tempo_l2,
    tempo_l3,
    tiff,
)
from opening import open_column

from no2sr.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO2 = column()
UMOL = {"units": "umol m-2"}
GRID = ("latitude", "longitude")


def _without(make: Callable[[Path], Path], *parts: str) -> Callable[[Path], Path]:
    """Return a writer of a file from which parts are taken out again."""

    def stripped(d: Path) -> Path:
        path = make(d / "stripped.nc")
        with h5py.File(path, "r+") as file:
            for part in parts:
                del file[part]
        return path

    return stripped


def _hdf(change: Callable[[h5py.File, Path], None]) -> Callable[[Path], Path]:
    """Return a writer of a sound grid that is changed through HDF5."""

    def make(d: Path) -> Path:
        path = cf_grid(d / "grid.nc")
        with h5py.File(path, "r+") as file:
            change(file, d)
        return path

    return make


def _axes(file: Any, ny: int = 8, nx: int = 10) -> None:
    """Write axes of any length into a NetCDF file."""
    for name, size, axis, unit in (
        ("latitude", ny, LATITUDE, "degrees_north"),
        ("longitude", nx, LONGITUDE, "degrees_east"),
    ):
        file.createDimension(name, size)
        variable = file.createVariable(name, "f8", (name,))
        variable.units = unit
        step = axis[1] - axis[0] if size == axis.size else np.sign(axis[1] - axis[0]) * 1e-4
        variable[:] = axis[0] + step * np.arange(size)


def _nc(fill: Callable[[Any], None], *, kind: Any = "NETCDF4", **sizes: int) -> Any:
    """Return a writer of a NetCDF file with axes and whatever else is put there."""

    def make(d: Path) -> Path:
        path = d / "made.nc"
        with netCDF4.Dataset(path, "w", format=kind) as file:
            _axes(file, **sizes)
            fill(file)
        return path

    return make


def _declared(kind: str, **options: Any) -> Callable[[Any], None]:
    """Return what declares a column and writes none of it."""

    def fill(file: Any) -> None:
        variable = file.createVariable("no2", kind, GRID, **options)
        variable.units = "umol m-2"

    return fill


def _vlen(file: Any) -> None:
    kind = file.createVLType("f8", "ragged")
    variable = file.createVariable("no2", kind, GRID)
    variable.units = "umol m-2"
    variable[0, 0] = np.arange(3.0)


def _compound(file: Any) -> None:
    kind = file.createCompoundType(np.dtype([("value", "f4"), ("error", "f4")]), "pair")
    file.createVariable("no2", kind, GRID).units = "umol m-2"


def _enum(file: Any) -> None:
    kind = file.createEnumType("u1", "grade", {"low": 0, "high": 1})
    file.createVariable("no2", kind, GRID, fill_value=0).units = "umol m-2"


def _strings(file: Any) -> None:
    variable = file.createVariable("no2", str, GRID)
    variable.units = "umol m-2"
    variable[:] = np.full((8, 10), "much", dtype=object)


def _characters(file: Any) -> None:
    file.createVariable("no2", "S1", GRID).units = "umol m-2"


def _levels(d: Path) -> Path:
    return cf_grid(d / "l.nc", values=np.stack([NO2, NO2]), dims=("level", *GRID))


def _times(count: int, **time: Any) -> Callable[[Path], Path]:
    """Return a writer of a grid with several times, day after day."""

    def make(d: Path) -> Path:
        steps = {"units": "days since 2023-10-27", **time}
        return cf_grid(
            d / "t.nc",
            values=np.stack([NO2 + day for day in range(count)]),
            dims=("time", *GRID),
            coords={
                "time": ("time", np.arange(count), steps),
                "latitude": ("latitude", LATITUDE, {"units": "degrees_north"}),
                "longitude": ("longitude", LONGITUDE, {"units": "degrees_east"}),
            },
        )

    return make


def _unlimited(d: Path) -> Path:
    dataset = xr.open_dataset(_times(1)(d), decode_times=False).load()
    dataset.close()
    path = d / "unlimited.nc"
    dataset.to_netcdf(path, unlimited_dims=["time", "latitude"])
    return path


def _cycle(file: h5py.File, _: Path) -> None:
    file.create_group("a")
    file["a/b"] = file["a"]  # a group inside itself
    file["a/root"] = file["/"]


def _external(file: h5py.File, d: Path) -> None:
    """Put the column into another file."""
    with h5py.File(d / "secret.h5", "w") as other:
        other["no2"] = NO2
    del file["tropospheric_no2_column"]
    file["tropospheric_no2_column"] = h5py.ExternalLink("secret.h5", "/no2")


def _raw_storage(file: h5py.File, d: Path) -> None:
    """Take the bytes of the column from another file."""
    (d / "secret.bin").write_bytes(NO2.astype("f8").tobytes())
    del file["tropospheric_no2_column"]
    made = file.create_dataset(
        "tropospheric_no2_column", (8, 10), "f8", external=[(str(d / "secret.bin"), 0, 640)]
    )
    made.attrs["units"] = "umol m-2"
    for index, axis in enumerate(GRID):
        made.dims[index].attach_scale(file[axis])


def _virtual(file: h5py.File, d: Path) -> None:
    """Map the column from another file."""
    with h5py.File(d / "secret.h5", "w") as other:
        other["no2"] = NO2
    layout = h5py.VirtualLayout((8, 10), "f8")
    layout[:] = h5py.VirtualSource(str(d / "secret.h5"), "no2", shape=(8, 10))
    del file["tropospheric_no2_column"]
    made = file.create_virtual_dataset("tropospheric_no2_column", layout)
    made.attrs["units"] = "umol m-2"
    for index, axis in enumerate(GRID):
        made.dims[index].attach_scale(file[axis])


def _dangling(file: h5py.File, _: Path) -> None:
    file["more"] = h5py.SoftLink("/nowhere/at/all")


def _references(file: h5py.File, _: Path) -> None:
    made = file.create_dataset("no2", (8, 10), h5py.ref_dtype)
    made[0, 0] = file["latitude"].ref


def _deep(file: h5py.File, _: Path) -> None:
    file.create_group("/".join(["g"] * 300))


def _many(file: Any) -> None:
    _declared("f4")(file)
    file["no2"][:] = NO2
    for number in range(400):
        file.createVariable(f"extra_{number}", "f4", GRID)


def _bounds_of_a_wrong_shape(file: h5py.File, _: Path) -> None:
    file["latitude"].attrs["bounds"] = "lat_bnds"
    file["lat_bnds"] = np.zeros((3, 5))


def _coordinates_of_itself(file: h5py.File, _: Path) -> None:
    file["tropospheric_no2_column"].attrs["coordinates"] = "tropospheric_no2_column latitude"


def _two_columns(d: Path) -> Path:
    second = {"no2_column_number_density": (GRID, 2 * NO2, UMOL)}
    return cf_grid(d / "two.nc", name="no2_column", extra=second)


def _huge_swath(d: Path) -> Path:
    path = d / "huge.nc"
    with netCDF4.Dataset(path, "w") as file:
        product = file.createGroup("PRODUCT")
        for name, size in (("time", 1), ("scanline", 400_000), ("ground_pixel", 400_000)):
            product.createDimension(name, size)
        for name in ("latitude", "longitude", "nitrogendioxide_tropospheric_column", "qa_value"):
            dims = ("time", "scanline", "ground_pixel")
            kind = "u1" if name == "qa_value" else "f4"
            product.createVariable(name, kind, dims, chunksizes=(1, 1000, 1000))
        product["nitrogendioxide_tropospheric_column"].units = "mol m-2"
    return path


def _huge_raster(d: Path) -> Path:
    path = d / "huge.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=300_000, height=300_000, count=1, dtype="float32",
        crs="EPSG:4326", transform=rasterio.Affine(0.0005, 0, 0, 0, -0.0001, 40), tiled=True,
        blockxsize=2048, blockysize=2048, SPARSE_OK="TRUE", BIGTIFF="YES", nodata=-1,
    ) as file:  # fmt: skip
        file.update_tags(1, units="umol m-2")
    return path


CASES = [
    # missing parts
    Case(
        name="no variables",
        make=_without(cf_grid, "latitude", "longitude", "tropospheric_no2_column"),
        outcome=Refused(error=errors.NoValidPixelsError, says="has no variables"),
    ),
    Case(
        name="S5P without its column",
        make=_without(s5p, "PRODUCT/nitrogendioxide_tropospheric_column"),
        outcome=Refused(error=errors.MissingVariableError, says="without nitrogendioxide"),
    ),
    Case(
        name="S5P without quality",
        make=_without(s5p, "PRODUCT/qa_value"),
        outcome=Refused(error=errors.MissingVariableError, says="has no PRODUCT/qa_value"),
    ),
    Case(
        name="S5P without latitude",
        make=_without(s5p, "PRODUCT/latitude"),
        outcome=Refused(error=errors.MissingVariableError, says="has no PRODUCT/latitude"),
    ),
    Case(
        name="S5P without its group",
        make=_without(s5p, "PRODUCT"),
        outcome=Refused(error=errors.NoValidPixelsError, says="has no variables"),
    ),
    Case(
        name="TEMPO without geolocation",
        make=_without(tempo_l2, "geolocation"),
        outcome=Refused(error=errors.MissingVariableError, says="regular grid"),
    ),
    Case(
        name="TEMPO without product",
        make=_without(tempo_l2, "product"),
        outcome=Refused(error=errors.MissingVariableError, says="no tropospheric NO2 column"),
    ),
    Case(
        name="TEMPO L3 without its column",
        make=_without(tempo_l3, "product/vertical_column_troposphere"),
        outcome=Refused(error=errors.MissingVariableError, says="no tropospheric NO2 column"),
    ),
    Case(
        name="GEMS without its column",
        make=_without(gems_l2, "Data Fields/ColumnAmountNO2Trop"),
        outcome=Refused(error=errors.MissingVariableError, says="no tropospheric NO2 column"),
    ),
    Case(
        name="GEMS without places",
        make=_without(gems_l2, "Geolocation Fields"),
        outcome=Refused(error=errors.MissingVariableError, says="regular grid"),
    ),
    Case(
        name="OMNO2d without its fields",
        make=_without(omno2d, "HDFEOS/GRIDS/ColumnAmountNO2/Data Fields"),
        outcome=Refused(error=errors.ReadError, says="Data Fields"),
    ),
    Case(
        name="grid without latitude",
        make=lambda d: cf_grid(
            d / "g.nc", coords={"longitude": ("longitude", LONGITUDE, {"units": "degrees_east"})}
        ),
        outcome=Refused(error=errors.DimensionError, says="has no latitude or y"),
    ),
    Case(
        name="list of points",
        make=lambda d: cf_grid(
            d / "p.nc",
            values=NO2[0],
            dims=("point",),
            coords={
                "latitude": ("point", LATITUDE[0] - np.arange(10), {"units": "degrees_north"}),
                "longitude": ("point", LONGITUDE, {"units": "degrees_east"}),
            },
        ),
        outcome=Refused(
            error=errors.MissingVariableError, says="list of 10 points without the corners"
        ),
    ),
    Case(
        name="another gas",
        make=lambda d: cf_grid(d / "o3.nc", name="ozone_column"),
        outcome=Refused(error=errors.MissingVariableError, says="ozone_column"),
    ),
    Case(
        name="two columns",
        make=_two_columns,
        outcome=Refused(error=errors.AmbiguousVariableError, says="2 candidates"),
    ),
    Case(
        name="the one of two that was named",
        make=_two_columns,
        outcome=Map(values=2 * NO2),
        settings={"variable": "no2_column_number_density"},
    ),
    Case(
        name="a variable that is not there",
        make=_two_columns,
        outcome=Refused(error=errors.MissingVariableError, says="'absent'"),
        settings={"variable": "absent"},
    ),
    # dimensions
    Case(
        name="dimension of length 0",
        make=lambda d: cf_grid(d / "g.nc", latitude=LATITUDE[:0]),
        outcome=Refused(error=errors.No2srError, says="0"),
    ),
    Case(
        name="swath of length 0",
        make=lambda d: s5p(d / "s.nc", latitude=LATITUDE[:0]),
        outcome=Refused(error=errors.ReadError, says="pixel"),
    ),
    Case(
        name="levels",
        make=_levels,
        outcome=Refused(error=errors.DimensionError, says="dimension 'level' of length 2"),
    ),
    Case(name="unlimited dimensions", make=_unlimited, outcome=Map()),
    Case(
        name="many times",
        make=_times(30),
        outcome=Map(values=NO2 + 3),
        settings={"time": "2023-10-30"},
    ),
    Case(
        name="a time that is not there",
        make=_times(3),
        outcome=Refused(error=errors.SettingsError, says="has no time 1999"),
        settings={"time": "1999-01-01"},
    ),
    Case(
        name="times in a unit that nobody knows",
        make=_times(1, units="fortnights after easter"),
        outcome=Map(),
    ),
    Case(
        name="times beyond all years",
        make=_times(1, units="days since 99999999-01-01"),
        outcome=Map(),
    ),
    # types
    Case(
        name="axes of whole numbers",
        make=lambda d: cf_grid(
            d / "g.nc",
            latitude=np.arange(30, 22, -1, dtype="i2"),
            longitude=np.arange(70, 80, dtype="u1"),
        ),
        outcome=Map(bounds=(69.5, 22.5, 79.5, 30.5)),
    ),
    Case(
        name="axis of text",
        make=lambda d: cf_grid(
            d / "g.nc", latitude=np.array([f"{y} N" for y in LATITUDE], dtype=object), values=NO2
        ),
        outcome=Refused(error=errors.ImageError, says="latitude"),
    ),
    Case(
        name="variable lengths",
        make=_nc(_vlen),
        outcome=Refused(error=errors.DimensionError, says="no2"),
    ),
    Case(
        name="compound type",
        make=_nc(_compound),
        outcome=Refused(error=errors.DimensionError, says="no2"),
    ),
    Case(name="enumeration", make=_nc(_enum), outcome=Refused(error=errors.No2srError, says="no2")),
    Case(
        name="strings", make=_nc(_strings), outcome=Refused(error=errors.DimensionError, says="no2")
    ),
    Case(
        name="characters",
        make=_nc(_characters),
        outcome=Refused(error=errors.DimensionError, says="no2"),
    ),
    Case(
        name="object references",
        make=_hdf(_references),
        outcome=Map(),
    ),
    # much declared, nothing there
    Case(
        name="huge dimensions without data",
        make=_nc(_declared("f4", chunksizes=(1000, 1000)), ny=300_000, nx=300_000),
        outcome=Refused(
            error=errors.No2srError, says="360 GB.*of memory|more than any NO2 product has"
        ),
    ),
    Case(
        name="huge swath without data",
        make=_huge_swath,
        outcome=Refused(
            error=errors.FileUnreadableError, says="of memory|more than any NO2 product has"
        ),
    ),
    Case(
        name="huge raster without data",
        make=_huge_raster,
        outcome=Refused(
            error=errors.No2srError, says="GB.*of memory|more than any NO2 product has"
        ),
    ),
    Case(
        name="declared and not written",
        make=_nc(_declared("f4")),
        outcome=Refused(error=errors.NoValidPixelsError, says="gap"),
    ),
    Case(name="four hundred variables", make=_nc(_many), outcome=Map()),
    Case(
        name="groups three hundred deep",
        make=_hdf(_deep),
        outcome=Refused(error=errors.FileUnreadableError, says="groups more than 64 deep"),
    ),
    # links
    Case(
        name="groups inside themselves",
        make=_hdf(_cycle),
        outcome=Refused(error=errors.FileUnreadableError, says="a group inside itself"),
    ),
    Case(
        name="link to another file",
        make=_hdf(_external),
        outcome=Refused(error=errors.FileUnreadableError, says="another file"),
    ),
    Case(
        name="bytes of another file",
        make=_hdf(_raw_storage),
        outcome=Refused(error=errors.FileUnreadableError, says="another file"),
    ),
    Case(
        name="values mapped from another file",
        make=_hdf(_virtual),
        outcome=Refused(error=errors.FileUnreadableError, says="another file"),
    ),
    Case(
        name="dangling link",
        make=_hdf(_dangling),
        outcome=Refused(error=errors.FileUnreadableError, says="a dangling link"),
    ),
    # attributes
    Case(
        name="bounds of a wrong shape",
        make=_hdf(_bounds_of_a_wrong_shape),
        outcome=Map(),
    ),
    Case(
        name="coordinates of itself",
        make=_hdf(_coordinates_of_itself),
        outcome=Refused(error=errors.MissingVariableError, says="no tropospheric NO2 column"),
    ),
    Case(
        name="raster of no NO2",
        make=lambda d: tiff(d / "r.tif", tags={"units": "1", "long_name": "cloud fraction"}),
        outcome=Refused(error=errors.MissingVariableError, says=r"band_1 \[1\]"),
    ),
    Case(
        name="raster of many bands",
        make=lambda d: tiff(d / "r.tif", values=np.stack([NO2] * 12)),
        outcome=Refused(error=errors.ReadError, says="12|band"),
    ),
]


@pytest.mark.parametrize("mark", [b"SNOD", b"HEAP", b"TREE"])
def test_damaged_tables_of_names_are_a_damaged_file(mark, tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        file["no2"] = NO2
    path.write_bytes(path.read_bytes().replace(mark, b"XXXX"))
    with pytest.raises(errors.FileUnreadableError, match="cannot be read"):
        open_column(path)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_structure(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)
