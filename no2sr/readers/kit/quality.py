"""Quality flags in files of any origin: applied if there are any, refused if there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import SettingsError
from no2sr.readers.kit.netcdf import walk
from no2sr.readers.kit.pixels import values_of
from no2sr.readers.kit.places import shape_of

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from no2sr.readers.port import ReadOptions

    Variable = netCDF4.Variable[Any]

__all__ = ["screen_by_quality"]

QUALITY = "qa_value"
SUMMARY, ROWS = "VcdQualityFlags", "XTrackQualityFlags"  # OMI: bit 0, and the row anomaly
_SOUND_ROWS = (0, 255)


def screen_by_quality(
    file: netCDF4.Dataset, column: Variable, *, options: ReadOptions, path: Path
) -> tuple[NDArray[np.bool_] | None, dict[str, Any]]:
    """Find the pixels whose quality is too low, and describe the conditions.

    Parameters
    ----------
    file : Dataset
    column : Variable
    options : ReadOptions
    path : Path

    Returns
    -------
    bad : array of bool or None
        None if the file states no quality.
    told : dict
        Attributes of the swath.

    Raises
    ------
    SettingsError
        If a threshold is given that cannot be applied.
    """
    there = {v.name: v for v in walk(file) if shape_of(v) == shape_of(column)}
    told: dict[str, Any] = {}
    fails, words = [], []
    if QUALITY in there:
        quality = values_of(there[QUALITY])
        codes = np.rint(np.nan_to_num(quality, nan=-1) * (1 if np.nanmax(quality) > 1 else 100))
        fails.append(codes <= round(100 * options.quality))
        words.append(f"{QUALITY} above {options.quality:g}")
        told["quality_threshold"] = options.quality
    elif options.qa_min is not None:
        raise SettingsError(
            f"a quality threshold of {options.qa_min:g} was given, but {path.name} has no "
            f"{QUALITY} for its pixels; leave it out"
        )
    if SUMMARY in there:
        fails.append(np.nan_to_num(values_of(there[SUMMARY]), nan=1).astype("int64") & 1 == 1)
        words.append(f"bit 0 of {SUMMARY} unset")
    if ROWS in there:
        fails.append(~np.isin(np.asarray(there[ROWS][...].data), _SOUND_ROWS))
        words.append(f"{ROWS} 0 or 255")
    if not fails:
        return None, {}
    told["screening"] = "pixels with " + " and ".join(words)
    return np.logical_or.reduce([fail.reshape(fails[0].shape) for fail in fails]), told
