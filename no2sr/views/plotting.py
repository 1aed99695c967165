"""Maps of files: one map, before and after, what was added, and the uncertainty beside them.

Every function takes what `no2sr.core.door.enter` takes, or a scene with layers, and returns a
matplotlib ``Figure``, which needs no display; ``figure.savefig("map.png")`` writes it. Values are
shown in a unit that reads well, gaps are grey, and images side by side share one colour scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.colours import RAMP, UNCERTAINTY_RAMP, check_limits, robust_limits, shown_unit
from no2sr.core.errors import NoValidPixelsError, SettingsError
from no2sr.core.grid import bounds_of, refine
from no2sr.core.layers import TOTAL
from no2sr.core.times import describe_times
from no2sr.views.axes import is_projected
from no2sr.views.cartography import add_insets, add_scale_bar, finish_map, finish_maps
from no2sr.views.charts import plot_histogram, plot_smoothness, plot_spectra
from no2sr.views.figures import check_matplotlib
from no2sr.views.pairs import enter_pair, enter_single
from no2sr.views.panels import (
    Panels,
    colour_map,
    draw_groups,
    draw_panel,
    draw_panels,
    draw_projected,
)
from no2sr.writers.layers import label, layer_label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

__all__ = [
    "KINDS",
    "plot_before_after",
    "plot_difference",
    "plot_histogram",
    "plot_map",
    "plot_smoothness",
    "plot_spectra",
]

HIGH = 99.8  # percentile of differences at which their colours end


def plot_map(
    image: xr.DataArray | xr.Dataset,
    *,
    ax: Axes | None = None,
    limits: Sequence[float] | None = None,
    ramp: str = RAMP,
    title: str = "",
    uncertainty: bool = False,
) -> Figure:
    """Draw one map.

    Parameters
    ----------
    image : DataArray or Dataset, (y, x)
    ax : Axes, optional
        Axes of matplotlib or cartopy to draw on; by default those of a new figure. Their limits,
        grid and labels stay yours, except that axes of matplotlib get the shape of the map.
    limits : (low, high), optional
        Limits of the colours, in the unit shown; by default all but 1 % of the values lie between.
    ramp : str
        One of `no2sr.core.colours.RAMPS`.
    title : str
    uncertainty : bool
        Draw the standard uncertainty of the column in a second panel, with colours of its own. The
        scene must have that layer.

    Returns
    -------
    Figure
        That of `ax`, if it is given.

    Raises
    ------
    ImageError, NoValidPixelsError
        If the argument holds no image, or an image of gaps only.
    MissingVariableError
        If the uncertainty is asked for and the scene does not have it.
    DimensionError
        If there are several times.
    SettingsError
        If `limits` or `ramp` are invalid, or both `ax` and `uncertainty` are given.
    MissingDependencyError
        If matplotlib is not installed.

    See Also
    --------
    no2sr.views.context.add_overlay : draw outlines over maps.
    no2sr.views.context.add_coastlines : draw coastlines and borders over maps.
    """
    check_matplotlib()
    only = enter_single(image)
    name = str(only.attrs.get("long_name") or label(only))
    heading = title or "\n".join(filter(None, (name, describe_times(image))))
    groups = [_group_columns({heading: only}, limits=limits, ramp=ramp)]
    if ax is not None:
        if uncertainty:
            raise SettingsError(
                "one axes shows one map; leave out uncertainty=, or give the layer of uncertainty "
                "as the image"
            )
        return _draw_on(ax, groups[0], only)
    return _draw_maps(groups, only, image if uncertainty else None)


def plot_before_after(
    coarse: xr.DataArray | xr.Dataset,
    fine: xr.DataArray | xr.Dataset,
    *,
    limits: Sequence[float] | None = None,
    ramp: str = RAMP,
    zoom: bool = True,
    uncertainty: bool = False,
) -> Figure:
    """Draw a coarse image and the fine one made of it side by side, in one colour scale.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)
    limits, ramp
        As for `plot_map`; the limits are by default those of the coarse image.
    zoom : bool
        Enlarge the surroundings of the highest column in an inset of both maps.
    uncertainty : bool
        Draw the standard uncertainty of the fine column in a third panel. `fine` must have that
        layer.

    Returns
    -------
    Figure

    Raises
    ------
    IrregularGridError
        If the fine image was not made of the coarse one.
    ImageError, MissingVariableError, SettingsError, MissingDependencyError
        As for `plot_map`.
    """
    check_matplotlib()
    before, after, _ = enter_pair(coarse, fine)
    when = describe_times(fine)
    after_name = f"after, {when}" if when else "after"
    groups = [_group_columns({"before": before, after_name: after}, limits=limits, ramp=ramp)]
    figure = _draw_maps(groups, after, fine if uncertainty else None)
    if zoom:
        add_insets(figure.axes[:2], before)
    return figure


def plot_difference(coarse: xr.DataArray | xr.Dataset, fine: xr.DataArray | xr.Dataset) -> Figure:
    """Draw what the fine image adds to the coarse one; its mean over a coarse cell is about 0.

    Parameters
    ----------
    coarse, fine : DataArray or Dataset, (y, x)

    Returns
    -------
    Figure

    Raises
    ------
    IrregularGridError
        If the fine image was not made of the coarse one.
    ImageError, MissingDependencyError
        As for `plot_map`.
    """
    check_matplotlib()
    before, after, scale = enter_pair(coarse, fine)
    by, unit = shown_unit(str(after.attrs["units"]))
    added = after.copy(data=by * (after.values - refine(before, scale).values))
    if not np.isfinite(added.values).any():
        raise NoValidPixelsError(
            "the two images have no observed cell in common; give the input that the fine image "
            "was made of"
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
    finish_maps(figure, added)
    return figure


# What can be drawn, and the least and most images it takes.
KINDS: dict[str, tuple[Callable[..., Figure], int, int]] = {
    "map": (plot_map, 1, 1),
    "before-after": (plot_before_after, 2, 2),
    "difference": (plot_difference, 2, 2),
    "histogram": (plot_histogram, 1, 2),
    "spectra": (plot_spectra, 2, 2),
    "smoothness": (plot_smoothness, 1, 1),
}


def _group_columns(
    images: dict[str, xr.DataArray], *, limits: Sequence[float] | None, ramp: str
) -> Panels:
    """Give images one colour scale, by default that of the first."""
    first = next(iter(images.values()))
    by, unit = shown_unit(str(first.attrs["units"]))
    low, high = robust_limits(by * first.values) if limits is None else check_limits(limits)
    return Panels(
        images={title: by * image.values for title, image in images.items()},
        label=f"{label(first)} / {unit}",
        colours={"cmap": colour_map(ramp), "vmin": low, "vmax": high},
    )


def _draw_on(axis: Axes, group: Panels, image: xr.DataArray) -> Figure:
    """Draw one map on axes of the caller, and a colour bar beside it."""
    ((title, values),) = group.images.items()
    drawn: ScalarMappable
    if is_projected(axis):
        drawn = draw_projected(axis, title, values, image=image, colours=group.colours)
    else:
        drawn = draw_panel(axis, title, values, bounds=bounds_of(image), colours=group.colours)
        box = axis.get_window_extent().transformed(axis.figure.dpi_scale_trans.inverted())
        finish_map(axis, image, size=(box.width, box.height))
        add_scale_bar(axis, image)
    figure = axis.get_figure(root=True)
    if figure is None:
        raise SettingsError("the axes are in no figure; make them with figure.subplots()")
    figure.colorbar(drawn, ax=axis, label=group.label, extend="both", shrink=0.8, pad=0.02)
    return figure


def _draw_maps(
    groups: list[Panels], column: xr.DataArray, scene: xr.DataArray | xr.Dataset | None
) -> Figure:
    """Draw maps, and the uncertainty of the column where a scene with that layer is given."""
    if scene is not None:
        sigma = enter_single(scene, TOTAL)
        by, unit = shown_unit(str(sigma.attrs["units"]))
        low, high = robust_limits(by * sigma.values)
        name = layer_label(label(column), TOTAL)
        colours = {"cmap": colour_map(UNCERTAINTY_RAMP), "vmin": low, "vmax": high}
        panel = {"uncertainty (one standard deviation)": by * sigma.values}
        groups = [*groups, Panels(images=panel, label=f"{name} / {unit}", colours=colours)]
    figure = draw_groups(groups, bounds_of(column))
    finish_maps(figure, column)
    return figure
