"""Provenance: attributes and tags of outputs that begin with ``no2sr_``.

Readers note what was read, `no2sr.downscale` notes what it did, writers store all of it, and
``no2sr info`` reads it back. The names are public: other programs may rely on them.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import RefinedInputWarning

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "COARSENED",
    "PARTS",
    "PREFIX",
    "UNSTATED",
    "coarsen_attrs",
    "coarsening_of",
    "doubt_refined",
    "list_labelled",
    "origin",
    "refinement_of",
    "select_own",
]

PREFIX = "no2sr_"
UNSTATED = "not stated by the input"
SCALE, EARLIER = f"{PREFIX}scale", f"{PREFIX}earlier_scale"
COARSENED = f"{PREFIX}coarsened"
PARTS = f"{PREFIX}uncertainty_parts"
# Names without the prefix, and labels for people. These four hold on any grid of the input.
_OF_INPUT = {
    "product": "product",
    "processor_version": "processor version",
    "quality_threshold": "quality threshold",
    "screening": "pixels used",
}
_LABELS = {
    **_OF_INPUT,
    "coarsened": "averaged first",
    "model": "model",
    "model_sha256": "SHA-256 of the model",
    "scale": "scale",
    "earlier_scale": "scale of an earlier refinement",
    "edges": "edges",
    "conserve": "conservation",
    "noise": "noise",
    "noise_step_sha256": "SHA-256 of the noise step",
    "neighbours": "steps used by the noise step",
    "neighbours_sha256": "SHA-256 of the network of neighbours",
    "place_history": "history of the place",
    "place_history_resolution": "resolution of the history",
    "history_model_sha256": "SHA-256 of the history network",
    "closure_max": "largest residual of conservation",
    "departure_rms": "departure from the observation, root mean square",
    "departure_max": "departure from the observation, largest",
    "gap_share": "share of gaps",
    "time_coverage_start": "first overpass",
    "time_coverage_end": "last overpass",
    "uncertainty_parts": "parts of the uncertainty",
    "version": "no2sr version",
}
_LONG = {"overpass_times"}  # a moment for each file: for programs, not for tables
_FORMATS = {
    "coarsened": "{0:.0f} x {0:.0f} cells of the file",
    "closure_max": "{:.1e} standard deviations of the input",
    "gap_share": "{:.1%}",
    "place_history_resolution": "{:.2g} coarse cells",
    "departure_rms": "{:.2f} standard deviations of the noise",
    "departure_max": "{:.2f} standard deviations of the noise",
}


def origin(product: str, attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes that say what was read.

    Parameters
    ----------
    product : str
        Name of the product.
    attrs : mapping
        Attributes of the reader's dataset: ``processor_version``, ``quality_threshold`` and
        ``screening`` if it knows them, and those of an output of this package.

    Returns
    -------
    dict
        All four are always present, so that a missing one cannot be mistaken for an answer.
    """
    return {
        f"{PREFIX}product": product,
        f"{PREFIX}processor_version": attrs.get("processor_version") or UNSTATED,
        f"{PREFIX}quality_threshold": attrs.get("quality_threshold", "none applied"),
        f"{PREFIX}screening": attrs.get("screening") or "all, as the input gives them",
        **select_own(attrs),
    }


def select_own(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes that this package wrote."""
    return {str(key): value for key, value in attrs.items() if str(key).startswith(PREFIX)}


def refinement_of(*sources: Mapping[Any, Any]) -> int:
    """Return how many times finer than observed a grid is; 1 if it was not refined.

    Parameters
    ----------
    *sources : mapping
        Attributes of an image, of its dataset or of a file; numbers may be text.
    """
    return max([1, *(_number(attrs, SCALE) * _number(attrs, EARLIER) for attrs in sources)])


def coarsening_of(attrs: Mapping[Any, Any]) -> int:
    """Return how many cells of the file, along each side, were averaged to an observed cell.

    Parameters
    ----------
    attrs : mapping
        Attributes of an image or of a file; numbers may be text.

    Returns
    -------
    int
        1 if the cells were taken as the file has them.
    """
    return _number(attrs, COARSENED)


def _number(attrs: Mapping[Any, Any], key: str) -> int:
    try:
        return max(1, round(float(attrs.get(key, 1))))
    except (TypeError, ValueError, OverflowError):  # not written by this package
        return 1


def doubt_refined(name: str, *sources: Mapping[Any, Any]) -> int:
    """Return how many times finer than observed a grid is, and warn if it was refined.

    Warns
    -----
    RefinedInputWarning
        If it was refined: only the means over blocks of such a grid were observed.
    """
    scale = refinement_of(*sources)
    if scale > 1:
        warnings.warn(
            f"{name} was made {scale} times finer by no2sr: only the means over "
            f"{scale} x {scale} cells were observed; refine the grid that it was made from instead",
            RefinedInputWarning,
            stacklevel=3,
        )
    return scale


def coarsen_attrs(attrs: Mapping[Any, Any], scale: int) -> dict[Any, Any]:
    """Return the attributes that still hold after blocks of `scale` cells were averaged.

    If each block holds one or several cells that were refined, the means were observed.
    """
    before = refinement_of(attrs)
    if before > 1 and scale % before == 0:
        keep = {f"{PREFIX}{name}" for name in _OF_INPUT}
        kept = {k: v for k, v in attrs.items() if k in keep or not str(k).startswith(PREFIX)}
        averaged = coarsening_of(attrs) * scale // before
        return kept | ({COARSENED: averaged} if COARSENED in attrs else {})
    if before > 1 and before % scale == 0:
        return {k: v for k, v in attrs.items() if k != EARLIER} | {SCALE: before // scale}
    return dict(attrs)


def list_labelled(attrs: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Return the labels and values of what this package wrote, in a fixed order, not long lists."""
    told = {name.removeprefix(PREFIX): value for name, value in select_own(attrs).items()}
    there = {name: value for name, value in told.items() if name not in _LONG}
    known = [name for name in _LABELS if name in there]
    return [
        (_LABELS.get(name, name.replace("_", " ")), _format_value(name, there[name]))
        for name in [*known, *sorted(there.keys() - _LABELS)]
    ]


def _format_value(name: str, value: Any) -> str:
    try:
        return _FORMATS.get(name, "{}").format(float(value) if name in _FORMATS else value)
    except (TypeError, ValueError):
        return str(value)
