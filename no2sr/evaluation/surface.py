"""A map as arrays to look values up in: one time, with what is known of its errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.earth import KM_PER_DEGREE
from no2sr.core.grid import bounds_of, cell_areas, transform_of
from no2sr.core.image import crs_of, is_geographic
from no2sr.core.layers import RANDOM, RESOLUTION, SYSTEMATIC, TOTAL
from no2sr.core.provenance import PARTS, PREFIX, refinement_of
from no2sr.evaluation.areal import Parts
from no2sr.steps.sampling import effective_resolution
from no2sr.writers.layers import enter_layer, layers_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from affine import Affine
    from numpy.typing import NDArray
    from pyproj import CRS

__all__ = ["Surface"]

MOST_SMOOTHED = 0.99  # departure from the observation, in standard deviations of its noise
LOOKED_UP = (RANDOM, SYSTEMATIC, TOTAL, RESOLUTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One time of a map.

    Attributes
    ----------
    values : array, (y, x)
        NaN in gaps.
    total : array, (y, x), or None
        Standard uncertainty of each cell.
    parts : Parts
        Its parts, for the mean over several cells.
    resolution : array, (y, x), or float
        What is resolved, in km.
    time : datetime64, optional
    transform : Affine
    bounds : (west, south, east, north)
    crs : CRS
    areas : array, (y,)
        Relative areas of the cells of each row.
    """

    values: NDArray[np.float32]
    total: Any
    parts: Parts
    resolution: Any
    time: np.datetime64 | None
    transform: Affine
    bounds: tuple[float, float, float, float]
    crs: CRS
    areas: NDArray[np.float64]

    @classmethod
    def of_times(cls, scene: xr.DataArray | xr.Dataset) -> list[Surface]:
        """Take every time of a scene.

        Parameters
        ----------
        scene : DataArray or Dataset, (y, x) or (time, y, x)

        Raises
        ------
        ImageError
            If it holds no image.
        """
        column = enter_layer(scene)
        layers = {name: enter_layer(scene, name) for name in layers_in(scene) if name in LOOKED_UP}
        attrs = {**getattr(scene, "attrs", {}), **column.attrs}
        coarse = _coarse_km(column, attrs)
        made = []
        for step in range(column.sizes["time"]) if "time" in column.dims else [None]:
            at: dict[str, int] = {} if step is None else {"time": step}
            found = {
                name: layer.isel(at, missing_dims="ignore").values for name, layer in layers.items()
            }
            resolution = found.pop(RESOLUTION, max(coarse))
            made.append(
                cls(
                    values=column.isel(at).values,
                    total=_total_of(found),
                    parts=_split(found, attrs, _reach(column, attrs, coarse, resolution)),
                    resolution=resolution,
                    time=None if step is None else column["time"].values[step],
                    transform=transform_of(column),
                    bounds=bounds_of(column),
                    crs=crs_of(column),
                    areas=cell_areas(column),
                )
            )
        return made

    def resolution_at(self, rows: Any, columns: Any) -> Any:
        """Return the local resolution at cells, km."""
        if np.ndim(self.resolution) == 0:
            return np.full(np.shape(rows), self.resolution)
        return np.asarray(self.resolution)[rows, columns]


def _cell_km(image: xr.DataArray) -> tuple[float, float]:
    """Return the size of a cell in the middle of a map, km, (y, x)."""
    transform = transform_of(image)
    if not is_geographic(image):
        axes = crs_of(image).axis_info
        unit = float(axes[0].unit_conversion_factor) / 1000 if axes else 1e-3
        return -transform.e * unit, transform.a * unit
    _, south, _, north = bounds_of(image)
    shrink = max(math.cos(math.radians((south + north) / 2)), 1e-3)
    return -transform.e * KM_PER_DEGREE, transform.a * KM_PER_DEGREE * shrink


def _coarse_km(image: xr.DataArray, attrs: Mapping[Any, Any]) -> tuple[float, float]:
    """Return the size of a cell that was observed, km, (y, x)."""
    height, width = _cell_km(image)
    scale = refinement_of(attrs)
    cells = (scale, scale) if scale > 1 else effective_resolution(image).cells
    return height * cells[0], width * cells[1]


def _reach(
    image: xr.DataArray, attrs: Mapping[Any, Any], coarse: tuple[float, float], resolution: Any
) -> tuple[float, float]:
    """Return the side of the area over which noise is shared, in observed blocks, (y, x)."""
    if refinement_of(attrs) > 1:
        # What smoothing takes off a block is 1 - 1 / n of its noise, if it averages n blocks.
        left = 1 - min(_as_number(attrs, f"{PREFIX}departure_rms"), MOST_SMOOTHED) ** 2
        return left**-0.5, left**-0.5
    middle = float(np.nanmedian(resolution)) if np.ndim(resolution) else 0.0
    sizes = (middle, middle) if middle else coarse
    down, across = (size / cell for size, cell in zip(sizes, _cell_km(image), strict=True))
    return max(1.0, down), max(1.0, across)


def _as_number(attrs: Mapping[Any, Any], name: str) -> float:
    """Return an attribute as a number, which may be text; 0 where there is none."""
    try:
        return float(attrs.get(name, 0))
    except (TypeError, ValueError):
        return 0.0


def _total_of(layers: Mapping[str, Any]) -> Any:
    """Return the standard uncertainty of the cells, or None."""
    if TOTAL in layers:
        return layers[TOTAL]
    known = [layers[name] for name in (RANDOM, SYSTEMATIC) if name in layers]
    return np.sqrt(sum(np.square(layer) for layer in known)) if known else None


def _split(
    layers: Mapping[str, Any], attrs: Mapping[Any, Any], reach: tuple[float, float]
) -> Parts:
    """Split the uncertainty of the cells into what they share and what they do not."""
    total, noise, shared = (layers.get(name) for name in (TOTAL, RANDOM, SYSTEMATIC))
    detail = None
    if total is not None and noise is None and shared is not None:
        noise = _subtract_squares(total, shared)
    elif total is not None and shared is None and noise is not None:
        shared = _subtract_squares(total, noise)
    elif total is not None and shared is None:
        parts = str(attrs.get(PARTS, ""))
        if parts == "detail":
            detail = total
        elif parts == "noise, detail" or attrs.get(f"{PREFIX}method") == "reconstruct":
            noise = total
        else:  # what is not known to be independent is taken to be shared
            shared = total
    return Parts(shared=shared, noise=noise, detail=detail, block=refinement_of(attrs), reach=reach)


def _subtract_squares(total: Any, part: Any) -> Any:
    return np.sqrt(np.maximum(np.square(total) - np.square(part), 0))
