"""One training window: its place, its degradation, and the input and target that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.networks.prepared import Prepared
from no2sr.steps.conserve import block_mean, conserve
from no2sr.steps.tiles import Tile, trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard

    Batch = tuple[NDArray[np.float32], NDArray[np.float32]]

__all__ = ["cut_gap", "observed_windows", "rotate", "sample", "stack"]


def observed_windows(
    layer: NDArray[np.float32], rim: int, side: int, *, least_valid: float
) -> list[tuple[int, int]]:
    """List the corners, a quarter window apart, of windows with enough observed cells.

    Parameters
    ----------
    layer : array, (y, x)
        With a rim that no window may enter.
    rim, side : int
        In fine pixels.
    least_valid : float
        Smallest observed share.

    Returns
    -------
    list of (int, int)
    """
    valid = np.pad(np.isfinite(layer), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    corners = []
    for row in range(rim, layer.shape[0] - rim - side + 1, max(side // 4, 1)):
        for column in range(rim, layer.shape[1] - rim - side + 1, max(side // 4, 1)):
            seen = (
                valid[row + side, column + side]
                - valid[row, column + side]
                - valid[row + side, column]
                + valid[row, column]
            )
            if seen >= least_valid * side**2 and seen > 0:
                corners.append((row, column))
    return corners


def cut_gap(window: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Cut a rectangle of up to half the side out of a window.

    Parameters
    ----------
    window : array, (y, x)
    rng : numpy.random.Generator

    Returns
    -------
    array, (y, x)
        A copy, NaN in the rectangle.
    """
    ny, nx = window.shape
    height, width = (int(rng.integers(1, max(size // 2, 2))) for size in (ny, nx))
    top, left = int(rng.integers(ny - height + 1)), int(rng.integers(nx - width + 1))
    cut = window.copy()
    cut[top : top + height, left : left + width] = np.nan
    return cut


def sample(
    window: NDArray[np.float32],
    card: ModelCard,
    *,
    noise: NDArray[np.float64] | float = 0.0,
    mirrored: bool = False,
) -> Batch:
    """Degrade one window and pass it through the steps of `downscale`.

    Parameters
    ----------
    window : array, (y, x)
        With the halo of the card around it.
    card : ModelCard
    noise : array or float
        Added to the coarse cells.
    mirrored : bool
        Continue the window by reflection, as if the image ended there.

    Returns
    -------
    inputs : array, (m, m)
    targets : array, (n, n, 3)
        The error that bicubic plus conservation leaves, the local spread, and 1 where the cell was
        observed.
    """
    scale, halo = card.scale, card.halo
    coarse = (block_mean(window, scale, np.ones(window.shape[0])) + noise).astype(np.float32)
    cells = coarse.shape[0] - 2 * halo
    tile = Tile(rows=slice(halo, halo + cells), columns=slice(halo, halo + cells))
    if mirrored:
        coarse = np.pad(coarse[tile.window], halo, mode="symmetric")
    prepared = Prepared(coarse, card)
    upsampled, by = prepared.fine_window(tile)
    inner, reference = coarse[tile.window], trim(window, halo * scale)
    left_over = reference - conserve(upsampled, inner, np.ones(cells * scale))
    observed = np.repeat(np.repeat(np.isfinite(inner), scale, axis=0), scale, axis=1)
    target = np.stack([np.where(observed, left_over, 0), by.spread, observed], axis=-1)
    return prepared.network_input(tile), target.astype(np.float32)


def stack(samples: list[Batch]) -> Batch:
    """Stack samples into two arrays, the inputs with a channel."""
    inputs, targets = zip(*samples, strict=True)
    return np.stack(inputs)[..., None], np.stack(targets)


def rotate(batch: NDArray[np.float32], *, turn: int, flip: bool) -> NDArray[np.float32]:
    """Turn a batch by quarter circles and mirror it; the atmosphere has no preferred direction."""
    whole = np.rot90(batch, turn, axes=(1, 2))
    return np.ascontiguousarray(whole[:, ::-1] if flip else whole)
