"""What the history of a place changes in an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.networks.history_step import RIM, guide, read_history
from no2sr.networks.noise_step import apply_correction
from no2sr.networks.prepared import Prepared
from no2sr.steps.gaps import fill_gaps
from no2sr.steps.resample import upsample
from no2sr.steps.tiles import trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.downscaling.cleaning import Cleaned
    from no2sr.downscaling.method import Block
    from no2sr.downscaling.runner import Runner
    from no2sr.networks.history_step import Hints, History

    Floats = NDArray[np.float32]

__all__ = ["Followed", "follow_history", "reach_of"]


class Followed(NamedTuple):
    """An estimate that knows the history of the place.

    Attributes
    ----------
    fine : array, (scale * y, scale * x), float32
        Not yet conserved.
    coarse : array, (y, x), float32
        The cells after the noise step; NaN in gaps.
    fit : array, (y + 2, x + 2), float32
        Local correlation of history and column; NaN where the history is missing.
    """

    fine: Floats
    coarse: Floats
    fit: Floats


def reach_of(runner: Runner) -> int:
    """Return the coarse cells beyond a block that a history network needs."""
    return runner.card.halo + RIM


def follow_history(block: Block, clean: Cleaned, base: Floats, runner: Runner) -> Followed:
    """Change an estimate by what the history of the place tells.

    Parameters
    ----------
    block : Block
        With any halo of at least `reach_of` the runner.
    clean : Cleaned
        The block after the noise step, with at least ``radius + RIM`` cells around.
    base : array, (scale * y, scale * x)
        The estimate without a history, not conserved.
    runner : Runner
        Of a history network.

    Returns
    -------
    Followed
        Where the history is missing, `fine` is `base` and `coarse` is what the noise step returned,
        exactly.
    """
    scale = runner.card.scale
    wide, rim = reach_of(runner), (clean.values.shape[0] - base.shape[0] // scale) // 2
    history = _measure(block, runner, base.shape[0] // scale)
    hints = _ask(block, clean, history, runner)
    before = after = trim(clean.values, rim - RIM)
    if clean.prepared is not None and clean.correction is not None:
        correction = trim(clean.correction, rim - RIM) + hints.correction
        after = apply_correction(clean.prepared, correction)
    shift = upsample(np.nan_to_num(after - before), scale)
    smooth = upsample(fill_gaps(before, runner.card.margin), scale)
    guided = base - hints.without * (base - trim(smooth, RIM * scale))
    guided += trim(shift, RIM * scale) + hints.detail
    present = trim(history.present, wide).repeat(scale, axis=0).repeat(scale, axis=1)
    fit = np.where(history.present, history.fit, np.float32(np.nan))
    return Followed(np.where(present, guided, base), trim(after, RIM), trim(fit, wide - 1))


def _measure(block: Block, runner: Runner, rows: int) -> History:
    """Measure the history with the halo of its network around `rows` rows of a block."""
    scale = runner.card.scale
    cut = (block.values.shape[0] - rows) // 2 - reach_of(runner)
    values = trim(block.values, cut)
    if block.history is None:
        missing = np.full([size * scale for size in values.shape], np.nan, dtype=np.float32)
        return read_history(missing, values, runner.card)
    own = None if block.history_noise is None else trim(block.history_noise, cut)
    return read_history(trim(block.history, cut * scale), values, runner.card, noise=own)


def _ask(block: Block, clean: Cleaned, history: History, runner: Runner) -> Hints:
    """Run the history network with its halo around a block."""
    wide = reach_of(runner)
    shape = history.present.shape
    cut = (block.values.shape[0] - shape[0]) // 2
    values = trim(block.values, cut)
    known = clean.prepared is not None and block.noise is not None
    noise = trim(block.noise, cut) if known and block.noise is not None else np.zeros_like(values)
    rim = (clean.values.shape[0] - shape[0]) // 2 + wide
    moved = np.nan_to_num(clean.values - trim(block.values, cut + wide - rim))
    moved = np.pad(trim(moved, max(0, rim - wide)), max(0, wide - rim))
    ready = Prepared(values, runner.card, layers={"noise": noise})
    return guide(ready, moved, history, runner.load())
