"""Animations of a series of maps: one scale, one place, and the date of each."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.atomic import replace_atomically
from no2sr.core.errors import DimensionError, MissingDependencyError, SettingsError
from no2sr.core.grid import transform_of
from no2sr.views.figures import check_matplotlib
from no2sr.views.pairs import find_limits
from no2sr.views.plotting import plot_map

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import xarray as xr
    from matplotlib.animation import AbstractMovieWriter
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "animate", "check_writer"]

SUFFIXES = (".gif", ".mp4")
DOTS_PER_INCH = 110
FEWEST = 2


def check_writer(path: str | Path) -> str:
    """Check that an animation can be written under a name.

    Returns
    -------
    str
        The suffix in lower case.

    Raises
    ------
    SettingsError
        If the suffix is unknown.
    MissingDependencyError
        If matplotlib is not installed, or ffmpeg for an MP4.
    """
    check_matplotlib()
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise SettingsError(
            f"animation {Path(path).name} has {f'the suffix {suffix}' if suffix else 'no suffix'}; "
            f"choose one of {', '.join(SUFFIXES)}"
        )
    if suffix == ".mp4" and _find_ffmpeg() is None:
        raise MissingDependencyError(
            "ffmpeg, which writes .mp4, is not installed; install it, or imageio-ffmpeg with pip, "
            "or write a .gif"
        )
    return suffix


def animate(
    frames: Mapping[str, xr.DataArray],
    path: str | Path,
    *,
    draw: Callable[..., Figure] = plot_map,
    limits: Sequence[float] | None = None,
    fps: float = 2,
    overwrite: bool = False,
) -> Path:
    """Write maps of one place as an animation.

    Parameters
    ----------
    frames : mapping of str to DataArray, (y, x)
        Maps in their order, by what is shown above each, such as its date; on one grid, in one
        unit.
    path : str or Path
        A ``.gif``, or a ``.mp4`` if there is ffmpeg.
    draw : callable
        Called for each map as ``draw(image, limits=..., title=...)``; by default `plot_map`.
    limits : (low, high), optional
        Limits of the colours of all maps, in the unit shown; by default all but 1 % of the values
        of all maps lie between.
    fps : float
        Maps per second.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    DimensionError
        If there are fewer than two maps, or they differ in grid or unit.
    SettingsError, MissingDependencyError
        As for `check_writer`.
    OutputExistsError, WriteError
        If the file exists or cannot be written.
    """
    suffix = check_writer(path)
    from matplotlib import rc_context

    _check_alike(frames)
    both = find_limits(list(frames.values())) if limits is None else limits
    final = Path(path)
    figures = (draw(image, limits=both, title=title) for title, image in frames.items())
    first = next(figures)
    width, height = first.get_size_inches()
    writer = _make_writer(suffix, fps)
    with (
        rc_context({"animation.ffmpeg_path": _find_ffmpeg() or "ffmpeg"}),
        replace_atomically(final, overwrite=overwrite) as temporary,
        writer.saving(first, str(temporary), DOTS_PER_INCH),
    ):
        for figure in chain([first], figures):
            # The writer takes pictures of one figure; others of the same size take its place.
            figure.set_size_inches(width, height)
            writer.fig = figure
            writer.grab_frame()
    return final


def _make_writer(suffix: str, fps: Any) -> AbstractMovieWriter:
    """Make the writer of matplotlib for a suffix."""
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if suffix == ".gif":
        return PillowWriter(fps=fps)
    # Every player knows yuv420p, which needs even numbers of pixels.
    even = "scale=trunc(iw/2)*2:trunc(ih/2)*2"
    return FFMpegWriter(fps=fps, codec="libx264", extra_args=["-vf", even, "-pix_fmt", "yuv420p"])


def _find_ffmpeg() -> str | None:
    """Find the program ffmpeg, or the one that the package imageio-ffmpeg ships."""
    found = shutil.which("ffmpeg")
    if found is None and find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    return found


def _check_alike(frames: Mapping[str, xr.DataArray]) -> None:
    """Refuse maps that cannot be shown one after the other."""
    if len(frames) < FEWEST:
        raise DimensionError(
            f"the series has {len(frames)} map; an animation needs at least {FEWEST}: give several "
            "files, or one with several times"
        )
    (name, first), *others = frames.items()
    for other, image in others:
        told: dict[str, tuple[Any, Any]] = {
            "size": (first.shape, image.shape),
            "unit": (first.attrs["units"], image.attrs["units"]),
            "CRS": (first.rio.crs, image.rio.crs),
        }
        odd = next((what for what, (one, two) in told.items() if one != two), None)
        apart = np.subtract(transform_of(first)[:6], transform_of(image)[:6])
        if odd is None and np.abs(apart).max() > 1e-3 * abs(transform_of(first).a):
            odd = "place"
        if odd is not None:
            raise DimensionError(
                f"the maps {name} and {other} differ in {odd}; give maps on one grid, for example "
                "cut to the same bbox="
            )
