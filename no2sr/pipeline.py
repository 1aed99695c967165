"""Downscale: the way of the data, from a coarse image to a fine one.

pad -> fill gaps -> upsample, normalise -> network -> denormalise -> conserve -> gaps back ->
georeference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import xarray as xr

from no2sr import __version__
from no2sr.conserve import closure
from no2sr.conserve import conserve as conserve_blocks
from no2sr.door import enter, leave
from no2sr.errors import CardMismatchError, NoValidPixelsError, SettingsError, TooSmallError
from no2sr.gaps import restore_gaps
from no2sr.grid import cell_areas, check_scale, refine, shave, spans_globe, within_poles
from no2sr.image import with_history
from no2sr.inference import make_engine, super_resolve
from no2sr.networks import Model, ModelCard, load_model
from no2sr.provenance import doubt_refined
from no2sr.resample import KERNEL_REACH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from no2sr.conserve import Kind

__all__ = ["downscale"]

Grid = TypeVar("Grid", xr.Dataset, xr.DataArray)
# The support of the bicubic kernel: with fewer cells it would see nothing but padding.
LEAST_CELLS = 2 * KERNEL_REACH["bicubic"]


def downscale(
    dataset: Grid,
    *,
    scale: int = 4,
    model: str | Path | Model | None = None,
    variable: str | None = None,
    conserve: Kind = "additive",
    edges: Literal["pad", "shave"] = "pad",
    progress: Callable[[int, int], None] | None = None,
) -> Grid:
    """Turn a coarse map into one that is `scale` times finer, and keep what was observed.

    Parameters
    ----------
    dataset : Dataset or DataArray, (y, x) or (time, y, x)
        A regular grid with any usual axis names, directions and longitude convention, in a stated
        unit, gaps as NaN. Other gridded fields than NO2 pass as well: the method knows no unit.
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
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of fine pixels.

    Returns
    -------
    Same type as `dataset`
        On the finer grid, with the dims, direction, unit and attributes given. The area-weighted
        mean of every block equals the coarse cell; gaps are gaps; negative values are kept. Of
        cells centred on a pole only the half on this side of it is returned. The
        attribute ``no2sr_closure_max`` holds the largest deviation from the former, in standard
        deviations of the input.

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
    if edges not in ("pad", "shave"):
        raise SettingsError(f"edges is {edges!r}, expected 'pad' or 'shave'")
    image = enter(dataset, variable=variable)
    before = doubt_refined(str(image.name), image.attrs, dataset.attrs)
    chosen = _choose(model, check_scale(scale, least=2))
    card = chosen.card
    _check_size(image, 2 * card.halo + 1 if edges == "shave" else LEAST_CELLS, edges)
    layers = _layers_of(image)
    estimates = _estimates(layers, chosen, around=spans_globe(image), progress=progress)
    areas = cell_areas(image, refined=scale)
    results = [
        _conserve(estimate, layer, areas, kind=conserve)
        for estimate, layer in zip(estimates, layers, strict=True)
    ]
    values = np.stack([result[0] for result in results])
    fine = refine(image, scale, values.reshape(*image.shape[:-2], *values.shape[1:]))
    spread = float(np.nanstd(layers, dtype=np.float64))
    fine = _describe(
        fine,
        chosen,
        edges=edges,
        conserve=conserve,
        closure_max=max(result[1] for result in results) / (spread or 1.0),
        gap_share=float(np.isnan(layers).mean()),
        **({"earlier_scale": before} if before > 1 else {}),
    )
    if edges == "shave":
        fine = shave(fine, card.halo * scale)
    fine = within_poles(fine)
    return leave(fine, dataset, variable=variable)


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


def _check_size(image: xr.DataArray, least: int, edges: str) -> None:
    """Refuse grids that would be nothing but padding."""
    ny, nx = image.sizes["y"], image.sizes["x"]
    if min(ny, nx) < least:
        raise TooSmallError(
            f"the grid has {ny} x {nx} cells, expected at least {least} along each axis "
            f"with edges={edges!r}; choose a larger region"
            + (" or edges='pad'" if edges == "shave" else "")
        )


def _layers_of(image: xr.DataArray) -> NDArray[np.float32]:
    """Return the values as (layers, y, x), and refuse what holds none."""
    layers: NDArray[np.float32] = image.to_numpy().reshape(-1, *image.shape[-2:])
    if not np.isfinite(layers).any():
        raise NoValidPixelsError(
            f"all {layers.size} cells are gaps, expected observed ones; choose another region"
        )
    return layers


def _estimates(
    layers: NDArray[np.float32],
    model: Model,
    *,
    around: bool,
    progress: Callable[[int, int], None] | None,
) -> list[NDArray[np.float32]]:
    """Enlarge every layer by the network; nothing is conserved yet and no gap is back."""
    engine = make_engine(model)
    return [
        super_resolve(
            _pad(layer, model.card.halo, around=around),
            model.card,
            engine,
            progress=_part(progress, index, len(layers)),
        )
        for index, layer in enumerate(layers)
    ]


def _pad(layer: NDArray[np.float32], halo: int, *, around: bool) -> NDArray[np.float32]:
    """Continue an image beyond its edges: around the globe in x where it closes, else mirrored."""
    wide = np.pad(layer, ((0, 0), (halo, halo)), mode="wrap" if around else "symmetric")
    return np.pad(wide, ((halo, halo), (0, 0)), mode="symmetric")


def _part(
    progress: Callable[[int, int], None] | None, index: int, count: int
) -> Callable[[int, int], None] | None:
    """Report one layer's progress as a part of all layers."""
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, count * total)


def _conserve(
    estimate: NDArray[np.float32],
    layer: NDArray[np.float32],
    areas: NDArray[np.float64],
    *,
    kind: Kind,
) -> tuple[NDArray[np.float32], float]:
    """Conserve and mask one layer; return it with its largest residual."""
    valid = np.isfinite(layer)
    whole = conserve_blocks(estimate, layer, areas, kind=kind)
    residual = np.abs(closure(whole, layer, areas)[valid])
    fine = restore_gaps(whole, valid, scale=estimate.shape[0] // layer.shape[0])
    return fine, float(residual.max(initial=0))


def _describe(fine: xr.DataArray, model: Model, **facts: str | float) -> xr.DataArray:
    """Write down what was done."""
    card: ModelCard = model.card
    fine = with_history(
        fine,
        f"downscale scale={card.scale} model={card.network} "
        f"edges={facts['edges']} conserve={facts['conserve']} (version {__version__})",
    )
    return fine.assign_attrs(
        no2sr_version=__version__,
        no2sr_model=card.network,
        no2sr_model_sha256=card.files.get("network.keras", "unsaved"),
        no2sr_scale=card.scale,
        **{f"no2sr_{name}": value for name, value in facts.items()},
    )
