"""Open files as one scene: the two public functions, and what each asks in turn."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import SettingsError
from no2sr.readers.port import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xarray as xr

    from no2sr.core.earth import Box
    from no2sr.readers.kit.time import Moment
    from no2sr.readers.port import Paths

__all__ = ["grid_no2", "open_no2"]


def open_no2(  # noqa: PLR0913 - one argument a question that a file can raise
    path_or_paths: Paths,
    *,
    reader: str | None = None,
    variable: str | None = None,
    unit: str | None = None,
    qa_min: float = 0.75,
    limits: Mapping[str, float] | None = None,
    bbox: Box | None = None,
    resolution: float | None = None,
    time: Moment | None = None,
    chunks: Any = None,
) -> xr.DataArray:
    """Open an NO2 file, or several, as one image.

    Parameters
    ----------
    path_or_paths : str, Path, or iterable of them
        A folder stands for the files in it, a pattern such as ``"2023/*.nc"`` for those that match;
        either may hold one product only. Several swaths are merged on one grid by summed weights,
        one at a time. Several grids must have equal axes and times of their own; they are stacked
        along ``time``, one of nothing but gaps, too. Shards of one Earth Engine export are put
        together.
    reader : str, optional
        Name of a reader (see `available_readers`); by default the structure of the file decides.
    variable : str, optional
        Which variable or band (name or number); by default the tropospheric NO2 column. Other gases
        and quantities are reached by name only, and keep a unit that is no column unit.
    unit : str, optional
        The unit of the values in the file, where the file says none or a wrong one. The image is in
        mol m-2 all the same.
    qa_min : float
        Quality, 0..1, that a pixel of Sentinel-5P level 2 must exceed; compared with the stored
        byte as ``byte > round(100 * qa_min)``. TEMPO and GEMS have screens of their own, recorded
        in ``history``; other grids carry no quality any more.
    limits : mapping of str to float, optional
        Other limits for the screens of TEMPO and GEMS, such as ``{"eff_cloud_fraction": 0.5}``;
        those not named keep their defaults. An infinite limit lets every known value pass.
    bbox : (west, south, east, north), optional
        Region in degrees, whatever the CRS; every cell that it touches is kept. West greater than
        east means across the antimeridian.
    resolution : float, optional
        Cell size in degrees of the grid for swaths, by default 0.05.
    time : str, datetime or datetime64, optional
        Take this step of a grid with several; a part such as ``"2023-10"`` takes all steps in it.
    chunks : optional
        Passed to xarray, to read grids lazily with dask.

    Returns
    -------
    DataArray, (y, x) or (time, y, x), mol m-2
        The image of `no2sr.core.image.check_image`. Negative columns are kept.

    Raises
    ------
    ReadError
        If the file is missing, broken, of unknown format, has no such variable, or no valid pixel.
    ImageError
        If its grid, CRS or unit cannot be understood.
    SettingsError
        If an argument is out of range or does not apply, such as `resolution` to a grid or `limits`
        to a product that has no such screen.

    Warns
    -----
    UnverifiedUnitsWarning
        If the unit was inferred from the size of the values, or contradicts it.
    RepairWarning
        If infinite values were set missing, or rows beyond a pole cut off.
    ManyGapsWarning
        If one of several files holds no pixels.
    OversampledWarning
        If the grid is finer than what it resolves; `no2sr.coarsen_to_native` averages it to that.
        Values that are left unread with `chunks` are not looked at.

    Notes
    -----
    The libraries under NetCDF are not thread-safe, and neither is this: read in one thread, or in
    several processes.
    """
    from no2sr.readers.opening.doubts import doubt_resolution
    from no2sr.readers.opening.grids import check_seen, checked_box, image_of
    from no2sr.readers.opening.source import is_swath
    from no2sr.readers.opening.sources import refuse, sources
    from no2sr.readers.opening.stacks import stacked

    box = None if bbox is None else checked_box(bbox)
    options = ReadOptions(
        variable=variable, qa_min=qa_min, unit=unit, chunks=chunks, bbox=box, limits=limits
    )
    first, rest = sources(path_or_paths, reader, options)
    if is_swath(first.dataset):
        from no2sr.readers.opening.swaths import (
            merged,  # compiles its kernel: no grid should wait for it
        )

        refuse(time=time)
        gridded = merged(first, rest, options=options, bbox=bbox, resolution=resolution, lazy=True)
        column = gridded["column"].compute()
        column = column.rename(first.dataset.attrs.get("variable", "column"))
        doubt_resolution(column)
        return column
    refuse(resolution=resolution)
    second = next(rest, None)
    alone = second is None
    found = chain([first], filter(None, [second]), rest)  # read when its turn comes
    images = [image_of(s, options=options, time=time, bbox=bbox, alone=alone) for s in found]
    image = images[0] if alone else stacked(images)
    check_seen(image, first)
    doubt_resolution(image)
    return image


def grid_no2(  # noqa: PLR0913 - as for open_no2
    path_or_paths: Paths,
    *,
    reader: str | None = None,
    variable: str | None = None,
    unit: str | None = None,
    qa_min: float = 0.75,
    limits: Mapping[str, float] | None = None,
    bbox: Box | None = None,
    resolution: float | None = None,
    lazy: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Grid swaths as `open_no2` does, and return all that is known of each cell.

    Parameters
    ----------
    path_or_paths, reader, variable, unit, qa_min, limits, bbox, resolution
        As for `open_no2`.
    lazy : bool
        As for `no2sr.swaths.gridding.grid_swaths`.
    progress : callable, optional
        Called with the number of files done and the number there are.

    Returns
    -------
    Dataset, (y, x)
        ``column`` (the image of `open_no2`), ``coverage`` (0..1), ``count`` (pixels), and where the
        swaths have it ``precision`` and ``precision_independent``; see
        `no2sr.swaths.gridding.grid_swaths`.

    Raises
    ------
    SettingsError
        If the files are grids already, or as for `open_no2`.
    ReadError, ImageError
        As for `open_no2`.
    """
    from no2sr.readers.opening.source import is_swath
    from no2sr.readers.opening.sources import sources
    from no2sr.readers.opening.swaths import merged

    options = ReadOptions(variable=variable, qa_min=qa_min, unit=unit, limits=limits)
    first, rest = sources(path_or_paths, reader, options, progress=progress)
    if not is_swath(first.dataset):
        first.dataset.close()
        raise SettingsError(
            f"{first.path.name} is a grid already, expected swaths; open it with open_no2"
        )
    return merged(first, rest, options=options, bbox=bbox, resolution=resolution, lazy=lazy)
