"""Make the sample files: SIMULATED observations of a truth that is known everywhere.

    python sample_data/make_sample_data.py [folder]

writes into the folder, by default the one this script lies in:

* a Sentinel-5P L2 NO2 swath over northern India, with the structure of the real product;
* a CF L3 grid in NetCDF: south first, in molecules cm-2, with gaps;
* a GeoTIFF like an Earth Engine export: mol m-2 but no unit said, NaN but no nodata tag.

The truth behind all three is `no2sr.simulation.scenes.northern_india`, so
``truth(bounds, resolution, landscape=northern_india())`` is what each of them would show at any
other spacing without noise. Everything is seeded: every run writes the same values.
"""
# ruff: noqa: INP001, T201 - a script: in no package, and it prints

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import rasterio
import xarray as xr
from pyproj import CRS
from scipy.ndimage import gaussian_filter

from no2sr.core.grid import transform_of
from no2sr.core.image import COLUMN_ATTRS
from no2sr.core.units import factor
from no2sr.simulation.orbit import orbit_geometry, swath
from no2sr.simulation.scenes import add_noise, northern_india, truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = datetime(2024, 1, 15, tzinfo=UTC)
CENTRE = (79.5, 27.0)
SCANLINES = 304
SEED = 1

GRID_BOUNDS, GRID_RESOLUTION = (74.0, 23.0, 84.0, 31.0), 0.05
# Earth Engine turns a scale in metres into degrees by the equator's 111319.49 m in a degree.
TIFF_BOUNDS, TIFF_RESOLUTION = (80.0, 21.5, 88.0, 26.5), 5566 / 111319.49079327357
MONTHLY_NOISE = 1.5e-6  # mol m-2, what is left of one day's noise in a month's mean

# Powers of two, so that rounded values are exact in float32 and compress. A corner is moved by at
# most 27 m, and the truth is averaged over the pixels as moved; columns are rounded to 3 % of the
# smallest precision.
DEGREES, COLUMN = 2.0**-11, 2.0**-23
QUANTA = {
    "column": COLUMN,
    "precision": COLUMN,
    "cloud_radiance_fraction": 2.0**-7,
    "air_mass_factor": 2.0**-7,
    "solar_zenith_angle": 2.0**-7,
    "viewing_zenith_angle": 2.0**-7,
}

SIMULATED = "SIMULATED by no2sr (sample_data/make_sample_data.py); not an observation"
FILL, INTEGER_FILL = np.float32(9.96921e36), np.int32(-2147483647)

ROOT = {
    "Conventions": "CF-1.7",
    "institution": "none (SIMULATED)",
    "source": SIMULATED,
    "title": "SIMULATED TROPOMI/S5P NO2 piece of an orbit, L2 Swath 5.5x3.5km",
    "summary": "SIMULATED TROPOMI/S5P NO2 L2 Swath 5.5x3.5km over northern India",
    "comment": SIMULATED,
    "history": SIMULATED,
    "time_coverage_resolution": "PT0.840S",
    "orbit": np.int32(0),
    "processor_version": "2.6.0",
    "product_version": "2.6.0",
    "processing_status": "SIMULATED",
    "cdm_data_type": "Swath",
    "platform": "S5P",
    "sensor": "TROPOMI",
    "spatial_resolution": "5.5x3.5km2",
    "references": "http://www.tropomi.eu/data-products/nitrogen-dioxide",
}

AXES = ("time", "scanline", "ground_pixel", "corner")
GEOLOCATIONS, RESULTS, INPUT = (
    f"PRODUCT/SUPPORT_DATA/{group}" for group in ("GEOLOCATIONS", "DETAILED_RESULTS", "INPUT_DATA")
)
NO2 = "mole_content_of_nitrogen_dioxide"
COLUMN_NAME = "Tropospheric vertical column of nitrogen dioxide"
# variable of the swath: (group, name, units, standard_name, long_name) in the real product
# fmt: off
VARIABLES = {
    "latitude": ("PRODUCT", "latitude", "degrees_north", "latitude", "pixel center latitude"),
    "longitude": ("PRODUCT", "longitude", "degrees_east", "longitude", "pixel center longitude"),
    "column": ("PRODUCT", "nitrogendioxide_tropospheric_column", "mol m-2",
               f"troposphere_{NO2}", COLUMN_NAME),
    "precision": ("PRODUCT", "nitrogendioxide_tropospheric_column_precision", "mol m-2",
                  f"troposphere_{NO2} standard_error", f"Precision of the {COLUMN_NAME.lower()}"),
    "air_mass_factor": ("PRODUCT", "air_mass_factor_troposphere", "1",
                        None, "Tropospheric air mass factor"),
    "latitude_bounds": (GEOLOCATIONS, "latitude_bounds", "degrees_north", None, None),
    "longitude_bounds": (GEOLOCATIONS, "longitude_bounds", "degrees_east", None, None),
    "solar_zenith_angle": (GEOLOCATIONS, "solar_zenith_angle", "degree", "solar_zenith_angle",
                           "zenith angle of the sun at the ground pixel location"),
    "viewing_zenith_angle": (GEOLOCATIONS, "viewing_zenith_angle", "degree",
                             "platform_zenith_angle",
                             "zenith angle of the satellite at the ground pixel location"),
    "stratospheric_column": (RESULTS, "nitrogendioxide_stratospheric_column", "mol m-2",
                             f"stratosphere_{NO2}", COLUMN_NAME.replace("Tropo", "Strato")),
    "cloud_radiance_fraction": (RESULTS, "cloud_radiance_fraction_nitrogendioxide_window", "1",
                                None, "Cloud radiance fraction at 440 nm"),
    "surface_pressure": (INPUT, "surface_pressure", "Pa", "surface_air_pressure",
                         "Surface pressure"),
}
# fmt: on


