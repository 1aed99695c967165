"""The history of a place over one block: what many days know of the detail inside its cells.

A history is a fine map whose pattern resembles that of the column: a reconstruction of many
overpasses, a long mean, a model field. Only its local pattern counts. It is normalised like the
column, so its unit, gain and level change nothing. A network on the coarse grid sees the column,
its noise, the history, the history's own uncertainty, and how well both agree around each cell. It
returns a further correction of the cell, how much of the history's detail to add, how much of the
first network's detail to remove, and detail of its own. Where the history is missing, nothing
changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.networks.channels import divide_by_spread
from no2sr.steps.gaps import fill_gaps
from no2sr.steps.normalise import local_statistics, normalise, window_sum
from no2sr.steps.resample import KERNEL_REACH, upsample
from no2sr.steps.tiles import trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine
    from no2sr.networks.prepared import Prepared

    Floats = NDArray[np.float32]

__all__ = ["RIM", "Hints", "History", "guide", "list_inputs", "list_outputs", "read_history"]

# Coarse cells around a block whose hints are needed: bicubic interpolation sees them.
RIM = KERNEL_REACH["bicubic"]
LEAST_FIT = 0.2  # of a correlation: a history that agrees less tells nothing
# Local standard deviations by which a cell may exceed what the history explains. Beyond it lies a
# source that the history does not know: it and its neighbours are refined without the history.
MOST_EXCESS = 2.5
LEAST_CELLS = 12  # of a window, for a correlation
RESOLVED = 1e-5  # of the size of the values: a smaller spread is rounding
# Local spreads by which a fine value may change: where a history from elsewhere agrees by chance,
# its detail can be many times as strong as that of the column.
MOST_CHANGE = 0.5
GATE, WITHOUT, MOST_DETAIL = (-1.5, 1.5), (-0.5, 1.5), 3.0
_FIELDS = ("column", "moved", "noise", "noise_mean", "presence")
_OWN = ("history", "history_fit", "history_noise", "history_noise_known", "history_presence")


def list_inputs(scale: int) -> tuple[str, ...]:
    """Return the names of the input channels of a history network."""
    return (*_FIELDS, *_OWN, *(f"history_detail_{k}" for k in range(scale**2)))


def list_outputs(scale: int) -> tuple[str, ...]:
    """Return the names of its output channels."""
    return ("correction", "gate", "without", *(f"detail_{k}" for k in range(scale**2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The history of a block, measured.

    Attributes
    ----------
    present : array of bool, (y, x)
        Where it is known in a whole coarse cell, is not constant around it, agrees with the column
        at least a little, with either sign, and explains its value.
    mean : array, (y, x)
        Its mean over coarse cells, in its own spreads around its local mean; 0 where missing.
    fit : array, (y, x), float32
        Local correlation of its coarse means with the column, -1 to 1.
    noise : array, (y, x), float32
        Its standard uncertainty over its spread, at most 3; 0 where unknown.
    noise_known : array of bool, (y, x)
    detail : array, (scale * y, scale * x), float32
        What bicubic interpolation of its coarse means lacks, in its own spreads.
    """

    present: NDArray[np.bool_]
    mean: Floats
    fit: Floats
    noise: Floats
    noise_known: NDArray[np.bool_]
    detail: Floats

    def channels(self, scale: int) -> list[Floats]:
        """Return the input channels that it gives to a network, in order."""
        ny, nx = self.present.shape
        cells = self.detail.reshape(ny, scale, nx, scale).transpose(1, 3, 0, 2)
        flags = (self.noise_known, self.present)
        known, present = (np.asarray(flag, dtype=np.float32) for flag in flags)
        return [self.mean, self.fit, self.noise, known, present, *cells.reshape(-1, ny, nx)]


class Hints(NamedTuple):
    """What a history network makes of a block.

    Attributes
    ----------
    correction : array, (y, x), float32
        To be added to what the noise step returns, before its hyperbolic tangent.
    detail : array, (scale * y, scale * x), float32
        To be added to the fine estimate, in the unit of the column.
    without : array, (scale * y, scale * x), float32
        Share of the first network's own detail to remove.
    """

    correction: Floats
    detail: Floats
    without: Floats


