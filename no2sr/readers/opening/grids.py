"""Make scenes of the grids that readers return: converted, checked and cropped."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from no2sr.core.columns import choose, is_total, mentions_no2, speaks_of_another
from no2sr.core.door import enter
from no2sr.core.door.variables import describe_variable
from no2sr.core.errors import (
    DimensionError,
    NoValidPixelsError,
    RepairWarning,
    SettingsError,
)
from no2sr.core.grid import crop, transform_of
from no2sr.core.image import COLUMN_ATTRS, add_history, crs_of
from no2sr.core.layers import UNCERTAINTIES, assemble_scene, companions_of, is_companion
from no2sr.core.provenance import origin, refinement_of
from no2sr.core.times import date_scene, keep_bounds
from no2sr.core.units import CANONICAL
from no2sr.readers.kit.column import convert_companion
from no2sr.readers.kit.coverage import span_in
from no2sr.readers.kit.files import check_room, explain_read_errors
from no2sr.readers.kit.fills import read_column
from no2sr.readers.kit.time import select_time, settle_time
from no2sr.readers.kit.uncertainty import clean_layer
from no2sr.readers.opening.cropping import crop_to_box
from no2sr.readers.opening.doubts import doubt_range
from no2sr.readers.opening.source import is_swath
from no2sr.readers.registry import load_reader

if TYPE_CHECKING:
    from no2sr.core.columns import Field
    from no2sr.core.earth import Box
    from no2sr.readers.kit.time import Moment
    from no2sr.readers.opening.source import Source
    from no2sr.readers.port import ReadOptions

__all__ = ["check_seen", "column_of", "scene_of"]


# CF standard name table: columns that are not the tropospheric one.
TOTAL = "atmosphere_mole_content_of_nitrogen_dioxide"
_KEPT = ("units", "standard_name", "long_name", "cell_methods")


def scene_of(
    source: Source,
    *,
    options: ReadOptions,
    time: Moment | None,
    bbox: Box | None,
    alone: bool = True,
) -> xr.Dataset:
    """Make a scene of a grid that a reader returned: its column and the companions.

    A single grid of only gaps is refused. Among several grids, it is a time without data.
    """
    if is_swath(source.dataset):
        raise SettingsError(
            f"{source.path.name} is a swath, but other files are grids; open each kind on its own"
        )
    options = replace(options, variable=source.variable)
    with explain_read_errors(source.path):
        dataset = select_time(settle_time(source.dataset), time, source=source.path.name)
        name = _find_variable(dataset, options, source)
        if options.chunks is None:
            dataset = _load(dataset, name, source)
    field = describe_variable(dataset[name])
    no2 = options.variable is None or mentions_no2(field.name, field.text)
    label = f"{source.path.name}: {name}"
    own = refinement_of(source.dataset.attrs) > 1  # outputs of this package mark all gaps
    found, column = read_column(dataset[name], label=label, options=options, no2=no2, sure=own)
    image = _enter(dataset.assign({name: column}), name, alone=alone)
    layers = _enter_companions(dataset, image, stated=field.unit, found=found, source=source)
    inside = _find_within_poles(image, source)
    image, *others = (
        layer if inside is None else crop(layer, *inside) for layer in (image, *layers.values())
    )
    if bbox is not None:
        image, *others = (crop_to_box(layer, bbox) for layer in (image, *others))
    if alone:
        check_seen(image, source)
    image.attrs = {**_attrs(image, field, no2=no2), **_origin(source)}
    screening = source.dataset.attrs.get("screening")
    step = f"read {field.path} of {source.path.name} as {source.reader}"
    image = add_history(image, f"{step}, {screening}" if screening else step)
    scene = keep_bounds(assemble_scene(image, dict(zip(layers, others, strict=True))), dataset)
    return scene if alone or "time" in scene.coords else _date_by_name(scene, source)


def _date_by_name(scene: xr.Dataset, source: Source) -> xr.Dataset:
    """Give a scene without a time the one that the name of its file says, if it says one."""
    span = span_in(source.path.name)
    if span is None:
        return scene
    column = column_of(scene)
    step = f"took the time {str(span.start)[:16]} from the name of {source.path.name}"
    dated = scene.assign({str(column.name): add_history(column, step)})
    return date_scene(dated, span)


def column_of(scene: xr.Dataset) -> xr.DataArray:
    """Return the column of a scene that has only one."""
    (name,) = (name for name in scene.data_vars if not is_companion(name, scene.data_vars))
    return scene[name]


def _origin(source: Source) -> dict[str, Any]:
    """Return the attributes that say where a column comes from."""
    told = source.dataset.attrs
    return {
        "source": str(told.get("source") or source.path.name),
        **({"history": str(told["history"])} if told.get("history") else {}),
        **origin(load_reader(source.reader).product, told),
    }


def _enter_companions(
    dataset: xr.Dataset, image: xr.DataArray, *, stated: str, found: str, source: Source
) -> dict[str, xr.DataArray]:
    """Make strict images of the companions of a column, in its unit.

    A companion that does not fit the column is left out, with a warning.
    """
    layers = {}
    for layer, companion in companions_of(dataset, image.name).items():
        label = f"{source.path.name}: {companion.name}"
        column = dataset[image.name]
        values: xr.DataArray | None = companion
        if layer in UNCERTAINTIES:
            values = convert_companion(companion, stated=stated, found=found, label=label)
            if values is not None and values.dims == column.dims and values.shape == column.shape:
                values = values.where(column.notnull())  # a fill there says nothing
        if values is None or values.dims != column.dims or values.shape != column.shape:
            if values is not None:
                clean_layer(values, column, label=label)
            continue
        told = {"units": values.attrs.get("units") or "1"}
        entering = values.astype("float32").assign_attrs(told)
        entered = _enter(dataset.assign({companion.name: entering}), str(companion.name))
        fits = layer not in UNCERTAINTIES or clean_layer(entered, image, label=label)
        if fits is not None:
            kept = {k: v for k, v in companion.attrs.items() if k in ("comment", "cell_methods")}
            layers[layer] = (
                (entered if fits is True else fits).drop_attrs(deep=False).assign_attrs(kept)
            )
    return layers


def _enter(dataset: xr.Dataset, name: str, *, alone: bool = False) -> xr.DataArray:
    """Make the strict image; only a single one may not consist of gaps."""
    try:
        return enter(dataset, variable=name)
    except NoValidPixelsError:
        if alone:
            raise
        seen = dataset.assign({name: xr.zeros_like(dataset[name])})
        return xr.full_like(enter(seen, variable=name), np.nan)


def _load(dataset: xr.Dataset, name: str, source: Source) -> xr.Dataset:
    """Read the values, and refuse those that are not numbers or would fill the memory."""
    check_room(dataset.nbytes, source.path)
    dataset = dataset.load()
    source.dataset.close()
    column = dataset[name]
    if column.dtype.kind not in "fiu":  # rows of unequal length show only now
        raise DimensionError(
            f"{name} of {source.path.name} holds {column.dtype} values and not numbers; name "
            "another variable"
        )
    doubt_range(column)
    return dataset


def _find_within_poles(image: xr.DataArray, source: Source) -> tuple[slice, slice] | None:
    """Find the rows that do not extend beyond a pole, and warn if others do; None for all.

    A grid with centres on the poles has half cells there, which a grid of equal rows cannot hold.
    Only one value per pole is lost, which the file repeats at every longitude.
    """
    t = transform_of(image)
    if not crs_of(image).is_geographic:
        return None
    ny, nx = image.sizes["y"], image.sizes["x"]
    north = max(0, int(np.ceil((t.f - 90) / -t.e - 1e-3)))
    south = max(0, int(np.ceil((-90 - t.f - ny * t.e) / -t.e - 1e-3)))
    if not north + south:
        return None
    warnings.warn(
        f"{source.path.name} has cell centres on the poles, so its outermost cells extend beyond "
        f"them; {north + south} rows of {nx} pixels were cut off",
        RepairWarning,
        stacklevel=3,
    )
    return slice(north, ny - south), slice(0, nx)


def _find_variable(dataset: xr.Dataset, options: ReadOptions, source: Source) -> str:
    """Return the name of the only column, or choose one if a plug-in returned several."""
    names = [str(n) for n in dataset.data_vars if not is_companion(n, dataset.data_vars)]
    if len(names) == 1:
        return names[0]
    fields = [describe_variable(dataset[name]) for name in names]
    return choose(fields, variable=options.variable, source=source.path.name).name


def _attrs(image: xr.DataArray, field: Field, *, no2: bool) -> dict[str, Any]:
    """Return the CF attributes: those of this package for an NO2 column, else those of the file.

    Its precision, its slant column and the stratospheric column speak of NO2 as well.
    """
    own = {key: image.attrs[key] for key in _KEPT if image.attrs.get(key)}
    if not no2 or image.attrs["units"] != CANONICAL or speaks_of_another(field):
        return {"cell_methods": "area: mean", "long_name": field.name, **own}
    if is_total(field.name, field.text):
        total = {"standard_name": TOTAL, "long_name": "total vertical column of nitrogen dioxide"}
        return {**COLUMN_ATTRS, **total}
    return dict(COLUMN_ATTRS)


def check_seen(image: xr.DataArray, source: Source) -> None:
    """Refuse an image of only gaps; lazy values are not checked.

    Raises
    ------
    NoValidPixelsError
    """
    if image.chunks is None and not np.isfinite(image.values).any():
        raise NoValidPixelsError(
            f"{source.path.name} has {image.size} pixels in the region, and all of them are gaps; "
            "choose another region"
        )
