"""Pictures: columns as colours, and pictures enlarged the classic way.

This is the only place where colours exist. A *picture* is a DataArray ``(band, y, x)`` of uint8
with bands ``red``, ``green``, ``blue`` and, where parts are transparent, ``alpha``. Its attribute
``no2sr_picture`` says what it shows and is stored in every file that is written of it, so that no
number that was ever a colour is taken for a column again.

References
----------
C. Dong et al., "Image super-resolution using deep convolutional networks", IEEE Trans. Pattern
Anal. Mach. Intell. 38 (2016) 295-307: luminance through the network, chroma by bicubic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from affine import Affine

from no2sr.core.colours import (
    PICTURE,
    RAMP,
    ascii_unit,
    check_limits,
    robust_limits,
    shown_unit,
)
from no2sr.core.colours import ramp as colours_of
from no2sr.core.colours import ticks as round_ticks
from no2sr.core.errors import CardMismatchError, DimensionError
from no2sr.core.grid import georeference, transform_of
from no2sr.networks.card import Model
from no2sr.networks.store import load_model
from no2sr.steps.gaps import fill_gaps
from no2sr.steps.luminance import WHITE
from no2sr.steps.resample import upsample
from no2sr.steps.tiles import trim
from no2sr.views.luminance import enlarge_luminance
from no2sr.views.pairs import enter_single
from no2sr.writers.layers import label
from no2sr.writers.pictures import check_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["draw_legend", "enhance", "render"]

BANDS = ("red", "green", "blue", "alpha")
OPAQUE = 255
# Sizes in the legend, in pixels: height of the bar, border, letters.
BAR, BORDER, LETTERS = 22, 16, 15


def render(
    image: xr.DataArray | xr.Dataset,
    *,
    limits: Sequence[float] | None = None,
    ramp: str = RAMP,
) -> xr.DataArray:
    """Turn an image into a picture for people to look at.

    Parameters
    ----------
    image : DataArray or Dataset, (y, x)
        Anything that `no2sr.downscale` takes, of one time.
    limits : (low, high), optional
        Ends of the ramp, in the unit shown (see `no2sr.core.colours.shown_unit`); values beyond
        have the colour of the end. By default all but 1 % of the values lie between.
    ramp : str
        One of `no2sr.core.colours.RAMPS`, all perceptually uniform.

    Returns
    -------
    DataArray, (band, y, x), uint8
        Red, green and blue on the grid of the image and, if there are gaps, alpha: gaps are
        transparent. `no2sr.write` takes it as ``.tif``, ``.png`` or, without gaps, ``.jpg``.

    Raises
    ------
    ImageError, NoValidPixelsError
        If the argument holds no image, or an image of gaps only.
    SettingsError
        If `limits` or `ramp` are invalid.

    See Also
    --------
    enhance : enlarge a picture.
    """
    strict = enter_single(image)
    by, unit = shown_unit(str(strict.attrs["units"]))
    values = np.asarray(by * strict.values, dtype=np.float32)
    low, high = robust_limits(values) if limits is None else check_limits(limits)
    valid = np.isfinite(values)
    share = (np.where(valid, values, low) - low) / (high - low)
    colours = colours_of(ramp)
    # Half-open steps of equal width, so that each colour stands for as much of the range.
    steps = np.clip(share * len(colours), 0, len(colours) - 1).astype(np.uint8)
    picture = colours[steps] * valid[..., None]
    planes = [*np.moveaxis(picture, -1, 0)]
    if not valid.all():
        planes.append(np.where(valid, OPAQUE, 0))
    shows = f"{label(strict)} from {low:.6g} to {high:.6g} {ascii_unit(unit)}, colours {ramp}"
    rendered = _stack(planes, {PICTURE: shows})
    told = {"no2sr_limits": [low, high], "no2sr_ramp": ramp, "no2sr_unit": unit}
    return georeference(rendered.assign_attrs(told), transform_of(strict), strict.rio.crs)


def enhance(
    rgb_image: xr.DataArray,
    *,
    scale: int = 3,
    model: str | Path | Model = "luminance",
    edges: Literal["pad", "shave"] = "pad",
) -> xr.DataArray:
    """Enlarge a picture: luminance by a network, chroma and alpha by bicubic interpolation.

    This is SRCNN as it was published, for maps that exist only as pictures. The result looks
    sharper, but nothing is conserved; use `no2sr.downscale` for measured values.

    Parameters
    ----------
    rgb_image : DataArray, (band, y, x), uint8
        Three bands, or four with alpha: what `render` returns, and what
        ``rioxarray.open_rasterio`` reads from an RGB GeoTIFF.
    scale : int
        Fine pixels along a coarse one.
    model : str, Path or Model
        Name of shipped weights, folder of a saved model, or a model; trained on luminance.
    edges : {"pad", "shave"}
        ``pad`` keeps the full extent, ``shave`` cuts what the padding of the network affected:
        ``card.radius`` fine pixels on each side.

    Returns
    -------
    DataArray, (band, scale * y, scale * x), uint8
        The transform is that of the input, divided by the scale and moved by what was cut.

    Raises
    ------
    DimensionError
        If the argument is not a picture of three or four bands of uint8.
    ModelError
        If there is no such model, or it was trained for another scale or for columns.
    SettingsError
        If `edges` is unknown.

    See Also
    --------
    render : make a picture of an image.
    """
    bands = check_picture(rgb_image)
    chosen = _choose(model, scale)
    colours, *alpha = np.moveaxis(bands[:3], 0, -1), *bands[3:]
    seen = alpha[0] > 0 if alpha else np.ones(bands.shape[1:], dtype=bool)
    fine = [*np.moveaxis(_enlarge_colours(colours, seen, chosen, edges=edges), -1, 0)]
    cut = chosen.card.radius if edges == "shave" else 0
    if alpha:
        fine.append(_to_bytes(trim(upsample(alpha[0].astype(np.float32), scale), cut)))
        fine[:3] = [np.where(fine[3] > 0, plane, 0) for plane in fine[:3]]
    shown = rgb_image.attrs.get(PICTURE, "a picture")
    enlarged = _stack(fine, {PICTURE: f"{shown}; enlarged {scale} times by {chosen.card.name}"})
    return _place(enlarged, rgb_image, scale=scale, cut=cut)


def draw_legend(picture: xr.DataArray, *, width: int = 420) -> xr.DataArray:
    """Draw the colours of a rendered picture with the values that they represent.

    Parameters
    ----------
    picture : DataArray
        What `render` returned.
    width : int
        Width in pixels.

    Returns
    -------
    DataArray, (band, y, x), uint8
        A picture without a place on a map.

    Raises
    ------
    DimensionError
        If the picture was not made by `render`.
    """
    from PIL import Image, ImageDraw, ImageFont

    if "no2sr_limits" not in picture.attrs:
        raise DimensionError(
            "the picture does not state its limits and colours; draw the legend of what render "
            "returned, before anything else is done to the picture"
        )
    low, high = picture.attrs["no2sr_limits"]
    unit = ascii_unit(str(picture.attrs["no2sr_unit"]))  # the font has no other letters
    length = width - 2 * BORDER
    sheet = Image.new("RGB", (width, BORDER + BAR + 3 * LETTERS + BORDER), "white")
    bar = np.broadcast_to(colours_of(picture.attrs["no2sr_ramp"])[None], (BAR, 256, 3))
    sheet.paste(Image.fromarray(np.ascontiguousarray(bar)).resize((length, BAR)), (BORDER, BORDER))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTERS)
    bottom = BORDER + BAR
    pen.rectangle((BORDER, BORDER, BORDER + length - 1, bottom - 1), outline="black")
    for value in round_ticks(low, high):
        x = BORDER + (value - low) / (high - low) * (length - 1)
        pen.line((x, bottom, x, bottom + 4), fill="black")
        pen.text((x, bottom + 6), f"{value:g}", fill="black", font=font, anchor="ma")
    pen.text((width / 2, bottom + 9 + LETTERS), unit, fill="black", font=font, anchor="ma")
    return _stack([*np.moveaxis(np.asarray(sheet), -1, 0)], {PICTURE: "a legend"})


def _stack(planes: Sequence[NDArray[Any]], attrs: dict[str, Any]) -> xr.DataArray:
    """Stack planes as a picture."""
    return xr.DataArray(
        np.stack(planes).astype(np.uint8),
        dims=("band", "y", "x"),
        coords={"band": list(BANDS[: len(planes)])},
        attrs=attrs,
    )


def _choose(model: str | Path | Model, scale: int) -> Model:
    """Load the model for the scale."""
    chosen = model if isinstance(model, Model) else load_model(model, scale=scale)
    if chosen.card.scale != scale:
        raise CardMismatchError(
            f"the model was trained for scale {chosen.card.scale}, not {scale}; "
            f"use scale={chosen.card.scale} or another model"
        )
    return chosen


def _enlarge_colours(
    colours: NDArray[np.uint8],
    seen: NDArray[np.bool_],
    model: Model,
    *,
    edges: Literal["pad", "shave"],
) -> NDArray[np.uint8]:
    """Enlarge (y, x, 3) as luminance and chroma; transparent pixels do not affect their neighbours.

    Input and output have 8 bits, but nothing is rounded in between: on smooth maps the rounding of
    an 8-bit YPbPr image would cost as much as the network gains.
    """
    from skimage.color import rgb2ypbpr, ypbpr2rgb

    luminance, *chroma = (
        fill_gaps(np.where(seen, plane, np.float32(np.nan)), model.card.margin)
        for plane in np.moveaxis(rgb2ypbpr(colours.astype(np.float32) / WHITE), -1, 0)
    )
    cut = model.card.radius if edges == "shave" else 0
    fine = [
        enlarge_luminance(WHITE * luminance, model, edges=edges) / np.float32(WHITE),
        *(trim(upsample(plane, model.card.scale), cut) for plane in chroma),
    ]
    return _to_bytes(WHITE * ypbpr2rgb(np.stack(fine, axis=-1)))


def _to_bytes(plane: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Round and clip to 8 bits; interpolation overshoots."""
    return np.asarray(np.clip(np.rint(plane), 0, 255), dtype=np.uint8)


def _place(picture: xr.DataArray, coarse: xr.DataArray, *, scale: int, cut: int) -> xr.DataArray:
    """Put an enlarged picture where the coarse one lies, if that has a place on a map."""
    if "x" not in coarse.coords:
        return picture
    t = transform_of(coarse)
    dx, dy = t.a / scale, t.e / scale
    fine = Affine(dx, 0, t.c + cut * dx, 0, dy, t.f + cut * dy)
    return georeference(picture, fine, coarse.rio.crs)
