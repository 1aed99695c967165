"""Scenes and their layers: their names, and how they stay together.

A *scene* is an `xarray.Dataset` of layers on one regular grid: the *column* (the quantity itself,
under its own name) and its companions. The three kinds of uncertainty have the names of HARP: the
name of the column and a suffix.

* ``<column>_uncertainty_random``: one standard deviation of the error that is independent between
  pixels, and falls as pixels are added. "Noise" in no2sr means this.
* ``<column>_uncertainty_systematic``: the error that pixels share, such as that of the air-mass
  factor. It does not fall as pixels are added.
* ``<column>_uncertainty``: the total standard uncertainty.

``coverage`` is the share of a cell that was seen (0..1), ``count`` the number of pixels that
touched it, ``resolution`` the local resolution in km. The column names its companions in
``ancillary_variables`` (CF 3.4), and the ``standard_name`` of an uncertainty carries the modifier
``standard_error`` (CF appendix C).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import xarray as xr

__all__ = [
    "COUNT",
    "COVERAGE",
    "LAYERS",
    "RANDOM",
    "RESOLUTION",
    "SYSTEMATIC",
    "TOTAL",
    "UNCERTAINTIES",
    "assemble_scene",
    "companions_of",
    "is_companion",
    "layer_name",
]

RANDOM: Final = "uncertainty_random"
SYSTEMATIC: Final = "uncertainty_systematic"
TOTAL: Final = "uncertainty"
COVERAGE: Final = "coverage"
COUNT: Final = "count"
RESOLUTION: Final = "resolution"
UNCERTAINTIES = (RANDOM, SYSTEMATIC, TOTAL)
LAYERS = (*UNCERTAINTIES, COVERAGE, COUNT, RESOLUTION)

_WORDS = {
    RANDOM: "random uncertainty of the {}",
    SYSTEMATIC: "systematic uncertainty of the {}",
    TOTAL: "standard uncertainty of the {}",
}


def layer_name(column: Hashable, layer: str) -> str:
    """Return the name of a layer of a column.

    Parameters
    ----------
    column : str
        Name of the column.
    layer : str
        One of `LAYERS`.
    """
    return f"{column}_{layer}" if layer in UNCERTAINTIES else layer


def is_companion(name: Hashable, among: Mapping[Hashable, object]) -> bool:
    """Tell whether a variable accompanies another one and is not a quantity of its own.

    Parameters
    ----------
    name : str
    among : mapping
        All variables by name.
    """
    if name in (COVERAGE, COUNT, RESOLUTION):
        return True
    text = str(name)
    return any(
        text.endswith(f"_{layer}") and text.removesuffix(f"_{layer}") in among
        for layer in UNCERTAINTIES
    )


def companions_of(scene: xr.Dataset, column: Hashable) -> dict[str, xr.DataArray]:
    """Return the companions of a column in a scene, by layer.

    Parameters
    ----------
    scene : Dataset
    column : str
        Name of the column.

    Returns
    -------
    dict of str to DataArray
        Keys are those of `LAYERS`, in that order.
    """
    names = {layer: layer_name(column, layer) for layer in LAYERS}
    return {layer: scene[name] for layer, name in names.items() if name in scene.data_vars}


def assemble_scene(column: xr.DataArray, layers: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Put a column and its companions together as a scene.

    Parameters
    ----------
    column : DataArray, (..., y, x)
    layers : mapping of str to DataArray, (..., y, x)
        By layer, see `LAYERS`; on the grid of the column, uncertainties in its unit.

    Returns
    -------
    Dataset
        The column names its companions. Names, long names, standard names and units of the
        companions follow from the column, unless a companion already has such an attribute.
    """
    known = [layer for layer in LAYERS if layer in layers]
    names = {layer: layer_name(column.name, layer) for layer in known}
    if known:
        column = column.assign_attrs(ancillary_variables=" ".join(names.values()))
    scene = column.to_dataset()
    for layer, name in names.items():
        attrs = {**_describe(column, layer), **layers[layer].attrs}
        scene[name] = layers[layer].assign_attrs(attrs)
    return scene


def _describe(column: xr.DataArray, layer: str) -> dict[str, str]:
    """Return the attributes of a companion that follow from its column."""
    if layer == COVERAGE:
        return {"long_name": "share of the cell that was observed", "units": "1"}
    if layer == COUNT:
        return {"long_name": "number of pixels that touch the cell", "units": "1"}
    if layer == RESOLUTION:
        return {"long_name": "local resolution, full width at half maximum", "units": "km"}
    quantity = str(column.attrs.get("long_name") or column.name)
    told = {"long_name": _WORDS[layer].format(quantity)}
    if column.attrs.get("units"):
        told["units"] = str(column.attrs["units"])
    if layer == TOTAL and column.attrs.get("standard_name"):
        told["standard_name"] = f"{column.attrs['standard_name']} standard_error"
    return told
