"""A fine map straight from the footprints of many overpasses.

An average of overpasses on a fine grid keeps the blur of the footprint. This package finds the
field that explains what all pixels saw, each through its own footprint. It uses weighted least
squares with a smoothness prior whose strength follows the local signal. Held-out overpasses decide
the smoothness, the noise and the width of the uncertainty. ``docs/many_overpasses.md`` says when it
helps.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import No2srWarning, OversampledWarning
from no2sr.downscaling.reconstruction.records import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.reading import Shelf
    from no2sr.downscaling.reconstruction.records import Grid, Tuning
    from no2sr.downscaling.run import Workers

    Box = tuple[float, float, float, float]

__all__ = ["Settings", "reconstruct", "reconstruct_swaths"]

FEW = 10  # overpasses below which the map is hardly more than a smooth average
FINEST = 8.0  # cells to a local resolution, above which finer cells tell nothing
SAMPLES = 3  # windows from which a large region is tuned

log = logging.getLogger("no2sr")


def reconstruct(  # noqa: PLR0913 - one argument a question that files and maps can raise
    paths: str | Path | Iterable[str | Path],
    *,
    bbox: Box | None = None,
    resolution: float = 0.01,
    smoothness: float | str = "auto",
    response: str = "quadrilateral",
    uncertainty: bool = True,
    reader: str | None = None,
    variable: str | None = None,
    unit: str | None = None,
    nodata: float | None = None,
    qa_min: float | None = None,
    limits: Mapping[str, float] | None = None,
    block: float = 1.0,
    work: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Reconstruct a fine map from the footprints of many overpasses.

    Parameters
    ----------
    paths : str, Path, or iterable of them
        Files of swaths, folders or patterns, as for `no2sr.open_no2`.
    bbox : (west, south, east, north), optional
        Region in degrees; west greater than east means across the antimeridian. By default the
        region of all pixels.
    resolution : float
        Cell size, degrees.
    smoothness : float or "auto"
        Weight of the roughness against the observations, km2. "auto" predicts held-out overpasses.
    response : {"quadrilateral", "super-gaussian"}
        Sensitivity within a pixel.
    uncertainty : bool
        Whether to add the uncertainty and the local resolution, which takes most of the time.
    reader, variable, unit, nodata, qa_min, limits
        As for `no2sr.open_no2`.
    block : float
        Side of the blocks in which a large region is solved, degrees. It bounds the memory, and
        changes the map by far less than its uncertainty.
    work : str or Path, optional
        Folder in which finished blocks are kept, so that a killed run can resume. It is created if
        needed and is not removed.
    workers : int, optional
        Solve blocks in this many Dask processes, each of which holds a block. By default they are
        solved in this process, one after the other. The map is the same.
    scheduler : str, optional
        Solve blocks on the workers of this Dask scheduler instead, ``tcp://host:port``.
    progress : callable, optional
        Called with the number done and the total, first of files, then of blocks.

    Returns
    -------
    Dataset, (y, x)
        The column under its own name in mol m-2, NaN farther than 5 km from any pixel; negative
        values are kept. ``<column>_uncertainty``, one standard deviation in mol m-2. ``count``, the
        pixels that overlap a cell. ``resolution``, the local resolution in km. How the map was
        made, with the curve by which the smoothness was chosen, is in the attributes of the column.
        ``time`` and ``time_bnds`` say when the pixels were seen, if the files do.

    Raises
    ------
    SettingsError
        If files are grids, or an argument is out of range.
    ClusterError
        If the scheduler does not answer or is lost, or workers died again and again.
    MissingDependencyError
        If Dask distributed is needed and not installed.
    ReadError
        If a file cannot be read, or no valid pixel touches the region.
    ConvergenceError
        If the equations cannot be solved well enough.

    Warns
    -----
    No2srWarning
        If there are fewer than ten overpasses.
    OversampledWarning
        If the cells are much finer than the footprints can resolve.
    """
    from no2sr.downscaling.cluster import lend_cluster
    from no2sr.readers.opening.swaths import open_swaths

    lent = lend_cluster(workers=workers, scheduler=scheduler)
    settings = Settings(
        resolution=resolution,
        smoothness=smoothness,
        response=response,
        uncertainty=uncertainty,
        block=block,
    )
    swaths = open_swaths(
        paths,
        reader=reader,
        variable=variable,
        unit=unit,
        nodata=nodata,
        qa_min=qa_min,
        limits=limits,
        bbox=bbox,
        progress=progress,
    )
    return reconstruct_swaths(
        swaths, bbox=bbox, settings=settings, work=work, workers=lent, progress=progress
    )


