"""Charts of files: the distribution of values, their power, and how a smoothness was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.colours import shown_unit
from no2sr.core.errors import MissingVariableError, NoValidPixelsError
from no2sr.core.provenance import PREFIX
from no2sr.downscaling.baselines import interpolate
from no2sr.evaluation.spectra import cut_whole_windows, power_spectrum, ring_frequencies
from no2sr.views.figures import check_matplotlib
from no2sr.views.pairs import enter_pair, enter_single
from no2sr.writers.layers import label

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["plot_histogram", "plot_smoothness", "plot_spectra"]

SIDE = 32  # of the squares whose spectra are averaged, in fine cells
BINS = 80


def plot_histogram(
    image: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset | None = None
) -> Figure:
    """Draw the distribution of the values of an image, and of the fine one made of it.

    Parameters
    ----------
    image, fine : DataArray or Dataset, (y, x)
        In the same unit.

    Returns
    -------
    Figure

    Raises
    ------
    ImageError, MissingDependencyError
        As for `no2sr.views.plotting.plot_map`.
    """
    from matplotlib.figure import Figure

    check_matplotlib()
    first = enter_single(image)
    images = {str(first.attrs.get("long_name") or label(first)): first}
    if fine is not None:
        before, after, _ = enter_pair(image, fine)
        images = {"before": before, "after": after}
    by, unit = shown_unit(str(first.attrs["units"]))
    values = {name: by * shown.values[np.isfinite(shown.values)] for name, shown in images.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), BINS)
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axis = figure.subplots()
    for name, seen in values.items():
        text = f"{name}: mean {seen.mean():.3g}, standard deviation {seen.std():.3g}"
        share = np.full(seen.size, 100 / seen.size)
        axis.hist(seen, edges.tolist(), weights=share, histtype="step", linewidth=1.5, label=text)
    axis.set_yscale("log")
    axis.set_xlabel(f"{label(first)} / {unit}")
    axis.set_ylabel("cells / %")
    figure.legend(loc="outside upper left", fontsize="small")  # no corner inside is free
    return figure


def plot_spectra(coarse: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset) -> Figure:
    """Draw the power of the fine image by wavelength, beside that of bicubic interpolation.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)

    Returns
    -------
    Figure

    Raises
    ------
    NoValidPixelsError
        If every square of 32 x 32 fine cells has gaps.
    IrregularGridError, ImageError, MissingDependencyError
        As for `no2sr.views.plotting.plot_before_after`.
    """
    from matplotlib.figure import Figure

    check_matplotlib()
    before, after, scale = enter_pair(coarse, fine)
    by, unit = shown_unit(str(after.attrs["units"]))
    smooth = interpolate(before, scale, method="bicubic")
    images = {"bicubic": by * smooth.values, "after": by * after.values}
    windows = list(cut_whole_windows(*images.values(), side=SIDE))
    if not windows:
        raise NoValidPixelsError(
            f"every square of {SIDE} x {SIDE} fine cells has gaps, and a spectrum needs one "
            "without; choose a larger or fuller region"
        )
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axis = figure.subplots()
    wavelengths = 1 / ring_frequencies(SIDE)
    for number, name in enumerate(images):
        power = np.mean([power_spectrum(window[number]) for window in windows], axis=0)
        axis.loglog(wavelengths, power, label=name, linestyle="--" if name == "bicubic" else "-")
    axis.axvline(2 * scale, color="0.6", linestyle=":", label="limit of the coarse grid")
    axis.set_xlim(wavelengths.max(), wavelengths.min())
    axis.set_xticks([32, 16, 8, 4, 2], ["32", "16", "8", "4", "2"])
    axis.minorticks_off()
    axis.set_xlabel("wavelength / fine cells")
    axis.set_ylabel(f"power / ({unit})$^2$")
    axis.legend(fontsize="small", title=f"{len(windows)} squares of {SIDE} x {SIDE} cells")
    return figure


def plot_smoothness(image: xr.DataArray | xr.Dataset) -> Figure:
    """Draw the curve by which the smoothness of a reconstruction was chosen.

    Parameters
    ----------
    image : DataArray or Dataset, (y, x)
        An output of `no2sr.reconstruct`.

    Returns
    -------
    Figure

    Raises
    ------
    MissingVariableError
        If the image has no such curve in its attributes.
    ImageError, MissingDependencyError
        As for `no2sr.views.plotting.plot_map`.
    """
    from matplotlib.figure import Figure

    check_matplotlib()
    attrs = enter_single(image).attrs
    tried, misfit = (_numbers(attrs, f"smoothness_curve_{name}") for name in ("km2", "misfit"))
    if not tried.size or tried.size != misfit.size:
        raise MissingVariableError(
            "the image has no smoothness curve; give an output of no2sr reconstruct whose "
            "smoothness was chosen automatically"
        )
    order = np.argsort(tried)
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axis = figure.subplots()
    axis.semilogx(tried[order], misfit[order], marker="o")
    for chosen in _numbers(attrs, "smoothness_km2"):
        text = f"chosen: {chosen:.3g} km$^2$"
        axis.axvline(chosen, color="0.6", linestyle=":", label=text)
    axis.set_xlabel("smoothness / km$^2$")
    axis.set_ylabel("misfit of held-out overpasses / least")
    axis.legend(fontsize="small", title=f"{attrs.get(f'{PREFIX}overpasses', '?')} overpasses")
    return figure


def _numbers(attrs: dict[Any, Any], name: str) -> NDArray[np.float64]:
    """Read a list of numbers from the attributes; the tags of a GeoTIFF hold it as text."""
    value = attrs.get(f"{PREFIX}{name}", [])
    if isinstance(value, str):
        value = value.strip("[]").replace(",", " ").split()
    try:
        return np.atleast_1d(np.asarray(value, np.float64))
    except ValueError:
        return np.empty(0)
