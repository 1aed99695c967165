"""Smooth departures of single days from the mean field.

What an overpass sees is ``A (x + H d) + e``: the mean field x, a departure d of that day on the
nodes of a coarse grid, interpolated by H, and random noise e. As d has a normal prior, it can be
integrated out exactly: the errors of an overpass are then correlated, with a covariance of low
rank added to a diagonal one, whose inverse Woodbury's identity gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from no2sr.downscaling.reconstruction.records import KM_PER_DEGREE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.records import Grid

    Floats = NDArray[np.float64]

__all__ = ["Correlated", "coarse_nodes", "estimate_departure"]

NODES = 0.15  # degrees between nodes
BENDING = 3.0  # how much neighbouring nodes are alike


def coarse_nodes(grid: Grid) -> tuple[sparse.csr_matrix, tuple[int, int]]:
    """Return the interpolation from coarse nodes to cells, and the shape of the coarse grid.

    The nodes lie at multiples of their spacing, so that neighbouring blocks share them.
    """
    west, south, east, north = grid.box
    axes = []
    for low, high, n in ((-north, -south, grid.shape[0]), (west, east, grid.shape[1])):
        spacing = max(NODES, 2 * grid.frame.spacing)
        centres = (low + (np.arange(n) + 0.5) * (high - low) / n) / spacing
        first = np.floor(centres).astype(int)
        count = int(first.max() - first.min()) + 2
        part, left = centres - first, first - first.min()
        rows = np.concatenate([np.arange(n), np.arange(n)])
        values, columns = np.concatenate([1 - part, part]), np.concatenate([left, left + 1])
        axes.append(sparse.csr_matrix((values, (rows, columns)), shape=(n, count)))
    nodes: sparse.csr_matrix = sparse.kron(*axes, format="csr")
    return nodes, (axes[0].shape[1], axes[1].shape[1])


def _prior(shape: tuple[int, int]) -> Floats:
    """Return the precision of departures of standard deviation one, (nodes, nodes)."""
    y, x = (_differences(n) for n in shape)
    bending = sparse.kron(y, sparse.eye(shape[1])) + sparse.kron(sparse.eye(shape[0]), x)
    precision = np.eye(shape[0] * shape[1]) + BENDING * bending.toarray()
    return np.asarray(precision * np.median(np.diag(np.linalg.inv(precision))))


def _differences(n: int) -> sparse.csr_matrix:
    steps = sparse.diags([-np.ones(n - 1), np.ones(n - 1)], [0, 1], shape=(n - 1, n))
    return (steps.T @ steps).tocsr()


class Correlated:
    """The errors of all overpasses: independent noise, and departures if there are any.

    Parameters
    ----------
    seen : sequence of csr_matrix, (pixels, nodes)
        What the pixels of each overpass see of the nodes; empty if there are no departures.
    weights : array, (pixels,)
        Of all overpasses: the inverse variance of the noise.
    prior : array, (nodes, nodes)
        Precision of the departures.
    cells : float
        How many cells a pixel covers.
    """

    def __init__(
        self,
        seen: Sequence[sparse.csr_matrix],
        weights: Floats,
        prior: Floats,
        cells: float = 1.0,
    ) -> None:
        self.weights, self._nodes = weights, prior.shape[0]
        self._seen, self._prior, self._cells = None, prior, cells
        if not seen:
            return
        self._seen = sparse.block_diag(seen, format="csr")
        self._back = self._seen.T.tocsr()
        ends = np.cumsum([0, *(one.shape[0] for one in seen)])
        inverses = []
        for one, start, end in zip(seen, ends[:-1], ends[1:], strict=True):
            weighted = sparse.diags(weights[start:end]) @ one
            inverses.append(np.linalg.inv(prior + (one.T @ weighted).toarray()))
        self._inverses = np.stack(inverses)

    @classmethod
    def of_grid(
        cls, grid: Grid, matrices: Sequence[sparse.csr_matrix], weights: Floats, departure: float
    ) -> Correlated:
        """Build the errors on a grid, for departures of a standard deviation (0 for none)."""
        if departure <= 0:
            return cls([], weights, np.empty((0, 0)))
        nodes, shape = coarse_nodes(grid)
        seen = [(matrix @ nodes).tocsr() for matrix in matrices]
        squares = sum(float(matrix.data @ matrix.data) for matrix in matrices)
        return cls(seen, weights, _prior(shape) / departure**2, weights.size / squares)

    def share_passed(self, waves: Floats, area: float) -> Floats:
        """Estimate which share of the weights counts at each wave number.

        Parameters
        ----------
        waves : array
            Squares of wave numbers, km-2.
        area : float
            Area of a cell, km2.

        Notes
        -----
        A field that is as smooth as departures cannot be told from them by one overpass: the
        weight w of its pixels counts as ``w / (1 + w D)`` where D is the variance of departures.
        """
        if self._seen is None:
            return np.ones_like(waves)
        spacing = NODES * KM_PER_DEGREE
        power = spacing**2 / (1 + BENDING * spacing**2 * waves) / self._prior.sum(axis=0).max()
        return np.asarray(1 / (1 + np.median(self.weights) / (self._cells * area) * power))

    def depart(self, residuals: Floats) -> Floats:
        """Estimate the departures from residuals, as the pixels see them."""
        if self._seen is None:
            return np.zeros_like(residuals)
        pulled = (self._back @ (self.weights * residuals)).reshape(-1, self._nodes, 1)
        return np.asarray(self._seen @ (self._inverses @ pulled).ravel())

    def whiten(self, residuals: Floats) -> Floats:
        """Multiply by the inverse of the covariance."""
        return self.weights * (residuals - self.depart(residuals))

    def draw(self, white: Floats, rng: np.random.Generator) -> Floats:
        """Draw errors: noise from white noise, and departures of random days."""
        noise = white / np.sqrt(self.weights)
        if self._seen is None:
            return noise
        root = np.linalg.cholesky(np.linalg.inv(self._prior))
        count = self._seen.shape[1] // self._nodes
        days = rng.standard_normal((count, self._nodes)) @ root.T
        return np.asarray(noise + self._seen @ days.ravel())


def estimate_departure(
    grid: Grid, matrices: Sequence[sparse.csr_matrix], residuals: Sequence[Floats], noise: Floats
) -> float:
    """Estimate the standard deviation of the departures from the residuals of a first map.

    Parameters
    ----------
    grid : Grid
    matrices : sequence of csr_matrix, (pixels, cells)
    residuals : sequence of array, (pixels,)
    noise : array, (overpasses,)
        Standard deviation of the independent noise.

    Returns
    -------
    float
        Root of the median over overpasses of the mean square of the residuals near nodes, less
        what noise adds to it. Zero for fewer than three overpasses.
    """
    if len(matrices) < 3:
        return 0.0
    nodes, shape = coarse_nodes(grid)
    near = np.full((len(matrices), shape[0] * shape[1]), np.nan)
    error: Any = np.full(near.shape, np.nan)
    for i, (matrix, rest) in enumerate(zip(matrices, residuals, strict=True)):
        seen = (matrix @ nodes).tocsc()
        total = np.asarray(seen.sum(axis=0)).ravel()
        enough = total > 2
        near[i, enough] = (seen.T @ rest)[enough] / total[enough]
        squares = np.asarray(seen.multiply(seen).sum(axis=0)).ravel()
        error[i, enough] = noise[i] ** 2 * squares[enough] / total[enough] ** 2
    seen_often = np.isfinite(near).sum(axis=0) >= 3
    if not seen_often.any():
        return 0.0
    near, error = near[:, seen_often], error[:, seen_often]
    excess = (near - np.nanmean(near, axis=0)) ** 2 - error
    known = np.isfinite(excess).any(axis=1)
    return float(np.sqrt(max(np.median(np.nanmean(excess[known], axis=1)), 0.0)))
