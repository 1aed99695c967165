"""Downscale: the way of the data, from a coarse image to a fine one.

pad -> [fill gaps -> upsample, normalise -> network -> denormalise -> conserve -> gaps back] ->
georeference. What stands in brackets happens block by block, in `no2sr.downscaling.kernel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import xarray as xr

from no2sr.core.door import enter, leave
from no2sr.core.errors import CardMismatchError, SettingsError, TooSmallError
from no2sr.core.grid import check_scale, refine, shave, within_poles
from no2sr.core.image import with_history
from no2sr.core.provenance import doubt_refined
from no2sr.core.version import __version__
from no2sr.downscaling.blocks import Strips, pool
from no2sr.downscaling.kernel import Kernel
from no2sr.downscaling.lazy import promised
from no2sr.downscaling.tally import Tally
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.store import load_model
from no2sr.steps.conserve import check_kind
from no2sr.steps.resample import KERNEL_REACH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from no2sr.steps.conserve import Kind

__all__ = ["LEAST_CELLS", "check_size", "chosen_kernel", "downscale", "placed"]

Grid = TypeVar("Grid", xr.Dataset, xr.DataArray)
# The support of the bicubic kernel: with fewer cells it would see nothing but padding.
LEAST_CELLS = 2 * KERNEL_REACH["bicubic"]


def downscale(  # noqa: PLR0913 - one argument a question that users have
    dataset: Grid,
    *,
    scale: int = 4,
    model: str | Path | Model | None = None,
    variable: str | None = None,
    conserve: Kind = "additive",
    edges: Literal["pad", "shave"] = "pad",
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
    model : str, Path or Model, optional
        Name of a shipped network (default ``"srcnn"``), folder of a saved one, or one in memory.
        One for pictures works too, on normalised columns around mid-grey, but knows no column.
    variable : str, optional
        Which variable of a Dataset; needed where several qualify.
    conserve : {"additive", "multiplicative"}
        How block means are restored: by a shift, or by a factor, which keeps the sign of values.
    edges : {"pad", "shave"}
        ``pad`` keeps the full extent: the image is continued by reflection, or around the globe.
        ``shave`` cuts every cell that such a continuation could have touched, ``card.halo`` coarse
        cells a side, so that the result is what a larger image would have given.
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
        On the finer grid, with the dims, direction, unit and attributes given. The area-weighted
        mean of every block equals the coarse cell; gaps are gaps; negative values are kept. Of
        cells centred on a pole only the half on this side of it is returned. The
        attribute ``no2sr_closure_max`` holds the largest deviation from the former, in standard
        deviations of the input; it and ``no2sr_gap_share`` are missing from what stays lazy.

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
    kernel = chosen_kernel(
        model, scale=scale, conserve=conserve, engine=engine, precision=precision
    )
    image = enter(dataset, variable=variable)
    earlier = doubt_refined(str(image.name), image.attrs, dataset.attrs)
    check_size(image, kernel, edges=edges)
    if image.chunks is not None:
        fine = placed(promised(image, kernel), image, kernel, edges=edges, earlier=earlier)
    else:
        values, tally = _computed(image, kernel, progress)
        fine = placed(values, image, kernel, edges=edges, earlier=earlier, **tally.facts())
    return leave(fine, dataset, variable=variable)


def chosen_kernel(
    model: str | Path | Model | None, *, scale: int, conserve: Kind, engine: str, precision: str
) -> Kernel:
    """Return what makes blocks finer, and refuse what cannot be had.

    Raises
    ------
    ModelError, SettingsError, MissingDependencyError
        As for `downscale`.
    """
    check_kind(conserve)
    chosen = _choose(model, check_scale(scale, least=2))
    kernel = Kernel(model=chosen, conserve=conserve, engine=engine, precision=precision)
    kernel.load()
    return kernel


def _choose(model: str | Path | Model | None, scale: int) -> Model:
    """Return the model for the scale."""
    if not isinstance(model, Model):
        model = load_model(model or "srcnn", scale=scale)
    card = model.card
    if card.scale != scale:
        raise CardMismatchError(
            f"the model was trained for scale {card.scale}, expected scale {scale}; "
            f"use scale={card.scale} or another model"
        )
    return model


def check_size(image: xr.DataArray, kernel: Kernel, *, edges: str) -> None:
    """Refuse grids that would be nothing but padding.

    Raises
    ------
    TooSmallError
        If there are too few cells.
    SettingsError
        If `edges` is unknown.
    """
    if edges not in ("pad", "shave"):
        raise SettingsError(f"edges is {edges!r}, expected 'pad' or 'shave'; choose one of these")
    least = 2 * kernel.model.card.halo + 1 if edges == "shave" else LEAST_CELLS
    ny, nx = image.sizes["y"], image.sizes["x"]
    if min(ny, nx) < least:
        raise TooSmallError(
            f"the grid has {ny} x {nx} cells, expected at least {least} along each axis "
            f"with edges={edges!r}; choose a larger region"
            + (" or edges='pad'" if edges == "shave" else "")
        )


def _computed(
    image: xr.DataArray, kernel: Kernel, progress: Callable[[int, int], None] | None
) -> tuple[NDArray[np.float32], Tally]:
    """Return the fine values of an image in memory, and what was counted on the way."""
    strips = Strips(image, kernel)
    fine = np.empty(strips.shape, dtype=np.float32)
    tally, done = Tally(), 0
    with pool(None) as workers:
        for layer, place, result in strips.refined(workers):
            fine[layer][place.refined(strips.scale).window] = result.values
            tally = tally.merged(result.tally)
            done += result.values.size
            if progress is not None:
                progress(done, fine.size)
    return fine.reshape(*image.shape[:-2], *fine.shape[1:]), tally


def placed(
    values: Any,
    image: xr.DataArray,
    kernel: Kernel,
    *,
    edges: str,
    earlier: int = 1,
    **facts: float,
) -> xr.DataArray:
    """Make the fine image of its values: georeferenced, described, cut where it was asked for.

    Parameters
    ----------
    values : array, (..., scale * y, scale * x), or its dask counterpart
    image : DataArray, (..., y, x)
        The coarse image.
    kernel : Kernel
    edges : {"pad", "shave"}
    earlier : int
        Scale by which the coarse image had been refined before.
    **facts : float
        What is recorded in attributes called ``no2sr_<name>``.

    Returns
    -------
    DataArray
    """
    card = kernel.model.card
    fine = refine(image, card.scale, values)
    if earlier > 1:
        facts["earlier_scale"] = earlier
    fine = _describe(fine, card, edges=edges, conserve=kernel.conserve, **facts)
    if edges == "shave":
        fine = shave(fine, card.halo * card.scale)
    return within_poles(fine)


def _describe(fine: xr.DataArray, card: ModelCard, **facts: str | float) -> xr.DataArray:
    """Write down what was done."""
    fine = with_history(
        fine,
        f"downscale scale={card.scale} model={card.name} "
        f"edges={facts['edges']} conserve={facts['conserve']} (version {__version__})",
    )
    return fine.assign_attrs(
        no2sr_version=__version__,
        no2sr_model=card.name,
        no2sr_model_sha256=card.checksum,
        no2sr_scale=card.scale,
        **{f"no2sr_{name}": value for name, value in facts.items()},
    )
