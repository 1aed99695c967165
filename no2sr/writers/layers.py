"""The layers of a scene as writers and views need them: which there are, and where each is stored.

NetCDF and Zarr hold all layers of a scene in one file. A GeoTIFF holds one layer, because GIS
programs draw several bands as a colour picture: the column is in ``name.tif`` and its uncertainty
in ``name_uncertainty.tif`` beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from no2sr.core.door import choose_variable, enter
from no2sr.core.errors import DimensionError, MissingVariableError
from no2sr.core.image import STANDARD_NAME
from no2sr.core.layers import (
    COUNT,
    COVERAGE,
    LAYERS,
    RANDOM,
    RESOLUTION,
    SYSTEMATIC,
    TOTAL,
    assemble_scene,
    companions_of,
    is_companion,
    layer_name,
)
from no2sr.core.provenance import PREFIX

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

__all__ = [
    "COLUMN",
    "LAYER_TAG",
    "column_name",
    "enter_layer",
    "label",
    "layer_label",
    "layer_path",
    "layers_in",
    "list_outputs",
]

COLUMN: Final = "column"
# The GeoTIFF tag that names the layer in a file of a set. Files without it are never removed.
LAYER_TAG: Final = f"{PREFIX}layer"
_RASTERS = (".tif", ".tiff")
_LABELS = {
    TOTAL: "uncertainty of {}",
    RANDOM: "random uncertainty of {}",
    SYSTEMATIC: "systematic uncertainty of {}",
    COVERAGE: "coverage",
    COUNT: "count of pixels",
    RESOLUTION: "local resolution",
}


def list_outputs(path: str | Path, layers: Iterable[str] = LAYERS) -> list[Path]:
    """List the files that a scene is written to.

    Parameters
    ----------
    path : str or Path
        Path that is given to `no2sr.write`.
    layers : iterable of str
        Companions of the column, see `no2sr.core.layers.LAYERS`; by default all that can occur.

    Returns
    -------
    list of Path
        `path` first. For a GeoTIFF one more file for each layer, otherwise `path` alone.
    """
    path = Path(path)
    if path.suffix.lower() not in _RASTERS:
        return [path]
    return [path, *(layer_path(path, layer) for layer in LAYERS if layer in set(layers))]


def layer_path(path: str | Path, layer: str) -> Path:
    """Name the GeoTIFF of a layer, such as ``a_uncertainty.tif`` for ``a.tif``.

    Parameters
    ----------
    path : str or Path
        Path of the column.
    layer : str
        `COLUMN` or one of `no2sr.core.layers.LAYERS`.
    """
    path = Path(path)
    return path if layer == COLUMN else path.with_name(f"{path.stem}_{layer}{path.suffix}")


def column_name(scene: xr.Dataset) -> Hashable:
    """Find the column of a scene: the variable that is not a companion of another one.

    Raises
    ------
    MissingVariableError, AmbiguousVariableError
        If there is no such variable, or more than one may be the column.
    """
    names = [name for name in scene.data_vars if not is_companion(name, scene.data_vars)]
    alone = any(scene[name].ndim > 1 for name in names)
    return choose_variable(scene[names] if alone else scene).name


def layers_in(scene: xr.DataArray | xr.Dataset) -> list[str]:
    """List the companions of the column that a scene holds.

    Returns
    -------
    list of str
        Some of `no2sr.core.layers.LAYERS`, in that order; none for a DataArray.
    """
    if not isinstance(scene, xr.Dataset):
        return []
    return list(companions_of(scene, column_name(scene)))


def enter_layer(scene: xr.DataArray | xr.Dataset, layer: str = COLUMN) -> xr.DataArray:
    """Take one layer out of a scene as a strict image.

    Parameters
    ----------
    scene : DataArray or Dataset
        Anything that `no2sr.core.door.enter` takes. Never modified.
    layer : str
        `COLUMN` or one of `no2sr.core.layers.LAYERS`.

    Returns
    -------
    DataArray, (y, x) or (time, y, x), float32
        With the unit, long name and standard name that follow from the column where the layer
        states none. Lazy layers stay lazy.

    Raises
    ------
    MissingVariableError
        If the scene has no such layer.
    DimensionError
        If the layer is on another grid than the column.
    ImageError
        As for `no2sr.core.door.enter`.
    """
    if not isinstance(scene, xr.Dataset):
        if layer == COLUMN:
            return enter(scene)
        raise MissingVariableError(f"the scene is a DataArray, which has no layer {layer!r}")
    column = column_name(scene)
    if layer == COLUMN:
        return enter(scene, variable=str(column))
    companions = companions_of(scene, column)
    if layer not in companions:
        raise MissingVariableError(
            f"the scene has no layer {layer_name(column, layer)!r}; its variables are "
            f"{', '.join(map(str, scene.data_vars))}"
        )
    found = companions[layer]
    if not set(found.dims) <= set(scene[column].dims):
        raise DimensionError(
            f"{found.name} has the dimensions {found.dims} and {column} has "
            f"{scene[column].dims}; put both on one grid"
        )
    described = assemble_scene(scene[column], {layer: found.astype(np.float32, copy=False)})
    return enter(scene.assign({found.name: described[found.name]}), variable=str(found.name))


def label(image: xr.DataArray) -> str:
    """Give a short name of a quantity, such as "NO2 troposphere".

    Parameters
    ----------
    image : DataArray
        A column or one of its companions.
    """
    kind, _, modifier = str(image.attrs.get("standard_name", "")).partition(" ")
    if kind == STANDARD_NAME:
        name = "NO2 troposphere"
        return layer_label(name, TOTAL) if modifier == "standard_error" else name
    unnamed = "value" if image.name is None else image.name
    return str(image.attrs.get("long_name") or unnamed)


def layer_label(column: str, layer: str) -> str:
    """Give a short name of a layer, such as "uncertainty of NO2 troposphere".

    Parameters
    ----------
    column : str
        Name of the column, as `label` gives it.
    layer : str
        `COLUMN` or one of `no2sr.core.layers.LAYERS`.
    """
    return _LABELS.get(layer, "{}").format(column)
