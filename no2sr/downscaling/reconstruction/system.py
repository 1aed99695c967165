"""The normal equations of a block, and their solution by preconditioned conjugate gradients."""

from __future__ import annotations

from copy import copy
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.ndimage import distance_transform_edt
from scipy.sparse.linalg import LinearOperator, cg

from no2sr.core.errors import ConvergenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.departures import Correlated
    from no2sr.downscaling.reconstruction.prior import Roughness
    from no2sr.downscaling.reconstruction.records import Grid

    Floats = NDArray[np.float64]

__all__ = ["Observations", "System", "average"]

ITERATIONS = 2000
TIGHT, LOOSE = 1e-5, 1e-3  # residual over right-hand side: of maps, and of what is only compared


class Observations:
    """The pixels of some overpasses on a grid.

    Parameters
    ----------
    grid : Grid
    matrices : sequence of csr_matrix, (pixels, cells)
        Their footprints.
    values : sequence of array, (pixels,)
        Their columns.
    numbers : sequence of int
        The number of each overpass.
    places : sequence of array, (pixels,)
        The place of each pixel in its file.
    """

    def __init__(
        self,
        grid: Grid,
        matrices: Sequence[sparse.csr_matrix],
        values: Sequence[Floats],
        *,
        numbers: Sequence[int],
        places: Sequence[NDArray[np.int64]],
    ) -> None:
        self.grid, self.values = grid, list(values)
        self.numbers, self.places = list(numbers), list(places)
        self.all_values = np.concatenate(self.values)
        ends = np.cumsum([0, *(values.size for values in self.values)])
        self.rows = [slice(a, b) for a, b in pairwise(ends)]
        # The shares take most of the memory: the transpose and the parts are views of one matrix.
        self.seen = sparse.vstack(matrices, format="csr")
        self.back = self.seen.T
        self.matrices = [_view(self.seen, rows) for rows in self.rows]

    def choose(self, which: Sequence[int]) -> Observations:
        """Select some of the overpasses."""
        return Observations(
            self.grid,
            [self.matrices[i] for i in which],
            [self.values[i] for i in which],
            numbers=[self.numbers[i] for i in which],
            places=[self.places[i] for i in which],
        )

    def keep(self, chosen: Sequence[NDArray[np.bool_]]) -> Observations:
        """Select pixels of every overpass with one mask per overpass."""
        picked = [np.flatnonzero(mask) for mask in chosen]
        return Observations(
            self.grid,
            [matrix[i] for matrix, i in zip(self.matrices, picked, strict=True)],
            [values[i] for values, i in zip(self.values, picked, strict=True)],
            numbers=self.numbers,
            places=[place[i] for place, i in zip(self.places, picked, strict=True)],
        )

    def scale(self, unit: float, level: float = 0.0) -> Observations:
        """Subtract a level from all columns and divide them by a unit."""
        scaled = copy(self)
        scaled.values = [(values - level) / unit for values in self.values]
        scaled.all_values = np.concatenate(scaled.values)
        return scaled

    def split(self, values: Floats) -> list[Floats]:
        """Split an array over all pixels by overpass."""
        return [values[rows] for rows in self.rows]


def _view(matrix: sparse.csr_matrix, rows: slice) -> sparse.csr_matrix:
    """Return some rows of a matrix without copying its values, as the constructor would."""
    starts = matrix.indptr[rows.start : rows.stop + 1]
    part = slice(starts[0], starts[-1])
    view = sparse.csr_matrix((starts.size - 1, matrix.shape[1]), dtype=matrix.dtype)
    view.data, view.indices = matrix.data[part], matrix.indices[part]
    view.indptr = starts - starts[0]
    return view


def average(observations: Observations) -> tuple[Floats, Floats]:
    """Return the mean of the pixels in each cell, weighted by shares, and the sum of the shares.

    Cells that no pixel touches get the value of the nearest one that is.
    """
    total = observations.back @ np.ones(observations.all_values.size)
    mean = (observations.back @ observations.all_values) / np.maximum(total, 1e-12)
    unseen = (total <= 1e-9).reshape(observations.grid.shape)
    if unseen.any() and not unseen.all():
        rows, columns = distance_transform_edt(unseen, return_distances=False, return_indices=True)
        mean = mean.reshape(observations.grid.shape)[rows, columns].ravel()
    return mean, total


class System:
    """The normal equations ``(A' R A + smoothness P) x = b`` of weighted least squares.

    Parameters
    ----------
    observations : Observations
    errors : Correlated
        Whose inverse covariance is R.
    roughness : Roughness
        Whose matrix is P.
    smoothness : float
        In units in which the weights of `errors` are of order one.
    """

    def __init__(
        self,
        observations: Observations,
        errors: Correlated,
        roughness: Roughness,
        smoothness: float,
    ) -> None:
        self.observations, self.errors = observations, errors
        self.roughness, self.smoothness = roughness, smoothness
        density = observations.back @ errors.weights
        passed = errors.share_passed(roughness.waves, float(np.prod(observations.grid.steps)))
        self._invert = roughness.preconditioner(density, smoothness, passed)

    def pull(self, residuals: Floats) -> Floats:
        """Carry residuals of pixels back to the cells: the right-hand side of the system."""
        return np.asarray(self.observations.back @ self.errors.whiten(residuals))

    def apply(self, field: Floats) -> Floats:
        """Multiply a field by the matrix of the system."""
        data = self.pull(self.observations.seen @ field)
        return data + self.smoothness * self.roughness.apply(field)

    def invert(
        self, right: Floats, start: Floats | None = None, *, within: float = TIGHT
    ) -> Floats:
        """Solve the system.

        Parameters
        ----------
        right : array, (y * x,)
        start : array, (y * x,), optional
        within : float
            Norm of the residual relative to that of the right-hand side.

        Raises
        ------
        ConvergenceError
            If it is not reached.
        """
        n = right.size
        matrix = LinearOperator((n, n), self.apply, dtype=np.float64)
        inverse = LinearOperator((n, n), self._invert, dtype=np.float64)
        # Solving for the difference makes an exact start, as of a constant field, exact.
        rest = right if start is None else right - self.apply(start)
        goal = within * float(np.linalg.norm(right))
        step, _ = cg(matrix, rest, rtol=0.0, atol=goal, maxiter=ITERATIONS, M=inverse)
        left = float(np.linalg.norm(rest - matrix @ step))
        if not left <= 2 * goal + 1e-300:
            raise ConvergenceError(
                f"the equations did not converge: after {ITERATIONS} steps the relative residual "
                f"is {left / (goal / within):.1e}, above the limit of {within:.0e}; choose a "
                "greater smoothness, or a coarser resolution"
            )
        return np.asarray(step if start is None else start + step)

    def solve(self, *, within: float = TIGHT) -> Floats:
        """Return the mean field, (y * x,): the map without the departures of single days."""
        start, _ = average(self.observations)
        right = self.pull(self.observations.all_values)
        return self.invert(right, start, within=within)
