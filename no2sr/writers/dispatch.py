"""Writers: a scene in, complete files out.

Every writer takes anything that `no2sr.core.door.enter` takes. It writes under a temporary name in
the same folder, renames at the end, and replaces nothing unless asked to. Equal scenes give equal
bytes.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from no2sr.core.colours import PICTURE
from no2sr.core.errors import DimensionError, SettingsError
from no2sr.writers.geotiff import LONGEST, check_times, write_geotiff
from no2sr.writers.netcdf import write_netcdf
from no2sr.writers.pictures import write_picture
from no2sr.writers.zarr import check_zarr, write_zarr

__all__ = [
    "check_fits",
    "check_suffix",
    "write",
    "write_geotiff",
    "write_netcdf",
    "write_picture",
    "write_zarr",
]

_WRITERS = {
    ".tif": write_geotiff,
    ".tiff": write_geotiff,
    ".nc": write_netcdf,
    ".zarr": write_zarr,
}


def write(
    scene: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
    style: bool | tuple[float, float] = False,
) -> Path:
    """Write a scene in the format that the suffix names.

    Parameters
    ----------
    scene : DataArray or Dataset
        A column with its companions, or a column alone: anything that `no2sr.core.door.enter`
        takes. Or a picture of `no2sr.render` or `no2sr.enhance`.
    path : str or Path
        ``.tif`` or ``.tiff`` for cloud-optimised GeoTIFFs, ``.nc`` for CF NetCDF, ``.zarr`` for a
        Zarr store; for a picture ``.tif``, ``.png`` or ``.jpg``. The folder must exist.
    overwrite : bool
        Replace existing files. Of an earlier set of GeoTIFFs, layers that this scene does not have
        are removed.
    unit : str, optional
        Column unit of the column and its uncertainties in the file: any spelling of
        `no2sr.core.units`, or ``umol``, ``mol``, ``molec`` or ``Pmolec``; by default that of the
        column.
    style : bool or (low, high)
        Put a style for QGIS beside every GeoTIFF. Other formats have no styles. Limits, in the unit
        shown, give the columns of several files one colour scale.

    Returns
    -------
    Path
        The complete file. All layers are in it, except that a GeoTIFF holds the column and each
        companion has a GeoTIFF beside it, such as ``a_uncertainty.tif`` for ``a.tif``.

    Raises
    ------
    SettingsError
        If the suffix is unknown.
    OutputExistsError
        If a file exists and `overwrite` is false.
    WriteError
        If a file cannot be written. Nothing is left behind.
    UnitsError
        If the scene cannot be converted to `unit`.
    """
    if isinstance(scene, xr.DataArray) and PICTURE in scene.attrs:
        return write_picture(scene, path, overwrite=overwrite)
    writer = _WRITERS[check_suffix(path)]
    if writer is write_geotiff:
        return write_geotiff(scene, path, overwrite=overwrite, unit=unit, style=style)
    return writer(scene, path, overwrite=overwrite, unit=unit)


def check_suffix(path: str | Path, *, times: int = 1) -> str:
    """Check that a writer knows the suffix of an output.

    Parameters
    ----------
    path : str or Path
    times : int
        Number of times in the scene that is to be written.

    Returns
    -------
    str
        The suffix in lower case.

    Raises
    ------
    SettingsError
        If no writer knows it.
    DimensionError
        If the format holds one time and there are more.
    MissingDependencyError
        If the format needs a package that is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise SettingsError(
            f"output {Path(path).name} has {f'the suffix {suffix}' if suffix else 'no suffix'}; "
            f"choose one of {', '.join(_WRITERS)}"
        )
    if _WRITERS[suffix] is write_geotiff:
        check_times(times)
    if suffix == ".zarr":
        check_zarr()
    return suffix


def check_fits(path: str | Path, shape: tuple[int, int, int]) -> None:
    """Check that the format of an output can hold an image.

    Parameters
    ----------
    path : str or Path
    shape : (times, rows, columns)

    Raises
    ------
    SettingsError
        If no writer knows the suffix.
    DimensionError
        If there are too many times, rows or columns.
    """
    suffix = check_suffix(path, times=shape[0])
    if _WRITERS[suffix] is write_geotiff and max(shape) > LONGEST:
        raise DimensionError(
            f"the fine image has {shape[1]} x {shape[2]} cells and a GeoTIFF holds at most "
            f"{LONGEST} along an axis; refine a smaller region, or write .zarr"
        )