def reconstruct_swaths(
    swaths: Iterable[xr.Dataset],
    *,
    bbox: Box | None = None,
    settings: Settings | None = None,
    work: str | Path | None = None,
    workers: AbstractContextManager[Workers | None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Reconstruct a fine map from swaths in memory; see `reconstruct`.

    Parameters
    ----------
    swaths : iterable of Dataset, (scanline, ground_pixel)
        As `no2sr.swaths.gridding.grid_swaths` takes them. They are read one at a time.
    bbox
        As for `reconstruct`.
    settings : Settings, optional
    work
        As for `reconstruct`.
    workers : context manager, optional
        Lends the workers on which blocks are solved, as `no2sr.downscaling.cluster.cluster` does.
        It is entered once all swaths are read.
    progress
        As for `reconstruct`.

    Returns
    -------
    Dataset, (y, x)
    """
    from no2sr.core.times import date_scene
    from no2sr.downscaling.reconstruction.blocks import blend_blocks, solve_blocks
    from no2sr.downscaling.reconstruction.finished import Folder
    from no2sr.downscaling.reconstruction.layers import as_dataset, describe_run
    from no2sr.downscaling.reconstruction.reading import Shelf, lay_grid

    settings = settings or Settings()
    box = bbox if bbox is None or bbox[0] < bbox[2] else (bbox[0], bbox[1], bbox[2] + 360, bbox[3])
    shelf = Shelf(swaths, box, 2 * settings.margin)
    whole = lay_grid(box or shelf.envelope(), settings)
    _warn_of_few(len(shelf.overpasses))
    tuning = _tune(shelf, whole, settings)
    told = describe_run(shelf.overpasses, settings, tuning, _collect_attrs(shelf))
    folder = (
        None if work is None else Folder(Path(work), {"told": told, "grid": whole, "s": settings})
    )
    with workers or nullcontext() as lent:
        near = shelf.select_near
        solved = solve_blocks(near, whole, settings, tuning, folder=folder, workers=lent)
        layers = blend_blocks(solved, whole, settings, progress=progress)
    _warn_of_fine_cells(layers, whole)
    return date_scene(as_dataset(layers, whole, told), shelf.moments.span())


def _tune(shelf: Shelf, whole: Grid, settings: Settings) -> Tuning:
    """Tune on the windows with the most signal; the block size does not matter."""
    from no2sr.core.errors import NoValidPixelsError
    from no2sr.downscaling.reconstruction.blocks import cut_blocks
    from no2sr.downscaling.reconstruction.solving import observe
    from no2sr.downscaling.reconstruction.tuning import tune

    def signal(grid: Grid) -> float:
        columns = [one.pixels.column for one in shelf.select_near(grid.box)]
        together = np.concatenate(columns) if columns else np.empty(0)
        return float(together.size * np.std(together)) if together.size else 0.0

    windows = cut_blocks(whole, Settings(resolution=settings.resolution))
    if len(windows) > 1:
        windows = sorted(windows, key=signal, reverse=True)[:SAMPLES]
    seen = [observe(shelf.select_near(grid.box), grid, settings.response) for grid in windows]
    samples = [sample for sample in seen if sample is not None]
    if not samples:
        raise NoValidPixelsError("no pixel lies wholly within the region; choose a larger region")
    return tune(samples, settings.smoothness, widen=settings.uncertainty)


def _collect_attrs(shelf: Shelf) -> dict[str, Any]:
    """Collect the attributes that the swaths give the map."""
    from no2sr.core.provenance import origin

    told: dict[str, Any] = dict(shelf.attrs.get("attrs", {}))
    told.pop("units", None)
    if "product" in shelf.attrs:
        told |= origin(str(shelf.attrs["product"]), shelf.attrs)
    if "variable" in shelf.attrs:
        told["variable"] = shelf.attrs["variable"]
    if shelf.built:
        text = f"corners of {shelf.built} swath(s) built from the centres of their pixels"
        log.info("%s", text)
        told["history"] = f"no2sr: {text}"
    return told


def _warn_of_few(count: int) -> None:
    if count == 1:
        text = "there is only one overpass, so the map is only smoothed"
    elif count < FEW:
        text = f"there are only {count} overpasses, so the map is little more than a smooth average"
    else:
        return
    warnings.warn(
        f"{text}; use ten or more, or no2sr downscale",
        No2srWarning,
        stacklevel=4,
    )


def _warn_of_fine_cells(layers: Mapping[str, NDArray[np.float32]], whole: Grid) -> None:
    if "resolution" not in layers:
        return
    finest = float(np.nanpercentile(layers["resolution"], 5))
    if finest > FINEST * min(whole.steps):
        warnings.warn(
            f"the cells are {min(whole.steps):.2g} km wide, but the overpasses resolve "
            f"{finest:.2g} km at best; choose a resolution of {finest / 4 / 111:.2g} degree, or "
            "use more overpasses",
            OversampledWarning,
            stacklevel=4,
        )
