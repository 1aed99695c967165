"""Advice on a set of swaths: few overpasses are for ``downscale``, many for ``reconstruct``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from no2sr.core.earth import Box
    from no2sr.downscaling.settings import Reading

__all__ = ["advise", "describe_advice"]


def advise(
    path: Path, *, facts: dict[str, Any], reading: Reading, bbox: Box | None
) -> dict[str, Any] | None:
    """Count the overpasses of a region, and choose the command that suits their number.

    Parameters
    ----------
    path : Path
    facts : dict
        The facts of `no2sr.readers.opening.describe.describe` about the path.
    reading : Reading
    bbox : (west, south, east, north) or None
        None counts the files without reading them.

    Returns
    -------
    dict or None
        ``files``, ``covering`` (those with a valid pixel in the box; None without a box),
        ``command`` and ``reason``. None if the path does not stand for several swaths and no box is
        given.
    """
    from no2sr.downscaling.reconstruction.entry import FEW

    files = facts["files"] or 1
    if facts["kind"] != "swath" or (files == 1 and bbox is None):
        return None
    covering = None if bbox is None else _count_covering(path, reading, bbox)
    number = files if covering is None else covering
    if number == 0:
        command, reason = None, "no overpass has a valid pixel in the box"
    elif number < FEW:
        command = "downscale"
        reason = f"with fewer than about {FEW} overpasses a reconstruction only smooths"
    else:
        command = "reconstruct"
        reason = "many overpasses resolve more than their average, which keeps the footprint's blur"
    return {"files": files, "covering": covering, "command": command, "reason": reason}


def describe_advice(advice: dict[str, Any] | None) -> str:
    """Describe the advice in the row of a table."""
    if advice is None:
        return ""
    if advice["covering"] is None:
        count = f"{advice['files']} files; --bbox counts those that cover a region"
    else:
        count = f"{advice['covering']} of {advice['files']} cover the box"
    choice = f"use {advice['command']}: " if advice["command"] else ""
    return f"{count}\n{choice}{advice['reason']}"


def _count_covering(path: Path, reading: Reading, bbox: Box) -> int:
    """Count the swaths with a valid pixel whose centre lies in the box."""
    from no2sr.core.errors import No2srWarning, NoValidPixelsError
    from no2sr.readers.opening.swaths import open_swaths

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", No2srWarning)  # those of the first file are shown
        try:
            swaths = open_swaths(
                path,
                reader=reading.reader,
                variable=reading.variable,
                unit=reading.unit,
                qa_min=reading.qa_min,
                limits=reading.limits,
                bbox=bbox,
            )
            return sum(_covers(swath, bbox) for swath in swaths)
        except NoValidPixelsError:  # every file is empty
            return 0


def _covers(swath: xr.Dataset, bbox: Box) -> bool:

    west, south, east, north = bbox
    x, y = swath["longitude"].values, swath["latitude"].values
    inside = ((x - west) % 360 <= (east - west) % 360) & (y >= south) & (y <= north)
    return bool((inside & swath["column"].notnull().values).any())
