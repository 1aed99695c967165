"""What is assumed of a field before it is seen: that it is smooth, more so where little happens.

The roughness of a field x is ``sum((L x)**2 / s) dA`` with the Laplacian L in km-2, the strength s
of the local signal (1 where it is typical) and the area dA of a cell in km2. It is the same for
every resolution, a constant has none, and no sign is preferred.

With reflecting edges the discrete cosine transform makes L diagonal. That gives L itself, and a
preconditioner that inverts the normal equations of an evenly observed field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.records import Grid

    Floats = NDArray[np.float64]

__all__ = ["Roughness", "follow_signal"]

# Of the preconditioner: how much a typical footprint blurs (km2), and how evenly it takes the
# observations to be spread (km). Neither changes the solution.
BLUR, EVEN = 2.0, 4.0
SPARSEST = 0.01  # of the mean density: the least that the preconditioner reckons with
STRETCHING = 0.004  # km-2
LEVELS = 4
# The gradient is taken of the field smoothed by DETAIL and averaged over NEIGHBOURHOOD, both km.
# Its typical value times FLOOR is added, so that calm regions do not become stiff.
# The power was chosen by held-out overpasses: 2, the variance, leaves calm regions too rough.
DETAIL, NEIGHBOURHOOD, FLOOR, POWER = 1.0, 4.5, 0.3, 3.0


class Roughness:
    """The quadratic form that measures roughness on one grid.

    Parameters
    ----------
    grid : Grid
    strength : array, (y * x,), optional
        Variance of the signal relative to a typical one; by default 1 everywhere.
    """

    def __init__(self, grid: Grid, strength: Floats | None = None) -> None:
        self.shape = grid.shape
        self.strength = np.ones(grid.size) if strength is None else strength
        y, x = (
            (2 - 2 * np.cos(np.pi * np.arange(n) / n)) / step**2
            for n, step in zip(grid.shape, grid.steps, strict=True)
        )
        self.waves = y[:, None] + x[None, :]  # squares of the wave numbers of the cosines, km-2
        self._bending = np.sqrt(self.waves * (self.waves + STRETCHING))
        self._area = float(np.prod(grid.steps))
        self._even = [EVEN / step for step in grid.steps]

    def _filter(self, field: Floats, transfer: Floats) -> Floats:
        waves = fft.dctn(field.reshape(self.shape), norm="ortho")
        return np.asarray(fft.idctn(waves * transfer, norm="ortho")).ravel()

    def apply(self, field: Floats) -> Floats:
        """Return half the gradient of the roughness at a field."""
        bent = self._filter(field, self._bending)
        return self._filter(bent * (self._area / self.strength), self._bending)

    def colour(self, white: Floats) -> Floats:
        """Turn white noise into noise whose covariance is the matrix of `apply`."""
        return self._filter(white * np.sqrt(self._area / self.strength), self._bending)

    def preconditioner(
        self, density: Floats, smoothness: float, passed: Floats
    ) -> Callable[[Floats], Floats]:
        """Return an approximate inverse of the normal equations.

        Parameters
        ----------
        density : array, (y * x,)
            Weight of the observations in every cell.
        smoothness : float
        passed : array, (y, x)
            Share of the weight that counts at each wave number, 1 where errors are independent.

        Returns
        -------
        callable
            Symmetric and positive. Within each level of observations against smoothness it is the
            exact inverse for evenly spread ones; levels are blended.
        """
        even = gaussian_filter(density.reshape(self.shape), self._even).ravel()
        even = np.maximum(even, SPARSEST * even.mean() + 1e-300)
        stiff = smoothness * self._area / self.strength
        ratio = np.log(even / stiff)
        centres = np.linspace(ratio.min(), ratio.max() + 1e-9, LEVELS)
        width = centres[1] - centres[0]
        seen = np.exp(-self.waves * BLUR) * passed
        levels = [
            (
                np.cos(np.pi / 2 * np.clip(np.abs(ratio - centre) / width, 0, 1)) / np.sqrt(stiff),
                1 / (np.exp(centre) * seen + self._bending**2),
            )
            for centre in centres
        ]

        def invert(values: Floats) -> Floats:
            total: Any = 0.0
            for blend, inverse in levels:
                total = total + blend * self._filter(blend * values, inverse)
            return np.asarray(total)

        return invert


def follow_signal(grid: Grid, field: Floats, steepness: float) -> tuple[Floats, float]:
    """Derive the strength of the local signal from a first map.

    Parameters
    ----------
    grid : Grid
    field : array, (y * x,)
    steepness : float
        Typical gradient, per km; 0 to take it from this field.

    Returns
    -------
    strength : array, (y * x,)
        Power of the local mean gradient over the typical one.
    steepness : float
        The typical gradient that was used.
    """
    height, width = grid.steps
    smooth = gaussian_filter(field.reshape(grid.shape), [DETAIL / height, DETAIL / width])
    slopes = np.hypot(*np.gradient(smooth, height, width))
    around = gaussian_filter(slopes, [NEIGHBOURHOOD / height, NEIGHBOURHOOD / width])
    typical = steepness or float(np.median(around))
    if typical <= 0:  # a constant field
        return np.ones(grid.size), 0.0
    return ((around / typical + FLOOR) / (1 + FLOOR)).ravel() ** POWER, typical
