"""Figures of files: a map, before and after, what was added, how values and power are spread.

Every function takes what `no2sr.core.door.enter` takes and returns a matplotlib ``Figure``, which
needs no display; ``figure.savefig("map.png")`` writes it. Values are shown in a unit that reads
well, gaps are grey, and images side by side share one colour scale.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.colours import RAMP, check_limits, robust_limits, shown_unit
from no2sr.core.door import enter
from no2sr.core.earth import KM_PER_DEGREE
from no2sr.core.errors import NoValidPixelsError
from no2sr.core.grid import bounds_of, refine
from no2sr.core.image import crs_of, is_geographic
from no2sr.downscaling.baselines import interpolate
from no2sr.evaluation.spectra import power_spectrum, ring_frequencies, whole_windows
from no2sr.views.figures import check_matplotlib, colour_map, draw_panels
from no2sr.views.pairs import match_grids, single_time
from no2sr.writers.prepare import label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "KINDS",
    "plot_before_after",
    "plot_difference",
    "plot_histogram",
    "plot_map",
    "plot_spectra",
]

SIDE = 32  # of the squares that spectra are taken of, in fine cells
BINS = 80
# Share of the map that the zoom shows, and where it lies: in axes units, from the map's corner.
ZOOM, INSET, MARGIN = 1 / 6, 0.36, 0.02
HIGH = 99.8  # percentile of differences where their colours end


def plot_map(
    image: xr.DataArray | xr.Dataset,
    *,
    limits: Sequence[float] | None = None,
    ramp: str = RAMP,
    title: str = "",
) -> Figure:
    """Draw one map.

    Parameters
    ----------
    image : DataArray or Dataset, (y, x)
    limits : (low, high), optional
        Of the colours, in the unit shown; by default all but 1 % of the values lie between.
    ramp : str
        One of `no2sr.core.colours.RAMPS`.
    title : str

    Returns
    -------
    Figure

    Raises
    ------
    ImageError, NoValidPixelsError
        If there is no image in what is given, or nothing on it.
    DimensionError
        If it holds several times.
    SettingsError
        If limits or ramp are none.
    MissingDependencyError
        If matplotlib is not installed.
    """
    only = _entered(image)
    return _maps({title or _name(only): only}, limits=limits, ramp=ramp, of=only)


def plot_before_after(
    coarse: xr.DataArray | xr.Dataset,
    fine: xr.DataArray | xr.Dataset,
    *,
    limits: Sequence[float] | None = None,
    ramp: str = RAMP,
    zoom: bool = True,
) -> Figure:
    """Draw a coarse image and the fine one made of it side by side, in one colour scale.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)
    limits, ramp
        As for `plot_map`; the limits are by default those of the coarse image.
    zoom : bool
        Whether to enlarge the surroundings of the highest column in an inset of both.

    Returns
    -------
    Figure

    Raises
    ------
    IrregularGridError
        If the one was not made of the other.
    ImageError, SettingsError, MissingDependencyError
        As for `plot_map`.
    """
    before, after, _ = _pair(coarse, fine)
    figure = _maps({"before": before, "after": after}, limits=limits, ramp=ramp, of=before)
    if zoom:
        _add_insets(figure.axes[:2], before)
    return figure


def plot_difference(coarse: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset) -> Figure:
    """Draw what the fine image adds to the coarse one; its mean over a coarse cell is 0.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)

    Returns
    -------
    Figure

    Raises
    ------
    IrregularGridError
        If the one was not made of the other.
    ImageError, MissingDependencyError
        As for `plot_map`.
    """
    before, after, scale = _pair(coarse, fine)
    by, unit = shown_unit(str(after.attrs["units"]))
    added = after.copy(data=by * (after.values - refine(before, scale).values))
    if not np.isfinite(added.values).any():
        raise NoValidPixelsError(
            "no cell is observed in both images, expected some; give the input that the fine "
            "image was made of"
        )
    most = float(np.nanpercentile(np.abs(added.values), HIGH)) or 1.0
    figure = draw_panels(
        {"after - before": added.values},
        bounds_of(added),
        label=f"difference / {unit}",
        cmap="RdBu_r",
        vmin=-most,
        vmax=most,
    )
    _place(figure, added)
    return figure


def plot_histogram(
    image: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset | None = None
) -> Figure:
    """Draw how the values of an image, and of the fine one made of it, are distributed.

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
        As for `plot_map`.
    """
    from matplotlib.figure import Figure

    check_matplotlib()
    first = _entered(image)
    images = {_name(first): first}
    if fine is not None:
        before, after, _ = _pair(image, fine)
        images = {"before": before, "after": after}
    by, unit = shown_unit(str(first.attrs["units"]))
    values = {name: by * shown.values[np.isfinite(shown.values)] for name, shown in images.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), BINS)
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axis = figure.subplots()
    for name, seen in values.items():
        told = f"{name}: mean {seen.mean():.3g}, standard deviation {seen.std():.3g}"
        share = np.full(seen.size, 100 / seen.size)
        axis.hist(seen, edges.tolist(), weights=share, histtype="step", linewidth=1.5, label=told)
    axis.set_yscale("log")
    axis.set_xlabel(f"{label(first)} / {unit}")
    axis.set_ylabel("cells / %")
    figure.legend(loc="outside upper left", fontsize="small")  # inside there is no free corner
    return figure


def plot_spectra(coarse: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset) -> Figure:
    """Draw the power of the fine image over wavelength, beside that of bicubic interpolation.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)

    Returns
    -------
    Figure

    Raises
    ------
    NoValidPixelsError
        If no square of 32 x 32 fine cells is without gap.
    IrregularGridError, ImageError, MissingDependencyError
        As for `plot_before_after`.
    """
    from matplotlib.figure import Figure

    check_matplotlib()
    before, after, scale = _pair(coarse, fine)
    by, unit = shown_unit(str(after.attrs["units"]))
    smooth = interpolate(before, scale, method="bicubic")
    images = {"bicubic": by * smooth.values, "after": by * after.values}
    windows = list(whole_windows(*images.values(), side=SIDE))
    if not windows:
        raise NoValidPixelsError(
            f"no square of {SIDE} x {SIDE} fine cells is without gap, expected at least one to "
            "take a spectrum of; choose a larger or fuller region"
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


# What can be drawn, and the least and most images it takes.
KINDS: dict[str, tuple[Callable[..., Figure], int, int]] = {
    "map": (plot_map, 1, 1),
    "before-after": (plot_before_after, 2, 2),
    "difference": (plot_difference, 2, 2),
    "histogram": (plot_histogram, 1, 2),
    "spectra": (plot_spectra, 2, 2),
}


def _entered(image: xr.DataArray | xr.Dataset) -> xr.DataArray:
    check_matplotlib()
    return single_time(enter(image))


def _pair(
    coarse: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset
) -> tuple[xr.DataArray, xr.DataArray, int]:
    """Return both images with the same bounds, and the scale."""
    after = _entered(fine)
    before, scale = match_grids(_entered(coarse), after)
    return before, after, scale


def _name(image: xr.DataArray) -> str:
    """Return what an image shows, in words."""
    return str(image.attrs.get("long_name") or label(image))


def _maps(
    images: dict[str, xr.DataArray],
    *,
    limits: Sequence[float] | None,
    ramp: str,
    of: xr.DataArray,
) -> Figure:
    """Draw images of the same bounds in one colour scale, by default that of one of them."""
    by, unit = shown_unit(str(of.attrs["units"]))
    low, high = robust_limits(by * of.values) if limits is None else check_limits(limits)
    figure = draw_panels(
        {title: by * image.values for title, image in images.items()},
        bounds_of(of),
        label=f"{label(of)} / {unit}",
        cmap=colour_map(ramp),
        vmin=low,
        vmax=high,
    )
    _place(figure, of)
    return figure


def _place(figure: Figure, image: xr.DataArray) -> None:
    """Give maps their true shape, a graticule and a scale bar."""
    west, south, east, north = bounds_of(image)
    degrees = is_geographic(image)
    shrink = max(math.cos(math.radians((south + north) / 2)), 0.1) if degrees else 1.0
    panels = [axis for axis in figure.axes if axis.images]
    height = 5.2 * min(max((north - south) / (east - west) / shrink, 0.4), 1.6)
    figure.set_size_inches(5.6 * len(panels) + 1, height + 0.9)
    for axis in panels:
        axis.set_aspect(1 / shrink)
        axis.grid(visible=True, color="0.5", linewidth=0.4, alpha=0.6)
        _label_axes(axis, image)
    _add_scale_bar(panels[-1], (east - west) * _km_per_unit(image, shrink))


def _label_axes(axis: Axes, image: xr.DataArray) -> None:
    """Word the ticks: degrees with their hemisphere, or coordinates of the projection."""
    if is_geographic(image):
        axis.xaxis.set_major_formatter(lambda value, _: _degrees(value, "EW"))
        axis.yaxis.set_major_formatter(lambda value, _: _degrees(value, "NS"))
        return
    metres = image["x"].attrs["units"] == "m"
    by, unit = (1e-3, "km") if metres else (1.0, image["x"].attrs["units"])
    axis.set_xlabel(f"easting / {unit}")
    axis.set_ylabel(f"northing / {unit}")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(lambda value, _: f"{by * value:.10g}")


def _degrees(value: float, letters: str) -> str:
    """Word a longitude or latitude; beyond the antimeridian it starts anew."""
    if letters == "EW" and abs(value) > 180:
        value = (value + 180) % 360 - 180
    letter = "" if value == 0 else letters[0] if value > 0 else letters[1]
    return f"{abs(value):.7g}°{letter}"


def _km_per_unit(image: xr.DataArray, shrink: float) -> float:
    """Return the length of one unit of x in the middle of the map."""
    if is_geographic(image):
        return KM_PER_DEGREE * shrink
    axes = crs_of(image).axis_info
    return float(axes[0].unit_conversion_factor) / 1000 if axes else 1e-3


def _add_scale_bar(axis: Axes, width: float) -> None:
    """Draw a bar of a round length, about a quarter of the map, at the lower left."""
    power = 10.0 ** math.floor(math.log10(width / 4))
    length = max(size * power for size in (1, 2, 5) if size * power <= width / 4)
    left, right = 0.04, 0.04 + length / width
    axis.plot([left, right], [0.04, 0.04], "k", linewidth=3, transform=axis.transAxes)
    axis.text(
        (left + right) / 2,
        0.06,
        f"{length:g} km",
        horizontalalignment="center",
        verticalalignment="bottom",
        transform=axis.transAxes,
        fontsize="small",
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5},
    )


def _add_insets(panels: Sequence[Axes], before: xr.DataArray) -> None:
    """Enlarge the surroundings of the highest coarse column, in a corner away from it.

    The lower left one is the scale bar's.
    """
    rows, columns = before.shape
    top, left = np.unravel_index(np.nanargmax(before.values), before.shape)
    x, y = float(before["x"][left]), float(before["y"][top])
    west, south, east, north = bounds_of(before)
    half = [max((east - west) * ZOOM, 4 * (east - west) / columns) / 2]
    half.append(max((north - south) * ZOOM, 4 * (north - south) / rows) / 2)
    x = min(max(x, west + half[0]), east - half[0])
    y = min(max(y, south + half[1]), north - half[1])
    far = 1 - MARGIN - INSET
    to_the_right, above = x < (west + east) / 2, y < (south + north) / 2
    corner = (far if to_the_right else MARGIN, MARGIN if to_the_right and not above else far)
    for axis in panels:
        drawn = axis.images[0]
        inset = axis.inset_axes(
            (*corner, INSET, INSET),
            xlim=(x - half[0], x + half[0]),
            ylim=(y - half[1], y + half[1]),
            xticks=[],
            yticks=[],
        )
        inset.set_facecolor(axis.get_facecolor())
        inset.imshow(
            np.ma.filled(np.ma.asarray(drawn.get_array()), np.nan),
            extent=drawn.get_extent(),
            aspect=axis.get_aspect(),
            interpolation="nearest",
            cmap=drawn.get_cmap(),
            clim=drawn.get_clim(),
        )
        axis.indicate_inset_zoom(inset, edgecolor="black")
