"""Writers: an image in, one complete file out.

Every writer takes anything that `no2sr.core.door.enter` takes, writes under a temporary name in the
same folder and renames at the end, and never replaces a file unasked. Equal images give equal
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
    image: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    unit: str | None = None,
    style: bool = False,
) -> Path:
    """Write an image in the format that the suffix names.

    Parameters
    ----------
    image : DataArray or Dataset
        An image, or anything else that `no2sr.core.door.enter` takes, or a picture of
        `no2sr.render` or `no2sr.enhance`.
    path : str or Path
        ``.tif`` or ``.tiff`` for a cloud-optimised GeoTIFF, ``.nc`` for CF NetCDF, ``.zarr`` for a
        Zarr store; for a picture ``.tif``, ``.png`` or ``.jpg``. The folder must exist.
    overwrite : bool
        Whether to replace an existing file.
    unit : str, optional
        Column unit of the values in the file, in any spelling of `no2sr.core.units`, or briefly
        ``umol``, ``mol``, ``molec`` or ``Pmolec``; by default that of the image.
    style : bool
        Whether a GeoTIFF gets a style for QGIS beside it; the other formats have none.

    Returns
    -------
    Path
        Where the complete file is.

    Raises
    ------
    SettingsError
        If the suffix is another one.
    OutputExistsError
        If the file is there and `overwrite` is false.
    WriteError
        If it cannot be written. Nothing is left behind.
    UnitsError
        If the image cannot be converted to `unit`.
    """
    if isinstance(image, xr.DataArray) and PICTURE in image.attrs:
        return write_picture(image, path, overwrite=overwrite)
    writer = _WRITERS[check_suffix(path)]
    if writer is write_geotiff:
        return write_geotiff(image, path, overwrite=overwrite, unit=unit, style=style)
    return writer(image, path, overwrite=overwrite, unit=unit)


def check_suffix(path: str | Path, *, times: int = 1) -> str:
    """Return the suffix of an output, in lower case.

    Parameters
    ----------
    path : str or Path
    times : int
        How many times the image holds that is to be written.

    Raises
    ------
    SettingsError
        If no writer answers to it.
    DimensionError
        If the format holds one time and there are more.
    MissingDependencyError
        If the format needs a package that is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise SettingsError(
            f"output {Path(path).name} has the suffix {suffix or '(none)'}, expected "
            f"{', '.join(_WRITERS)}; choose one of these"
        )
    if _WRITERS[suffix] is write_geotiff:
        check_times(times)
    if suffix == ".zarr":
        check_zarr()
    return suffix


def check_fits(path: str | Path, shape: tuple[int, int, int]) -> None:
    """Refuse an image that the format of an output cannot hold.

    Parameters
    ----------
    path : str or Path
    shape : (times, rows, columns)

    Raises
    ------
    SettingsError
        If no writer answers to the suffix.
    DimensionError
        If there are too many times, rows or columns.
    """
    suffix = check_suffix(path, times=shape[0])
    if _WRITERS[suffix] is write_geotiff and max(shape) > LONGEST:
        raise DimensionError(
            f"the fine image has {shape[1]} x {shape[2]} cells, expected at most {LONGEST} along "
            "an axis of a GeoTIFF; refine a smaller region, or write .zarr"
        )