def rounded(values: Any, quantum: float) -> Any:
    """Return the values as multiples of a quantum."""
    return (np.round(values / quantum) * quantum).astype(np.float32)


def make_swath() -> xr.Dataset:
    """Return the swath as the file tells it, with ``true_column`` besides."""
    geometry = orbit_geometry(CENTRE, scanlines=SCANLINES, day_of_year=DAY.timetuple().tm_yday)
    for name in ("latitude", "longitude", "latitude_bounds", "longitude_bounds"):
        geometry[name] = geometry[name].copy(data=rounded(geometry[name].values, DEGREES))
    observed = swath(geometry, northern_india(), seed=SEED)
    for name, quantum in QUANTA.items():
        observed[name] = observed[name].copy(data=rounded(observed[name].values, quantum))
    # As the simulation has them: a smooth stratosphere above flat ground at sea level.
    return observed.assign(
        stratospheric_column=rounded(3.6e-5 - 2e-7 * (observed["latitude"] - CENTRE[1]), COLUMN),
        surface_pressure=xr.full_like(observed["column"], 101325.0),
    )


def make_grid() -> xr.DataArray:
    """Return the image of the L3 grid, mol m-2."""
    exact = truth(GRID_BOUNDS, GRID_RESOLUTION, landscape=northern_india())
    return _with_gaps(add_noise(exact, MONTHLY_NOISE, SEED + 1), share=0.06)


def make_export() -> xr.DataArray:
    """Return the image of the GeoTIFF, mol m-2."""
    exact = truth(TIFF_BOUNDS, TIFF_RESOLUTION, landscape=northern_india())
    return _with_gaps(add_noise(exact, MONTHLY_NOISE, SEED + 2), share=0.03)


def _with_gaps(image: xr.DataArray, *, share: float) -> xr.DataArray:
    """Take out patches some ten cells wide: what stayed cloudy for the whole month."""
    draw = np.random.default_rng(SEED).standard_normal(image.shape)
    smooth = gaussian_filter(draw, 4)
    return image.where(smooth < np.quantile(smooth, 1 - share))


def write_swath(folder: Path) -> Path:
    """Write the Sentinel-5P L2 file."""
    observed = make_swath()
    middle = DAY + timedelta(hours=observed.attrs["utc_hour"])
    times = [middle + timedelta(seconds=float(s)) for s in observed["time_offset"].values]
    start, end = (f"{time:%Y%m%dT%H%M%S}" for time in (times[0], times[-1]))
    path = folder / f"S5P_OFFL_L2__NO2____{start}_{end}_00000_03_020600_20240117T000000.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(ROOT | {"id": path.stem, "time_reference": f"{DAY:%Y-%m-%dT%H:%M:%SZ}"})
        file.time_coverage_start, file.time_coverage_end = (
            f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (times[0], times[-1])
        )
        product = file.createGroup("PRODUCT")
        lines, pixels = observed["column"].shape
        for axis, size in zip(AXES, (1, lines, pixels, 4), strict=True):
            product.createDimension(axis, size)
        _write_axes(product, times)
        for name in VARIABLES:
            _write_variable(file, name, observed[name].values)
        _write_quality(product, observed["qa_value"].values)
        granule = file.createGroup("METADATA/GRANULE_DESCRIPTION")
        granule.InstrumentName, granule.MissionShortName = "TROPOMI", "S5P"
        granule.ProductShortName, granule.ProcessLevel = "L2__NO2___", "2"
        granule.ProcessorVersion, granule.ProcessingMode = "2.6.0", "SIMULATED"
    return path


