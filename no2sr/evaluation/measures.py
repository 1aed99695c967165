"""The measures that a comparison can be asked for, by name; each gives one number per method."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.evaluation.calibration import LEVELS, measure_coverage, measure_crps
from no2sr.evaluation.detail import judge_detail
from no2sr.evaluation.metrics import METRICS, mark_beside_gaps, peak_error, plume_mass_error
from no2sr.evaluation.spectra import (
    cut_whole_windows,
    effective_resolution,
    power_spectrum,
    ring_frequencies,
)
from no2sr.steps.conserve import closure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from no2sr.evaluation.records import Comparison, Scene

    Measure = Callable[[Comparison, str], float]

__all__ = [
    "MEASURES",
    "STATED",
    "Spectra",
    "mean_spectra",
    "reference_power",
    "squared_errors",
    "stated_errors",
]

# Side of the squares that spectra are taken of, in fine cells.
SPECTRUM_SIDE = 32
# From so many images on they are what the bootstrap draws; fewer are cut into squares of so many
# coarse cells, beyond which errors hardly know of each other.
LEAST_IMAGES, SQUARE = 30, 8


def squared_errors(
    comparison: Comparison, estimates: Sequence[NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Sum squared errors over the units of the bootstrap.

    Parameters
    ----------
    comparison : Comparison
    estimates : sequence of array, (y, x)
        One for each scene.

    Returns
    -------
    array, (units,)
        Of the images, where they are 30 or more, else of squares of 8 coarse cells. Units without
        any observed cell are left out.
    """
    totals, counts = [], []
    side = SQUARE * comparison.scale if len(comparison.scenes) < LEAST_IMAGES else None
    for scene, estimate in zip(comparison.scenes, estimates, strict=True):
        errors = estimate.astype(np.float64) - scene.reference
        seen = np.isfinite(errors)
        totals.append(_sums(np.where(seen, errors, 0) ** 2, side))
        counts.append(_sums(seen.astype(np.float64), side))
    return np.concatenate(totals)[np.concatenate(counts) > 0]


def _sums(values: NDArray[np.float64], side: int | None) -> NDArray[np.float64]:
    """Sum an image over squares, which are smaller at the edges; without a side, over all of it."""
    if side is None:
        return np.array([values.sum()])
    tops, lefts = (np.arange(0, size, side) for size in values.shape)
    return np.asarray(np.add.reduceat(np.add.reduceat(values, tops, axis=0), lefts, axis=1).ravel())


class Spectra(NamedTuple):
    """Power over frequency, averaged over directions and windows.

    Attributes
    ----------
    frequencies : array, (n,)
        In cycles a fine cell.
    reference : array, (n,)
        NaN where no window of any image is without gap.
    estimates, errors : dict of str to array, (n,)
        By method, of the estimates and of estimate minus reference.
    """

    frequencies: NDArray[np.float64]
    reference: NDArray[np.float64]
    estimates: dict[str, NDArray[np.float64]]
    errors: dict[str, NDArray[np.float64]]


def mean_spectra(comparison: Comparison) -> Spectra:
    """Compute the spectra of the reference, of every estimate and of its error."""
    methods = comparison.methods
    return Spectra(
        frequencies=ring_frequencies(SPECTRUM_SIDE),
        reference=reference_power(comparison),
        estimates={label: _estimate_power(comparison, label) for label in methods},
        errors={label: _error_power(comparison, label) for label in methods},
    )


