"""Figures of a comparison: maps side by side, their errors, spectra. They need matplotlib."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.atomic import replace_atomically
from no2sr.core.colours import HIGH, robust_limits, shown_unit
from no2sr.core.errors import MissingDependencyError
from no2sr.evaluation.measures import mean_spectra
from no2sr.views.panels import colour_map, draw_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from no2sr.evaluation.records import Comparison, Scene

__all__ = [
    "FIGURES",
    "add_title",
    "check_matplotlib",
    "draw_errors",
    "draw_maps",
    "draw_spectra",
    "save_figure",
    "save_figures",
    "save_loss_curve",
]

DOTS_PER_INCH = 110
WAVELENGTHS = np.array([32, 16, 8, 4, 2])
# The axis of the error's power ends at this multiple of the power of the reference.
MOST_ERROR = 2


def check_matplotlib() -> None:
    """Check that matplotlib is there before any work is done.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingDependencyError(
            "matplotlib, which draws the figures, is not installed; "
            "install it with pip install 'no2sr[plot]'"
        )


def add_title(figure: Figure, title: str) -> None:
    """Give a figure a title; that of a single panel is replaced."""
    panels = [axis for axis in figure.axes if axis.get_title()]
    if len(panels) == 1:
        panels[0].set_title(title, fontsize="large", wrap=True)
    else:
        figure.suptitle(title, fontsize="large", wrap=True)


def save_figure(
    figure: Figure, path: str | Path, *, overwrite: bool = False, dpi: int = 150
) -> None:
    """Write a figure; text stays text in a PDF or SVG, and equal figures give equal bytes.

    Parameters
    ----------
    figure : Figure
    path : str or Path
        A .png, .pdf or .svg.
    overwrite : bool
        Replace an existing file.
    dpi : int
        Pixels per inch of a PNG.

    Raises
    ------
    OutputExistsError
        If the file exists and `overwrite` is false.
    WriteError
        If the file cannot be written.
    """
    from matplotlib import rc_context

    dated = {".pdf": "CreationDate", ".svg": "Date"}.get(Path(path).suffix.lower())
    plain: Any = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "no2sr"}
    with rc_context(plain), replace_atomically(Path(path), overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=dpi, metadata={dated: None} if dated else None)


def save_figures(
    comparison: Comparison, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Draw all figures of a comparison into a folder.

    Parameters
    ----------
    comparison : Comparison
    folder : str or Path
        Created if it does not exist.
    overwrite : bool
        Replace existing figures.

    Returns
    -------
    list of Path
        ``maps.png`` and ``errors.png`` of the scene with the most contrast, and ``spectra.png`` of
        all scenes.

    Raises
    ------
    OutputExistsError
        If a figure exists and `overwrite` is false.
    WriteError
        If a figure cannot be written.
    MissingDependencyError
        If matplotlib is not installed.
    """
    check_matplotlib()
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in FIGURES.items():
        path = Path(folder) / name
        with replace_atomically(path, overwrite=overwrite) as temporary:
            draw(comparison).savefig(temporary, dpi=DOTS_PER_INCH)
        paths.append(path)
    return paths


def draw_maps(comparison: Comparison) -> Figure:
    """Draw the reference, the coarse image and the estimates of a scene in one colour scale."""
    scene = _choose_scene(comparison)
    panels = {"reference": scene.reference, "coarse": scene.coarse, **scene.estimates}
    factor, unit = shown_unit(comparison.unit)
    low, high = robust_limits(factor * scene.reference)
    return draw_panels(
        {title: factor * values for title, values in panels.items()},
        scene.bounds,
        label=unit,
        cmap=colour_map(),
        vmin=low,
        vmax=high,
    )


def draw_errors(comparison: Comparison) -> Figure:
    """Draw estimate minus reference of a scene in one colour scale; white means no error."""
    scene = _choose_scene(comparison)
    factor, unit = shown_unit(comparison.unit)
    errors = {
        title: factor * (values - scene.reference) for title, values in scene.estimates.items()
    }
    size = factor * float(np.nanpercentile(np.abs(scene.interpolated - scene.reference), HIGH))
    return draw_panels(
        errors,
        scene.bounds,
        label=f"estimate - reference / {unit}",
        cmap="RdBu_r",
        vmin=-size,
        vmax=size,
    )


def draw_spectra(comparison: Comparison) -> Figure:
    """Draw the power of the estimates, and of their errors as a share of the reference's."""
    from matplotlib.figure import Figure

    spectra = mean_spectra(comparison)
    nyquist = 1 / (2 * comparison.scale)
    factor, unit = shown_unit(comparison.unit)
    by = factor**2
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.loglog(spectra.frequencies, by * spectra.reference, "k", linewidth=2, label="reference")
    for index, label in enumerate(comparison.methods):
        style: dict[str, Any] = {"color": f"C{index % 10}", "label": label}
        style["linestyle"] = "--" if label in comparison.classical else "-"
        left.loglog(spectra.frequencies, by * spectra.estimates[label], **style)
        right.semilogx(spectra.frequencies, spectra.errors[label] / spectra.reference, **style)
    right.axhline(0.5, color="0.6", linewidth=1)
    for axis in (left, right):
        axis.axvline(nyquist, color="0.6", linewidth=1, linestyle=":")
        axis.set_xlabel("wavelength / fine cells (dotted: limit of the coarse grid)")
        axis.set_xticks(1 / WAVELENGTHS, [f"{wavelength}" for wavelength in WAVELENGTHS])
        axis.minorticks_off()
    right.set_ylim(0, MOST_ERROR)
    left.set_ylabel(f"power / ({unit})$^2$")
    right.set_ylabel("power of the error / power of the reference")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize="small")
    return figure


def save_loss_curve(curve: dict[str, list[float]], path: str | Path) -> None:
    """Draw the training loss by step, as the model card records it, into a PNG.

    Parameters
    ----------
    curve : dict
        Lists ``step``, ``loss`` and, where data were held out, ``held_out``. Both losses are mean
        square errors as a multiple of the error of bicubic interpolation.
    path : str or Path
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    axis.plot(curve["step"], curve["loss"], color="C0", label="training")
    if curve["held_out"]:
        best = int(np.argmin(curve["held_out"]))
        axis.plot(curve["step"], curve["held_out"], color="C1", label="held out")
        axis.plot(curve["step"][best], curve["held_out"][best], "o", color="C1", label="best")
    axis.axhline(1, color="0.6", linewidth=1, linestyle=":")
    axis.set_xlabel("step (dotted: bicubic interpolation)")
    axis.set_ylabel("mean square error / that of bicubic interpolation")
    axis.legend()
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png")


FIGURES = {"maps.png": draw_maps, "errors.png": draw_errors, "spectra.png": draw_spectra}


def _choose_scene(comparison: Comparison) -> Scene:
    """Choose the scene with the largest spread."""
    return max(comparison.scenes, key=lambda scene: float(np.nanstd(scene.reference)))
