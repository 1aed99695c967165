"""Inputs for the performance benchmarks, all simulated: rasters of any size, whole orbits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import rasterio
from gridding import simulate_orbit
from rasterio.transform import from_origin
from rasterio.windows import Window

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

ROWS = 512  # written at once, so that a large raster needs no large memory
MOLECULES = "mol m-2"


def write_raster(path: Path, side: int) -> Path:
    """Write a raster of `side` x `side` cells: plumes, noise around them, 5 % of gaps."""
    rng = np.random.default_rng(0)
    profile = {
        "driver": "GTiff",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "float32",
        "nodata": np.nan,
        "crs": "EPSG:32633",
        # Large cells, that the grid be as coarse as a satellite's; it may leave the zone.
        "transform": from_origin(0, 4000 * side, 4000, 4000),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 3,
    }
    x = np.arange(side)
    with rasterio.open(path, "w", **profile) as raster:
        raster.set_band_description(1, f"NO2 troposphere [{MOLECULES}]")
        raster.update_tags(1, units=MOLECULES)
        for top in range(0, side, ROWS):
            y = np.arange(top, min(top + ROWS, side))[:, None]
            values = 4e-5 * np.cos(x / 9) ** 8 * np.cos(y / 11) ** 8
            values = values + rng.normal(3e-5, 5e-6, values.shape)
            cloudy = rng.random((-(-len(y) // 16), -(-side // 16))) < 0.05
            values[np.kron(cloudy, np.ones((16, 16), bool))[: len(y), :side]] = np.nan
            window = Window(0, top, side, len(y))
            raster.write(values.astype(np.float32), 1, window=window)
    return path


def write_orbit(path: Path, *, turn: float = 0) -> Path:
    """Write a whole simulated orbit, all valid, as a Sentinel-5P file, `turn` degrees west."""
    orbit = simulate_orbit()
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({"id": path.stem, "processor_version": "02.06.00"})
        product = file.createGroup("PRODUCT")
        for name, size in (("time", 1), *orbit["column"].sizes.items(), ("corner", 4)):
            product.createDimension(name, size)
        column = "nitrogendioxide_tropospheric_column"
        places = {
            column: orbit["column"],
            f"{column}_precision": orbit["precision"],
            "latitude": orbit["latitude_bounds"].mean("corner"),
            "longitude": _west_of(orbit["longitude_bounds"][..., 0], turn),
        }
        for name, values in places.items():
            _add(product, name, values)
        quality = product.createVariable("qa_value", "u1", ("time", *orbit["column"].dims))
        quality.setncatts({"scale_factor": np.float32(0.01), "add_offset": np.float32(0)})
        quality.set_auto_maskandscale(False)
        quality[:] = 100
        geolocations = product.createGroup("SUPPORT_DATA/GEOLOCATIONS")
        _add(geolocations, "latitude_bounds", orbit["latitude_bounds"])
        _add(geolocations, "longitude_bounds", _west_of(orbit["longitude_bounds"], turn))
    return path


def _west_of(longitude: xr.DataArray, turn: float) -> xr.DataArray:
    return (longitude - turn + 180) % 360 - 180


def _add(group: netCDF4.Group, name: str, values: xr.DataArray) -> None:
    variable = group.createVariable(
        name, "f4", ("time", *values.dims), zlib=True, complevel=1, fill_value=9.96921e36
    )
    variable.units = MOLECULES if "column" in name else "degrees"
    variable[0] = values.values
