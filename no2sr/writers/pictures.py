"""Pictures as GeoTIFF, PNG or JPEG, each saying in a tag that it is one.

A GeoTIFF is georeferenced itself. A PNG or JPEG gets a world file, which every GIS program knows,
and an ``.aux.xml`` with the CRS, which GDAL and QGIS read.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

from no2sr.core.atomic import check_free, replace_atomically
from no2sr.core.colours import PICTURE
from no2sr.core.errors import DimensionError, SettingsError
from no2sr.core.grid import transform_of
from no2sr.writers.qgis_style import replace_with_style

if TYPE_CHECKING:
    import xarray as xr
    from affine import Affine
    from numpy.typing import NDArray

__all__ = ["SUFFIXES", "check_picture", "check_picture_suffix", "world_file", "write_picture"]

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
QUALITY = 95


def check_picture_suffix(path: str | Path) -> str:
    """Check that a picture can be written under a name.

    Returns
    -------
    str
        The suffix in lower case.

    Raises
    ------
    SettingsError
        If the suffix is not that of a picture.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise SettingsError(
            f"picture {Path(path).name} has {f'the suffix {suffix}' if suffix else 'no suffix'}; "
            f"choose one of {', '.join(SUFFIXES)}"
        )
    return suffix


def check_picture(picture: xr.DataArray) -> NDArray[np.uint8]:
    """Check that an array is a picture.

    Returns
    -------
    array, (band, y, x), uint8
        Its values.

    Raises
    ------
    DimensionError
        If it is not.
    """
    if (
        picture.ndim != 3
        or picture.dims[-2:] != ("y", "x")
        or picture.dtype != np.uint8
        or len(picture) not in (3, 4)
    ):
        found = " x ".join(f"{size} {name}" for name, size in picture.sizes.items())
        raise DimensionError(
            f"it holds {found} of {picture.dtype}, and a picture has 3 or 4 bands of uint8 on y "
            "and x; make a picture of an image with render, or give measured values to downscale"
        )
    values: NDArray[np.uint8] = picture.to_numpy()
    return values


def world_file(path: Path) -> Path:
    """Name the world file of a picture: ``.pgw`` for ``.png``."""
    suffix = path.suffix
    return path.with_suffix(f".{suffix[1]}{suffix[-1]}w")


def write_picture(picture: xr.DataArray, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a picture in the format that the suffix names.

    Parameters
    ----------
    picture : DataArray, (band, y, x), uint8
        What `no2sr.render` and `no2sr.enhance` return.
    path : str or Path
        ``.tif`` or ``.tiff``, ``.png``, ``.jpg`` or ``.jpeg``.
    overwrite : bool
        Replace an existing file, together with its world file and ``.aux.xml``. Without it, none
        of these is replaced.

    Returns
    -------
    Path

    Raises
    ------
    DimensionError
        If it is not a picture.
    SettingsError
        If the suffix is unknown, or the format has no transparency.
    OutputExistsError, WriteError
        As for `no2sr.write`.
    """
    check_picture(picture)
    final = Path(path)
    suffix = check_picture_suffix(final)
    if suffix in (".tif", ".tiff"):
        with replace_with_style(final, overwrite=overwrite, style=False) as temporary:
            _write_geotiff(picture, temporary)
        return final
    if suffix != ".png" and len(picture) == 4:
        raise SettingsError(
            f"the picture has transparent parts, which {final.name} cannot hold; "
            "choose .png or .tif"
        )
    beside = _compose_beside(picture, final)
    for place in (final, world_file(final), _pam_file(final)):
        check_free(place, overwrite=overwrite)
    with ExitStack() as stack:
        # The picture is entered last, so it is placed first; the files beside it then replace
        # the earlier ones.
        for place, text in beside.items():
            temporary = stack.enter_context(replace_atomically(place, overwrite=overwrite))
            temporary.write_text(text, encoding="utf-8")
        _write_plain(picture, stack.enter_context(replace_atomically(final, overwrite=overwrite)))
    if overwrite and world_file(final) not in beside:
        world_file(final).unlink(missing_ok=True)
    return final


def _write_geotiff(picture: xr.DataArray, path: Path) -> None:
    """Write the bands unchanged, with their place and the tag."""
    import warnings

    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.errors import NotGeoreferencedWarning

    bands, ny, nx = picture.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": nx,
        "height": ny,
        "count": bands,
        "dtype": "uint8",
        "photometric": "RGB",
        "compress": "DEFLATE",
        "predictor": 2,
        "tiled": True,
        "bigtiff": "IF_SAFER",
    }
    if "x" in picture.coords:
        profile["transform"] = transform_of(picture)
        profile["crs"] = None if picture.rio.crs is None else picture.rio.crs.to_wkt()
    kinds = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # some pictures have no place
        with rasterio.open(path, "w", **profile) as file:
            file.colorinterp = kinds[:bands]
            file.update_tags(**{PICTURE: _describe(picture)})
            file.write(picture.to_numpy())


def _write_plain(picture: xr.DataArray, path: Path) -> None:
    """Write a PNG or JPEG with the tag in a text chunk or comment."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    pixels = Image.fromarray(np.ascontiguousarray(np.moveaxis(picture.to_numpy(), 0, -1)))
    if path.suffix.lower() == ".png":
        text = PngInfo()
        text.add_text(PICTURE, _describe(picture))
        pixels.save(path, format="PNG", pnginfo=text)
    else:
        comment = f"{PICTURE}: {_describe(picture)}".encode()
        pixels.save(path, format="JPEG", quality=QUALITY, subsampling=0, comment=comment)


def _describe(picture: xr.DataArray) -> str:
    return str(picture.attrs.get(PICTURE, "a picture"))


def _pam_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.aux.xml")


def _compose_beside(picture: xr.DataArray, final: Path) -> dict[Path, str]:
    """Compose the files that say where a picture lies."""
    if "x" not in picture.coords:
        return {}
    transform = transform_of(picture)
    texts = {world_file(final): _compose_world(transform)}
    if picture.rio.crs is not None:
        texts[_pam_file(final)] = _compose_pam(picture.rio.crs.to_wkt(), transform)
    return texts


def _compose_world(t: Affine) -> str:
    """Compose the six lines of a world file; its corner is the centre of the first pixel."""
    x, y = t.c + (t.a + t.b) / 2, t.f + (t.d + t.e) / 2
    return "".join(f"{number!r}\n" for number in (t.a, t.d, t.b, t.e, x, y))


def _compose_pam(wkt: str, t: Affine) -> str:
    """Compose the file that GDAL writes where a format cannot hold a CRS."""
    numbers = ", ".join(repr(number) for number in t.to_gdal())
    return (
        f'<PAMDataset>\n  <SRS dataAxisToSRSAxisMapping="2,1">{escape(wkt)}</SRS>\n'
        f"  <GeoTransform>{numbers}</GeoTransform>\n</PAMDataset>\n"
    )
