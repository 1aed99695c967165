"""The uncertainty of a fine value: noise that stayed, what cells share, and inferred detail.

Three parts add in squares: the standard deviation of the denoised cell, the systematic error, and
the error of the detail inside the cell. They are found on the coarse grid and carried to the fine
one by bilinear interpolation. The parts that the network estimates are multiplied by a factor from
its card, found by split conformal prediction on held-out scenes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.networks.noise_step import estimate_uncertainty
from no2sr.networks.prepared import Prepared
from no2sr.steps.gaps import fill_gaps
from no2sr.steps.resample import upsample
from no2sr.steps.tiles import trim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.engines.port import Engine

__all__ = ["Shares", "estimate_total", "share_left", "states_detail"]


def states_detail(card: ModelCard, scale: int) -> bool:
    """Tell whether an uncertainty network knows the detail of a scale."""
    return {f"detail_x{scale}", f"alone_x{scale}"} <= set(card.outputs)


class Shares(NamedTuple):
    """What a history leaves of a variance: of the denoised cell, and of the detail, (y, x)."""

    cell: NDArray[np.float32]
    detail: NDArray[np.float32]


def share_left(fit: NDArray[np.float32], card: ModelCard, *, noisy: bool) -> Shares:
    """Return the shares of the variances that remain, by how well a history fits.

    Parameters
    ----------
    fit : array, (y, x)
        Local correlation of history and column, see `no2sr.networks.history_step.History`; NaN
        where the history is missing.
    card : ModelCard
        Of a history network. Its metrics give the shares at some correlations.
    noisy : bool
        Whether noise is known.

    Returns
    -------
    Shares
        1 where the history is missing. They do not depend on the noise.
    """
    table = card.metrics["shares"]
    part = "detail" if noisy else "alone"
    missing = np.isnan(fit)
    known = np.where(missing, 0, fit)
    cell, detail = (
        np.where(missing, 1, np.interp(known, table["fit"], table[name])).astype(np.float32)
        for name in ("cell", part)
    )
    return Shares(cell, detail)


def estimate_total(
    layers: Mapping[str, NDArray[np.float32]],
    scale: int,
    card: ModelCard,
    engine: Engine,
    *,
    shares: Shares | None = None,
) -> NDArray[np.float32]:
    """Estimate the standard uncertainty of fine values.

    Parameters
    ----------
    layers : mapping of str to array, (y + 2 rim, x + 2 rim)
        ``values``, NaN in gaps, and where they are known ``noise`` and ``systematic``; with
        ``rim = card.halo + 1`` cells around those wanted.
    scale : int
    card : ModelCard
        Of an uncertainty network.
    engine : Engine
    shares : Shares, optional
        What a history leaves of the parts.

    Returns
    -------
    array, (scale * y, scale * x), float32
        Numbers in gaps, too. It never falls as the noise rises.
    """
    values = layers["values"]
    noise = layers.get("noise")
    ready = Prepared(
        values, card, layers={"noise": np.zeros_like(values) if noise is None else noise}
    )
    stated = estimate_uncertainty(ready, card, engine)
    factors = card.metrics.get("calibration", {})
    if noise is None:
        left = shares.detail if shares else 1.0
        power = np.square(factors.get("alone", 1.0) * stated.alone[scale]) * left
    else:
        cell, detail = (np.square(part) for part in (stated.cell, stated.detail[scale]))
        own = cell * shares.cell + detail * shares.detail if shares else cell + detail
        power = factors.get("known", 1.0) ** 2 * own
    if "systematic" in layers:
        shared = fill_gaps(layers["systematic"], card.margin)
        power += np.square(trim(shared, card.halo))
    total = np.sqrt(power).astype(np.float32)
    return trim(upsample(total, scale, method="bilinear"), scale)
