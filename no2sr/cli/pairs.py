"""Open a file, and the one that was made of it, on the same cells."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from no2sr.cli.guard import call_guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import xarray as xr

    from no2sr.downscaling.settings import Reading
    from no2sr.readers.kit.time import Moment

__all__ = ["add_layers", "open_pair"]

SAME_PLACE = 0.01  # share of a cell by which the coordinates of one place may differ


def open_pair(
    reading: Reading, path: Path, fine: Path | None = None
) -> list[xr.DataArray | xr.Dataset]:
    """Open one scene, or two, of which the second sets the region of the first.

    Parameters
    ----------
    reading : Reading
        Applies to `path`. Its time applies to both files if both have several.
    path, fine : Path

    Returns
    -------
    list of Dataset or DataArray
    """
    import no2sr
    from no2sr.core.grid import bounds_of
    from no2sr.core.image import is_geographic
    from no2sr.writers.layers import enter_layer

    if fine is None:
        return [call_guarded(no2sr.open_no2, path, **reading.arguments())]
    with _silence_refined():
        second = call_guarded(no2sr.open_no2, fine)
        if second.sizes.get("time", 1) > 1 and reading.time is not None:
            second = call_guarded(no2sr.open_no2, fine, time=reading.time)
        column = enter_layer(second)
        if reading.bbox is None and is_geographic(column):
            reading = replace(reading, bbox=bounds_of(column))
        return [call_guarded(no2sr.open_no2, path, **reading.arguments()), second]


def add_layers(
    scene: xr.DataArray | xr.Dataset,
    path: Path,
    layers: Iterable[str],
    *,
    time: Moment | None = None,
) -> xr.DataArray | xr.Dataset:
    """Add layers to a scene that was read from a file, as far as they are stored with it.

    Parameters
    ----------
    scene : DataArray or Dataset
        What `no2sr.open_no2` returned for `path`.
    path : Path
        A GeoTIFF has the uncertainty beside it in ``name_uncertainty.tif``, NetCDF and Zarr have
        it as another variable; other layers likewise.
    layers : iterable of str
        Some of `no2sr.core.layers.LAYERS`.
    time : str, datetime or datetime64, optional
        Time that was chosen for the scene.

    Returns
    -------
    Dataset or DataArray
        With the layers that were found, or `scene` itself where there are no others.
    """
    from no2sr.core.layers import assemble_scene
    from no2sr.core.times import keep_bounds
    from no2sr.writers.layers import COLUMN, enter_layer, layers_in

    there = layers_in(scene)
    column = enter_layer(scene)
    column = column.rename(COLUMN if column.name is None else column.name)
    chosen: dict[str, Any] = {} if time is None or "time" not in column.dims else {"time": time}
    wanted = [layer for layer in layers if layer not in there]
    found = {layer: _read_layer(path, layer, column, **chosen) for layer in wanted}
    found = {layer: image for layer, image in found.items() if image is not None}
    if not found:
        return scene
    layers = {layer: enter_layer(scene, layer) for layer in there} | found
    return keep_bounds(assemble_scene(column, layers), scene)


def _read_layer(path: Path, layer: str, column: xr.DataArray, **chosen: Any) -> Any:
    """Read a layer that is stored with a column, or return None."""
    import no2sr
    from no2sr.core.errors import MissingVariableError
    from no2sr.core.layers import layer_name
    from no2sr.writers.layers import enter_layer, layer_path

    # Readers take an uncertainty for a column only if it is asked for.
    beside, variable = layer_path(path, layer), "1"
    if path.suffix.lower() not in (".tif", ".tiff"):
        beside, variable = path, layer_name(str(column.name), layer)
    if not beside.exists():
        return None
    with _silence_refined(), suppress(MissingVariableError):
        image = enter_layer(call_guarded(no2sr.open_no2, beside, variable=variable, **chosen))
        # A column that was cut to a region has coordinates that are rounded otherwise.
        image = image.reindex(
            {axis: column[axis] for axis in ("y", "x")},
            method="nearest",
            tolerance=SAME_PLACE * abs(float(column["x"][1] - column["x"][0])),
        )
        bare = image.copy(data=image.values).drop_attrs(deep=False)
        return bare.assign_attrs(units=image.attrs["units"])
    return None


@contextmanager
def _silence_refined() -> Iterator[None]:
    """Leave out the warnings about refined grids: these are the grids to look at."""
    from no2sr.core.errors import OversampledWarning, RefinedInputWarning

    with warnings.catch_warnings():
        for known in (OversampledWarning, RefinedInputWarning):
            warnings.simplefilter("ignore", known)
        yield
