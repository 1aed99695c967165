"""Small files with the true structure of the products, written on the fly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILL = np.float32(9.96921e36)
STEP = 0.0625  # degrees; a power of two, so that float32 holds every corner exactly
PLACE = Affine(0.5, 0, 20, 0, -0.5, 12)
CORNERS = ((-1, -1), (-1, 1), (1, 1), (1, -1))  # (latitude, longitude): south-west, then round


@pytest.fixture
def make_s5p(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of Sentinel-5P L2 files whose pixels are the cells of a 1/16 degree grid.

    Columns are ``1e-6 * longitude`` unless given; scanlines go north, or south on the descending
    part of an orbit, where the corners begin in the north-east.
    """

    def make(
        name: str = "s5p.nc",
        *,
        south: float = 28.0,
        west: float = 77.0,
        shape: tuple[int, int] = (4, 6),
        column: Any = None,
        qa: Any = 100,
        descending: bool = False,
        corners: bool = True,
        leave_out: tuple[str, ...] = (),
        variables: dict[str, tuple[Any, str]] | None = None,
        attrs: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        latitude, longitude = _centres(south, west, shape, descending=descending)
        column = 1e-6 * longitude if column is None else np.broadcast_to(column, shape)
        fields = {
            "latitude": (latitude, "degrees_north"),
            "longitude": (_wrapped(longitude), "degrees_east"),
            "nitrogendioxide_tropospheric_column": (column, "mol m-2"),
            "nitrogendioxide_tropospheric_column_precision": (np.full(shape, 2e-6), "mol m-2"),
        }
        with netCDF4.Dataset(path, "w") as file:
            file.setncatts(
                {
                    "Conventions": "CF-1.7",
                    "id": "S5P_OFFL_L2__NO2____20230101T000000",
                    "processor_version": "2.4.0",
                    "time_coverage_start": "2023-01-01T00:00:00Z",
                    "time_coverage_end": "2023-01-01T00:00:05Z",
                }
                | (attrs or {})
            )
            product = file.createGroup("PRODUCT")
            for dim, size in {
                "time": 1,
                "scanline": shape[0],
                "ground_pixel": shape[1],
                "corner": 4,
            }.items():
                product.createDimension(dim, size)
            kept = {key: field for key, field in fields.items() if key not in leave_out}
            for key, (values, unit) in (kept | (variables or {})).items():
                _write(product, key, np.broadcast_to(values, shape), unit)
            if "qa_value" not in {*leave_out, *(variables or {})}:
                _write_quality(product, np.broadcast_to(qa, shape))
            if corners:
                _write_corners(product, latitude, longitude, descending=descending)
        return path

    return make


def _centres(south, west, shape, *, descending):
    rows = south + STEP * (np.arange(shape[0]) + 0.5)
    columns = west + STEP * (np.arange(shape[1]) + 0.5)
    if descending:
        rows, columns = rows[::-1], columns[::-1]
    return np.meshgrid(rows, columns, indexing="ij")


def _wrapped(longitude):
    return (longitude + 180) % 360 - 180


def _write(group, name, values, unit, dims=("time", "scanline", "ground_pixel")):
    *groups, name = name.split("/")
    for step in groups:
        group = group.groups[step] if step in group.groups else group.createGroup(step)
    variable = group.createVariable(name, "f4", dims, fill_value=FILL)
    variable.units = unit
    variable[:] = np.ma.masked_invalid(np.asarray(values, dtype="f8"))[None]


def _write_quality(product, codes):
    quality = product.createVariable(
        "qa_value", "u1", ("time", "scanline", "ground_pixel"), fill_value=255
    )
    quality.setncatts({"units": "1", "scale_factor": np.float32(0.01), "add_offset": np.float32(0)})
    quality.set_auto_maskandscale(False)
    quality[:] = np.asarray(codes, dtype="u1")[None]


def _write_corners(product, latitude, longitude, *, descending):
    turned = CORNERS[2:] + CORNERS[:2] if descending else CORNERS
    dims = ("time", "scanline", "ground_pixel", "corner")
    for axis, centres, which in (("latitude", latitude, 0), ("longitude", longitude, 1)):
        bounds = centres[..., None] + STEP / 2 * np.array([corner[which] for corner in turned])
        bounds = bounds if axis == "latitude" else _wrapped(bounds)
        name = f"SUPPORT_DATA/GEOLOCATIONS/{axis}_bounds"
        _write(product, name, bounds, f"degrees_{'north' if axis == 'latitude' else 'east'}", dims)


@pytest.fixture
def make_grid(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of CF grids; the column is ``longitude + 1000 * latitude`` in nmol m-2."""

    def make(
        name: str = "grid.nc",
        *,
        latitude: Any = None,
        longitude: Any = None,
        values: Any = None,
        variable: str = "tropospheric_no2",
        attrs: dict[str, Any] | None = None,
        names: tuple[str, str] = ("lat", "lon"),
        times: Any = None,
        kind: str = "NETCDF4",
        encoding: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> Path:
        latitude = np.arange(10.25, 13, 0.5) if latitude is None else np.asarray(latitude)
        longitude = np.arange(20.25, 24, 0.5) if longitude is None else np.asarray(longitude)
        y, x = names
        if values is None:
            values = own_place(latitude[:, None], longitude[None, :])
        dims: tuple[str, ...] = (y, x)
        coords = {
            y: (y, latitude, {"units": "degrees_north"}),
            x: (x, longitude, {"units": "degrees_east"}),
        }
        if times is not None:
            dims = ("time", *dims)
            coords["time"] = ("time", np.asarray(times), {})
            values = np.broadcast_to(values, (len(times), latitude.size, longitude.size))
        dataset = xr.Dataset(
            {
                variable: (dims, values, {"units": "nmol m-2"} if attrs is None else attrs),
                **(extra or {}),
            },
            coords=coords,
            attrs={"Conventions": "CF-1.8"},
        )
        path = tmp_path / name
        dataset.to_netcdf(path, format=kind, encoding={variable: encoding or {}})
        return path

    return make


def own_place(latitude: Any, longitude: Any) -> Any:
    """Return a value that says where it belongs, of the size of a column in nmol m-2."""
    return 1000.0 * latitude + (longitude + 180) % 360 - 180


@pytest.fixture
def make_tiff(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of GeoTIFFs, 4 x 5 cells of half a degree from 20 E, 12 N, in umol m-2."""

    def make(
        name: str = "raster.tif",
        *,
        bands: Any = None,
        transform: Affine = PLACE,
        crs: str | None = "EPSG:4326",
        dtype: str = "float32",
        nodata: float | None = None,
        descriptions: tuple[str, ...] = (),
        tags: dict[str, str] | None = None,
        file_tags: dict[str, str] | None = None,
        scale: float | None = None,
        colormap: dict[int, tuple[int, int, int, int]] | None = None,
    ) -> Path:
        bands = np.full((1, 4, 5), 50.0) if bands is None else np.asarray(bands, dtype="f8")
        path = tmp_path / name
        count, height, width = bands.shape
        shape = {"count": count, "height": height, "width": width}
        place = {"crs": crs, "transform": transform}
        with rasterio.open(
            path, "w", driver="GTiff", dtype=dtype, nodata=nodata, **shape, **place
        ) as file:
            file.write(bands.astype(dtype))
            for index, description in enumerate(descriptions, start=1):
                file.set_band_description(index, description)
            file.update_tags(1, **({"units": "umol m-2"} if tags is None else tags))
            file.update_tags(**(file_tags or {}))
            if scale is not None:
                file.scales = (scale,) * count
            if colormap is not None:
                file.write_colormap(1, colormap)
        return path

    return make
