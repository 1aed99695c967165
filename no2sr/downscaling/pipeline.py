"""Downscale: the way of the data, from a coarse scene to a fine one.

pad -> [fill gaps -> upsample, normalise -> network -> denormalise -> conserve -> gaps back] ->
georeference. What stands in brackets happens block by block, in a method such as
`no2sr.downscaling.kernel.NetworkMethod`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import xarray as xr

from no2sr.core.door import enter, leave
from no2sr.core.door.companions import enter_companions
from no2sr.core.errors import TooSmallError
from no2sr.core.grid import drop_beyond_poles, refine, shave
from no2sr.core.image import add_history
from no2sr.core.layers import RANDOM, SYSTEMATIC, TOTAL, UNCERTAINTIES, assemble_scene
from no2sr.core.provenance import doubt_refined
from no2sr.core.times import keep_bounds
from no2sr.core.version import __version__
from no2sr.downscaling.blocks import Canvas
from no2sr.downscaling.choosing import choose_method
from no2sr.downscaling.lazy import promise
from no2sr.downscaling.noise import choose_noise
from no2sr.downscaling.run import collect
from no2sr.downscaling.settings import Refining
from no2sr.steps.resample import KERNEL_REACH

if TYPE_CHECKING:
    from collections.abc import Callable

    from no2sr.downscaling.method import Method
    from no2sr.downscaling.noise import Noise
    from no2sr.downscaling.settings import AnyMethod, Conserve, Edges

__all__ = ["LEAST_CELLS", "Task", "check_size", "describe_fine", "downscale", "plan_task"]

Grid = TypeVar("Grid", xr.Dataset, xr.DataArray)
# The support of the bicubic kernel: with fewer cells it would see nothing but padding.
LEAST_CELLS = 2 * KERNEL_REACH["bicubic"]


def downscale(  # noqa: PLR0913 - one argument a question that users have
    dataset: Grid,
    *,
    scale: int = 4,
    model: AnyMethod = None,
    variable: str | None = None,
    noise: Noise = "auto",
    conserve: Conserve = "auto",
    edges: Edges = "pad",
    uncertainty: bool = True,
    engine: str = "onnxruntime",
    precision: str = "float32",
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
        What runs the network; see `no2sr.networks.engines.make.make_engine`. They agree to
        rounding.
    precision : {"float32", "bfloat16", "int8"}
        Of the arithmetic inside the network; the latter two with ``engine="openvino"`` only.
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
        If the dataset cannot be understood as an image, or is too small.
    ModelError
        If there is no such model, or none for the scale.
    SettingsError
        If an argument is out of range.

    Warns
    -----
    RefinedInputWarning
        If the dataset was made by this function before.

    Notes
    -----
    A finer map is an estimate and no observation: the method puts structure where structure of
    that kind was seen in training. Only the means over coarse cells are measured.
    """
    refining = Refining(
        scale=scale,
        model=model,
        noise=noise,
        conserve=conserve,
        edges=edges,
        uncertainty=uncertainty,
        engine=engine,
        precision=precision,
    )
    task = plan_task(dataset, refining, variable=variable)
    if task.image.chunks is not None:
        both = promise(task.canvas, task.method)
        fine = describe_fine(task, both[0], both[1] if task.method.states_uncertainty else None)
        return _leave(fine, task, dataset, variable)
    found = collect(task.canvas, task.method, progress=progress)
    fine = describe_fine(task, found.values, found.uncertainty, **found.tally.facts())
    return _leave(fine, task, dataset, variable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A scene and the method that is going to make it finer.

    Attributes
    ----------
    image : DataArray, (y, x) or (time, y, x)
        The strict image of the column.
    canvas : Canvas
    method : Method
    refining : Refining
    source : Dataset or DataArray
        What the image was made from.
    earlier : int
        Scale by which the scene had been refined before.
    """

    image: xr.DataArray
    canvas: Canvas
    method: Method
    refining: Refining
    source: xr.Dataset | xr.DataArray
    earlier: int = 1


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
    method = choose_method(refining, noisy=noise is not None)
    check_size(image, method, edges=refining.edges)
    # A total uncertainty alone cannot be split: it is no noise, but it stays part of the total.
    shared = layers.get(SYSTEMATIC, None if RANDOM in layers else layers.get(TOTAL))
    beside = {"noise": noise, "systematic": shared}
    canvas = Canvas.of(image, method.scale, {k: v for k, v in beside.items() if v is not None})
    return Task(
        image=image,
        canvas=canvas,
        method=method,
        refining=refining,
        source=dataset,
        earlier=earlier,
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


def describe_fine(task: Task, values: Any, uncertainty: Any = None, **facts: float) -> xr.Dataset:
    """Make the fine scene from its values: georeferenced, described, and shaved if asked for.

    Parameters
    ----------
    task : Task
    values, uncertainty : array, (layers, scale * y, scale * x), or their dask counterparts
    **facts : float
        What is recorded in attributes called ``no2sr_<name>``.

    Returns
    -------
    Dataset, (..., scale * y, scale * x)
        The column, and its uncertainty where there is one.
    """
    image, method, refining = task.image, task.method, task.refining
    shape = (*image.shape[:-2], *values.shape[1:])
    fine = refine(image, method.scale, values.reshape(shape))
    told: dict[str, Any] = {"earlier_scale": task.earlier} if task.earlier > 1 else {}
    if uncertainty is not None:
        known = [name for name in ("noise", "systematic") if name in task.canvas.fields]
        told["uncertainty_parts"] = ", ".join([*known, "detail"])
    described = _describe(fine, task, **facts, **told)
    layers = {}
    if uncertainty is not None:
        layers[TOTAL] = fine.copy(data=uncertainty.reshape(shape)).drop_attrs(deep=False)
    scene = assemble_scene(described, layers)
    if refining.edges == "shave":
        rim = method.reach * method.scale
        scene = scene.map(shave, keep_attrs=True, args=(rim,))
    return keep_bounds(scene.map(drop_beyond_poles, keep_attrs=True), task.source)


def _describe(fine: xr.DataArray, task: Task, **facts: Any) -> xr.DataArray:
    """Write down what was done."""
    method, edges = task.method, task.refining.edges
    told = {
        "version": __version__,
        "scale": method.scale,
        "edges": edges,
        **method.facts,
        **facts,
    }
    conserving = f" conserve={told['conserve']}" if "conserve" in told else ""
    fine = add_history(
        fine,
        f"downscale scale={method.scale} model={method.name} edges={edges}{conserving} "
        f"(version {__version__})",
    )
    return fine.assign_attrs({f"no2sr_{name}": value for name, value in told.items()})


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