def _write_axes(product: netCDF4.Group, times: list[datetime]) -> None:
    """Write indices and times."""
    for name in AXES[1:]:
        index = product.createVariable(name, "i4", (name,), fill_value=INTEGER_FILL)
        index.units, index.comment = "1", "index starts at 0"
        index[:] = np.arange(len(product.dimensions[name]))
    time = product.createVariable("time", "i4", ("time",), fill_value=INTEGER_FILL)
    time.units, time.standard_name = "seconds since 2010-01-01 00:00:00", "time"
    time.axis, time.long_name = "T", "reference time for the measurements"
    time[:] = int((DAY - datetime(2010, 1, 1, tzinfo=UTC)).total_seconds())
    delta = product.createVariable("delta_time", "i4", AXES[:2], fill_value=INTEGER_FILL, zlib=True)
    delta.long_name = "offset of start time of measurement relative to time_reference"
    delta.units = f"milliseconds since {DAY:%Y-%m-%d %H:%M:%S}"
    delta[0] = [round((moment - DAY).total_seconds() * 1000) for moment in times]
    utc = product.createVariable("time_utc", str, ("time", "scanline"))
    utc.long_name = "Time of observation as ISO 8601 date-time string"
    for i, moment in enumerate(times):
        utc[0, i] = f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _write_variable(file: netCDF4.Dataset, key: str, values: NDArray[np.floating]) -> None:
    """Write a variable as the product does: float32, filled, compressed, time first."""
    group, name, units, standard_name, long_name = VARIABLES[key]
    dims = AXES[: values.ndim + 1]
    variable = file.createGroup(group).createVariable(
        name, "f4", dims, fill_value=FILL, zlib=True, shuffle=True, complevel=9
    )
    named = {"units": units, "standard_name": standard_name, "long_name": long_name}
    variable.setncatts({key: text for key, text in named.items() if text})
    if key in ("latitude", "longitude"):
        limit = np.float32(90 if key == "latitude" else 180)
        variable.valid_min, variable.valid_max = -limit, limit
        variable.bounds = f"/{GEOLOCATIONS}/{key}_bounds"
    elif values.ndim == 2:
        root = "" if group == "PRODUCT" else "/PRODUCT/"
        variable.coordinates = f"{root}longitude {root}latitude"
    if units == "mol m-2":
        variable.multiplication_factor_to_convert_to_molecules_percm2 = np.float32(6.02214e19)
        variable.comment = SIMULATED
    variable[0] = np.where(np.isfinite(values), values, FILL)


def _write_quality(product: netCDF4.Group, codes: NDArray[np.uint8]) -> None:
    """Write qa_value, packed in one byte."""
    quality = product.createVariable(
        "qa_value", "u1", AXES[:3], fill_value=np.uint8(255), zlib=True
    )
    quality.set_auto_maskandscale(False)
    quality.units, quality.long_name = "1", "data quality value"
    quality.scale_factor, quality.add_offset = np.float32(0.01), np.float32(0)
    quality.valid_min, quality.valid_max = np.uint8(0), np.uint8(100)
    quality.comment = (
        "A continuous quality descriptor, varying between 0 (no data) and 1 (full quality data). "
        "Recommend to ignore data with qa_value < 0.5"
    )
    quality.coordinates = "longitude latitude"
    quality[0] = codes


def write_grid(folder: Path) -> Path:
    """Write the CF L3 grid."""
    image = make_grid()[::-1]
    # 2**42 molecules are 0.07 umol m-2, a twentieth of the noise.
    molecules = rounded(image.values * factor("mol m-2", "molecules cm-2"), 2.0**42)
    name, dims = "tropospheric_NO2_column_number_density", ("latitude", "longitude")
    attributes = {**COLUMN_ATTRS, "units": "molecules cm-2", "grid_mapping": "crs"}
    dataset = xr.Dataset(
        {
            name: (dims, molecules, attributes),
            "crs": ((), np.int32(0), CRS.from_epsg(4326).to_cf()),
        },
        coords={
            dim: (dim, image[axis].values, image[axis].attrs)
            for dim, axis in zip(dims, "yx", strict=True)
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": "SIMULATED monthly mean NO2 over northern India",
            "institution": "none (SIMULATED)",
            "references": "no2sr.simulation.scenes",
            **dict.fromkeys(("source", "history", "comment"), SIMULATED),
        },
    )
    path = folder / "simulated_no2_l3_monthly.nc"
    encoding: dict[str, dict[str, Any]] = {dim: {"_FillValue": None} for dim in dims}
    encoding[name] = {"_FillValue": FILL, "zlib": True, "complevel": 9}
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
    return path


def write_geotiff(folder: Path) -> Path:
    """Write the GeoTIFF in the manner of an Earth Engine export."""
    image = make_export()
    path = folder / "simulated_no2_earth_engine.tif"
    ny, nx = image.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=nx,
        height=ny,
        count=1,
        dtype="float32",
        crs="EPSG:4326",
        transform=transform_of(image),
        compress="lzw",
    ) as file:
        file.write(rounded(image.values, COLUMN), 1)
        file.set_band_description(1, "tropospheric_NO2_column_number_density")
        file.update_tags(source=SIMULATED, TIFFTAG_IMAGEDESCRIPTION=SIMULATED)
    return path


def main(folder: Path) -> None:
    """Write all files and say how large they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (write_swath(folder), write_grid(folder), write_geotiff(folder)):
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
