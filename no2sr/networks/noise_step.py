"""The noise step over one block, and the uncertainty that it leaves.

Both networks work on the coarse grid and look at the same prepared block::

    block = Prepared(column, denoiser.card, layers={"noise": noise})
    cleaner = denoise(block, make_engine(denoiser))
    stated = estimate_uncertainty(block, uncertainty.card, make_engine(uncertainty))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from no2sr.core.errors import CardMismatchError
from no2sr.networks.channels import MOST_NOISE, limit_noise
from no2sr.steps.tiles import cut_tiles, trim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard, Role
    from no2sr.networks.engines.port import Engine
    from no2sr.networks.prepared import Prepared
    from no2sr.steps.tiles import Tile

__all__ = [
    "Uncertainty",
    "apply_correction",
    "denoise",
    "estimate_uncertainty",
    "find_correction",
]

TILE = 256  # cells along a tile
# Shapes by which the stated uncertainty grows with noise over spread, see `estimate_uncertainty`.
KNEES = (0.1, 0.25, 0.6)
LEAST_SHARE = 0.005
DETAIL_KNEE = 0.3
LOGARITHMS = (-12.0, 6.0)


class Uncertainty(NamedTuple):
    """Standard deviations in the unit of the column.

    Attributes
    ----------
    cell : array, (y, x), float32
        Of the denoised cell: at most its noise.
    detail : dict of int to array, (y, x), float32
        Of the detail inferred inside the cell, by scale.
    alone : dict of int to array, (y, x), float32
        Of a fine value where no noise is known and none was taken off, by scale.
    """

    cell: NDArray[np.float32]
    detail: dict[int, NDArray[np.float32]]
    alone: dict[int, NDArray[np.float32]]


def denoise(block: Prepared, engine: Engine, *, tile: int = TILE) -> NDArray[np.float32]:
    """Correct every cell by at most three times its noise.

    Parameters
    ----------
    block : Prepared
        Made with the card of a denoiser and a layer ``"noise"``.
    engine : Engine
        Of that denoiser.
    tile : int
        Cells along a tile. It changes speed and memory, never the result.

    Returns
    -------
    array, (y, x), float32
        Without the halo of the card; NaN in gaps. A cell without noise keeps its value exactly, and
        so does one in a constant neighbourhood.

    Raises
    ------
    CardMismatchError
        If the card is not that of a denoiser.
    """
    return apply_correction(block, find_correction(block, engine, tile=tile))


def find_correction(block: Prepared, engine: Engine, *, tile: int = TILE) -> NDArray[np.float32]:
    """Return the correction of every cell before it is bounded.

    Parameters
    ----------
    block, engine, tile
        As for `denoise`.

    Returns
    -------
    array, (y, x), float32
        For `apply_correction`, which takes its hyperbolic tangent.

    Raises
    ------
    CardMismatchError
        As for `denoise`.
    """
    _check_role(block.card, "denoiser")
    halo = block.card.halo
    shape = (block.filled.shape[0] - 2 * halo, block.filled.shape[1] - 2 * halo)
    correction = np.empty(shape, dtype=np.float32)
    for part, found in _tiles(block, engine, tile):
        correction[part.window] = found
    return correction


def apply_correction(block: Prepared, correction: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move every cell by a correction, by less than three times its noise.

    Parameters
    ----------
    block : Prepared
        As for `denoise`.
    correction : array, (y, x)
        Of its inner cells, without the halo of its card or with some of it cut.

    Returns
    -------
    array, (y, x), float32
        As `denoise` returns it.
    """
    rim = (block.filled.shape[0] - correction.shape[0]) // 2
    unit = limit_noise(trim(block.layer("noise"), rim), trim(block.statistics.spread, rim))
    step = np.float32(MOST_NOISE) * np.tanh(correction) * unit
    return np.where(trim(block.observed, rim), trim(block.filled, rim) + step, np.float32(np.nan))


