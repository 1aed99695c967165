"""Judge methods by Wald's protocol: degrade, downscale, compare with what was there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.baselines import BASELINES, interpolate
from no2sr.conserve import closure
from no2sr.degradation import degrade
from no2sr.errors import NoValidPixelsError, SettingsError
from no2sr.grid import cell_areas, check_scale, modcrop
from no2sr.metrics import METRICS
from no2sr.networks import Model, available_models
from no2sr.pipeline import downscale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["evaluate"]

DEFAULT_METRICS = ("rmse", "mae", "bias", "psnr", "ssim", "correlation", "closure")


def evaluate(
    reference: xr.DataArray | Iterable[xr.DataArray],
    *,
    scale: int = 4,
    methods: Sequence[str] | Mapping[str, str | Model] | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> pd.DataFrame:
    """Compare methods on fine images that they have not seen.

    Parameters
    ----------
    reference : DataArray, (y, x) or (time, y, x), or an iterable of such
        Fine images. Each is averaged to the coarse grid; only blocks observed in full count.
    scale : int
    methods : sequence of str, or mapping of label to name or Model, optional
        Classical methods of `no2sr.baselines`, shipped networks, models. By default all classical
        ones and every shipped network with weights for the scale.
    metrics : sequence of str
        Keys of `no2sr.metrics.METRICS`, and ``closure``: the root mean square deviation of block
        means from the coarse image.

    Returns
    -------
    pandas.DataFrame
        One row a method, one column a metric, over all images together; SSIM is the mean
        over images. The column ``rmse / bicubic`` is added where both are there. Errors are in the
        unit of the reference, PSNR in dB with the range of the reference as peak.

    Raises
    ------
    SettingsError
        For an unknown metric or scale.
    NoValidPixelsError
        If no block was observed in full.
    """
    import pandas as pd

    scale = check_scale(scale, least=2)
    _check_metrics(metrics)
    images = [reference] if isinstance(reference, xr.DataArray) else list(reference)
    pairs = [(modcrop(image, scale), degrade(image, scale)) for image in images]
    pairs = [pair for pair in pairs if np.isfinite(pair[1].values).any()]
    if not pairs:
        raise NoValidPixelsError(
            f"no block of {scale} x {scale} cells is observed in full; expected at least one; "
            "give larger or fuller images, or a smaller scale"
        )
    rows = {}
    for label, method in _resolve(methods, scale).items():
        estimates = [_apply(method, coarse, scale) for _, coarse in pairs]
        rows[label] = {name: _measure(name, estimates, pairs) for name in metrics}
    if "rmse" in metrics and "bicubic" in rows:
        bicubic = rows["bicubic"]["rmse"]
        rows = {
            label: {"rmse / bicubic": row["rmse"] / bicubic, **row} for label, row in rows.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _check_metrics(metrics: Sequence[str]) -> None:
    """Refuse unknown metrics."""
    known = {*METRICS, "closure"}
    unknown = [name for name in metrics if name not in known]
    if unknown:
        raise SettingsError(
            f"no metric {', '.join(map(repr, unknown))}; "
            f"expected some of {', '.join(sorted(known))}; choose among these"
        )


def _resolve(
    methods: Sequence[str] | Mapping[str, str | Model] | None, scale: int
) -> Mapping[str, str | Model]:
    """Return methods by label."""
    if methods is None:
        shipped = [card.network for card in available_models() if card.scale == scale]
        methods = [*BASELINES, *shipped]
    return methods if isinstance(methods, Mapping) else {name: name for name in methods}


def _apply(method: str | Model, coarse: xr.DataArray, scale: int) -> xr.DataArray:
    """Bring a coarse image to the fine grid."""
    if isinstance(method, str) and method in BASELINES:
        return interpolate(coarse, scale, method=method)
    return downscale(coarse, scale=scale, model=method)


def _measure(
    metric: str, estimates: list[xr.DataArray], pairs: list[tuple[xr.DataArray, xr.DataArray]]
) -> float:
    """Compute one metric over all images."""
    if metric == "closure":
        return _closure(estimates, pairs)
    function = METRICS[metric]
    layers = [
        (found, wanted)
        for estimate, (reference, _) in zip(estimates, pairs, strict=True)
        for found, wanted in zip(_layers(estimate), _layers(reference), strict=True)
    ]
    if metric == "ssim":
        values = [function(found, wanted) for found, wanted in layers if np.isfinite(found).any()]
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return function(
        np.concatenate([found.ravel() for found, _ in layers]),
        np.concatenate([wanted.ravel() for _, wanted in layers]),
    )


def _closure(
    estimates: list[xr.DataArray], pairs: list[tuple[xr.DataArray, xr.DataArray]]
) -> float:
    """Return the root mean square difference of block means."""
    squares = [
        closure(found, wanted, cell_areas(estimate)).ravel() ** 2
        for estimate, (_, coarse) in zip(estimates, pairs, strict=True)
        for found, wanted in zip(_layers(estimate), _layers(coarse), strict=True)
    ]
    return float(np.sqrt(np.nanmean(np.concatenate(squares))))


def _layers(image: xr.DataArray) -> NDArray[np.float32]:
    """Return values as (layers, y, x)."""
    values: NDArray[np.float32] = image.to_numpy().reshape(-1, *image.shape[-2:])
    return values
