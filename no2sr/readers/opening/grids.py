"""Grids of one call: made into images, and cropped."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine
from pyproj import Transformer

from no2sr.core.columns import Field, choose, is_total, mentions_no2
from no2sr.core.door import enter
from no2sr.core.errors import (
    DimensionError,
    NoValidPixelsError,
    RepairWarning,
    SettingsError,
    TooSmallError,
)
from no2sr.core.grid import bounds_of, crop, georeference, spans_globe, transform_of
from no2sr.core.image import COLUMN_ATTRS, crs_of, with_history
from no2sr.core.provenance import origin
from no2sr.core.units import CANONICAL
from no2sr.readers.kit.column import in_mol
from no2sr.readers.kit.files import check_room, readable
from no2sr.readers.kit.time import select_time, with_time
from no2sr.readers.opening.doubts import doubt_range
from no2sr.readers.opening.source import is_swath
from no2sr.readers.registry import load_reader

if TYPE_CHECKING:
    from no2sr.core.earth import Box
    from no2sr.readers.kit.time import Moment
    from no2sr.readers.opening.source import Source
    from no2sr.readers.port import ReadOptions

__all__ = ["check_seen", "checked_box", "cropped", "image_of"]


# CF standard name table: columns that are not the tropospheric one.
TOTAL = "atmosphere_mole_content_of_nitrogen_dioxide"
_KEPT = ("units", "standard_name", "long_name", "cell_methods")


def image_of(
    source: Source,
    *,
    options: ReadOptions,
    time: Moment | None,
    bbox: Box | None,
    alone: bool = True,
) -> xr.DataArray:
    """Make the image of a grid that a reader handed on.

    Nothing but gaps is refused in a grid that stands alone. Among others it is a time at which
    nothing was seen, as in a file of many times.
    """
    if is_swath(source.dataset):
        raise SettingsError(
            f"{source.path.name} is a swath but other files are grids, expected files of one kind; "
            "open them apart"
        )
    with readable(source.path):
        dataset = select_time(with_time(source.dataset), time, source=source.path.name)
        name = _variable(dataset, options, source)
        if options.chunks is None:
            dataset = _loaded(dataset, name, source)
    field = _field(dataset[name])
    no2 = options.variable is None or mentions_no2(field.name, field.text)
    column = in_mol(
        dataset[name],
        label=f"{source.path.name}: {name}",
        unit=options.unit,
        named=options.variable is not None,
        no2=no2,
    )
    image = _within_poles(_entered(dataset.assign({name: column}), name, alone=alone), source)
    image = image if bbox is None else cropped(image, bbox)
    if alone:
        check_seen(image, source)
    told = source.dataset.attrs
    image.attrs = {
        **_attrs(image, field, no2=no2),
        "source": str(told.get("source") or source.path.name),
        **({"history": str(told["history"])} if told.get("history") else {}),
        **origin(load_reader(source.reader).product, told),
    }
    screening = told.get("screening")
    step = f"read {field.path} of {source.path.name} as {source.reader}"
    return with_history(image, f"{step}, {screening}" if screening else step)


def _entered(dataset: xr.Dataset, name: str, *, alone: bool) -> xr.DataArray:
    """Make the strict image, of gaps too if it does not stand alone."""
    try:
        return enter(dataset, variable=name)
    except NoValidPixelsError:
        if alone:
            raise
        seen = dataset.assign({name: xr.zeros_like(dataset[name])})
        return xr.full_like(enter(seen, variable=name), np.nan)


def _loaded(dataset: xr.Dataset, name: str, source: Source) -> xr.Dataset:
    """Read the values, if they are numbers and there is room for them."""
    check_room(dataset.nbytes, source.path)
    dataset = dataset.load()
    source.dataset.close()
    column = dataset[name]
    if column.dtype.kind not in "fiu":  # ragged rows show only now
        raise DimensionError(
            f"{name} of {source.path.name} holds {column.dtype} values, expected numbers; "
            "name another variable"
        )
    doubt_range(column)
    return dataset


def _within_poles(image: xr.DataArray, source: Source) -> xr.DataArray:
    """Cut the rows that reach beyond a pole.

    A grid with centres on the poles has half cells there, which no grid of equal rows can hold.
    What is lost is a single value for each pole, repeated at every longitude.
    """
    t = transform_of(image)
    if not crs_of(image).is_geographic:
        return image
    ny, nx = image.sizes["y"], image.sizes["x"]
    north = max(0, int(np.ceil((t.f - 90) / -t.e - 1e-3)))
    south = max(0, int(np.ceil((-90 - t.f - ny * t.e) / -t.e - 1e-3)))
    if not north + south:
        return image
    warnings.warn(
        f"{source.path.name} has cell centres on the poles, so its outermost cells reach beyond "
        f"them: {north + south} rows of {nx} pixels were cut off; its own cells there are half as "
        "high",
        RepairWarning,
        stacklevel=3,
    )
    return crop(image, slice(north, ny - south), slice(0, nx))


def _field(column: xr.DataArray) -> Field:
    texts = (str(column.attrs.get(key, "")) for key in ("long_name", "standard_name", "title"))
    return Field(
        name=str(column.name),
        path=str(column.name),
        unit=str(column.attrs.get("units", "")),
        dims=tuple(map(str, column.dims)),
        shape=column.shape,
        text=" ".join(filter(None, texts)),
    )


def _variable(dataset: xr.Dataset, options: ReadOptions, source: Source) -> str:
    """Return the one data variable, or choose among those that a plug-in left."""
    names = [str(name) for name in dataset.data_vars]
    if len(names) == 1:
        return names[0]
    fields = [_field(dataset[name]) for name in names]
    return choose(fields, variable=options.variable, source=source.path.name).name


def _attrs(image: xr.DataArray, field: Field, *, no2: bool) -> dict[str, Any]:
    """Return the CF attributes: ours for an NO2 column, the file's for anything else."""
    own = {key: image.attrs[key] for key in _KEPT if image.attrs.get(key)}
    if not no2 or image.attrs["units"] != CANONICAL or "strato" in f"{field.name} {field.text}":
        return {"cell_methods": "area: mean", "long_name": field.name, **own}
    if is_total(field.name, field.text):
        total = {"standard_name": TOTAL, "long_name": "total vertical column of nitrogen dioxide"}
        return {**COLUMN_ATTRS, **total}
    return dict(COLUMN_ATTRS)


