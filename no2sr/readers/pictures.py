"""Pictures: bands of colour with their place on a map, or plain pixels.

Nothing that is read here becomes a column: `no2sr.open_no2` does not use this module.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine

from no2sr.core.colours import PICTURE
from no2sr.core.errors import (
    FileUnreadableError,
    IrregularGridError,
    No2srError,
    UnknownFormatError,
)
from no2sr.core.grid import georeference
from no2sr.readers.kit.bands import is_tiff, open_raster
from no2sr.readers.kit.files import (
    check_room,
    check_there,
    explain_read_errors,
    picture_kind,
    read_beginning,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

__all__ = ["open_picture", "read_pixels"]

_BANDS = ("red", "green", "blue", "alpha")
SLACK = 0.1  # pixels by which a world file may differ from the picture, because of rounding


def open_picture(path: str | Path) -> xr.DataArray:
    """Open a picture.

    Parameters
    ----------
    path : str or Path
        An 8-bit RGB or palette picture, with or without alpha, as GeoTIFF, PNG or JPEG. A world
        file beside it is used.

    Returns
    -------
    DataArray, (band, y, x), uint8
        Bands ``red``, ``green``, ``blue``, and ``alpha`` if there is one. It has coordinates if the
        picture states its place, and a CRS if the picture states one.

    Raises
    ------
    FileUnreadableError
        If it does not exist or is damaged.
    UnknownFormatError
        If it is not such a picture, or has no colours.
    IrregularGridError
        If it is rotated, or its world file contradicts its CRS or its own transform.
    """
    path = Path(path)
    check_there(path)
    if is_tiff(path):
        with _explain_read_errors(path):
            bands, told = _read_tiff(path)
    elif picture_kind(path) in ("PNG", "JPEG"):
        with _explain_read_errors(path):
            bands, told = _read_plain(path)
    else:
        raise UnknownFormatError(
            f"{path.name} begins with {read_beginning(path, 8)!r}, so it is not a GeoTIFF, PNG or "
            "JPEG; convert it to one of these"
        )
    picture = xr.DataArray(
        bands,
        dims=("band", "y", "x"),
        coords={"band": list(_BANDS[: len(bands)])},
        attrs={PICTURE: told or f"a picture read from {path.name}"},
    )
    with _explain_read_errors(path):
        transform, crs = _place(path)
        if transform is None:
            return picture
        _check_place(path, transform, crs, picture.shape[1:])
        return georeference(picture, transform, crs)


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """Read a PNG, BMP or JPEG as red, green and blue.

    Parameters
    ----------
    path : Path

    Returns
    -------
    array, (y, x, 3), uint8
        Three equal bands for grey pictures; transparent pixels have their stored colours.

    Raises
    ------
    FileUnreadableError
        If it does not exist, is damaged, or is not such a picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "BMP", "JPEG")) as file:
                return np.asarray(file.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise FileUnreadableError(
            f"{path} cannot be read ({error}) as a PNG, BMP or JPEG of less than "
            f"{Image.MAX_IMAGE_PIXELS} pixels; leave it out, or download it again"
        ) from error


@contextmanager
def _explain_read_errors(path: Path) -> Iterator[None]:
    """Convert the errors that libraries raise for a broken picture to `FileUnreadableError`."""
    from PIL import Image
    from rasterio.errors import CRSError

    broken = (SyntaxError, ValueError, EOFError, struct.error, zlib.error, CRSError)
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings(), explain_read_errors(path):
            warnings.simplefilter("ignore", UserWarning)  # from Pillow, about odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except No2srError:  # some are also a ValueError
        raise
    except (*broken, *bombs) as error:
        raise FileUnreadableError(
            f"{path.name} cannot be read ({error}) as a picture of less than "
            f"{Image.MAX_IMAGE_PIXELS} pixels; download it again, or cut it into parts"
        ) from error


def _read_tiff(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Read the bands of a GeoTIFF; a palette is expanded to colours."""
    with open_raster(path) as raster:
        check_room(4 * raster.width * raster.height, path)
        told = raster.tags().get(PICTURE, "")
        if raster.count == 1 and raster.colorinterp[0].name == "palette":
            return _unfold(raster), told
        if raster.count not in (3, 4) or set(raster.dtypes) != {"uint8"}:
            what = f"{raster.count} x {raster.dtypes[0]}"
            raise _no_colours_error(path, what, data=raster.dtypes[0] != "uint8")
        return raster.read(_find_colours(raster, path)), told


def _find_colours(raster: Any, path: Path) -> list[int]:
    """Return the bands that hold colours and alpha; a fourth band need not be alpha."""
    names = [meaning.name for meaning in raster.colorinterp]
    if len(names) == 3 or names[3] == "alpha":
        return [*range(1, len(names) + 1)]
    if names[:3] == ["red", "green", "blue"]:
        return [1, 2, 3]
    raise UnknownFormatError(
        f"{path.name} has four bands tagged as {', '.join(names)}; write only red, green and blue, "
        "or tag one band as alpha"
    )


def _unfold(raster: Any) -> NDArray[np.uint8]:
    """Expand a palette to colours, with alpha if some are transparent."""
    table = np.zeros((256, 4), np.uint8)
    for index, colour in raster.colormap(1).items():
        if 0 <= index < len(table):
            table[index] = colour
    if raster.nodata is not None:
        table[int(raster.nodata) % len(table), 3] = 0
    bands = np.moveaxis(table[raster.read(1, out_dtype="uint8")], -1, 0)
    return np.asarray(bands if (bands[3] < 255).any() else bands[:3])


def _read_plain(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Read a PNG or JPEG to its end, so that a truncated one is not filled with grey."""
    from PIL import Image

    with Image.open(path) as file:
        file.load()
        told = file.info.get(PICTURE) or _comment(file.info)
        pixels = np.asarray(file.convert(_colours_of(file, path)))
    return np.moveaxis(pixels, -1, 0), str(told)


def _colours_of(file: ImageFile, path: Path) -> str:
    """Return the mode of Pillow that holds the colours of a picture and its alpha."""
    mode = file.mode
    if mode in ("P", "RGB") and "transparency" in file.info:
        return "RGBA"
    if mode in ("P", "RGB", "RGBA"):
        return "RGB" if mode == "P" else mode
    raise _no_colours_error(path, f"mode {mode}", data=mode.startswith(("I", "F")))


def _comment(info: dict[Any, Any]) -> str:
    """Return the tag of this package in the comment of a JPEG."""
    comment = info.get("comment", b"")
    text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    return text.removeprefix(f"{PICTURE}: ") if text.startswith(PICTURE) else ""


def _no_colours_error(path: Path, what: str, *, data: bool) -> UnknownFormatError:
    advice = (
        "use downscale for measured values, or make a picture of them with render"
        if data
        else "convert it to RGB"
    )
    return UnknownFormatError(
        f"{path.name} has no colours ({what}): it is not an 8-bit picture in red, green and blue; "
        f"{advice}"
    )


def _place(path: Path) -> tuple[Affine | None, Any]:
    """Return transform and CRS of a picture; its world file must not contradict its tags."""
    with open_raster(path, driver=picture_kind(path)) as raster:
        own = None if raster.transform.is_identity else raster.transform
        crs, shape = raster.crs, raster.shape
    world = _world(path)
    if own is None or world is None:
        return world if own is None else own, crs
    ny, nx = shape
    apart = max(
        float(np.hypot(*np.subtract(own @ corner, world @ corner)))
        for corner in ((0, 0), (nx, 0), (0, ny), (nx, ny))
    )
    if apart > SLACK * max(abs(own.a), abs(own.e)):
        raise IrregularGridError(
            f"{path.name} begins at ({own.c:.8g}, {own.f:.8g}) with pixels of {own.a:.6g} x "
            f"{own.e:.6g}, but its world file at ({world.c:.8g}, {world.f:.8g}) with pixels of "
            f"{world.a:.6g} x {world.e:.6g}; remove the one that is wrong"
        )
    return own, crs


def _world(path: Path) -> Affine | None:
    """Return the transform of the world file beside a picture, if there is one."""
    suffix = path.suffix
    endings = (f".{suffix[1:2]}{suffix[-1:]}w", f"{suffix}w", ".wld")
    places = (path.with_suffix(ending) for ending in endings if len(ending) > 2)
    place = next((place for place in places if place.is_file()), None)
    if place is None:
        return None
    try:
        a, d, b, e, x, y = (float(word.replace(",", ".")) for word in place.read_text().split())
    except (ValueError, UnicodeDecodeError) as error:
        raise FileUnreadableError(
            f"{place.name} is not a world file of six numbers, one per line ({error}); remove it, "
            "or write it again"
        ) from error
    return Affine(a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)


def _check_place(path: Path, transform: Affine, crs: Any, shape: tuple[int, ...]) -> None:
    """Refuse rotated pictures, and coordinates that cannot be in the CRS."""
    if transform.b or transform.d or not (transform.a > 0 and transform.e):
        raise IrregularGridError(
            f"{path.name} is rotated or mirrored (geotransform {transform.to_gdal()}); warp it "
            "first, for example with gdalwarp"
        )
    if crs is None:
        return
    x = (transform.c, transform.c + transform.a * shape[1])
    y = (transform.f, transform.f + transform.e * shape[0])
    like_degrees = max(map(abs, x)) <= 361 and max(map(abs, y)) <= 91
    # In metres, it would be a map of a few metres at the origin of the projection.
    if like_degrees and crs.is_projected and crs.linear_units_factor[1] > 1:
        return
    if like_degrees != crs.is_geographic:
        raise IrregularGridError(
            f"{path.name} lies at x {x[0]:.8g} to {x[1]:.8g}, y {min(y):.8g} to {max(y):.8g}, but "
            f"in a CRS whose coordinates are {'degrees' if crs.is_geographic else 'lengths'}, so "
            "the world file contradicts the CRS; correct the one that is wrong"
        )
