"""GeoTIFF files of Earth Engine, Sentinel Hub, openEO, GDAL and this package.

The band is found by its description or tags; a single band needs neither. Gaps are NaN, the nodata
tag, a mask or alpha band, a band ``dataMask`` of zeros and ones, and, if there is none of these,
exact zeros. The unit is taken from the band's tags or description. Pictures (8-bit, palette),
rasters without a CRS and rotated rasters are refused: they cannot become columns on a map.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from no2sr.core.colours import PICTURE
from no2sr.core.columns import choose, list_fields, mentions_no2, speaks_of_another
from no2sr.core.errors import (
    IrregularGridError,
    MissingCRSError,
    MissingVariableError,
    RepairWarning,
    UnitsError,
    UnknownFormatError,
)
from no2sr.core.layers import layer_name
from no2sr.core.provenance import select_own
from no2sr.core.spans import span_between
from no2sr.core.times import BOUNDS, EDGES
from no2sr.core.units import CANONICAL
from no2sr.readers.kit.bands import bands_in, is_tiff, open_raster
from no2sr.readers.kit.column import is_surely_mol
from no2sr.readers.kit.control_points import find_transform, place_by_points
from no2sr.readers.kit.uncertainty import find_companions

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from no2sr.core.columns import Field
    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "GeoTiff"]

_MASK = re.compile(r"data_?mask", re.IGNORECASE)
# Bands of the Earth Engine collections COPERNICUS/S5P/*/L3_NO2: their catalogue states mol m-2.
_EARTH_ENGINE = re.compile(r"(tropospheric_|stratospheric_)?NO2_column_number_density")
ZEROS = 0.01  # a measured column is never exactly 0; a larger share of zeros is masked pixels


class GeoTiff:
    """Reader of GeoTIFF files."""

    name = "geotiff"
    product = "GeoTIFF raster"

    def recognises(self, path: Path) -> bool:
        """Tell by the first bytes whether the file is TIFF or BigTIFF."""
        return is_tiff(path)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the band on its grid.

        Raises
        ------
        UnknownFormatError
            If the file is a picture, or holds several rasters.
        MissingCRSError, IrregularGridError
            If the raster cannot be placed on a map, or is rotated.
        MissingVariableError, AmbiguousVariableError
            If no band is an NO2 column, or several may be.
        UnitsError
            If it holds integers of unknown scale.
        """
        with open_raster(path) as raster:
            transform, crs = find_transform(raster, path), raster.gcps[1]
            if transform is None:
                _check_place(raster, path)
        dataset = self.read_unplaced(path, options)
        if transform is None:
            return dataset
        placed = place_by_points(dataset, transform, crs)
        placed.set_close(dataset.close)
        return placed

    def read_unplaced(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the band of a raster that need not have a place on a map; otherwise like `read`."""
        import rioxarray

        with open_raster(path) as raster:
            _check_no_picture(raster, path)
            _check_alone(raster, path)
            fields = bands_in(raster)
            mask = _find_mask(raster, fields)
            field = _choose_band(fields, mask, variable=options.variable, source=path.name)
            index = fields.index(field)
            _check_values(raster, index, unit=options.unit or field.unit, path=path)
            tags = raster.tags()
            scale, offset = raster.scales[index], raster.offsets[index]
            unmarked = raster.nodata is None and options.nodata is None and mask is None
            unmarked &= raster.dtypes[index][0] == "f"
        bands = cast(
            "xr.DataArray",
            rioxarray.open_rasterio(
                path.absolute(), masked=True, chunks=_spell_out(options.chunks), driver="GTiff"
            ),
        )
        column = bands.isel(band=index, drop=True)
        if (scale, offset) != (1, 0):
            column = column * scale + offset
        packing = {"scale_factor": scale, "add_offset": offset}
        if mask is not None:
            column = column.where(bands.isel(band=mask, drop=True) == 1)
        if unmarked:
            column = _mask_zeros(column, path)
        attrs = {"units": field.unit or _implied_unit(field, column), "long_name": field.text}
        column.attrs = {key: text for key, text in attrs.items() if text}
        column.encoding = packing
        dataset = column.rename(field.name).to_dataset()
        for layer, name in find_companions(field.name, (f.name for f in fields)).items():
            place = next(n for n, f in enumerate(fields) if f.name == name)
            beside = bands.isel(band=place, drop=True)
            beside.attrs = {"units": fields[place].unit}
            dataset[layer_name(field.name, layer)] = beside
        dataset = _add_origin(dataset, tags)
        dataset.set_close(bands.close)
        return dataset


def _spell_out(chunks: Any) -> Any:
    """Spell out automatic chunks by axis, as rioxarray needs them."""
    return {"y": "auto", "x": "auto"} if chunks == "auto" else chunks


def _check_place(raster: Any, path: Path) -> None:
    if raster.crs is None:
        raise MissingCRSError(
            f"{path.name} has no CRS; state it, for example with gdal_edit.py -a_srs EPSG:4326"
        )
    if raster.transform.is_identity:  # GDAL's default if a file states none
        raise MissingCRSError(
            f"{path.name} has a CRS but no geotransform, so its place is unknown; state it, for "
            "example with gdal_edit.py -a_ullr"
        )
    if raster.transform.b or raster.transform.d:
        raise IrregularGridError(
            f"{path.name} is rotated (geotransform {raster.transform.to_gdal()}); warp it first, "
            "for example with gdalwarp"
        )


def _check_alone(raster: Any, path: Path) -> None:
    """Refuse a file of several pages, because nothing says which of them is the map."""
    pages = raster.subdatasets
    if pages:
        raise UnknownFormatError(
            f"{path.name} holds {len(pages)} rasters, one per page; extract one of them, for "
            f"example with gdal_translate GTIFF_DIR:1:{path.name} first.tif"
        )


def _check_no_picture(raster: Any, path: Path) -> None:
    """Refuse pictures that this package has tagged, and bands that are tagged as colours."""
    shows = raster.tags().get(PICTURE)
    if shows:
        raise UnknownFormatError(
            f"{path.name} is a picture ({shows}), and no column can be read from colours; give the "
            "file that the picture was made from, or enlarge the picture with no2sr enhance"
        )
    colours = {"red", "green", "blue"} <= {kind.name for kind in raster.colorinterp}
    if colours and raster.dtypes[0] == "uint8":
        raise UnknownFormatError(
            f"{path.name} is an 8-bit picture in red, green and blue, without measured values; "
            "export the column as float32, in Sentinel Hub with sampleType FLOAT32, or enlarge the "
            "picture with no2sr enhance"
        )


def _find_mask(raster: Any, fields: list[Field]) -> int | None:
    """Find the band that marks data: by its name, or the second of two if it holds only 0 and 1."""
    for index, field in enumerate(fields):
        if _MASK.search(field.name):
            return index
    if len(fields) == 2 and not mentions_no2(fields[1].name, fields[1].text):
        blocks = (raster.read(2, window=window) for _, window in raster.block_windows(2))
        if all(((values == 0) | (values == 1)).all() for values in blocks):
            return 1
    return None


def _choose_band(
    fields: list[Field], mask: int | None, *, variable: str | None, source: str
) -> Field:
    """Find the band that the caller named or numbered, the NO2 band, or the only band."""
    if variable is not None and variable.isdigit() and 0 < int(variable) <= len(fields):
        return fields[int(variable) - 1]
    data = [field for index, field in enumerate(fields) if index != mask]
    if variable is not None or len(data) > 1:
        return choose(data, variable=variable, source=source)
    if speaks_of_another(data[0]):
        raise MissingVariableError(
            f"{source} holds {list_fields(data)} and no tropospheric NO2 column; to use it "
            "nevertheless, name it with variable="
        )
    return data[0]


def _check_values(raster: Any, index: int, *, unit: str, path: Path) -> None:
    """Refuse pictures, and integers without a scale or a unit."""
    kind = raster.dtypes[index]
    scaled = (raster.scales[index], raster.offsets[index]) != (1, 0)
    palette = raster.colorinterp[index].name == "palette"
    if palette or (kind in ("uint8", "int8") and not scaled):
        raise UnknownFormatError(
            f"{path.name} is an 8-bit picture ({raster.count} x {kind}), without measured values; "
            "export the column as float32, in Sentinel Hub with sampleType FLOAT32"
        )
    if kind.startswith("complex"):
        raise UnknownFormatError(
            f"{path.name} holds complex numbers ({kind}) and no measured values; give a raster of "
            "the column"
        )
    if kind[0] in "iu" and not scaled and not unit:
        raise UnitsError(
            f"{path.name} holds {kind} counts with neither a scale nor a unit; pass the unit of "
            "one count with unit="
        )


def _mask_zeros(column: xr.DataArray, path: Path) -> xr.DataArray:
    """Set exact zeros to NaN if they are too many to be measured."""
    count = int((column == 0).sum())
    if count <= ZEROS * column.size:
        return column
    warnings.warn(
        f"{path.name} marks no gaps, but {count} of {column.size} pixels are exactly 0, which a "
        "measured column never is; they are read as gaps; to decide otherwise, write a nodata tag "
        "or pass nodata=",
        RepairWarning,
        stacklevel=3,
    )
    return column.where(column != 0)


def _implied_unit(field: Field, column: xr.DataArray) -> str:
    """Return mol m-2 for Earth Engine's bands if the values have not been scaled."""
    return CANONICAL if _EARTH_ENGINE.fullmatch(field.name) and is_surely_mol(column) else ""


def _add_origin(dataset: xr.Dataset, tags: dict[str, str]) -> xr.Dataset:
    """Read the time and the provenance from the tags that this package writes."""
    told = {key: tags[key] for key in ("source", "history") if key in tags} | select_own(tags)
    dataset = dataset.assign_attrs(told)
    try:
        dated = dataset.assign_coords(time=np.datetime64(tags["time"], "ns"))
    except (KeyError, ValueError):
        return dataset
    edges = tags.get(BOUNDS, "").split("/")
    span = span_between(*edges) if len(edges) == 2 else None
    return dated if span is None else dated.assign_coords({BOUNDS: (EDGES, np.array(span))})


READER = GeoTiff()