def check_seen(image: xr.DataArray, source: Source) -> None:
    """Refuse an image of nothing but gaps, if its values are read.

    Raises
    ------
    NoValidPixelsError
    """
    if image.chunks is None and not np.isfinite(image.values).any():
        raise NoValidPixelsError(
            f"{source.path.name} has {image.size} pixels in the region and every one is a gap, "
            "expected observed ones; choose another region"
        )


def checked_box(bbox: Box) -> Box:
    """Return a box that starts in -180..180, its east beyond 180 if it crosses the antimeridian.

    Raises
    ------
    SettingsError
        If it is no four numbers, or encloses nothing, or more than the globe.
    """
    try:
        west, south, east, north = (float(edge) for edge in bbox)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"bbox is {bbox!r}, expected (west, south, east, north) in degrees; "
            "give one such as (76, 27.5, 78.5, 29.5)"
        ) from error
    east += 360 if east < west else 0
    turn = 360 * ((west + 180) // 360)
    west, east = west - turn, east - turn
    if not (south < north and west < east <= west + 360 and south >= -90 and north <= 90):
        raise SettingsError(
            f"bbox is {bbox}, expected (west, south, east, north) in degrees; "
            "give one such as (76, 27.5, 78.5, 29.5)"
        )
    return west, south, east, north


def cropped(image: xr.DataArray, bbox: Box) -> xr.DataArray:
    """Keep the cells that a box in degrees touches.

    Raises
    ------
    SettingsError
        If the box lies outside the image.
    TooSmallError
        If fewer than two cells a side remain.
    """
    box = checked_box(bbox)
    image, box = (
        _turned(image, box) if crs_of(image).is_geographic else (image, _projected(image, box))
    )
    rows, columns = _window(image, transform_of(image), box)
    ny, nx = rows.stop - rows.start, columns.stop - columns.start
    if ny <= 0 or nx <= 0:
        raise SettingsError(
            f"bbox {bbox} lies outside the image, which covers {bounds_of(image)} in its own "
            "units; choose a box that overlaps it"
        )
    if ny < 2 or nx < 2:
        raise TooSmallError(
            f"bbox {bbox} leaves {ny} x {nx} cells, expected at least 2 along each axis; "
            "choose a larger region"
        )
    return crop(image, rows, columns)


def _window(image: xr.DataArray, t: Affine, box: Box) -> tuple[slice, slice]:
    """Return the rows and columns that a box in CRS units touches; 1e-6 of a cell is no touch."""
    west, south, east, north = box
    top, bottom = (north - t.f) / t.e + 1e-6, (south - t.f) / t.e - 1e-6
    left, right = (west - t.c) / t.a + 1e-6, (east - t.c) / t.a - 1e-6
    ny, nx = image.sizes["y"], image.sizes["x"]
    return (
        slice(max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), ny)),
        slice(max(int(np.floor(left)), 0), min(int(np.ceil(right)), nx)),
    )


def _turned(image: xr.DataArray, box: Box) -> tuple[xr.DataArray, Box]:
    """Bring image and box to one turn of the globe, and the seam of a globe out of the box."""
    west, south, east, north = box
    left, _, right, _ = bounds_of(image)
    if spans_globe(image):
        west = (west - left) % 360 + left
        east = west + box[2] - box[0]
        if east > right + 1e-9:
            t = transform_of(image)
            shift = int(np.floor((west - t.c) / t.a + 1e-6))
            rolled = image.roll(x=-shift, roll_coords=False)
            moved = Affine(t.a, 0, t.c + shift * t.a, 0, t.e, t.f)
            image = georeference(rolled, moved, crs_of(image))
        return image, (west, south, east, north)
    turn = 360 * round(((left + right) - (west + east)) / 720)
    return image, (west + turn, south, east + turn, north)


def _projected(image: xr.DataArray, box: Box) -> Box:
    """Return the box in the CRS of the image that encloses a box in degrees."""
    to_image = Transformer.from_crs("EPSG:4326", crs_of(image), always_xy=True)
    west, south, east, north = to_image.transform_bounds(*box, densify_pts=21)
    return west, south, east, north
