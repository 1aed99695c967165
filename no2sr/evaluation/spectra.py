"""Radially averaged power spectra, and the effective resolution of an estimate.

A fine grid is no fine resolution. The effective resolution is found where the error holds half as
much power as the reference: at larger scales the estimate is mostly right, at smaller ones it is
mostly wrong or empty. Structure that is invented has power, but gains nothing by this measure.

References
----------
M. Ballarotta et al., "On the resolutions of ocean altimetry maps", Ocean Sci. 15 (2019) 1091-1109.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["cut_whole_windows", "effective_resolution", "power_spectrum", "ring_frequencies"]

# Share of the reference's power that the error holds at the effective resolution.
HALF = 0.5


def cut_whole_windows(
    *images: NDArray[np.floating], side: int
) -> Iterator[tuple[NDArray[np.floating], ...]]:
    """Cut disjoint windows without any gap out of images of one shape.

    Parameters
    ----------
    *images : array, (y, x)
        NaN in gaps.
    side : int
        Of the windows, in cells.

    Yields
    ------
    tuple of array, (side, side)
        The same window of every image.
    """
    seen = np.logical_and.reduce([np.isfinite(image) for image in images])
    for top in range(0, seen.shape[0] - side + 1, side):
        for left in range(0, seen.shape[1] - side + 1, side):
            window = slice(top, top + side), slice(left, left + side)
            if seen[window].all():
                yield tuple(image[window] for image in images)


def power_spectrum(window: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average the power of a square over rings of equal frequency.

    Parameters
    ----------
    window : array, (n, n)
        Without gaps. Its mean is taken off and a Hann taper applied, since it does not end as it
        begins.

    Returns
    -------
    array, (n // 2,)
        Of the frequencies of `ring_frequencies`. White noise of variance v has the power v in every
        ring.
    """
    n = len(window)
    hann = np.sin(np.pi * np.arange(n) / n) ** 2
    taper = np.outer(hann, hann)
    values = np.asarray(window, dtype=np.float64)
    power = np.abs(np.fft.fft2((values - values.mean()) * taper)) ** 2 / (taper**2).sum()
    place = np.fft.fftfreq(n, 1 / n)
    ring = np.rint(np.hypot(place[:, None], place)).astype(int).ravel()
    totals = np.bincount(ring, power.ravel()) / np.bincount(ring)
    return np.asarray(totals[1 : n // 2 + 1])


def ring_frequencies(side: int) -> NDArray[np.float64]:
    """Compute the frequencies of the rings of a window, in cycles per cell: 1 / side .. 1 / 2."""
    return np.arange(1, side // 2 + 1) / side


def effective_resolution(
    error_power: NDArray[np.floating], reference_power: NDArray[np.floating]
) -> float:
    """Compute the size of the smallest structure that is more right than wrong, in cells.

    Parameters
    ----------
    error_power, reference_power : array, (n // 2,)
        Spectra of estimate minus reference, and of the reference.

    Returns
    -------
    float
        Half the wavelength at which the error reaches half the power of the reference: 1 is the
        cell of the grid itself; infinite where even the largest wave is wrong.
    """
    frequencies = ring_frequencies(2 * len(reference_power))
    # Where the reference has nothing, nothing can be right.
    share = np.full(len(reference_power), np.inf)
    np.divide(error_power, reference_power, out=share, where=np.asarray(reference_power) > 0)
    wrong = np.flatnonzero(~(share < HALF))
    if not wrong.size:
        return 1.0
    first = int(wrong[0])
    if first == 0:
        return float("inf")
    pair = slice(first - 1, first + 1)
    crossing = np.interp(HALF, share[pair], frequencies[pair])
    return float(1 / (2 * crossing))