def estimate_uncertainty(
    block: Prepared, card: ModelCard, engine: Engine, *, tile: int = TILE
) -> Uncertainty:
    """Estimate how far each denoised cell, and the detail inside it, may be wrong.

    The network sees the normalised column and where it was observed, but not the noise. So neither
    figure falls as the noise of the cell rises, whatever the network returns.

    Parameters
    ----------
    block : Prepared
        As for `denoise`.
    card : ModelCard
        Of the uncertainty network. Its outputs are ``share_1``, ... , the logarithms of the weights
        with which the posterior takes each of the shapes in `KNEES` and then a constant, and for
        each scale ``detail_x<scale>`` and ``detail_x<scale>_noise``, the logarithms of the variance
        of the detail in squared spreads: without noise, and what noise adds. ``alone_x<scale>`` is
        that of the whole error where no noise is known.
    engine : Engine
        Of that network.
    tile : int
        Cells along a tile.

    Returns
    -------
    Uncertainty
        Without the halo of the block's card; numbers in gaps, too. A fine pixel has both parts: the
        root of the sum of their squares, carried to the fine grid by bilinear interpolation.

    Raises
    ------
    CardMismatchError
        If the card is not that of an uncertainty network, or sees farther than the block allows.
    """
    _check_role(card, "uncertainty")
    halo = block.card.halo
    noise = trim(block.layer("noise"), halo).astype(np.float64)
    spread = trim(block.statistics.spread, halo).astype(np.float64)
    found = np.empty((*noise.shape, len(card.outputs)))
    for part, outputs in _tiles(block.prepare_for(card), engine, tile):
        found[part.window] = outputs
    by_name = dict(zip(card.outputs, np.moveaxis(found, -1, 0), strict=True))
    ratio = np.divide(noise, spread, out=np.full_like(noise, 1e6), where=spread > 0) ** 2
    cell = noise * np.sqrt(_share(by_name, ratio))
    grown = ratio / (ratio + DETAIL_KNEE**2)
    powers = {name: np.exp(np.clip(values, *LOGARITHMS)) for name, values in by_name.items()}
    detail = {
        int(name.removeprefix("detail_x").removesuffix("_noise")): (
            spread * np.sqrt(powers[name.removesuffix("_noise")] + powers[name] * grown)
        ).astype(np.float32)
        for name in card.outputs
        if name.endswith("_noise")
    }
    alone = {
        int(name.removeprefix("alone_x")): (spread * np.sqrt(powers[name])).astype(np.float32)
        for name in card.outputs
        if name.startswith("alone")
    }
    return Uncertainty(cell.astype(np.float32), detail, alone)


def _check_role(card: ModelCard, role: Role) -> None:
    """Refuse the card of another role."""
    if card.role != role:
        raise CardMismatchError(
            f"model {card.name} is for {card.role}; use one for {role}, "
            f"such as load_model({role!r})"
        )


def _tiles(
    block: Prepared, engine: Engine, side: int
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Run a network over the inner cells of a block, tile by tile."""
    halo = block.halo
    ny, nx = (size - 2 * halo for size in block.filled.shape)
    for part in cut_tiles((ny, nx), side):
        yield part, trim(engine(block.network_input(part.shift(halo))), block.card.rim)


def _share(
    by_name: dict[str, NDArray[np.float64]], ratio: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of the variance of the noise that stays: a mixture of falling shapes."""
    logarithms = np.stack([values for name, values in by_name.items() if name.startswith("share")])
    weights = np.exp(logarithms - logarithms.max(axis=0))
    weights /= weights.sum(axis=0)
    shapes = [knee**2 / (knee**2 + ratio) for knee in KNEES] + [np.ones_like(ratio)]
    mixed = sum(weight * shape for weight, shape in zip(weights, shapes, strict=True))
    return np.asarray(LEAST_SHARE + (1 - LEAST_SHARE) * mixed)
