"""Tiny files of every kind that no2sr reads, whose values say where they belong.

The column of a cell is a linear function of its place, so that whatever comes out of a chain of
steps tells by itself whether it lies where it was observed. Everything is written in milliseconds.
"""

from __future__ import annotations

import gzip
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import netCDF4
import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

LATITUDE = 29.75 - 0.5 * np.arange(8)  # centres, north first
LONGITUDE = 76.25 + 0.5 * np.arange(10)
BOUNDS = (76.0, 26.0, 81.0, 30.0)
PLACE = Affine(0.5, 0, 76, 0, -0.5, 30)
MOLECULES = 6.02214076e19  # cm-2 in one mol m-2


def column_at(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Return the column in umol m-2 at a place in degrees: from 20 to 240, one value a place."""
    x, y = np.asarray(x, dtype="f8"), np.asarray(y, dtype="f8")
    return 130.0 + y + ((x + 180) % 360 - 180) / 10


def column(latitude: ArrayLike = LATITUDE, longitude: ArrayLike = LONGITUDE) -> NDArray[np.float64]:
    """Return the columns of a grid in umol m-2."""
    return column_at(np.asarray(longitude)[None, :], np.asarray(latitude)[:, None])


def cf_grid(
    path: Path,
    *,
    latitude: Any = LATITUDE,
    longitude: Any = LONGITUDE,
    values: Any = None,
    name: str = "tropospheric_no2_column",
    dims: tuple[str, ...] = ("latitude", "longitude"),
    attrs: dict[str, Any] | None = None,
    coords: dict[str, Any] | None = None,
    extra: dict[str, Any] | None = None,
    kind: Any = "NETCDF4",
    encoding: dict[str, Any] | None = None,
) -> Path:
    """Write a CF grid, in umol m-2 unless other attributes are given."""
    values = column(latitude, longitude) if values is None else values
    placed = {
        "latitude": ("latitude", latitude, {"units": "degrees_north"}),
        "longitude": ("longitude", longitude, {"units": "degrees_east"}),
    }
    dataset = xr.Dataset(
        {name: (dims, values, {"units": "umol m-2"} if attrs is None else attrs), **(extra or {})},
        coords=placed if coords is None else coords,
        attrs={"Conventions": "CF-1.8"},
    )
    dataset.to_netcdf(path, format=kind, encoding={name: encoding or {}})
    return path


def tiff(
    path: Path,
    *,
    values: Any = None,
    transform: Affine | None = PLACE,
    crs: Any = "EPSG:4326",
    nodata: float | None = None,
    tags: dict[str, str] | None = None,
    **profile: Any,
) -> Path:
    """Write a GeoTIFF of one band, in umol m-2 unless other tags are given."""
    bands = np.asarray(column() if values is None else values)
    bands = bands if bands.ndim == 3 else bands[None]
    shape = dict(zip(("count", "height", "width"), bands.shape, strict=True))
    dtype = profile.pop("dtype", "float32")
    scale, offset = profile.pop("scale", 1), profile.pop("offset", 0)
    place = {} if transform is None else {"transform": transform}
    how = {"dtype": dtype, "nodata": nodata, "crs": crs, **place, **shape, **profile}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path, "w", driver="GTiff", **how)
    with file:
        file.write(bands.astype(dtype))
        file.update_tags(1, **({"units": "umol m-2"} if tags is None else tags))
        if (scale, offset) != (1, 0):
            file.scales, file.offsets = (scale,) * len(bands), (offset,) * len(bands)
    return path


def s5p(
    path: Path,
    *,
    latitude: Any = LATITUDE,
    longitude: Any = LONGITUDE,
    values: Any = None,
    qa: Any = 100,
    kind: Any = "NETCDF4",
) -> Path:
    """Write a Sentinel-5P L2 swath in mol m-2, its pixels the cells of the grid."""
    y, x = np.meshgrid(latitude, longitude, indexing="ij")
    values = 1e-6 * column_at(x, y) if values is None else values
    pixels = ("time", "scanline", "ground_pixel")
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.setncatts({"id": "S5P_OFFL_L2__NO2____20230101T000000", "processor_version": "2.4.0"})
        product = file.createGroup("PRODUCT")
        for name, size in zip((*pixels, "corner"), (1, *y.shape, 4), strict=True):
            product.createDimension(name, size)
        for name, field, unit in (
            ("latitude", y, "degrees_north"),
            ("longitude", x, "degrees_east"),
            ("nitrogendioxide_tropospheric_column", values, "mol m-2"),
        ):
            variable = product.createVariable(name, "f4", pixels, fill_value=np.float32(9.96921e36))
            variable.units = unit
            variable[:] = np.ma.masked_invalid(np.broadcast_to(field, y.shape))[None]
        quality = product.createVariable("qa_value", "u1", pixels, fill_value=255)
        quality.set_auto_maskandscale(False)
        quality.setncatts({"units": "1", "scale_factor": np.float32(0.01)})
        quality[:] = np.broadcast_to(np.asarray(qa, dtype="u1"), y.shape)[None]
    return path


def _grouped(path: Path, fields: dict[str, tuple[Any, str]], dims: tuple[str, str]) -> Path:
    """Write 2-D fields into groups."""
    with netCDF4.Dataset(path, "w") as file:
        for dim, size in zip(dims, (LATITUDE.size, LONGITUDE.size), strict=True):
            file.createDimension(dim, size)
        for where, (values, unit) in fields.items():
            variable = file.createVariable(where, "f4", dims, fill_value=np.float32(-1e30))
            variable.units = unit
            variable[:] = values
    return path


def tempo_l2(path: Path) -> Path:
    """Write a TEMPO L2 swath."""
    y, x = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    molecules = 1e-6 * column() * MOLECULES
    return _grouped(
        path,
        {
            "geolocation/latitude": (y, "degrees_north"),
            "geolocation/longitude": (x, "degrees_east"),
            "product/vertical_column_troposphere": (molecules, "molecules/cm^2"),
            "product/main_data_quality_flag": (0 * y, "1"),
            "support_data/eff_cloud_fraction": (0 * y, "1"),
        },
        ("mirror_step", "xtrack"),
    )


def tempo_l3(path: Path) -> Path:
    """Write a TEMPO L3 grid."""
    molecules = 1e-6 * column() * MOLECULES
    _grouped(
        path,
        {"product/vertical_column_troposphere": (molecules[::-1], "molecules/cm^2")},
        ("latitude", "longitude"),
    )
    with netCDF4.Dataset(path, "a") as file:
        for name, axis in (("latitude", LATITUDE[::-1]), ("longitude", LONGITUDE)):
            file.createVariable(name, "f4", (name,))[:] = axis
    return path


def gems_l2(path: Path) -> Path:
    """Write a GEMS L2 swath."""
    y, x = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    return _grouped(
        path,
        {
            "Geolocation Fields/Latitude": (y, "degrees_north"),
            "Geolocation Fields/Longitude": (x, "degrees_east"),
            "Data Fields/ColumnAmountNO2Trop": (1e-6 * column() * MOLECULES, "molecules cm-2"),
            "Data Fields/FinalAlgorithmFlags": (0 * y, "1"),
        },
        ("spatial", "image"),
    )


def omno2d(path: Path) -> Path:
    """Write an HDF-EOS5 grid of OMI, coarser than the true one."""
    latitude, longitude = -86.25 + 7.5 * np.arange(24), -176.25 + 7.5 * np.arange(48)
    grid = "HDFEOS/GRIDS/ColumnAmountNO2"
    with h5py.File(path, "w") as file:
        field = file.create_dataset(
            f"{grid}/Data Fields/ColumnAmountNO2TropCloudScreened",
            data=(1e-6 * column(latitude, longitude) * MOLECULES).astype("f4"),
        )
        field.attrs["Units"] = np.bytes_("molec/cm2")
        file[grid].attrs["GridSpacing"] = np.bytes_("(7.5,7.5)")
        file[grid].attrs["GridSpan"] = np.bytes_("(-180,180,-90,90)")
    return path


def harp(path: Path) -> Path:
    """Write a HARP grid with bounds only."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.Conventions = "HARP-1.0"
        for dim, size in (("latitude", 8), ("longitude", 10), ("independent_2", 2)):
            file.createDimension(dim, size)
        name = "tropospheric_NO2_column_number_density"
        for where, dims, values, unit in (
            (name, ("latitude", "longitude"), column()[::-1], "umol/m^2"),
            (
                "latitude_bounds",
                ("latitude", "independent_2"),
                _edges(LATITUDE[::-1]),
                "degree_north",
            ),
            ("longitude_bounds", ("longitude", "independent_2"), _edges(LONGITUDE), "degree_east"),
        ):
            variable = file.createVariable(where, "f8", dims)
            variable.units = unit
            variable[:] = values
    return path


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([centres - 0.25, centres + 0.25], axis=1)


def cams(path: Path) -> Path:
    """Write a packed CAMS total column over the globe, kg m-2, 0..360, pole to pole."""
    latitude, longitude = 90 - 15.0 * np.arange(13), 15.0 * np.arange(24)
    kilograms = 1e-6 * column(latitude, longitude) * 0.0460055
    return cf_grid(
        path,
        latitude=latitude,
        longitude=longitude,
        values=kilograms,
        name="tcno2",
        attrs={"units": "kg m**-2", "long_name": "Total column nitrogen dioxide"},
        encoding={
            "dtype": "int16",
            "scale_factor": 3e-10,
            "add_offset": 6e-6,
            "_FillValue": -32767,
        },
        kind="NETCDF3_64BIT",
    )


def haqast(path: Path) -> Path:
    """Write a HAQAST grid."""
    return cf_grid(
        path,
        latitude=LATITUDE[::-1],
        values=1e-6 * column(LATITUDE[::-1]) * MOLECULES / 1e15,
        name="Tropospheric_NO2",
        attrs={"units": "10^15 molecules/cm2"},
    )


def temis(path: Path) -> Path:
    """Write a TEMIS month on a coarse globe, in 1e13 molecules cm-2."""
    latitude, longitude = -75 + 30.0 * np.arange(6), -165 + 30.0 * np.arange(12)
    counts = np.rint(1e-6 * column(latitude, longitude) * MOLECULES / 1e13).astype(int)
    lines = ["TEMIS tropospheric NO2", "units 1e13 molecules/cm2"]
    for where, row in zip(latitude, counts, strict=True):
        lines += [f"lat= {where:.3f}", "".join(f"{count:4d}" for count in row)]
    path.write_text("\n".join(lines) + "\n")
    return path


def esri_ascii(path: Path) -> Path:
    """Write an ESRI ASCII grid in molecules cm-2."""
    rows = 1e-6 * column() * MOLECULES
    head = "ncols 10\nnrows 8\nxllcorner 76\nyllcorner 26\ncellsize 0.5\nNODATA_value -9999\n"
    path.write_text(head + "\n".join(" ".join(f"{v:.6e}" for v in row) for row in rows) + "\n")
    return path


def gzipped(path: Path) -> Path:
    """Write a gzipped CF grid."""
    inside = cf_grid(path.with_name(f"{path.name}.inside"))
    path.write_bytes(gzip.compress(inside.read_bytes(), mtime=0))
    inside.unlink()
    return path


def zipped(path: Path, *, name: str = "inside.nc") -> Path:
    """Write a zip archive with a CF grid."""
    inside = cf_grid(path.with_name(f"{path.name}.inside"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, inside.read_bytes())
    inside.unlink()
    return path


def _nc3(path: Path) -> Path:
    return cf_grid(path, kind="NETCDF3_CLASSIC")


def _nc5(path: Path) -> Path:
    """Write the format of NetCDF that xarray does not."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_DATA") as file:
        for name, axis, unit in (
            ("latitude", LATITUDE, "degrees_north"),
            ("longitude", LONGITUDE, "degrees_east"),
        ):
            file.createDimension(name, axis.size)
            file.createVariable(name, "f8", (name,))[:] = axis
            file[name].units = unit
        file.createVariable("no2", "f4", ("latitude", "longitude"))[:] = column()
        file["no2"].units = "umol m-2"
    return path


def _chunked(path: Path) -> Path:
    packing = {"chunksizes": (4, 5), "zlib": True, "shuffle": True, "fletcher32": True}
    return cf_grid(path, encoding=packing)


def _latest(path: Path) -> Path:
    """Write the newer HDF5 layout, whose metadata have checksums."""
    with h5py.File(path, "w", libver="latest") as file:
        for name, axis, unit in (
            ("latitude", LATITUDE, "degrees_north"),
            ("longitude", LONGITUDE, "degrees_east"),
        ):
            file.create_dataset(name, data=axis).make_scale(name)
            file[name].attrs["units"] = unit
        field = file.create_dataset("no2", data=column(), chunks=(4, 5), compression="gzip")
        field.attrs["units"] = "umol m-2"
        field.dims[0].attach_scale(file["latitude"])
        field.dims[1].attach_scale(file["longitude"])
    return path


def _tiled_tiff(path: Path) -> Path:
    shape = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    return tiff(path, nodata=-9999.0, predictor=3, **shape)


def _int_tiff(path: Path) -> Path:
    return tiff(path, values=np.rint(column() * 10), dtype="int16", scale=0.1, compress="lzw")


def _big_tiff(path: Path) -> Path:
    return tiff(path, BIGTIFF="YES", compress="zstd")


# One file a kind, by the name that it would have.
KINDS: dict[str, Callable[[Path], Path]] = {
    "grid.nc": cf_grid,
    "grid3.nc": _nc3,
    "grid5.nc": _nc5,
    "chunked.nc": _chunked,
    "latest.h5": _latest,
    "s5p.nc": s5p,
    "tempo_l2.nc": tempo_l2,
    "tempo_l3.nc": tempo_l3,
    "gems.nc": gems_l2,
    "omno2d.he5": omno2d,
    "harp.nc": harp,
    "cams.nc": cams,
    "haqast.nc": haqast,
    "no2_202301.asc": temis,
    "no2_202301.grd": esri_ascii,
    "plain.tif": tiff,
    "tiled.tif": _tiled_tiff,
    "int.tif": _int_tiff,
    "big.tif": _big_tiff,
    "packed.nc.gz": gzipped,
    "packed.zip": zipped,
}