def read_history(
    fine: NDArray[np.floating],
    column: NDArray[np.floating],
    card: ModelCard,
    *,
    noise: NDArray[np.floating] | None = None,
) -> History:
    """Measure a history over a block.

    Parameters
    ----------
    fine : array, (scale * y, scale * x)
        The history on the fine grid, NaN where it is missing. Any unit, but a level that is large
        against its pattern costs digits.
    column : array, (y, x)
        The observed column; NaN in gaps.
    card : ModelCard
        Of a history network.
    noise : array, (y, x), optional
        Standard uncertainty of a fine value of the history, in its unit; NaN where unknown.

    Returns
    -------
    History
    """
    scale, shape, limit = card.scale, column.shape, np.float32(card.window)
    values = np.asarray(fine, dtype=np.float64)
    coarse = values.reshape(shape[0], scale, shape[1], scale).mean(axis=(1, 3))
    by = local_statistics(coarse, card.window)
    present = np.isfinite(coarse) & (by.spread > 0)
    fit, excess = _compare(column, np.where(present, coarse, np.nan), card.window)
    new = window_sum((excess > MOST_EXCESS).astype(np.float64), 3) > 0
    present &= (np.abs(fit) >= LEAST_FIT) & ~new
    spread = np.where(present, by.spread, np.float32(0)).astype(np.float32)
    smooth = upsample(fill_gaps(coarse, card.margin), scale)
    unit = _near(np.where(present, spread, np.float32(1)), scale)
    detail = np.where(_near(present, scale), np.nan_to_num(values) - smooth, 0) / unit
    own = np.full(shape, np.nan) if noise is None else noise
    known = present & np.isfinite(own)
    over = divide_by_spread(np.where(known, own, 0).astype(np.float32), spread)
    mean = np.where(present, normalise(coarse, by), np.float32(0))
    return History(
        present=present,
        mean=np.clip(mean, -limit, limit),
        fit=fit,
        noise=np.where(known, over, np.float32(0)),
        noise_known=known,
        detail=np.clip(detail, -limit, limit).astype(np.float32),
    )


def _compare(
    column: NDArray[np.floating], history: NDArray[np.floating], window: int
) -> tuple[Floats, Floats]:
    """Correlate both around each cell, and find what the history does not explain there.

    Returns
    -------
    fit : array, (y, x)
        0 where too few cells have both, or one is constant.
    excess : array, (y, x)
        The column less its regression on the history, in local standard deviations of the column.
    """
    both = np.isfinite(column) & np.isfinite(history)
    if not both.any():
        nothing = np.zeros(column.shape, dtype=np.float32)
        return nothing, nothing
    x, y = (np.where(both, a, 0).astype(np.float64) for a in (column, history))
    x = np.where(both, x - x[both].mean(), 0)
    y = np.where(both, y - y[both].mean(), 0)
    count = window_sum(both.astype(np.float64), window)
    safe = np.maximum(count, 1)
    mean_x, mean_y = window_sum(x, window) / safe, window_sum(y, window) / safe
    power_x, power_y = window_sum(x**2, window) / safe, window_sum(y**2, window) / safe
    var_x, var_y = power_x - mean_x**2, power_y - mean_y**2
    tells = (
        (count >= LEAST_CELLS)
        & (var_x > RESOLVED**2 * power_x)
        & (var_y > RESOLVED**2 * power_y)
        & both
    )
    shared = window_sum(x * y, window) / safe - mean_x * mean_y
    found = np.zeros(column.shape)
    np.divide(shared, np.sqrt(np.maximum(var_x * var_y, 0)), out=found, where=tells)
    found = np.clip(found, -1, 1)
    own, other = (
        np.divide(a - m, np.sqrt(np.maximum(v, 0)), out=np.zeros(found.shape), where=tells)
        for a, m, v in ((x, mean_x, var_x), (y, mean_y, var_y))
    )
    return found.astype(np.float32), (own - found * other).astype(np.float32)


def _near(values: NDArray[np.generic], scale: int) -> NDArray[np.generic]:
    """Repeat every cell `scale` times along both axes."""
    return np.repeat(np.repeat(values, scale, axis=0), scale, axis=1)


def guide(block: Prepared, moved: Floats, history: History, engine: Engine) -> Hints:
    """Run a history network over a block.

    All arrays have ``card.halo + RIM`` cells around the block.

    Parameters
    ----------
    block : Prepared
        Made with the card of a history network and a layer ``"noise"``, which is 0 where noise is
        not removed.
    moved : array, (y, x)
        How far the noise step moved each cell, in the unit of the column; only the ``card.radius +
        RIM`` cells around the block count.
    history : History
    engine : Engine

    Returns
    -------
    Hints
    """
    card, rim, scale = block.card, block.halo, block.card.scale
    image = np.stack([*block.own_channels(moved), *history.channels(scale)], axis=-1)
    found = trim(engine(trim(image, rim - card.radius)), card.rim)
    present, spread = trim(history.present, rim), trim(block.statistics.spread, rim)
    kept = np.where(present[..., None], found, np.float32(0))
    gate = np.clip(kept[..., 1], *GATE) * spread
    own = np.clip(kept[..., 3:], -MOST_DETAIL, MOST_DETAIL) * spread[..., None]
    ny, nx = own.shape[0] - 2 * RIM, own.shape[1] - 2 * RIM
    own = own[RIM:-RIM, RIM:-RIM].reshape(ny, nx, scale, scale)
    detail = own.transpose(0, 2, 1, 3).reshape(ny * scale, nx * scale)
    known = trim(history.detail, (rim + RIM) * scale)
    limit = np.float32(MOST_CHANGE) * _enlarge(spread, scale)
    return Hints(
        correction=kept[..., 0],
        detail=np.clip(detail + _enlarge(gate, scale) * known, -limit, limit),
        without=_enlarge(np.clip(kept[..., 2], *WITHOUT), scale),
    )


def _enlarge(values: Floats, scale: int) -> Floats:
    """Carry cells to the fine grid, and cut the rim."""
    return trim(upsample(values, scale, method="bilinear"), RIM * scale)
