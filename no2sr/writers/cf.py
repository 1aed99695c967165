"""The CF form of a scene, which NetCDF and Zarr share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.image import STANDARD_NAME, is_geographic
from no2sr.core.layers import COUNT, layer_name
from no2sr.core.provenance import PREFIX, UNSTATED, refinement_of
from no2sr.core.times import BOUNDS, EDGES, ENCODING, time_bounds
from no2sr.writers.layers import COLUMN, label, layers_in
from no2sr.writers.prepare import PROVENANCE, prepare_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

__all__ = ["cf_layers", "chunks_of"]

_CHUNK = 512
_MAPPING = "crs"
_TAKEN = {_MAPPING, BOUNDS, "time", "latitude", "longitude", "x", "y"}
_TIME_ENCODING = ENCODING | {"_FillValue": None}
# Families of the CF standard name table that an amount of a gas on a grid, or its error, can have.
# Names that products invented ("columnamountno2tropcloudscreened") would make the file invalid.
_STANDARD_NAMES = re.compile(
    r"((tropo|strato|atmo)sphere_(mole|mass)_content|(mole|mass)_(concentration|fraction))"
    r"_of_[a-z0-9_]+( standard_error)?"
)


def cf_layers(scene: xr.DataArray | xr.Dataset, unit: str | None) -> Iterator[xr.Dataset]:
    """Make the datasets that are written to one file, one for each layer.

    Parameters
    ----------
    scene : DataArray or Dataset
    unit : str or None
        As for `no2sr.writers.prepare.prepare_scene`.

    Yields
    ------
    Dataset
        CF-1.11: one field, its axes, time and grid mapping. The first holds the column, which
        names its companions in ``ancillary_variables``, and the attributes of the file. A single
        time is an axis of length 1 if its bounds are known, and otherwise a scalar coordinate.
    """
    companions = layers_in(scene)
    bounds = time_bounds(scene)
    column = ""
    for layer, image in prepare_scene(scene, unit):
        if layer == COLUMN:
            column = _variable_name(image)
            dataset = _cf_dataset(image, column).assign_attrs(_global_attrs(image))
            if companions:
                names = [layer_name(column, companion) for companion in companions]
                dataset[column].attrs["ancillary_variables"] = " ".join(names)
        else:
            dataset = _cf_dataset(image, layer_name(column, layer))
        dated = dataset if bounds is None else _attach_time_bounds(dataset, bounds)
        yield _as_integers(dated) if layer == COUNT else dated


def chunks_of(dataset: xr.Dataset) -> tuple[str, tuple[int, ...]]:
    """Choose the chunks of a dataset of `cf_layers`.

    Returns
    -------
    name : str
        Name of the field.
    sizes : tuple of int
        Chunk size of each of its dimensions.
    """
    name = next(str(key) for key in dataset.data_vars if key not in (_MAPPING, BOUNDS))
    sizes = dataset[name].sizes.items()
    return name, tuple(min(1 if dim == "time" else _CHUNK, n) for dim, n in sizes)


def _cf_dataset(image: xr.DataArray, name: str) -> xr.Dataset:
    """Put one field into a dataset; axes are ``latitude`` and ``longitude``, or ``y`` and ``x``."""
    names = {"y": "latitude", "x": "longitude"} if is_geographic(image) else {"y": "y", "x": "x"}
    if image.sizes.get("time") == 1:
        image = image.squeeze("time")
    kept = {"y", "x", "spatial_ref"} | ({"time"} if _has_date(image) else set())
    bare = image.drop_vars([coord for coord in image.coords if coord not in kept])
    field = bare.rename({**{k: v for k, v in names.items() if k != v}, "spatial_ref": _MAPPING})
    field.attrs = _field_attrs(image)
    field.encoding = {"grid_mapping": _MAPPING, "_FillValue": np.float32("nan"), "dtype": "float32"}
    dataset = field.to_dataset(name=name).reset_coords(_MAPPING)
    dataset[_MAPPING] = dataset[_MAPPING].astype(np.int32, keep_attrs=True)
    for axis in names.values():
        dataset[axis].encoding = {"_FillValue": None}
    if "time" in dataset.coords:
        dataset["time"].attrs = {
            "standard_name": "time",
            "long_name": "time",
            "axis": "T",
            "units_metadata": "leap_seconds: none",  # as numpy counts
        }
        dataset["time"].encoding = dict(_TIME_ENCODING)
    return dataset.drop_attrs(deep=False)


def _attach_time_bounds(dataset: xr.Dataset, bounds: xr.Variable) -> xr.Dataset:
    """Add the bounds of the times, which have no attributes of their own (CF 7.1).

    A single time becomes an axis: checkers refuse bounds of a scalar.
    """
    name, _ = chunks_of(dataset)
    if dataset["time"].ndim == 0:
        field, encoding, time = dataset[name], dataset[name].encoding, dataset["time"].encoding
        dataset = dataset.assign({name: field.expand_dims("time")})
        dataset[name].encoding, dataset["time"].encoding = encoding, time
    edges = bounds.values.reshape(dataset.sizes["time"], 2)
    bounded = dataset.assign({BOUNDS: (("time", EDGES), edges)})
    bounded[BOUNDS].encoding = dict(_TIME_ENCODING)
    bounded["time"].attrs["bounds"] = BOUNDS
    return bounded


def _as_integers(dataset: xr.Dataset) -> xr.Dataset:
    """Store a count of pixels as integers; a cell without a count has none."""
    count = dataset[COUNT].fillna(0).astype(np.int32)
    count.attrs = dataset[COUNT].attrs | {"standard_name": "number_of_observations"}
    count.encoding = {"grid_mapping": _MAPPING, "dtype": "int32", "_FillValue": None}
    return dataset.assign({COUNT: count})


def _has_date(image: xr.DataArray) -> bool:
    """Tell whether the image has a time that CF can encode."""
    return "time" in image.coords and np.issubdtype(image["time"].dtype, np.datetime64)


def _variable_name(image: xr.DataArray) -> str:
    """Keep the name of the image where CF allows it."""
    name = image.name if isinstance(image.name, str) else ""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) and name not in _TAKEN:
        return name
    return "no2" if image.attrs.get("standard_name") == STANDARD_NAME else "value"


def _field_attrs(image: xr.DataArray) -> dict[str, Any]:
    """Select the attributes of the variable."""
    own = {k: v for k, v in image.attrs.items() if k not in PROVENANCE and not _is_ours(k)}
    if not _STANDARD_NAMES.fullmatch(str(own.get("standard_name", ""))):
        own.pop("standard_name", None)
    own.setdefault("long_name", label(image))
    return _make_storable(own)


def _global_attrs(image: xr.DataArray) -> dict[str, Any]:
    """Collect the attributes of the file; CF recommends all six of the provenance."""
    attrs = image.attrs
    times = refinement_of(attrs)
    told = {
        "Conventions": "CF-1.11",
        "title": f"{attrs.get('long_name') or label(image)}"
        + (f", {times} times refined" if times > 1 else ""),
        "institution": UNSTATED,
        "source": UNSTATED,
        "history": "no2sr: write",
        "references": UNSTATED,
        "comment": "Values of a refined grid are estimates, not observations."
        if times > 1
        else UNSTATED,
    }
    stated = {k: v for k, v in attrs.items() if (k in PROVENANCE and v) or _is_ours(k)}
    return _make_storable({**told, **stated})


def _is_ours(key: Any) -> bool:
    return str(key).startswith(PREFIX)


def _make_storable(attrs: dict[str, Any]) -> dict[str, Any]:
    """Turn attributes that a file cannot hold into text."""
    plain = (str, int, float, np.number, np.ndarray)
    return {
        str(key): value if isinstance(value, plain) and not isinstance(value, bool) else str(value)
        for key, value in attrs.items()
        if value is not None
    }
