"""Open files as one scene: the two public functions `open_no2` and `grid`."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import SettingsError
from no2sr.readers.port import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import xarray as xr

    from no2sr.core.earth import Box
    from no2sr.readers.kit.time import Moment
    from no2sr.readers.opening.source import Source
    from no2sr.readers.port import Paths

__all__ = ["grid", "open_no2"]


def open_no2(  # noqa: PLR0913 - one argument a question that a file can raise
    path_or_paths: Paths,
    *,
    reader: str | None = None,
    variable: str | None = None,
    unit: str | None = None,
    nodata: float | None = None,
    qa_min: float | None = None,
    limits: Mapping[str, float] | None = None,
    bbox: Box | None = None,
    resolution: float | None = None,
    time: Moment | None = None,
    chunks: Any = None,
) -> xr.Dataset:
    """Open an NO2 file, or several, as one scene: the column and its companions.

    Parameters
    ----------
    path_or_paths : str, Path, or iterable of them
        A folder means the files in it, a pattern such as ``"2023/*.nc"`` the files that match;
        either must contain a single product. Several swaths are merged on one grid by summed
        weights, one at a time. Several grids are stacked along ``time``; they must have equal axes,
        and different times or a date in each name, and some may consist of gaps. Shards of one
        Earth Engine export are joined.
    reader : str, optional
        Name of a reader (see `available_readers`); by default the structure of the file decides.
    variable : str, optional
        Variable or band (name or number); by default the tropospheric NO2 column. Other gases and
        quantities must be named, and keep their unit if it is not a column unit.
    unit : str, optional
        Unit of the values in the file, if the file states none or a wrong one. The scene is in
        mol m-2 in any case.
    nodata : float, optional
        Number that marks a gap, as stored in the file, if the file does not declare it. Undeclared
        fills that can be recognised are gaps without this, with a warning.
    qa_min : float, optional
        Quality, 0..1, that a pixel of Sentinel-5P level 2, or of HARP with a validity, must exceed;
        compared with the stored byte as ``byte > round(100 * qa_min)``; by default 0.75. TEMPO and
        GEMS have their own screens, which ``history`` records; other grids have no quality. A
        threshold is refused for a product without quality.
    limits : mapping of str to float, optional
        Other limits for the screens of TEMPO and GEMS, such as ``{"eff_cloud_fraction": 0.5}``; the
        others keep their defaults. An infinite limit lets every known value pass.
    bbox : (west, south, east, north), optional
        Region in degrees, whatever the CRS; every cell that it touches is kept. A west greater than
        the east means a region across the antimeridian.
    resolution : float, optional
        Cell size in degrees of the grid for swaths, by default 0.05; for swaths and curvilinear
        grids of unknown products, the size of their pixels if it differs much from that.
    time : str, datetime or datetime64, optional
        Take this step of a grid with several; a part such as ``"2023-10"`` takes all steps in it.
        For a file without times: when it was observed, as a year, a month, a day or a moment, or
        two with a slash between, such as ``"2019-08-01/2019-08-14"``.
    chunks : optional
        Passed to xarray, to read grids lazily with dask. Swaths are read into memory: for them,
        only ``"auto"`` is accepted.

    Returns
    -------
    Dataset, (y, x) or (time, y, x)
        A scene (see `no2sr.core.layers`): the column under its own name, in mol m-2, an image of
        `no2sr.core.image.check_image` with its negative values kept, and its known companions:
        ``<column>_uncertainty_random``, ``<column>_uncertainty_systematic``,
        ``<column>_uncertainty``, ``coverage`` and ``count`` (gridded swaths have these two). An
        attribute ``comment`` says where an uncertainty comes from. ``time`` and its bounds
        ``time_bnds`` say when it was observed, in UTC, if the files or `time` do.

    Raises
    ------
    ReadError
        If the file is missing, broken or in an unknown format, or if it has no such variable or no
        valid pixel.
    ImageError
        If its grid, CRS or unit cannot be understood.
    SettingsError
        If an argument is out of range or does not apply, such as `resolution` to a grid, or
        `limits` to a product without such a screen.

    Warns
    -----
    UnverifiedUnitsWarning
        If the unit was inferred from the size of the values, or contradicts it.
    RepairWarning
        If undeclared fills or infinite values were set to NaN, rows beyond a pole were cut off, or
        an uncertainty was left out because it cannot be that of the column: negative, missing, on
        another grid, in another unit, or larger than any column. Also if more values are exactly 0
        than can have been measured; these are kept.
    ManyGapsWarning
        If one of several files holds no pixels.
    OversampledWarning
        If the grid is finer than its effective resolution; `no2sr.coarsen_to_native` averages it.
        Lazy values are not checked.
    No2srWarning
        If a noisy column has no negative value.

    Notes
    -----
    The NetCDF libraries are not thread-safe, and neither is this function: read in one thread, or
    in several processes.
    """
    from no2sr.readers.opening.cropping import check_box
    from no2sr.readers.opening.doubts import doubt_resolution
    from no2sr.readers.opening.grids import column_of
    from no2sr.readers.opening.source import is_swath
    from no2sr.readers.opening.sources import read_sources, refuse

    box = None if bbox is None else check_box(bbox)
    options = ReadOptions(
        variable=variable,
        qa_min=qa_min,
        unit=unit,
        nodata=nodata,
        chunks=chunks,
        bbox=box,
        limits=limits,
    )
    first, rest = read_sources(path_or_paths, reader, options)
    if is_swath(first.dataset):
        # This import compiles a kernel, for which grids need not wait.
        from no2sr.readers.opening.swaths import Gridding, merge_swaths

        refuse(chunks=chunks)
        gridding = Gridding(bbox=bbox, resolution=resolution, time=time)
        scene = merge_swaths(first, rest, options=options, gridding=gridding)
        doubt_resolution(column_of(scene))
        return scene
    refuse(resolution=resolution)
    return _open_grids(first, rest, options, time=time, bbox=bbox)


def _open_grids(
    first: Source,
    rest: Iterator[Source],
    options: ReadOptions,
    *,
    time: Moment | None,
    bbox: Box | None,
) -> xr.Dataset:
    """Open one grid, or stack several along time."""
    from no2sr.readers.opening.doubts import doubt_resolution, doubt_values
    from no2sr.readers.opening.grids import check_seen, column_of, scene_of
    from no2sr.readers.opening.stacks import stack_scenes

    second = next(rest, None)
    alone = second is None
    found = chain([first], filter(None, [second]), rest)  # read when its turn comes
    scenes = [scene_of(s, options=options, time=time, bbox=bbox, alone=alone) for s in found]
    scene = scenes[0] if alone else stack_scenes(scenes)
    check_seen(column_of(scene), first)
    doubt_resolution(column_of(scene))
    doubt_values(column_of(scene))
    return scene


def grid(  # noqa: PLR0913 - as for open_no2
    path_or_paths: Paths,
    *,
    reader: str | None = None,
    variable: str | None = None,
    unit: str | None = None,
    nodata: float | None = None,
    qa_min: float | None = None,
    limits: Mapping[str, float] | None = None,
    bbox: Box | None = None,
    resolution: float | None = None,
    time: Moment | None = None,
    correlation: float | None = None,
    freq: str | None = None,
    lazy: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Put swaths on one grid: one mean of all, or one for each day, month, season or year.

    Parameters
    ----------
    path_or_paths, reader, variable, unit, nodata, qa_min, limits, bbox, resolution, time
        As for `open_no2`.
    correlation : float, optional
        Correlation between the systematic errors of two overpasses, 0..1; by default
        `no2sr.swaths.sums.CORRELATION`, 0.3.
    freq : str, optional
        Average by time: ``"day"``, ``"month"``, ``"season"`` (from December), ``"year"``, or a
        pandas offset that begins a period, such as ``"MS"``. There is one mean, with its count,
        coverage and uncertainties, for each period with pixels; time is UTC. Files that do not
        say when they were observed are dated by their names.
    lazy : bool
        As for `no2sr.swaths.gridding.grid_swaths`.
    progress : callable, optional
        Called with the number of files done and the total.

    Returns
    -------
    Dataset, (y, x) or, with `freq`, (time, y, x)
        The scene that `open_no2` returns, with the same names; see
        `no2sr.swaths.gridding.grid_swaths`. The time of a period is its beginning, and
        ``time_bnds`` holds both ends.

    Raises
    ------
    SettingsError
        If the files are already grids, or as for `open_no2`.
    ReadError, ImageError
        As for `open_no2`.
    """
    from no2sr.readers.opening.source import is_swath
    from no2sr.readers.opening.sources import read_sources
    from no2sr.readers.opening.swaths import Gridding, merge_swaths
    from no2sr.swaths.sums import CORRELATION

    options = ReadOptions(variable=variable, qa_min=qa_min, unit=unit, nodata=nodata, limits=limits)
    first, rest = read_sources(path_or_paths, reader, options, progress=progress)
    if not is_swath(first.dataset):
        first.dataset.close()
        raise SettingsError(
            f"{first.path.name} is already a grid; refine it with no2sr downscale, or open it with "
            "no2sr.open_no2"
        )
    gridding = Gridding(
        bbox=bbox,
        resolution=resolution,
        time=time,
        freq=freq,
        correlation=CORRELATION if correlation is None else correlation,
        lazy=lazy,
    )
    return merge_swaths(first, rest, options=options, gridding=gridding)
