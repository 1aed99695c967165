"""Styles for QGIS: ``name.qml`` beside ``name.tif``, which QGIS applies when it opens the raster.

A floating point band has no colours of its own, and without a style QGIS draws it grey. The style
is computed from the finished raster, so that every writer of rasters can have one. It has the
colours and limits of `no2sr.core.colours`, other colours for uncertainties, labels in the unit that
people read, transparent gaps, and cells drawn as they are.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import rasterio

from no2sr.core.atomic import check_free, replace_atomically
from no2sr.core.colours import (
    RAMP,
    UNCERTAINTY_RAMP,
    check_limits,
    ramp,
    robust_limits,
    shown_unit,
    value_text,
)
from no2sr.core.layers import UNCERTAINTIES
from no2sr.writers.layers import COLUMN, LAYER_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Style = bool | tuple[float, float]

__all__ = ["remove_styled", "replace_with_style", "style_of"]

# Marks a style as ours to replace. QGIS drops the mark when users save a style of their own.
_OURS = "<!-- a style by no2sr; one that is saved in QGIS instead is kept -->"
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
_STOPS = 17  # colours along a ramp; straight lines between them follow it closely enough
_SHARES = "viridis"  # for coverage and counts
_LOOK_AT = 2_000_000  # number of cells that is enough to estimate the limits


class _Scale(NamedTuple):
    """Limits of the colours, and the unit of the labels."""

    ramp: str
    low: float
    high: float
    factor: float
    unit: str

    def label(self, value: float) -> str:
        """Format a value in the unit that is shown."""
        return value_text(self.factor * value, self.unit, ".3g")


@contextmanager
def replace_with_style(path: str | Path, *, overwrite: bool, style: Style) -> Iterator[Path]:
    """Lend a temporary path as `replace_atomically` does, and put a style beside the raster.

    Parameters
    ----------
    path : str or Path
        Final name of the raster. Its style has the same name with the suffix ``.qml``.
    overwrite : bool
    style : bool or (low, high)
        Write a style, with these limits of the colours in the unit shown, if they are given. An
        earlier style of ours is removed or replaced, because it belongs to another raster; a style
        that a user saved is kept.

    Yields
    ------
    Path
        Where to write the raster.

    Raises
    ------
    OutputExistsError, WriteError
        As for `replace_atomically`. Neither raster nor style is left behind.
    """
    final = Path(path)
    check_free(final, overwrite=overwrite)  # a refusal names the raster, not its style
    place = final.with_suffix(".qml")
    if not style or (place.exists() and not _is_ours(place)):
        with replace_atomically(final, overwrite=overwrite) as temporary:
            yield temporary
        _remove_ours(place)
        return
    # The one entered last is placed first: the raster, and only then its style.
    with (
        replace_atomically(place, overwrite=True) as draft,
        replace_atomically(final, overwrite=overwrite) as temporary,
    ):
        yield temporary
        limits = None if isinstance(style, bool) else style
        draft.write_text(style_of(temporary, limits), encoding="utf-8")


def remove_styled(path: Path) -> None:
    """Remove a raster, and its style if that is ours."""
    path.unlink()
    _remove_ours(path.with_suffix(".qml"))


def _remove_ours(style: Path) -> None:
    if _is_ours(style):
        style.unlink()


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return _OURS.encode() in stream.read(500)


def style_of(path: str | Path, limits: Sequence[float] | None = None) -> str:
    """Compose the QGIS style of the first band of a raster.

    Parameters
    ----------
    path : str or Path
        A raster whose band states its unit, as those of `no2sr.write_geotiff` do.
    limits : (low, high), optional
        Limits of the colours of a column, in the unit shown.

    Returns
    -------
    str
        XML. The colours of columns and uncertainties end at the robust limits of the values, those
        of shares and counts begin at 0. The limits of a large raster are those of an overview.
    """
    values, unit, layer = _look_at(Path(path))
    scale = _choose_scale(values, unit, layer)
    if limits is not None and layer in ("", COLUMN):
        low, high = (value / scale.factor for value in check_limits(limits))
        scale = scale._replace(low=low, high=high)
    root = ET.Element("qgis", version="3.22.0", styleCategories="AllStyleCategories")
    pipe = ET.SubElement(root, "pipe")
    pipe.append(_renderer(scale))
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0")
    # Without a resampler the nearest cell is drawn, so that people see the values of the file.
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root, " ")
    return f"{_DOCTYPE}\n{_OURS}\n{ET.tostring(root, encoding='unicode')}\n"


def _look_at(path: Path) -> tuple[NDArray[np.floating], str, str]:
    """Read enough values of the first band, its unit, and which layer of a scene it is."""
    with rasterio.open(path) as raster:
        step = max(1, int(np.ceil(np.sqrt(raster.width * raster.height / _LOOK_AT))))
        shape = tuple(max(1, size // step) for size in raster.shape)
        layer = raster.tags().get(LAYER_TAG, "")
        return raster.read(1, out_shape=shape), raster.units[0] or "", layer


def _choose_scale(values: NDArray[np.floating], unit: str, layer: str) -> _Scale:
    """Choose colours, limits and the unit of the labels."""
    seen = values[np.isfinite(values)]
    if unit == "1":  # a share of the cell, or a number of pixels
        return _Scale(_SHARES, 0.0, max(1.0, float(seen.max(initial=0))), 1.0, "")
    low, high = robust_limits(seen) if seen.size else (0.0, 1.0)
    colours = UNCERTAINTY_RAMP if layer in UNCERTAINTIES else RAMP
    return _Scale(colours, low, high, *shown_unit(unit))


def _renderer(scale: _Scale) -> ET.Element:
    """Compose the element that says how values become colours."""
    low, high = repr(scale.low), repr(scale.high)
    renderer = ET.Element(
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        opacity="1",
        alphaBand="-1",
        classificationMin=low,
        classificationMax=high,
        nodataColor="",
    )
    ET.SubElement(renderer, "rasterTransparency")
    origin = ET.SubElement(renderer, "minMaxOrigin")
    for name, value in (("limits", "None"), ("extent", "WholeRaster"), ("statAccuracy", "Exact")):
        ET.SubElement(origin, name).text = value
    ET.SubElement(renderer, "rastershader").append(_shader(scale))
    return renderer


def _shader(scale: _Scale) -> ET.Element:
    """Compose the element with the ramp, its stops and its legend."""
    shader = ET.Element(
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue=repr(scale.low),
        maximumValue=repr(scale.high),
    )
    colours = [tuple(map(int, colour)) for colour in ramp(scale.ramp, _STOPS)]
    shader.append(_ramp(colours))
    for value, colour in zip(np.linspace(scale.low, scale.high, _STOPS), colours, strict=True):
        ET.SubElement(
            shader,
            "item",
            value=repr(float(value)),
            label=scale.label(float(value)),
            color="#{:02x}{:02x}{:02x}".format(*colour),
            alpha="255",
        )
    ET.SubElement(
        shader,
        "rampLegendSettings",
        useContinuousLegend="1",
        minimumLabel=scale.label(scale.low),
        maximumLabel=scale.label(scale.high),
        prefix="",
        suffix="",
        direction="0",
        orientation="2",
    )
    return shader


def _ramp(colours: list[tuple[int, ...]]) -> ET.Element:
    """Compose the ramp itself, from which QGIS makes new classes when a user asks for them."""
    words = ["{},{},{},255".format(*colour) for colour in colours]
    stops = [f"{n / (len(words) - 1):.6g};{words[n]}" for n in range(1, len(words) - 1)]
    element = ET.Element("colorramp", name="[source]", type="gradient")
    options = ET.SubElement(element, "Option", type="Map")
    values = {"color1": words[0], "color2": words[-1], "discrete": "0", "rampType": "gradient"}
    for name, value in {**values, "stops": ":".join(stops)}.items():
        ET.SubElement(options, "Option", name=name, value=value, type="QString")
        ET.SubElement(element, "prop", k=name, v=value)
    return element
