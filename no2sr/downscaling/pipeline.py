"""Downscale: the way of the data, from a coarse scene to a fine one.

pad -> [fill gaps -> upsample, normalise -> network -> denormalise -> conserve -> gaps back] ->
georeference. What stands in brackets happens block by block, in a method such as
`no2sr.downscaling.kernel.NetworkMethod`.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import xarray as xr

from no2sr.core.door import enter, leave
from no2sr.core.door.companions import enter_companions
from no2sr.core.door.variables import list_others
from no2sr.core.errors import No2srWarning, TooSmallError
from no2sr.core.layers import RANDOM, SYSTEMATIC, TOTAL, UNCERTAINTIES
from no2sr.core.provenance import doubt_refined
from no2sr.downscaling.blocks import Canvas
from no2sr.downscaling.choosing import choose_method
from no2sr.downscaling.describing import describe_fine
from no2sr.downscaling.history import align_history, open_history
from no2sr.downscaling.lazy import promise
from no2sr.downscaling.neighbours import find_neighbours, has_neighbours
from no2sr.downscaling.noise import choose_noise
from no2sr.downscaling.run import collect
from no2sr.downscaling.settings import Refining
from no2sr.downscaling.task import Task
from no2sr.steps.resample import KERNEL_REACH

if TYPE_CHECKING:
    from collections.abc import Callable

    from no2sr.downscaling.method import Method
    from no2sr.downscaling.noise import Noise
    from no2sr.downscaling.settings import AnyMethod, Conserve, Edges, Place
    from no2sr.networks.engines.port import EngineName, Precision

__all__ = [
    "LEAST_CELLS",
    "check_size",
    "downscale",
    "plan_task",
]

Grid = TypeVar("Grid", xr.Dataset, xr.DataArray)
# The support of the bicubic kernel: with fewer cells it would see nothing but padding.
LEAST_CELLS = 2 * KERNEL_REACH["bicubic"]
_NAMED = 6  # variables that a warning names; level 2 files have two hundred


def downscale(  # noqa: PLR0913 - one argument a question that users have
    dataset: Grid,
    *,
    scale: int = 4,
    model: AnyMethod = None,
    variable: str | None = None,
    noise: Noise = "auto",
    history: Place | None = None,
    neighbours: int = 0,
    conserve: Conserve = "auto",
    edges: Edges = "pad",
    uncertainty: bool = True,
    engine: EngineName = "onnxruntime",
    precision: Precision = "float32",
    progress: Callable[[int, int], None] | None = None,
) -> Grid:
    """Turn a coarse map into one that is `scale` times finer, and keep what was observed.

    Parameters
    ----------
    dataset : Dataset or DataArray, (y, x) or (time, y, x)
        A regular grid with any usual axis names, directions and longitude convention, in a stated
        unit, gaps as NaN. Other gridded fields than NO2 pass as well: the method knows no unit.
        A dask-backed one stays lazy: a task a chunk, on whatever scheduler dask is told to use.
    scale : int
        Fine cells along each side of a coarse one.
    model : str, Path, Model, Method or callable, optional
        Name of a shipped network (default ``"srcnn"``) or of a classical method, folder of a saved
        model, a model in memory, any `no2sr.downscaling.method.Method`, or a function that maps a
        coarse array (y, x) and the scale to a fine array. A network for pictures works too, on
        normalised columns around mid-grey, but knows no column.
    variable : str, optional
        Which variable of a Dataset; needed where several qualify.
    noise : {"auto", "estimate"}, float, DataArray or None
        One standard deviation of the error that is independent between pixels. ``auto`` takes the
        layer ``<column>_uncertainty_random`` of the scene, if it has one; a number, in the unit of
        the column, or a DataArray on its grid states it; ``estimate`` takes it from neighbouring
        cells, which cannot tell fine structure from noise; None takes nothing off. Where the noise
        of an observed cell is NaN, it is taken from the cells around it.
    history : str, Path, Dataset or DataArray, optional
        A fine map of the same place, in any CRS, grid and unit, such as `no2sr.reconstruct` makes
        of the overpasses of other days. Only its local pattern counts. Where it is missing, the
        result is the one without. Its cells may be as large as those of the scene for scale 2, and
        half, a third, ... of that for larger scales.
    neighbours : {0, 1}
        1 lets the noise step of a stack see the steps before and after, by the coordinate ``time``.
        A step more than one and a half usual steps away counts as missing.
    conserve : {"auto", "noise", "additive", "multiplicative"}
        What block means are held to. ``noise``: the observation within its noise, at most 3
        standard deviations away, and exactly where the noise is zero. ``additive`` and
        ``multiplicative`` restore the observation exactly, by a shift or by a factor, which keeps
        the sign of values. ``auto`` is ``noise`` where noise is known, else ``additive``.
    edges : {"pad", "shave"}
        ``pad`` keeps the full extent: the image is continued by reflection, or around the globe.
        ``shave`` cuts every cell whose value such a continuation could have touched, so that the
        result is what a larger scene would have given.
    uncertainty : bool
        Whether to state the standard uncertainty of every value, as the layer
        ``<column>_uncertainty`` of a Dataset. Without known noise it is that of the inferred detail
        alone. A DataArray has no layers, and none is computed for it.
    engine : {"onnxruntime", "tensorflow", "openvino"}
        What runs the network; results are equal to rounding. See `no2sr.networks.engines.make`.
    precision : {"float32", "bfloat16", "int8"}
        Of the arithmetic inside the network; less than float32 needs ``engine="openvino"``.
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of fine pixels; not for what stays lazy.

    Returns
    -------
    Same type as `dataset`
        On the finer grid, with the dims, direction, unit and attributes given; a Dataset holds the
        column and its uncertainty. Gaps are gaps; negative values are kept. Of cells centred on a
        pole only the half on this side of it is returned. The attribute ``no2sr_closure_max`` holds
        the largest deviation of an area-weighted block mean from what it is held to, in standard
        deviations of the input, ``no2sr_departure_rms`` and ``no2sr_departure_max`` how far that
        leaves the observation, in standard deviations of its noise. These and
        ``no2sr_gap_share`` are missing from what stays lazy.

    Raises
    ------
    ImageError
        If the dataset cannot be understood as an image, or is too small; a `HistoryError` if the
        history cannot be used.
    ModelError
        If there is no such model, or none for the scale.
    SettingsError
        If an argument is out of range.

    Warns
    -----
    RefinedInputWarning
        If the dataset was made by this function before.
    No2srWarning
        If other variables of a Dataset lie on the grid of the column. They are not in the result.

    Notes
    -----
    A finer map is an estimate and no observation: the method puts structure where structure of
    that kind was seen in training. Only the means over coarse cells are measured.
    """
    refining = Refining(
        scale=scale,
        model=model,
        noise=noise,
        history=history,
        neighbours=neighbours,
        conserve=conserve,
        edges=edges,
        uncertainty=uncertainty,
        engine=engine,
        precision=precision,
    )
    task = plan_task(dataset, refining, variable=variable)
    _name_left_out(dataset, variable)
    if task.image.chunks is not None:
        both = promise(task.canvas, task.method)
        fine = describe_fine(task, both[0], both[1] if task.method.states_uncertainty else None)
        return _leave(fine, task, dataset, variable)
    found = collect(task.canvas, task.method, progress=progress)
    fine = describe_fine(task, found.values, found.uncertainty, **found.tally.facts())
    return _leave(fine, task, dataset, variable)


def plan_task(
    dataset: xr.Dataset | xr.DataArray, refining: Refining, *, variable: str | None = None
) -> Task:
    """Check a scene and its settings, and take what the method needs.

    Parameters
    ----------
    dataset : Dataset or DataArray
    refining : Refining
    variable : str, optional

    Raises
    ------
    ImageError, ModelError, SettingsError
        As for `downscale`.
    """
    if isinstance(dataset, xr.DataArray):  # it has no layers
        refining = replace(refining, uncertainty=False)
    choose_method(refining)  # what cannot be had is refused before the values are looked at
    image = enter(dataset, variable=variable)
    if image.name is None:  # layers are named after the column
        image = image.rename("column")
    earlier = doubt_refined(str(image.name), image.attrs, dataset.attrs)
    layers = enter_companions(dataset, image, UNCERTAINTIES)
    noise = choose_noise(refining.noise, image, layers)
    if noise is None or not has_neighbours(image):
        refining = replace(refining, neighbours=0)
    method = choose_method(refining, noisy=noise is not None)
    check_size(image, method, edges=refining.edges)
    # A total uncertainty alone cannot be split: it is no noise, but it stays part of the total.
    shared = layers.get(SYSTEMATIC, None if RANDOM in layers else layers.get(TOTAL))
    beside = {"noise": noise, "systematic": shared}
    if noise is not None and refining.neighbours:
        beside |= find_neighbours(image, noise)
    place = None
    if refining.history is not None:
        place = align_history(open_history(refining.history), image, method.scale)
        beside |= place.fields(chunked=image.chunks is not None)
    fields = {k: v for k, v in beside.items() if v is not None}
    return Task(
        image=image,
        canvas=Canvas.of(image, method.scale, fields),
        method=method,
        refining=refining,
        source=dataset,
        earlier=earlier,
        place=place,
    )


def check_size(image: xr.DataArray, method: Method, *, edges: str = "pad") -> None:
    """Refuse grids that would be nothing but padding.

    Raises
    ------
    TooSmallError
        If there are too few cells.
    """
    least = 2 * method.reach + 1 if edges == "shave" else LEAST_CELLS
    ny, nx = image.sizes["y"], image.sizes["x"]
    if min(ny, nx) < least:
        raise TooSmallError(
            f"the grid has {ny} x {nx} cells; with edges={edges!r} at least {least} are needed "
            "along each axis; choose a larger region"
            + (" or edges='pad'" if edges == "shave" else "")
        )


def _name_left_out(dataset: xr.Dataset | xr.DataArray, variable: str | None) -> None:
    """Warn of variables that have no place in the result, such as averaging kernels."""
    others = [] if isinstance(dataset, xr.DataArray) else list_others(dataset, variable)
    if others:
        shown = ", ".join(others[:_NAMED]) + ", ..." * (len(others) > _NAMED)
        warnings.warn(
            f"the result holds the column and its uncertainty, not the other variables of the "
            f"dataset ({shown}); take these from the dataset itself",
            No2srWarning,
            stacklevel=3,
        )


def _leave(scene: xr.Dataset, task: Task, dataset: Grid, variable: str | None) -> Grid:
    """Give every layer of a fine scene the outer form of the dataset that it was made from."""
    name = str(task.image.name)
    whole = leave(scene[name], dataset, variable=variable)
    if isinstance(whole, xr.DataArray) or len(scene.data_vars) == 1:
        return whole
    for layer in scene.data_vars:
        if layer != name:
            left = leave(scene[layer], dataset[name])
            whole[layer] = left.assign_attrs(scene[layer].attrs)
    return whole
