"""What is learned from the overpasses themselves, by predicting those that were held out.

Folds are whole overpasses: what days have in common is the map, and pixels of one day share more
than that. All of it is learned once, so that blocks of a large region fit together.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.downscaling.reconstruction.departures import estimate_departure
from no2sr.downscaling.reconstruction.noise import estimate_growth, estimate_noise, robust_spread
from no2sr.downscaling.reconstruction.prior import follow_signal
from no2sr.downscaling.reconstruction.records import Tuning
from no2sr.downscaling.reconstruction.solving import errors_of, final_pass, first_pass, second_pass
from no2sr.downscaling.reconstruction.system import LOOSE, Observations, System, average
from no2sr.downscaling.reconstruction.uncertainty import calibrate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pass = Callable[[int, float], System]  # from a fold and a smoothness to a system

__all__ = ["tune"]

FOLDS, USED = 4, 2  # of four folds two are held out in turn, where there are many overpasses
MANY = 20
START = 0.1  # km2, before anything is known
ROUGHLY = 3e-3  # to what the equations are solved meanwhile
# The search: from STARTS[0] km2 down by factors of STEP, at least to STARTS[1] and to BEYOND times
# less than the best, at most to LEAST. Without an upper end, held-out pixels as wide as those that
# made the map ask for maps too smooth for narrower ones.
STARTS, STEP, BEYOND, LEAST = (30.0, 0.1), math.sqrt(10), 10.0, 1e-9
TINY = 1e-7  # of the spread of the columns: the least noise, where there is none
SMALL = 0.1  # departures of less than so many times the noise are none
GAIN = 0.01  # by which share the misfit must fall for departures to be kept: they smooth the map


class Fold(NamedTuple):
    """The overpasses that make a map, and those that the map must predict."""

    train: Observations
    held: Observations


class Scan(NamedTuple):
    """How well held-out overpasses are predicted by maps of different smoothness."""

    curve: tuple[tuple[float, float], ...]  # smoothness and misfit
    best: float
    fields: list[Floats]  # the map of each fold that predicted best


def tune(samples: Sequence[Observations], smoothness: float | str, *, widen: bool = True) -> Tuning:
    """Learn noise, departures and smoothness.

    Parameters
    ----------
    samples : sequence of Observations
        Those of one or more windows, in mol m-2.
    smoothness : float or "auto"
    widen : bool
        Whether to calibrate the uncertainty, too.

    Returns
    -------
    Tuning
    """
    tuning = _estimate_errors(samples)
    scaled = [sample.scale(tuning.typical, tuning.level) for sample in samples]
    folds = [fold for sample in scaled for fold in _part(sample)]
    steepness = float(np.median([_steepness(sample) for sample in scaled])) * tuning.typical
    if smoothness != "auto":
        fixed = float(smoothness)
        tuning = replace(tuning, first=fixed, smoothness=fixed, steepness=steepness)
    else:
        tuning = _choose(replace(tuning, steepness=steepness), folds)
    if widen and folds:
        tuning = replace(tuning, widening=_widen(tuning, folds[0]))
    return tuning


def _widen(tuning: Tuning, fold: Fold) -> float:
    """Calibrate the uncertainty on one fold."""
    system = final_pass(tuning, fold.train)
    field = first_pass(tuning, fold.train).solve(within=ROUGHLY)
    return calibrate(system, fold.held, _weights(tuning, fold, field))


def _choose(tuning: Tuning, folds: Sequence[Fold]) -> Tuning:
    """Choose smoothness, and whether to use the second pass, by held-out overpasses."""
    plain = [_weights(tuning, fold) for fold in folds]

    def first_of(given: Tuning, i: int, value: float) -> System:
        return first_pass(replace(given, first=value), folds[i].train)

    first = _scan(folds, plain, lambda i, value: first_of(tuning, i, value))
    if tuning.departure > 0:  # kept only if held-out overpasses agree
        calm = replace(tuning, departure=0.0)
        fields = [
            _solve(first_of(calm, i, first.best), fold, first.fields[i])
            for i, fold in enumerate(folds)
        ]
        if _misfit(folds, plain, fields) * (1 - GAIN) <= _misfit(folds, plain, first.fields):
            tuning, first = calm, first._replace(fields=fields)
    told = replace(tuning, first=first.best, smoothness=first.best)
    told = replace(told, growth=_growth(told, folds, first.fields))
    graded = [_weights(told, fold, field) for fold, field in zip(folds, first.fields, strict=True)]
    second = _scan(
        folds,
        graded,
        lambda i, value: second_pass(
            replace(told, smoothness=value), folds[i].train, first.fields[i]
        ),
    )
    return _compare(told, folds, graded, (first, second))


def _estimate_errors(samples: Sequence[Observations]) -> Tuning:
    """Learn noise and departures from the residuals of maps of medium smoothness."""
    together = np.concatenate([sample.all_values for sample in samples])
    spread, level = max(float(np.std(together)), 1e-300), float(np.median(together))
    rests: dict[int, list[Floats]] = {}
    plain = Tuning(first=START)
    for sample in samples:
        scaled = sample.scale(spread, level)
        field = first_pass(plain, scaled).solve(within=LOOSE)
        rest = spread * (scaled.all_values - scaled.seen @ field)
        for number, part in zip(sample.numbers, sample.split(rest), strict=True):
            rests.setdefault(number, []).append(part)
    pooled = [np.concatenate(parts) for parts in rests.values()]
    noise, typical = estimate_noise(pooled, TINY * spread)
    by_number = dict(zip(rests, map(float, noise), strict=True))
    departures = []
    for sample in samples:
        own = [rests[number].pop(0) for number in sample.numbers]
        sizes = np.array([by_number[number] for number in sample.numbers])
        departures.append(estimate_departure(sample.grid, sample.matrices, own, sizes))
    departure = float(np.mean(departures))
    departure = departure if departure > SMALL * typical else 0.0
    return Tuning(noise=by_number, typical=typical, departure=departure, level=level)


def _steepness(sample: Observations) -> float:
    """Return the typical gradient of the average."""
    return follow_signal(sample.grid, average(sample)[0], 0.0)[1]


def _part(sample: Observations) -> list[Fold]:
    """Split the overpasses of a sample; a single overpass is split by pixels."""
    count = len(sample.numbers)
    folds = min(FOLDS, count) if count > 1 else FOLDS
    parts: list[Fold] = []
    for k in range(USED if count >= MANY else folds):
        if count > 1:
            inside = [i for i, number in enumerate(sample.numbers) if number % folds == k]
            outside = [i for i in range(count) if i not in inside]
            if inside and outside:
                parts.append(Fold(sample.choose(outside), sample.choose(inside)))
        else:
            mask = sample.places[0] % folds == k
            if mask.any() and not mask.all():
                parts.append(Fold(sample.keep([~mask]), sample.keep([mask])))
    return parts


def _scan(folds: Sequence[Fold], measures: Sequence[Floats], system_of: Pass) -> Scan:
    """Try smoothness after smoothness, from smooth to rough, until predictions get worse."""
    values: list[float] = []
    misfits: list[float] = []
    maps: list[list[Floats]] = []
    value = STARTS[0]
    fields = [average(fold.train)[0] for fold in folds]
    while value >= LEAST:
        fields = [_solve(system_of(i, value), fold, fields[i]) for i, fold in enumerate(folds)]
        values.append(value)
        misfits.append(_misfit(folds, measures, fields))
        maps.append(fields)
        best = int(np.argmin(misfits))
        if value < min(values[best] / BEYOND, STARTS[1]):
            break
        value /= STEP
    curve = tuple(zip(values, misfits, strict=True))
    return Scan(curve, float(np.exp(_find_lowest(np.log(values), np.array(misfits)))), maps[best])


def _find_lowest(logs: Floats, misfits: Floats) -> float:
    """Return the log of the smoothness at the bottom of a parabola through the best three."""
    i = int(np.argmin(misfits))
    if not 0 < i < len(logs) - 1:
        return float(logs[i])
    left, right = misfits[i - 1] - misfits[i], misfits[i + 1] - misfits[i]
    return float(logs[i] + (logs[i + 1] - logs[i]) * 0.5 * (left - right) / (left + right))


def _solve(system: System, fold: Fold, start: Floats) -> Floats:
    right = system.pull(fold.train.all_values)
    return system.invert(right, start, within=ROUGHLY)


def _misfit(folds: Sequence[Fold], measures: Sequence[Floats], fields: Sequence[Floats]) -> float:
    """Return the weighted sum of squares of the residuals of held-out pixels."""
    total = 0.0
    for fold, measure, field in zip(folds, measures, fields, strict=True):
        total += float(measure @ (fold.held.all_values - fold.held.seen @ field) ** 2)
    return total


def _weights(tuning: Tuning, fold: Fold, field: Floats | None = None) -> Floats:
    """Weight the residual of each held-out pixel for the comparison of maps."""
    return errors_of(replace(tuning, departure=0.0), fold.held, field).weights


def _growth(tuning: Tuning, folds: Sequence[Fold], fields: Sequence[Floats]) -> float:
    """Estimate how noise grows with the modelled column, from held-out overpasses."""
    rests, modelled = [], []
    for fold, field in zip(folds, fields, strict=True):
        seen = fold.held.seen @ field
        errors = errors_of(tuning, fold.held)
        rest = fold.held.all_values - seen
        rests.append((rest - errors.depart(rest)) * np.sqrt(errors.weights))
        modelled.append(seen)
    rest = np.concatenate(rests)
    return estimate_growth(rest / max(robust_spread(rest), 1e-300), np.concatenate(modelled))


def _compare(
    tuning: Tuning,
    folds: Sequence[Fold],
    measures: Sequence[Floats],
    scans: tuple[Scan, Scan],
) -> Tuning:
    """Keep the second pass only if it predicts held-out overpasses better than the first."""
    first, second = scans
    misfits = [_misfit(folds, measures, scan.fields) for scan in scans]
    chosen = second if misfits[1] < misfits[0] else first
    least = min(misfit for _, misfit in chosen.curve)
    curve = tuple((float(value), float(misfit / least)) for value, misfit in chosen.curve)
    rests, values = [], []
    for fold, field in zip(folds, chosen.fields, strict=True):
        rests.append(fold.held.all_values - fold.held.seen @ field)
        values.append(fold.held.all_values)
    explained = 1 - np.var(np.concatenate(rests)) / max(np.var(np.concatenate(values)), 1e-300)
    return replace(
        tuning,
        smoothness=chosen.best,
        steepness=tuning.steepness if chosen is second else 0.0,
        curve=curve,
        explained=float(explained),
    )
