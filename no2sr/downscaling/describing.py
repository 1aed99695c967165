"""The fine scene around its values: georeferenced, described, and shaved if asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from no2sr.core.grid import drop_beyond_poles, refine, shave
from no2sr.core.image import add_history
from no2sr.core.layers import TOTAL, assemble_scene
from no2sr.core.times import keep_bounds
from no2sr.core.version import __version__

if TYPE_CHECKING:
    import xarray as xr

    from no2sr.downscaling.task import Task

__all__ = ["describe_fine"]


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
        **(task.place.facts() if task.place else {}),
        **facts,
    }
    conserving = f" conserve={told['conserve']}" if "conserve" in told else ""
    if task.refining.neighbours:
        conserving += " neighbours=1"
    if task.place is not None:
        conserving += f" history={task.place.name}"
    fine = add_history(
        fine,
        f"downscale scale={method.scale} model={method.name} edges={edges}{conserving} "
        f"(version {__version__})",
    )
    return fine.assign_attrs({f"no2sr_{name}": value for name, value in told.items()})
