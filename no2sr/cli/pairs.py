"""Open a file, and the one that was made of it, on the same cells."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from no2sr.cli.guard import call_guarded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xarray as xr

    from no2sr.downscaling.settings import Reading
    from no2sr.readers.kit.time import Moment

__all__ = ["add_uncertainty", "open_pair"]


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


def add_uncertainty(
    scene: xr.DataArray | xr.Dataset, path: Path, *, time: Moment | None = None
) -> xr.DataArray | xr.Dataset:
    """Add the uncertainty to a scene that was read from a file, if it is stored with it.

    Parameters
    ----------
    scene : DataArray or Dataset
        What `no2sr.open_no2` returned for `path`.
    path : Path
        A GeoTIFF has the uncertainty beside it in ``name_uncertainty.tif``, NetCDF and Zarr have
        it as another variable.
    time : str, datetime or datetime64, optional
        Time that was chosen for the scene.

    Returns
    -------
    Dataset or DataArray
        With the layer, or `scene` itself where there is none.
    """
    import no2sr
    from no2sr.core.errors import MissingVariableError
    from no2sr.core.layers import TOTAL, assemble_scene, layer_name
    from no2sr.writers.layers import COLUMN, enter_layer, layer_path, layers_in

    if TOTAL in layers_in(scene):
        return scene
    column = enter_layer(scene)
    column = column.rename(COLUMN if column.name is None else column.name)
    chosen: dict[str, Any] = {} if time is None or "time" not in column.dims else {"time": time}
    # Readers take an uncertainty for a column only if it is asked for.
    beside, chosen["variable"] = layer_path(path, TOTAL), "1"
    if path.suffix.lower() not in (".tif", ".tiff"):
        beside, chosen["variable"] = path, layer_name(column.name, TOTAL)
    if not beside.exists():
        return scene
    with _silence_refined(), suppress(MissingVariableError):
        sigma = enter_layer(call_guarded(no2sr.open_no2, beside, **chosen))
        bare = sigma.copy(data=sigma.values).drop_attrs(deep=False)
        return assemble_scene(column, {TOTAL: bare.assign_attrs(units=sigma.attrs["units"])})
    return scene


@contextmanager
def _silence_refined() -> Iterator[None]:
    """Leave out the warnings about refined grids: these are the grids to look at."""
    from no2sr.core.errors import OversampledWarning, RefinedInputWarning

    with warnings.catch_warnings():
        for known in (OversampledWarning, RefinedInputWarning):
            warnings.simplefilter("ignore", known)
        yield
