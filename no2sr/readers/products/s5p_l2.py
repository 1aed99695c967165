"""Sentinel-5P TROPOMI level 2 NO2 swaths (``L2__NO2___``): NRTI, OFFL, RPRO, PAL and their subsets.

Recognised by the group ``PRODUCT`` with dimensions ``scanline`` and ``ground_pixel``. The column is
in mol m-2, and its precision is one standard deviation. The random part is the precision of the
slant column over the tropospheric air-mass factor, if the file has both. The quality value is a
byte of hundredths: a pixel is used if ``byte > round(100 * qa_min)``. If the decoded float32 were
compared, 16 of the 101 codes would pass their own threshold, among them 55 and 74. Subsets may lack
the corner bounds; corners are then built from the centres. Source: Sentinel-5P level 2 product user
manual, nitrogen dioxide (KNMI).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.columns import choose, list_fields, mentions_no2
from no2sr.core.errors import DimensionError, MissingVariableError, NoValidPixelsError
from no2sr.readers.kit.column import convert_companion
from no2sr.readers.kit.fills import read_column
from no2sr.readers.kit.netcdf import (
    attribute,
    check_values,
    field_of,
    find,
    is_netcdf,
    open_netcdf,
    read_floats,
    walk,
)
from no2sr.readers.kit.time import attach_scanline_times, decode_times
from no2sr.readers.kit.uncertainty import SLANT, Stated, add_uncertainties

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "S5PLevel2"]

COLUMN = "nitrogendioxide_tropospheric_column"
GEOLOCATIONS = "SUPPORT_DATA/GEOLOCATIONS"
SLANT_PRECISION = "SUPPORT_DATA/DETAILED_RESULTS/nitrogendioxide_slant_column_density_precision"
AIR_MASS_FACTOR = "air_mass_factor_troposphere"
PIXEL = ("time", "scanline", "ground_pixel")


class S5PLevel2:
    """Reader of Sentinel-5P level 2 files; those of other gases are recognised and refused."""

    name = "s5p_l2"
    product = "Sentinel-5P TROPOMI level 2 swath"
    has_quality = True

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has the group and dimensions of a Sentinel-5P level 2 product."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            product = file.groups.get("PRODUCT")
            return product is not None and set(PIXEL) <= set(product.dimensions)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the swath and screen its pixels by quality.

        Raises
        ------
        NoValidPixelsError
            If the granule is empty: its ``PRODUCT`` group has no variables.
        MissingVariableError
            If the file is of another gas, or lacks the variable or the quality value.
        DimensionError
            If it has several time steps.
        """
        with open_netcdf(path) as file:
            product = file["PRODUCT"]
            column = self._column(file, path, options)
            _check_single(column, path)
            check_values(column)
            pixels = PIXEL[1:]
            bad = _codes(_require(product, "qa_value", path)) <= round(100 * options.quality)
            label, no2 = f"{path.name}: {column.name}", mentions_no2(column.name)
            found, read = read_column(_read_plain(column), label=label, options=options, no2=no2)
            swath = xr.Dataset(
                {"column": read.where(~bad).rename("column")}, attrs=_origin(file, path)
            )
            swath.attrs |= {
                "variable": column.name,
                "screening": f"pixels with qa_value above {options.quality:g}",
                "quality_threshold": options.quality,
            }
            for axis in ("latitude", "longitude"):
                centres = read_floats(_require(product, axis, path))[0]
                swath = swath.assign_coords({axis: (pixels, centres)})
                corners = find(product, f"{GEOLOCATIONS}/{axis}_bounds")
                if corners is not None:
                    swath[f"{axis}_bounds"] = ((*pixels, "corner"), read_floats(corners)[0])
            times = _scanline_times(product)
            if times is not None:
                swath = attach_scanline_times(swath, times)
            return add_uncertainties(swath, _read_stated(product, column, found), label=path.name)

    def _column(
        self, file: netCDF4.Dataset, path: Path, options: ReadOptions
    ) -> netCDF4.Variable[Any]:
        """Find the tropospheric column, or the variable that was named, at any depth."""
        product = file["PRODUCT"]
        if not product.variables:
            raise NoValidPixelsError(
                f"{path.name} is an empty granule of {_title(file)}: its PRODUCT group has no "
                "variables; download it again, or leave it out"
            )
        there = {field_of(v).path: v for v in walk(product) if v.dimensions == PIXEL}
        fields = [field_of(variable) for variable in there.values()]
        if options.variable is None and COLUMN not in product.variables:
            raise MissingVariableError(
                f"{path.name} is {_title(file)} without {COLUMN}; give an L2__NO2___ file, or name "
                f"one of its variables with variable=: {list_fields(fields)}"
            )
        return there[choose(fields, variable=options.variable or COLUMN, source=path.name).path]