def _mean_power(
    comparison: Comparison, choose: Callable[[Scene], NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Average the spectra of the chosen images over all windows without gaps."""
    spectra = [
        power_spectrum(window)
        for scene in comparison.scenes
        for window, _ in cut_whole_windows(choose(scene), scene.interpolated, side=SPECTRUM_SIDE)
    ]
    return np.mean(spectra, axis=0) if spectra else np.full(SPECTRUM_SIDE // 2, np.nan)


def reference_power(comparison: Comparison) -> NDArray[np.float64]:
    """Compute the spectrum of the reference, (n,); NaN where no window is without gaps."""
    return _mean_power(comparison, lambda scene: scene.reference)


def _estimate_power(comparison: Comparison, label: str) -> NDArray[np.float64]:
    return _mean_power(comparison, lambda scene: scene.estimates[label])


def _error_power(comparison: Comparison, label: str) -> NDArray[np.float64]:
    return _mean_power(comparison, lambda scene: scene.estimates[label] - scene.reference)


def _pool(comparison: Comparison, label: str, *, metric: str) -> float:
    """Take a metric of cells over all scenes together."""
    return METRICS[metric](
        np.concatenate([scene.estimates[label].ravel() for scene in comparison.scenes]),
        np.concatenate([scene.reference.ravel() for scene in comparison.scenes]),
    )


def _mean(
    comparison: Comparison, label: str, *, measure: Callable[[Scene, NDArray[np.float32]], float]
) -> float:
    """Average a measure over the scenes where it is defined."""
    values = np.array([measure(scene, scene.estimates[label]) for scene in comparison.scenes])
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _closure(comparison: Comparison, label: str) -> float:
    squares = [
        closure(scene.estimates[label], scene.coarse, scene.areas).ravel() ** 2
        for scene in comparison.scenes
    ]
    return float(np.sqrt(np.nanmean(np.concatenate(squares))))


def _full_scale_closure(comparison: Comparison, label: str) -> float:
    squares = [scene.full_scale[label] ** 2 for scene in comparison.scenes]
    return float(np.sqrt(np.mean(squares)))


def _effective_resolution(comparison: Comparison, label: str) -> float:
    power = reference_power(comparison)
    if not np.isfinite(power).all():
        return float("nan")
    return effective_resolution(_error_power(comparison, label), power)


def _detail(comparison: Comparison, label: str, *, share: str) -> float:
    scenes = comparison.scenes
    judged = judge_detail(
        np.concatenate([scene.estimates[label].ravel() for scene in scenes]),
        np.concatenate([scene.reference.ravel() for scene in scenes]),
        np.concatenate([scene.interpolated.ravel() for scene in scenes]),
    )
    return float(getattr(judged, share))


def stated_errors(
    comparison: Comparison, label: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gather the errors of a method and the uncertainty that it states.

    Parameters
    ----------
    comparison : Comparison
    label : str

    Returns
    -------
    errors, uncertainty : array, (cells,)
        Of all observed cells of all scenes; the uncertainty is NaN where none is stated.
    """
    errors, stated = [], []
    for scene in comparison.scenes:
        error = scene.estimates[label].astype(np.float64) - scene.reference
        seen = np.isfinite(error)
        given = scene.uncertainties.get(label)
        errors.append(error[seen])
        stated.append(np.full(errors[-1].shape, np.nan) if given is None else given[seen])
    return np.concatenate(errors), np.concatenate(stated).astype(np.float64)


def _coverage(comparison: Comparison, label: str, *, level: int) -> float:
    return measure_coverage(*stated_errors(comparison, label), level / 100)


def _crps(comparison: Comparison, label: str) -> float:
    return measure_crps(*stated_errors(comparison, label))


def _gap_edge_rmse(comparison: Comparison, label: str) -> float:
    errors = np.concatenate(
        [
            (scene.estimates[label] - scene.reference)[
                mark_beside_gaps(scene.coarse, comparison.scale)
            ]
            for scene in comparison.scenes
        ]
    )
    return float(np.sqrt(np.mean(errors.astype(np.float64) ** 2))) if errors.size else float("nan")


_SCENE_MEASURES: dict[str, Callable[[Scene, NDArray[np.float32]], float]] = {
    "ssim": lambda scene, found: METRICS["ssim"](found, scene.reference),
    "peak_error": lambda scene, found: peak_error(found, scene.reference),
    "plume_mass_error": lambda scene, found: plume_mass_error(found, scene.reference, scene.areas),
}
MEASURES: dict[str, Measure] = {
    **{name: partial(_pool, metric=name) for name in METRICS},
    **{name: partial(_mean, measure=measure) for name, measure in _SCENE_MEASURES.items()},
    **{
        share: partial(_detail, share=share)
        for share in ("improvement", "omission", "hallucination")
    },
    "closure": _closure,
    "full_scale_closure": _full_scale_closure,
    "effective_resolution": _effective_resolution,
    "gap_edge_rmse": _gap_edge_rmse,
}
# Those that need a stated uncertainty.
STATED: dict[str, Measure] = {
    **{f"coverage_{level}": partial(_coverage, level=level) for level in LEVELS},
    "crps": _crps,
}
MEASURES |= STATED
