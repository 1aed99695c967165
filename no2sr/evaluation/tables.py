"""Judge methods by Wald's protocol: degrade, downscale, compare with what was there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import SettingsError
from no2sr.evaluation.bootstrap import ratio_interval
from no2sr.evaluation.comparison import BASE, compare
from no2sr.evaluation.measures import MEASURES, STATED, reference_power, squared_errors
from no2sr.evaluation.noise import noise_floor, noise_level
from no2sr.evaluation.records import Judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from no2sr.downscaling.settings import Place
    from no2sr.evaluation.adding import AddedNoise
    from no2sr.evaluation.comparison import Images
    from no2sr.evaluation.methods import Methods
    from no2sr.evaluation.records import Comparison, Scene

__all__ = ["DEFAULT_METRICS", "choose_metrics", "evaluate", "tabulate"]

DEFAULT_METRICS = (
    "rmse",
    "mae",
    "bias",
    "psnr",
    "ssim",
    "correlation",
    "closure",
    "peak_error",
    "plume_mass_error",
    "effective_resolution",
    "improvement",
    "omission",
    "hallucination",
    "gap_edge_rmse",
)


def evaluate(
    reference: Images,
    *,
    scale: int = 4,
    methods: Methods | None = None,
    metrics: Sequence[str] | None = None,
    psf: tuple[float, float] | None = None,
    noise: AddedNoise | None = None,
    seed: int = 0,
    history: Place | None = None,
) -> pd.DataFrame:
    """Compare methods on fine images that they have not seen.

    Parameters
    ----------
    reference : Dataset or DataArray, (y, x) or (time, y, x), or an iterable of them
        Fine images. Each is averaged to the coarse grid; only blocks observed in full count.
    scale : int
    methods : method, sequence of methods, or mapping of label to method, optional
        A method is the name of a classical method of `no2sr.downscaling.baselines` or of a shipped
        network, the folder of a saved model, a Model, any
        `no2sr.downscaling.method.Method`, or a function that maps a coarse array (y, x) and the
        scale to a fine array. By default all classical methods and every shipped network with
        weights for the scale; Gaussian smoothing and optimal interpolation only with noise.
    metrics : sequence of str, optional
        Keys of `no2sr.evaluation.metrics.METRICS`, and those that need more than two arrays:
        ``closure`` (root mean square deviation of block means from the coarse image),
        ``peak_error``, ``plume_mass_error``, ``effective_resolution`` (fine cells),
        ``improvement``, ``omission``, ``hallucination`` (shares of all detail), ``gap_edge_rmse``
        (beside gaps), ``full_scale_closure`` (that of the reference when made finer itself;
        costly), and of the stated uncertainty ``coverage_50``, ``coverage_80``, ``coverage_90``,
        ``coverage_95`` (share of cells inside the interval of that many per cent) and ``crps``
        (continuous ranked probability score; smaller is better). By default all but the costly one;
        those of the uncertainty only with noise.
    psf : (float, float), optional
        Blur before averaging: the sensor's transfer at coarse Nyquist along y and x, for TROPOMI
        (0.74, 0.44); see `no2sr.degrade`.
    noise : float or (float, float), optional
        Noise to add to the coarse images, in the unit of the reference: one standard deviation s,
        or a pair (s0, k) for ``sqrt(s0**2 + (k c)**2)`` of the column c. Methods are told the noise
        that a product would state: computed from the noisy column, averaged over 3 x 3 cells.
    seed : int
        Of the noise: the same seed adds the same noise.
    history : str, Path, Dataset or DataArray, optional
        A fine map of the place, made of other observations, as for `no2sr.downscale`. Every network
        is then judged with it as well, as ``<name> with history``.

    Returns
    -------
    pandas.DataFrame
        One row a method, one column a metric, over all images together; SSIM, peak and plume mass
        are means over images. Errors are in the unit of the reference, PSNR in dB with the range of
        the reference as peak. With ``rmse`` come its ratios to bicubic and to the best classical
        method, each with the ``low`` and ``high`` of a 95 % interval (paired bootstrap), and
        ``above noise / bicubic``: the ratio after the noise of the reference is taken off both.
        ``above most noise / bicubic`` is the same with all power at the finest wavelength taken for
        noise. ``attrs`` holds ``scale``, ``unit``, ``images``, ``best_classical``, ``noise_level``,
        ``most_noise`` and ``noise_floor``, the RMSE that the level leaves to a perfect estimate.
        Methods that state no uncertainty have NaN for its metrics.

    Raises
    ------
    SettingsError
        For an unknown metric or scale, or a noise that is not a number or a pair of them.
    NoValidPixelsError
        If no block was observed in full.
    """
    if metrics is None:
        metrics = choose_metrics(noisy=noise is not None)
    _check_metrics(metrics)
    judging = Judging(
        psf=psf,
        noise=noise,
        seed=seed,
        history=history,
        uncertainty=not STATED.keys().isdisjoint(metrics),
        full_scale="full_scale_closure" in metrics,
    )
    comparison = compare(reference, scale=scale, methods=methods, judging=judging)
    return tabulate(comparison, metrics=metrics)


def choose_metrics(*, noisy: bool = False) -> tuple[str, ...]:
    """List the metrics that are computed by default.

    Parameters
    ----------
    noisy : bool
        Whether noise is known, and with it a complete uncertainty.
    """
    return (*DEFAULT_METRICS, *STATED) if noisy else DEFAULT_METRICS


def tabulate(comparison: Comparison, *, metrics: Sequence[str] = DEFAULT_METRICS) -> pd.DataFrame:
    """Make the table of `evaluate` from estimates that exist already.

    Parameters
    ----------
    comparison : Comparison
    metrics : sequence of str
        As for `evaluate`.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    SettingsError
        For an unknown metric.
    """
    import pandas as pd

    _check_metrics(metrics)
    judged = _Judged(comparison)
    columns: dict[str, list[float]] = {}
    if "rmse" in metrics:
        columns |= _ratios(judged)
    columns |= {
        name: [MEASURES[name](comparison, label) for label in comparison.methods]
        for name in metrics
    }
    table = pd.DataFrame(columns, index=list(comparison.methods))
    table.attrs = {
        "scale": comparison.scale,
        "unit": comparison.unit,
        "images": len(comparison.scenes),
        "best_classical": judged.best_classical,
        "noise_level": judged.noise,
        "most_noise": judged.most_noise,
        "noise_floor": noise_floor(judged.noise, comparison.scale),
    }
    return table


class _Judged:
    """The squared errors of all methods and of the methods they are compared with."""

    def __init__(self, comparison: Comparison) -> None:
        scenes = comparison.scenes
        self.scale = comparison.scale
        self.errors = {
            label: squared_errors(comparison, [scene.estimates[label] for scene in scenes])
            for label in comparison.methods
        }
        self.base = squared_errors(comparison, [scene.interpolated for scene in scenes])
        classical = {BASE: self.base} | {
            label: self.errors[label] for label in comparison.classical
        }
        self.best_classical = min(classical, key=lambda label: classical[label].sum())
        self.best = classical[self.best_classical]
        self.cells = sum(int(_mark_seen(scene).sum()) for scene in scenes)
        self.noise = _noise(comparison)
        self.most_noise = math.sqrt(reference_power(comparison)[-1])


def _mark_seen(scene: Scene) -> NDArray[np.bool_]:
    """Mark the cells that errors are computed for."""
    return np.isfinite(scene.interpolated) & np.isfinite(scene.reference)


def _noise(comparison: Comparison) -> float:
    """Average the noise of the references in squares, each weighted by its cells."""
    levels = np.array([noise_level(scene.reference) for scene in comparison.scenes])
    cells = np.array([_mark_seen(scene).sum() for scene in comparison.scenes])
    known = np.isfinite(levels) & (cells > 0)
    if not known.any():
        return math.nan
    return float(np.sqrt(np.average(levels[known] ** 2, weights=cells[known])))


def _ratios(judged: _Judged) -> dict[str, list[float]]:
    """Make the columns that compare root mean square errors."""
    columns: dict[str, list[float]] = {}
    for name, against in ((BASE, judged.base), ("best classical", judged.best)):
        total = float(against.sum())
        spans = [ratio_interval(errors, against) for errors in judged.errors.values()]
        columns[f"rmse / {name}"] = [_root_ratio(e.sum(), total) for e in judged.errors.values()]
        columns[f"rmse / {name} low"] = [low for low, _ in spans]
        columns[f"rmse / {name} high"] = [high for _, high in spans]
    for name, level in (("noise", judged.noise), ("most noise", judged.most_noise)):
        floor = judged.cells * noise_floor(level, judged.scale) ** 2
        columns[f"above {name} / bicubic"] = [
            _root_ratio(errors.sum() - floor, judged.base.sum() - floor)
            for errors in judged.errors.values()
        ]
    return columns


def _root_ratio(errors: float, against: float) -> float:
    """Divide root mean squares; NaN where there is nothing to compare with."""
    return math.sqrt(max(errors, 0) / against) if against > 0 else math.nan


def _check_metrics(metrics: Sequence[str]) -> None:
    """Refuse unknown metrics."""
    unknown = [name for name in metrics if name not in MEASURES]
    if unknown:
        raise SettingsError(
            f"there is no metric {', '.join(map(repr, unknown))}; "
            f"choose among {', '.join(sorted(MEASURES))}"
        )