def _title(file: netCDF4.Dataset) -> str:
    """Return the product of a file, from its identifier or its summary."""
    gas = re.search(r"_L2__(\w{6})_", attribute(file, "id"))
    product = f"L2__{gas[1]}" if gas else attribute(file, "summary") or "unknown product"
    return f"Sentinel-5P {product}"


def _require(group: netCDF4.Group, name: str, path: Path) -> netCDF4.Variable[Any]:
    found = find(group, name)
    if found is None:
        raise MissingVariableError(
            f"{path.name} has no PRODUCT/{name}; make the subset again and keep it"
        )
    return found


def _check_single(column: netCDF4.Variable[Any], path: Path) -> None:
    if column.shape[0] != 1:
        raise DimensionError(
            f"{path.name} has {column.shape[0]} time steps, but a granule has one; give the "
            "granules as separate files"
        )


def _codes(quality: netCDF4.Variable[Any]) -> NDArray[np.int16]:
    """Read the quality in whole hundredths, -1 where it is missing."""
    if quality.dtype.kind == "f":  # some subsetters write decoded values
        decoded = np.nan_to_num(read_floats(quality)[0], nan=-0.01)
        return np.asarray(np.rint(100 * decoded), dtype="int16")
    quality.set_auto_maskandscale(False)
    raw = np.asarray(quality[0])
    fill = quality.getncattr("_FillValue") if "_FillValue" in quality.ncattrs() else 255
    return np.asarray(np.where(raw == fill, -1, raw.astype("int16")), dtype="int16")


def _read_plain(variable: netCDF4.Variable[Any]) -> xr.DataArray:
    """Read a variable of the granule with its name and unit."""
    attrs = {key: attribute(variable, key) for key in ("units", "long_name", "standard_name")}
    said = {key: text for key, text in attrs.items() if text}
    return xr.DataArray(read_floats(variable)[0], dims=PIXEL[1:], name=variable.name, attrs=said)


def _read_stated(product: netCDF4.Group, column: netCDF4.Variable[Any], found: str) -> Stated:
    """Read the precision of a column, and compute its random part if the file allows it."""

    def convert_error(path: str) -> xr.DataArray | None:
        error = find(product, path)
        if error is None or error.dimensions != column.dimensions:
            return None
        stated = attribute(column, "units")
        return convert_companion(_read_plain(error), stated=stated, found=found, label=path)

    total = convert_error(f"{column.name}_precision")
    slant = convert_error(SLANT_PRECISION) if column.name == COLUMN else None
    factor = find(product, AIR_MASS_FACTOR)
    if slant is None or factor is None or factor.dimensions != column.dimensions:
        return Stated(total=total)
    air_mass = _read_plain(factor)
    return Stated(random=slant / air_mass.where(air_mass > 0), total=total, source=SLANT)


def _scanline_times(product: netCDF4.Group) -> xr.DataArray | None:
    """Return the times of the scanlines: a subset keeps the coverage of its whole orbit."""
    delta, reference = (find(product, name) for name in ("delta_time", "time"))
    if delta is None or delta.dimensions != PIXEL[:2]:
        return None
    unit = attribute(delta, "units")
    if " since " in unit:
        return xr.DataArray(read_floats(delta)[0], dims="scanline", attrs={"units": unit})
    if reference is None or reference.size != 1:  # "milliseconds", of the day that time says
        return None
    told = {"units": attribute(reference, "units")}
    days = decode_times(xr.DataArray(read_floats(reference).ravel(), attrs=told))
    since = {"units": f"milliseconds since {days.values.astype('datetime64[ms]')[0]}"}
    return xr.DataArray(read_floats(delta)[0], dims="scanline", attrs=since)


def _origin(file: netCDF4.Dataset, path: Path) -> dict[str, str]:
    """Return the attributes that identify the granule."""
    version = attribute(file, "processor_version")
    granule = attribute(file, "id") or path.stem
    product = f"{granule}, processor {version}" if version else granule
    attrs = {
        "source": f"{attribute(file, 'source') or 'Sentinel-5P TROPOMI'} ({product})",
        "processor_version": version,
        "time_coverage_start": attribute(file, "time_coverage_start"),
        "time_coverage_end": attribute(file, "time_coverage_end"),
    }
    return {key: text for key, text in attrs.items() if text}


READER = S5PLevel2()
