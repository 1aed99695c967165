"""What is kept of a comparison under noise: ratios with intervals, and calibration by stratum."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from no2sr.downscaling.smoothing import look_around
from no2sr.evaluation.bootstrap import ratio_interval
from no2sr.evaluation.calibration import measure_crps
from no2sr.evaluation.measures import squared_errors
from no2sr.evaluation.metrics import PLUME_PERCENTILE, mark_beside_gaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from no2sr.evaluation.records import Comparison, Scene

    Values = NDArray[np.float64]

NETWORK = "srcnn"  # whose uncertainty is judged
EDGES = (0.0, 0.1, 0.2, 0.35, 0.55, np.inf)  # of noise over local spread
LEAST_CELLS = 500  # in a stratum
SHARES = np.arange(0.05, 1, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of errors and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How methods did in one case.

    Attributes
    ----------
    title : str
    scale : int
    over_bicubic, over_best : dict of str to Ratio
        By method: RMSE over that of bicubic interpolation, and of the best classical method.
    best : str
        The best classical method.
    calibration : Calibration, or None
    """

    title: str
    scale: int
    over_bicubic: dict[str, Ratio]
    over_best: dict[str, Ratio]
    best: str
    calibration: Calibration | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far the stated uncertainty of the network can be believed.

    Attributes
    ----------
    sizes : array, (cells,)
        Errors over stated uncertainties, without sign.
    strata : dict of str to array of bool, (cells,)
    crps, plain : float
        CRPS of the network, and of bicubic interpolation with the stated noise, over the RMSE of
        bicubic interpolation.
    """

    sizes: Values
    strata: dict[str, NDArray[np.bool_]]
    crps: float
    plain: float

    def cover(self, level: float, stratum: str | None = None) -> float:
        """Compute the share of cells inside an interval; NaN for a stratum with few cells."""
        sizes = self.sizes if stratum is None else self.sizes[self.strata[stratum]]
        if sizes.size < LEAST_CELLS:
            return float("nan")
        return float(np.mean(sizes <= ndtri((1 + level) / 2)))


def judge_pooled(title: str, comparison: Comparison, units: NDArray[np.int64] | None) -> Result:
    """Judge all scenes together.

    Parameters
    ----------
    title : str
    comparison : Comparison
    units : array of int, (scenes,), or None
        What the bootstrap draws; by default squares of 8 coarse cells.
    """
    labels = comparison.methods

    def gather(label: str) -> Values:
        sums = squared_errors(comparison, [scene.estimates[label] for scene in comparison.scenes])
        return sums if units is None else np.bincount(units, sums)

    errors = {label: gather(label) for label in labels}
    best = min(comparison.classical, key=lambda label: errors[label].sum())

    def compare_with(base: str) -> dict[str, Ratio]:
        return {label: _divide(errors[label], errors[base]) for label in labels}

    return Result(
        title=title,
        scale=comparison.scale,
        over_bicubic=compare_with("bicubic"),
        over_best=compare_with(best),
        best=best,
        calibration=calibrate([comparison]),
    )


def judge_places(title: str, comparisons: Sequence[Comparison]) -> Result:
    """Judge places one by one, and take the geometric mean of their ratios."""
    labels = comparisons[0].methods
    logarithms = {label: log_errors(comparisons, label) for label in labels}
    best = min(comparisons[0].classical, key=lambda label: logarithms[label].sum())

    def compare_with(base: str) -> dict[str, Ratio]:
        return {label: average_places(logarithms[label] - logarithms[base]) for label in labels}

    return Result(
        title=title,
        scale=comparisons[0].scale,
        over_bicubic=compare_with("bicubic"),
        over_best=compare_with(best),
        best=best,
        calibration=calibrate(comparisons),
    )


def _divide(errors: Values, against: Values) -> Ratio:
    """Compute the ratio of root mean squares."""
    low, high = ratio_interval(errors, against)
    return Ratio(value=float(np.sqrt(errors.sum() / against.sum())), low=low, high=high)


def log_errors(comparisons: Sequence[Comparison], label: str) -> Values:
    """Compute the logarithm of the root of the sum of squared errors of a method, by place."""
    return np.array(
        [
            np.log(squared_errors(each, [s.estimates[label] for s in each.scenes]).sum()) / 2
            for each in comparisons
        ]
    )


def average_places(logarithms: Values) -> Ratio:
    """Compute a geometric mean and its interval when places are drawn again.

    Parameters
    ----------
    logarithms : array, (places,)
        Of ratios.
    """
    rng = np.random.default_rng(0)
    drawn = rng.choice(logarithms, size=(2000, logarithms.size)).mean(axis=1)
    low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
    return Ratio(value=float(np.exp(logarithms.mean())), low=float(low), high=float(high))


def calibrate(comparisons: Sequence[Comparison]) -> Calibration | None:
    """Gather errors over uncertainties, and the strata that cells belong to."""
    scenes = [scene for each in comparisons for scene in each.scenes]
    scale = comparisons[0].scale
    if not all(NETWORK in scene.uncertainties for scene in scenes):
        return None
    parts = [_strata(scene, scale) for scene in scenes]
    errors, stated, plain_errors, noise = (
        np.concatenate([part[0][at] for part in parts]) for at in range(4)
    )
    rmse = float(np.sqrt(np.mean(plain_errors**2)))
    sizes = np.divide(np.abs(errors), stated, out=np.full_like(errors, np.inf), where=stated > 0)
    return Calibration(
        sizes=sizes,
        strata={name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]},
        crps=measure_crps(errors, stated) / rmse,
        plain=measure_crps(plain_errors, noise) / rmse,
    )


def _strata(
    scene: Scene, scale: int
) -> tuple[tuple[Values, Values, Values, Values], dict[str, NDArray[np.bool_]]]:
    """Take the observed cells of one scene, and tell which strata they belong to."""
    reference = scene.reference.astype(np.float64)
    error = scene.estimates[NETWORK] - reference
    seen = np.isfinite(error)
    assert scene.noise is not None
    _, spread = look_around(scene.coarse)
    ratio = scene.noise / np.maximum(spread, 1e-300)
    noise, fine_ratio = (
        each.repeat(scale, axis=0).repeat(scale, axis=1) for each in (scene.noise, ratio)
    )
    top = reference > np.nanpercentile(reference, PLUME_PERCENTILE)
    strata = {
        name: (fine_ratio >= low) & (fine_ratio < high)
        for name, low, high in zip(STRATA, EDGES, EDGES[1:], strict=False)
    }
    strata |= {"top 5 %": top, "rest": ~top, "gap edges": mark_beside_gaps(scene.coarse, scale)}
    fields = (error, scene.uncertainties[NETWORK], scene.interpolated - reference, noise)
    kept = tuple(np.asarray(field[seen], np.float64) for field in fields)
    return kept, {name: mask[seen] for name, mask in strata.items()}  # type: ignore[return-value]


STRATA = tuple(
    f"noise/spread {low:g}..{high:g}" if np.isfinite(high) else f"noise/spread > {low:g}"
    for low, high in pairwise(EDGES)
)
